//! A mini-batch k-means as a record, and its restoration: it continues to learn where it was.

use super::MiniBatchKMeans;
use super::progress::Counters;
use super::settings::MiniBatchSettings;
use crate::cluster::KMeansInit;
use crate::cluster::kmeans::fitted::FittedCenters;
use crate::cluster::kmeans::record::{Learned, List, Outline, Recorded, SettingsRecord, Start};
use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};

/// The counters of a fit that are single numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename = "Counters", deny_unknown_fields)]
pub(crate) struct CounterRecord {
    inertia: f64,
    n_iter: usize,
    steps: usize,
    since_reassignment: usize,
}

/// The largest counter of a file; far from where counting would overflow.
const MAX_STEPS: usize = usize::MAX >> 4;

impl Outline for SettingsRecord<MiniBatchSettings<Start>, CounterRecord> {
    fn n_clusters(&self) -> usize {
        self.settings.n_clusters
    }

    fn init(&self) -> Start {
        self.settings.init
    }

    fn is_learned(&self) -> bool {
        self.learned.is_some()
    }

    fn lists(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        vec![("counts", vec![self.settings.n_clusters], false)]
    }
}

impl<F: Float> Recorded<F> for MiniBatchKMeans<F> {
    const KIND: &'static str = "mini_batch_kmeans";
    const TYPE: &'static str = Self::NAME;
    type Settings = SettingsRecord<MiniBatchSettings<Start>, CounterRecord>;

    fn check(&self) -> Result<()> {
        self.settings.check()
    }

    fn start(&self) -> &KMeansInit<F> {
        &self.settings.init
    }

    fn settings(&self, init: Start) -> Self::Settings {
        let learned = self.fitted.as_ref().map(|(FittedCenters { inertia, n_iter, .. }, counters)| {
            let &Counters { steps, since_reassignment, .. } = counters;
            CounterRecord { inertia: *inertia, n_iter: *n_iter, steps, since_reassignment }
        });
        SettingsRecord { settings: self.settings.with_init(init), learned }
    }

    fn learned(&self) -> Option<(&FittedCenters<F>, Vec<List>)> {
        let (fitted, counters) = self.fitted.as_ref()?;
        Some((fitted, vec![List::Real(counters.counts.clone())]))
    }

    fn restore(record: Self::Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self> {
        let settings = record.settings.with_init(init);
        settings.check()?;
        let mut kmeans = Self { settings, fitted: None };
        let Some((learned, counters)) = learned.zip(record.learned) else { return Ok(kmeans) };
        let CounterRecord { inertia, n_iter, steps, since_reassignment } = counters;
        let (fitted, lists) = learned.fitted(Self::NAME, kmeans.settings.n_clusters, (inertia, n_iter))?;
        let counts = lists.into_iter().next().map(List::real).unwrap_or_default();
        if let Some(count) = counts.iter().find(|&&count| count < 0.0) {
            return Err(Error::invalid_parameter(Self::NAME, "counts", count, "numbers of at least 0"));
        }
        for (name, value) in [("steps", steps), ("since_reassignment", since_reassignment)] {
            if value > MAX_STEPS {
                let expected = format!("at most {MAX_STEPS}");
                return Err(Error::invalid_parameter(Self::NAME, name, value, expected));
            }
        }
        kmeans.fitted = Some((fitted, Counters { counts, since_reassignment, steps }));
        Ok(kmeans)
    }
}
