//! Principal component analysis.

mod decomposition;

use self::decomposition::{by_covariance, by_projections, by_svd, no_convergence};
use super::overflow::check_result;
use super::{check_fit, check_learned, check_transform};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::{Float, scaled};
use crate::linalg::gemm;
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};
use serde::{Deserialize, Serialize};

/// How many principal components are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PcaComponents {
    /// As many as there are: the smaller of samples and features.
    All,
    /// This many.
    Count(usize),
    /// The fewest that together account for this share of the variance, above 0 and below 1.
    Variance(f64),
}

impl From<usize> for PcaComponents {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for PcaComponents {
    fn from(share: f64) -> Self {
        Self::Variance(share)
    }
}

/// How the components are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PcaSolver {
    /// `Randomized` where fewer than 80 % of the components of data of more than 500 samples or features are requested
    /// by number, and no covariance is small enough; else `Exact`.
    #[default]
    Auto,
    /// By the eigenvectors of the covariance where there are at least ten times as many samples as features and at
    /// most 1000 of these, else by a singular value decomposition.
    Exact,
    /// From random projections: the time is that of a few products of the data with as many columns as components
    /// are requested. Needs a number of components.
    Randomized,
}

/// Principal component analysis: the directions in which the data vary most, and the data along them.
///
/// z = (x − μ) · Vᵀ, with the rows of V the first right singular vectors of the centered data. The largest entry of
/// each is positive, so that a result does not depend on the decomposition. Computed in f64.
///
/// # Shapes
/// `x`: (n_samples, n_features). Out: (n_samples, n_components).
///
/// # Parameters
/// * `n_components`: a number (`2`), a share of the variance (`0.95`), or all. Default: all.
/// * `whiten`: give every component variance 1. Components whose deviation is below ε times the largest one are rounding and are
///   divided by that bound, whatever the unit of the data (scikit-learn: ε itself). Default: false.
/// * `solver`: exact, or from random projections. Default: [`PcaSolver::Auto`].
/// * `seed`: of the random projections. Default: 0.
///
/// # Errors
/// More components than samples or features, a share outside its range, fewer than two samples, values whose variance or result
/// is not representable, NaN or infinities, another number of features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut pca = Pca::new(1);
/// let line = array![[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]];
/// let along = pca.fit_transform(&line)?;
/// assert!((pca.explained_variance_ratio()?[0] - 1.0_f64).abs() < 1e-12);
/// assert!((pca.inverse_transform(&along)? - line).iter().all(|v: &f64| v.abs() < 1e-12));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// H. Hotelling, *Analysis of a complex of statistical variables into principal components*, 1933. N. Halko, P. G.
/// Martinsson, J. A. Tropp, *Finding structure with randomness*, 2011, arXiv:0909.4061.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    n_components: PcaComponents,
    whiten: bool,
    #[serde(default)]
    solver: PcaSolver,
    #[serde(default)]
    seed: u64,
    learned: Option<Learned>,
}

/// A principal component analysis but for its numbers, for files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PcaSettings {
    n_components: PcaComponents,
    whiten: bool,
    #[serde(default)]
    solver: PcaSolver,
    #[serde(default)]
    seed: u64,
    /// How many samples there were, if any.
    n_samples: Option<usize>,
}

impl PcaSettings {
    pub(crate) fn is_learned(&self) -> bool {
        self.n_samples.is_some()
    }
}

/// What was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Learned {
    numbers: PcaNumbers,
    n_samples: usize,
}

/// What was learned, as numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PcaNumbers {
    pub(crate) mean: Array1<f64>,
    /// (n_components, n_features), orthonormal rows.
    pub(crate) components: Array2<f64>,
    pub(crate) explained_variance: Array1<f64>,
    pub(crate) explained_variance_ratio: Array1<f64>,
}

impl Pca {
    /// A number of components, or the share of the variance that they account for.
    #[must_use]
    pub fn new(n_components: impl Into<PcaComponents>) -> Self {
        Self {
            n_components: n_components.into(),
            whiten: false,
            solver: PcaSolver::Auto,
            seed: 0,
            learned: None,
        }
    }

    /// Whether to give every component variance 1.
    #[must_use]
    pub fn whiten(mut self, whiten: bool) -> Self {
        self.whiten = whiten;
        self
    }

    /// How the components are found.
    #[must_use]
    pub fn solver(mut self, solver: PcaSolver) -> Self {
        self.solver = solver;
        self
    }

    /// The seed of the random projections.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The directions: (n_components, n_features), orthonormal rows.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn components(&self) -> Result<ArrayView2<'_, f64>> {
        Ok(self.learned("components")?.components.view())
    }

    /// The features' means.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn mean(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.learned("mean")?.mean.view())
    }

    /// The variance (divided by n − 1) along each component, descending.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn explained_variance(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.learned("explained_variance")?.explained_variance.view())
    }

    /// The share of the whole variance along each component, descending.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn explained_variance_ratio(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.learned("explained_variance_ratio")?.explained_variance_ratio.view())
    }

    /// The singular values of the centered data, descending.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    #[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
    pub fn singular_values(&self) -> Result<Array1<f64>> {
        let learned = self.learned.as_ref().ok_or(not_fitted("singular_values"))?;
        let n = learned.n_samples as f64 - 1.0;
        Ok(learned.numbers.explained_variance.mapv(|variance| (variance * n).sqrt()))
    }

    /// From components back to features; what the components left out is lost.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let learned = self.learned("inverse_transform")?;
        check_transform(z, learned.components.nrows())?;
        let stretched = z.mapv(F::as_f64) * self.stretch(learned);
        let mut x = Array2::zeros((z.nrows(), learned.mean.len()));
        gemm(1.0, stretched.view(), learned.components.view(), 0.0, x.view_mut());
        check_result(("Pca", "z"), z, (x + &learned.mean).mapv(F::of), false)
    }

    /// The settings, for files.
    pub(crate) fn settings(&self) -> PcaSettings {
        let Self { n_components, whiten, solver, seed, .. } = *self;
        let n_samples = self.learned.as_ref().map(|learned| learned.n_samples);
        PcaSettings { n_components, whiten, solver, seed, n_samples }
    }

    /// What was learned.
    pub(crate) fn numbers(&self) -> Option<&PcaNumbers> {
        self.learned.as_ref().map(|learned| &learned.numbers)
    }

    /// An analysis of these settings and numbers, whose lengths have been checked to fit each other.
    pub(crate) fn of_record(settings: PcaSettings, numbers: Option<PcaNumbers>) -> Result<Self> {
        let PcaSettings { n_components, whiten, solver, seed, n_samples } = settings;
        let refused = |name, value: String, expected: &str| {
            Err(Error::invalid_parameter("Pca", name, value, expected.to_owned()))
        };
        if let Some(n_samples) = n_samples.filter(|n_samples| *n_samples < 2) {
            return refused("n_samples", n_samples.to_string(), "at least 2");
        }
        if let Some(numbers) = &numbers {
            let values = numbers.explained_variance.iter().chain(&numbers.explained_variance_ratio);
            if let Some(value) = values.copied().find(|value| *value < 0.0) {
                return refused("explained_variance", value.to_string(), "at least 0");
            }
        }
        let learned = numbers.zip(n_samples).map(|(numbers, n_samples)| Learned { numbers, n_samples });
        Ok(Self { n_components, whiten, solver, seed, learned })
    }

    pub(crate) fn learned(&self, method: &'static str) -> Result<&PcaNumbers> {
        self.numbers().ok_or(not_fitted(method))
    }

    /// What whitening divided each component by: its standard deviation, or an ε of the largest one where that is more, because
    /// smaller ones are rounding. 1 where no component has a variance.
    pub(crate) fn stretch(&self, learned: &PcaNumbers) -> Array1<f64> {
        let largest = learned.explained_variance.fold(0.0, |most: f64, variance| variance.max(most));
        let least = if largest > 0.0 { f64::EPSILON * largest.sqrt() } else { 1.0 };
        let deviation = |variance: f64| variance.sqrt().max(least);
        learned.explained_variance.mapv(|variance| if self.whiten { deviation(variance) } else { 1.0 })
    }

    /// How many of the components with these shares of the variance are kept.
    fn count(&self, ratio: &Array1<f64>, most: usize) -> Result<usize> {
        match self.n_components {
            PcaComponents::All => Ok(most),
            PcaComponents::Count(count) if (1..=most).contains(&count) => Ok(count),
            PcaComponents::Count(count) => {
                let expected = format!("from 1 to {most}, the smaller of samples and features");
                Err(Error::invalid_parameter("Pca", "n_components", count, expected))
            }
            PcaComponents::Variance(share) if share > 0.0 && share < 1.0 => {
                let sums = ratio.iter().scan(0.0, |sum, ratio| {
                    *sum += ratio;
                    Some(*sum)
                });
                Ok((sums.filter(|sum| *sum <= share).count() + 1).min(most))
            }
            PcaComponents::Variance(share) => {
                Err(Error::invalid_parameter("Pca", "n_components", share, "0 < share of the variance < 1"))
            }
        }
    }
}

fn not_fitted(method: &'static str) -> Error {
    Error::NotFitted { estimator: "Pca", method }
}

/// The solver for this number of components and data shape, with the number of random projections.
fn choose(
    solver: PcaSolver,
    n_components: PcaComponents,
    (n_samples, n_features): (usize, usize),
) -> Result<Option<usize>> {
    let least = n_samples.min(n_features);
    match (solver, n_components) {
        (PcaSolver::Randomized, PcaComponents::Count(count)) => Ok(Some(count.min(least))),
        (PcaSolver::Randomized, _) => {
            let (value, expected) =
                ("no number".to_owned(), "a number of components for PcaSolver::Randomized");
            Err(Error::invalid_parameter("Pca", "n_components", value, expected))
        }
        (PcaSolver::Auto, PcaComponents::Count(count))
            if n_samples.max(n_features) > 500
                && !has_small_covariance(n_samples, n_features)
                && count > 0
                && count < least - least / 5 =>
        {
            Ok(Some(count))
        }
        _ => Ok(None),
    }
}

/// Refuses a variance of the whole that is not representable, or so small that squares have lost digits.
fn check_total(total: f64, centered: &Array2<f64>) -> Result<()> {
    const LEAST: f64 = f64::MIN_POSITIVE / f64::EPSILON;
    let largest = centered.fold(0.0, |most: f64, value| value.abs().max(most));
    if total.is_finite() && (total >= LEAST || largest == 0.0) {
        return Ok(());
    }
    let size = if total.is_finite() { "too small" } else { "too large" };
    let got = format!("{size}: at most {largest:?} from its mean");
    let expected = "deviations whose squares fit f64; multiply x by a constant first";
    Err(Error::invalid_parameter("Pca", "x", got, expected))
}

fn has_small_covariance(n_samples: usize, n_features: usize) -> bool {
    n_features <= 1000 && n_samples / 10 >= n_features
}

crate::estimator::inherent_fit!(Pca, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for Pca {
    type Report = ();

    #[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)?;
        let x_dim = x.dim();
        let (n_samples, n_features) = x_dim;
        if n_samples < 2 {
            return Err(Error::TooFewSamples { owner: "Pca", n_samples, name: "samples", needed: 2 });
        }
        let mean: Array1<f64> = x
            .columns()
            .into_iter()
            .map(|column| scaled::mean(column.iter().map(|v| v.as_f64()).collect()))
            .collect();
        let centered = x.mapv(F::as_f64) - &mean;
        let squares = centered.fold_axis(Axis(0), 0.0, |sum, v| sum + v * v);
        check_learned("Pca", x, &squares.to_vec())?;
        // Of the whole, which random projections do not see.
        let total = squares.sum() / (n_samples as f64 - 1.0);
        check_total(total, &centered)?;
        let (variances, mut directions) = match choose(self.solver, self.n_components, x_dim)? {
            Some(count) => by_projections(&centered, count, self.seed)?,
            None if has_small_covariance(n_samples, n_features) => by_covariance(&centered)?,
            None => by_svd(&centered)?,
        };
        for mut direction in directions.rows_mut() {
            let largest =
                direction.iter().fold(0.0_f64, |best, v| if v.abs() > best.abs() { *v } else { best });
            if largest < 0.0 {
                direction.mapv_inplace(|v| -v);
            }
        }
        if !variances.iter().all(|variance| variance.is_finite()) {
            return Err(no_convergence());
        }
        let variances = Array1::from_vec(variances);
        // The rounding of the decomposition may leave a share beyond 1.
        let share = |variance: &f64| if total > 0.0 { (variance / total).min(1.0) } else { 0.0 };
        let ratio = variances.map(share);
        let count = self.count(&ratio, n_samples.min(n_features))?;
        let numbers = PcaNumbers {
            mean,
            components: directions.slice_move(ndarray::s![..count, ..]).as_standard_layout().into_owned(),
            explained_variance: variances.slice_move(ndarray::s![..count]),
            explained_variance_ratio: ratio.slice_move(ndarray::s![..count]),
        };
        self.learned = Some(Learned { numbers, n_samples });
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for Pca {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let learned = self.learned("transform")?;
        check_transform(x, learned.mean.len())?;
        let centered = x.mapv(F::as_f64) - &learned.mean;
        let mut z = Array2::zeros((x.nrows(), learned.components.nrows()));
        gemm(1.0, centered.view(), learned.components.t(), 0.0, z.view_mut());
        check_result(("Pca", "x"), x, (z / self.stretch(learned)).mapv(F::of), false)
    }
}

impl Estimator for Pca {
    fn unfitted(&self) -> Self {
        Self { learned: None, ..self.clone() }
    }
}
