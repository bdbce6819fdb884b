//! k-means by halves: the worst cluster is split in two until there are enough.

mod record;

use super::kmeans::fitted::Fitted;
use super::kmeans::init::{KMeansInit, in_reach};
use super::kmeans::lloyd::{Lloyd, Rules, Run, inertia_of};
use super::kmeans::packed_centers::{Lengths, PackedCenters};
use super::kmeans::report::KMeansReport;
use super::kmeans::samples::{Moments, Samples, elements, in_rows};
use super::kmeans::{check_counts, moments_of, numbers};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use crate::validate;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix1, Ix2};
use serde::{Deserialize, Serialize};

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
#[serde(deny_unknown_fields, bound = "F: Float")]
pub struct BisectingKMeans<F> {
    n_clusters: usize,
    init: KMeansInit<F>,
    n_init: usize,
    max_iter: usize,
    tol: f64,
    strategy: BisectingStrategy,
    seed: u64,
    #[serde(skip)]
    fitted: Option<(Fitted<F>, Tree)>,
}

impl<F> BisectingKMeans<F> {
    /// Creates a bisecting k-means with `n_clusters` clusters and scikit-learn's defaults.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        Self {
            n_clusters,
            init: KMeansInit::Random,
            n_init: 1,
            max_iter: 300,
            tol: 1e-4,
            strategy: BisectingStrategy::BiggestInertia,
            seed: 0,
            fitted: None,
        }
    }

    /// Where the two centers of a split start.
    #[must_use]
    pub fn init(mut self, init: KMeansInit<F>) -> Self {
        self.init = init;
        self
    }

    /// How often each split is tried; the one of least inertia is kept.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// The most iterations of a try.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// The sum of squared center moves that ends a try.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Which cluster is split next.
    #[must_use]
    pub fn strategy(mut self, strategy: BisectingStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// A cluster, and the two that it was split into.
struct Node {
    /// Left and right.
    children: Option<(usize, usize)>,
    rows: Vec<usize>,
    /// Of these rows about the center of the node.
    inertia: f64,
    /// The largest is split next.
    score: f64,
}

/// All clusters there ever were, while it grows; the root is the first.
struct Growth<F> {
    nodes: Vec<Node>,
    /// A center for each node.
    centers: Vec<F>,
}

/// All clusters there ever were. The leaves come first, from left to right; behind them, in the order of the splits
/// and so the root before all others, those that were split.
#[derive(Debug, Clone)]
struct Tree {
    /// Left and right of each that was split.
    children: Vec<[usize; 2]>,
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
        self.learn(x.view(), Some(&weights))
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
        Ok(self.learned("cluster_centers")?.0.cluster_centers())
    }

    /// The label of each row that was learned from, (n).
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn labels(&self) -> Result<&Array1<usize>> {
        Ok(&self.learned("labels")?.0.labels)
    }

    /// Σ wᵢ‖xᵢ − c‖² over the rows that were learned from, c the center of their cluster.
    ///
    /// # Errors
    /// `NotFitted` before the first fit.
    pub fn inertia(&self) -> Result<f64> {
        Ok(self.learned("inertia")?.0.inertia)
    }

    /// [`fit`](Fit::fit), and the rows as distances to the centers.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_transform<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        self.fit(x)?;
        self.transform(x)
    }

    fn learned(&self, method: &'static str) -> Result<&(Fitted<F>, Tree)> {
        self.fitted.as_ref().ok_or(Error::NotFitted { estimator: Self::NAME, method })
    }

    fn check_parameters(&self) -> Result<()> {
        let counts = [("n_clusters", self.n_clusters), ("n_init", self.n_init), ("max_iter", self.max_iter)];
        if let Some((name, _)) = counts.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::invalid_parameter(Self::NAME, name, 0, "at least 1"));
        }
        if self.init.is_given() {
            let expected = "PlusPlus, Random or a function: every split chooses its own initial centers";
            return Err(Error::invalid_parameter(Self::NAME, "init", "Centers", expected));
        }
        if self.tol >= 0.0 && self.tol.is_finite() {
            return Ok(());
        }
        Err(Error::invalid_parameter(Self::NAME, "tol", self.tol, "a finite number of at least 0"))
    }

    fn learn(&mut self, x: ArrayView2<'_, F>, weights: Option<&[F]>) -> Result<KMeansReport> {
        self.check_parameters()?;
        validate::not_empty("x", &x)?;
        let (n, d) = x.dim();
        check_counts(Self::NAME, self.n_clusters, n)?;
        let x = in_rows(x)?;
        let samples = Samples { values: elements(&x), n_features: d, weights };
        let moments = moments_of(Self::NAME, &samples)?;
        let center = mean_of(&samples, &moments.mean);
        let mut history = vec![inertia_of(&samples, &center, &vec![0; n])];
        let root = Node { children: None, rows: (0..n).collect(), inertia: history[0], score: 0.0 };
        let mut growth = Growth { nodes: vec![root], centers: center };
        for split in 1..self.n_clusters {
            self.split_worst(&mut growth, &samples, &moments, split as u64)?;
            history.push(growth.inertia());
        }
        let (tree, labels, centers) = growth.finish(n, d);
        let run = Run {
            inertia: inertia_of(&samples, &centers[..self.n_clusters * d], &labels),
            labels,
            centers: Vec::<F>::new(),
            n_iter: self.n_clusters.max(2) - 1,
            converged: true,
            history,
        };
        let fitted = Fitted {
            n_clusters: self.n_clusters,
            labels: numbers(&run.labels),
            inertia: run.inertia,
            n_iter: run.n_iter,
            ..Fitted::at(centers, d)
        };
        self.fitted = Some((fitted, tree));
        Ok(KMeansReport::of(run, self.n_clusters))
    }

    /// Splits the leaf of the largest score.
    fn split_worst(
        &self,
        tree: &mut Growth<F>,
        samples: &Samples<'_, F>,
        moments: &Moments<F>,
        split: u64,
    ) -> Result<()> {
        let d = samples.n_features;
        let worst = tree.worst_leaf();
        let rows = std::mem::take(&mut tree.nodes[worst].rows);
        let values: Vec<F> = rows.iter().flat_map(|&row| samples.row(row)).copied().collect();
        let weights: Option<Vec<F>> =
            samples.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        let part = Samples { values: &values, n_features: d, weights: weights.as_deref() };
        let run = self.halve(&part, moments, split)?;
        let first_child = tree.nodes.len();
        for side in 0..2u32 {
            let of_side = |index: &usize| run.labels[*index] == side;
            let places: Vec<usize> = (0..rows.len()).filter(of_side).collect();
            let center = &run.centers[side as usize * d..][..d];
            let of_place = |&place: &usize| {
                let row = Samples { weights: None, ..part.part(place, 1) };
                part.weight(place) * inertia_of(&row, center, &[0])
            };
            let inertia = places.iter().map(of_place).sum();
            let score = match self.strategy {
                BisectingStrategy::BiggestInertia => inertia,
                BisectingStrategy::LargestCluster => places.len() as f64,
            };
            tree.centers.extend_from_slice(center);
            let rows = places.iter().map(|&place| rows[place]).collect();
            tree.nodes.push(Node { children: None, rows, inertia, score });
        }
        tree.nodes[worst].children = Some((first_child, first_child + 1));
        Ok(())
    }

    /// The best of the tries to split some rows in two.
    fn halve(&self, part: &Samples<'_, F>, moments: &Moments<F>, split: u64) -> Result<Run<F>> {
        let d = part.n_features;
        let rules = Rules { max_iter: self.max_iter, tolerance: self.tol, spherical: false, verbose: false };
        // About their own mean the rows are near to each other.
        let own = Moments::of(part)?;
        let mut lloyd = Lloyd::new(*part, &own, 2);
        let mut best: Option<Run<F>> = None;
        for attempt in 0..self.n_init as u64 {
            let mut rng = Rng::new(self.seed, Purpose::Clustering, (split << 32) | attempt);
            let x = ArrayView2::from_shape((part.n_samples(), d), part.values)
                .unwrap_or_else(|_| ndarray::aview2::<F, 0>(&[]));
            let start = self.init.start_where_possible(x, part, 2, &mut rng)?;
            in_reach(Self::NAME, &start, &moments.mean)?;
            let run = lloyd.run(start, rules);
            // Better by more than rounding.
            if best.as_ref().is_none_or(|best| run.inertia < best.inertia * (1.0 - 1e-6)) {
                best = Some(run);
            }
        }
        best.ok_or_else(|| Error::invalid_parameter(Self::NAME, "n_init", 0, "at least 1"))
    }
}

/// The weighted mean of the rows; `mean` is the plain one.
fn mean_of<F: Float>(samples: &Samples<'_, F>, mean: &[F]) -> Vec<F> {
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

impl<F: Float> Growth<F> {
    /// Of the leaves.
    fn inertia(&self) -> f64 {
        self.nodes.iter().filter(|node| node.children.is_none()).map(|node| node.inertia).sum()
    }

    /// The leaf to split: of those with at least two rows the one of the largest score, of equal ones the leftmost.
    fn worst_leaf(&self) -> usize {
        let (mut worst, mut open): (Option<usize>, _) = (None, vec![0]);
        while let Some(number) = open.pop() {
            let node = &self.nodes[number];
            if let Some((left, right)) = node.children {
                open.extend([right, left]);
            } else if node.rows.len() > 1 && worst.is_none_or(|worst| node.score > self.nodes[worst].score) {
                worst = Some(number);
            }
        }
        worst.unwrap_or(0)
    }

    /// Puts the leaves first, from left to right. Answers the tree, the label of every row, and the centers.
    fn finish(self, n_samples: usize, n_features: usize) -> (Tree, Vec<u32>, Vec<F>) {
        let mut labels = vec![0; n_samples];
        let (mut order, mut inner, mut open) = (Vec::new(), Vec::new(), vec![0]);
        while let Some(number) = open.pop() {
            let node = &self.nodes[number];
            if let Some((left, right)) = node.children {
                inner.push(number);
                open.extend([right, left]);
                continue;
            }
            node.rows.iter().for_each(|&row| labels[row] = order.len() as u32);
            order.push(number);
        }
        // Those that were split, in the order of their children.
        inner.sort_unstable_by_key(|&number| self.nodes[number].children);
        order.extend(&inner);
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &number)| places[number] = place);
        let children = inner.iter().filter_map(|&number| self.nodes[number].children);
        let children = children.map(|(left, right)| [places[left], places[right]]).collect();
        let center = |&number: &usize| &self.centers[number * n_features..][..n_features];
        (Tree { children }, labels, order.iter().flat_map(center).copied().collect())
    }
}

/// The mean of two numbers.
fn middle<F: Float>((a, b): (&F, &F)) -> F {
    F::of(0.5 * a.as_f64() + 0.5 * b.as_f64())
}

impl Tree {
    /// Whether every cluster but the root is a child once, of one that was split before it.
    fn is_sound(&self, n_clusters: usize) -> bool {
        let mut is_child = vec![false; n_clusters + self.children.len()];
        let fits = self.children.iter().enumerate().all(|(split, children)| {
            children.iter().all(|&child| {
                let later = child < n_clusters || child > n_clusters + split;
                later && is_child.get_mut(child).is_some_and(|is_child| !std::mem::replace(is_child, true))
            })
        });
        fits && self.children.len() + 1 == n_clusters
    }

    /// The leaf in which each row ends that goes down from the root, each time to the nearer center.
    fn descend<F: Float>(&self, samples: &Samples<'_, F>, fitted: &Fitted<F>) -> Vec<u32> {
        let (n_leaves, d) = (fitted.n_clusters, samples.n_features);
        let mut labels = vec![0; samples.n_samples()];
        let root = if self.children.is_empty() { 0 } else { n_leaves };
        let mut open: Vec<(usize, Vec<usize>)> = vec![(root, (0..samples.n_samples()).collect())];
        while let Some((number, rows)) = open.pop() {
            let Some([left, right]) = number.checked_sub(n_leaves).map(|split| self.children[split]) else {
                rows.into_iter().for_each(|row| labels[row] = number as u32);
                continue;
            };
            let mut pair = PackedCenters::new(2, d);
            let centers = [fitted.center(left), fitted.center(right)].concat();
            let middle: Vec<F> = centers[..d].iter().zip(&centers[d..]).map(middle).collect();
            let square: f64 =
                centers.iter().zip(middle.iter().cycle()).map(|(c, m)| (*c - *m).as_f64().powi(2)).sum();
            pair.set(&centers, &middle, Lengths { typical: square, largest: f64::INFINITY });
            let values: Vec<F> = rows.iter().flat_map(|&row| samples.row(row)).copied().collect();
            let mut sides = vec![0; rows.len()];
            pair.label((&values, &middle), false, &mut pair.room(rows.len()), &mut sides);
            let side =
                |side: u32| rows.iter().zip(&sides).filter(move |(_, s)| **s == side).map(|(row, _)| *row);
            open.push((left, side(0).collect()));
            open.push((right, side(1).collect()));
        }
        labels
    }
}

crate::estimator::inherent_fit!(BisectingKMeans<F>, KMeansReport);

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    type Report = KMeansReport;

    /// Learns the clusters; what an earlier fit learned is dropped. The report's history is the inertia after
    /// each split.
    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<KMeansReport> {
        self.learn(x.view(), None)
    }
}

impl<F: Float, S: Data<Elem = F>> Predict<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    type Output = Array1<usize>;

    /// The leaf in which each row ends. This need not be the one with the nearest center of all.
    fn predict(&self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
        let (fitted, tree) = self.learned("predict")?;
        fitted.with_rows(Self::NAME, x.view(), |rows| numbers(&tree.descend(&rows.samples, fitted)))
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for BisectingKMeans<F> {
    type Output = Array2<F>;

    /// The distance √Σ(x − c)² of each row to each center, (n, k).
    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        self.learned("transform")?.0.transform(Self::NAME, x.view())
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
        let (fitted, tree) = self.learned("score")?;
        fitted.with_rows(Self::NAME, x.view(), |rows| {
            fitted.score(Self::NAME, &rows.samples, &tree.descend(&rows.samples, fitted))
        })?
    }
}

impl<F: Float> Estimator for BisectingKMeans<F> {
    fn unfitted(&self) -> Self {
        Self { fitted: None, ..self.clone() }
    }
}
