//! Rows of a table, transposed in groups: one row per lane, less a mean.
//!
//! ```text
//!     rows (lanes, d)                       a packed group (d, lanes)
//!     x00 x01 x02 ..                        x00 x10 x20 ..   feature 0, R registers
//!     x10 x11 x12 ..     - mean, then       x01 x11 x21 ..   feature 1
//!     x20 x21 x22 ..       transpose        x02 x12 x22 ..
//! ```
//! Blocks of `TRANSPOSE_DIM` rows and features are transposed in registers. The features that remain, fewer than eight, are
//! copied by a loop whose length is a constant: with a variable length a group of short rows takes four times as long.
#![allow(unsafe_code, reason = "blocks of rows are transposed through pointers")]

use crate::float::Float;
use crate::simd::{Simd, WithSimd, prefetch_chunk};

/// Packs rows into groups of any number of lanes, less their mean. Lanes without a row keep their previous values. `ahead` is
/// prefetched with the first group.
pub(crate) fn pack_rows<F: Float>(rows: &[F], mean: &[F], lanes: usize, groups: &mut [F], ahead: &[F]) {
    F::run_simd(PackKernel { rows, mean, lanes, groups, ahead });
}

/// The arguments of [`pack_rows`].
struct PackKernel<'a, F> {
    rows: &'a [F],
    mean: &'a [F],
    lanes: usize,
    groups: &'a mut [F],
    ahead: &'a [F],
}

impl<F: Float> WithSimd<F> for PackKernel<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let width = self.lanes * self.mean.len();
        let mut ahead = self.ahead;
        for (rows, group) in self.rows.chunks(width).zip(self.groups.chunks_exact_mut(width)) {
            if rows.len() == width && self.lanes.is_multiple_of(S::TRANSPOSE_DIM) {
                transpose_group(simd, (rows, self.mean), self.lanes, group, std::mem::take(&mut ahead));
            } else {
                transpose_features(rows, self.mean, 0, self.lanes, group);
            }
        }
    }
}

/// Transposes as many rows as a group has lanes, less their mean.
#[inline(always)]
pub(crate) fn transpose_group<F: Float, S: Simd<F>>(
    simd: S,
    (rows, mean): (&[F], &[F]),
    lanes: usize,
    group: &mut [F],
    ahead: &[F],
) {
    let d = mean.len();
    assert!(rows.len() == lanes * d && group.len() == lanes * d && lanes.is_multiple_of(S::TRANSPOSE_DIM));
    let in_blocks = d - d % S::TRANSPOSE_DIM;
    for feature in (0..in_blocks).step_by(S::TRANSPOSE_DIM) {
        if !ahead.is_empty() {
            prefetch_chunk(ahead, feature / S::TRANSPOSE_DIM, in_blocks / S::TRANSPOSE_DIM);
        }
        for lane in (0..lanes).step_by(S::TRANSPOSE_DIM) {
            // SAFETY: the lengths were compared above: from this row and this feature on there are as many as the
            // side of a block in `rows` (lanes, d), in `group` (d, lanes) and, of features, in `mean`. The
            // instruction set is the one that `simd` names.
            unsafe {
                let from = (rows.as_ptr().add(lane * d + feature), d);
                let to = (group.as_mut_ptr().add(feature * lanes + lane), lanes);
                simd.transpose(from, mean.as_ptr().add(feature), to);
            }
        }
    }
    transpose_features(rows, mean, in_blocks, lanes, group);
}

/// Transposes the features from `first` on of up to as many rows as there are lanes.
#[inline(always)]
fn transpose_features<F: Float>(rows: &[F], mean: &[F], first: usize, lanes: usize, group: &mut [F]) {
    match mean.len() - first {
        0 => {}
        1 => transpose_last::<F, 1>(rows, mean, lanes, group),
        2 => transpose_last::<F, 2>(rows, mean, lanes, group),
        3 => transpose_last::<F, 3>(rows, mean, lanes, group),
        4 => transpose_last::<F, 4>(rows, mean, lanes, group),
        5 => transpose_last::<F, 5>(rows, mean, lanes, group),
        6 => transpose_last::<F, 6>(rows, mean, lanes, group),
        7 => transpose_last::<F, 7>(rows, mean, lanes, group),
        _ => {
            for (lane, row) in rows.chunks_exact(mean.len()).enumerate() {
                let features = row.iter().zip(mean).enumerate().skip(first);
                features.for_each(|(feature, (x, mean))| group[feature * lanes + lane] = *x - *mean);
            }
        }
    }
}

/// Transposes the last `N` features of up to as many rows as there are lanes.
#[inline(always)]
fn transpose_last<F: Float, const N: usize>(rows: &[F], mean: &[F], lanes: usize, group: &mut [F]) {
    let d = mean.len();
    let Some(mean) = mean.last_chunk::<N>() else { return };
    let group = &mut group[(d - N) * lanes..][..N * lanes];
    for (lane, row) in rows.chunks_exact(d).enumerate().take(lanes) {
        let Some(row) = row.last_chunk::<N>() else { continue };
        for feature in 0..N {
            group[feature * lanes + lane] = row[feature] - mean[feature];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_any_number_of_lanes_are_transposed() {
        for (lanes, d) in [(2, 9), (2, 3), (4, 16), (8, 9), (16, 20), (32, 8)] {
            let n_rows = 3 * lanes - 1;
            let rows: Vec<f32> = (0..n_rows * d).map(|at| at as f32).collect();
            let mean: Vec<f32> = (0..d).map(|feature| (feature * feature) as f32).collect();
            let mut packed = vec![-1.0; 3 * lanes * d];
            pack_rows(&rows, &mean, lanes, &mut packed, &[]);
            for row in 0..3 * lanes {
                for feature in 0..d {
                    let got = packed[(row / lanes * d + feature) * lanes + row % lanes];
                    let want = if row < n_rows { rows[row * d + feature] - mean[feature] } else { -1.0 };
                    assert_eq!(got, want, "{lanes} lanes, {d} features: row {row}, feature {feature}");
                }
            }
        }
    }
}
