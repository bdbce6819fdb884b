//! The distances of a group of rows to the rows of a block, a tile of rows at a time.
//!
//! The group is packed so that a register holds one feature of several of its rows (lanes). A micro-kernel keeps the
//! sums of 2 registers × 4 rows (8 with 32 registers) in accumulators: per feature it loads the two registers and
//! broadcasts a value of each row.
//!
//! ```text
//!              lanes of the group (GROUP)
//!            +------------+------------+--
//! TILE_ROWS  | 2 registers|            |      one tile, written to `tile`, then passed to `consume`
//! rows of    | × 4 rows   |            |
//! the block  +------------+------------+--
//! ```
//!
//! Rows of few features are compared by differences, Σ(aᵢ − bᵢ)². For rows of many features the sums are products of the
//! centered rows, and the square is ‖a‖² + ‖b‖² − 2a·b: one operation a feature instead of two. Where the result is less
//! than [`CANCELLED`] of ‖a‖² + ‖b‖², digits may have cancelled, and the square is computed from differences of the
//! original rows. With ten tight clusters that is one pair in ten, at twice the cost.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use crate::float::Float;
use crate::linalg::distance::squared_distance_in_lanes;
use crate::linalg::row_packing::pack_rows;
use crate::simd::{Simd, WithSimd};

/// Rows of a group: the lanes of two registers of every instruction set, several times.
pub(super) const GROUP: usize = 64;

/// Rows of a tile: 8 KB of distances in `f32`, which stay in the first-level cache until they are added.
pub(super) const TILE_ROWS: usize = 32;

/// Features from which products are faster than differences.
const MIN_FEATURES_FOR_PRODUCTS: usize = 48;

/// The share of ‖a‖² + ‖b‖² below which a squared distance is computed from differences. At the limit, four units of the last
/// digit of the norms are 32 of the square, and 16 of the distance.
const CANCELLED: f64 = 0.125;

/// Rows of a micro-kernel with 32 registers; with 16 registers it has half as many.
const MAX_KERNEL_ROWS: usize = 8;

/// Lanes of two registers, at most.
const MAX_WIDTH: usize = 32;

/// Chains of additions of a squared distance: two registers of AVX2, on every instruction set, so that all have the same bits.
const DISTANCE_LANES: usize = 16;

/// Rows that are compared.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, F> {
    /// The rows, (rows, features).
    pub(super) rows: &'a [F],
    /// The rows minus the mean of all, and their squared norms; empty unless [`use_products`].
    pub(super) centered: &'a [F],
    pub(super) squared_norms: &'a [F],
}

impl<'a, F> Rows<'a, F> {
    /// Rows `first..first + len` of `d` features.
    pub(super) fn slice(self, first: usize, len: usize, d: usize) -> Self {
        let part =
            |values: &'a [F], width: usize| values.get(first * width..(first + len) * width).unwrap_or(&[]);
        Self {
            rows: part(self.rows, d),
            centered: part(self.centered, d),
            squared_norms: part(self.squared_norms, 1),
        }
    }
}

/// Whether rows of this number of features are compared by products.
pub(super) fn use_products(n_features: usize) -> bool {
    n_features >= MIN_FEATURES_FOR_PRODUCTS
}

/// Computes the distances of a group to each row of a block. Calls `consume` with the first row of each tile and its
/// distances, (rows of the tile, [`GROUP`]); those of lanes without a row are meaningless.
pub(super) struct Distances<'a, F, C> {
    /// At most [`GROUP`] rows.
    group: Rows<'a, F>,
    block: Rows<'a, F>,
    n_features: usize,
    consume: C,
}

impl<'a, F: Float, C: FnMut(usize, &[F])> Distances<'a, F, C> {
    pub(super) fn new(group: Rows<'a, F>, block: Rows<'a, F>, n_features: usize, consume: C) -> Self {
        Self { group, block, n_features, consume }
    }
}

impl<F: Float, C: FnMut(usize, &[F])> WithSimd<F> for Distances<'_, F, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let Self { group, block, n_features: d, mut consume } = self;
        let width = 2 * S::LANES;
        assert!(GROUP.is_multiple_of(width) && width <= MAX_WIDTH, "a group is whole registers");
        let products = use_products(d);
        let (of_group, of_block) =
            if products { (group.centered, block.centered) } else { (group.rows, block.rows) };
        let mut lanes = vec![F::zero(); GROUP * d];
        pack_rows(of_group, &vec![F::zero(); d], width, &mut lanes, &[]);
        let mut tile = [F::zero(); GROUP * TILE_ROWS];
        for (index, rows) in of_block.chunks(TILE_ROWS * d).enumerate() {
            let first = index * TILE_ROWS;
            let tile = &mut tile[..rows.len() / d * GROUP];
            for (at, lanes) in lanes.chunks_exact(d * width).enumerate() {
                let tile = &mut tile[at * width..];
                // SAFETY: `with_simd` is compiled for the set of `simd`; there are the lanes of all features.
                unsafe {
                    if products {
                        sums::<F, S, true>(simd, lanes, rows, tile);
                    } else {
                        sums::<F, S, false>(simd, lanes, rows, tile);
                    }
                }
            }
            if products {
                squares_from_products(group, block.slice(first, rows.len() / d, d), d, tile);
            }
            tile.iter_mut().for_each(
                #[inline(always)]
                |square| *square = square.sqrt(),
            );
            consume(first, tile);
        }
    }
}

/// Squared distances, or products, of all `rows` with the rows in the lanes of two registers.
#[inline(always)]
unsafe fn sums<F: Float, S: Simd<F>, const PRODUCTS: bool>(simd: S, lanes: &[F], rows: &[F], tile: &mut [F]) {
    let d = lanes.len() / (2 * S::LANES);
    let kernel_rows = if S::REGISTERS == 32 { MAX_KERNEL_ROWS } else { MAX_KERNEL_ROWS / 2 };
    let mut chunks = rows.chunks_exact(kernel_rows * d);
    let mut lines = 0;
    // SAFETY: as of this function; the tile has a line of `GROUP` for each row.
    unsafe {
        for rows in &mut chunks {
            let tile = &mut tile[lines * GROUP..];
            if const { S::REGISTERS == 32 } {
                kernel::<F, S, MAX_KERNEL_ROWS, PRODUCTS>(simd, lanes, rows, tile);
            } else {
                kernel::<F, S, { MAX_KERNEL_ROWS / 2 }, PRODUCTS>(simd, lanes, rows, tile);
            }
            lines += kernel_rows;
        }
        for row in chunks.remainder().chunks_exact(d) {
            kernel::<F, S, 1, PRODUCTS>(simd, lanes, row, &mut tile[lines * GROUP..]);
            lines += 1;
        }
    }
}

/// The micro-kernel: `ROWS` rows and the lanes of two registers.
#[inline(always)]
unsafe fn kernel<F: Float, S: Simd<F>, const ROWS: usize, const PRODUCTS: bool>(
    simd: S,
    lanes: &[F],
    rows: &[F],
    tile: &mut [F],
) {
    let d = rows.len() / ROWS;
    assert!(
        lanes.len() >= d * 2 * S::LANES && tile.len() >= (ROWS - 1) * GROUP + 2 * S::LANES,
        "whole tiles"
    );
    // SAFETY: the caller vouches for the instruction set; the lengths were checked.
    unsafe {
        let mut sums = [[simd.zero(); 2]; ROWS];
        for feature in 0..d {
            let at = lanes.as_ptr().add(feature * 2 * S::LANES);
            let (low, high) = (simd.loadu(at), simd.loadu(at.add(S::LANES)));
            for (row, sums) in sums.iter_mut().enumerate() {
                let value = simd.splat(*rows.as_ptr().add(row * d + feature));
                if PRODUCTS {
                    sums[0] = simd.mul_add(low, value, sums[0]);
                    sums[1] = simd.mul_add(high, value, sums[1]);
                } else {
                    let (low, high) = (simd.sub(low, value), simd.sub(high, value));
                    sums[0] = simd.mul_add(low, low, sums[0]);
                    sums[1] = simd.mul_add(high, high, sums[1]);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let to = tile.as_mut_ptr().add(row * GROUP);
            simd.storeu(to, sums[0]);
            simd.storeu(to.add(S::LANES), sums[1]);
        }
    }
}

/// Turns the products of a tile to squared distances.
#[inline(always)]
fn squares_from_products<F: Float>(group: Rows<'_, F>, rows: Rows<'_, F>, d: usize, tile: &mut [F]) {
    let mut norms = [F::zero(); GROUP];
    norms[..group.squared_norms.len()].copy_from_slice(group.squared_norms);
    let (two, cancelled) = (F::of(2.0), F::of(CANCELLED));
    for (row, (line, &norm)) in tile.chunks_exact_mut(GROUP).zip(rows.squared_norms).enumerate() {
        let mut any_cancelled = false;
        for (value, &other) in line.iter_mut().zip(&norms) {
            let both = other + norm;
            *value = both - two * *value;
            any_cancelled |= *value < cancelled * both;
        }
        if !any_cancelled {
            continue;
        }
        let row = &rows.rows[row * d..][..d];
        for ((value, &other), lane) in line.iter_mut().zip(&norms).zip(group.rows.chunks_exact(d)) {
            if *value < cancelled * (other + norm) {
                *value = squared_distance_in_lanes::<F, DISTANCE_LANES>(lane, row);
            }
        }
    }
}
