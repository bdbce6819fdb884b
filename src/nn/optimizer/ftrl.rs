//! FTRL.

use super::checks::check_non_negative;
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Follow-the-regularized-leader (FTRL-Proximal): weights stay exactly 0 until their gradients outweigh the L1 penalty.
///
/// With λ₂ = l2 + β/(2 rate) and p the learning rate's power: `g' = g + 2 shrinkage · w`, `n' = n + g²`,
/// `z += g' - (n'⁻ᵖ - n⁻ᵖ) w / rate`, `w = (clip(z, ±l1) - z) / (n'⁻ᵖ / rate + 2 λ₂)`.
///
/// # Parameters
/// Defaults: learning rate 0.001, learning rate power -0.5, initial accumulator value 0.1, all penalties and β 0.
///
/// # Examples
/// ```
/// use axonal::optimizers::Ftrl;
/// use axonal::prelude::*;
/// let optimizer = Ftrl::new(0.05).l1_regularization_strength(0.01);
/// # let _ = optimizer;
/// ```
///
/// # References
/// McMahan et al. 2013, "Ad click prediction: a view from the trenches".
pub type Ftrl = RuleOptimizer<FtrlRule>;

/// The update rule of [`Ftrl`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FtrlRule {
    learning_rate_power: f64,
    initial_accumulator_value: f64,
    l1_regularization_strength: f64,
    l2_regularization_strength: f64,
    l2_shrinkage_regularization_strength: f64,
    beta: f64,
}

impl Ftrl {
    /// Creates FTRL with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(
            FtrlRule {
                learning_rate_power: -0.5,
                initial_accumulator_value: 0.1,
                l1_regularization_strength: 0.0,
                l2_regularization_strength: 0.0,
                l2_shrinkage_regularization_strength: 0.0,
                beta: 0.0,
            },
            learning_rate,
        )
    }

    /// Sets the power of the sum of squares in the learning rate: at most 0.
    #[must_use]
    pub fn learning_rate_power(mut self, learning_rate_power: f64) -> Self {
        self.rule.learning_rate_power = learning_rate_power;
        self
    }

    /// Sets the initial value of the sum of squares.
    #[must_use]
    pub fn initial_accumulator_value(mut self, initial_accumulator_value: f64) -> Self {
        self.rule.initial_accumulator_value = initial_accumulator_value;
        self
    }

    /// Sets the L1 penalty.
    #[must_use]
    pub fn l1_regularization_strength(mut self, l1_regularization_strength: f64) -> Self {
        self.rule.l1_regularization_strength = l1_regularization_strength;
        self
    }

    /// Sets the L2 penalty on the weights, a stabilization penalty.
    #[must_use]
    pub fn l2_regularization_strength(mut self, l2_regularization_strength: f64) -> Self {
        self.rule.l2_regularization_strength = l2_regularization_strength;
        self
    }

    /// Sets the L2 shrinkage, a magnitude penalty that is added to the gradient.
    #[must_use]
    pub fn l2_shrinkage_regularization_strength(mut self, l2_shrinkage_regularization_strength: f64) -> Self {
        self.rule.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength;
        self
    }

    /// Sets β of the paper.
    #[must_use]
    pub fn beta(mut self, beta: f64) -> Self {
        self.rule.beta = beta;
        self
    }
}

impl Default for Ftrl {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float> UpdateRule<F> for FtrlRule {
    crate::float::precompiled::into_arc!(FtrlRule: UpdateRule<F>);

    fn kind(&self) -> &'static str {
        "ftrl"
    }

    fn moments(&self) -> Vec<f64> {
        vec![self.initial_accumulator_value, 0.0]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        let power = self.learning_rate_power;
        if !(power <= 0.0 && power.is_finite()) {
            let expected = "a finite number of at most 0";
            return Err(Error::invalid_parameter("ftrl", "learning_rate_power", power, expected));
        }
        for (name, value) in [
            ("initial_accumulator_value", self.initial_accumulator_value),
            ("l1_regularization_strength", self.l1_regularization_strength),
            ("l2_regularization_strength", self.l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", self.l2_shrinkage_regularization_strength),
            ("beta", self.beta),
        ] {
            check_non_negative("ftrl", name, value)?;
        }
        Ok(())
    }

    fn update(&self, Step { params, grads, moments, learning_rate, .. }: Step<'_, F>) {
        if learning_rate == 0.0 {
            return;
        }
        let inverse = F::of(1.0 / learning_rate);
        let l1 = F::of(self.l1_regularization_strength);
        let ridge = F::of(2.0 * self.l2_regularization_strength + self.beta / learning_rate);
        let shrinkage = F::of(2.0 * self.l2_shrinkage_regularization_strength);
        let exponent = F::of(-self.learning_rate_power);
        let (squares, linears) = moments.split_at_mut(params.len());
        let elements = params.iter_mut().zip(grads).zip(squares.iter_mut().zip(linears));
        // The square root is a vector instruction and correctly rounded; other powers are neither.
        if self.learning_rate_power == -0.5 {
            return vectorize(
                #[inline(always)]
                || {
                    for ((w, &g), (n, z)) in elements {
                        let grown = *n + g * g;
                        let strength = grown.sqrt();
                        *z += g + shrinkage * *w - (strength - n.sqrt()) * inverse * *w;
                        *n = grown;
                        *w = (z.max(-l1).min(l1) - *z) / (strength * inverse + ridge);
                    }
                },
            );
        }
        for ((w, &g), (n, z)) in elements {
            let grown = *n + g * g;
            let strength = grown.powf(exponent);
            *z += g + shrinkage * *w - (strength - n.powf(exponent)) * inverse * *w;
            *n = grown;
            *w = (z.max(-l1).min(l1) - *z) / (strength * inverse + ridge);
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
