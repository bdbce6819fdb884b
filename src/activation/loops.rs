//! Loops that apply a function to an array, compiled for each instruction set.
//!
//! The functions are closures marked `#[inline(always)]`, which the macros of [`macros`](super::macros) write. The results are the
//! same on every processor, because no loop uses a fused multiply-add.

use crate::float::Float;
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

/// Computes dy := dy·f(v).
pub(super) fn scale<F: Float>(dy: &mut [F], of: &[F], derivative: impl Fn(F) -> F) {
    vectorize(
        #[inline(always)]
        || dy.iter_mut().zip(of).for_each(|(dy, &v)| *dy *= derivative(v)),
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
