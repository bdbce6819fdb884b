//! Schedules along a cosine wave.

use super::{at_least_zero, real, some_steps};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Half a cosine wave: `initial · ((1 - α) ½ (1 + cos(π step / decay_steps)) + α)`, and `initial · α` from then on.
///
/// With a warm-up the rate first climbs in a straight line from `initial` to the warm-up's target; then the
/// cosine starts from the target and takes `decay_steps` more.
///
/// # Parameters
/// `alpha` (0): what is left in the end, as a share of the peak. No warm-up.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Adam::new(CosineDecay::new(0.0, 1000).warmup(0.01, 100).alpha(0.1));
/// # let _ = optimizer;
/// ```
///
/// # References
/// Loshchilov and Hutter 2017, arXiv:1608.03983.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosineDecay {
    initial_learning_rate: f64,
    decay_steps: u64,
    #[serde(default)]
    alpha: f64,
    #[serde(default)]
    warmup_target: Option<f64>,
    #[serde(default)]
    warmup_steps: u64,
}

impl CosineDecay {
    /// From this rate to 0 in `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        Self { initial_learning_rate, decay_steps, alpha: 0.0, warmup_target: None, warmup_steps: 0 }
    }

    /// What is left in the end, as a share of the rate that the cosine starts from.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Climbs to `target` in `steps` before the cosine starts.
    #[must_use]
    pub fn warmup(mut self, target: f64, steps: u64) -> Self {
        (self.warmup_target, self.warmup_steps) = (Some(target), steps);
        self
    }

    /// The rate of a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let Some(target) = self.warmup_target else {
            return self.initial_learning_rate * self.wave(step);
        };
        if step < self.warmup_steps {
            let climbed = real(step) / real(self.warmup_steps);
            return self.initial_learning_rate + (target - self.initial_learning_rate) * climbed;
        }
        target * self.wave(step - self.warmup_steps)
    }

    fn wave(&self, step: u64) -> f64 {
        let share = real(step.min(self.decay_steps)) / real(self.decay_steps);
        (1.0 - self.alpha) * 0.5 * (1.0 + (PI * share).cos()) + self.alpha
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, CosineDecay");
        at_least_zero(owner, "initial_learning_rate", self.initial_learning_rate)?;
        some_steps(owner, "decay_steps", self.decay_steps)?;
        at_least_zero(owner, "alpha", self.alpha)?;
        at_least_zero(owner, "warmup_target", self.warmup_target.unwrap_or_default())
    }
}

/// A cosine wave that starts again and again, each time over a longer period and from another height.
///
/// In period i, a share s of it done: `initial · ((1 - α) ½ m_mulⁱ (1 + cos(π s)) + α)`; period i has
/// `first_decay_steps · t_mulⁱ` steps.
///
/// # Parameters
/// `t_mul` (2): the growth of the periods. `m_mul` (1): the growth of the heights. `alpha` (0): the floor.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Sgd::new(CosineDecayRestarts::new(0.1, 100).m_mul(0.8));
/// # let _ = optimizer;
/// ```
///
/// # References
/// Loshchilov and Hutter 2017, arXiv:1608.03983.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosineDecayRestarts {
    initial_learning_rate: f64,
    first_decay_steps: u64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
}

impl CosineDecayRestarts {
    /// From this rate to 0 in `first_decay_steps`, then again over twice as many, and so on.
    #[must_use]
    pub fn new(initial_learning_rate: f64, first_decay_steps: u64) -> Self {
        Self { initial_learning_rate, first_decay_steps, t_mul: 2.0, m_mul: 1.0, alpha: 0.0 }
    }

    /// How much longer each period is than the one before.
    #[must_use]
    pub fn t_mul(mut self, t_mul: f64) -> Self {
        self.t_mul = t_mul;
        self
    }

    /// How much higher each period starts than the one before.
    #[must_use]
    pub fn m_mul(mut self, m_mul: f64) -> Self {
        self.m_mul = m_mul;
        self
    }

    /// The floor, as a share of the initial rate.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The rate of a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let done = real(step) / real(self.first_decay_steps);
        let (period, share) = if self.t_mul == 1.0 {
            (done.floor(), done.fract())
        } else {
            // Period i starts after 1 + t + … + tⁱ⁻¹ = (tⁱ - 1)/(t - 1) first periods. The logarithm may be a
            // rounding error short of a whole number where a period begins.
            let start = |period: f64| (self.t_mul.powf(period) - 1.0) / (self.t_mul - 1.0);
            let guess = (1.0 + done * (self.t_mul - 1.0)).log(self.t_mul).floor();
            let period = if start(guess + 1.0) <= done { guess + 1.0 } else { guess };
            (period, (done - start(period)) / self.t_mul.powf(period))
        };
        let wave = 0.5 * self.m_mul.powf(period) * (1.0 + (PI * share).cos());
        self.initial_learning_rate * ((1.0 - self.alpha) * wave + self.alpha)
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, CosineDecayRestarts");
        at_least_zero(owner, "initial_learning_rate", self.initial_learning_rate)?;
        some_steps(owner, "first_decay_steps", self.first_decay_steps)?;
        if !(self.t_mul >= 1.0 && self.t_mul.is_finite()) {
            return Err(Error::invalid_parameter(
                owner,
                "t_mul",
                self.t_mul,
                "a finite number of at least 1",
            ));
        }
        at_least_zero(owner, "m_mul", self.m_mul)?;
        at_least_zero(owner, "alpha", self.alpha)
    }
}
