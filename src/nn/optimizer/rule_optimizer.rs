//! The wrapper of an update rule: learning rate, clipping, weight decay, moving average, gradient accumulation.

use super::checks::check_non_negative;
use super::rule::UpdateRule;
use super::schedule::LearningRate;
use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};

/// An update rule with its learning rate and modifiers. [`Adam`](super::Adam), [`Sgd`](super::Sgd) and the other
/// optimizers are this wrapper around their rules.
///
/// The modifiers apply in Keras's order: gradients are accumulated, then clipped; weights decay, the rule updates them,
/// their moving average is updated, constraints are applied.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// let optimizer = Adam::new(1e-3).beta_1(0.95).global_clipnorm(1.0).weight_decay(1e-4);
/// assert_eq!(optimizer.modifiers().global_clipnorm, Some(1.0));
/// ```
#[derive(Debug, Clone)]
pub struct RuleOptimizer<R> {
    pub(crate) rule: R,
    learning_rate: LearningRate,
    modifiers: Modifiers,
}

/// The modifiers around an update rule. At most one kind of clipping may be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Modifiers {
    /// The largest norm of the gradient of each weight array.
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// The largest absolute value of each gradient.
    pub clipvalue: Option<f64>,
    /// Decoupled weight decay: `w -= w · decay · learning rate` before the rule.
    pub weight_decay: Option<f64>,
    /// Weights whose name contains one of these do not decay.
    pub exclude_from_weight_decay: Vec<String>,
    /// The momentum of the moving average of the weights.
    pub ema: Option<f64>,
    /// The number of steps after which the moving average overwrites the weights, repeatedly.
    pub ema_overwrite_frequency: Option<u64>,
    /// The number of steps whose mean gradient makes one update.
    pub accumulate: Option<u64>,
}

impl<R> RuleOptimizer<R> {
    /// Wraps a rule with a learning rate: a number, a schedule, or a function of the step.
    pub fn from_rule(rule: R, learning_rate: impl Into<LearningRate>) -> Self {
        Self { rule, learning_rate: learning_rate.into(), modifiers: Modifiers::default() }
    }

    /// Sets the learning rate: a number, a schedule, or a function of the step.
    #[must_use]
    pub fn learning_rate(mut self, learning_rate: impl Into<LearningRate>) -> Self {
        self.learning_rate = learning_rate.into();
        self
    }

    /// Clips the norm of each weight array's gradient to `norm`.
    #[must_use]
    pub fn clipnorm(mut self, norm: f64) -> Self {
        self.modifiers.clipnorm = Some(norm);
        self
    }

    /// Clips the norm of all gradients together to `norm`.
    #[must_use]
    pub fn global_clipnorm(mut self, norm: f64) -> Self {
        self.modifiers.global_clipnorm = Some(norm);
        self
    }

    /// Clips each element of the gradients to ±`value`.
    #[must_use]
    pub fn clipvalue(mut self, value: f64) -> Self {
        self.modifiers.clipvalue = Some(value);
        self
    }

    /// Sets decoupled weight decay, `w -= w · decay · learning rate` (Loshchilov and Hutter 2019, arXiv:1711.05101).
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.modifiers.weight_decay = Some(decay);
        self
    }

    /// Excludes weights whose name (`"0.dense/bias"`) contains one of `names` from weight decay. By default all weights
    /// decay.
    #[must_use]
    pub fn exclude_from_weight_decay<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.modifiers.exclude_from_weight_decay = names.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps a moving average of the weights, `average = momentum · average + (1 - momentum) · w`, which overwrites the
    /// weights at the end of each `fit` (Polyak and Juditsky 1992). Keras's default momentum is 0.99.
    #[must_use]
    pub fn ema(mut self, momentum: f64) -> Self {
        self.modifiers.ema = Some(momentum);
        self
    }

    /// Overwrites the weights with their moving average every `steps` steps as well.
    #[must_use]
    pub fn ema_overwrite_frequency(mut self, steps: u64) -> Self {
        self.modifiers.ema_overwrite_frequency = Some(steps);
        self
    }

    /// Accumulates gradients over `steps` steps and updates the weights once, by their mean. Schedules count every
    /// step.
    #[must_use]
    pub fn accumulate(mut self, steps: u64) -> Self {
        self.modifiers.accumulate = Some(steps);
        self
    }

    /// The update rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// The modifiers.
    pub fn modifiers(&self) -> &Modifiers {
        &self.modifiers
    }

    /// Replaces the rule and keeps the learning rate and the modifiers.
    pub(crate) fn map_rule<T>(self, map: impl FnOnce(R) -> T) -> RuleOptimizer<T> {
        RuleOptimizer { rule: map(self.rule), learning_rate: self.learning_rate, modifiers: self.modifiers }
    }

    /// Splits the optimizer into the rule, the learning rate and the modifiers.
    pub(crate) fn into_parts(self) -> (R, LearningRate, Modifiers) {
        (self.rule, self.learning_rate, self.modifiers)
    }

    /// Checks the hyperparameters of the rule, the learning rate and the modifiers.
    pub(crate) fn validate<F: Float>(&self) -> Result<()>
    where
        R: UpdateRule<F>,
    {
        let owner = self.rule.kind();
        self.rule.validate()?;
        self.learning_rate.validate(owner)?;
        self.modifiers.validate(owner)
    }
}

/// An optimizer, as [`Sequential::compile`](crate::models::Sequential::compile) takes it: an update rule with a learning rate and
/// modifiers. [`Adam`](super::Adam) and all others implement it; a custom [`UpdateRule`] becomes one in a [`RuleOptimizer`].
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// fn network(optimizer: impl Optimizer<f32>) -> Result<Model<f32>> {
///     Sequential::new(3).add(Dense::new(1)).compile(optimizer, MeanSquaredError::default())
/// }
///
/// # fn main() -> Result<()> {
/// network(Adam::new(1e-3))?;
/// network(Sgd::new(0.1).momentum(0.9))?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer for `{F}`",
    label = "expected an optimizer such as `Adam::new(0.001)`",
    note = "a custom update rule becomes an optimizer by `RuleOptimizer::from_rule(rule, learning_rate)`"
)]
pub trait Optimizer<F: Float> {
    /// The update rule.
    type Rule: UpdateRule<F> + 'static;

    /// The update rule with its learning rate and modifiers.
    fn into_rule_optimizer(self) -> RuleOptimizer<Self::Rule>;
}

impl<F: Float, R: UpdateRule<F> + 'static> Optimizer<F> for RuleOptimizer<R> {
    type Rule = R;

    fn into_rule_optimizer(self) -> RuleOptimizer<R> {
        self
    }
}

impl Modifiers {
    /// Checks the ranges of the modifiers, and that at most one kind of clipping is set.
    pub(crate) fn validate(&self, owner: &str) -> Result<()> {
        let clips = [
            ("clipnorm", self.clipnorm),
            ("global_clipnorm", self.global_clipnorm),
            ("clipvalue", self.clipvalue),
        ];
        for (name, value) in clips {
            if let Some(value) = value
                && !(value > 0.0 && value.is_finite())
            {
                return Err(Error::invalid_parameter(owner, name, value, "a finite number above 0"));
            }
        }
        let mut given = clips.iter().filter(|(_, value)| value.is_some());
        if let (Some((first, _)), Some((second, Some(value)))) = (given.next(), given.next()) {
            let expected = format!("at most one kind of clipping; {first} is already set");
            return Err(Error::invalid_parameter(owner, second, value, expected));
        }
        if let Some(decay) = self.weight_decay {
            check_non_negative(owner, "weight_decay", decay)?;
        }
        if let Some(momentum) = self.ema
            && !(0.0..=1.0).contains(&momentum)
        {
            return Err(Error::invalid_parameter(owner, "ema", momentum, "a momentum from 0 to 1"));
        }
        if let Some(frequency) = self.ema_overwrite_frequency
            && (frequency == 0 || self.ema.is_none())
        {
            let expected = "at least 1 step, together with ema";
            return Err(Error::invalid_parameter(owner, "ema_overwrite_frequency", frequency, expected));
        }
        match self.accumulate {
            Some(steps) if steps < 2 => {
                Err(Error::invalid_parameter(owner, "accumulate", steps, "at least 2 steps"))
            }
            _ => Ok(()),
        }
    }
}
