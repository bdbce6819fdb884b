//! Cosine schedules: cosine decay, and cosine decay with warm restarts.

use super::super::checks::{check_non_negative, check_steps};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Cosine decay: `initial · ((1 - α) ½ (1 + cos(π step / decay_steps)) + α)`, then constant `initial · α`.
///
/// With a warm-up, the rate first increases linearly from `initial` to the target; the cosine then starts from the
/// target and takes another `decay_steps`.
///
/// # Parameters
/// Defaults: `alpha` 0 (the final rate, as a fraction of the rate that the cosine starts from), no warm-up.
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
    /// Creates a decay from `initial_learning_rate` to 0 in `decay_steps`.
    #[must_use]
    pub fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        Self { initial_learning_rate, decay_steps, alpha: 0.0, warmup_target: None, warmup_steps: 0 }
    }

    /// Sets the final rate, as a fraction of the rate that the cosine starts from.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Increases the rate linearly to `target` in `steps` before the cosine starts.
    #[must_use]
    pub fn warmup(mut self, target: f64, steps: u64) -> Self {
        (self.warmup_target, self.warmup_steps) = (Some(target), steps);
        self
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let Some(target) = self.warmup_target else {
            return self.initial_learning_rate * self.cosine(step);
        };
        if step < self.warmup_steps {
            let fraction = step as f64 / self.warmup_steps as f64;
            return self.initial_learning_rate + (target - self.initial_learning_rate) * fraction;
        }
        target * self.cosine(step - self.warmup_steps)
    }

    /// The cosine factor of a step after the warm-up.
    fn cosine(&self, step: u64) -> f64 {
        let fraction = step.min(self.decay_steps) as f64 / self.decay_steps as f64;
        (1.0 - self.alpha) * 0.5 * (1.0 + (PI * fraction).cos()) + self.alpha
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, CosineDecay");
        check_non_negative(owner, "initial_learning_rate", self.initial_learning_rate)?;
        check_steps(owner, "decay_steps", self.decay_steps)?;
        check_non_negative(owner, "alpha", self.alpha)?;
        check_non_negative(owner, "warmup_target", self.warmup_target.unwrap_or_default())
    }
}

/// Cosine decay with warm restarts: each period starts anew from its own peak, with another length.
///
/// After a fraction s of period i: `initial · ((1 - α) ½ m_mulⁱ (1 + cos(π s)) + α)`; period i has
/// `first_decay_steps · t_mulⁱ` steps.
///
/// # Parameters
/// Defaults: `t_mul` 2 (growth of the periods), `m_mul` 1 (growth of the peaks), `alpha` 0 (minimum, as a fraction of
/// the initial rate).
///
/// # Examples
/// ```
/// use axonal::schedules::CosineDecayRestarts;
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
    /// Creates a decay from `initial_learning_rate` to 0 in `first_decay_steps`; each later period is twice as long.
    #[must_use]
    pub fn new(initial_learning_rate: f64, first_decay_steps: u64) -> Self {
        Self { initial_learning_rate, first_decay_steps, t_mul: 2.0, m_mul: 1.0, alpha: 0.0 }
    }

    /// Sets the ratio of the lengths of successive periods.
    #[must_use]
    pub fn t_mul(mut self, t_mul: f64) -> Self {
        self.t_mul = t_mul;
        self
    }

    /// Sets the ratio of the peaks of successive periods.
    #[must_use]
    pub fn m_mul(mut self, m_mul: f64) -> Self {
        self.m_mul = m_mul;
        self
    }

    /// Sets the minimum, as a fraction of the initial rate.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        let done = step as f64 / self.first_decay_steps as f64;
        let (period, fraction) = if self.t_mul == 1.0 {
            (done.floor(), done.fract())
        } else {
            // Period i starts after 1 + t + … + tⁱ⁻¹ = (tⁱ - 1)/(t - 1) times the first period. At the start of a
            // period, the logarithm may be below an integer by a rounding error.
            let start = |period: f64| (self.t_mul.powf(period) - 1.0) / (self.t_mul - 1.0);
            let guess = (1.0 + done * (self.t_mul - 1.0)).log(self.t_mul).floor();
            let period = if start(guess + 1.0) <= done { guess + 1.0 } else { guess };
            (period, (done - start(period)) / self.t_mul.powf(period))
        };
        let wave = 0.5 * self.m_mul.powf(period) * (1.0 + (PI * fraction).cos());
        self.initial_learning_rate * ((1.0 - self.alpha) * wave + self.alpha)
    }

    pub(super) fn validate(&self, owner: &str) -> Result<()> {
        let owner = &format!("{owner}, CosineDecayRestarts");
        check_non_negative(owner, "initial_learning_rate", self.initial_learning_rate)?;
        check_steps(owner, "first_decay_steps", self.first_decay_steps)?;
        if !(self.t_mul >= 1.0 && self.t_mul.is_finite()) {
            return Err(Error::invalid_parameter(
                owner,
                "t_mul",
                self.t_mul,
                "a finite number of at least 1",
            ));
        }
        check_non_negative(owner, "m_mul", self.m_mul)?;
        check_non_negative(owner, "alpha", self.alpha)
    }
}
