//! Rows packed for the assignment kernel, less the mean of the data, and what the kernel finds for them.

use crate::buffer::Buffer;
use crate::float::Float;
use crate::linalg::row_packing::pack_rows;

/// Packed rows of one thread, and what the kernel finds for them.
#[derive(Debug, Clone)]
pub(crate) struct PackedRows<F> {
    /// Rows of a group.
    lanes: usize,
    /// For each group its features less their mean, for each feature a line of its lanes.
    features: Buffer<F>,
    /// The code of the nearest center of each row, then ‖x‖² less the mean of each, then the smallest score of each.
    results: Buffer<F>,
}

impl<F: Float> PackedRows<F> {
    /// Allocates buffers for `n_rows` rows, rounded up to whole groups.
    pub(crate) fn new(lanes: usize, n_rows: usize, n_features: usize) -> Self {
        let rows = n_rows.next_multiple_of(lanes);
        Self { lanes, features: Buffer::new(rows * n_features), results: Buffer::new(3 * rows) }
    }

    /// How many rows fit.
    pub(crate) fn rows(&self) -> usize {
        self.results.len() / 3
    }

    /// The code of the nearest center of each row.
    pub(crate) fn nearest(&self) -> &[F] {
        &self.results[..self.rows()]
    }

    /// ‖x‖² less the mean, and the smallest score, of each row.
    pub(crate) fn squares_and_scores(&self) -> (&[F], &[F]) {
        self.results[self.rows()..].split_at(self.rows())
    }

    /// The packed features, and the buffers for nearest centers, ‖x‖² and smallest scores, `places` rows each.
    pub(crate) fn parts(&mut self, places: usize) -> (&[F], [&mut [F]; 3]) {
        let rows = self.rows();
        let (nearest, rest) = self.results.split_at_mut(rows);
        let (squares, smallest) = rest.split_at_mut(rows);
        (&self.features, [nearest, squares, smallest].map(|part| &mut part[..places]))
    }

    /// Packs rows, less the mean; lanes without a row keep their previous values. `ahead` is prefetched meanwhile. Returns
    /// the number of lanes in the groups that have a row.
    pub(crate) fn load(&mut self, rows: &[F], mean: &[F], ahead: &[F]) -> usize {
        let d = mean.len();
        let groups = (rows.len() / d).div_ceil(self.lanes);
        pack_rows(rows, mean, self.lanes, &mut self.features[..groups * self.lanes * d], ahead);
        groups * self.lanes
    }
}
