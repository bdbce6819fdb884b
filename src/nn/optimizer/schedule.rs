//! Learning rates.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A learning rate: a number, or a function of the step.
#[derive(Clone)]
pub struct LearningRate(Arc<dyn Fn(u64) -> f64 + Send + Sync>, bool);

impl LearningRate {
    /// The rate of step `step`, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        (self.0)(step)
    }

    /// Whether it is one number.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.1
    }

    /// Refuses a first rate that is negative or not finite.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`].
    pub fn validate(&self, owner: &str) -> Result<()> {
        let rate = self.at(0);
        if rate >= 0.0 && rate.is_finite() {
            return Ok(());
        }
        Err(Error::invalid_parameter(owner, "learning_rate", rate, "a finite number of at least 0"))
    }
}

impl From<f64> for LearningRate {
    fn from(rate: f64) -> Self {
        Self(Arc::new(move |_| rate), true)
    }
}

impl fmt::Debug for LearningRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LearningRate({})", self.at(0))
    }
}
