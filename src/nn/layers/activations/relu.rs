//! The rectified linear unit (ReLU) as a layer.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use serde::{Deserialize, Serialize};

/// Rectified linear unit: `min(x, max_value)` for `x` above the threshold, else `negative_slope · (x - threshold)`. By
/// default `max(x, 0)`. Keras's `ReLU` layer.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `max_value`: none by default; `negative_slope` and `threshold`: 0 by default.
///
/// # Errors
/// In `compile`: values that are negative or not finite.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::Relu;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let relu6 = Relu::new().max_value(6.0);
/// let model = Sequential::new(3).add(relu6).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[-1.0, 2.0, 9.0]])?, array![[0.0, 2.0, 6.0]]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relu {
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

impl Relu {
    /// Creates the layer `max(x, 0)`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the largest output; none by default.
    #[must_use]
    pub fn max_value(mut self, max_value: f64) -> Self {
        self.max_value = Some(max_value);
        self
    }

    /// Sets the slope below the threshold; 0 by default.
    #[must_use]
    pub fn negative_slope(mut self, slope: f64) -> Self {
        self.negative_slope = slope;
        self
    }

    /// Sets the threshold above which the output is `x`; 0 by default.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }
}

impl<F: Float> Layer<F> for Relu {
    crate::float::precompiled::into_arc!(Relu: Layer<F>);

    fn kind(&self) -> &'static str {
        "re_lu"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        // The backward pass of the plain function needs the output only.
        let activation = if *self == Self::default() {
            Activation::Relu
        } else {
            Activation::relu(self.negative_slope, self.max_value, self.threshold)
        };
        Ok(Plan::output(input.clone()).passes_mask().activation(activation))
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
