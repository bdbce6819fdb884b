//! Adagrad.

use super::{LearningRate, Optimizer, Step, Tuned, at_least_zero};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Steps scaled by the root of the sum of all squared gradients so far.
///
/// `a += g²`, `w -= rate · g / √(a + ε)`. The ε stands inside of the root, as in Keras.
///
/// # Parameters
/// By default the learning rate is 0.001, the sum starts at 0.1, ε is 1e-7.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Adagrad::new(0.001);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Duchi, Hazan and Singer 2011, JMLR 12.
pub type Adagrad = Tuned<AdagradRule>;

/// The update rule of [`Adagrad`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdagradRule {
    initial_accumulator_value: f64,
    epsilon: f64,
}

impl Adagrad {
    /// Adagrad at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(AdagradRule { initial_accumulator_value: 0.1, epsilon: 1e-7 }, learning_rate)
    }

    /// What the sum of squares starts with.
    #[must_use]
    pub fn initial_accumulator_value(mut self, initial_accumulator_value: f64) -> Self {
        self.rule.initial_accumulator_value = initial_accumulator_value;
        self
    }

    /// What keeps the divisor from 0.
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

impl<F: Float> Optimizer<F> for AdagradRule {
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
        at_least_zero("adagrad", "initial_accumulator_value", self.initial_accumulator_value)?;
        at_least_zero("adagrad", "epsilon", self.epsilon)
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
