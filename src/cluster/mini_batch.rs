//! k-means on small random batches: for data that is large, or comes in pieces.

mod batch;
mod distributed;
mod progress;
mod record;
mod settings;

use super::kmeans::fitted::{FittedCenters, predict_by_nearest_center};
use super::kmeans::lloyd::{LloydRun, inertia_over};
use super::kmeans::moments::Moments;
use super::kmeans::ranks::Ranks;
use super::kmeans::report::KMeansReport;
use super::kmeans::samples::{RowCopies, Samples, elements, in_range, in_rows};
use super::kmeans::seeding::random_rows::sample_without_replacement;
use super::kmeans::seeding::{KMeansInit, check_in_reach};
use super::kmeans::{check_counts, label_indices, moments_of};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::rng::{Purpose, Rng};
use crate::validate;
use batch::{RowsWithWeight, WeightedSampler};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix1, Ix2};
use progress::{Convergence, Counters, Progress};
use serde::{Deserialize, Serialize};
use settings::MiniBatchSettings;

/// k-means whose centers follow small random batches of rows instead of all rows in every iteration.
///
/// Each center is the running mean of the rows that were nearest to it, so its steps shorten as it has seen more:
/// c ← (count·c + Σ w·x) / (count + Σ w). Centers that win too few rows are moved onto random rows of the batch.
/// The clusters are a little looser than those of [`KMeans`](super::KMeans), in a fraction of the time.
///
/// With [`partial_fit`](Self::partial_fit) the data need not fit in memory. Parameters and rules are
/// scikit-learn's. Three things differ on purpose: the rows that the starts are drawn from are distinct, rows
/// without weight are never among them nor moved onto, and the rows since centers were last moved are counted as
/// they come, also those of pieces of uneven size.
///
/// # Shapes
/// As [`KMeans`](super::KMeans).
///
/// # Parameters
/// | name | default | |
/// |---|---|---|
/// | `n_clusters` | | k |
/// | [`init`](Self::init) | `PlusPlus` | where the centers start |
/// | [`n_init`](Self::n_init) | 1, or 3 for `Random` and functions | starts of which the best is taken |
/// | [`batch_size`](Self::batch_size) | 1024 | rows of a step |
/// | [`max_iter`](Self::max_iter) | 100 | passes over the data at most |
/// | [`tol`](Self::tol) | 0, off | the sum of squared center moves that ends the fit, in mean column variances |
/// | [`max_no_improvement`](Self::max_no_improvement) | 10 | steps without a better smoothed inertia that end it |
/// | [`init_size`](Self::init_size) | 3 batches, or 3·k | rows that the starts are drawn from and judged by |
/// | [`reassignment_ratio`](Self::reassignment_ratio) | 0.01 | of the largest count: centers below it move |
/// | [`seed`](Self::seed) | 0 | of all random choices |
///
/// # Errors
/// As [`KMeans`](super::KMeans).
///
/// # Examples
/// ```
/// use axonal::cluster::MiniBatchKMeans;
/// use axonal::datasets::make_blobs;
/// use axonal::ndarray::{Axis, array};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = make_blobs::<f32>(3000, &array![[0.0, 0.0], [9.0, 9.0]], 1.0, 0)?;
/// let mut kmeans = MiniBatchKMeans::new(2).batch_size(256).seed(1);
/// kmeans.fit(&blobs.data)?;
///
/// // Or piece by piece:
/// let mut kmeans = MiniBatchKMeans::new(2).seed(1);
/// for piece in blobs.data.axis_chunks_iter(Axis(0), 500) {
///     kmeans.partial_fit(&piece)?;
/// }
/// assert_eq!(kmeans.cluster_centers()?.dim(), (2, 2));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Sculley, Web-scale k-means clustering, 2010, doi:10.1145/1772690.1772862.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent, bound = "F: Float")]
pub struct MiniBatchKMeans<F> {
    settings: MiniBatchSettings<KMeansInit<F>>,
    #[serde(skip)]
    fitted: Option<(FittedCenters<F>, Counters)>,
}

impl<F> MiniBatchKMeans<F> {
    /// Creates a mini-batch k-means with `n_clusters` clusters and scikit-learn's defaults.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        Self { settings: MiniBatchSettings::new(n_clusters), fitted: None }
    }

    /// Where the centers start.
    #[must_use]
    pub fn init(mut self, init: KMeansInit<F>) -> Self {
        self.settings.init = init;
        self
    }

    /// How many initializations to compare; the fit continues from the best one.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.settings.n_init = Some(n_init);
        self
    }

    /// The rows of a step.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.settings.batch_size = batch_size;
        self
    }

    /// The most passes over the data, in rows drawn.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.settings.max_iter = max_iter;
        self
    }

    /// The sum of squared center moves that ends the fit, in mean variances of the columns; 0 is off.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.settings.tol = tol;
        self
    }

    /// The steps without a better smoothed inertia that end the fit; `None` is off.
    #[must_use]
    pub fn max_no_improvement(mut self, steps: impl Into<Option<usize>>) -> Self {
        self.settings.max_no_improvement = steps.into();
        self
    }

    /// The rows that the starts are drawn from and judged by.
    #[must_use]
    pub fn init_size(mut self, rows: usize) -> Self {
        self.settings.init_size = Some(rows);
        self
    }

    /// Centers whose count is below this share of the largest one are moved onto random rows; 0 is off.
    #[must_use]
    pub fn reassignment_ratio(mut self, ratio: f64) -> Self {
        self.settings.reassignment_ratio = ratio;
        self
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }
}

impl<F: Float> MiniBatchKMeans<F> {
    const NAME: &'static str = "MiniBatchKMeans";

    /// [`fit`](Fit::fit) with a weight for each row: batches are drawn in proportion to the weights.
    ///
    /// # Errors
    /// As `fit`, and weights that are negative, not finite, all zero, or not one for each row.
    pub fn fit_weighted<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    ) -> Result<KMeansReport> {
        let weights = sample_weight.to_vec();
        validate::sample_weights("sample_weight", &weights, x.nrows())?;
        fit_rows(self, x.view(), Some(&weights))
    }

    /// One step on these rows: the first call chooses the centers, each further one moves them, also those of a `fit`.
    ///
    /// # Errors
    /// As `fit`; the first call needs as many rows as there are clusters, further ones as many features.
    pub fn partial_fit<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<()> {
        take_step(self, x.view(), None)
    }

    /// [`partial_fit`](Self::partial_fit) with a weight for each row: the more weight a row has, the more it pulls.
    ///
    /// # Errors
    /// As `partial_fit`, and weights that are negative, not finite, all zero, or not one for each row.
    pub fn partial_fit_weighted<S: Data<Elem = F>>(
        &mut self,
        x: &ArrayBase<S, Ix2>,
        sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
    ) -> Result<()> {
        let weights = sample_weight.to_vec();
        validate::sample_weights("sample_weight", &weights, x.nrows())?;
        take_step(self, x.view(), Some(&weights))
    }

    /// The centers, (k, d).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn cluster_centers(&self) -> Result<&Array2<F>> {
        Ok(self.learned("cluster_centers")?.cluster_centers())
    }

    /// The label of each row of the training data; after `partial_fit`, of the last batch.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        Ok(&self.learned("labels")?.labels)
    }

    /// The inertia of the training data; after `partial_fit`, of the last batch.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn inertia(&self) -> Result<f64> {
        Ok(self.learned("inertia")?.inertia)
    }

    /// Number of mini-batch steps.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn n_steps(&self) -> Result<usize> {
        let (_, counters) =
            self.fitted.as_ref().ok_or(Error::NotFitted { estimator: Self::NAME, method: "n_steps" })?;
        Ok(counters.steps)
    }

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

    pub(crate) fn learned(&self, method: &'static str) -> Result<&FittedCenters<F>> {
        match &self.fitted {
            Some((fitted, _)) => Ok(fitted),
            None => Err(Error::NotFitted { estimator: Self::NAME, method }),
        }
    }

    /// The best of several initializations, compared on rows of all ranks drawn at random.
    fn initialize(
        &self,
        rows: (&Samples<'_, F>, &Ranks<'_>),
        moments: &Moments<F>,
        rng: &mut Rng,
    ) -> Result<Progress<F>> {
        let MiniBatchSettings { n_clusters, init, init_size, batch_size, n_init, .. } = &self.settings;
        let (samples, ranks) = rows;
        let (n_clusters, n) = (*n_clusters, ranks.n_rows());
        let reference = moments.reference(n);
        let init_rows = init_size.unwrap_or(batch_size.saturating_mul(3));
        let init_rows = if init_rows < n_clusters { n_clusters.saturating_mul(3) } else { init_rows };
        let validation: Vec<_> = (0..init_rows.min(n)).map(|_| ranks.locate(rng.below(n))).collect();
        let validation = RowCopies::of_ranks(rows, &validation)?;
        // Rows without weight cannot be initial centers.
        let weighted = RowsWithWeight::new(samples, ranks)?;
        let n_starts = match init {
            KMeansInit::Centers(_) => 1,
            KMeansInit::PlusPlus => n_init.unwrap_or(1),
            _ => n_init.unwrap_or(3),
        };
        let mut best: Option<(f64, Vec<F>)> = None;
        for _ in 0..n_starts {
            let count = weighted.count();
            let places = sample_without_replacement(count, init_rows.min(count), rng);
            let places: Vec<_> = places.into_iter().map(|place| weighted.row(place)).collect();
            let drawn = RowCopies::of_ranks(rows, &places)?;
            // Every rank has the drawn rows, and chooses the same centers.
            let alone = Ranks::alone(places.len());
            let mut centers = init.initial_centers((&drawn.samples(), &alone), n_clusters, rng)?;
            check_in_reach(Self::NAME, &centers, &moments.mean)?;
            centers.iter_mut().zip(reference.iter().cycle()).for_each(|(c, point)| *c -= *point);
            let fitted = FittedCenters::new(centers, reference.clone());
            let (_, inertia) = fitted.label_all(&validation.samples());
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, fitted.centered));
            }
        }
        let centers = best.map(|(_, centers)| centers).unwrap_or_default();
        let counters = Counters { counts: vec![0.0; n_clusters], since_reassignment: 0, steps: 0 };
        Ok(Progress { centers, reference, counters })
    }

    /// Number of passes over the data, rounded up; after `partial_fit`, the number of steps.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn n_iter(&self) -> Result<usize> {
        Ok(self.learned("n_iter")?.n_iter)
    }

    /// Learns from checked rows of all ranks; what earlier fits learned is dropped. The labels of the run are those of this
    /// rank's rows.
    fn fit_checked(
        &self,
        (samples, ranks): (&Samples<'_, F>, &Ranks<'_>),
    ) -> Result<(FittedCenters<F>, Counters, LloydRun<F>)> {
        let settings = &self.settings;
        let n = ranks.n_rows();
        let moments = moments_of(Self::NAME, samples, ranks)?;
        let mut rng = Rng::new(settings.seed, Purpose::Clustering, 0);
        let mut progress = self.initialize((samples, ranks), &moments, &mut rng)?;
        let batch_size = settings.batch_size.min(n);
        let steps = (settings.max_iter.saturating_mul(n) / batch_size).max(1);
        let sampler = WeightedSampler::new(samples, ranks)?;
        let tolerance = settings.tol * moments.mean_variance;
        let mut convergence = Convergence::new(batch_size, n, settings.max_no_improvement, tolerance);
        // The weights are in the probabilities of the draws.
        let unweighted = Samples { weights: None, ..*samples };
        let mut batch = RowCopies::empty(samples.n_features);
        let mut converged = false;
        while !converged && progress.counters.steps < steps {
            let rows: Vec<_> = (0..batch_size).map(|_| sampler.row(&mut rng)).collect();
            batch.replace_by((&unweighted, ranks), &rows)?;
            let step = progress.step((&batch.samples(), ranks), settings.reassignment_ratio, &mut rng)?;
            converged = convergence.is_reached(step.inertia / batch_size as f64, step.total_shift);
        }
        let Progress { centers, reference, counters } = progress;
        let fitted = FittedCenters::new(centers, reference);
        let mut labels = fitted.labels_of(samples);
        let inertia = inertia_over((samples, ranks), elements(fitted.cluster_centers()), &mut labels)?;
        let n_iter = (counters.steps * batch_size).div_ceil(n);
        let (centers, history) = (Vec::new(), convergence.history);
        Ok((fitted, counters, LloydRun { inertia, labels, centers, n_iter, converged, history }))
    }

    /// Keeps the result of a fit.
    fn keep(
        &mut self,
        (fitted, counters): (FittedCenters<F>, Counters),
        run: &LloydRun<F>,
        labels: Array1<usize>,
    ) {
        let fitted = FittedCenters { labels, inertia: run.inertia, n_iter: run.n_iter, ..fitted };
        self.fitted = Some((fitted, counters));
    }
}

precompiled! {
    fn take_step<'a, 'b, F>(kmeans: &'a mut MiniBatchKMeans<F>, x: ArrayView2<'b, F>, weights: Option<&'b [F]>) -> Result<()> {
        kmeans.settings.check()?;
        validate::not_empty("x", &x)?;
        validate::copyable("x", &x)?;
        match &kmeans.fitted {
            Some((fitted, _)) => fitted.check(MiniBatchKMeans::<F>::NAME, x).map(drop)?,
            None => in_range(MiniBatchKMeans::<F>::NAME, x)?,
        }
        let x = in_rows(x)?;
        let samples = Samples { values: elements(&x), n_features: x.ncols(), weights };
        let ranks = Ranks::alone(x.nrows());
        let mut progress = match kmeans.fitted.clone() {
            Some((FittedCenters { centered: centers, mean: reference, .. }, counters)) => {
                Progress { centers, reference, counters }
            }
            None => {
                check_counts(MiniBatchKMeans::<F>::NAME, kmeans.settings.n_clusters, x.nrows())?;
                kmeans.settings.init.check(kmeans.settings.n_clusters, x.ncols())?;
                let mut rng = Rng::new(kmeans.settings.seed, Purpose::Clustering, u64::MAX);
                let moments = moments_of(MiniBatchKMeans::<F>::NAME, &samples, &ranks)?;
                kmeans.initialize((&samples, &ranks), &moments, &mut rng)?
            }
        };
        let mut rng = Rng::new(kmeans.settings.seed, Purpose::Clustering, progress.counters.steps as u64);
        progress.step((&samples, &ranks), kmeans.settings.reassignment_ratio, &mut rng)?;
        let Progress { centers, reference, counters } = progress;
        let fitted = FittedCenters::new(centers, reference);
        let (labels, inertia) = fitted.label_all(&samples);
        if !(inertia.is_finite() && counters.counts.iter().all(|count| count.is_finite())) {
            let problem = "they are so large that sums over the rows leave the range of f64; scale them down";
            return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
        }
        let labels = label_indices(&labels);
        let fitted = FittedCenters { labels, inertia, n_iter: counters.steps, ..fitted };
        kmeans.fitted = Some((fitted, counters));
        Ok(())
    }

    fn fit_rows<'a, 'b, F>(kmeans: &'a mut MiniBatchKMeans<F>, x: ArrayView2<'b, F>, weights: Option<&'b [F]>) -> Result<KMeansReport> {
        kmeans.settings.check()?;
        validate::not_empty("x", &x)?;
        let (n, d) = x.dim();
        let settings = &kmeans.settings;
        check_counts(MiniBatchKMeans::<F>::NAME, settings.n_clusters, n)?;
        settings.init.check(settings.n_clusters, d)?;
        let x = in_rows(x)?;
        let samples = Samples { values: elements(&x), n_features: d, weights };
        let (fitted, counters, run) = kmeans.fit_checked((&samples, &Ranks::alone(n)))?;
        kmeans.keep((fitted, counters), &run, label_indices(&run.labels));
        Ok(KMeansReport::of(run, kmeans.settings.n_clusters))
    }
}

predict_by_nearest_center!(MiniBatchKMeans);

crate::estimator::inherent_fit!(MiniBatchKMeans<F>, KMeansReport);

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for MiniBatchKMeans<F> {
    type Report = KMeansReport;

    /// Learns the centers; what earlier fits learned is dropped. The report's history is the smoothed inertia a
    /// row, step by step.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<KMeansReport> {
        fit_rows(self, x.view(), None)
    }
}

impl<F: Float> Estimator for MiniBatchKMeans<F> {
    fn unfitted(&self) -> Self {
        Self { fitted: None, ..self.clone() }
    }
}
