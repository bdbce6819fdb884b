//! The settings of a k-means.

use super::seeding::KMeansInit;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The settings of a k-means. `I` is the [`KMeansInit`], or in a file its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "KMeans", deny_unknown_fields)]
pub(crate) struct KMeansSettings<I> {
    pub(super) n_clusters: usize,
    pub(super) init: I,
    pub(super) n_init: Option<usize>,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) seed: u64,
    pub(super) spherical: bool,
    pub(super) max_points_per_center: Option<usize>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) verbose: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) feature_names: Vec<String>,
}

impl<F> KMeansSettings<KMeansInit<F>> {
    /// scikit-learn's defaults.
    pub(super) fn new(n_clusters: usize) -> Self {
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
        }
    }
}

impl<I> KMeansSettings<I> {
    /// The settings for a file, or from one, with another form of the initialization; `verbose` is not saved.
    pub(super) fn with_init<J>(&self, init: J) -> KMeansSettings<J> {
        let &Self { n_clusters, n_init, max_iter, tol, seed, spherical, max_points_per_center, .. } = self;
        KMeansSettings {
            n_clusters,
            init,
            n_init,
            max_iter,
            tol,
            seed,
            spherical,
            max_points_per_center,
            verbose: false,
            feature_names: self.feature_names.clone(),
        }
    }

    /// Refuses parameters that are out of range.
    pub(super) fn check(&self) -> Result<()> {
        check_at_least_1(
            "KMeans",
            [
                ("n_clusters", Some(self.n_clusters)),
                ("n_init", self.n_init),
                ("max_iter", Some(self.max_iter)),
                ("max_points_per_center", self.max_points_per_center),
            ],
        )?;
        check_not_negative("KMeans", "tol", self.tol)
    }
}

/// Refuses the first count that is 0.
pub(crate) fn check_at_least_1<const N: usize>(
    owner: &'static str,
    counts: [(&'static str, Option<usize>); N],
) -> Result<()> {
    match counts.into_iter().find(|(_, count)| *count == Some(0)) {
        Some((name, _)) => Err(Error::invalid_parameter(owner, name, 0, "at least 1")),
        None => Ok(()),
    }
}

/// Refuses a value that is negative or not finite.
pub(crate) fn check_not_negative(owner: &'static str, name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number of at least 0"))
}
