//! A sample of rows that estimates how many rows the bounds would skip.

use super::labels::{UNDECIDED, cluster};
use super::packed_centers::PackedCenters;
use super::packed_rows::PackedRows;
use super::pruning::{Found, Rounding};
use super::samples::Samples;
use crate::float::Float;

/// The most rows of a probe, their most numbers, and one row of how many is among them at most.
const ROWS: usize = 256;
const NUMBERS: usize = 1 << 18;
const ONE_OF: usize = 16;

/// Rows from all over the data, turned, and their gaps.
#[derive(Debug)]
pub(super) struct PruningEstimate<F> {
    n_rows: usize,
    room: PackedRows<F>,
    found: Found<F>,
    /// Whether the gaps are those about the centers before the last move.
    is_up_to_date: bool,
}

impl<F: Float> PruningEstimate<F> {
    pub(super) fn new(samples: &Samples<'_, F>, mean: &[F], centers: &PackedCenters<F>) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let most = ROWS.min(NUMBERS / d).min(n / ONE_OF).max(centers.lanes());
        let rows: Vec<F> =
            (0..n).step_by(n.div_ceil(most)).flat_map(|row| samples.row(row)).copied().collect();
        let n_rows = rows.len() / d;
        let mut room = PackedRows::new(centers.lanes(), n_rows, d);
        let found = Found::new(room.load(&rows, mean, &[]));
        Self { n_rows, room, found, is_up_to_date: false }
    }

    /// Finds the gaps about the centers.
    pub(super) fn look(&mut self, rounding: Rounding, centers: &PackedCenters<F>) {
        let places = self.room.rows();
        self.found.search((&mut self.room, places), rounding, centers, &[]);
        self.is_up_to_date = true;
    }

    /// Forgets the gaps.
    pub(super) fn forget(&mut self) {
        self.is_up_to_date = false;
    }

    /// The part of the rows that are unsure, judged by their gaps and labels. `None` unless the gaps are those about the
    /// centers before the last move: they are requested once.
    pub(super) fn undecided(&mut self, is_unsure: impl Fn(f32, u32) -> bool) -> Option<f64> {
        let rows = self.found.gaps.iter().zip(self.room.nearest()).take(self.n_rows);
        let undecided = rows.filter(|(gap, nearest)| match cluster(**nearest) {
            label if label < UNDECIDED => is_unsure(**gap, label),
            _ => true,
        });
        let undecided = undecided.count();
        std::mem::take(&mut self.is_up_to_date).then_some(undecided as f64 / self.n_rows as f64)
    }
}
