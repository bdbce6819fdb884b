//! Adam.

use super::{LearningRate, Optimizer, Step, Tuned};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Adam: steps scaled by running estimates of the gradient's mean and square.
///
/// `m += (1 - β₁)(g - m)`, `v += (1 - β₂)(g² - v)`, `α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ)`, `w -= α m / (√v + ε)`.
/// The ε is the paper's ε̂: it stands beside the square root of the *uncorrected* v, as in Keras and unlike
/// PyTorch.
///
/// # Parameters
/// By default the learning rate is 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Adam::new(0.01).beta_1(0.95);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Kingma and Ba 2015, arXiv:1412.6980, section 2, last paragraph.
pub type Adam = Tuned<AdamRule>;

/// The update rule of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamRule {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Adam {
    /// Adam at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(AdamRule { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, learning_rate)
    }

    /// The decay of the mean: 0 <= β₁ < 1.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// The decay of the mean square: 0 <= β₂ < 1.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// What keeps the divisor from 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> Optimizer<F> for AdamRule {
    fn kind(&self) -> &'static str {
        "adam"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn validate(&self) -> Result<()> {
        for (name, beta) in [("beta_1", self.beta_1), ("beta_2", self.beta_2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::invalid_parameter("adam", name, beta, format!("0 <= {name} < 1")));
            }
        }
        if self.epsilon >= 0.0 && self.epsilon.is_finite() {
            return Ok(());
        }
        Err(Error::invalid_parameter("adam", "epsilon", self.epsilon, "a finite number of at least 0"))
    }

    fn update(&self, Step { params, grads, moments, learning_rate, number }: Step<'_, F>) {
        #[allow(
            clippy::cast_precision_loss,
            reason = "the powers have long underflowed where steps lose digits"
        )]
        let t = number as f64;
        let alpha = learning_rate * (1.0 - self.beta_2.powf(t)).sqrt() / (1.0 - self.beta_1.powf(t));
        let (alpha, epsilon) = (F::of(alpha), F::of(self.epsilon));
        let (mean_rate, square_rate) = (F::of(1.0 - self.beta_1), F::of(1.0 - self.beta_2));
        let (means, squares) = moments.split_at_mut(params.len());
        vectorize(|| {
            for (((w, &g), m), v) in params.iter_mut().zip(grads).zip(means).zip(squares) {
                *m += (g - *m) * mean_rate;
                *v += (g * g - *v) * square_rate;
                *w -= alpha * *m / (v.sqrt() + epsilon);
            }
        });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
