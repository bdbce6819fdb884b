//! Adamax.

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

/// Adamax: Adam with the infinity norm in place of the second moment.
///
/// `m += (1 - β₁)(g - m)`, `u = max(β₂ u, |g|)`, `w -= rate · m / ((1 - β₁ᵗ)(u + ε))`.
///
/// # Parameters
/// Defaults: learning rate 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::optimizers::Adamax;
/// use axonal::prelude::*;
/// let optimizer = Adamax::new(0.001);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Kingma and Ba 2015, arXiv:1412.6980, section 7.1.
pub type Adamax = RuleOptimizer<AdamaxRule>;

/// The update rule of [`Adamax`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamaxRule {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Adamax {
    /// Creates Adamax with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(AdamaxRule { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, learning_rate)
    }

    /// Sets β₁, the decay rate of the first moment: `0 <= β₁ < 1`.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// Sets β₂, the decay rate of the infinity norm: `0 <= β₂ < 1`.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// Sets ε, a small constant for numerical stability.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Default for Adamax {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> UpdateRule<F> for AdamaxRule {
    crate::float::precompiled::into_arc!(AdamaxRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "adamax"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        check_decay_rate("adamax", "beta_1", self.beta_1)?;
        check_decay_rate("adamax", "beta_2", self.beta_2)?;
        check_non_negative("adamax", "epsilon", self.epsilon)
    }

    fn update(&self, step: Step<'_, F>) {
        let alpha = F::of(step.learning_rate / (1.0 - self.beta_1.powf(step.time())));
        let Step { params, grads, moments, .. } = step;
        let (mean_rate, decay) = (F::of(1.0 - self.beta_1), F::of(self.beta_2));
        let epsilon = F::of(self.epsilon);
        let (means, largest) = moments.split_at_mut(params.len());
        vectorize(
            #[inline(always)]
            || {
                for (((w, &g), m), u) in params.iter_mut().zip(grads).zip(means).zip(largest) {
                    *m = flush_to_zero(*m + (g - *m) * mean_rate);
                    *u = flush_to_zero((decay * *u).max(g.abs()));
                    *w -= alpha * *m / (*u + epsilon);
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
