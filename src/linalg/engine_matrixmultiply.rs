//! ndarray's own products.

use crate::float::Float;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    mut c: ArrayViewMut2<'_, F>,
) {
    general_mat_mul(alpha, &a, &b, beta, &mut c);
}

pub(super) fn gemm_bias<F: Float>(
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    bias: &[F],
    mut c: ArrayViewMut2<'_, F>,
) {
    c.assign(&ndarray::aview1(bias));
    general_mat_mul(F::one(), &a, &b, F::one(), &mut c);
}
