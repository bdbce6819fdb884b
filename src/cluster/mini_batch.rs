//! k-means on small random batches: for data that is large, or comes in pieces.

mod batch;
mod progress;
mod record;

use super::kmeans::fitted::{Fitted, answers};
use super::kmeans::init::{KMeansInit, in_reach, sample_without_replacement};
use super::kmeans::lloyd::Run;
use super::kmeans::report::KMeansReport;
use super::kmeans::samples::{Moments, Samples, elements, in_range, in_rows};
use super::kmeans::{check_counts, moments_of, numbers};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use crate::validate;
use batch::{Drawing, Rows};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix1, Ix2};
use progress::{Patience, Progress, Standing};
use serde::{Deserialize, Serialize};

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
#[serde(deny_unknown_fields, bound = "F: Float")]
pub struct MiniBatchKMeans<F> {
    n_clusters: usize,
    init: KMeansInit<F>,
    n_init: Option<usize>,
    batch_size: usize,
    max_iter: usize,
    tol: f64,
    max_no_improvement: Option<usize>,
    init_size: Option<usize>,
    reassignment_ratio: f64,
    seed: u64,
    #[serde(skip)]
    fitted: Option<(Fitted<F>, Standing)>,
}

impl<F> MiniBatchKMeans<F> {
    /// Creates a mini-batch k-means with `n_clusters` clusters and scikit-learn's defaults.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        Self {
            n_clusters,
            init: KMeansInit::PlusPlus,
            n_init: None,
            batch_size: 1024,
            max_iter: 100,
            tol: 0.0,
            max_no_improvement: Some(10),
            init_size: None,
            reassignment_ratio: 0.01,
            seed: 0,
            fitted: None,
        }
    }

    /// Where the centers start.
    #[must_use]
    pub fn init(mut self, init: KMeansInit<F>) -> Self {
        self.init = init;
        self
    }

    /// How many initializations to compare; the fit continues from the best one.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = Some(n_init);
        self
    }

    /// The rows of a step.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// The most passes over the data, in rows drawn.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// The sum of squared center moves that ends the fit, in mean variances of the columns; 0 is off.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// The steps without a better smoothed inertia that end the fit; `None` is off.
    #[must_use]
    pub fn max_no_improvement(mut self, steps: impl Into<Option<usize>>) -> Self {
        self.max_no_improvement = steps.into();
        self
    }

    /// The rows that the starts are drawn from and judged by.
    #[must_use]
    pub fn init_size(mut self, rows: usize) -> Self {
        self.init_size = Some(rows);
        self
    }

    /// Centers whose count is below this share of the largest one are moved onto random rows; 0 is off.
    #[must_use]
    pub fn reassignment_ratio(mut self, ratio: f64) -> Self {
        self.reassignment_ratio = ratio;
        self
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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
        self.learn(x.view(), Some(&weights))
    }

    /// One step on these rows: the first call chooses the centers, each further one moves them, also those of a `fit`.
    ///
    /// # Errors
    /// As `fit`; the first call needs as many rows as there are clusters, further ones as many features.
    pub fn partial_fit<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<()> {
        self.follow(x.view(), None)
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
        self.follow(x.view(), Some(&weights))
    }

    fn follow(&mut self, x: ArrayView2<'_, F>, weights: Option<&[F]>) -> Result<()> {
        self.check_parameters()?;
        validate::not_empty("x", &x)?;
        match &self.fitted {
            Some((fitted, _)) => fitted.check(Self::NAME, x).map(drop)?,
            None => in_range(Self::NAME, x)?,
        }
        let x = in_rows(x);
        let samples = Samples { values: elements(&x), n_features: x.ncols(), weights };
        let mut progress = match self.fitted.clone() {
            Some((Fitted { centered: centers, mean: reference, .. }, standing)) => {
                Progress { centers, reference, standing }
            }
            None => {
                check_counts(Self::NAME, self.n_clusters, x.nrows())?;
                self.init.check(self.n_clusters, x.ncols())?;
                let mut rng = Rng::new(self.seed, Purpose::Clustering, u64::MAX);
                let moments = moments_of(Self::NAME, &samples)?;
                self.start(&samples, &moments, &mut rng)?
            }
        };
        let mut rng = Rng::new(self.seed, Purpose::Clustering, progress.standing.steps as u64);
        progress.step(&samples, self.reassignment_ratio, &mut rng);
        let Progress { centers, reference, standing } = progress;
        let fitted = Fitted::new(centers, reference);
        let (labels, inertia) = fitted.label_all(&samples);
        if !(inertia.is_finite() && standing.counts.iter().all(|count| count.is_finite())) {
            let problem = "they are so large that sums over the rows leave the range of f64; scale them down";
            return Err(Error::Weight { what: "sample_weight".into(), problem: problem.into() });
        }
        self.fitted =
            Some((Fitted { labels: numbers(&labels), inertia, n_iter: standing.steps, ..fitted }, standing));
        Ok(())
    }

    /// The centers, (k, d).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn cluster_centers(&self) -> Result<&Array2<F>> {
        Ok(self.learned("cluster_centers")?.cluster_centers())
    }

    /// The label of each row that was learned from; after `partial_fit`, of the last piece.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        Ok(&self.learned("labels")?.labels)
    }

    /// The inertia of the rows that were learned from; after `partial_fit`, of the last piece.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn inertia(&self) -> Result<f64> {
        Ok(self.learned("inertia")?.inertia)
    }

    /// How many batches the centers have followed.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn n_steps(&self) -> Result<usize> {
        let (_, standing) =
            self.fitted.as_ref().ok_or(Error::NotFitted { estimator: Self::NAME, method: "n_steps" })?;
        Ok(standing.steps)
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

    pub(crate) fn learned(&self, method: &'static str) -> Result<&Fitted<F>> {
        match &self.fitted {
            Some((fitted, _)) => Ok(fitted),
            None => Err(Error::NotFitted { estimator: Self::NAME, method }),
        }
    }

    fn check_parameters(&self) -> Result<()> {
        let counts = [
            ("n_clusters", Some(self.n_clusters)),
            ("n_init", self.n_init),
            ("batch_size", Some(self.batch_size)),
            ("max_iter", Some(self.max_iter)),
            ("init_size", self.init_size),
            ("max_no_improvement", self.max_no_improvement),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, value)| *value == Some(0)) {
            return Err(Error::invalid_parameter(Self::NAME, name, 0, "at least 1"));
        }
        for (name, value) in [("tol", self.tol), ("reassignment_ratio", self.reassignment_ratio)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid_parameter(
                    Self::NAME,
                    name,
                    value,
                    "a finite number of at least 0",
                ));
            }
        }
        Ok(())
    }

    /// The best of some starts, judged on rows drawn at random.
    fn start(&self, samples: &Samples<'_, F>, moments: &Moments<F>, rng: &mut Rng) -> Result<Progress<F>> {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let reference = moments.reference(n);
        let wanted = self.init_size.unwrap_or(self.batch_size.saturating_mul(3));
        let wanted = if wanted < self.n_clusters { self.n_clusters.saturating_mul(3) } else { wanted };
        let judged: Vec<usize> = (0..wanted.min(n)).map(|_| rng.below(n)).collect();
        let judges = Rows::new(samples, &judged);
        // Rows without weight are no starts.
        let of_weight: Vec<usize> = (0..n).filter(|&row| samples.weight(row) > 0.0).collect();
        let n_starts = match &self.init {
            KMeansInit::Centers(_) => 1,
            KMeansInit::PlusPlus => self.n_init.unwrap_or(1),
            _ => self.n_init.unwrap_or(3),
        };
        let mut best: Option<(f64, Vec<F>)> = None;
        for _ in 0..n_starts {
            let places = sample_without_replacement(of_weight.len(), wanted.min(of_weight.len()), rng);
            let places: Vec<usize> = places.into_iter().map(|place| of_weight[place]).collect();
            let drawn = Rows::new(samples, &places);
            let drawn = drawn.samples(d);
            let x = ArrayView2::from_shape((drawn.n_samples(), d), drawn.values).unwrap_or_else(|_| empty());
            let mut centers = self.init.start(x, &drawn, self.n_clusters, rng)?;
            in_reach(Self::NAME, &centers, &moments.mean)?;
            centers.iter_mut().zip(reference.iter().cycle()).for_each(|(c, point)| *c -= *point);
            let fitted = Fitted::new(centers, reference.clone());
            let (_, inertia) = fitted.label_all(&judges.samples(d));
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, fitted.centered));
            }
        }
        let centers = best.map(|(_, centers)| centers).unwrap_or_default();
        let counts = vec![0.0; self.n_clusters];
        Ok(Progress { centers, reference, standing: Standing { counts, since_reassignment: 0, steps: 0 } })
    }

    fn learn(&mut self, x: ArrayView2<'_, F>, weights: Option<&[F]>) -> Result<KMeansReport> {
        self.check_parameters()?;
        validate::not_empty("x", &x)?;
        let (n, d) = x.dim();
        check_counts(Self::NAME, self.n_clusters, n)?;
        self.init.check(self.n_clusters, d)?;
        let x = in_rows(x);
        let samples = Samples { values: elements(&x), n_features: d, weights };
        let moments = moments_of(Self::NAME, &samples)?;
        let mut rng = Rng::new(self.seed, Purpose::Clustering, 0);
        let mut progress = self.start(&samples, &moments, &mut rng)?;
        let batch_size = self.batch_size.min(n);
        let steps = (self.max_iter.saturating_mul(n) / batch_size).max(1);
        let drawing = Drawing::new(&samples);
        let mut patience =
            Patience::new(batch_size, n, self.max_no_improvement, self.tol * moments.mean_variance);
        let mut converged = false;
        while !converged && progress.standing.steps < steps {
            let rows: Vec<usize> = (0..batch_size).map(|_| drawing.row(&mut rng)).collect();
            // What is likelier to be drawn must not count more once it is.
            let batch = Rows::new(&Samples { weights: None, ..samples }, &rows);
            let step = progress.step(&batch.samples(d), self.reassignment_ratio, &mut rng);
            converged = patience.ends(step.inertia / batch_size as f64, step.moved);
        }
        let Progress { centers, reference, standing } = progress;
        let fitted = Fitted::new(centers, reference);
        let (labels, inertia) = fitted.label_all(&samples);
        let run = Run {
            inertia,
            labels,
            centers: Vec::<F>::new(),
            n_iter: (standing.steps * batch_size).div_ceil(n),
            converged,
            history: patience.history,
        };
        let fitted =
            Fitted { labels: numbers(&run.labels), inertia: run.inertia, n_iter: run.n_iter, ..fitted };
        self.fitted = Some((fitted, standing));
        Ok(KMeansReport::of(run, self.n_clusters))
    }

    /// The passes over the data, begun ones included; after `partial_fit` the steps.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn n_iter(&self) -> Result<usize> {
        Ok(self.learned("n_iter")?.n_iter)
    }
}

fn empty<'a, F>() -> ArrayView2<'a, F> {
    ndarray::aview2::<F, 0>(&[])
}

answers!(MiniBatchKMeans);

crate::estimator::inherent_fit!(MiniBatchKMeans<F>, KMeansReport);

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for MiniBatchKMeans<F> {
    type Report = KMeansReport;

    /// Learns the centers; what earlier fits learned is dropped. The report's history is the smoothed inertia a
    /// row, step by step.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<KMeansReport> {
        self.learn(x.view(), None)
    }
}

impl<F: Float> Estimator for MiniBatchKMeans<F> {
    fn unfitted(&self) -> Self {
        Self { fitted: None, ..self.clone() }
    }
}
