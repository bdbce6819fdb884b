//! Rows that keep their center without being asked: exact pruning of the later iterations.
//!
//! For each row a lower bound of its *gap* is kept, the distance to the second nearest center less that to the
//! nearest. When the centers move, the gap shrinks by no more than the move of the own center and the largest move
//! of another (the triangle inequality; Hamerly, Making k-means even faster, 2010). As long as it stays above a
//! margin for the rounding of distances, the row would get the same label again, and is left out. The other
//! rows are gathered and searched as ever, so that labels, centers and iterations are those of plain Lloyd, to the
//! bit. Before the gaps of all rows are computed, those of a sample estimate how many rows pruning would skip (`pruning_estimate`).
//!
//! The margin: a score is off by at most E = γ(‖x‖ + C)²/2, γ = (d + 8)ε, C the largest norm of a center less the mean
//! (`assign_kernel` has the proof). A distance computed from it is then off by √(2γ)(‖x‖ + C), a gap by twice that. The label is
//! that of the smallest distance by the direct formula, whose relative error is below γ: two distances whose difference is
//! above √γ(‖x‖ + C) are not exchanged by it, the less so as √γ is much larger than γ.

use super::assign_kernel::AssignKernel;
use super::distance::sum_over;
use super::labels::{UNDECIDED, cluster, relabel_and_record};
use super::packed_centers::{PackedCenters, Reassigned};
use super::packed_rows::PackedRows;
use super::pruning_estimate::PruningEstimate;
use super::samples::Samples;
use crate::float::Float;
use crate::simd::{prefetch, vectorize};
use std::ops::Range;

/// Clusters from which on the search among few rows costs more than keeping the gaps, and how many of their numbers.
const MIN_SIZES_TO_PRUNE: [usize; 2] = [16, 192];

/// What all rows need to know about the iteration.
#[derive(Debug)]
pub(crate) struct Bounds<F> {
    n_samples: usize,
    /// Whether the gaps are in use.
    active: bool,
    /// Whether they have yet to be found.
    fresh: bool,
    /// The part of the rows up to which it is faster to search them again than to search all.
    worth: f64,
    /// For each cluster, how much the gaps of its rows shrink.
    steps: Vec<f32>,
    rounding: Rounding,
    probe: PruningEstimate<F>,
}

/// What bounds the rounding of the search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    /// √γ
    root: f64,
    /// Of a square that no rounding error in the range of denormal numbers exceeds.
    least: f64,
    /// C
    reach: f64,
}

impl<F: Float> Bounds<F> {
    /// Bounds for rows that are centered by `mean`, and for these centers.
    pub(crate) fn new(samples: &Samples<'_, F>, mean: &[F], centers: &PackedCenters<F>) -> Self {
        let (n_clusters, d) = (centers.n_clusters(), samples.n_features);
        let root = ((d + 8) as f64 * F::epsilon().as_f64()).sqrt();
        let least = 4.0 * ((d + 8) as f64 * F::min_positive_value().as_f64()).sqrt();
        Self {
            n_samples: samples.n_samples(),
            active: false,
            fresh: false,
            worth: worth(n_clusters as f64, d as f64),
            steps: vec![0.0; n_clusters],
            rounding: Rounding { root, least, reach: 0.0 },
            probe: PruningEstimate::new(samples, mean, centers),
        }
    }

    /// Whether the search may cost more than keeping the gaps. Few rows stay in the cache, turned: they cost less.
    pub(crate) fn pay(n_clusters: usize, n_features: usize, few: bool) -> bool {
        let [clusters, numbers] = MIN_SIZES_TO_PRUNE;
        n_clusters > 1 && !few || n_clusters >= clusters && n_clusters.saturating_mul(n_features) >= numbers
    }

    /// Uses the gaps whatever they are worth.
    #[cfg(test)]
    pub(crate) fn force(&mut self) {
        self.worth = f64::INFINITY;
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    /// Forgets the gaps.
    pub(crate) fn reset(&mut self) {
        (self.active, self.fresh) = (false, false);
        self.probe.forget();
    }

    /// Takes note of a move of the centers (k, d), and decides whether the gaps are used after it. `longest` is the largest
    /// half norm of a center.
    pub(crate) fn follow(&mut self, from: &[F], to: &[F], longest: F) {
        let d = to.len() / self.steps.len();
        vectorize(
            #[inline(always)]
            || {
                let centers = from.chunks_exact(d).zip(to.chunks_exact(d));
                for (step, (from, to)) in self.steps.iter_mut().zip(centers) {
                    let square = sum_over(from, to, |from, to| {
                        let step = to.as_f64() - from.as_f64();
                        step * step
                    });
                    // Up, by more than the sum is rounded.
                    *step = up(square.sqrt() * (1.0 + 1e-6));
                }
            },
        );
        let (mut largest, mut second) = ((0.0, 0), 0.0);
        for (cluster, &length) in self.steps.iter().enumerate() {
            if length > largest.0 {
                (largest, second) = ((length, cluster), largest.0);
            } else if length > second {
                second = length;
            }
        }
        for (cluster, step) in self.steps.iter_mut().enumerate() {
            let other = if cluster == largest.1 { second } else { largest.0 };
            *step = up(f64::from(*step) + f64::from(other));
        }
        self.rounding.reach = (2.0 * longest.as_f64()).sqrt() * (1.0 + 1e-6);
        self.decide();
    }

    /// Decides by which part of the rows would be unsure, were all gaps up to date.
    fn decide(&mut self) {
        /// The gaps of all rows have to be found first, and get less exact with each move.
        const RESERVE: f64 = 0.7;
        let margin = self.rounding.margin();
        let Some(undecided) =
            self.probe.undecided(|gap, label| is_undecided(shrunk(gap, &self.steps, label), margin))
        else {
            return;
        };
        let worth = if self.active { self.worth } else { RESERVE * self.worth };
        self.fresh |= !self.active;
        self.active = undecided <= worth;
    }

    /// Takes note of how many rows were searched in a pass about the centers.
    pub(crate) fn end(&mut self, searched: usize, centers: &PackedCenters<F>) {
        // Gaps that have become too loose to skip rows are computed again.
        self.fresh = !self.fresh && searched as f64 > self.n_samples as f64 * self.worth;
        self.probe.look(self.rounding, centers);
    }

    /// Which of the rows from `first` on have to be searched: their gaps shrink first.
    pub(crate) fn seek(&self, first: usize, gaps: &mut [f32], labels: &[u32], undecided: &mut Undecided) {
        if self.fresh {
            undecided.all(first, labels.len());
            return;
        }
        let margin = self.rounding.margin();
        vectorize(
            #[inline(always)]
            || {
                let mut count = 0;
                let rows = &mut undecided.rows[..labels.len()];
                for (row, (gap, label)) in (first as u32..).zip(gaps.iter_mut().zip(labels)) {
                    *gap = shrunk(*gap, &self.steps, *label);
                    rows[count] = row;
                    // Written such that NaN is unsure.
                    count += usize::from(is_undecided(*gap, margin));
                }
                (undecided.count, undecided.first) = (count, None);
            },
        );
        // This many are faster to read sequentially.
        if undecided.count > labels.len() / 10 * 6 {
            undecided.all(first, labels.len());
        }
    }
}

impl Rounding {
    /// The gap above which a row keeps its label, but for what depends on the row.
    fn margin(self) -> f32 {
        up(1.5 * self.root * self.reach + self.least)
    }

    /// Bounds of the gaps of rows, by ‖x‖² and the two smallest scores; what the margin needs of ‖x‖ is taken off.
    fn gaps<F: Float>(self, squares: &[F], (smallest, second): (&[F], &[F]), gaps: &mut [f32]) {
        vectorize(
            #[inline(always)]
            || {
                let scores = smallest.iter().zip(second);
                for ((gap, square), (smallest, second)) in gaps.iter_mut().zip(squares).zip(scores) {
                    let square = square.as_f64();
                    let distance = |score: &F| (square + 2.0 * score.as_f64()).max(0.0).sqrt();
                    let off = self.root * (3.0 * (square.sqrt() + self.reach) + 1.5 * square.sqrt());
                    *gap = down(distance(second) - distance(smallest) - off - self.least);
                }
            },
        );
    }
}

/// Whether a row must be searched again: its gap is at most the margin, or NaN.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN gap must count as undecided")]
fn is_undecided(gap: f32, margin: f32) -> bool {
    !(gap > margin)
}

/// What is left of the gap of a row with this label after a move.
#[inline(always)]
fn shrunk(gap: f32, steps: &[f32], label: u32) -> f32 {
    lowered(gap - steps[label as usize])
}

/// The part of the rows up to which it is faster to search them again than to search all, from what was measured: a row takes
/// this many cycles with AVX-512 when it is searched with all others, when it is searched again, and when it is skipped.
fn worth(n_clusters: f64, n_features: f64) -> f64 {
    let search = n_clusters * n_features / 32.0 + n_features / 2.0 + 8.0;
    let again = 1.15 * search + n_features + 35.0;
    let spared = 6.0;
    ((search - spared) / again).max(0.0)
}

/// A number of fewer digits that is not above.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "it is rounded below the value that it bounds")]
fn down(value: f64) -> f32 {
    lowered(value.min(f64::from(f32::MAX)) as f32)
}

/// A number of fewer digits that is not below, of one that is not negative.
#[allow(clippy::cast_possible_truncation, reason = "it is rounded above the value that it bounds")]
fn up(value: f64) -> f32 {
    let near = value.min(f64::from(f32::MAX)) as f32;
    near + near * (2.0 * f32::EPSILON) + f32::MIN_POSITIVE
}

/// A number that is not above what was rounded to the given one.
#[inline(always)]
fn lowered(near: f32) -> f32 {
    near - near.abs() * (2.0 * f32::EPSILON)
}

/// Rows that are sought for at once.
pub(crate) const STRETCH: usize = 4096;

/// Rows of a stretch that have to be searched.
#[derive(Debug)]
pub(crate) struct Undecided {
    rows: Vec<u32>,
    count: usize,
    /// The first of them, where they come one after the other.
    first: Option<usize>,
}

impl Undecided {
    fn all(&mut self, first: usize, count: usize) {
        (self.first, self.count) = (Some(first), count);
    }

    /// Whether the rows come one after the other.
    pub(crate) fn is_in_a_row(&self) -> bool {
        self.first.is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// Results of a search besides the nearest centers: second scores and gaps.
#[derive(Debug)]
pub(super) struct Found<F> {
    /// The smallest score but one.
    second: Vec<F>,
    pub(super) gaps: Vec<f32>,
}

impl<F: Float> Found<F> {
    pub(super) fn new(n_rows: usize) -> Self {
        Self { second: vec![F::zero(); n_rows], gaps: vec![0.0; n_rows] }
    }

    /// Searches the first packed rows; prefetches `ahead` meanwhile.
    pub(super) fn search(
        &mut self,
        (room, places): (&mut PackedRows<F>, usize),
        rounding: Rounding,
        centers: &PackedCenters<F>,
        ahead: &[F],
    ) {
        let (features, [nearest, squares, smallest]) = room.parts(places);
        let second = &mut self.second[..places];
        let (margin, with_squares) = (centers.margin, true);
        F::run_simd(AssignKernel {
            centers,
            features,
            ahead,
            margin,
            squares,
            with_squares,
            smallest,
            nearest,
            second,
        });
        let (squares, smallest) = room.squares_and_scores();
        rounding.gaps(&squares[..places], (&smallest[..places], &self.second), &mut self.gaps);
    }
}

/// Scratch buffers for rows that are gathered and searched together.
#[derive(Debug)]
pub(crate) struct Gathered<F> {
    pub(super) undecided: Undecided,
    rows: Vec<F>,
    found: Found<F>,
}

impl<F: Float> Gathered<F> {
    /// Buffers for stretches of `stretch` rows, of which up to `n_rows` are searched together.
    pub(crate) fn new(stretch: usize, n_rows: usize, n_features: usize) -> Self {
        Self {
            undecided: Undecided { rows: vec![0; stretch], count: 0, first: None },
            rows: vec![F::zero(); n_rows * n_features],
            found: Found::new(n_rows),
        }
    }
}

/// Searches some of the undecided rows, as many as the buffers hold, and records those whose label changed. The gaps
/// and labels are those of all rows.
pub(crate) fn label<F: Float>(
    (rows, gaps, labels): (&[F], &mut [f32], &mut [u32]),
    mean: &[F],
    (bounds, centers): (&Bounds<F>, &PackedCenters<F>),
    (room, gathered): (&mut PackedRows<F>, &mut Gathered<F>),
    places: Range<usize>,
    moved: &mut Vec<Reassigned>,
) {
    /// Rows that are fetched into the cache before they are needed.
    const AHEAD: usize = 8;
    let d = mean.len();
    let row_of = |row: usize| &rows[row * d..][..d];
    let in_a_row = gathered.undecided.first.map(|first| first + places.start..first + places.end);
    let undecided = &gathered.undecided.rows[places];
    let mut searching = &[][..];
    let places = if let Some(range) = &in_a_row {
        let (rows, next) = rows[range.start * d..].split_at(range.len() * d);
        let ahead = centers.ahead(next, range.len());
        searching = ahead[1];
        room.load(rows, mean, ahead[0])
    } else {
        vectorize(
            #[inline(always)]
            || {
                for (index, (own, &row)) in gathered.rows.chunks_exact_mut(d).zip(undecided).enumerate() {
                    if let Some(&next) = undecided.get(index + AHEAD) {
                        prefetch(row_of(next as usize).as_ptr(), d);
                    }
                    copy(own, row_of(row as usize));
                }
            },
        );
        room.load(&gathered.rows[..undecided.len() * d], mean, &[])
    };
    let found = &mut gathered.found;
    found.search((room, places), bounds.rounding, centers, searching);
    if let Some(range) = in_a_row {
        gaps[range.clone()].copy_from_slice(&found.gaps[..range.len()]);
        let directly = |place: usize| centers.nearest_directly(row_of(range.start + place));
        let (labels, first) = (&mut labels[range.clone()], range.start as u32);
        return relabel_and_record(labels, room.nearest(), first, moved, directly);
    }
    for ((&row, &gap), &nearest) in undecided.iter().zip(&found.gaps).zip(room.nearest()) {
        let (label, mut nearest) = (&mut labels[row as usize], cluster(nearest));
        if nearest >= UNDECIDED {
            nearest = centers.nearest_directly(row_of(row as usize));
        }
        gaps[row as usize] = gap;
        if *label != nearest {
            moved.push(Reassigned { row, from: *label });
            *label = nearest;
        }
    }
}

/// Copies a row, which is too short for a call.
#[inline(always)]
fn copy<F: Float>(to: &mut [F], from: &[F]) {
    let ((many_to, to), (many_from, from)) = (to.as_chunks_mut::<16>(), from.as_chunks::<16>());
    many_to.iter_mut().zip(many_from).for_each(|(to, from)| *to = *from);
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::super::packed_centers::Lengths;
    use super::*;

    /// Rows at -10 and 10 are 20 nearer to one center than to the other.
    #[test]
    fn gaps_are_used_where_the_moves_of_two_centers_add_up_to_less() {
        let values: Vec<f32> = (0..640).map(|row| if row % 4 == 0 { -10.0 } else { 10.0 }).collect();
        let samples = Samples { values: &values, n_features: 1, weights: None };
        let (mut centers, from) = (PackedCenters::new(2, 1), [-10.0, 10.0]);
        centers.set(&from, &[0.0], Lengths { typical: 100.0, largest: 100.0 });
        let mut bounds = Bounds::new(&samples, &[0.0], &centers);
        for (to, used) in [([-6.0, 13.0], true), ([-1.0, 22.0], false), ([-10.0, 10.0], true)] {
            bounds.reset();
            bounds.follow(&from, &from, centers.longest);
            assert!(!bounds.is_active(), "no gaps are known yet");
            bounds.end(0, &centers);
            bounds.follow(&from, &to, centers.longest);
            assert_eq!(bounds.is_active(), used, "to {to:?}");
        }
    }
}
