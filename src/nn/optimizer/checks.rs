//! Checks of the hyperparameters of optimizers and schedules; the error names the parameter and its range.

use crate::error::{Error, Result};

/// Checks a decay rate: `0 <= value < 1`.
pub(super) fn check_decay_rate(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, format!("0 <= {name} < 1")))
}

/// Checks that a value is finite and at least 0.
pub(super) fn check_non_negative(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number of at least 0"))
}

/// Checks that a value is finite and above 0.
pub(super) fn check_positive(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number above 0"))
}

/// Checks that a number of steps is at least 1.
pub(super) fn check_steps(owner: &str, name: &'static str, steps: u64) -> Result<()> {
    if steps > 0 { Ok(()) } else { Err(Error::invalid_parameter(owner, name, steps, "at least 1")) }
}
