//! Other axes for the same numbers.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Gives a sample another shape of the same size, in row-major order: (784) becomes (28, 28).
///
/// # Shapes
/// Any comes out as the target shape.
///
/// # Errors
/// In `compile`: a target of another size.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new(784)
///     .add(Reshape::new([28, 28]))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([28, 28]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    target: Shape,
}

impl Reshape {
    /// The shape that samples are given.
    pub fn new(target: impl Into<Shape>) -> Self {
        Self { target: target.into() }
    }
}

impl<F: Float> Layer<F> for Reshape {
    fn kind(&self) -> &'static str {
        "reshape"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.target.size() != input.size() {
            let expected = format!("a target of {} numbers, as the input {input}", input.size());
            return Err(Error::shape("reshape", expected, &self.target));
        }
        Ok(Plan::output(self.target.clone()).rearranges())
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        dx.assign(&dy);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
