//! Axes that are worked on together, wherever they stand in a sample.
//!
//! Layers work on the last axes, whose numbers lie side by side. For others the sample is turned first, so that they are
//! the last, and its answer is turned back.

use super::{axis_of, rows, rows_mut};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Forward, Plan, Shape};
use ndarray::{ArrayView, ArrayViewMut, IxDyn};

/// The axes' indices among the sample's, in their order.
pub(crate) fn axes_of(owner: &str, axis: &[isize], input: &Shape) -> Result<Vec<usize>> {
    let mut axes = axis.iter().map(|&axis| axis_of(owner, axis, input)).collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    axes.dedup();
    if axes.is_empty() {
        return Err(Error::invalid_parameter(owner, "axis", "empty", "at least 1 axis of the sample"));
    }
    Ok(axes)
}

/// The lengths of axes, in their order; without axes that the sample has, those of the whole sample.
pub(crate) fn lengths(axis: &[isize], input: &Shape) -> Shape {
    let dims = input.dims();
    axes_of("", axis, input)
        .map_or_else(|_| input.clone(), |axes| axes.iter().map(|&axis| dims[axis]).collect::<Vec<_>>().into())
}

/// The axes of a sample in an order that ends with those worked on; `None` where they stand there already.
fn order(axis: &[isize], input: &Shape) -> Option<Vec<usize>> {
    let axes = axes_of("", axis, input).ok()?;
    if axes.iter().copied().eq(input.rank() - axes.len()..input.rank()) {
        return None;
    }
    Some((0..input.rank()).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect())
}

/// How many numbers of the cache turning needs for each sample; they stand before the layer's own.
pub(crate) fn cache_per_sample(axis: &[isize], input: &Shape) -> usize {
    if order(axis, input).is_some() { input.size().saturating_mul(3) } else { 0 }
}

/// A sample's lengths as it comes, and the order of its axes when it is turned.
struct Turn {
    dims: IxDyn,
    turned: IxDyn,
    order: Vec<usize>,
}

impl Turn {
    fn of(axis: &[isize], plan: Option<&Plan>) -> Option<Self> {
        let input = plan?.input_shape();
        let order = order(axis, input)?;
        let turned: Vec<usize> = order.iter().map(|&axis| input.dims()[axis]).collect();
        Some(Self { dims: IxDyn(input.dims()), turned: IxDyn(&turned), order })
    }

    fn forth<F: Float>(&self, from: &[F], to: &mut [F], width: usize) {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            let from = ArrayView::from_shape(self.dims.clone(), from);
            let to = ArrayViewMut::from_shape(self.turned.clone(), to);
            if let (Ok(from), Ok(mut to)) = (from, to) {
                to.assign(&from.permuted_axes(self.order.as_slice()));
            }
        }
    }

    fn back<F: Float>(&self, from: &[F], to: &mut [F], width: usize) {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            let from = ArrayView::from_shape(self.turned.clone(), from);
            let to = ArrayViewMut::from_shape(self.dims.clone(), to);
            if let (Ok(from), Ok(to)) = (from, to) {
                to.permuted_axes(self.order.as_slice()).assign(&from);
            }
        }
    }
}

/// Lets `work` see these axes as the last ones, in a forward pass.
pub(crate) fn forward<F: Float>(axis: &[isize], pass: Forward<'_, F>, work: impl FnOnce(Forward<'_, F>)) {
    let Some(turn) = Turn::of(axis, pass.plan) else { return work(pass) };
    let Forward { x, mut y, params, cache, mode, plan, .. } = pass;
    let (Some(x), Some(y), width) = (x.as_slice(), y.as_slice_mut(), x.ncols().max(1)) else { return };
    let (own, cache) = cache.split_at_mut(3 * x.len());
    let (turned_x, own) = own.split_at_mut(x.len());
    let turned_y = &mut own[..x.len()];
    turn.forth(x, turned_x, width);
    let pass = Forward::new(rows(turned_x, width), rows_mut(turned_y, width), params, cache, mode);
    work(plan.into_iter().fold(pass, Forward::planned));
    turn.back(turned_y, y, width);
}

/// As [`forward`], in a backward pass; `work` may not read `y`.
pub(crate) fn backward<F: Float>(axis: &[isize], pass: Backward<'_, F>, work: impl FnOnce(Backward<'_, F>)) {
    let Some(turn) = Turn::of(axis, pass.plan) else { return work(pass) };
    let Backward { x, y, dy, mut dx, dx_needed, params, grads, cache, plan, .. } = pass;
    let (Some(dy), Some(dx), width) = (dy.as_slice(), dx.as_slice_mut(), x.ncols().max(1)) else { return };
    let (own, cache) = cache.split_at_mut(3 * x.len());
    let (turned_x, own) = own.split_at_mut(x.len());
    let (turned_dy, turned_dx) = own.split_at_mut(x.len());
    turn.forth(dy, turned_dy, width);
    let (turned_x, deltas) = (rows(turned_x, width), rows_mut(turned_dy, width));
    let pass = Backward::new(turned_x, y, deltas, rows_mut(turned_dx, width), params, grads, cache);
    work(plan.into_iter().fold(pass.dx_needed(dx_needed), Backward::planned));
    turn.back(turned_dx, dx, width);
}
