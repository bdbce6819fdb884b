//! RMSprop.

use super::{LearningRate, Optimizer, Step, Tuned};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// RMSprop: steps scaled by the root of a running mean of squared gradients.
///
/// `v = ρ v + (1 - ρ) g²`, `w -= rate · g / √(v + ε)`. The ε stands inside of the root, as in Keras.
///
/// # Parameters
/// By default the learning rate is 0.001, ρ 0.9, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = RmsProp::new(0.01).rho(0.95);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning".
pub type RmsProp = Tuned<RmsPropRule>;

/// The update rule of [`RmsProp`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsPropRule {
    rho: f64,
    epsilon: f64,
}

impl RmsProp {
    /// RMSprop at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(RmsPropRule { rho: 0.9, epsilon: 1e-7 }, learning_rate)
    }

    /// The decay of the mean square: 0 <= ρ < 1.
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Self {
        self.rule.rho = rho;
        self
    }

    /// What keeps the divisor from 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Default for RmsProp {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> Optimizer<F> for RmsPropRule {
    fn kind(&self) -> &'static str {
        "rmsprop"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0]
    }

    fn validate(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.rho) {
            return Err(Error::invalid_parameter("rmsprop", "rho", self.rho, "0 <= rho < 1"));
        }
        if self.epsilon >= 0.0 && self.epsilon.is_finite() {
            return Ok(());
        }
        Err(Error::invalid_parameter("rmsprop", "epsilon", self.epsilon, "a finite number of at least 0"))
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (rate, rho, rest) = (F::of(learning_rate), F::of(self.rho), F::of(1.0 - self.rho));
        let epsilon = F::of(self.epsilon);
        vectorize(|| {
            for ((w, &g), v) in params.iter_mut().zip(grads).zip(moments) {
                *v = rho * *v + rest * g * g;
                *w -= rate * g / (*v + epsilon).sqrt();
            }
        });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
