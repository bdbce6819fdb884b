//! Axes in another order.

use super::super::{rows, whole_rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use ndarray::{ArrayView, ArrayViewMut, IxDyn};
use serde::{Deserialize, Serialize};

/// Puts the axes of a sample into another order, counted from 1 as in Keras: with `[2, 1]`, (3, 5) becomes
/// (5, 3).
///
/// # Shapes
/// (a, b, …) comes out with its axes in the order of `dims`.
///
/// # Errors
/// In `compile`: an order that does not name each axis of the sample once.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([3, 5])
///     .add(Permute::new([2, 1]))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([5, 3]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    dims: Vec<usize>,
}

impl Permute {
    /// The axes, counted from 1, in their new order.
    pub fn new(dims: impl Into<Vec<usize>>) -> Self {
        Self { dims: dims.into() }
    }

    /// The axes, counted from 0.
    fn order(&self) -> Vec<usize> {
        self.dims.iter().map(|dim| dim.wrapping_sub(1)).collect()
    }
}

impl<F: Float> Layer<F> for Permute {
    fn kind(&self) -> &'static str {
        "permute"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let mut sorted = self.order();
        sorted.sort_unstable();
        if sorted != (0..input.rank()).collect::<Vec<_>>() {
            let expected = format!("each axis of the sample {input} once, counted from 1");
            return Err(Error::invalid_parameter("permute", "dims", format!("{:?}", self.dims), expected));
        }
        let dims: Vec<usize> = self.order().iter().map(|&axis| input.dims()[axis]).collect();
        Ok(Plan::output(dims).input(input).rearranges())
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        let Some(plan) = plan else { return y.fill(F::nan()) };
        for (x, y) in whole_rows(x.as_slice(), y.as_slice_mut(), plan.input_shape().size()) {
            let x = ArrayView::from_shape(IxDyn(plan.input_shape().dims()), x);
            let y = ArrayViewMut::from_shape(IxDyn(plan.output_shape().dims()), y);
            if let (Ok(x), Ok(mut y)) = (x, y) {
                y.assign(&x.permuted_axes(self.order()));
            }
        }
    }

    fn backward(&self, Backward { dy, mut dx, plan, .. }: Backward<'_, F>) {
        let Some(plan) = plan else { return dx.fill(F::nan()) };
        let Some(dx) = dx.as_slice_mut() else { return };
        let width = plan.input_shape().size();
        let Some(dy) = dy.as_slice() else { return };
        for (dy, dx) in rows(dy, width).rows().into_iter().zip(dx.chunks_exact_mut(width.max(1))) {
            let dy = dy.into_shape_with_order(IxDyn(plan.output_shape().dims()));
            let dx = ArrayViewMut::from_shape(IxDyn(plan.input_shape().dims()), dx);
            if let (Ok(dy), Ok(dx)) = (dy, dx) {
                dx.permuted_axes(self.order()).assign(&dy);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
