//! Linear maps of the steps of one input of an attention layer.

use crate::float::Float;
use crate::linalg::{add_rows, affine, gemm, matrix, matrix_mut};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// One input: its columns in a row of all inputs, its positions in the mask, and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) columns: Range<usize>,
    pub(super) positions: Range<usize>,
    pub(super) steps: usize,
    pub(super) features: usize,
}

/// Calls `visit` with ranges of samples whose steps are rows of one matrix: all samples if the input is the only one, else one
/// at a time.
fn for_each_run(n: usize, part: &Part, total: usize, mut visit: impl FnMut(Range<usize>)) {
    if part.columns.len() == total {
        return visit(0..n);
    }
    (0..n).for_each(|sample| visit(sample..sample + 1));
}

/// The steps of some samples as rows.
fn steps<'a, F>(x: &'a ArrayView2<'_, F>, part: &Part, samples: Range<usize>) -> Option<ArrayView2<'a, F>> {
    let rows = samples.len() * part.steps;
    let values = x.slice(s![samples, part.columns.clone()]).to_slice()?;
    Some(matrix(values, rows, part.features))
}

/// Computes `out = x · kernel + bias` for all steps of an input.
pub(super) fn project<F: Float>(
    x: ArrayView2<'_, F>,
    part: &Part,
    kernel: &[F],
    bias: Option<&[F]>,
    out: &mut [F],
) {
    let width = kernel.len() / part.features.max(1);
    let kernel = matrix(kernel, part.features, width);
    for_each_run(x.nrows(), part, x.ncols(), |samples| {
        let Some(steps) = steps(&x, part, samples.clone()) else { return };
        let out = &mut out[samples.start * part.steps * width..samples.end * part.steps * width];
        affine(steps, kernel, bias, matrix_mut(out, samples.len() * part.steps, width));
    });
}

/// The gradients of [`project`]: adds those of kernel and bias; writes that of the input, or adds it if the flag is set.
pub(super) fn project_backward<F: Float>(
    x: ArrayView2<'_, F>,
    part: &Part,
    kernel: &[F],
    d_out: &[F],
    (d_kernel, d_bias): (&mut [F], &mut [F]),
    mut dx: Option<(ArrayViewMut2<'_, F>, bool)>,
) {
    let width = kernel.len() / part.features.max(1);
    let kernel = matrix(kernel, part.features, width);
    let total = x.ncols();
    for_each_run(x.nrows(), part, total, |samples| {
        let rows = samples.len() * part.steps;
        let d_out =
            matrix(&d_out[samples.start * part.steps * width..samples.end * part.steps * width], rows, width);
        // out = x · kernel + bias  =>  dkernel += xᵀ · dout, dbias += Σ dout, dx = dout · kernelᵀ
        if let Some(steps) = steps(&x, part, samples.clone()) {
            gemm(F::one(), steps.t(), d_out, F::one(), matrix_mut(d_kernel, part.features, width));
        }
        if !d_bias.is_empty() {
            add_rows(d_out, d_bias);
        }
        if let Some((dx, adds)) = &mut dx {
            let beta = if *adds { F::one() } else { F::zero() };
            let mut own = dx.slice_mut(s![samples, part.columns.clone()]);
            if let Some(dx) = own.as_slice_mut() {
                gemm(F::one(), d_out, kernel.t(), beta, matrix_mut(dx, rows, part.features));
            }
        }
    });
}
