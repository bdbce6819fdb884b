//! Alpha dropout, for self-normalizing networks.

use super::dropout_mask::{draw_batch, multiply, plan};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Sets random elements of the input to SELU's negative saturation value α' during training, then applies an affine
/// function that preserves mean 0 and variance 1: `y = a (x if kept, else α') + b`. Has no effect during inference.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `rate`: the fraction of elements that are dropped, 0 <= rate < 1.
///
/// # Errors
/// In `compile`: a rate outside [0, 1); a noise shape that cannot be broadcast to the sample shape.
///
/// # Examples
/// ```
/// use axonal::layers::AlphaDropout;
/// use axonal::prelude::*;
/// let layer = AlphaDropout::new(0.1);
/// # let _ = layer;
/// ```
///
/// # References
/// Klambauer, Unterthiner, Mayr and Hochreiter 2017, arXiv:1706.02515.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlphaDropout {
    rate: f64,
    #[serde(default)]
    noise_shape: Option<Shape>,
}

/// SELU's limit for `x` → −∞: α' = −scale · alpha.
const ALPHA_PRIME: f64 = -1.758_099_340_847_376_6;

impl AlphaDropout {
    /// Creates a layer that drops the fraction `rate` of the elements.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self { rate, noise_shape: None }
    }

    /// Sets the shape of a sample's random mask; along its axes of length 1, all elements are dropped or kept
    /// together. The sample shape by default.
    #[must_use]
    pub fn noise_shape(mut self, shape: impl Into<Shape>) -> Self {
        self.noise_shape = Some(shape.into());
        self
    }

    /// Returns the scale a and the shift b that preserve mean and variance.
    fn affine(&self) -> (f64, f64) {
        let a = ((1.0 - self.rate) * (1.0 + self.rate * ALPHA_PRIME * ALPHA_PRIME)).powf(-0.5);
        (a, -a * ALPHA_PRIME * self.rate)
    }
}

impl<F: Float> Layer<F> for AlphaDropout {
    crate::float::precompiled::into_arc!(AlphaDropout: Layer<F>);

    fn kind(&self) -> &'static str {
        "alpha_dropout"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        plan("alpha_dropout", self.rate, self.noise_shape.as_ref(), input)
    }

    fn forward(&self, Forward { x, mut y, cache, mode, plan, .. }: Forward<'_, F>) {
        let Mode::Train { rng, .. } = mode else {
            cache.fill(F::one());
            y.assign(&x);
            return;
        };
        let (a, b) = self.affine();
        let noise = self.noise_shape.as_ref().zip(plan.map(Plan::input_shape));
        // The factor of an element is its slope: a if it is kept, 0 if it is dropped.
        draw_batch(rng, self.rate, [F::zero(), F::of(a)], noise, x.ncols(), cache);
        let (dropped, shift) = (F::of(a * ALPHA_PRIME + b), F::of(b));
        for ((y, &x), &slope) in y.iter_mut().zip(x).zip(&*cache) {
            *y = if slope == F::zero() { dropped } else { slope * x + shift };
        }
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, F>) {
        // y = slope x + shift  =>  dx = slope dy
        multiply(dy.view(), cache, dx);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng, RowRng};
    use ndarray::Array2;

    #[test]
    fn alpha_dropout_preserves_mean_and_variance_of_normal_inputs() {
        let mut rng = Rng::new(0, Purpose::Other, 0);
        let x = Array2::from_shape_fn((100, 1000), |_| rng.normal());
        for rate in [0.05, 0.3] {
            let mut y = Array2::from_elem((100, 1000), f64::NAN);
            let mut cache = vec![f64::NAN; 100_000];
            let mode = Mode::Train { rng: RowRng::new(1, 0, 0), state: &mut [] };
            AlphaDropout::new(rate).forward(Forward::new(x.view(), y.view_mut(), &[], &mut cache, mode));
            let (mean, variance) = (y.mean().unwrap(), y.var(0.0));
            assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "rate {rate}: {mean}, {variance}");
        }
    }
}
