//! Zeros around images.

use super::super::window::{Size2D, image, output_shape};
use super::frame::Frame;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Puts zeros around an image.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows + both edges, columns + both edges, channels).
///
/// # Errors
/// In `compile`: samples of another rank; edges beyond all memory.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 8, 4])
///     .add(ZeroPadding2D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([12, 10, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPadding2D {
    padding: [[usize; 2]; 2],
}

impl ZeroPadding2D {
    /// Puts so many rows and columns on each side; [`edges`](Self::edges) sets all four apart.
    pub fn new(padding: impl Into<Size2D>) -> Self {
        let [rows, columns] = padding.into().dims();
        Self { padding: [[rows; 2], [columns; 2]] }
    }

    /// Puts so many rows at the top and bottom, and so many columns on the left and right.
    #[must_use]
    pub fn edges(top_bottom: [usize; 2], left_right: [usize; 2]) -> Self {
        Self { padding: [top_bottom, left_right] }
    }

    fn frame(&self, input: &Shape) -> Result<Frame> {
        let (dims, channels) = image("zero_padding2d", false, input)?;
        Frame::around("zero_padding2d", dims, self.padding, channels)
    }
}

impl<F: Float> Layer<F> for ZeroPadding2D {
    fn kind(&self) -> &'static str {
        "zero_padding2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let frame = self.frame(input)?;
        Ok(Plan::output(output_shape(false, frame.outer, frame.channels)).input(input).rearranges())
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
