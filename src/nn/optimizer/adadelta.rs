//! Adadelta.

use super::checks::{check_decay_rate, check_non_negative};
use super::flush::flush_to_zero;
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Adadelta: scales the gradient by the ratio of the root mean squares of past steps and gradients.
///
/// `a = ρ a + (1 - ρ) g²`, `d = -√(D + ε) g / √(a + ε)`, `D = ρ D + (1 - ρ) d²`, `w += rate · d`.
///
/// # Parameters
/// Defaults: learning rate 0.001 (the paper's is 1), ρ 0.95, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::optimizers::Adadelta;
/// use axonal::prelude::*;
/// let optimizer = Adadelta::new(1.0).rho(0.9);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Zeiler 2012, arXiv:1212.5701.
pub type Adadelta = RuleOptimizer<AdadeltaRule>;

/// The update rule of [`Adadelta`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdadeltaRule {
    rho: f64,
    epsilon: f64,
}

impl Adadelta {
    /// Creates Adadelta with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(AdadeltaRule { rho: 0.95, epsilon: 1e-7 }, learning_rate)
    }

    /// Sets ρ, the decay rate of both averages: `0 <= ρ < 1`.
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Self {
        self.rule.rho = rho;
        self
    }

    /// Sets ε, a small constant for numerical stability; it also sets the size of the first steps.
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

impl<F: Float> UpdateRule<F> for AdadeltaRule {
    crate::float::precompiled::into_arc!(AdadeltaRule: UpdateRule<F>);

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
        check_decay_rate("adadelta", "rho", self.rho)?;
        check_non_negative("adadelta", "epsilon", self.epsilon)
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (rate, rho, one_minus_rho) = (F::of(learning_rate), F::of(self.rho), F::of(1.0 - self.rho));
        let epsilon = F::of(self.epsilon);
        let (squares, steps) = moments.split_at_mut(params.len());
        vectorize(
            #[inline(always)]
            || {
                for (((w, &g), a), d) in params.iter_mut().zip(grads).zip(squares).zip(steps) {
                    *a = flush_to_zero(rho * *a + one_minus_rho * g * g);
                    let step = g * ((*d + epsilon) / (*a + epsilon)).sqrt();
                    *d = flush_to_zero(rho * *d + one_minus_rho * step * step);
                    *w -= rate * step;
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
