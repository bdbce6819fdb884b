//! Dropout: sets random elements to zero during training.

use super::dropout_mask::{draw_batch, multiply, plan};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Sets random elements of the input to 0 during training, and multiplies the others by `1 / (1 - rate)`, which
/// preserves the mean. Has no effect during inference.
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
/// use axonal::prelude::*;
/// let layer = Dropout::new(0.2);
/// # let _ = layer;
/// ```
///
/// # References
/// Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, JMLR 15(56).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
    #[serde(default)]
    noise_shape: Option<Shape>,
}

impl Dropout {
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
}

impl<F: Float> Layer<F> for Dropout {
    crate::float::precompiled::into_arc!(Dropout: Layer<F>);

    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        plan("dropout", self.rate, self.noise_shape.as_ref(), input)
    }

    fn forward(&self, Forward { x, mut y, cache, mode, plan, .. }: Forward<'_, F>) {
        let Mode::Train { rng, .. } = mode else {
            cache.fill(F::one());
            y.assign(&x);
            return;
        };
        let factors = [F::zero(), F::of(1.0 / (1.0 - self.rate))];
        let noise = self.noise_shape.as_ref().zip(plan.map(Plan::input_shape));
        draw_batch(rng, self.rate, factors, noise, x.ncols(), cache);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::RowRng;
    use ndarray::Array2;

    fn dropped(rate: f64, seed: u64) -> (Array2<f64>, Vec<f64>) {
        let x = Array2::<f64>::ones((200, 500));
        let mut y = Array2::from_elem((200, 500), f64::NAN);
        let mut cache = vec![f64::NAN; 100_000];
        let mode = Mode::Train { rng: RowRng::new(seed, 0, 0), state: &mut [] };
        Dropout::new(rate).forward(Forward::new(x.view(), y.view_mut(), &[], &mut cache, mode));
        (y, cache)
    }

    #[test]
    fn dropout_preserves_the_mean_and_drops_the_rate() {
        for rate in [0.0, 0.2, 0.5, 0.9] {
            let (y, _) = dropped(rate, 3);
            let dropped = y.iter().filter(|v| **v == 0.0).count() as f64 / 1e5;
            assert!((dropped - rate).abs() < 0.006, "dropped {dropped} at rate {rate}");
            assert!((y.mean().unwrap() - 1.0).abs() < 0.04, "mean {:?} at rate {rate}", y.mean());
            assert!(y.iter().all(|v| *v == 0.0 || (v - 1.0 / (1.0 - rate)).abs() < 1e-12));
        }
    }

    #[test]
    fn the_gradient_is_multiplied_by_the_same_factors() {
        let (y, mut cache) = dropped(0.5, 4);
        let mut dy = Array2::from_elem((200, 500), 3.0);
        let mut dx = Array2::from_elem((200, 500), f64::NAN);
        let x = Array2::ones((200, 500));
        let pass = Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &[], &mut [], &mut cache);
        Dropout::new(0.5).backward(pass);
        assert_eq!(dx, y * 3.0);
    }

    #[test]
    fn dropout_is_the_identity_during_inference() {
        let x = Array2::from_shape_fn((3, 4), |(i, j)| (i * 4 + j) as f64);
        let mut y = Array2::from_elem((3, 4), f64::NAN);
        let mut cache = [0.0; 12];
        let pass = Forward::new(x.view(), y.view_mut(), &[], &mut cache, Mode::Infer { state: &[] });
        Dropout::new(0.9).forward(pass);
        assert_eq!(y, x);
    }
}
