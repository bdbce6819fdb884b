//! The settings of a bisecting k-means.

use super::BisectingStrategy;
use crate::cluster::KMeansInit;
use crate::cluster::kmeans::settings::{check_at_least_1, check_not_negative};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

const OWNER: &str = "BisectingKMeans";

/// The settings of a bisecting k-means. `I` is the [`KMeansInit`], or in a file its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "BisectingKMeans", deny_unknown_fields)]
pub(crate) struct BisectingSettings<I> {
    pub(super) n_clusters: usize,
    pub(super) init: I,
    pub(super) n_init: usize,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) strategy: BisectingStrategy,
    pub(super) seed: u64,
}

impl<F> BisectingSettings<KMeansInit<F>> {
    /// scikit-learn's defaults.
    pub(super) fn new(n_clusters: usize) -> Self {
        Self {
            n_clusters,
            init: KMeansInit::Random,
            n_init: 1,
            max_iter: 300,
            tol: 1e-4,
            strategy: BisectingStrategy::BiggestInertia,
            seed: 0,
        }
    }

    /// Refuses parameters that are out of range.
    pub(super) fn check(&self) -> Result<()> {
        check_at_least_1(
            OWNER,
            [
                ("n_clusters", Some(self.n_clusters)),
                ("n_init", Some(self.n_init)),
                ("max_iter", Some(self.max_iter)),
            ],
        )?;
        if matches!(self.init, KMeansInit::Centers(_)) {
            let expected = "PlusPlus, Random or a function: every split chooses its own initial centers";
            return Err(Error::invalid_parameter(OWNER, "init", "Centers", expected));
        }
        check_not_negative(OWNER, "tol", self.tol)
    }
}

impl<I> BisectingSettings<I> {
    /// The same settings with another form of the initialization.
    pub(super) fn with_init<J>(&self, init: J) -> BisectingSettings<J> {
        let &Self { n_clusters, n_init, max_iter, tol, strategy, seed, .. } = self;
        BisectingSettings { n_clusters, init, n_init, max_iter, tol, strategy, seed }
    }
}
