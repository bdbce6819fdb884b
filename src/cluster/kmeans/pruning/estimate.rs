//! A sample of rows that estimates how many rows pruning would leave undecided.

use super::gaps::{GapSearch, Rounding};
use crate::cluster::kmeans::assign::labels::{UNDECIDED, decode};
use crate::cluster::kmeans::assign::packed_centers::PackedCenters;
use crate::cluster::kmeans::assign::packed_rows::PackedRows;
use crate::cluster::kmeans::samples::Samples;
use crate::float::Float;

/// Limits of the sample: rows, elements, and one row of this many.
const MAX_ROWS: usize = 256;
const MAX_ELEMENTS: usize = 1 << 18;
const ONE_OF: usize = 16;

/// Packed rows from all over the data, and their gaps.
#[derive(Debug)]
pub(crate) struct PruningEstimate<F> {
    n_rows: usize,
    packed: PackedRows<F>,
    search: GapSearch<F>,
    /// Whether the gaps are those about the centers before the last move.
    is_up_to_date: bool,
}

impl<F: Float> PruningEstimate<F> {
    pub(crate) fn new(samples: &Samples<'_, F>, mean: &[F], centers: &PackedCenters<F>) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let max_rows = MAX_ROWS.min(MAX_ELEMENTS / d).min(n / ONE_OF).max(centers.lanes());
        let rows: Vec<_> = (0..n).step_by(n.div_ceil(max_rows)).map(|row| samples.row(row)).collect();
        let (n_rows, rows) = (rows.len(), rows.concat());
        let mut packed = PackedRows::new(centers.lanes(), n_rows, d);
        let search = GapSearch::new(packed.load(&rows, mean, &[]));
        Self { n_rows, packed, search, is_up_to_date: false }
    }

    /// Computes the gaps about the centers.
    pub(crate) fn measure(&mut self, rounding: Rounding, centers: &PackedCenters<F>) {
        let places = self.packed.rows();
        self.search.search((&mut self.packed, places), rounding, centers, &[]);
        self.is_up_to_date = true;
    }

    /// Discards the gaps.
    pub(crate) fn invalidate(&mut self) {
        self.is_up_to_date = false;
    }

    /// The fraction of the rows that are undecided, each counted by its cost, which follows from gap and label. `None` unless the
    /// gaps are those about the centers before the last move; each measurement serves once.
    pub(crate) fn undecided_fraction(&mut self, cost: impl Fn(f32, u32) -> f64) -> Option<f64> {
        let rows = self.search.gaps.iter().zip(self.packed.nearest()).take(self.n_rows);
        let costs = rows.map(|(gap, code)| match decode(*code) {
            label if label < UNDECIDED => cost(*gap, label),
            _ => 1.0,
        });
        let undecided: f64 = costs.sum();
        std::mem::take(&mut self.is_up_to_date).then_some(undecided / self.n_rows as f64)
    }
}
