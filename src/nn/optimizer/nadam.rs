//! Nadam.

use super::{LearningRate, Optimizer, Step, Tuned, at_least_zero, below_one, flushed};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Adam with Nesterov's momentum.
///
/// `u_t = β₁(1 - ½·0.96ᵗ)`, `U = u₁ ⋯ u_t`, `m += (1 - β₁)(g - m)`, `v += (1 - β₂)(g² - v)`,
/// `m̂ = u_{t+1} m / (1 - U u_{t+1}) + (1 - u_t) g / (1 - U)`, `w -= rate · m̂ / (√(v / (1 - β₂ᵗ)) + ε)`.
///
/// # Parameters
/// By default the learning rate is 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Nadam::new(0.001);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Dozat 2016, "Incorporating Nesterov momentum into Adam".
pub type Nadam = Tuned<NadamRule>;

/// The update rule of [`Nadam`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NadamRule {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Nadam {
    /// Nadam at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(NadamRule { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, learning_rate)
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

impl Default for Nadam {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> Optimizer<F> for NadamRule {
    fn kind(&self) -> &'static str {
        "nadam"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        below_one("nadam", "beta_1", self.beta_1)?;
        below_one("nadam", "beta_2", self.beta_2)?;
        at_least_zero("nadam", "epsilon", self.epsilon)
    }

    fn update(&self, step: Step<'_, F>) {
        let t = step.time();
        let (now, next, product) = self.momenta(step.number);
        let ahead = F::of(step.learning_rate * next / (1.0 - product * next));
        let here = F::of(step.learning_rate * (1.0 - now) / (1.0 - product));
        let correction = F::of(1.0 / (1.0 - self.beta_2.powf(t)));
        let Step { params, grads, moments, .. } = step;
        let (mean_rate, square_rate) = (F::of(1.0 - self.beta_1), F::of(1.0 - self.beta_2));
        let epsilon = F::of(self.epsilon);
        let (means, squares) = moments.split_at_mut(params.len());
        vectorize(
            #[inline(always)]
            || {
                for (((w, &g), m), v) in params.iter_mut().zip(grads).zip(means).zip(squares) {
                    *m = flushed(*m + (g - *m) * mean_rate);
                    *v = flushed(*v + (g * g - *v) * square_rate);
                    *w -= (ahead * *m + here * g) / ((*v * correction).sqrt() + epsilon);
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// From this step on the warm-up of the momentum is over to the last bit: ½·0.96ᵗ is below 2⁻⁵³.
const WARM: u64 = 900;

impl NadamRule {
    /// `u_t`, `u_{t+1}` and `u₁ ⋯ u_t`.
    fn momenta(&self, number: u64) -> (f64, f64, f64) {
        let (mut warmth, mut product) = (0.5, 1.0);
        for _ in 0..number.min(WARM) {
            warmth *= 0.96;
            product *= self.beta_1 * (1.0 - warmth);
        }
        #[allow(
            clippy::cast_precision_loss,
            reason = "the power has long underflowed where steps lose digits"
        )]
        let rest = self.beta_1.powf(number.saturating_sub(WARM) as f64);
        (self.beta_1 * (1.0 - warmth), self.beta_1 * (1.0 - 0.96 * warmth), product * rest)
    }
}
