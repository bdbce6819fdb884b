//! Large products shared by the threads of the caller's pool.
//!
//! The result is cut along its longer side, because then the shorter operand is the one that every thread reads.
//! An element's order of summation does not depend on the cut (see `tiles.rs`), so the bits are the same for any
//! number of threads.

use super::narrow::{self, Rows};
use super::tiles;
use crate::float::Float;
#[cfg(feature = "rayon")]
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2};

/// `c = alpha * a.b + beta * c`, and the bias added to every row; by several threads where that pays.
pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    c: ArrayViewMut2<'_, F>,
    bias: Option<&[F]>,
) {
    #[cfg(feature = "rayon")]
    {
        let operations = a.nrows().saturating_mul(a.ncols()).saturating_mul(b.ncols());
        let parts = threads::worth(operations);
        if parts > 1 {
            return threads::gemm(parts, Product { alpha, a, b, beta, c, bias });
        }
    }
    tiles::gemm(alpha, a, b, beta, c, bias);
}

/// [`narrow::affine`], its rows by several threads where that pays.
pub(super) fn affine<F: Float>(a: Rows<'_, F>, b: &[F], bias: Option<&[F]>, c: &mut [F]) {
    #[cfg(feature = "rayon")]
    {
        let columns = c.len() / a.rows().max(1);
        let operations = b.len().saturating_mul(a.rows());
        if a.rows() > 1 && columns > 0 && threads::worth(operations) > 1 {
            let (above, below) = a.split_at(a.rows() / 2);
            let (c_above, c_below) = c.split_at_mut(above.rows() * columns);
            parallel::join(|| affine(above, b, bias, c_above), || affine(below, b, bias, c_below));
            return;
        }
    }
    narrow::affine(a, b, bias, c);
}

#[cfg(feature = "rayon")]
struct Product<'a, F> {
    alpha: F,
    a: ArrayView2<'a, F>,
    b: ArrayView2<'a, F>,
    beta: F,
    c: ArrayViewMut2<'a, F>,
    bias: Option<&'a [F]>,
}

#[cfg(feature = "rayon")]
mod threads {
    use super::{Float, Product, parallel, tiles};
    use ndarray::Axis;

    /// Multiply-adds from which it pays from outside of the pool, where the caller has to wake the pool and to wait for it.
    const WORTH_FROM_OUTSIDE: usize = 1 << 25;

    /// So many rows fill the tallest tile, and so many columns a register, of `f32` with AVX-512; with a part of either the
    /// last tile of each thread works for nothing. Coarser, the parts are of unequal size.
    const GRAIN: [usize; 2] = [8, 16];

    pub(super) fn worth(operations: usize) -> usize {
        let inside = rayon::current_thread_index().is_some();
        let worth = if inside { parallel::min_ops_to_fork() } else { WORTH_FROM_OUTSIDE };
        if operations < worth { 1 } else { rayon::current_num_threads().min(operations / (worth / 2)) }
    }

    pub(super) fn gemm<F: Float>(parts: usize, product: Product<'_, F>) {
        let Product { alpha, a, b, beta, c, bias } = product;
        let (m, n) = c.dim();
        let axis = usize::from(n > m);
        let len = [m, n][axis];
        let cut = (len * (parts / 2) / parts.max(1)).next_multiple_of(GRAIN[axis]);
        if parts < 2 || cut == 0 || cut >= len {
            return tiles::gemm(alpha, a, b, beta, c, bias);
        }
        let (c_left, c_right) = c.split_at(Axis(axis), cut);
        let ([a_left, a_right], [b_left, b_right]) = if axis == 0 {
            let (left, right) = a.split_at(Axis(0), cut);
            ([left, right], [b, b])
        } else {
            let (left, right) = b.split_at(Axis(1), cut);
            ([a, a], [left, right])
        };
        let (bias_left, bias_right) = match bias {
            Some(bias) if axis == 1 => (Some(&bias[..cut]), Some(&bias[cut..])),
            bias => (bias, bias),
        };
        let left = Product { alpha, a: a_left, b: b_left, beta, c: c_left, bias: bias_left };
        let right = Product { alpha, a: a_right, b: b_right, beta, c: c_right, bias: bias_right };
        parallel::join(|| gemm(parts / 2, left), || gemm(parts - parts / 2, right));
    }
}
