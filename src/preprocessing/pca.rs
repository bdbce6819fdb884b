use super::{check_fit, check_learned, check_transform};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::linalg::gemm;
use nalgebra::{DMatrix, SVD, SymmetricEigen};
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

/// Principal component analysis: the directions in which the data vary most, and the data along them.
///
/// z = (x − μ) · Vᵀ, with the rows of V the first right singular vectors of the centered data. The largest entry of
/// each is positive, so that a result does not depend on chance. Exact, in f64: by the eigenvectors of the
/// covariance where there are at least ten times as many samples as features, else by a singular value
/// decomposition.
///
/// # Shapes
/// `x`: (n_samples, n_features). Out: (n_samples, n_components).
///
/// # Parameters
/// * `n_components`: a number (`2`), a share of the variance (`0.95`), or all. Default: all.
/// * `whiten`: give every component variance 1. Default: false.
///
/// # Errors
/// More components than samples or features, a share outside of its range, fewer than two samples, NaN or
/// infinities, another number of features than `fit` saw, [`Error::NotFitted`] before `fit`.
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
/// H. Hotelling, *Analysis of a complex of statistical variables into principal components*, 1933.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    n_components: PcaComponents,
    whiten: bool,
    learned: Option<Learned>,
}

/// What was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Learned {
    mean: Array1<f64>,
    /// (n_components, n_features), orthonormal rows.
    components: Array2<f64>,
    explained_variance: Array1<f64>,
    explained_variance_ratio: Array1<f64>,
    n_samples: usize,
}

impl Pca {
    /// A number of components, or the share of the variance that they account for.
    #[must_use]
    pub fn new(n_components: impl Into<PcaComponents>) -> Self {
        Self { n_components: n_components.into(), whiten: false, learned: None }
    }

    /// Whether to give every component variance 1.
    #[must_use]
    pub fn whiten(mut self, whiten: bool) -> Self {
        self.whiten = whiten;
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
        let learned = self.learned("singular_values")?;
        let n = learned.n_samples as f64 - 1.0;
        Ok(learned.explained_variance.mapv(|variance| (variance * n).sqrt()))
    }

    /// From components back to features; what the components left out is lost.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let learned = self.learned("inverse_transform")?;
        check_transform(z, learned.components.nrows())?;
        let z = z.mapv(F::as_f64) * self.stretch(learned);
        let mut x = Array2::zeros((z.nrows(), learned.mean.len()));
        gemm(1.0, z.view(), learned.components.view(), 0.0, x.view_mut());
        Ok((x + &learned.mean).mapv(F::of))
    }

    fn learned(&self, method: &'static str) -> Result<&Learned> {
        self.learned.as_ref().ok_or(Error::NotFitted { estimator: "Pca", method })
    }

    /// What whitening divided each component by.
    fn stretch(&self, learned: &Learned) -> Array1<f64> {
        let deviation = |variance: f64| variance.sqrt().max(f64::EPSILON);
        learned.explained_variance.mapv(|variance| if self.whiten { deviation(variance) } else { 1.0 })
    }

    /// How many of the components with these shares of the variance are kept.
    fn count(&self, ratio: &Array1<f64>) -> Result<usize> {
        let most = ratio.len();
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

/// Variances, descending, and the directions as rows.
type Directions = (Vec<f64>, Array2<f64>);

/// The decomposition did not come to an end; happens to numbers near the limits of f64 alone.
fn no_convergence() -> Error {
    Error::invalid_parameter(
        "Pca",
        "x",
        "too badly scaled to decompose",
        "features of comparable size; scale them first",
    )
}

/// By the eigenvectors of the covariance.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn by_covariance(centered: &Array2<f64>) -> Result<Directions> {
    let (n_samples, n_features) = centered.dim();
    let mut covariance = Array2::zeros((n_features, n_features));
    gemm(1.0 / (n_samples as f64 - 1.0), centered.t(), centered.view(), 0.0, covariance.view_mut());
    let matrix = DMatrix::from_fn(n_features, n_features, |row, column| covariance[[row, column]]);
    let eigen =
        SymmetricEigen::try_new(matrix, f64::EPSILON, 1_000 * n_features).ok_or_else(no_convergence)?;
    let mut order: Vec<usize> = (0..n_features).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let variances = order.iter().map(|&index| eigen.eigenvalues[index].max(0.0)).collect();
    let directions = Array2::from_shape_fn((n_features, n_features), |(row, column)| {
        eigen.eigenvectors[(column, order[row])]
    });
    Ok((variances, directions))
}

/// By a singular value decomposition, which is exact for small variances too.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn by_svd(centered: &Array2<f64>) -> Result<Directions> {
    let (n_samples, n_features) = centered.dim();
    let matrix = DMatrix::from_fn(n_samples, n_features, |row, column| centered[[row, column]]);
    let most = 1_000 * n_samples.max(n_features);
    let svd = SVD::try_new(matrix, false, true, f64::EPSILON, most).ok_or_else(no_convergence)?;
    let transposed = svd.v_t.ok_or_else(no_convergence)?;
    let scale = n_samples as f64 - 1.0;
    let variances = svd.singular_values.iter().map(|value| value * value / scale).collect();
    let directions = Array2::from_shape_fn(transposed.shape(), |(row, column)| transposed[(row, column)]);
    Ok((variances, directions))
}

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for Pca {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)?;
        let (n_samples, n_features) = x.dim();
        if n_samples < 2 {
            return Err(Error::TooFewSamples { owner: "Pca", n_samples, name: "samples", needed: 2 });
        }
        let x = x.mapv(F::as_f64);
        let Some(mean) = x.mean_axis(Axis(0)) else { return Ok(()) };
        let centered = x - &mean;
        check_learned("Pca", &[centered.iter().map(|v| v * v).sum()])?;
        let (variances, mut directions) = if n_samples >= 10 * n_features && n_features <= 1000 {
            by_covariance(&centered)?
        } else {
            by_svd(&centered)?
        };
        for mut direction in directions.rows_mut() {
            let largest =
                direction.iter().fold(0.0_f64, |best, v| if v.abs() > best.abs() { *v } else { best });
            if largest < 0.0 {
                direction.mapv_inplace(|v| -v);
            }
        }
        check_learned("Pca", &variances)?;
        let variances = Array1::from_vec(variances);
        let total = variances.sum();
        let ratio = if total > 0.0 { &variances / total } else { Array1::zeros(variances.len()) };
        let count = self.count(&ratio)?;
        self.learned = Some(Learned {
            mean,
            components: directions.slice_move(ndarray::s![..count, ..]).as_standard_layout().into_owned(),
            explained_variance: variances.slice_move(ndarray::s![..count]),
            explained_variance_ratio: ratio.slice_move(ndarray::s![..count]),
            n_samples,
        });
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
        Ok((z / self.stretch(learned)).mapv(F::of))
    }
}

impl Estimator for Pca {
    fn unfitted(&self) -> Self {
        Self { learned: None, ..self.clone() }
    }
}
