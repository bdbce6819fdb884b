//! An activation as a layer of its own.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Applies an activation to its input: Keras's `Activation` layer.
///
/// # Shapes
/// Any; it comes out as it went in. Softmax works on the last axis.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new(4)
///     .add(Dense::new(3))
///     .add(ActivationLayer::new(Activation::Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default())?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationLayer {
    activation: Activation,
}

impl ActivationLayer {
    /// The layer of an activation.
    #[must_use]
    pub fn new(activation: Activation) -> Self {
        Self { activation }
    }
}

impl<F: Float> Layer<F> for ActivationLayer {
    fn kind(&self) -> &'static str {
        "activation"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()).passes_mask().activation(self.activation))
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
