//! The rectified linear unit as a layer.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keras's `ReLU` layer: `x` above the threshold (up to a largest value), `negative_slope · (x - threshold)`
/// below it. By default `max(x, 0)`.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained.
///
/// # Errors
/// In `compile`: numbers that are negative or not finite.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let relu6 = Relu::default().max_value(6.0);
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
    /// The largest output; none by default.
    #[must_use]
    pub fn max_value(mut self, max_value: f64) -> Self {
        self.max_value = Some(max_value);
        self
    }

    /// The slope below the threshold; 0 by default.
    #[must_use]
    pub fn negative_slope(mut self, slope: f64) -> Self {
        self.negative_slope = slope;
        self
    }

    /// Where the function begins to be its input; 0 by default.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }
}

impl<F: Float> Layer<F> for Relu {
    fn kind(&self) -> &'static str {
        "re_lu"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        // The plain function needs its output only for the way back.
        let activation = if *self == Self::default() {
            Activation::Relu
        } else {
            Activation::relu(self.negative_slope, self.max_value, self.threshold)
        };
        Ok(Plan::output(input.clone()).passes_mask().activation(activation))
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
