//! Clusterings as records: settings, and arrays of numbers.

use super::assign::packed_centers::MAX_CLUSTERS;
use super::fitted::FittedCenters;
use super::settings::KMeansSettings;
use super::{KMeans, KMeansInit};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A clustering that is saved as settings and arrays.
pub(crate) trait Recorded<F: Float>: Sized {
    /// The kind in files. Kinds are never removed: files name them.
    const KIND: &'static str;
    /// The name of the type in messages.
    const TYPE: &'static str;
    /// The settings, and the counters of a fit.
    type Settings: Outline + Serialize + DeserializeOwned;

    /// Refuses settings that `fit` would refuse.
    fn check(&self) -> Result<()>;

    /// The initialization.
    fn start(&self) -> &KMeansInit<F>;

    /// The settings, with this name for the initialization.
    fn settings(&self, init: Start) -> Self::Settings;

    /// The fitted centers, with the lists of this kind of clustering.
    fn learned(&self) -> Option<(&FittedCenters<F>, Vec<List>)>;

    /// Restores a clustering, whose lists have the lengths of the settings' [`Outline`].
    fn restore(settings: Self::Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self>;
}

/// The sizes of the arrays that belong to settings.
pub(crate) trait Outline {
    fn n_clusters(&self) -> usize;

    fn init(&self) -> Start;

    fn is_learned(&self) -> bool;

    /// Number of fitted centers.
    fn n_centers(&self) -> usize {
        self.n_clusters()
    }

    /// The lists of this kind of clustering: names and shapes, and whether they hold integers.
    fn lists(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        Vec::new()
    }
}

/// A list of counters or indices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum List {
    Whole(Vec<usize>),
    Real(Vec<f64>),
}

impl List {
    pub(crate) fn whole(self) -> Vec<usize> {
        if let Self::Whole(numbers) = self { numbers } else { Vec::new() }
    }

    pub(crate) fn real(self) -> Vec<f64> {
        if let Self::Real(numbers) = self { numbers } else { Vec::new() }
    }
}

/// The arrays of a fitted clustering.
#[derive(Debug)]
pub(crate) struct Learned<F> {
    /// (k, d), less the mean.
    pub(crate) centered: Vec<F>,
    /// (d)
    pub(crate) mean: Vec<F>,
    /// (n)
    pub(crate) labels: Vec<usize>,
    pub(crate) lists: Vec<List>,
}

impl<F: Float> Learned<F> {
    /// Checks the arrays; returns the fitted centers and the lists.
    pub(crate) fn fitted(
        self,
        owner: &'static str,
        n_clusters: usize,
        (inertia, n_iter): (f64, usize),
    ) -> Result<(FittedCenters<F>, Vec<List>)> {
        let Self { centered, mean, labels, lists } = self;
        let refused =
            |name, value: String, expected: String| Error::invalid_parameter(owner, name, value, expected);
        if n_clusters > MAX_CLUSTERS {
            let expected = format!("at most {MAX_CLUSTERS}");
            return Err(refused("n_clusters", n_clusters.to_string(), expected));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= n_clusters) {
            return Err(refused("labels", label.to_string(), format!("labels below {n_clusters}")));
        }
        if inertia < 0.0 {
            return Err(refused("inertia", inertia.to_string(), "at least 0".into()));
        }
        let labels = Array1::from(labels);
        let fitted = FittedCenters::new(centered, mean);
        Ok((FittedCenters { n_clusters, labels, inertia, n_iter, ..fitted }, lists))
    }
}

/// The name of an initialization; given centers are a separate array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    PlusPlus,
    Random,
    Centers,
}

impl<F: Float> KMeansInit<F> {
    /// The name of the initialization; `None` for a function.
    pub(crate) fn name(&self) -> Option<Start> {
        match self {
            Self::PlusPlus => Some(Start::PlusPlus),
            Self::Random => Some(Start::Random),
            Self::Centers(_) => Some(Start::Centers),
            Self::Function(_) => None,
        }
    }

    /// The initialization of this name, with the given centers if there are any.
    pub(crate) fn of_name(name: Start, centers: Option<Array2<F>>) -> Self {
        match (name, centers) {
            (Start::Centers, Some(centers)) => Self::Centers(centers),
            (Start::Random, _) => Self::Random,
            _ => Self::PlusPlus,
        }
    }
}

/// Settings as a record, with the counters of a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsRecord<S, C> {
    #[serde(flatten)]
    pub(crate) settings: S,
    /// `None` before the first fit.
    pub(crate) learned: Option<C>,
}

/// The inertia and the iterations of the best run.
type Counters = (f64, usize);

impl Outline for SettingsRecord<KMeansSettings<Start>, Counters> {
    fn n_clusters(&self) -> usize {
        self.settings.n_clusters
    }

    fn init(&self) -> Start {
        self.settings.init
    }

    fn is_learned(&self) -> bool {
        self.learned.is_some()
    }
}

impl<F: Float> Recorded<F> for KMeans<F> {
    const KIND: &'static str = "kmeans";
    const TYPE: &'static str = Self::NAME;
    type Settings = SettingsRecord<KMeansSettings<Start>, Counters>;

    fn check(&self) -> Result<()> {
        self.settings.check()
    }

    fn start(&self) -> &KMeansInit<F> {
        &self.settings.init
    }

    fn settings(&self, init: Start) -> Self::Settings {
        let learned = self.fitted.as_ref().map(|fitted| (fitted.inertia, fitted.n_iter));
        SettingsRecord { settings: self.settings.with_init(init), learned }
    }

    fn learned(&self) -> Option<(&FittedCenters<F>, Vec<List>)> {
        self.fitted.as_ref().map(|fitted| (fitted, Vec::new()))
    }

    fn restore(record: Self::Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self> {
        let settings = record.settings.with_init(init);
        settings.check()?;
        let mut kmeans = Self { settings, fitted: None };
        if let Some((learned, counters)) = learned.zip(record.learned) {
            let (fitted, _) = learned.fitted(Self::NAME, kmeans.settings.n_clusters, counters)?;
            kmeans.check_feature_names(fitted.mean.len())?;
            // A fit on batches has no labels.
            let sizes = fitted.labels.is_empty().then(Vec::new);
            kmeans.fitted = Some(FittedCenters { spherical: kmeans.settings.spherical, sizes, ..fitted });
        }
        Ok(kmeans)
    }
}
