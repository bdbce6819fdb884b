//! Rows side by side: groups of them, one row a lane, as the search reads them.

#![allow(unsafe_code, reason = "blocks of rows are transposed through pointers")]

use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::{Simd, WithSimd, prefetch_chunk};

/// Packed rows of one thread: transposed to one row per lane.
#[derive(Debug, Clone)]
pub(crate) struct PackedRows<F> {
    /// Rows of a group.
    pub(super) lanes: usize,
    /// For each group its features less their mean, for each feature a line of its lanes.
    features: Buffer<F>,
    /// What the kernel finds: for each row its nearest center, then for each ‖x‖² less the mean, then the smallest score.
    found: Buffer<F>,
}

impl<F: Float> PackedRows<F> {
    /// Allocates buffers for `n_rows` rows, rounded up to whole groups.
    pub(super) fn new(lanes: usize, n_rows: usize, n_features: usize) -> Self {
        let rows = n_rows.next_multiple_of(lanes);
        Self { lanes, features: Buffer::new(rows * n_features), found: Buffer::new(3 * rows) }
    }

    /// How many rows fit.
    pub(crate) fn rows(&self) -> usize {
        self.found.len() / 3
    }

    /// The nearest center of each row, as the kernel names it.
    pub(super) fn nearest(&self) -> &[F] {
        &self.found[..self.rows()]
    }

    /// ‖x‖² less the mean, and the smallest score, of each row.
    pub(super) fn squares_and_scores(&self) -> (&[F], &[F]) {
        self.found[self.rows()..].split_at(self.rows())
    }

    /// The packed features, and the buffers for nearest centers, ‖x‖² and smallest scores.
    pub(super) fn parts(&mut self, places: usize) -> (&[F], [&mut [F]; 3]) {
        let rows = self.rows();
        let (nearest, rest) = self.found.split_at_mut(rows);
        let (squares, smallest) = rest.split_at_mut(rows);
        (&self.features, [nearest, squares, smallest].map(|part| &mut part[..places]))
    }

    /// Takes over rows, and the mean from them. Lanes without a row keep what they had. Answers how many places
    /// the groups with a row have.
    /// `ahead` is fetched into the cache meanwhile.
    pub(super) fn load(&mut self, rows: &[F], mean: &[F], ahead: &[F]) -> usize {
        let d = mean.len();
        let groups = (rows.len() / d).div_ceil(self.lanes);
        turn(rows, mean, self.lanes, &mut self.features[..groups * self.lanes * d], ahead);
        groups * self.lanes
    }
}

/// Turns rows into groups, less their mean. Lanes without a row keep what they had. `ahead` is fetched into the cache
/// with the first group.
pub(super) fn turn<F: Float>(rows: &[F], mean: &[F], lanes: usize, groups: &mut [F], ahead: &[F]) {
    F::run_simd(Transpose { rows, mean, lanes, groups, ahead });
}

/// Rows to be turned into groups, less their mean.
struct Transpose<'a, F> {
    rows: &'a [F],
    mean: &'a [F],
    lanes: usize,
    groups: &'a mut [F],
    ahead: &'a [F],
}

impl<F: Float> WithSimd<F> for Transpose<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let width = self.lanes * self.mean.len();
        let mut ahead = self.ahead;
        for (rows, group) in self.rows.chunks(width).zip(self.groups.chunks_exact_mut(width)) {
            if rows.len() == width {
                transpose_group(simd, (rows, self.mean), self.lanes, group, std::mem::take(&mut ahead));
            } else {
                transpose_features(rows, self.mean, 0, self.lanes, group);
            }
        }
    }
}

/// Turns as many rows as there are lanes.
#[inline(always)]
pub(super) fn transpose_group<F: Float, S: Simd<F>>(
    simd: S,
    (rows, mean): (&[F], &[F]),
    lanes: usize,
    group: &mut [F],
    ahead: &[F],
) {
    let d = mean.len();
    assert!(rows.len() == lanes * d && group.len() == lanes * d && lanes.is_multiple_of(S::TRANSPOSE_DIM));
    let squares = d - d % S::TRANSPOSE_DIM;
    for feature in (0..squares).step_by(S::TRANSPOSE_DIM) {
        if !ahead.is_empty() {
            prefetch_chunk(ahead, feature / S::TRANSPOSE_DIM, squares / S::TRANSPOSE_DIM);
        }
        for lane in (0..lanes).step_by(S::TRANSPOSE_DIM) {
            // SAFETY: the lengths were compared above: from this row and this feature on there are as many as the
            // side of a square in `rows` (lanes, d), in `packed_rows` (d, lanes) and, of features, in `mean`. The
            // instruction set is the one that `simd` names.
            unsafe {
                let from = (rows.as_ptr().add(lane * d + feature), d);
                let to = (group.as_mut_ptr().add(feature * lanes + lane), lanes);
                simd.transpose(from, mean.as_ptr().add(feature), to);
            }
        }
    }
    transpose_features(rows, mean, squares, lanes, group);
}

/// Turns the features from `first` on of up to as many rows as there are lanes.
#[inline(always)]
fn transpose_features<F: Float>(rows: &[F], mean: &[F], first: usize, lanes: usize, group: &mut [F]) {
    for (lane, row) in rows.chunks_exact(mean.len()).enumerate() {
        let features = row.iter().zip(mean).enumerate().skip(first);
        features.for_each(|(feature, (x, mean))| group[feature * lanes + lane] = *x - *mean);
    }
}
