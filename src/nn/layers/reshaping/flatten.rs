//! Flattening of a sample to one axis.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use serde::{Deserialize, Serialize};

/// Flattens a sample to one axis, in row-major order.
///
/// # Shapes
/// (a, b, …) becomes (a · b · …).
///
/// # Parameters
/// No trainable parameters.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([28, 28])
///     .add(Flatten::new())
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from(784));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flatten {}

impl Flatten {
    /// Creates the layer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F: Float> Layer<F> for Flatten {
    crate::float::precompiled::into_arc!(Flatten: Layer<F>);

    fn kind(&self) -> &'static str {
        "flatten"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.size()).rearranges())
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
