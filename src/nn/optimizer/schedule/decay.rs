//! Decay schedules: exponential, inverse time, polynomial, piecewise constant.

use super::super::checks::{check_non_negative, check_positive, check_steps};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Exponential decay: `initial · decay_rate^(step / decay_steps)`.
///
/// # Parameters
/// Default: `staircase` false. With it the exponent is rounded down, so the rate decreases once every `decay_steps`.
///
/// # Examples
/// ```
/// use axonal::schedules::ExponentialDecay;
/// use axonal::prelude::*;
/// let optimizer = Adam::new(ExponentialDecay::new(0.01, 1000, 0.9));
/// # let _ = optimizer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentialDecay {
    initial_learning_rate: f64,
    decay_steps: u64,
    decay_rate: f64,
    #[serde(default)]
    staircase: bool,
}

impl ExponentialDecay {
    /// Creates a decay from `initial_learning_rate` by the factor `decay_rate` every `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64, decay_rate: f64) -> Self {
        Self { initial_learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// Enables or disables decay at discrete intervals.
    #[must_use]
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        self.initial_learning_rate * self.decay_rate.powf(periods(step, self.decay_steps, self.staircase))
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, ExponentialDecay");
        check_non_negative(owner, "initial_learning_rate", self.initial_learning_rate)?;
        check_steps(owner, "decay_steps", self.decay_steps)?;
        check_positive(owner, "decay_rate", self.decay_rate)
    }
}

/// Inverse time decay: `initial / (1 + decay_rate · step / decay_steps)`.
///
/// # Parameters
/// Default: `staircase` false. With it `step / decay_steps` is rounded down.
///
/// # Examples
/// ```
/// use axonal::schedules::InverseTimeDecay;
/// use axonal::prelude::*;
/// let optimizer = Sgd::new(InverseTimeDecay::new(0.1, 100, 0.5));
/// # let _ = optimizer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InverseTimeDecay {
    initial_learning_rate: f64,
    decay_steps: u64,
    decay_rate: f64,
    #[serde(default)]
    staircase: bool,
}

impl InverseTimeDecay {
    /// Creates a decay from `initial_learning_rate`, whose divisor grows by `decay_rate` every `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64, decay_rate: f64) -> Self {
        Self { initial_learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// Enables or disables decay at discrete intervals.
    #[must_use]
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        self.initial_learning_rate / (1.0 + self.decay_rate * periods(step, self.decay_steps, self.staircase))
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, InverseTimeDecay");
        check_non_negative(owner, "initial_learning_rate", self.initial_learning_rate)?;
        check_steps(owner, "decay_steps", self.decay_steps)?;
        check_non_negative(owner, "decay_rate", self.decay_rate)
    }
}

/// Polynomial decay: `(initial - end) · (1 - step / decay_steps)^power + end`, then constant `end`.
///
/// # Parameters
/// Defaults: `end_learning_rate` 0.0001, `power` 1, `cycle` false. With `cycle`, `decay_steps` is replaced by its next
/// multiple when it is reached, so that the rate jumps up and decays again.
///
/// # Examples
/// ```
/// use axonal::schedules::PolynomialDecay;
/// use axonal::prelude::*;
/// let optimizer = Sgd::new(PolynomialDecay::new(0.1, 1000).end_learning_rate(0.01).power(2.0));
/// # let _ = optimizer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolynomialDecay {
    initial_learning_rate: f64,
    decay_steps: u64,
    end_learning_rate: f64,
    power: f64,
    #[serde(default)]
    cycle: bool,
}

impl PolynomialDecay {
    /// Creates a linear decay from `initial_learning_rate` to 0.0001 in `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        Self { initial_learning_rate, decay_steps, end_learning_rate: 1e-4, power: 1.0, cycle: false }
    }

    /// Sets the end rate.
    #[must_use]
    pub fn end_learning_rate(mut self, end_learning_rate: f64) -> Self {
        self.end_learning_rate = end_learning_rate;
        self
    }

    /// Sets the power of the polynomial.
    #[must_use]
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Enables or disables cycling beyond `decay_steps`, with growing periods.
    #[must_use]
    pub fn cycle(mut self, cycle: bool) -> Self {
        self.cycle = cycle;
        self
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let (step, period) = (step as f64, self.decay_steps as f64);
        let (step, steps) = if self.cycle {
            (step, period * (step / period).ceil().max(1.0))
        } else {
            (step.min(period), period)
        };
        let range = self.initial_learning_rate - self.end_learning_rate;
        range * (1.0 - step / steps).powf(self.power) + self.end_learning_rate
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, PolynomialDecay");
        check_non_negative(owner, "initial_learning_rate", self.initial_learning_rate)?;
        check_non_negative(owner, "end_learning_rate", self.end_learning_rate)?;
        check_steps(owner, "decay_steps", self.decay_steps)?;
        check_non_negative(owner, "power", self.power)
    }
}

/// Piecewise constant: `values[i]` for `boundaries[i - 1] < step <= boundaries[i]`.
///
/// # Examples
/// ```
/// use axonal::schedules::PiecewiseConstantDecay;
///
/// let schedule = PiecewiseConstantDecay::new([100, 200], [0.1, 0.01, 0.001]);
/// assert_eq!([0, 100, 101, 200, 201].map(|step| schedule.at(step)), [0.1, 0.1, 0.01, 0.01, 0.001]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PiecewiseConstantDecay {
    boundaries: Vec<u64>,
    values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    /// Creates a schedule from the steps after which the rate changes and the rates, one more of them.
    #[must_use]
    pub fn new(boundaries: impl IntoIterator<Item = u64>, values: impl IntoIterator<Item = f64>) -> Self {
        Self { boundaries: boundaries.into_iter().collect(), values: values.into_iter().collect() }
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let index = self.boundaries.partition_point(|&boundary| boundary < step);
        self.values.get(index).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, PiecewiseConstantDecay");
        if self.values.len() != self.boundaries.len() + 1 {
            let expected = format!("{} (one more than boundaries)", self.boundaries.len() + 1);
            return Err(Error::invalid_parameter(owner, "number of values", self.values.len(), expected));
        }
        if self.boundaries.windows(2).any(|pair| pair[0] >= pair[1]) {
            let given = format!("{:?}", self.boundaries);
            return Err(Error::invalid_parameter(owner, "boundaries", given, "increasing steps"));
        }
        self.values.iter().try_for_each(|&value| check_non_negative(owner, "values", value))
    }
}

/// Number of decay periods passed, rounded down with `staircase`.
fn periods(step: u64, decay_steps: u64, staircase: bool) -> f64 {
    let periods = step as f64 / decay_steps as f64;
    if staircase { periods.floor() } else { periods }
}
