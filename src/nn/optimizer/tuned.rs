//! An update rule with its learning rate and the modifiers that every rule has.

use super::{LearningRate, Optimizer, at_least_zero};
use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};

/// An update rule with its learning rate and modifiers; [`Adam`](super::Adam), [`Sgd`](super::Sgd) and the
/// others are this wrapper around their rules.
///
/// Modifiers act in Keras's order: gradients are accumulated, then clipped; weights decay, the rule moves them,
/// their moving average is taken, constraints are applied.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// let optimizer = Adam::new(1e-3).beta_1(0.95).global_clipnorm(1.0).weight_decay(1e-4);
/// assert_eq!(optimizer.modifiers().global_clipnorm, Some(1.0));
/// ```
#[derive(Debug, Clone)]
pub struct Tuned<R> {
    pub(crate) rule: R,
    learning_rate: LearningRate,
    modifiers: Modifiers,
}

/// What is done around the update rule; at most one kind of clipping.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Modifiers {
    /// The largest norm of each array's gradient.
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// The largest absolute value of each gradient.
    pub clipvalue: Option<f64>,
    /// Decoupled weight decay: `w -= w · decay · learning rate` before the rule.
    pub weight_decay: Option<f64>,
    /// Weights whose name contains one of these do not decay.
    pub exclude_from_weight_decay: Vec<String>,
    /// How much of the weights' moving average is kept at each step.
    pub ema: Option<f64>,
    /// After so many steps, again and again, the average takes the weights' place.
    pub ema_overwrite_frequency: Option<u64>,
    /// Weights move once in so many steps, along the mean of their gradients.
    pub accumulate: Option<u64>,
}

impl<R> Tuned<R> {
    /// A rule with a learning rate: a number, a schedule, or a closure of the step.
    pub fn of(rule: R, learning_rate: impl Into<LearningRate>) -> Self {
        Self { rule, learning_rate: learning_rate.into(), modifiers: Modifiers::default() }
    }

    /// Replaces the learning rate.
    #[must_use]
    pub fn learning_rate(mut self, learning_rate: impl Into<LearningRate>) -> Self {
        self.learning_rate = learning_rate.into();
        self
    }

    /// Scales the gradient of each weight array down to this norm, where it is longer.
    #[must_use]
    pub fn clipnorm(mut self, norm: f64) -> Self {
        self.modifiers.clipnorm = Some(norm);
        self
    }

    /// Scales all gradients down together to this norm, where they are longer.
    #[must_use]
    pub fn global_clipnorm(mut self, norm: f64) -> Self {
        self.modifiers.global_clipnorm = Some(norm);
        self
    }

    /// Limits each gradient to ±`value`.
    #[must_use]
    pub fn clipvalue(mut self, value: f64) -> Self {
        self.modifiers.clipvalue = Some(value);
        self
    }

    /// Decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101): `w -= w · decay · learning rate`.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.modifiers.weight_decay = Some(decay);
        self
    }

    /// Keeps weights whose name (`"0.dense/bias"`) contains one of these from decaying; by default all decay.
    #[must_use]
    pub fn exclude_from_weight_decay<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.modifiers.exclude_from_weight_decay = names.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps a moving average of the weights, `average = momentum · average + (1 - momentum) · w`, which takes the
    /// weights' place at the end of each `fit` (Polyak and Juditsky 1992). Keras's momentum is 0.99.
    #[must_use]
    pub fn ema(mut self, momentum: f64) -> Self {
        self.modifiers.ema = Some(momentum);
        self
    }

    /// Lets the average take the weights' place after every so many steps, too.
    #[must_use]
    pub fn ema_overwrite_frequency(mut self, steps: u64) -> Self {
        self.modifiers.ema_overwrite_frequency = Some(steps);
        self
    }

    /// Moves the weights once in so many steps, along the mean of the gradients since. Schedules go on counting
    /// every step.
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

    /// The same learning rate and modifiers around another rule.
    pub(super) fn map_rule<T>(self, map: impl FnOnce(R) -> T) -> Tuned<T> {
        Tuned { rule: map(self.rule), learning_rate: self.learning_rate, modifiers: self.modifiers }
    }

    /// The rule, the learning rate and the modifiers.
    pub(crate) fn into_parts(self) -> (R, LearningRate, Modifiers) {
        (self.rule, self.learning_rate, self.modifiers)
    }

    /// Refuses values outside of their ranges.
    pub(crate) fn validate<F: Float>(&self) -> Result<()>
    where
        R: Optimizer<F>,
    {
        let owner = self.rule.kind();
        self.rule.validate()?;
        self.learning_rate.validate(owner)?;
        self.modifiers.validate(owner)
    }
}

impl Modifiers {
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
            let expected = format!("at most one kind of clipping, and {first} is set already");
            return Err(Error::invalid_parameter(owner, second, value, expected));
        }
        if let Some(decay) = self.weight_decay {
            at_least_zero(owner, "weight_decay", decay)?;
        }
        if let Some(momentum) = self.ema
            && !(0.0..=1.0).contains(&momentum)
        {
            return Err(Error::invalid_parameter(owner, "ema", momentum, "a momentum from 0 to 1"));
        }
        if let Some(frequency) = self.ema_overwrite_frequency
            && (frequency == 0 || self.ema.is_none())
        {
            let expected = "at least 1 step, beside an ema";
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
