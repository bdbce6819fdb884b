//! Gaussian noise: additive normal noise.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Adds normal noise of mean 0 during training: `y = x + N(0, stddev²)`. Has no effect during inference.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `stddev`: the standard deviation of the noise, 0 <= stddev <= 1.
///
/// # Errors
/// In `compile`: a standard deviation outside [0, 1].
///
/// # Examples
/// ```
/// use axonal::layers::GaussianNoise;
/// use axonal::prelude::*;
/// let layer = GaussianNoise::new(0.1);
/// # let _ = layer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    stddev: f64,
}

impl GaussianNoise {
    /// Creates a layer that adds noise of this standard deviation.
    #[must_use]
    pub fn new(stddev: f64) -> Self {
        Self { stddev }
    }
}

impl<F: Float> Layer<F> for GaussianNoise {
    crate::float::precompiled::into_arc!(GaussianNoise: Layer<F>);

    fn kind(&self) -> &'static str {
        "gaussian_noise"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if !(0.0..=1.0).contains(&self.stddev) {
            return Err(Error::invalid_parameter(
                "gaussian_noise",
                "stddev",
                self.stddev,
                "0 <= stddev <= 1",
            ));
        }
        Ok(Plan::output(input.clone()).passes_mask())
    }

    fn forward(&self, Forward { x, mut y, mode, .. }: Forward<'_, F>) {
        y.assign(&x);
        if let Mode::Train { rng, .. } = mode {
            for (row, mut y) in y.rows_mut().into_iter().enumerate() {
                let mut draws = rng.row(row);
                y.iter_mut().for_each(|y| *y += F::of(self.stddev * draws.normal()));
            }
        }
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        // y = x + noise  =>  dx = dy
        dx.assign(&dy);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
