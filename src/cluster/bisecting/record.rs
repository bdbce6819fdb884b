//! A bisecting k-means taken apart and put together again, with its tree.

use super::{BisectingKMeans, BisectingStrategy, Tree};
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
    n_init: usize,
    max_iter: usize,
    tol: f64,
    strategy: BisectingStrategy,
    seed: u64,
    /// The inertia and the number of splits; `None` before the first fit.
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

    /// The leaves, and the clusters that were split.
    fn n_centers(&self) -> usize {
        self.n_clusters.saturating_mul(2).saturating_sub(1)
    }

    fn lists(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        vec![("children", vec![self.n_clusters.saturating_sub(1), 2], true)]
    }
}

impl<F: Float> Recorded<F> for BisectingKMeans<F> {
    const KIND: &'static str = "bisecting_kmeans";
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
            strategy: self.strategy,
            seed: self.seed,
            learned: self.fitted.as_ref().map(|(fitted, _)| (fitted.inertia, fitted.n_iter)),
        }
    }

    fn learned(&self) -> Option<(&Fitted<F>, Vec<List>)> {
        let (fitted, tree) = self.fitted.as_ref()?;
        Some((fitted, vec![List::Whole(tree.children.iter().flatten().copied().collect())]))
    }

    fn restore(settings: Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self> {
        let Settings { n_clusters, n_init, max_iter, tol, strategy, seed, .. } = settings;
        let mut kmeans = Self { n_clusters, init, n_init, max_iter, tol, strategy, seed, fitted: None };
        kmeans.check_parameters()?;
        let Some((learned, counters)) = learned.zip(settings.learned) else { return Ok(kmeans) };
        let (fitted, lists) = learned.fitted(Self::NAME, n_clusters, counters)?;
        let children = lists.into_iter().next().map(List::whole).unwrap_or_default();
        let tree = Tree { children: children.as_chunks::<2>().0.to_vec() };
        if !tree.is_sound(n_clusters) {
            let expected =
                "two clusters for each that was split, every cluster but the first split of one before it";
            return Err(Error::invalid_parameter(Self::NAME, "children", "others", expected));
        }
        kmeans.fitted = Some((fitted, tree));
        Ok(kmeans)
    }
}
