//! The settings of a mini-batch k-means.

use crate::cluster::KMeansInit;
use crate::cluster::kmeans::settings::{check_at_least_1, check_not_negative};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The settings of a mini-batch k-means. `I` is the [`KMeansInit`], or in a file its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "MiniBatchKMeans", deny_unknown_fields)]
pub(crate) struct MiniBatchSettings<I> {
    pub(super) n_clusters: usize,
    pub(super) init: I,
    pub(super) n_init: Option<usize>,
    pub(super) batch_size: usize,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) max_no_improvement: Option<usize>,
    pub(super) init_size: Option<usize>,
    pub(super) reassignment_ratio: f64,
    pub(super) seed: u64,
}

impl<F> MiniBatchSettings<KMeansInit<F>> {
    /// scikit-learn's defaults.
    pub(super) fn new(n_clusters: usize) -> Self {
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
        }
    }
}

impl<I> MiniBatchSettings<I> {
    /// The same settings with another form of the initialization.
    pub(super) fn with_init<J>(&self, init: J) -> MiniBatchSettings<J> {
        let &Self { n_clusters, n_init, batch_size, max_iter, tol, max_no_improvement, .. } = self;
        let &Self { init_size, reassignment_ratio, seed, .. } = self;
        MiniBatchSettings {
            n_clusters,
            init,
            n_init,
            batch_size,
            max_iter,
            tol,
            max_no_improvement,
            init_size,
            reassignment_ratio,
            seed,
        }
    }

    /// Refuses parameters that are out of range.
    pub(super) fn check(&self) -> Result<()> {
        const OWNER: &str = "MiniBatchKMeans";
        check_at_least_1(
            OWNER,
            [
                ("n_clusters", Some(self.n_clusters)),
                ("n_init", self.n_init),
                ("batch_size", Some(self.batch_size)),
                ("max_iter", Some(self.max_iter)),
                ("init_size", self.init_size),
                ("max_no_improvement", self.max_no_improvement),
            ],
        )?;
        check_not_negative(OWNER, "tol", self.tol)?;
        check_not_negative(OWNER, "reassignment_ratio", self.reassignment_ratio)
    }
}
