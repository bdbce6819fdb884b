//! Gaussian dropout: multiplicative normal noise.

use super::dropout_mask::{multiply, plan};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Multiplies the input by normal noise of mean 1 during training: `y = x · N(1, rate / (1 - rate))`, whose variance
/// is that of dropout. Has no effect during inference.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `rate`: the rate of a dropout with the same variance, 0 <= rate < 1.
///
/// # Errors
/// In `compile`: a rate outside [0, 1).
///
/// # Examples
/// ```
/// use axonal::layers::GaussianDropout;
/// use axonal::prelude::*;
/// let layer = GaussianDropout::new(0.2);
/// # let _ = layer;
/// ```
///
/// # References
/// Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, JMLR 15(56), section 10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianDropout {
    rate: f64,
}

impl GaussianDropout {
    /// Creates a layer with the noise variance of a dropout with this rate.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

impl<F: Float> Layer<F> for GaussianDropout {
    crate::float::precompiled::into_arc!(GaussianDropout: Layer<F>);

    fn kind(&self) -> &'static str {
        "gaussian_dropout"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        plan("gaussian_dropout", self.rate, None, input)
    }

    fn forward(&self, Forward { x, y, cache, mode, .. }: Forward<'_, F>) {
        cache.fill(F::one());
        if let Mode::Train { rng, .. } = mode {
            let stddev = (self.rate / (1.0 - self.rate)).sqrt();
            for (row, factors) in cache.chunks_exact_mut(x.ncols().max(1)).enumerate() {
                let mut draws = rng.row(row);
                factors.iter_mut().for_each(|factor| *factor = F::of(1.0 + stddev * draws.normal()));
            }
        }
        multiply(x, cache, y);
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, F>) {
        // y = x ⊙ factors  =>  dx = dy ⊙ factors
        multiply(dy.view(), cache, dx);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
