//! The leaky rectified linear unit (leaky ReLU) as a layer.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use serde::{Deserialize, Serialize};

/// Leaky rectified linear unit: `x` for `x > 0`, else `negative_slope · x`. Keras's `LeakyReLU` layer, with a default
/// slope of 0.3; the default of the activation function with that name is 0.2.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `negative_slope`: the slope below 0; 0.3 by default.
///
/// # Errors
/// In `compile`: a slope that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::LeakyRelu;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(2).add(LeakyRelu::new(0.1)).compile(Adam::default(), MeanSquaredError::default())?;
/// let y: axonal::ndarray::Array2<f64> = model.predict(&array![[-1.0, 2.0]])?;
/// assert!((y[[0, 0]] + 0.1).abs() < 1e-6 && y[[0, 1]] == 2.0);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeakyRelu {
    negative_slope: f64,
}

impl LeakyRelu {
    /// Creates the layer with this slope below 0; Keras's default is 0.3.
    #[must_use]
    pub fn new(negative_slope: f64) -> Self {
        Self { negative_slope }
    }
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self::new(0.3)
    }
}

impl<F: Float> Layer<F> for LeakyRelu {
    crate::float::precompiled::into_arc!(LeakyRelu: Layer<F>);

    fn kind(&self) -> &'static str {
        "leaky_re_lu"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()).passes_mask().activation(Activation::leaky_relu(self.negative_slope)))
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
