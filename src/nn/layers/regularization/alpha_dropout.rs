//! Dropout for self-normalizing networks.

use super::{check_noise_shape, check_rate, draw};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Sets inputs at random to the lower limit of SELU while training, and rescales all so that mean 0 and
/// variance 1 stay: `y = a (x if kept, else α') + b`. Without effect while answering.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. `rate`: the share that is dropped, 0 <= rate < 1.
///
/// # Errors
/// In `compile`: a rate outside of [0, 1); a noise shape that does not go with the sample.
///
/// # Examples
/// ```
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

/// SELU's limit at −∞: minus its scale times its alpha.
const LIMIT: f64 = -1.758_099_340_847_376_6;

impl AlphaDropout {
    /// Drops the share `rate` of the inputs.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self { rate, noise_shape: None }
    }

    /// The shape of what is drawn for a sample: with 1 along an axis, all numbers along it are kept or dropped
    /// together. The sample's own shape by default.
    #[must_use]
    pub fn noise_shape(mut self, shape: impl Into<Shape>) -> Self {
        self.noise_shape = Some(shape.into());
        self
    }

    /// The factor a and the shift b that restore mean and variance.
    fn affine(&self) -> (f64, f64) {
        let a = ((1.0 - self.rate) * (1.0 + self.rate * LIMIT * LIMIT)).powf(-0.5);
        (a, -a * LIMIT * self.rate)
    }
}

impl<F: Float> Layer<F> for AlphaDropout {
    fn kind(&self) -> &'static str {
        "alpha_dropout"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_rate("alpha_dropout", "rate", self.rate)?;
        if let Some(noise_shape) = &self.noise_shape {
            check_noise_shape("alpha_dropout", noise_shape, input)?;
        }
        // The slope of each input, for the way back: a where it is kept, 0 where it is dropped.
        Ok(Plan::output(input.clone()).passes_mask().input(input).cache(input.size()))
    }

    fn forward(&self, Forward { x, mut y, cache, mode, plan, .. }: Forward<'_, F>) {
        let Mode::Train { rng, .. } = mode else {
            cache.fill(F::one());
            y.assign(&x);
            return;
        };
        let (a, b) = self.affine();
        let noise = self.noise_shape.as_ref().zip(plan.map(Plan::input_shape));
        for (row, slopes) in cache.chunks_exact_mut(x.ncols().max(1)).enumerate() {
            draw(&mut rng.row(row), self.rate, [F::zero(), F::of(a)], noise, slopes);
        }
        let (dropped, shift) = (F::of(a * LIMIT + b), F::of(b));
        for ((y, &x), &slope) in y.iter_mut().zip(x).zip(&*cache) {
            *y = if slope == F::zero() { dropped } else { slope * x + shift };
        }
    }

    fn backward(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        dx.iter_mut().zip(&dy).zip(&*cache).for_each(|((dx, &dy), &slope)| *dx = dy * slope);
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
    fn mean_and_variance_of_normal_inputs_stay() {
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
