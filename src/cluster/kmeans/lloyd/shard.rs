//! A shard of the rows, and the pass that labels it and updates the sums.

use super::strategy::AssignStrategy;
use crate::buffer::Buffer;
use crate::cluster::kmeans::assign::labels::Reassigned;
use crate::cluster::kmeans::assign::packed_centers::PackedCenters;
use crate::cluster::kmeans::assign::packed_rows::PackedRows;
use crate::cluster::kmeans::pruning::undecided::{
    GatheredRows, PrunedRows, assign_undecided, compare_with_moved,
};
use crate::cluster::kmeans::pruning::{self, Pruning};
use crate::cluster::kmeans::samples::Samples;
use crate::cluster::kmeans::sums::exact_sums::ExactSums;
use crate::cluster::kmeans::sums::fixed_point::FixedPoint;
use crate::float::Float;
use std::sync::{Mutex, PoisonError};

/// One thread's scratch buffers of a pass.
#[derive(Debug)]
pub(super) struct AssignScratch<F> {
    buffers: PackedRows<F>,
    gathered: GatheredRows<F>,
    /// Rows whose label changed, until the sums are updated.
    reassigned: Vec<Reassigned>,
    /// The thread's part of the sums; absent where all threads update the same ones.
    pub(super) sums: Option<ExactSums>,
}

/// The sizes of a thread's scratch buffers.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScratchLayout {
    /// Rows of a shard.
    pub(super) shard_rows: usize,
    pub(super) strategy: AssignStrategy,
    /// Whether each thread has separate sums.
    pub(super) has_own_sums: bool,
}

impl ScratchLayout {
    pub(super) fn allocate<F: Float>(
        self,
        centers: &PackedCenters<F>,
        grid: &FixedPoint,
    ) -> AssignScratch<F> {
        let buffers = match self.strategy {
            AssignStrategy::Prune | AssignStrategy::StayPackedOrPrune => {
                centers.buffers_in_cache(self.shard_rows)
            }
            AssignStrategy::StayPacked => centers.result_buffers(self.shard_rows),
            AssignStrategy::Stream => centers.buffers(self.shard_rows),
        };
        let (block, gathered) = if self.strategy.prunes() {
            (pruning::BLOCK.min(self.shard_rows), buffers.rows())
        } else {
            (0, 0)
        };
        AssignScratch {
            gathered: GatheredRows::new(block, gathered, centers.n_features()),
            reassigned: Vec::with_capacity(buffers.rows()),
            buffers,
            sums: self.has_own_sums.then(|| ExactSums::new(grid, centers.n_clusters())),
        }
    }
}

/// The arguments of a pass over the rows.
pub(super) struct AssignPass<'a, F> {
    pub(super) samples: Samples<'a, F>,
    pub(super) mean: &'a [F],
    pub(super) centers: &'a PackedCenters<F>,
    /// `None` where no rows are skipped.
    pub(super) pruning: Option<&'a Pruning<F>>,
    /// The grid of the sums, and the sums of threads without separate ones; `None` when no sums are needed.
    pub(super) sums: Option<(&'a FixedPoint, &'a Mutex<ExactSums>)>,
}

/// A range of the rows that one task labels, and what is kept of it between passes.
#[derive(Debug)]
pub(super) struct Shard<F> {
    first_row: usize,
    /// The packed rows; empty where rows do not stay packed.
    packed: Buffer<F>,
    /// ‖x − mean‖² of the packed rows, after the first pass.
    squares: Buffer<F>,
    squares_known: bool,
    /// The lower bound of each row's gap; empty without pruning.
    gaps: Vec<f32>,
    /// Labels that changed in the last pass, rows that were searched, and rows that were compared with the centers that moved.
    pub(super) changed: usize,
    pub(super) searched: usize,
    pub(super) compared: usize,
    /// An upper bound of ‖x − mean‖², infinite until a pass has computed those of all rows.
    pub(super) max_square: f64,
}

impl<F: Float> Shard<F> {
    pub(super) fn new(
        first_row: usize,
        rows: &[F],
        mean: &[F],
        centers: &PackedCenters<F>,
        strategy: AssignStrategy,
    ) -> Self {
        let d = mean.len();
        let packed = if strategy.stays_packed() { centers.pack(rows, mean) } else { Buffer::default() };
        Self {
            first_row,
            squares: Buffer::new(packed.len() / d),
            packed,
            squares_known: false,
            gaps: vec![0.0; if strategy.prunes() { rows.len() / d } else { 0 }],
            changed: 0,
            searched: 0,
            compared: 0,
            max_square: f64::INFINITY,
        }
    }

    /// Labels the rows, and updates the sums.
    pub(super) fn assign(
        &mut self,
        pass: &AssignPass<'_, F>,
        scratch: &mut AssignScratch<F>,
        labels: &mut [u32],
    ) {
        (self.changed, self.searched, self.compared) = (0, 0, 0);
        let samples = pass.samples.slice(self.first_row, labels.len());
        match pass.pruning {
            Some(pruning) => self.assign_pruned(pass, pruning, &samples, scratch, labels),
            None if self.packed.is_empty() => self.assign_streamed(pass, &samples, scratch, labels),
            None => self.assign_packed(pass, &samples, scratch, labels),
        }
    }

    /// Skips the rows whose gaps prove their labels.
    fn assign_pruned(
        &mut self,
        pass: &AssignPass<'_, F>,
        pruning: &Pruning<F>,
        samples: &Samples<'_, F>,
        scratch: &mut AssignScratch<F>,
        labels: &mut [u32],
    ) {
        let capacity = scratch.buffers.rows();
        for first in (0..labels.len()).step_by(pruning::BLOCK) {
            let end = (first + pruning::BLOCK).min(labels.len());
            let undecided = &mut scratch.gathered.undecided;
            pruning.prune(first, &mut self.gaps[first..end], &labels[first..end], undecided);
            if undecided.resting.count() > 0 {
                self.compared += undecided.resting.count();
                compare_with_moved(
                    PrunedRows { values: samples.values, gaps: &mut self.gaps, labels: &mut *labels },
                    pass.mean,
                    (pruning, pass.centers),
                    (&mut scratch.buffers, &mut scratch.gathered),
                );
            }
            let undecided = &scratch.gathered.undecided;
            let count = undecided.searched.count();
            let together = if undecided.are_consecutive() {
                pass.centers.rows_per_search().min(capacity)
            } else {
                capacity
            };
            for place in (0..count).step_by(together) {
                assign_undecided(
                    PrunedRows { values: samples.values, gaps: &mut self.gaps, labels: &mut *labels },
                    pass.mean,
                    (pruning, pass.centers),
                    (&mut scratch.buffers, &mut scratch.gathered),
                    place..(place + together).min(count),
                    &mut scratch.reassigned,
                );
                self.changed += pass.update_sums(samples, scratch, labels);
            }
            self.searched += count;
        }
    }

    /// Searches rows as they are read from memory; each is labeled and summed before the next ones, and so read once.
    fn assign_streamed(
        &mut self,
        pass: &AssignPass<'_, F>,
        samples: &Samples<'_, F>,
        scratch: &mut AssignScratch<F>,
        labels: &mut [u32],
    ) {
        let (d, with_squares) = (pass.mean.len(), pass.centers.needs_squares());
        let together = pass.centers.rows_per_search().min(scratch.buffers.rows());
        let mut max_square = F::zero();
        for (index, labels) in labels.chunks_mut(together).enumerate() {
            let first = index * together;
            let record = (&mut scratch.buffers, &mut scratch.reassigned);
            pass.centers.assign_and_record(&samples.values[first * d..], pass.mean, record, labels);
            if with_squares {
                let (squares, _) = scratch.buffers.squares_and_scores();
                max_square = squares
                    .iter()
                    .fold(max_square, |most, square| if *square > most { *square } else { most });
            }
            self.changed += pass.update_sums(&samples.slice(first, labels.len()), scratch, labels);
        }
        if with_squares {
            // Above what rounding, or underflow, may have taken from it.
            self.max_square = 1.25 * max_square.as_f64() + F::min_positive_value().as_f64();
        }
    }

    /// Searches the rows that stay packed.
    fn assign_packed(
        &mut self,
        pass: &AssignPass<'_, F>,
        samples: &Samples<'_, F>,
        scratch: &mut AssignScratch<F>,
        labels: &mut [u32],
    ) {
        let (d, together) = (pass.mean.len(), scratch.buffers.rows());
        for (index, labels) in labels.chunks_mut(together).enumerate() {
            let first = index * together;
            let rows = (&samples.values[first * d..], &self.packed[first * d..]);
            let squares = (&mut self.squares[first..], self.squares_known);
            let record = (&mut scratch.buffers, &mut scratch.reassigned);
            pass.centers.assign_packed_and_record(rows, squares, record, labels);
            self.changed += pass.update_sums(&samples.slice(first, labels.len()), scratch, labels);
        }
        self.squares_known = true;
    }
}

impl<F: Float> AssignPass<'_, F> {
    /// Applies the recorded changes to the sums. Returns their number.
    fn update_sums(&self, samples: &Samples<'_, F>, scratch: &mut AssignScratch<F>, labels: &[u32]) -> usize {
        let reassigned = &scratch.reassigned[..];
        let n_changed = reassigned.len();
        if let Some((grid, shared)) = self.sums
            && n_changed > 0
        {
            if let Some(own) = &mut scratch.sums {
                own.update(grid, samples, reassigned, labels);
            } else {
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                shared.update(grid, samples, reassigned, labels);
            }
        }
        scratch.reassigned.clear();
        n_changed
    }
}
