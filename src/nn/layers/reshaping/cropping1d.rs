//! Edges cut off sequences.

use super::super::window::{image, output_shape};
use super::frame::Frame;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Cuts the edges off a sequence.
///
/// # Shapes
/// (steps, channels) comes out as (steps - both edges, channels).
///
/// # Errors
/// In `compile`: samples of another rank; nothing that would be left.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 4])
///     .add(Cropping1D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([8, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cropping1D {
    cropping: [[usize; 2]; 1],
}

impl Cropping1D {
    /// Cuts off `cropping` steps at the beginning and at the end; [`edges`](Self::edges) sets both apart.
    #[must_use]
    pub fn new(cropping: usize) -> Self {
        Self { cropping: [[cropping; 2]] }
    }

    /// Cuts off so many steps at the beginning, and so many at the end.
    #[must_use]
    pub fn edges(first: usize, last: usize) -> Self {
        Self { cropping: [[first, last]] }
    }

    fn frame(&self, input: &Shape) -> Result<Frame> {
        let (dims, channels) = image("cropping1d", true, input)?;
        let [rows, columns] = [[0, 0], self.cropping[0]];
        let edges = [rows[0].saturating_add(rows[1]), columns[0].saturating_add(columns[1])];
        if edges[0] >= dims[0] || edges[1] >= dims[1] {
            let got = format!("{:?}", self.cropping);
            let expected = format!("less than there is of the sample {input}");
            return Err(Error::invalid_parameter("cropping1d", "cropping", got, expected));
        }
        let inner = [dims[0] - edges[0], dims[1] - edges[1]];
        Ok(Frame { outer: dims, inner, at: [rows[0], columns[0]], channels })
    }
}

impl<F: Float> Layer<F> for Cropping1D {
    fn kind(&self) -> &'static str {
        "cropping1d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let frame = self.frame(input)?;
        Ok(Plan::output(output_shape(true, frame.inner, frame.channels)).input(input))
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
