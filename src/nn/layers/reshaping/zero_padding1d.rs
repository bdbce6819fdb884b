//! Zeros around sequences.

use super::super::window::{image, output_shape};
use super::frame::Frame;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Puts zeros around a sequence.
///
/// # Shapes
/// (steps, channels) comes out as (steps + both edges, channels).
///
/// # Errors
/// In `compile`: samples of another rank; edges beyond all memory.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 4])
///     .add(ZeroPadding1D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([12, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPadding1D {
    padding: [[usize; 2]; 1],
}

impl ZeroPadding1D {
    /// Puts `padding` steps at the beginning and at the end; [`edges`](Self::edges) sets both apart.
    #[must_use]
    pub fn new(padding: usize) -> Self {
        Self { padding: [[padding; 2]] }
    }

    /// Puts so many steps at the beginning, and so many at the end.
    #[must_use]
    pub fn edges(first: usize, last: usize) -> Self {
        Self { padding: [[first, last]] }
    }

    fn frame(&self, input: &Shape) -> Result<Frame> {
        let (dims, channels) = image("zero_padding1d", true, input)?;
        Frame::around("zero_padding1d", dims, [[0, 0], self.padding[0]], channels)
    }
}

impl<F: Float> Layer<F> for ZeroPadding1D {
    fn kind(&self) -> &'static str {
        "zero_padding1d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let frame = self.frame(input)?;
        Ok(Plan::output(output_shape(true, frame.outer, frame.channels)).input(input).rearranges())
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        match plan.and_then(|plan| self.frame(plan.input_shape()).ok()) {
            Some(frame) => frame.pad(x.as_slice(), y.as_slice_mut()),
            None => y.fill(F::nan()),
        }
    }

    fn backward(&self, Backward { dy, mut dx, plan, .. }: Backward<'_, F>) {
        match plan.and_then(|plan| self.frame(plan.input_shape()).ok()) {
            Some(frame) => frame.crop(dy.as_slice(), dx.as_slice_mut()),
            None => dx.fill(F::nan()),
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
