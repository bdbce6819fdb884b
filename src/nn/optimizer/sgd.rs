//! Stochastic gradient descent.

use super::flush::flush_to_zero;
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with optional momentum and Nesterov acceleration.
///
/// `w -= rate · g`; with momentum μ: `m = μ m - rate · g`, `w += m`; with Nesterov: `w += μ m - rate · g`.
///
/// # Parameters
/// Defaults: learning rate 0.01, momentum 0, no Nesterov acceleration.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Sgd::new(0.1).momentum(0.9).nesterov(true);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Sutskever, Martens, Dahl and Hinton 2013, "On the importance of initialization and momentum in deep learning".
pub type Sgd = RuleOptimizer<SgdRule>;

/// The update rule of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdRule {
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// Creates plain gradient descent with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(SgdRule { momentum: 0.0, nesterov: false }, learning_rate)
    }

    /// Sets the momentum μ: `0 <= momentum <= 1`.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.rule.momentum = momentum;
        self
    }

    /// Enables or disables Nesterov acceleration. Without momentum it has no effect.
    #[must_use]
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.rule.nesterov = nesterov;
        self
    }
}

impl Default for Sgd {
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl<F: Float> UpdateRule<F> for SgdRule {
    crate::float::precompiled::into_arc!(SgdRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "sgd"
    }

    fn moments(&self) -> Vec<f64> {
        if self.momentum == 0.0 { Vec::new() } else { vec![0.0] }
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn linear(&self, learning_rate: f64) -> Option<f64> {
        (self.momentum == 0.0).then_some(-learning_rate)
    }

    fn validate(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.momentum) {
            return Ok(());
        }
        Err(Error::invalid_parameter("sgd", "momentum", self.momentum, "0 <= momentum <= 1"))
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (rate, momentum) = (F::of(learning_rate), F::of(self.momentum));
        vectorize(
            #[inline(always)]
            || {
                if moments.is_empty() {
                    params.iter_mut().zip(grads).for_each(|(w, &g)| *w -= rate * g);
                } else if self.nesterov {
                    for ((w, &g), m) in params.iter_mut().zip(grads).zip(moments) {
                        *m = flush_to_zero(momentum * *m - rate * g);
                        *w += momentum * *m - rate * g;
                    }
                } else {
                    for ((w, &g), m) in params.iter_mut().zip(grads).zip(moments) {
                        *m = flush_to_zero(momentum * *m - rate * g);
                        *w += *m;
                    }
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
