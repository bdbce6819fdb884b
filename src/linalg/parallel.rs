//! Products split among the threads of the caller's pool.
//!
//! The output is split along its longer side, because the shorter operand is then the one that every thread reads.
//! Each element is accumulated in an order that does not depend on the split (see [`tiles`]), so the bits are the
//! same for any number of threads. [`thresholds`](crate::parallel::thresholds) says from which sizes a product is
//! split.

use super::small_n::{self, RowMajor};
use super::tiles;
use crate::float::Float;
#[cfg(feature = "rayon")]
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Computes `c = alpha · a·b + beta · c`, with the bias added to every row, on several threads if that pays. `b` comes with its
/// panels, or with none; several threads do not read them.
pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    (b, panels): (ArrayView2<'_, F>, &[F]),
    beta: F,
    c: ArrayViewMut2<'_, F>,
    bias: Option<&[F]>,
) {
    #[cfg(feature = "rayon")]
    {
        let ops = a.nrows().saturating_mul(a.ncols()).saturating_mul(b.ncols());
        let n_parts = split::n_parts(ops);
        if n_parts > 1 {
            return split::gemm(n_parts, split::Product { alpha, a, b, beta, c, bias });
        }
    }
    tiles::gemm(alpha, a, (b, panels), beta, c, bias);
}

/// [`small_n::affine`], its rows split in halves among threads while that pays.
pub(super) fn affine<F: Float>(a: RowMajor<'_, F>, b: &[F], bias: Option<&[F]>, c: &mut [F]) {
    #[cfg(feature = "rayon")]
    {
        let columns = c.len() / a.rows().max(1);
        let ops = b.len().saturating_mul(a.rows());
        if a.rows() > 1 && columns > 0 && split::n_parts(ops) > 1 {
            let (above, below) = a.split_at(a.rows() / 2);
            let (c_above, c_below) = c.split_at_mut(above.rows() * columns);
            parallel::join(|| affine(above, b, bias, c_above), || affine(below, b, bias, c_below));
            return;
        }
    }
    small_n::affine(a, b, bias, c);
}

#[cfg(feature = "rayon")]
mod split {
    use super::{ArrayView2, ArrayViewMut2, Float, parallel, tiles};
    use crate::parallel::thresholds::MIN_OPS_TO_FORK_FROM_OUTSIDE;
    use ndarray::Axis;

    /// Rows and columns that the size of a part is a multiple of: the tallest tile, and one register of `f32` with
    /// AVX-512. A part that ends within a tile or a register wastes lanes there. Coarser multiples make unequal
    /// parts: halves of 288 and 224 columns made one thread wait for the other.
    const ALIGNMENT: [usize; 2] = [8, 16];

    pub(super) struct Product<'a, F> {
        pub(super) alpha: F,
        pub(super) a: ArrayView2<'a, F>,
        pub(super) b: ArrayView2<'a, F>,
        pub(super) beta: F,
        pub(super) c: ArrayViewMut2<'a, F>,
        pub(super) bias: Option<&'a [F]>,
    }

    /// Number of parts for a product of `ops` multiply-adds: as many as there are threads, each with at least half of
    /// what a fork must have.
    pub(super) fn n_parts(ops: usize) -> usize {
        let in_pool = rayon::current_thread_index().is_some();
        let min_ops = if in_pool { parallel::min_ops_to_fork() } else { MIN_OPS_TO_FORK_FROM_OUTSIDE };
        if ops < min_ops { 1 } else { rayon::current_num_threads().min(ops / (min_ops / 2)) }
    }

    /// Splits the product in two, recursively, and joins the parts.
    pub(super) fn gemm<F: Float>(n_parts: usize, product: Product<'_, F>) {
        let Product { alpha, a, b, beta, c, bias } = product;
        let (m, n) = c.dim();
        let axis = usize::from(n > m);
        let len = [m, n][axis];
        let cut = (len * (n_parts / 2) / n_parts.max(1)).next_multiple_of(ALIGNMENT[axis]);
        if n_parts < 2 || cut == 0 || cut >= len {
            return tiles::gemm(alpha, a, (b, &[]), beta, c, bias);
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
        parallel::join(|| gemm(n_parts / 2, left), || gemm(n_parts - n_parts / 2, right));
    }
}
