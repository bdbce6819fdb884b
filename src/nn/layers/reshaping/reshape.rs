//! Reshaping of a sample to a target shape.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use serde::{Deserialize, Serialize};

/// Reshapes a sample to a target shape of the same size, in row-major order.
///
/// # Shapes
/// Any shape becomes the target shape.
///
/// # Parameters
/// No trainable parameters. `target`: the shape of the output.
///
/// # Errors
/// In `compile`: a target shape of another size than the sample.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
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
    /// Creates a layer that reshapes samples to `target`.
    pub fn new(target: impl Into<Shape>) -> Self {
        Self { target: target.into() }
    }
}

impl<F: Float> Layer<F> for Reshape {
    crate::float::precompiled::into_arc!(Reshape: Layer<F>);

    fn kind(&self) -> &'static str {
        "reshape"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.target.size() != input.size() {
            let expected =
                format!("a target shape of {} elements, as many as the input {input} has", input.size());
            return Err(Error::shape("reshape", expected, &self.target));
        }
        Ok(Plan::output(self.target.clone()).rearranges())
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
