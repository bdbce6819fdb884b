//! Edges cut off images.

use super::super::window::{Size2D, image, output_shape};
use super::frame::Frame;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Cuts the edges off an image.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows - both edges, columns - both edges, channels).
///
/// # Errors
/// In `compile`: samples of another rank; nothing that would be left.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 8, 4])
///     .add(Cropping2D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([8, 6, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cropping2D {
    cropping: [[usize; 2]; 2],
}

impl Cropping2D {
    /// Cuts off so many rows and columns on each side; [`edges`](Self::edges) sets all four apart.
    pub fn new(cropping: impl Into<Size2D>) -> Self {
        let [rows, columns] = cropping.into().dims();
        Self { cropping: [[rows; 2], [columns; 2]] }
    }

    /// Cuts off so many rows at the top and bottom, and so many columns on the left and right.
    #[must_use]
    pub fn edges(top_bottom: [usize; 2], left_right: [usize; 2]) -> Self {
        Self { cropping: [top_bottom, left_right] }
    }

    fn frame(&self, input: &Shape) -> Result<Frame> {
        let (dims, channels) = image("cropping2d", false, input)?;
        let [rows, columns] = self.cropping;
        let edges = [rows[0].saturating_add(rows[1]), columns[0].saturating_add(columns[1])];
        if edges[0] >= dims[0] || edges[1] >= dims[1] {
            let got = format!("{:?}", self.cropping);
            let expected = format!("less than there is of the sample {input}");
            return Err(Error::invalid_parameter("cropping2d", "cropping", got, expected));
        }
        let inner = [dims[0] - edges[0], dims[1] - edges[1]];
        Ok(Frame { outer: dims, inner, at: [rows[0], columns[0]], channels })
    }
}

impl<F: Float> Layer<F> for Cropping2D {
    fn kind(&self) -> &'static str {
        "cropping2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let frame = self.frame(input)?;
        Ok(Plan::output(output_shape(false, frame.inner, frame.channels)).input(input))
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        match plan.and_then(|plan| self.frame(plan.input_shape()).ok()) {
            Some(frame) => frame.crop(x.as_slice(), y.as_slice_mut()),
            None => y.fill(F::nan()),
        }
    }

    fn backward(&self, Backward { dy, mut dx, plan, .. }: Backward<'_, F>) {
        match plan.and_then(|plan| self.frame(plan.input_shape()).ok()) {
            Some(frame) => frame.pad(dy.as_slice(), dx.as_slice_mut()),
            None => dx.fill(F::nan()),
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
