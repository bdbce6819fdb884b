//! The centers that moved in the last step, where the others rest.
//!
//! A row whose own center rests can only have come nearer to a center that moved. Where few did, it is compared with those
//! alone: its label stands if its gap to the nearest of them is above the margin, and its gap is then the smaller one of that and
//! of the one that it had. A row that fails is searched among all centers as ever.

use crate::cluster::kmeans::assign::packed_centers::{PackedCenters, SquaredNorms};
use crate::float::Float;

/// The centers that moved, packed, and which clusters rest.
#[derive(Debug)]
pub(crate) struct MovedCenters<F> {
    pub(super) packed: PackedCenters<F>,
    /// For each cluster 1 if its center rests and few moved, else 0.
    pub(super) rests: Vec<u8>,
    /// The cost of comparing a row with the centers that moved, as a fraction of a search among all; `None` if it does not pay.
    pub(super) cost: Option<f64>,
    /// The largest cost that pays.
    max_cost: f64,
}

impl<F: Float> MovedCenters<F> {
    /// Memory for `n_clusters` centers.
    pub(super) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self {
            packed: PackedCenters::new(n_clusters, n_features),
            rests: vec![0; n_clusters],
            cost: None,
            max_cost: 0.8,
        }
    }

    /// Compares with the centers that moved whatever it costs.
    #[cfg(test)]
    pub(super) fn force(&mut self) {
        self.max_cost = f64::INFINITY;
    }

    /// Finds the centers that moved, and packs them if few did.
    pub(super) fn update(&mut self, from: &[F], to: &[F], mean: &[F], norms: SquaredNorms) {
        let (d, n_clusters) = (mean.len(), self.rests.len());
        let centers = || from.chunks_exact(d).zip(to.chunks_exact(d));
        let mut n_moved = 0;
        for (rests, (from, to)) in self.rests.iter_mut().zip(centers()) {
            *rests = u8::from(from == to);
            n_moved += usize::from(from != to);
        }
        let cost = cost_of_comparison(n_moved as f64, n_clusters as f64, d as f64);
        self.cost = (n_moved > 0 && n_moved < n_clusters && cost <= self.max_cost).then_some(cost);
        if self.cost.is_some() {
            let moved = centers().filter(|(from, to)| from != to).map(|(_, to)| to);
            self.packed.set_rows(moved, mean, norms);
        } else {
            self.rests.fill(0);
        }
    }

    /// The cost of a row of this cluster that pruning leaves undecided, in searches among all centers.
    pub(super) fn cost_of_row(&self, cluster: u32) -> f64 {
        self.cost.filter(|_| self.rests[cluster as usize] != 0).unwrap_or(1.0)
    }
}

/// The cost of comparing a gathered row with its own center and those that moved, as a fraction of its search among all.
fn cost_of_comparison(n_moved: f64, n_clusters: f64, n_features: f64) -> f64 {
    let own = n_features / 4.0 + 12.0;
    (super::cycles_of_gathered(n_moved, n_features) + own) / super::cycles_of_gathered(n_clusters, n_features)
}
