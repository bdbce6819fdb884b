//! One of a run's numbers, watched for the better.

use super::Run;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::metric::Direction;
use serde::{Deserialize, Serialize};

/// The number that a callback goes by, the way in which it improves, and by how much it must.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Monitor {
    pub(crate) name: String,
    pub(crate) min_delta: f64,
    /// As the caller has set it; `Unknown`: by the metric.
    pub(crate) direction: Direction,
    /// Whether higher is better; known from the run's beginning on.
    #[serde(skip)]
    pub(super) upward: bool,
}

impl Monitor {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), min_delta: 0.0, direction: Direction::Unknown, upward: false }
    }

    /// Checks the settings against a run, before its first batch; `known` are the names that its logs will have.
    pub(crate) fn begin<F: Float>(&mut self, owner: &str, run: &Run<'_, F>, known: &[String]) -> Result<()> {
        if !self.min_delta.is_finite() {
            return Err(Error::invalid_parameter(owner, "min_delta", self.min_delta, "a finite number"));
        }
        if !known.contains(&self.name) {
            return Err(Error::unknown_name("monitor", &self.name, known.iter().map(String::as_str)));
        }
        let direction = match self.direction {
            Direction::Unknown => self.direction_in(run),
            direction => direction,
        };
        if direction == Direction::Unknown {
            let expected =
                format!("a direction: add .direction(Direction::Up) or Down, which {} has not", self.name);
            return Err(Error::invalid_parameter(owner, "monitor", &self.name, expected));
        }
        self.upward = direction == Direction::Up;
        Ok(())
    }

    /// Losses fall; metrics say it themselves.
    fn direction_in<F: Float>(&self, run: &Run<'_, F>) -> Direction {
        let name = self.name.strip_prefix("val_").unwrap_or(&self.name);
        let names = run.batch_names();
        let score = names.iter().position(|known| known == name || *known == self.name);
        score.map_or(Direction::Unknown, |score| run.model().score_direction(score))
    }

    /// The number at this moment; none where this epoch had no validation.
    pub(crate) fn value<F: Float>(&self, run: &Run<'_, F>) -> Option<f64> {
        run.logs().get(&self.name)
    }

    /// Whether `value` is better than the best so far by more than `min_delta`; what is not finite never is.
    pub(crate) fn improved(&self, value: f64, best: Option<f64>) -> bool {
        let Some(best) = best else { return value.is_finite() };
        let delta = self.min_delta.abs();
        value.is_finite() && if self.upward { value - delta > best } else { value + delta < best }
    }
}
