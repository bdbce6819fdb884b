//! An update rule with its learning rate and the modifiers that every rule has.

use super::{LearningRate, Optimizer};
use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};

/// An update rule with its learning rate and modifiers; [`Adam`](super::Adam), [`Sgd`](super::Sgd) and the
/// others are this wrapper around their rules.
///
/// Modifiers act in Keras's order: clipping of the gradients, weight decay, the rule.
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

    /// The update rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// The modifiers.
    pub fn modifiers(&self) -> &Modifiers {
        &self.modifiers
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
        if let Some(decay) = self.weight_decay
            && !(decay >= 0.0 && decay.is_finite())
        {
            return Err(Error::invalid_parameter(
                owner,
                "weight_decay",
                decay,
                "a finite number of at least 0",
            ));
        }
        Ok(())
    }
}
