//! Adadelta.

use super::{LearningRate, Optimizer, Step, Tuned, at_least_zero, below_one, flushed};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Steps in the units of the parameters themselves, from running means of squared gradients and squared steps.
///
/// `a = ρ a + (1 - ρ) g²`, `d = -√(D + ε) g / √(a + ε)`, `D = ρ D + (1 - ρ) d²`, `w += rate · d`.
///
/// # Parameters
/// By default the learning rate is 0.001 (the paper's is 1), ρ 0.95, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Adadelta::new(1.0).rho(0.9);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Zeiler 2012, arXiv:1212.5701.
pub type Adadelta = Tuned<AdadeltaRule>;

/// The update rule of [`Adadelta`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdadeltaRule {
    rho: f64,
    epsilon: f64,
}

impl Adadelta {
    /// Adadelta at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(AdadeltaRule { rho: 0.95, epsilon: 1e-7 }, learning_rate)
    }

    /// The decay of both means: 0 <= ρ < 1.
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Self {
        self.rule.rho = rho;
        self
    }

    /// What both means start from.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Default for Adadelta {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> Optimizer<F> for AdadeltaRule {
    fn kind(&self) -> &'static str {
        "adadelta"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        below_one("adadelta", "rho", self.rho)?;
        at_least_zero("adadelta", "epsilon", self.epsilon)
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (rate, rho, rest) = (F::of(learning_rate), F::of(self.rho), F::of(1.0 - self.rho));
        let epsilon = F::of(self.epsilon);
        let (squares, steps) = moments.split_at_mut(params.len());
        vectorize(
            #[inline(always)]
            || {
                for (((w, &g), a), d) in params.iter_mut().zip(grads).zip(squares).zip(steps) {
                    *a = flushed(rho * *a + rest * g * g);
                    let step = g * ((*d + epsilon) / (*a + epsilon)).sqrt();
                    *d = flushed(rho * *d + rest * step * step);
                    *w -= rate * step;
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
