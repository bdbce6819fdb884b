//! Permutation of a sample's axes.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::axis_permutation::AxisPermutation;
use serde::{Deserialize, Serialize};

/// Permutes the axes of a sample, which are counted from 1 as in Keras: with `[2, 1]`, (3, 5) becomes (5, 3).
///
/// # Shapes
/// (a, b, …) becomes the same axes in the order of `dims`.
///
/// # Parameters
/// No trainable parameters. `dims`: the axes in their new order.
///
/// # Errors
/// In `compile`: `dims` that do not contain each axis of the sample once.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::Permute;
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
    /// Creates a layer that puts the axes, counted from 1, into the order of `dims`.
    pub fn new(dims: impl Into<Vec<usize>>) -> Self {
        Self { dims: dims.into() }
    }

    fn permutation(&self, input: &Shape) -> Result<AxisPermutation> {
        let order: Vec<usize> = self.dims.iter().map(|dim| dim.wrapping_sub(1)).collect();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..input.rank()) {
            let expected = format!("each axis of the sample {input} once, counted from 1");
            return Err(Error::invalid_parameter("permute", "dims", format!("{:?}", self.dims), expected));
        }
        Ok(AxisPermutation::new(input, order))
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<AxisPermutation> {
        plan.and_then(|plan| self.permutation(plan.input_shape()).ok())
    }
}

impl<F: Float> Layer<F> for Permute {
    crate::float::precompiled::into_arc!(Permute: Layer<F>);

    fn kind(&self) -> &'static str {
        "permute"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(self.permutation(input)?.permuted_shape()).input(input).rearranges())
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        let Some(permutation) = self.planned(plan) else { return y.fill(F::nan()) };
        let (Some(x), Some(y), width) = (x.as_slice(), y.as_slice_mut(), x.ncols().max(1)) else { return };
        permutation.permute(x, y, width);
    }

    fn backward(&self, Backward { dy, mut dx, plan, .. }: Backward<'_, F>) {
        let Some(permutation) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (Some(dy), Some(dx), width) = (dy.as_slice(), dx.as_slice_mut(), dy.ncols().max(1)) else {
            return;
        };
        permutation.invert(dy, dx, width);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
