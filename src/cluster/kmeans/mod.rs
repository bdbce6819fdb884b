//! k-means clustering.
//!
//! | question | where |
//! |---|---|
//! | what can be set, and what a fit leaves | this file, `settings`, `feature_names`, `fit`, `cluster_match`, `weighted`, `fitted`, `accessors`, `report` |
//! | where do the centers start | `seeding/`: greedy k-means++, random rows |
//! | how do they move, and when do they stop | `lloyd/` |
//! | which center is nearest | `assign/`: packing, the kernel, rounding margins |
//! | which rows keep their label unseen | `pruning/` (Hamerly 2010) |
//! | what are the means | `sums/`: exact sums, relocation of empty clusters |
//! | how are the rows of several ranks one data set | `distributed`, `ranks/`: sums that do not depend on the split |
//! | how are rows read that do not fit into memory | `batches/`: passes over batches, cut into the same chunks |
//! | how is it saved | `record` |

mod accessors;
pub(crate) mod assign;
pub(crate) mod batches;
pub(crate) mod cluster_match;
pub(crate) mod distributed;
mod feature_names;
pub(crate) mod fit;
pub(crate) mod fitted;
pub(crate) mod lloyd;
pub(crate) mod moments;
mod normalize;
mod pruning;
pub(crate) mod ranks;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod samples;
mod scratch_pool;
pub(crate) mod seeding;
pub(crate) mod settings;
mod sums;
mod weighted;

pub use batches::row_batch::RowBatch;
pub(crate) use fit::{check_counts, label_indices, moments_of};
pub use report::KMeansReport;
pub use seeding::kmeans_plusplus::{kmeans_plusplus, kmeans_plusplus_weighted};
pub use seeding::{InitFunction, KMeansInit};

use crate::error::Result;
use crate::estimator::Estimator;
use crate::float::Float;
use fitted::FittedCenters;
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};
use settings::KMeansSettings;

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
#[serde(transparent, bound = "F: Float")]
pub struct KMeans<F> {
    settings: KMeansSettings<KMeansInit<F>>,
    #[serde(skip)]
    fitted: Option<FittedCenters<F>>,
}

impl<F> KMeans<F> {
    /// Creates a k-means with `n_clusters` clusters and scikit-learn's defaults.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        Self { settings: KMeansSettings::new(n_clusters), fitted: None }
    }

    /// Where the centers start.
    #[must_use]
    pub fn init(mut self, init: KMeansInit<F>) -> Self {
        self.settings.init = init;
        self
    }

    /// How many runs to make from different starts; the one of least inertia is kept. Given centers are run
    /// from once, for every run would be the same.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.settings.n_init = Some(n_init);
        self
    }

    /// The most iterations of a run.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.settings.max_iter = max_iter;
        self
    }

    /// A run ends when the squared moves of its centers add up to no more than this times the mean variance of
    /// the columns. With 0 it ends only when no label changes any more.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.settings.tol = tol;
        self
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Clusters directions: rows and centers are scaled to length 1, so that the nearest center is the one of the
    /// largest cosine, and the inertia is 2·Σ wᵢ(1 − cos). This needs a copy of the data; rows of zeros stay.
    #[must_use]
    pub fn spherical(mut self, spherical: bool) -> Self {
        self.settings.spherical = spherical;
        self
    }

    /// Learns the centers from at most this many rows for each of them, drawn at random; labels and inertia are
    /// still those of all rows.
    #[must_use]
    pub fn max_points_per_center(mut self, rows: usize) -> Self {
        self.settings.max_points_per_center = Some(rows);
        self
    }

    /// Prints the inertia after each iteration to standard output, and how each run converged. scikit-learn prints the inertia
    /// about the centers before the iteration, this one that about the centers after it.
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.settings.verbose = verbose;
        self
    }
}

impl<F: Float> KMeans<F> {
    /// [`fit`](Self::fit), and the labels of the rows.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_predict<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array1<usize>> {
        self.fit(x)?;
        self.labels().cloned()
    }

    /// [`fit`](Self::fit), and the rows as distances to the centers.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_transform<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        self.fit(x)?;
        crate::estimator::Transform::transform(self, x)
    }

    /// The same settings with another number of clusters.
    pub(crate) fn with_n_clusters(mut self, n_clusters: usize) -> Self {
        self.settings.n_clusters = n_clusters;
        self
    }
}

impl<F: Float> Estimator for KMeans<F> {
    fn unfitted(&self) -> Self {
        Self { fitted: None, ..self.clone() }
    }
}
