//! Clusterings taken apart into settings and numbers, and put together again.

use super::fitted::Fitted;
use super::packed_centers::MOST_CLUSTERS;
use super::{KMeans, KMeansInit};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A clustering as a file has it: settings, and numbers of which these are the lists.
pub(crate) trait Recorded<F: Float>: Sized {
    /// The kind in files. Kinds are never taken away, for files name them.
    const KIND: &'static str;
    /// The type, in messages.
    const TYPE: &'static str;
    /// The settings, and the counters of what was learned.
    type Settings: Outline + Serialize + DeserializeOwned;

    /// Refuses settings that `fit` would refuse.
    fn check(&self) -> Result<()>;

    /// Where the centers start.
    fn start(&self) -> &KMeansInit<F>;

    /// The settings, with this for the start.
    fn settings(&self, init: Start) -> Self::Settings;

    /// What was learned, with the lists that only this clustering has.
    fn learned(&self) -> Option<(&Fitted<F>, Vec<List>)>;

    /// The clustering of a file, whose lists have the lengths that the settings' [`Outline`] asks for.
    fn restore(settings: Self::Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self>;
}

/// What settings say of the numbers that belong to them.
pub(crate) trait Outline {
    fn n_clusters(&self) -> usize;

    fn init(&self) -> Start;

    fn is_learned(&self) -> bool;

    /// How many centers were learned.
    fn n_centers(&self) -> usize {
        self.n_clusters()
    }

    /// The lists that only this clustering has: their names and shapes, and whether they are of whole numbers.
    fn lists(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        Vec::new()
    }
}

/// Numbers that are no coordinates.
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

/// What was learned, as the numbers of a file.
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
    /// What a fit would have left behind, with the lists.
    pub(crate) fn fitted(
        self,
        owner: &'static str,
        n_clusters: usize,
        (inertia, n_iter): (f64, usize),
    ) -> Result<(Fitted<F>, Vec<List>)> {
        let Self { centered, mean, labels, lists } = self;
        let refused =
            |name, value: String, expected: String| Error::invalid_parameter(owner, name, value, expected);
        if n_clusters > MOST_CLUSTERS {
            let expected = format!("at most {MOST_CLUSTERS}");
            return Err(refused("n_clusters", n_clusters.to_string(), expected));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= n_clusters) {
            return Err(refused("labels", label.to_string(), format!("labels below {n_clusters}")));
        }
        if inertia < 0.0 {
            return Err(refused("inertia", inertia.to_string(), "at least 0".into()));
        }
        let labels = Array1::from(labels);
        Ok((Fitted { n_clusters, labels, inertia, n_iter, ..Fitted::new(centered, mean) }, lists))
    }
}

/// Where the centers start, but for given centers themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    PlusPlus,
    Random,
    Centers,
}

impl<F: Float> KMeansInit<F> {
    /// The start without its numbers; `None` for a function.
    pub(crate) fn name(&self) -> Option<Start> {
        match self {
            Self::PlusPlus => Some(Start::PlusPlus),
            Self::Random => Some(Start::Random),
            Self::Centers(_) => Some(Start::Centers),
            Self::Function(_) => None,
        }
    }

    /// The start of a name, which takes the centers if it is one of given ones.
    pub(crate) fn of_name(name: Start, centers: Option<Array2<F>>) -> Self {
        match (name, centers) {
            (Start::Centers, Some(centers)) => Self::Centers(centers),
            (Start::Random, _) => Self::Random,
            _ => Self::PlusPlus,
        }
    }
}

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    feature_names: Vec<String>,
    /// The inertia and the iterations of the best run; `None` before the first fit.
    learned: Option<(f64, usize)>,
}

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
}

impl<F: Float> Recorded<F> for KMeans<F> {
    const KIND: &'static str = "kmeans";
    const TYPE: &'static str = Self::NAME;
    type Settings = Settings;

    fn check(&self) -> Result<()> {
        self.check_parameters()
    }

    fn start(&self) -> &KMeansInit<F> {
        &self.init
    }

    fn settings(&self, init: Start) -> Settings {
        Settings {
            n_clusters: self.n_clusters,
            init,
            n_init: self.n_init,
            max_iter: self.max_iter,
            tol: self.tol,
            seed: self.seed,
            spherical: self.spherical,
            max_points_per_center: self.max_points_per_center,
            feature_names: self.feature_names.clone(),
            learned: self.fitted.as_ref().map(|fitted| (fitted.inertia, fitted.n_iter)),
        }
    }

    fn learned(&self) -> Option<(&Fitted<F>, Vec<List>)> {
        self.fitted.as_ref().map(|fitted| (fitted, Vec::new()))
    }

    fn restore(settings: Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self> {
        let Settings { n_clusters, n_init, max_iter, tol, seed, spherical, max_points_per_center, .. } =
            settings;
        let feature_names = settings.feature_names;
        let mut kmeans = Self {
            n_clusters,
            init,
            n_init,
            max_iter,
            tol,
            seed,
            spherical,
            max_points_per_center,
            verbose: false,
            feature_names,
            fitted: None,
        };
        kmeans.check_parameters()?;
        if let Some((learned, counters)) = learned.zip(settings.learned) {
            let (fitted, _) = learned.fitted(Self::NAME, n_clusters, counters)?;
            kmeans.check_feature_names(fitted.mean.len())?;
            kmeans.fitted = Some(Fitted { spherical, ..fitted });
        }
        Ok(kmeans)
    }
}
