//! Axis permutation for layers that work on the last axes of a sample.
//!
//! A normalization over other axes than the last permutes the sample so that these axes are the last, computes, and
//! permutes the result back. The permuted copies are at the front of the layer's cache.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Forward, Plan, Shape};
use crate::nn::layers::axes::axis_of;
use crate::nn::layers::rows::{rows, rows_mut};
use ndarray::{ArrayView, ArrayViewMut, Dimension, IxDyn};

/// Resolves axes counted as Keras does to sorted indices among the sample's axes, without repetitions.
pub(crate) fn axes_of(owner: &str, axis: &[isize], input: &Shape) -> Result<Vec<usize>> {
    let mut axes = axis.iter().map(|&axis| axis_of(owner, axis, input)).collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    axes.dedup();
    if axes.is_empty() {
        return Err(Error::invalid_parameter(owner, "axis", "empty", "at least 1 axis of the sample"));
    }
    Ok(axes)
}

/// Returns the lengths of these axes, in the sample's order; the shape of the whole sample where an axis is not one
/// of its.
pub(crate) fn lengths(axis: &[isize], input: &Shape) -> Shape {
    let dims = input.dims();
    axes_of("", axis, input)
        .map_or_else(|_| input.clone(), |axes| axes.iter().map(|&axis| dims[axis]).collect::<Vec<_>>().into())
}

/// Returns the order of the sample's axes that ends with `axis`; `None` where these are the last axes already.
fn order_with_last(axis: &[isize], input: &Shape) -> Option<Vec<usize>> {
    let axes = axes_of("", axis, input).ok()?;
    if axes.iter().copied().eq(input.rank() - axes.len()..input.rank()) {
        return None;
    }
    Some((0..input.rank()).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect())
}

/// Returns the cache length for the permuted copies of one sample: x and y in a forward pass, x, dy and dx in a
/// backward pass. The layer's own cache follows.
pub(crate) fn cache_per_sample(axis: &[isize], input: &Shape) -> usize {
    if order_with_last(axis, input).is_some() { input.size().saturating_mul(3) } else { 0 }
}

/// A permutation of a sample's axes.
pub(crate) struct AxisPermutation {
    dims: IxDyn,
    permuted_dims: IxDyn,
    order: Vec<usize>,
}

impl AxisPermutation {
    /// Creates the permutation that puts the sample's axes, counted from 0, into `order`.
    pub(crate) fn new(input: &Shape, order: Vec<usize>) -> Self {
        let permuted_dims: Vec<usize> = order.iter().map(|&axis| input.dims()[axis]).collect();
        Self { dims: IxDyn(input.dims()), permuted_dims: IxDyn(&permuted_dims), order }
    }

    /// Creates the permutation that puts `axis` last; `None` where nothing is to be permuted.
    fn to_last(axis: &[isize], plan: Option<&Plan>) -> Option<Self> {
        let input = plan?.input_shape();
        Some(Self::new(input, order_with_last(axis, input)?))
    }

    /// Returns the shape of a permuted sample.
    pub(crate) fn permuted_shape(&self) -> Shape {
        self.permuted_dims.slice().to_vec().into()
    }

    /// Copies samples of `width` elements into permuted order.
    pub(crate) fn permute<F: Float>(&self, from: &[F], to: &mut [F], width: usize) {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            let from = ArrayView::from_shape(self.dims.clone(), from);
            let to = ArrayViewMut::from_shape(self.permuted_dims.clone(), to);
            if let (Ok(from), Ok(mut to)) = (from, to) {
                to.assign(&from.permuted_axes(self.order.as_slice()));
            }
        }
    }

    /// Copies permuted samples of `width` elements back into the sample's order.
    pub(crate) fn invert<F: Float>(&self, from: &[F], to: &mut [F], width: usize) {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            let from = ArrayView::from_shape(self.permuted_dims.clone(), from);
            let to = ArrayViewMut::from_shape(self.dims.clone(), to);
            if let (Ok(from), Ok(to)) = (from, to) {
                to.permuted_axes(self.order.as_slice()).assign(&from);
            }
        }
    }
}

/// Runs the forward pass `work` with `axis` permuted to the end.
pub(crate) fn forward<F: Float>(axis: &[isize], pass: Forward<'_, F>, work: impl FnOnce(Forward<'_, F>)) {
    let Some(permutation) = AxisPermutation::to_last(axis, pass.plan) else { return work(pass) };
    let Forward { x, mut y, params, cache, mode, plan, backward_follows, .. } = pass;
    let (Some(x), Some(y), width) = (x.as_slice(), y.as_slice_mut(), x.ncols().max(1)) else { return };
    let (copies, cache) = cache.split_at_mut(3 * x.len());
    let (permuted_x, copies) = copies.split_at_mut(x.len());
    let permuted_y = &mut copies[..x.len()];
    permutation.permute(x, permuted_x, width);
    let pass = Forward::new(rows(permuted_x, width), rows_mut(permuted_y, width), params, cache, mode);
    let pass = pass.before_backward(backward_follows);
    work(plan.into_iter().fold(pass, Forward::planned));
    permutation.invert(permuted_y, y, width);
}

/// Runs the backward pass `work` with `axis` permuted to the end. `work` must not read `y`, which is not permuted.
pub(crate) fn backward<F: Float>(axis: &[isize], pass: Backward<'_, F>, work: impl FnOnce(Backward<'_, F>)) {
    let Some(permutation) = AxisPermutation::to_last(axis, pass.plan) else { return work(pass) };
    let Backward { x, y, dy, mut dx, dx_needed, params, grads, cache, plan, .. } = pass;
    let (Some(dy), Some(dx), width) = (dy.as_slice(), dx.as_slice_mut(), x.ncols().max(1)) else { return };
    let (copies, cache) = cache.split_at_mut(3 * x.len());
    let (permuted_x, copies) = copies.split_at_mut(x.len());
    let (permuted_dy, permuted_dx) = copies.split_at_mut(x.len());
    permutation.permute(dy, permuted_dy, width);
    let (permuted_x, deltas) = (rows(permuted_x, width), rows_mut(permuted_dy, width));
    let pass = Backward::new(permuted_x, y, deltas, rows_mut(permuted_dx, width), params, grads, cache);
    work(plan.into_iter().fold(pass.dx_needed(dx_needed), Backward::planned));
    permutation.invert(permuted_dx, dx, width);
}
