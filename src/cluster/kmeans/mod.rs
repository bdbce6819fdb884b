//! k-means: points grouped around the means of their groups.
//!
//! The folder by its questions: what can be set and asked ([`KMeans`]), where the centers start (`init`, `plus_plus`,
//! `candidates`), how they move (`lloyd`, `fixed_point`, `sums`, `relocation`), which rows keep their label without a search (`pruning`, `pruning_estimate`),
//! and which center is the nearest (`packed_centers`, `packed_rows`, `assign_kernel`, `margin`, `labels`).

mod accessors;
mod assign_kernel;
mod candidates;
pub(crate) mod distance;
mod feature_names;
pub(crate) mod fitted;
mod fixed_point;
pub(crate) mod init;
mod labels;
pub(crate) mod lloyd;
mod margin;
pub(crate) mod packed_centers;
mod packed_rows;
pub(crate) mod plus_plus;
mod pruning;
mod pruning_estimate;
pub(crate) mod record;
mod relocation;
pub(crate) mod report;
pub(crate) mod samples;
mod scratch_pool;
mod sums;
mod weighted;

pub use init::{InitFunction, KMeansInit};
pub use plus_plus::{kmeans_plusplus, kmeans_plusplus_weighted};
pub use report::KMeansReport;

use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use crate::validate;
use fitted::Fitted;
use lloyd::{Lloyd, Rules, Run};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};
use samples::{Moments, Samples, elements, in_rows};
use serde::{Deserialize, Serialize};

/// k-means clustering: `n_clusters` centers such that the points lie near to them.
///
/// Minimizes the inertia Σ wᵢ·‖xᵢ − c(xᵢ)‖², c(x) the center nearest to x, by Lloyd's iteration: every point to
/// its nearest center, every center to the weighted mean of its points. The parameters, their defaults and the
/// rules for stopping, ties and empty clusters are scikit-learn's. Two things differ on purpose: a cluster that
/// is left without weight never takes the *sum* of another cluster's points for its center, and an iteration
/// that gave an empty cluster a new point is not taken for convergence.
///
/// The data is neither changed nor copied, as long as it is in standard layout. The same seed, data and binary
/// give the same bits at any number of threads, and a row's label does not depend on the rows beside it.
///
/// # Shapes
/// `x`: (n, d), any storage and layout. Labels: (n). Centers: (k, d). [`transform`](crate::estimator::Transform::transform):
/// (n, k).
///
/// # Parameters
/// | name | default | |
/// |---|---|---|
/// | `n_clusters` | | k, at least 1 and at most n |
/// | [`init`](Self::init) | `PlusPlus` | where the centers start |
/// | [`n_init`](Self::n_init) | 1, or 10 for `Random` and functions | runs, of which the best is kept |
/// | [`max_iter`](Self::max_iter) | 300 | iterations of a run at most |
/// | [`tol`](Self::tol) | 1e-4 | the sum of squared center moves that ends a run, in mean column variances |
/// | [`seed`](Self::seed) | 0 | of all random choices |
/// | [`spherical`](Self::spherical) | `false` | cluster directions, by the cosine |
/// | [`max_points_per_center`](Self::max_points_per_center) | none | learn from a random part of the rows |
/// | [`verbose`](Self::verbose) | `false` | print a line for each iteration |
/// | [`feature_names`](Self::feature_names) | none | the names of the columns of `x` |
///
/// # Errors
/// From `fit`: parameters out of range, fewer rows than clusters, NaN or infinities, rows so far apart or so close
/// together that their squared distances leave the range of `F`, initial centers of another shape or out of reach,
/// weights that are negative, not finite, all zero, or so large or small that sums leave the range of `f64`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]];
/// let mut kmeans = KMeans::new(2).seed(0);
/// let report = kmeans.fit(&x)?;
/// assert_eq!((report.inertia, report.converged), (16.0, true));
///
/// let labels = kmeans.predict(&array![[0.0, 0.0], [12.0, 3.0]])?;
/// assert_eq!(kmeans.cluster_centers()?.row(labels[1]), array![10.0, 2.0]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Lloyd, Least squares quantization in PCM, 1982, doi:10.1109/TIT.1982.1056489. Arthur and Vassilvitskii,
/// k-means++: the advantages of careful seeding, 2007.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "F: Float")]
pub struct KMeans<F> {
    n_clusters: usize,
    init: KMeansInit<F>,
    n_init: Option<usize>,
    max_iter: usize,
    tol: f64,
    seed: u64,
    spherical: bool,
    max_points_per_center: Option<usize>,
    #[serde(default)]
    verbose: bool,
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(skip)]
    fitted: Option<Fitted<F>>,
}

impl<F> KMeans<F> {
    /// Creates a k-means with `n_clusters` clusters and scikit-learn's defaults.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        Self {
            n_clusters,
            init: KMeansInit::PlusPlus,
            n_init: None,
            max_iter: 300,
            tol: 1e-4,
            seed: 0,
            spherical: false,
            max_points_per_center: None,
            verbose: false,
            feature_names: Vec::new(),
            fitted: None,
        }
    }

    /// Where the centers start.
    #[must_use]
    pub fn init(mut self, init: KMeansInit<F>) -> Self {
        self.init = init;
        self
    }

    /// How many runs to make from different starts; the one of least inertia is kept. Given centers are run
    /// from once, for every run would be the same.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = Some(n_init);
        self
    }

    /// The most iterations of a run.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// A run ends when the squared moves of its centers add up to no more than this times the mean variance of
    /// the columns. With 0 it ends only when no label changes any more.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Clusters directions: rows and centers are scaled to length 1, so that the nearest center is the one of the
    /// largest cosine, and the inertia is 2·Σ wᵢ(1 − cos). This needs a copy of the data; rows of zeros stay.
    #[must_use]
    pub fn spherical(mut self, spherical: bool) -> Self {
        self.spherical = spherical;
        self
    }

    /// Learns the centers from at most this many rows for each of them, drawn at random; labels and inertia are
    /// still those of all rows.
    #[must_use]
    pub fn max_points_per_center(mut self, rows: usize) -> Self {
        self.max_points_per_center = Some(rows);
        self
    }

    /// Prints the inertia after each iteration to standard output, and how each run converged. scikit-learn prints the inertia
    /// about the centers before the iteration, this one that about the centers after it.
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.verbose = verbose;
        self
    }
}

impl<F: Float> KMeans<F> {
    /// [`fit`](Fit::fit), and the labels of the rows.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_predict<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
        self.fit(x)?;
        self.labels().cloned()
    }

    /// [`fit`](Fit::fit), and the rows as distances to the centers.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_transform<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        self.fit(x)?;
        crate::estimator::Transform::transform(self, x)
    }

    /// The same for another number of clusters.
    pub(crate) fn with_n_clusters(mut self, n_clusters: usize) -> Self {
        self.n_clusters = n_clusters;
        self
    }

    fn check_parameters(&self) -> Result<()> {
        let at_least_1 = |name, value: Option<usize>| match value {
            Some(0) => Err(Error::invalid_parameter("KMeans", name, 0, "at least 1")),
            _ => Ok(()),
        };
        at_least_1("n_clusters", Some(self.n_clusters))?;
        at_least_1("n_init", self.n_init)?;
        at_least_1("max_iter", Some(self.max_iter))?;
        at_least_1("max_points_per_center", self.max_points_per_center)?;
        if self.tol >= 0.0 && self.tol.is_finite() {
            return Ok(());
        }
        Err(Error::invalid_parameter("KMeans", "tol", self.tol, "a finite number of at least 0"))
    }

    fn learn(&mut self, x: ArrayView2<'_, F>, weights: Option<ArrayView1<'_, F>>) -> Result<KMeansReport> {
        self.check_parameters()?;
        validate::not_empty("x", &x)?;
        let (n, d) = x.dim();
        check_counts(Self::NAME, self.n_clusters, n)?;
        self.check_feature_names(d)?;
        self.init.check(self.n_clusters, d)?;
        let weights = weights.map(|weights| weights.to_vec());
        if let Some(weights) = &weights {
            validate::sample_weights("sample_weight", weights, n)?;
        }
        let mut x = in_rows(x)?;
        if self.spherical {
            samples::in_range("KMeans", x.view())?;
            x.as_slice_mut().into_iter().for_each(|rows| lloyd::normalize(rows, d));
        }
        let samples = Samples { values: elements(&x), n_features: d, weights: weights.as_deref() };
        let mut moments = moments_of(Self::NAME, &samples)?;
        if self.spherical {
            moments = moments.about_zero(&samples);
        }
        let mut run = match self.max_points_per_center.map(|rows| rows.saturating_mul(self.n_clusters)) {
            Some(count) if count < n => self.learn_from_some(x.view(), &samples, count, &moments)?,
            _ => self.best_run(x.view(), samples, &moments)?,
        };
        let (labels, inertia, n_iter) = (numbers(&run.labels), run.inertia, run.n_iter);
        let fitted = Fitted::at(std::mem::take(&mut run.centers), d);
        let report = KMeansReport::of(run, self.n_clusters);
        self.fitted = Some(Fitted { labels, inertia, n_iter, spherical: self.spherical, ..fitted });
        Ok(report)
    }

    /// The run of least inertia; of equal ones the first.
    fn best_run(
        &self,
        x: ArrayView2<'_, F>,
        samples: Samples<'_, F>,
        moments: &Moments<F>,
    ) -> Result<Run<F>> {
        let rules = Rules {
            max_iter: self.max_iter,
            tolerance: self.tol * moments.mean_variance,
            spherical: self.spherical,
            verbose: self.verbose,
        };
        let n_runs = if self.init.is_given() { 1 } else { self.n_init.unwrap_or(self.init.default_runs()) };
        let mut lloyd = Lloyd::new(samples, moments, self.n_clusters);
        let mut best: Option<Run<F>> = None;
        for run in 0..n_runs {
            let mut rng = Rng::new(self.seed, Purpose::Clustering, run as u64);
            let mut start = self.init.start(x, &samples, self.n_clusters, &mut rng)?;
            init::in_reach(Self::NAME, &start, &moments.mean)?;
            if self.spherical {
                lloyd::normalize(&mut start, samples.n_features);
            }
            let run = lloyd.run(start, rules);
            let better = best.as_ref().is_none_or(|best| {
                run.inertia < best.inertia && !same_clustering(&run.labels, &best.labels, self.n_clusters)
            });
            if better {
                best = Some(run);
            }
        }
        best.ok_or_else(|| Error::invalid_parameter("KMeans", "n_init", 0, "at least 1"))
    }

    /// Runs on `count` rows of positive weight, then labels all rows.
    fn learn_from_some(
        &self,
        x: ArrayView2<'_, F>,
        samples: &Samples<'_, F>,
        count: usize,
        moments: &Moments<F>,
    ) -> Result<Run<F>> {
        let mut rng = Rng::new(self.seed, Purpose::Clustering, u64::MAX);
        let mut rows: Vec<usize> =
            (0..samples.n_samples()).filter(|&row| samples.weight(row) > 0.0).collect();
        rng.shuffle(&mut rows);
        rows.truncate(count);
        rows.sort_unstable();
        if rows.len() < self.n_clusters {
            return self.best_run(x, *samples, moments);
        }
        let some = x.select(Axis(0), &rows);
        let weights: Option<Vec<F>> =
            samples.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        let some_samples = Samples { values: elements(&some), weights: weights.as_deref(), ..*samples };
        let own = Moments { spread: moments.spread_of(&some_samples), ..moments.clone() };
        let mut run = self.best_run(some.view(), some_samples, &own)?;
        let lloyd = Lloyd::new(*samples, moments, self.n_clusters);
        (run.labels, run.inertia) = lloyd.label(&run.centers);
        Ok(run)
    }
}

/// Refuses more clusters than rows, and more than can be numbered.
pub(crate) fn check_counts(owner: &'static str, n_clusters: usize, n_samples: usize) -> Result<()> {
    if n_samples < n_clusters {
        return Err(Error::TooFewSamples { owner, n_samples, name: "n_clusters", needed: n_clusters });
    }
    if n_clusters > packed_centers::MOST_CLUSTERS {
        let most = format!("at most {}", packed_centers::MOST_CLUSTERS);
        return Err(Error::invalid_parameter(owner, "n_clusters", n_clusters, most));
    }
    Ok(())
}

/// The moments of rows, weights included; refuses what cannot be computed with in `F`: rows so far apart or so close
/// together that their squared distances are not in its range, and weights so large or so small that sums are not.
pub(crate) fn moments_of<F: Float>(owner: &'static str, samples: &Samples<'_, F>) -> Result<Moments<F>> {
    let moments = Moments::of(samples).map_err(|error| match error {
        Error::InvalidParameter { name, value, expected, .. } => {
            Error::InvalidParameter { owner: owner.into(), name, value, expected }
        }
        error => error,
    })?;
    let variance = moments.mean_variance;
    if variance < F::min_positive_value().as_f64() {
        check_distinct(owner, samples)?;
    }
    let heaviest = samples.weights.map(|weights| weights.iter().map(|w| w.as_f64()).fold(0.0, f64::max));
    // A product below this has lost digits, or is zero.
    let least = f64::MIN_POSITIVE / f64::EPSILON;
    if variance > 0.0 && heaviest.is_some_and(|weight| weight * variance.min(variance.sqrt()) < least) {
        let problem = "they are so small that sums over the rows leave the range of f64; scale them up";
        return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
    }
    Ok(moments)
}

/// Refuses rows that differ, for those that do by so little that every row would seem to lie on its center.
fn check_distinct<F: Float>(owner: &'static str, samples: &Samples<'_, F>) -> Result<()> {
    let first = samples.row(0);
    let differs = (0..samples.n_samples()).find(|&row| samples.row(row) != first);
    let Some(row) = differs else { return Ok(()) };
    let offs = samples.row(row).iter().zip(first).map(|(a, b)| (*a - *b).as_f64().abs());
    let value = format!("spread so little (row {row} lies {:.1e} from row 0)", offs.fold(0.0, f64::max));
    let expected =
        format!("rows whose squared distances stay within the range of {}; scale them up", F::NAME);
    Err(Error::invalid_parameter(owner, "x", value, expected))
}

/// Labels as arrays are indexed.
pub(crate) fn numbers(labels: &[u32]) -> Array1<usize> {
    labels.iter().map(|&label| label as usize).collect()
}

/// Whether two labellings are one up to the names of the clusters.
fn same_clustering(a: &[u32], b: &[u32], n_clusters: usize) -> bool {
    let mut names = vec![packed_centers::NO_LABEL; n_clusters];
    a.iter().zip(b).all(|(&a, &b)| {
        let name = &mut names[a as usize];
        if *name == packed_centers::NO_LABEL {
            *name = b;
        }
        *name == b
    })
}

crate::estimator::inherent_fit!(KMeans<F>, KMeansReport);

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for KMeans<F> {
    type Report = KMeansReport;

    /// Learns the centers; what an earlier fit learned is dropped.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<KMeansReport> {
        self.learn(x.view(), None)
    }
}

impl<F: Float> Estimator for KMeans<F> {
    fn unfitted(&self) -> Self {
        Self { fitted: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::same_clustering;

    #[test]
    fn a_clustering_is_the_same_up_to_the_names_of_its_clusters() {
        assert!(same_clustering(&[0, 0, 1, 2], &[2, 2, 0, 1], 3));
        assert!(!same_clustering(&[0, 0, 1, 2], &[2, 1, 0, 1], 3));
        assert!(!same_clustering(&[0, 0, 0, 1], &[0, 0, 1, 1], 2));
    }
}
