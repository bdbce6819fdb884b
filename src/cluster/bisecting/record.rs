//! A bisecting k-means as a record, with its tree, and its restoration.

use super::BisectingKMeans;
use super::settings::BisectingSettings;
use super::tree::Tree;
use crate::cluster::KMeansInit;
use crate::cluster::kmeans::fitted::FittedCenters;
use crate::cluster::kmeans::record::{Learned, List, Outline, Recorded, SettingsRecord, Start};
use crate::error::{Error, Result};
use crate::float::Float;

/// The inertia and the number of splits.
type Counters = (f64, usize);

impl Outline for SettingsRecord<BisectingSettings<Start>, Counters> {
    fn n_clusters(&self) -> usize {
        self.settings.n_clusters
    }

    fn init(&self) -> Start {
        self.settings.init
    }

    fn is_learned(&self) -> bool {
        self.learned.is_some()
    }

    /// The leaves and the inner nodes.
    fn n_centers(&self) -> usize {
        self.settings.n_clusters.saturating_mul(2).saturating_sub(1)
    }

    fn lists(&self) -> Vec<(&'static str, Vec<usize>, bool)> {
        vec![("children", vec![self.settings.n_clusters.saturating_sub(1), 2], true)]
    }
}

impl<F: Float> Recorded<F> for BisectingKMeans<F> {
    const KIND: &'static str = "bisecting_kmeans";
    const TYPE: &'static str = Self::NAME;
    type Settings = SettingsRecord<BisectingSettings<Start>, Counters>;

    fn check(&self) -> Result<()> {
        self.settings.check()
    }

    fn start(&self) -> &KMeansInit<F> {
        &self.settings.init
    }

    fn settings(&self, init: Start) -> Self::Settings {
        let learned = self.fitted.as_ref().map(|(fitted, _)| (fitted.inertia, fitted.n_iter));
        SettingsRecord { settings: self.settings.with_init(init), learned }
    }

    fn learned(&self) -> Option<(&FittedCenters<F>, Vec<List>)> {
        let (fitted, tree) = self.fitted.as_ref()?;
        Some((fitted, vec![List::Whole(tree.children.iter().flatten().copied().collect())]))
    }

    fn restore(record: Self::Settings, init: KMeansInit<F>, learned: Option<Learned<F>>) -> Result<Self> {
        let settings = record.settings.with_init(init);
        settings.check()?;
        let n_clusters = settings.n_clusters;
        let mut kmeans = Self { settings, fitted: None };
        let Some((learned, counters)) = learned.zip(record.learned) else { return Ok(kmeans) };
        let (fitted, lists) = learned.fitted(Self::NAME, n_clusters, counters)?;
        let children = lists.into_iter().next().map(List::whole).unwrap_or_default();
        let tree = Tree { children: children.as_chunks::<2>().0.to_vec() };
        if !tree.is_valid(n_clusters) {
            let expected =
                "two clusters for each that was split, every cluster but the first split of one before it";
            return Err(Error::invalid_parameter(Self::NAME, "children", "others", expected));
        }
        kmeans.fitted = Some((fitted, tree));
        Ok(kmeans)
    }
}
