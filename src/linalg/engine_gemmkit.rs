//! gemmkit's products.
//!
//! The raw entry points are called, because they take ndarray's views as they are (any strides, also negative);
//! that is what the `unsafe` blocks are for.
#![allow(unsafe_code, reason = "the engine's entry points for strided views take pointers")]

use super::{sizes, strides};
use crate::float::Float;
use gemmkit::Parallelism;
use ndarray::{ArrayView2, ArrayViewMut2};

pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    mut c: ArrayViewMut2<'_, F>,
) {
    let (m, k, n) = sizes(&a, &b, &c);
    let (a_strides, b_strides, c_strides) =
        (strides(a.strides()), strides(b.strides()), strides(c.strides()));
    // SAFETY: `sizes` has checked that the three shapes agree. A view is valid for reads of every element that
    // its shape and strides reach; the mutable view is so for writes, and borrows apart from the two others.
    unsafe {
        gemmkit::gemm_unchecked(
            m,
            k,
            n,
            alpha,
            a.as_ptr(),
            a_strides.0,
            a_strides.1,
            b.as_ptr(),
            b_strides.0,
            b_strides.1,
            beta,
            c.as_mut_ptr(),
            c_strides.0,
            c_strides.1,
            Parallelism::Serial,
        );
    }
}
