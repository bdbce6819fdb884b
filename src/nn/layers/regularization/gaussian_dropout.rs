//! Noise that is multiplied.

use super::check_rate;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Multiplies with normal noise of mean 1 while training: `y = x · N(1, rate / (1 - rate))`, whose variance is
/// that of dropout. Without effect while answering.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. `rate`: the rate of the dropout that it stands for, 0 <= rate < 1.
///
/// # Errors
/// In `compile`: a rate outside of [0, 1).
///
/// # Examples
/// ```
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
    /// The noise of a dropout of this rate.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

impl<F: Float> Layer<F> for GaussianDropout {
    fn kind(&self) -> &'static str {
        "gaussian_dropout"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_rate("gaussian_dropout", "rate", self.rate)?;
        // The factor of each input, for the way back.
        Ok(Plan::output(input.clone()).passes_mask().cache(input.size()))
    }

    fn forward(&self, Forward { x, mut y, cache, mode, .. }: Forward<'_, F>) {
        cache.fill(F::one());
        if let Mode::Train { rng, .. } = mode {
            let stddev = (self.rate / (1.0 - self.rate)).sqrt();
            for (row, factors) in cache.chunks_exact_mut(x.ncols().max(1)).enumerate() {
                let mut draws = rng.row(row);
                factors.iter_mut().for_each(|factor| *factor = F::of(1.0 + stddev * draws.normal()));
            }
        }
        y.iter_mut().zip(x).zip(&*cache).for_each(|((y, &x), &factor)| *y = x * factor);
    }

    fn backward(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        // y = x ⊙ factor  =>  dx = dy ⊙ factor
        dx.iter_mut().zip(&dy).zip(&*cache).for_each(|((dx, &dy), &factor)| *dx = dy * factor);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
