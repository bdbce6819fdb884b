//! Schedules that fall: exponentially, as one over time, as a power, in pieces.

use super::{above_zero, at_least_zero, real, some_steps};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// `initial · decay_rate^(step / decay_steps)`.
///
/// # Parameters
/// `staircase` (false): the exponent is rounded down, so that the rate falls once every `decay_steps`.
///
/// # Examples
/// ```
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
    /// From this rate, by the factor `decay_rate` every `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64, decay_rate: f64) -> Self {
        Self { initial_learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// Whether the rate falls in stairs.
    #[must_use]
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The rate of a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        self.initial_learning_rate * self.decay_rate.powf(periods(step, self.decay_steps, self.staircase))
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, ExponentialDecay");
        at_least_zero(owner, "initial_learning_rate", self.initial_learning_rate)?;
        some_steps(owner, "decay_steps", self.decay_steps)?;
        above_zero(owner, "decay_rate", self.decay_rate)
    }
}

/// `initial / (1 + decay_rate · step / decay_steps)`.
///
/// # Parameters
/// `staircase` (false): the quotient of steps is rounded down.
///
/// # Examples
/// ```
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
    /// From this rate, with a divisor that grows by `decay_rate` every `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64, decay_rate: f64) -> Self {
        Self { initial_learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// Whether the rate falls in stairs.
    #[must_use]
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    /// The rate of a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        self.initial_learning_rate / (1.0 + self.decay_rate * periods(step, self.decay_steps, self.staircase))
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, InverseTimeDecay");
        at_least_zero(owner, "initial_learning_rate", self.initial_learning_rate)?;
        some_steps(owner, "decay_steps", self.decay_steps)?;
        at_least_zero(owner, "decay_rate", self.decay_rate)
    }
}

/// `(initial - end) · (1 - step / decay_steps)^power + end`, and `end` from then on.
///
/// # Parameters
/// `end_learning_rate` (0.0001), `power` (1). `cycle` (false): instead of staying at the end, `decay_steps`
/// becomes its next multiple, so that the rate jumps up and falls again.
///
/// # Examples
/// ```
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
    /// From this rate to 0.0001 in `decay_steps`, on a straight line.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        Self { initial_learning_rate, decay_steps, end_learning_rate: 1e-4, power: 1.0, cycle: false }
    }

    /// The rate at the end.
    #[must_use]
    pub fn end_learning_rate(mut self, end_learning_rate: f64) -> Self {
        self.end_learning_rate = end_learning_rate;
        self
    }

    /// The power of the share of steps that are left.
    #[must_use]
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Whether to begin again after the end, with longer and longer periods.
    #[must_use]
    pub fn cycle(mut self, cycle: bool) -> Self {
        self.cycle = cycle;
        self
    }

    /// The rate of a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let (step, period) = (real(step), real(self.decay_steps));
        let (step, steps) = if self.cycle {
            (step, period * (step / period).ceil().max(1.0))
        } else {
            (step.min(period), period)
        };
        let height = self.initial_learning_rate - self.end_learning_rate;
        height * (1.0 - step / steps).powf(self.power) + self.end_learning_rate
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, PolynomialDecay");
        at_least_zero(owner, "initial_learning_rate", self.initial_learning_rate)?;
        at_least_zero(owner, "end_learning_rate", self.end_learning_rate)?;
        some_steps(owner, "decay_steps", self.decay_steps)?;
        at_least_zero(owner, "power", self.power)
    }
}

/// `values[i]` from after `boundaries[i - 1]` through `boundaries[i]`: a boundary belongs to the piece before it.
///
/// # Examples
/// ```
/// use axonal::nn::optimizer::schedule::PiecewiseConstantDecay;
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
    /// The steps after which the rate changes, and the rates: one more of them.
    #[must_use]
    pub fn new(boundaries: impl IntoIterator<Item = u64>, values: impl IntoIterator<Item = f64>) -> Self {
        Self { boundaries: boundaries.into_iter().collect(), values: values.into_iter().collect() }
    }

    /// The rate of a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let piece = self.boundaries.partition_point(|&boundary| boundary < step);
        self.values.get(piece).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, PiecewiseConstantDecay");
        if self.values.len() != self.boundaries.len() + 1 {
            let expected = format!("{} (one more than boundaries)", self.boundaries.len() + 1);
            return Err(Error::invalid_parameter(owner, "number of values", self.values.len(), expected));
        }
        if self.boundaries.windows(2).any(|pair| pair[0] >= pair[1]) {
            let given = format!("{:?}", self.boundaries);
            return Err(Error::invalid_parameter(owner, "boundaries", given, "steps that rise"));
        }
        self.values.iter().try_for_each(|&value| at_least_zero(owner, "values", value))
    }
}

/// How many periods have passed, whole ones where the rate falls in stairs.
fn periods(step: u64, decay_steps: u64, staircase: bool) -> f64 {
    let periods = real(step) / real(decay_steps);
    if staircase { periods.floor() } else { periods }
}
