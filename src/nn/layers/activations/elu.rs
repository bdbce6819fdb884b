//! The exponential linear unit (ELU) as a layer.

use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use serde::{Deserialize, Serialize};

/// Exponential linear unit: `x` for `x > 0`, else `alpha · (eˣ - 1)`. Keras's `ELU` layer.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `alpha`: the output tends to `-alpha` for `x` → −∞; 1.0 by default.
///
/// # Errors
/// In `compile`: an `alpha` that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::Elu;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(2).add(Elu::new(2.0)).compile(Adam::default(), MeanSquaredError::default())?;
/// let y: axonal::ndarray::Array2<f64> = model.predict(&array![[-1.0, 2.0]])?;
/// assert!((y[[0, 0]] - 2.0 * (f64::exp(-1.0) - 1.0)).abs() < 1e-6 && y[[0, 1]] == 2.0);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Clevert, Unterthiner and Hochreiter 2016, arXiv:1511.07289.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elu {
    alpha: f64,
}

impl Elu {
    /// Creates the layer with this `alpha`; Keras's default is 1.0.
    #[must_use]
    pub fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Default for Elu {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl<F: Float> Layer<F> for Elu {
    crate::float::precompiled::into_arc!(Elu: Layer<F>);

    fn kind(&self) -> &'static str {
        "elu"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.clone()).passes_mask().activation(Activation::elu(self.alpha)))
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
