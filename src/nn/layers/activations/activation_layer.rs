//! The activation layer: any activation function as a layer.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use serde::{Deserialize, Serialize};

/// Applies an activation function to its input: Keras's `Activation` layer.
///
/// # Shapes
/// Any, unchanged. Softmax is computed over the last axis.
///
/// # Parameters
/// No trainable parameters. `activation`: the function.
///
/// # Errors
/// In `compile`: an activation function with parameters out of range.
///
/// # Examples
/// ```
/// use axonal::layers::ActivationLayer;
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
    /// Creates the layer of an activation function.
    #[must_use]
    pub fn new(activation: Activation) -> Self {
        Self { activation }
    }
}

impl<F: Float> Layer<F> for ActivationLayer {
    crate::float::precompiled::into_arc!(ActivationLayer: Layer<F>);

    fn kind(&self) -> &'static str {
        "activation"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()).passes_mask().activation(self.activation))
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
