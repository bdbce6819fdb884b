//! A smaller learning rate where a run no longer improves.

use super::{Callback, CallbackSettings, CallbackState, Monitor, Run};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::metric::Direction;
use serde::{Deserialize, Serialize};

/// Multiplies the learning rate by a factor when a number of the logs has not improved for some epochs, as Keras's
/// `ReduceLROnPlateau`.
///
/// # Parameters
/// | setter | default |
/// |---|---|
/// | `factor` | 0.1 |
/// | `patience` | 10: how many epochs without improvement are waited for |
/// | `min_delta` | 1e-4: by how much a number must improve |
/// | `cooldown` | 0: how many epochs are not counted after a reduction |
/// | `min_learning_rate` | 0: where the reductions end |
/// | `direction` | the metric's own; losses fall |
///
/// # Errors
/// A monitored name that the run does not have, settings out of their ranges, or a learning rate that follows a
/// schedule, before the first batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.3), MeanSquaredError::default())?;
/// let reduction = ReduceLrOnPlateau::new("loss").factor(0.5).patience(2);
/// let options = FitOptions::new().epochs(200).callback(reduction);
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert!(history.get("learning_rate").unwrap()[199] < 0.3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReduceLrOnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_learning_rate: f64,
    #[serde(skip)]
    seen: Seen,
}

/// What was seen so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Seen {
    best: Option<f64>,
    wait: usize,
    /// Epochs that are not counted yet.
    cooling: usize,
}

impl ReduceLrOnPlateau {
    /// Watches the number of this name: `"val_loss"`, say.
    #[must_use]
    pub fn new(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Monitor { min_delta: 1e-4, ..Monitor::new(monitor) },
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_learning_rate: 0.0,
            seen: Seen::default(),
        }
    }

    /// What the learning rate is multiplied by: at least 0 and below 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// How many epochs without improvement bring a reduction.
    #[must_use]
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// By how much the number must improve; its sign does not matter.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta;
        self
    }

    /// How many epochs after a reduction are not counted.
    #[must_use]
    pub fn cooldown(mut self, epochs: usize) -> Self {
        self.cooldown = epochs;
        self
    }

    /// What the learning rate does not go below.
    #[must_use]
    pub fn min_learning_rate(mut self, rate: f64) -> Self {
        self.min_learning_rate = rate;
        self
    }

    /// Whether higher or lower is better.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.monitor.direction = direction;
        self
    }
}

impl<F: Float> Callback<F> for ReduceLrOnPlateau {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let owner = "ReduceLrOnPlateau";
        if !(0.0..1.0).contains(&self.factor) {
            return Err(Error::invalid_parameter(owner, "factor", self.factor, "0 <= factor < 1"));
        }
        if !(self.min_learning_rate >= 0.0 && self.min_learning_rate.is_finite()) {
            let expected = "a finite number of at least 0";
            return Err(Error::invalid_parameter(
                owner,
                "min_learning_rate",
                self.min_learning_rate,
                expected,
            ));
        }
        // Where the rate follows a schedule, this is the error to tell now, not at the first plateau.
        run.set_learning_rate(run.learning_rate())?;
        self.seen = Seen::default();
        self.monitor.begin(owner, run, run.names())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let Some(value) = self.monitor.value(run) else { return Ok(()) };
        let seen = &mut self.seen;
        if seen.cooling > 0 {
            seen.cooling -= 1;
            seen.wait = 0;
        }
        if self.monitor.improved(value, seen.best) {
            (seen.best, seen.wait) = (Some(value), 0);
        } else if seen.cooling == 0 {
            seen.wait += 1;
            if seen.wait >= self.patience && run.learning_rate() > self.min_learning_rate {
                run.set_learning_rate((run.learning_rate() * self.factor).max(self.min_learning_rate))?;
                (seen.cooling, seen.wait) = (self.cooldown, 0);
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<CallbackState<F>> {
        CallbackState::of(&self.seen)
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        self.seen = state.read()?;
        Ok(())
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        Some(CallbackSettings::saved_as("reduce_lr_on_plateau", self))
    }
}

#[cfg(test)]
mod tests {
    use super::super::replay::replay;
    use super::*;

    fn rate_after(reduction: ReduceLrOnPlateau, epochs: usize) -> f64 {
        replay(&mut { reduction }, "val_loss", &vec![1.0; epochs]).learning_rate
    }

    /// The values of Keras's own test of this callback, from a learning rate of 0.1.
    #[test]
    fn rates_fall_where_keras_lets_them_fall() {
        let reduction = || ReduceLrOnPlateau::new("val_loss").patience(1).min_delta(100.0);
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{got}, want {want}");
        close(rate_after(reduction(), 2), 0.01);
        close(rate_after(reduction().cooldown(2), 4), 0.001);
        close(rate_after(reduction().min_learning_rate(0.005), 4), 0.005);
    }

    #[test]
    fn an_improvement_starts_the_waiting_anew() {
        let mut reduction = ReduceLrOnPlateau::new("val_loss").patience(2);
        let played = replay(&mut reduction, "val_loss", &[1.0, 1.0, 0.9, 0.9, 0.8, 0.8]);
        assert_eq!(played.learning_rate, 0.1);
        assert!(rate_after(ReduceLrOnPlateau::new("val_loss").patience(2), 3) < 0.1);
    }
}
