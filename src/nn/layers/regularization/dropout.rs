//! Dropout.

use super::{check_noise_shape, check_rate, draw};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mode, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Sets inputs to 0 at random while training, and scales the others by `1 / (1 - rate)`, so that the mean
/// stays. Without effect while answering.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. `rate`: the share that is dropped, 0 <= rate < 1.
///
/// # Errors
/// In `compile`: a rate outside of [0, 1).
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
}

impl<F: Float> Layer<F> for Dropout {
    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        check_rate("dropout", "rate", self.rate)?;
        if let Some(noise_shape) = &self.noise_shape {
            check_noise_shape("dropout", noise_shape, input)?;
        }
        // The factor of each input, for the way back.
        Ok(Plan::output(input.clone()).passes_mask().input(input).cache(input.size()))
    }

    fn forward(&self, Forward { x, mut y, cache, mode, plan, .. }: Forward<'_, F>) {
        let columns = x.ncols().max(1);
        let Mode::Train { rng, .. } = mode else {
            cache.fill(F::one());
            y.assign(&x);
            return;
        };
        let factors = [F::zero(), F::of(1.0 / (1.0 - self.rate))];
        let noise = self.noise_shape.as_ref().zip(plan.map(Plan::input_shape));
        for (row, cache) in cache.chunks_exact_mut(columns).enumerate() {
            draw(&mut rng.row(row), self.rate, factors, noise, cache);
        }
        for ((x, mut y), factors) in x.rows().into_iter().zip(y.rows_mut()).zip(cache.chunks_exact(columns)) {
            for ((y, &x), &factor) in y.iter_mut().zip(x).zip(factors) {
                *y = x * factor;
            }
        }
    }

    fn backward(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        // y = x ⊙ factor  =>  dx = dy ⊙ factor
        let columns = dy.ncols();
        for ((dy, mut dx), factors) in
            dy.rows().into_iter().zip(dx.rows_mut()).zip(cache.chunks_exact(columns.max(1)))
        {
            for ((dx, &dy), &factor) in dx.iter_mut().zip(dy).zip(factors) {
                *dx = dy * factor;
            }
        }
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
    fn dropout_keeps_the_mean_and_drops_its_share() {
        for rate in [0.0, 0.2, 0.5, 0.9] {
            let (y, _) = dropped(rate, 3);
            let share = y.iter().filter(|v| **v == 0.0).count() as f64 / 1e5;
            assert!((share - rate).abs() < 0.006, "dropped {share} at rate {rate}");
            assert!((y.mean().unwrap() - 1.0).abs() < 0.04, "mean {:?} at rate {rate}", y.mean());
            assert!(y.iter().all(|v| *v == 0.0 || (v - 1.0 / (1.0 - rate)).abs() < 1e-12));
        }
    }

    #[test]
    fn the_gradient_passes_where_the_input_did() {
        let (y, mut cache) = dropped(0.5, 4);
        let mut dy = Array2::from_elem((200, 500), 3.0);
        let mut dx = Array2::from_elem((200, 500), f64::NAN);
        let x = Array2::ones((200, 500));
        let pass = Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &[], &mut [], &mut cache);
        Dropout::new(0.5).backward(pass);
        assert_eq!(dx, y * 3.0);
    }

    #[test]
    fn dropout_is_the_identity_while_answering() {
        let x = Array2::from_shape_fn((3, 4), |(i, j)| (i * 4 + j) as f64);
        let mut y = Array2::from_elem((3, 4), f64::NAN);
        let mut cache = [0.0; 12];
        let pass = Forward::new(x.view(), y.view_mut(), &[], &mut cache, Mode::Infer { state: &[] });
        Dropout::new(0.9).forward(pass);
        assert_eq!(y, x);
    }
}
