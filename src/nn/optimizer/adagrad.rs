//! Adagrad.

use super::checks::check_non_negative;
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Adagrad: divides the gradient by the root of the sum of all its squares so far.
///
/// `a += g²`, `w -= rate · g / √(a + ε)`. ε is added under the root, as in Keras.
///
/// # Parameters
/// Defaults: learning rate 0.001, initial accumulator value 0.1, ε 1e-7.
///
/// # Examples
/// ```
/// use axonal::optimizers::Adagrad;
/// use axonal::prelude::*;
/// let optimizer = Adagrad::new(0.001);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Duchi, Hazan and Singer 2011, JMLR 12.
pub type Adagrad = RuleOptimizer<AdagradRule>;

/// The update rule of [`Adagrad`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdagradRule {
    initial_accumulator_value: f64,
    epsilon: f64,
}

impl Adagrad {
    /// Creates Adagrad with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(AdagradRule { initial_accumulator_value: 0.1, epsilon: 1e-7 }, learning_rate)
    }

    /// Sets the initial value of the sum of squares.
    #[must_use]
    pub fn initial_accumulator_value(mut self, initial_accumulator_value: f64) -> Self {
        self.rule.initial_accumulator_value = initial_accumulator_value;
        self
    }

    /// Sets ε, a small constant for numerical stability.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Default for Adagrad {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> UpdateRule<F> for AdagradRule {
    crate::float::precompiled::into_arc!(AdagradRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "adagrad"
    }

    fn moments(&self) -> Vec<f64> {
        vec![self.initial_accumulator_value]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        check_non_negative("adagrad", "initial_accumulator_value", self.initial_accumulator_value)?;
        check_non_negative("adagrad", "epsilon", self.epsilon)
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        let (rate, epsilon) = (F::of(learning_rate), F::of(self.epsilon));
        vectorize(
            #[inline(always)]
            || {
                for ((w, &g), a) in params.iter_mut().zip(grads).zip(moments) {
                    *a += g * g;
                    *w -= rate * g / (*a + epsilon).sqrt();
                }
            },
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
