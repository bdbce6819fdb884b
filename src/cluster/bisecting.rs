//! Bisecting k-means: the worst cluster is split in two until there are enough.

mod record;
mod settings;
mod tree;

use super::kmeans::fitted::{FittedCenters, transform};
use super::kmeans::lloyd::{Lloyd, LloydRun, StoppingRules, inertia_of, inertias_of_clusters};
use super::kmeans::moments::Moments;
use super::kmeans::ranks::Ranks;
use super::kmeans::report::KMeansReport;
use super::kmeans::samples::{RowCopies, Samples, elements, in_rows};
use super::kmeans::seeding::{KMeansInit, check_in_reach};
use super::kmeans::{check_counts, label_indices, moments_of};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::parallel;
use crate::rng::{Purpose, Rng};
use crate::validate;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix1, Ix2};
use serde::{Deserialize, Serialize};
use settings::BisectingSettings;
use tree::{GrowingTree, Node, Split, Tree};

/// Which cluster is split next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BisectingStrategy {
    /// The one of the largest inertia, the default.
    #[default]
    BiggestInertia,
    /// The one with the most rows.
    LargestCluster,
}

/// k-means that starts with one cluster and splits, time after time, the worst one in two.
///
/// The clusters form a tree, in which `predict` goes down from the root; they tend to be of more even size than
/// those of [`KMeans`](super::KMeans). Clusters are numbered from left to right. Parameters and rules are
/// scikit-learn's. Three things differ on purpose: the center of a single cluster is the weighted mean of the rows,
/// clusters of one row are never split, and `score` is minus the inertia of the labels that `predict` answers with.
///
/// # Shapes
/// As [`KMeans`](super::KMeans).
///
/// # Parameters
/// | name | default | |
/// |---|---|---|
/// | `n_clusters` | | k |
/// | [`init`](Self::init) | `Random` | where the two centers of a split start; given centers are refused |
/// | [`n_init`](Self::n_init) | 1 | tries for each split |
/// | [`max_iter`](Self::max_iter) | 300 | iterations of a try at most |
/// | [`tol`](Self::tol) | 1e-4 | the sum of squared center moves that ends a try, not scaled |
/// | [`strategy`](Self::strategy) | `BiggestInertia` | which cluster is split next |
/// | [`seed`](Self::seed) | 0 | of all random choices |
///
/// # Errors
/// As [`KMeans`](super::KMeans).
///
/// # Examples
/// ```
/// use axonal::cluster::BisectingKMeans;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 1.0], [10.0, 1.0], [3.0, 1.0], [10.0, 0.0], [2.0, 1.0], [10.0, 2.0], [10.0, 8.0]];
/// let mut kmeans = BisectingKMeans::new(3).init(KMeansInit::PlusPlus).seed(0);
/// kmeans.fit(&x)?;
/// assert_eq!(kmeans.predict(&array![[0.0, 0.0]])?[0], kmeans.labels()?[0]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Steinbach, Karypis and Kumar, A comparison of document clustering techniques, 2000.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent, bound = "F: Float")]
pub struct BisectingKMeans<F> {
    settings: BisectingSettings<KMeansInit<F>>,
    #[serde(skip)]
    fitted: Option<(FittedCenters<F>, Tree)>,
}

/// Elements visited for each value of a leaf that is split: some five iterations, each with two centers.
const ELEMENTS_PER_VALUE: usize = 10;

impl<F> BisectingKMeans<F> {
    /// Creates a bisecting k-means with `n_clusters` clusters and scikit-learn's defaults.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        Self { settings: BisectingSettings::new(n_clusters), fitted: None }
    }

    /// Where the two centers of a split start.
    #[must_use]
    pub fn init(mut self, init: KMeansInit<F>) -> Self {
        self.settings.init = init;
        self
    }

    /// How often each split is tried; the one of least inertia is kept.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.settings.n_init = n_init;
        self
    }

    /// The most iterations of a try.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.settings.max_iter = max_iter;
        self
    }

    /// The sum of squared center moves that ends a try.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.settings.tol = tol;
        self
    }

    /// Which cluster is split next.
    #[must_use]
    pub fn strategy(mut self, strategy: BisectingStrategy) -> Self {
        self.settings.strategy = strategy;
        self
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }
}

impl<F: Float> BisectingKMeans<F> {
    const NAME: &'static str = "BisectingKMeans";

    /// [`fit`](Fit::fit) with a weight for each row.
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

    /// [`fit`](Fit::fit), and the labels of the rows.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_predict<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
        self.fit(x)?;
        self.labels().cloned()
    }

    /// The centers, (k, d).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn cluster_centers(&self) -> Result<&Array2<F>> {
        Ok(self.fitted_tree("cluster_centers")?.0.cluster_centers())
    }

    /// The label of each row of the training data, (n).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        Ok(&self.fitted_tree("labels")?.0.labels)
    }

    /// Σ wᵢ‖xᵢ − c‖² over the training data, c the center of their cluster.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn inertia(&self) -> Result<f64> {
        Ok(self.fitted_tree("inertia")?.0.inertia)
    }

    /// [`fit`](Fit::fit), and the rows as distances to the centers.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_transform<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        self.fit(x)?;
        self.transform(x)
    }

    fn fitted_tree(&self, method: &'static str) -> Result<&(FittedCenters<F>, Tree)> {
        self.fitted.as_ref().ok_or(Error::NotFitted { estimator: Self::NAME, method })
    }

    /// Splits the leaf of the largest score. How a leaf is split depends on the leaf alone, so several threads split the next
    /// leaves ahead of their turn; `left` is how many splits are left.
    fn split_worst(
        &self,
        tree: &mut GrowingTree<F>,
        samples: &Samples<'_, F>,
        moments: &Moments<F>,
        left: usize,
    ) -> Result<()> {
        let worst = tree.worst_leaf();
        if tree.nodes[worst].split.is_none() {
            let iterations = ELEMENTS_PER_VALUE.saturating_mul(samples.n_features);
            let elements = tree.nodes[worst].rows.len().saturating_mul(iterations);
            let ahead = tree.leaves_to_split_ahead(worst, parallel::threads_for(elements, left) - 1);
            let leaves = std::iter::once(worst).chain(ahead);
            let mut splits: Vec<(usize, Option<Result<Split<F>>>)> =
                leaves.map(|leaf| (leaf, None)).collect();
            parallel::for_each(elements, &mut splits, |(leaf, split)| {
                *split = Some(self.split_of(*leaf, &tree.nodes[*leaf].rows, samples, moments));
            });
            splits.into_iter().for_each(|(leaf, split)| tree.nodes[leaf].split = split);
        }
        if let Some(split) = tree.nodes[worst].split.take() {
            tree.grow(worst, split?);
        }
        Ok(())
    }

    /// Splits the rows of a leaf.
    fn split_of(
        &self,
        leaf: usize,
        rows: &[usize],
        samples: &Samples<'_, F>,
        moments: &Moments<F>,
    ) -> Result<Split<F>> {
        let copies = RowCopies::of(samples, rows);
        let samples = copies.samples();
        let run = self.bisect(&samples, moments, leaf as u64)?;
        let inertias = inertias_of_clusters(&samples, &run.centers, &run.labels);
        let side = |side: u32| {
            let labeled = rows.iter().zip(&run.labels).filter(|(_, label)| **label == side);
            let rows: Vec<usize> = labeled.map(|(&row, _)| row).collect();
            let inertia = inertias[side as usize];
            let score = match self.settings.strategy {
                BisectingStrategy::BiggestInertia => inertia,
                BisectingStrategy::LargestCluster => rows.len() as f64,
            };
            Node { children: None, rows, inertia, score, split: None }
        };
        Ok(Split { sides: vec![side(0), side(1)], centers: run.centers })
    }

    /// The best of several runs that split rows in two.
    fn bisect(&self, rows: &Samples<'_, F>, moments: &Moments<F>, leaf: u64) -> Result<LloydRun<F>> {
        let BisectingSettings { init, n_init, max_iter, tol, seed, .. } = &self.settings;
        let rules = StoppingRules { max_iter: *max_iter, tolerance: *tol, spherical: false, verbose: false };
        // Less their own mean the rows are near to each other.
        let ranks = Ranks::alone(rows.n_samples());
        let own = Moments::of(rows, &ranks)?;
        let mut lloyd = Lloyd::new(*rows, &ranks, &own, 2)?;
        let mut best: Option<LloydRun<F>> = None;
        for attempt in 0..*n_init as u64 {
            let mut rng = Rng::new(*seed, Purpose::Clustering, (leaf << 32) | attempt);
            let centers = init.initial_centers_or_unweighted((rows, &ranks), 2, &mut rng)?;
            check_in_reach(Self::NAME, &centers, &moments.mean)?;
            let run = lloyd.run(centers, rules)?;
            // Better by more than rounding.
            if best.as_ref().is_none_or(|best| run.inertia < best.inertia * (1.0 - 1e-6)) {
                best = Some(run);
            }
        }
        best.ok_or_else(|| Error::invalid_parameter(Self::NAME, "n_init", 0, "at least 1"))
    }
}

precompiled! {
    fn fit_rows<'a, 'b, F>(kmeans: &'a mut BisectingKMeans<F>, x: ArrayView2<'b, F>, weights: Option<&'b [F]>) -> Result<KMeansReport> {
        kmeans.settings.check()?;
        let n_clusters = kmeans.settings.n_clusters;
        validate::not_empty("x", &x)?;
        let (n, d) = x.dim();
        check_counts(BisectingKMeans::<F>::NAME, n_clusters, n)?;
        let x = in_rows(x)?;
        let samples = Samples { values: elements(&x), n_features: d, weights };
        let moments = moments_of(BisectingKMeans::<F>::NAME, &samples, &Ranks::alone(n))?;
        let center = weighted_mean(&samples, &moments.mean);
        let mut history = vec![inertia_of(&samples, &center, &vec![0; n])];
        let root = Node { children: None, rows: (0..n).collect(), inertia: history[0], score: 0.0, split: None };
        let mut growing = GrowingTree { nodes: vec![root], centers: center };
        for split in 1..n_clusters {
            kmeans.split_worst(&mut growing, &samples, &moments, n_clusters - split)?;
            history.push(growing.inertia());
        }
        let (tree, labels, centers) = growing.finish(n, d);
        let run = LloydRun {
            inertia: inertia_of(&samples, &centers[..n_clusters * d], &labels),
            labels,
            centers: Vec::<F>::new(),
            n_iter: n_clusters.max(2) - 1,
            converged: true,
            history,
        };
        let fitted = FittedCenters {
            n_clusters,
            labels: label_indices(&run.labels),
            inertia: run.inertia,
            n_iter: run.n_iter,
            ..FittedCenters::at(centers, d)
        };
        kmeans.fitted = Some((fitted, tree));
        Ok(KMeansReport::of(run, n_clusters))
    }

    fn predict<'a, 'b, F>(fitted: &'a (FittedCenters<F>, Tree), x: ArrayView2<'b, F>) -> Result<Array1<usize>> {
        let (fitted, tree) = fitted;
        fitted.with_rows(BisectingKMeans::<F>::NAME, x, |rows| label_indices(&tree.descend(&rows.samples, fitted)))
    }

    fn score<'a, 'b, F>(fitted: &'a (FittedCenters<F>, Tree), x: ArrayView2<'b, F>) -> Result<f64> {
        let (fitted, tree) = fitted;
        let owner = BisectingKMeans::<F>::NAME;
        fitted.with_rows(owner, x, |rows| {
            fitted.score(owner, &rows.samples, &tree.descend(&rows.samples, fitted))
        })?
    }
}

/// The weighted mean of the rows; `mean` is the unweighted one.
fn weighted_mean<F: Float>(samples: &Samples<'_, F>, mean: &[F]) -> Vec<F> {
    if samples.weights.is_none() {
        return mean.to_vec();
    }
    let mut offsets = vec![0.0; mean.len()];
    let mut total = 0.0;
    for row in 0..samples.n_samples() {
        let weight = samples.weight(row);
        total += weight;
        offsets.iter_mut().zip(samples.row(row)).zip(mean).for_each(|((sum, x), mean)| {
            *sum += weight * (x.as_f64() - mean.as_f64());
        });
    }
    let offsets = offsets.into_iter().map(|sum| if total > 0.0 { sum / total } else { 0.0 });
    offsets.zip(mean).map(|(offset, mean)| F::of(mean.as_f64() + offset)).collect()
}

crate::estimator::inherent_fit!(BisectingKMeans<F>, KMeansReport);

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    type Report = KMeansReport;

    /// Learns the clusters; what an earlier fit learned is dropped. The report's history is the inertia after
    /// each split.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<KMeansReport> {
        fit_rows(self, x.view(), None)
    }
}

impl<F: Float, S: Data<Elem = F>> Predict<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    type Output = Array1<usize>;

    /// The leaf in which each row ends. This need not be the one with the nearest center of all.
    fn predict(&self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
        predict(self.fitted_tree("predict")?, x.view())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    type Output = Array2<F>;

    /// The distance √Σ(x − c)² of each row to each center, (n, k).
    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        transform(&self.fitted_tree("transform")?.0, Self::NAME, x.view())
    }
}

impl<F: Float> BisectingKMeans<F> {
    /// Minus the inertia of the rows of `x`: minus the sum of squared distances to the centers that the tree leads to.
    ///
    /// # Errors
    /// Before a fit, another number of features, or values that are not finite.
    pub fn score<S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<f64> {
        Score::score(self, x, ())
    }
}

impl<F: Float, S: Data<Elem = F>> Score<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    /// Minus the inertia of the rows about the centers of the leaves in which they end.
    fn score(&self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<f64> {
        score(self.fitted_tree("score")?, x.view())
    }
}

impl<F: Float> Estimator for BisectingKMeans<F> {
    fn unfitted(&self) -> Self {
        Self { fitted: None, ..self.clone() }
    }
}
