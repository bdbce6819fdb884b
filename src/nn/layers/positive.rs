//! The check of hyperparameters that count something.

use crate::error::{Error, Result};

/// Refuses the first of these hyperparameters, by name and value, that is 0.
pub(crate) fn require_positive(owner: &str, counts: &[(&'static str, usize)]) -> Result<()> {
    match counts.iter().find(|(_, count)| *count == 0) {
        Some((name, _)) => Err(Error::invalid_parameter(owner, name, 0, "at least 1")),
        None => Ok(()),
    }
}
