//! A mini-batch k-means as a record and back: it continues learning where it was.

use super::{MiniBatchKMeans, Standing};
use crate::cluster::KMeansInit;
use crate::cluster::kmeans::fitted::Fitted;
use crate::cluster::kmeans::record::{Learned, List, Outline, Recorded, Start};
use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};

/// The settings, and the counters of what was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    n_clusters: usize,
    init: Start,
    n_init: Option<usize>,
    batch_size: usize,
    max_iter: usize,
    tol: f64,
    max_no_improvement: Option<usize>,
    init_size: Option<usize>,
    reassignment_ratio: f64,
    seed: u64,
    /// `None` before the first fit.
    learned: Option<Counters>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counters {
    inertia: f64,
    n_iter: usize,
    steps: usize,
    since_reassignment: usize,
}

/// The most that a counter can have come to; far from where counting would overflow.
const MOST_STEPS: usize = usize::MAX >> 4;

impl Outline for Settings {
    fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    fn init(&self) -> Start {
        self.init
    }

    fn is_learned(&self) -> bool {
        self.learned.is_some()
    }

    fn lists(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        vec![("counts", vec![self.n_clusters], false)]
    }
}

impl<F: Float> Recorded<F> for MiniBatchKMeans<F> {
    const KIND: &'static str = "mini_batch_kmeans";
    const TYPE: &'static str = Self::NAME;
    type Settings = Settings;

    fn check(&self) -> Result<()> {
        self.check_parameters()
    }

    fn start(&self) -> &KMeansInit<F> {
        &self.init
    }

    fn settings(&self, init: Start) -> Settings {
        let learned = self.fitted.as_ref().map(|(Fitted { inertia, n_iter, .. }, standing)| Counters {
            inertia: *inertia,
            n_iter: *n_iter,
            steps: standing.steps,
            since_reassignment: standing.since_reassignment,
        });
        Settings {
            n_clusters: self.n_clusters,
            init,
            n_init: self.n_init,
            batch_size: self.batch_size,
            max_iter: self.max_iter,
            tol: self.tol,
            max_no_improvement: self.max_no_improvement,
            init_size: self.init_size,
            reassignment_ratio: self.reassignment_ratio,
            seed: self.seed,
            learned,
        }
    }

    fn learned(&self) -> Option<(&Fitted<F>, Vec<List>)> {
        let (fitted, standing) = self.fitted.as_ref()?;
        Some((fitted, vec![List::Real(standing.counts.clone())]))
    }

    fn restore(settings: Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self> {
        let mut kmeans = Self {
            n_clusters: settings.n_clusters,
            init,
            n_init: settings.n_init,
            batch_size: settings.batch_size,
            max_iter: settings.max_iter,
            tol: settings.tol,
            max_no_improvement: settings.max_no_improvement,
            init_size: settings.init_size,
            reassignment_ratio: settings.reassignment_ratio,
            seed: settings.seed,
            fitted: None,
        };
        kmeans.check_parameters()?;
        let Some((learned, counters)) = learned.zip(settings.learned) else { return Ok(kmeans) };
        let Counters { inertia, n_iter, steps, since_reassignment } = counters;
        let (fitted, lists) = learned.fitted(Self::NAME, kmeans.n_clusters, (inertia, n_iter))?;
        let counts = lists.into_iter().next().map(List::real).unwrap_or_default();
        if let Some(count) = counts.iter().find(|&&count| count < 0.0) {
            return Err(Error::invalid_parameter(Self::NAME, "counts", count, "numbers of at least 0"));
        }
        for (name, value) in [("steps", steps), ("since_reassignment", since_reassignment)] {
            if value > MOST_STEPS {
                return Err(Error::invalid_parameter(
                    Self::NAME,
                    name,
                    value,
                    format!("at most {MOST_STEPS}"),
                ));
            }
        }
        kmeans.fitted = Some((fitted, Standing { counts, since_reassignment, steps }));
        Ok(kmeans)
    }
}
