//! RMSprop.

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

/// RMSprop: divides the gradient by the root of a moving average of its square.
///
/// `v = ρ v + (1 - ρ) g²`, `w -= rate · g / √(v + ε)`. ε is added under the root, as in Keras. The centered
/// variant divides by `√(v - a² + ε)` with `a = ρ a + (1 - ρ) g`. With momentum μ, `d = μ d + step`, `w -= d`.
///
/// # Parameters
/// Defaults: learning rate 0.001, ρ 0.9, ε 1e-7, momentum 0, not centered.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = RmsProp::new(0.01).rho(0.95);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; Graves 2013, arXiv:1308.0850
/// (centered).
pub type RmsProp = RuleOptimizer<RmsPropRule>;

/// The update rule of [`RmsProp`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsPropRule {
    rho: f64,
    epsilon: f64,
    #[serde(default)]
    momentum: f64,
    #[serde(default)]
    centered: bool,
}

impl RmsProp {
    /// Creates RMSprop with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(
            RmsPropRule { rho: 0.9, epsilon: 1e-7, momentum: 0.0, centered: false },
            learning_rate,
        )
    }

    /// Sets ρ, the decay rate of the mean square: `0 <= ρ < 1`.
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Self {
        self.rule.rho = rho;
        self
    }

    /// Sets ε, a small constant for numerical stability.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }

    /// Sets the momentum μ: `0 <= momentum < 1`.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.rule.momentum = momentum;
        self
    }

    /// Enables or disables centering: dividing by the root of the gradient's estimated variance.
    #[must_use]
    pub fn centered(mut self, centered: bool) -> Self {
        self.rule.centered = centered;
        self
    }
}

impl Default for RmsProp {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> UpdateRule<F> for RmsPropRule {
    crate::float::precompiled::into_arc!(RmsPropRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "rmsprop"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0; 1 + usize::from(self.centered) + usize::from(self.momentum > 0.0)]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        check_decay_rate("rmsprop", "rho", self.rho)?;
        check_decay_rate("rmsprop", "momentum", self.momentum)?;
        check_non_negative("rmsprop", "epsilon", self.epsilon)
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (rate, rho, one_minus_rho) = (F::of(learning_rate), F::of(self.rho), F::of(1.0 - self.rho));
        let (epsilon, momentum) = (F::of(self.epsilon), F::of(self.momentum));
        let n = params.len();
        let (squares, others) = moments.split_at_mut(n);
        let (means, steps) = others.split_at_mut(if self.centered { n } else { 0 });
        let pairs = params.iter_mut().zip(grads).zip(squares);
        match (self.centered, steps.is_empty()) {
            (false, true) => vectorize(
                #[inline(always)]
                || {
                    for ((w, &g), v) in pairs {
                        *v = flush_to_zero(rho * *v + one_minus_rho * g * g);
                        *w -= rate * g / (*v + epsilon).sqrt();
                    }
                },
            ),
            (false, false) => vectorize(
                #[inline(always)]
                || {
                    for (((w, &g), v), d) in pairs.zip(steps) {
                        *v = flush_to_zero(rho * *v + one_minus_rho * g * g);
                        *d = flush_to_zero(momentum * *d + rate * g / (*v + epsilon).sqrt());
                        *w -= *d;
                    }
                },
            ),
            // Rounding can make the mean square smaller than the squared mean; the variance is at least 0.
            (true, true) => vectorize(
                #[inline(always)]
                || {
                    for (((w, &g), v), a) in pairs.zip(means) {
                        *v = flush_to_zero(rho * *v + one_minus_rho * g * g);
                        *a = flush_to_zero(rho * *a + one_minus_rho * g);
                        *w -= rate * g / ((*v - *a * *a).max(F::zero()) + epsilon).sqrt();
                    }
                },
            ),
            (true, false) => vectorize(
                #[inline(always)]
                || {
                    for ((((w, &g), v), a), d) in pairs.zip(means).zip(steps) {
                        *v = flush_to_zero(rho * *v + one_minus_rho * g * g);
                        *a = flush_to_zero(rho * *a + one_minus_rho * g);
                        *d = flush_to_zero(
                            momentum * *d + rate * g / ((*v - *a * *a).max(F::zero()) + epsilon).sqrt(),
                        );
                        *w -= *d;
                    }
                },
            ),
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
