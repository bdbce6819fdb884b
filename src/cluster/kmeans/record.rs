//! A k-means taken apart into settings and numbers, and put together again.

use super::fitted::Fitted;
use super::nearest::MOST_CLUSTERS;
use super::{KMeans, KMeansInit};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// The settings, and the counters of what was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    n_clusters: usize,
    init: Start,
    n_init: Option<usize>,
    max_iter: usize,
    tol: f64,
    seed: u64,
    spherical: bool,
    max_points_per_center: Option<usize>,
    /// The inertia and the iterations of the best run; `None` before the first fit.
    pub(crate) learned: Option<(f64, usize)>,
}

/// Where the centers start, but for given centers themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Start {
    PlusPlus,
    Random,
    Centers,
}

impl Settings {
    /// Whether given centers are among the numbers.
    pub(crate) fn has_initial_centers(&self) -> bool {
        self.init == Start::Centers
    }

    pub(crate) fn n_clusters(&self) -> usize {
        self.n_clusters
    }
}

/// What was learned, as numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Learned<F> {
    /// (k, d), less the mean.
    pub(crate) centers: Vec<F>,
    /// (d)
    pub(crate) mean: Vec<F>,
    /// (n)
    pub(crate) labels: Vec<usize>,
}

impl<F: Float> KMeans<F> {
    /// The settings; `None` where the centers start from a function.
    pub(crate) fn settings(&self) -> Option<Settings> {
        let init = match self.init {
            KMeansInit::PlusPlus => Start::PlusPlus,
            KMeansInit::Random => Start::Random,
            KMeansInit::Centers(_) => Start::Centers,
            KMeansInit::Function(_) => return None,
        };
        Some(Settings {
            n_clusters: self.n_clusters,
            init,
            n_init: self.n_init,
            max_iter: self.max_iter,
            tol: self.tol,
            seed: self.seed,
            spherical: self.spherical,
            max_points_per_center: self.max_points_per_center,
            learned: self.fitted.as_ref().map(|fitted| (fitted.inertia, fitted.n_iter)),
        })
    }

    /// Given centers to start from.
    pub(crate) fn initial_centers(&self) -> Option<&Array2<F>> {
        match &self.init {
            KMeansInit::Centers(centers) => Some(centers),
            _ => None,
        }
    }

    /// What was learned.
    pub(crate) fn learned_numbers(&self) -> Option<Learned<F>> {
        self.fitted.as_ref().map(|fitted| Learned {
            centers: fitted.nearest.centers(),
            mean: fitted.mean.clone(),
            labels: fitted.labels.to_vec(),
        })
    }

    /// Refuses settings that `fit` would refuse.
    pub(crate) fn check_settings(&self) -> Result<()> {
        self.check_parameters()
    }

    /// A k-means of these settings and numbers, whose lengths have been checked to fit each other.
    pub(crate) fn of_record(
        settings: Settings,
        initial: Option<Array2<F>>,
        learned: Option<Learned<F>>,
    ) -> Result<Self> {
        let init = match (settings.init, initial) {
            (Start::Centers, Some(centers)) => KMeansInit::Centers(centers),
            (Start::Random, _) => KMeansInit::Random,
            _ => KMeansInit::PlusPlus,
        };
        let mut kmeans = Self {
            n_clusters: settings.n_clusters,
            init,
            n_init: settings.n_init,
            max_iter: settings.max_iter,
            tol: settings.tol,
            seed: settings.seed,
            spherical: settings.spherical,
            max_points_per_center: settings.max_points_per_center,
            fitted: None,
        };
        kmeans.check_parameters()?;
        if let (Some(learned), Some((inertia, n_iter))) = (learned, settings.learned) {
            kmeans.fitted = Some(kmeans.fitted_from(learned, inertia, n_iter)?);
        }
        Ok(kmeans)
    }

    fn fitted_from(&self, learned: Learned<F>, inertia: f64, n_iter: usize) -> Result<Fitted<F>> {
        let Learned { centers, mean, labels } = learned;
        let refused =
            |name, value: String, expected: String| Error::invalid_parameter("KMeans", name, value, expected);
        if self.n_clusters > MOST_CLUSTERS {
            let expected = format!("at most {MOST_CLUSTERS}");
            return Err(refused("n_clusters", self.n_clusters.to_string(), expected));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= self.n_clusters) {
            return Err(refused("labels", label.to_string(), format!("labels below {}", self.n_clusters)));
        }
        if inertia < 0.0 {
            return Err(refused("inertia", inertia.to_string(), "at least 0".into()));
        }
        let (spherical, labels) = (self.spherical, Array1::from(labels));
        Ok(Fitted { spherical, labels, inertia, n_iter, ..Fitted::new(&centers, mean) })
    }
}
