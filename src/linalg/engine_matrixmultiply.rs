//! Products by ndarray's engine, the crate `matrixmultiply`.

use crate::float::Float;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Computes `c = alpha · a·b + beta · c`.
pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    mut c: ArrayViewMut2<'_, F>,
) {
    general_mat_mul(alpha, &a, &b, beta, &mut c);
}
