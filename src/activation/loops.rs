//! Loops that apply a function to an array, compiled for each instruction set.
//!
//! The functions are closures marked `#[inline(always)]`, which the macros of [`macros`](super::macros) write. The results are the
//! same on every processor, because no loop uses a fused multiply-add.

use crate::float::Float;
use crate::float::lanes::{self, BLOCK, Lanes};
use crate::simd::vectorize;

/// Computes v := f(v).
pub(super) fn map<F: Float>(values: &mut [F], function: impl Fn(F) -> F) {
    vectorize(
        #[inline(always)]
        || {
            for v in values {
                // For functions that return some v unchanged, the compiler would emit masked stores, which are slow. It
                // cannot see that v + 0 is v.
                *v = function(*v + F::zero());
            }
        },
    );
}

/// Computes v := f(v) for a function of lanes: of blocks, and of the values that remain.
pub(super) fn map_lanes<F: Float>(
    values: &mut [F],
    of_block: impl Fn(Lanes<F, BLOCK>) -> Lanes<F, BLOCK>,
    of_value: impl Fn(Lanes<F, 1>) -> Lanes<F, 1>,
) {
    vectorize(
        #[inline(always)]
        || lanes::map(values, of_block, of_value),
    );
}

/// Computes dy := dy·f(v).
pub(super) fn scale<F: Float>(dy: &mut [F], of: &[F], derivative: impl Fn(F) -> F) {
    vectorize(
        #[inline(always)]
        || dy.iter_mut().zip(of).for_each(|(dy, &v)| *dy *= derivative(v)),
    );
}

/// Computes dy := dy·f(v) for a function of lanes, as [`map_lanes`].
pub(super) fn scale_lanes<F: Float>(
    dy: &mut [F],
    of: &[F],
    of_block: impl Fn(Lanes<F, BLOCK>) -> Lanes<F, BLOCK>,
    of_value: impl Fn(Lanes<F, 1>) -> Lanes<F, 1>,
) {
    vectorize(
        #[inline(always)]
        || {
            let (dy_blocks, dy_rest) = dy.as_chunks_mut::<BLOCK>();
            let (blocks, rest) = of.as_chunks::<BLOCK>();
            for (dy, of) in dy_blocks.iter_mut().zip(blocks) {
                *dy = (Lanes(*dy) * of_block(Lanes(*of))).0;
            }
            for (dy, &of) in dy_rest.iter_mut().zip(rest) {
                *dy *= of_value(Lanes([of])).only();
            }
        },
    );
}

/// Applies a function of rows of length `width` to an array, unless the rows are empty.
pub(super) fn map_rows<F: Float>(width: usize, values: &mut [F], function: impl Fn(usize, &mut [F])) {
    if width > 0 {
        vectorize(
            #[inline(always)]
            || function(width, values),
        );
    }
}

/// Applies the gradient of a function of rows, unless the rows are empty.
pub(super) fn scale_rows<F: Float>(
    width: usize,
    y: &[F],
    dy: &mut [F],
    gradient: impl Fn(usize, &[F], &mut [F]),
) {
    if width > 0 {
        vectorize(
            #[inline(always)]
            || gradient(width, y, dy),
        );
    }
}
