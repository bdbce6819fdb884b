//! Lion.

use super::checks::check_decay_rate;
use super::flush::flush_to_zero;
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::Result;
use crate::float::Float;
use crate::float::elementary::select;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Lion: steps of equal size in the direction of the sign of a momentum.
///
/// `w -= rate · sign(β₁ m + (1 - β₁) g)`, then `m = β₂ m + (1 - β₂) g`. The sign of 0 is 0.
///
/// # Parameters
/// Defaults: learning rate 0.001, β₁ 0.9, β₂ 0.99. A suitable rate is a third to a tenth of Adam's.
///
/// # Examples
/// ```
/// use axonal::optimizers::Lion;
/// use axonal::prelude::*;
/// let optimizer = Lion::new(1e-4).weight_decay(0.1);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Chen et al. 2023, arXiv:2302.06675.
pub type Lion = RuleOptimizer<LionRule>;

/// The update rule of [`Lion`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LionRule {
    beta_1: f64,
    beta_2: f64,
}

impl Lion {
    /// Creates Lion with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(LionRule { beta_1: 0.9, beta_2: 0.99 }, learning_rate)
    }

    /// Sets β₁, the weight of the moment in the step: `0 <= β₁ < 1`.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// Sets β₂, the decay rate of the moment: `0 <= β₂ < 1`.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }
}

impl Default for Lion {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> UpdateRule<F> for LionRule {
    crate::float::precompiled::into_arc!(LionRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "lion"
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        check_decay_rate("lion", "beta_1", self.beta_1)?;
        check_decay_rate("lion", "beta_2", self.beta_2)
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (zero, rate) = (F::zero(), F::of(learning_rate));
        let (old, new) = (F::of(self.beta_1), F::of(1.0 - self.beta_1));
        let (decay, one_minus_decay) = (F::of(self.beta_2), F::of(1.0 - self.beta_2));
        vectorize(
            #[inline(always)]
            || {
                for ((w, &g), m) in params.iter_mut().zip(grads).zip(moments) {
                    let momentum = old * *m + new * g;
                    *m = flush_to_zero(decay * *m + one_minus_decay * g);
                    let up = select(momentum > zero, rate, zero);
                    let down = select(momentum < zero, rate, zero);
                    *w += down - up;
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
