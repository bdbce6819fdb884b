//! The sums of the distances of a group of rows to the rows of each cluster.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use crate::float::Float;
use crate::simd::{Simd, WithSimd};

/// Rows of a group: the lanes of two registers of every instruction set, several times.
pub(super) const GROUP: usize = 64;

/// Bytes of the rows that all of a group are compared with before the next ones: half of a first-level cache.
const BLOCK_BYTES: usize = 16 << 10;

/// Rows of a tile with 32 registers, the most; with 16 registers a tile has half as many.
const MAX_TILE: usize = 8;

/// Lanes of two registers, at most.
const MAX_WIDTH: usize = 32;

/// A group of rows, and the rows of all clusters.
pub(super) struct DistanceSums<'a, F> {
    /// At most [`GROUP`] rows, (rows, features).
    pub(super) group: &'a [F],
    /// Number of features.
    pub(super) n_features: usize,
    /// The rows of all clusters, one cluster after the other, (rows, features).
    pub(super) rows: &'a [F],
    /// The number of rows in each cluster.
    pub(super) sizes: &'a [usize],
    /// What is added to, (clusters, [`GROUP`]).
    pub(super) sums: &'a mut [f64],
}

impl<F: Float> WithSimd<F> for DistanceSums<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let Self { group, n_features: d, rows, sizes, sums } = self;
        let width = 2 * S::LANES;
        assert!(GROUP.is_multiple_of(width) && width <= MAX_WIDTH, "a group is whole registers");
        let lanes = in_lanes(group, d, width);
        let tile = if S::REGISTERS >= 32 { MAX_TILE } else { MAX_TILE / 2 };
        let block = (BLOCK_BYTES / size_of_val(&rows[..d])).next_multiple_of(tile).max(tile);
        let mut first = 0;
        for (sums, &size) in sums.chunks_exact_mut(GROUP).zip(sizes) {
            for block in rows[first * d..][..size * d].chunks(block * d) {
                for (lanes, sums) in lanes.chunks_exact(d * width).zip(sums.chunks_exact_mut(width)) {
                    let mut tiles = block.chunks_exact(tile * d);
                    for rows in &mut tiles {
                        // SAFETY: `with_simd` is compiled for the set of `simd`; there are the lanes of all features,
                        // and as many rows as the tile has.
                        unsafe {
                            if S::REGISTERS >= 32 {
                                add_tile::<F, S, MAX_TILE>(simd, lanes, rows, sums);
                            } else {
                                add_tile::<F, S, { MAX_TILE / 2 }>(simd, lanes, rows, sums);
                            }
                        }
                    }
                    for row in tiles.remainder().chunks_exact(d) {
                        // SAFETY: as above, of one row.
                        unsafe { add_tile::<F, S, 1>(simd, lanes, row, sums) };
                    }
                }
            }
            first += size;
        }
    }
}

/// The rows as lanes, (groups of `width` rows, features, `width`); zero in those after the last row.
#[inline(always)]
fn in_lanes<F: Float>(rows: &[F], d: usize, width: usize) -> Vec<F> {
    let mut lanes = vec![F::zero(); GROUP * d];
    for (lanes, rows) in lanes.chunks_exact_mut(d * width).zip(rows.chunks(d * width)) {
        for (lane, row) in rows.chunks_exact(d).enumerate() {
            lanes.iter_mut().skip(lane).step_by(width).zip(row).for_each(|(to, x)| *to = *x);
        }
    }
    lanes
}

/// Adds the distances of `ROWS` rows to those in the lanes of two registers.
#[inline(always)]
unsafe fn add_tile<F: Float, S: Simd<F>, const ROWS: usize>(
    simd: S,
    lanes: &[F],
    rows: &[F],
    sums: &mut [f64],
) {
    let d = rows.len() / ROWS;
    let mut roots = [[F::zero(); MAX_WIDTH]; ROWS];
    // SAFETY: the caller vouches for the instruction set, the lanes and the rows; a row of `roots` holds two registers.
    unsafe {
        let mut squares = [[simd.zero(); 2]; ROWS];
        for feature in 0..d {
            let at = lanes.as_ptr().add(feature * 2 * S::LANES);
            let (low, high) = (simd.loadu(at), simd.loadu(at.add(S::LANES)));
            for (row, squares) in squares.iter_mut().enumerate() {
                let value = simd.splat(*rows.as_ptr().add(row * d + feature));
                let (low, high) = (simd.sub(low, value), simd.sub(high, value));
                squares[0] = simd.mul_add(low, low, squares[0]);
                squares[1] = simd.mul_add(high, high, squares[1]);
            }
        }
        for (roots, squares) in roots.iter_mut().zip(squares) {
            simd.storeu(roots.as_mut_ptr(), squares[0]);
            simd.storeu(roots.as_mut_ptr().add(S::LANES), squares[1]);
        }
    }
    for row in &roots {
        for (sum, square) in sums[..2 * S::LANES].iter_mut().zip(row) {
            *sum += square.sqrt().as_f64();
        }
    }
}
