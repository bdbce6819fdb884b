//! Exact pruning of the later iterations: rows that keep their label without a distance computation.
//!
//! For each row a lower bound of its *gap* is kept: the distance to the second nearest center less that to the nearest. When
//! the centers move, the gap shrinks by at most the move of the row's center plus the largest move of another one (the
//! triangle inequality; Hamerly, Making k-means even faster, 2010, whose two bounds are here one number). As long as the gap
//! stays above a margin for the rounding of distances, the row would get the same label again, and is skipped. The other rows
//! are gathered and searched as ever, so that labels, centers and iterations are those of plain Lloyd, to the bit.
//!
//! Computing the gaps of all rows costs more than a plain pass. So a sample of rows first estimates what fraction pruning would
//! leave undecided ([`estimate`]); pruning begins when that is worthwhile, and gaps that have become too loose are recomputed.
//!
//! Late in a run most centers rest. An undecided row of such a cluster is compared with the centers that [`moved`] alone.
//!
//! The margin: a score is off by at most E = γ(‖x‖ + C)²/2, γ = (d + 8)ε, C the largest norm of a center less the mean
//! (`assign::kernel` has the proof). A distance computed from it is then off by √(2γ)(‖x‖ + C), a gap by twice that. The label
//! is that of the smallest distance by the direct formula, whose relative error is below γ: two distances whose difference is
//! above √γ(‖x‖ + C) are not exchanged by it, the less so as √γ is much larger than γ.

mod estimate;
mod gaps;
pub(crate) mod moved;
pub(crate) mod undecided;

use super::assign::packed_centers::{PackedCenters, SquaredNorms};
use super::samples::Samples;
use crate::float::Float;
use crate::linalg::distance::sum_over;
use crate::simd::vectorize;
use estimate::PruningEstimate;
use gaps::{Rounding, round_down, round_up};
use moved::MovedCenters;
use undecided::UndecidedRows;

/// Clusters from which on the search among few rows costs more than updating the gaps, and clusters times features.
const MIN_SIZES_TO_PRUNE: [usize; 2] = [16, 192];

/// Rows that are pruned together.
pub(crate) const BLOCK: usize = 4096;

/// The state of pruning that all rows share.
#[derive(Debug)]
pub(crate) struct Pruning<F> {
    n_samples: usize,
    /// Whether rows are skipped in this iteration.
    active: bool,
    /// Whether the gaps of all rows have to be computed in this iteration.
    recompute: bool,
    /// The fraction of undecided rows up to which pruning is faster than searching all rows.
    max_undecided: f64,
    /// For each cluster, how much the gaps of its rows shrink.
    shrinkage: Vec<f32>,
    rounding: Rounding,
    moved: MovedCenters<F>,
    estimate: PruningEstimate<F>,
}

impl<F: Float> Pruning<F> {
    /// Pruning for rows that are centered by `mean`, and for these centers.
    pub(crate) fn new(samples: &Samples<'_, F>, mean: &[F], centers: &PackedCenters<F>) -> Self {
        let (n_clusters, d) = (centers.n_clusters(), samples.n_features);
        Self {
            n_samples: samples.n_samples(),
            active: false,
            recompute: false,
            max_undecided: max_undecided(n_clusters as f64, d as f64),
            shrinkage: vec![0.0; n_clusters],
            rounding: Rounding::new::<F>(d),
            moved: MovedCenters::new(n_clusters, d),
            estimate: PruningEstimate::new(samples, mean, centers),
        }
    }

    /// Whether the search can cost more than updating the gaps. Rows that stay packed in the cache cost less to search.
    pub(crate) fn is_worthwhile(n_clusters: usize, n_features: usize, stay_packed: bool) -> bool {
        let [clusters, elements] = MIN_SIZES_TO_PRUNE;
        n_clusters > 1 && !stay_packed
            || n_clusters >= clusters && n_clusters.saturating_mul(n_features) >= elements
    }

    /// Prunes whatever it costs.
    #[cfg(test)]
    pub(crate) fn force(&mut self) {
        self.max_undecided = f64::INFINITY;
        self.moved.force();
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    /// Discards the gaps.
    pub(crate) fn reset(&mut self) {
        (self.active, self.recompute) = (false, false);
        self.estimate.invalidate();
    }

    /// Updates the shrinkage after a move of the centers (k, d), and decides whether to prune the next pass. `max_half_norm` is
    /// the largest ½‖c‖²; the mean and the norms are those for which the centers are packed.
    pub(crate) fn update(
        &mut self,
        (from, to): (&[F], &[F]),
        max_half_norm: F,
        (mean, norms): (&[F], SquaredNorms),
    ) {
        let d = mean.len();
        self.moved.update(from, to, mean, norms);
        vectorize(
            #[inline(always)]
            || {
                let centers = from.chunks_exact(d).zip(to.chunks_exact(d));
                for (shift, (from, to)) in self.shrinkage.iter_mut().zip(centers) {
                    let square = sum_over(from, to, |from, to| {
                        let step = to.as_f64() - from.as_f64();
                        step * step
                    });
                    // Up, by more than the sum is rounded.
                    *shift = round_up(square.sqrt() * (1.0 + 1e-6));
                }
            },
        );
        let ((mut largest, mut cluster_of_largest), mut second) = ((0.0, 0), 0.0);
        for (cluster, &shift) in self.shrinkage.iter().enumerate() {
            if shift > largest {
                (largest, cluster_of_largest, second) = (shift, cluster, largest);
            } else if shift > second {
                second = shift;
            }
        }
        for (cluster, shift) in self.shrinkage.iter_mut().enumerate() {
            let other = if cluster == cluster_of_largest { second } else { largest };
            *shift = round_up(f64::from(*shift) + f64::from(other));
        }
        self.rounding.max_center_norm = (2.0 * max_half_norm.as_f64()).sqrt() * (1.0 + 1e-6);
        self.decide();
    }

    /// Decides by the fraction of the sampled rows that would be undecided, were all gaps up to date; those of clusters that rest
    /// count by what they cost.
    fn decide(&mut self) {
        /// The gaps of all rows have to be computed first, and get looser with each move.
        const RESERVE: f64 = 0.7;
        let margin = self.rounding.margin();
        let cost = |gap, label| match is_undecided(shrunk(gap, &self.shrinkage, label), margin) {
            true => self.moved.cost_of_row(label),
            false => 0.0,
        };
        let Some(undecided) = self.estimate.undecided_fraction(cost) else { return };
        let limit = if self.active { self.max_undecided } else { RESERVE * self.max_undecided };
        self.recompute |= !self.active;
        self.active = undecided <= limit;
    }

    /// Ends a pass about the centers, in which this many rows were searched among all of them, and this many compared with
    /// those that moved.
    pub(crate) fn end_pass(&mut self, searched: usize, compared: usize, centers: &PackedCenters<F>) {
        let cost = searched as f64 + compared as f64 * self.moved.cost.unwrap_or(0.0);
        // Gaps that have become too loose to skip rows are computed again.
        self.recompute = !self.recompute && cost > self.n_samples as f64 * self.max_undecided;
        self.estimate.measure(self.rounding, centers);
    }

    /// Shrinks the gaps of the rows from `first` on and collects the rows that have to be searched. Those of clusters that rest
    /// are collected apart, and keep their gaps.
    pub(crate) fn prune(
        &self,
        first: usize,
        gaps: &mut [f32],
        labels: &[u32],
        undecided: &mut UndecidedRows,
    ) {
        if self.recompute {
            undecided.set_all(first, labels.len());
            return;
        }
        let margin = self.rounding.margin();
        vectorize(
            #[inline(always)]
            || {
                let (mut count, mut resting_count) = (0, 0);
                let UndecidedRows { searched, first: consecutive, resting } = undecided;
                let rows = searched.buffer(labels.len());
                let resting_rows = resting.buffer(labels.len());
                for (row, (gap, label)) in (first as u32..).zip(gaps.iter_mut().zip(labels)) {
                    let shrunk = shrunk(*gap, &self.shrinkage, *label);
                    let undecided = is_undecided(shrunk, margin);
                    let rests = undecided & (self.moved.rests[*label as usize] != 0);
                    *gap = if rests { *gap } else { shrunk };
                    // Without a branch: which rows are undecided is hard to predict.
                    (rows[count], resting_rows[resting_count]) = (row, row);
                    count += usize::from(undecided & !rests);
                    resting_count += usize::from(rests);
                }
                searched.truncate(count);
                resting.truncate(resting_count);
                *consecutive = None;
            },
        );
        // This many are faster to read sequentially.
        if undecided.searched.count() > labels.len() / 10 * 6 {
            undecided.set_all(first, labels.len());
        }
    }
}

/// Whether a row must be searched again: its gap is at most the margin, or NaN.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN gap must count as undecided")]
fn is_undecided(gap: f32, margin: f32) -> bool {
    !(gap > margin)
}

/// The gap of a row with this label after a move of the centers.
#[inline(always)]
fn shrunk(gap: f32, shrinkage: &[f32], label: u32) -> f32 {
    round_down(gap - shrinkage[label as usize])
}

/// The fraction of undecided rows up to which pruning is faster than searching all rows. From measurements with AVX-512, in
/// cycles a row: searched with all others, gathered and searched, and skipped.
fn max_undecided(n_clusters: f64, n_features: f64) -> f64 {
    let skipped = 6.0;
    ((cycles(n_clusters, n_features) - skipped) / cycles_of_gathered(n_clusters, n_features)).max(0.0)
}

/// The cycles of a search of one row among others that are read one after the other.
fn cycles(n_clusters: f64, n_features: f64) -> f64 {
    n_clusters * n_features / 32.0 + n_features / 2.0 + 8.0
}

/// The cycles of a search of a row that is gathered.
fn cycles_of_gathered(n_clusters: f64, n_features: f64) -> f64 {
    1.15 * cycles(n_clusters, n_features) + n_features + 35.0
}

#[cfg(test)]
mod tests {
    use super::super::assign::packed_centers::SquaredNorms;
    use super::*;

    /// Rows at -10 and 10 are 20 nearer to one center than to the other.
    #[test]
    fn gaps_are_used_where_the_moves_of_two_centers_add_up_to_less() {
        let values: Vec<f32> = (0..640).map(|row| if row % 4 == 0 { -10.0 } else { 10.0 }).collect();
        let samples = Samples { values: &values, n_features: 1, weights: None };
        let (mut centers, from) = (PackedCenters::new(2, 1), [-10.0, 10.0]);
        centers.set(&from, &[0.0], SquaredNorms { typical: 100.0, largest: 100.0 });
        let mut pruning = Pruning::new(&samples, &[0.0], &centers);
        for (to, used) in [([-6.0, 13.0], true), ([-1.0, 22.0], false), ([-10.0, 10.0], true)] {
            pruning.reset();
            let norms = SquaredNorms { typical: 100.0, largest: 100.0 };
            pruning.update((&from, &from), centers.max_half_norm, (&[0.0], norms));
            assert!(!pruning.is_active(), "no gaps are known yet");
            pruning.end_pass(0, 0, &centers);
            pruning.update((&from, &to), centers.max_half_norm, (&[0.0], norms));
            assert_eq!(pruning.is_active(), used, "to {to:?}");
        }
    }
}
