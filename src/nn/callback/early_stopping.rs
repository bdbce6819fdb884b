//! Ending a run that no longer improves.

use super::{Callback, CallbackSettings, CallbackState, Monitor, Run};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::metric::Direction;
use serde::{Deserialize, Serialize};

/// Ends the run when a number of its logs has not improved for some epochs, as Keras's callback of this name.
///
/// # Parameters
/// | setter | default |
/// |---|---|
/// | `min_delta` | 0: by how much a number must improve |
/// | `patience` | 0: how many epochs without improvement are waited for; 0 and 1 are the same |
/// | `direction` | the metric's own; losses fall |
/// | `baseline` | none: a value that must be beaten as well, or the waiting continues |
/// | `restore_best_weights` | false: the model keeps the last weights; true: it gets those of the best epoch back, also where training ran to its end |
/// | `start_from_epoch` | 0: earlier epochs are ignored |
///
/// # Errors
/// A monitored name that the run does not have, before the first batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.3), MeanSquaredError::default())?;
/// let stopping = EarlyStopping::new("loss").min_delta(1e-4).patience(3).restore_best_weights(true);
/// let options = FitOptions::new().epochs(10_000).callback(stopping);
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert!(history.epochs() < 1000);
/// assert!(history.stopped().unwrap().starts_with("loss has not improved"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "F: Float")]
pub struct EarlyStopping<F = f32> {
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    #[serde(skip)]
    seen: Seen,
    /// The parameters and the state of the best epoch.
    #[serde(skip)]
    best_weights: Option<(Vec<F>, Vec<F>)>,
    /// How many parameters and how much state the model has.
    #[serde(skip)]
    lengths: (usize, usize),
}

/// What was seen so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Seen {
    best: Option<f64>,
    best_epoch: usize,
    wait: usize,
    stopped_epoch: Option<usize>,
}

impl<F: Float> EarlyStopping<F> {
    /// Watches the number of this name: `"val_loss"`, say.
    #[must_use]
    pub fn new(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Monitor::new(monitor),
            patience: 0,
            baseline: None,
            restore_best_weights: false,
            start_from_epoch: 0,
            seen: Seen::default(),
            best_weights: None,
            lengths: (0, 0),
        }
    }

    /// By how much the number must improve; its sign does not matter.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta;
        self
    }

    /// How many epochs without improvement end the run.
    #[must_use]
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// Whether higher or lower is better.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.monitor.direction = direction;
        self
    }

    /// A value that must be beaten, too; until then every epoch counts as one without improvement.
    #[must_use]
    pub fn baseline(mut self, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Whether the model gets the weights of the best epoch back at the end.
    #[must_use]
    pub fn restore_best_weights(mut self, restore: bool) -> Self {
        self.restore_best_weights = restore;
        self
    }

    /// The first epoch that is looked at.
    #[must_use]
    pub fn start_from_epoch(mut self, epoch: usize) -> Self {
        self.start_from_epoch = epoch;
        self
    }

    /// The epoch at which it has stopped the run, counted from 0.
    #[must_use]
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.seen.stopped_epoch
    }

    /// The best epoch, counted from 0, and its number.
    #[must_use]
    pub fn best(&self) -> Option<(usize, f64)> {
        Some((self.seen.best_epoch, self.seen.best?))
    }

    fn keep(&mut self, run: &Run<'_, F>) {
        if !self.restore_best_weights {
            return;
        }
        let model = run.model();
        match &mut self.best_weights {
            Some((params, state)) => {
                params.copy_from_slice(&model.params);
                state.copy_from_slice(&model.state);
            }
            None => self.best_weights = Some((model.params.to_vec(), model.state.to_vec())),
        }
    }
}

impl<F: Float> Callback<F> for EarlyStopping<F> {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (self.seen, self.best_weights) = (Seen::default(), None);
        self.lengths = (run.model().params.len(), run.model().state.len());
        self.monitor.begin("EarlyStopping", run, run.names())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let Some(value) = self.monitor.value(run) else { return Ok(()) };
        let epoch = run.epoch();
        if epoch < self.start_from_epoch {
            return Ok(());
        }
        // Where nothing has improved yet, the first weights are the best.
        if self.restore_best_weights && self.best_weights.is_none() {
            self.seen.best_epoch = epoch;
            self.keep(run);
        }
        self.seen.wait += 1;
        if self.monitor.improved(value, self.seen.best) {
            (self.seen.best, self.seen.best_epoch) = (Some(value), epoch);
            self.keep(run);
            if self.baseline.is_none_or(|baseline| self.monitor.improved(value, Some(baseline))) {
                self.seen.wait = 0;
            }
        } else if self.seen.wait >= self.patience && epoch > 0 {
            self.seen.stopped_epoch = Some(epoch);
            let name = &self.monitor.name;
            run.stop(format!("{name} has not improved since epoch {}", self.seen.best_epoch + 1));
        }
        Ok(())
    }

    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        // A run that failed tells in its error which weights the model has.
        if let (Some((params, state)), false) = (self.best_weights.take(), run.failed()) {
            let model = run.model_mut();
            model.params.copy_from_slice(&params);
            model.state.copy_from_slice(&state);
        }
        Ok(())
    }

    fn state(&self) -> Result<CallbackState<F>> {
        let weights = self.best_weights.as_ref();
        let numbers = weights.map(|(params, state)| [params.as_slice(), state].concat()).unwrap_or_default();
        Ok(CallbackState::of(&(&self.seen, weights.map(|(params, _)| params.len())))?.with_numbers(numbers))
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        let (seen, params_len): (Seen, Option<usize>) = state.read()?;
        self.seen = seen;
        self.best_weights = None;
        if let Some(len) = params_len {
            let mut params = state.into_numbers();
            let moving = params.split_off(len.min(params.len()));
            if (params.len(), moving.len()) != self.lengths {
                let expected = "the weights of this model";
                return Err(Error::invalid_parameter("EarlyStopping", "state", "another model's", expected));
            }
            self.best_weights = Some((params, moving));
        }
        Ok(())
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        let fresh = Self { seen: Seen::default(), best_weights: None, ..self.clone() };
        Some(CallbackSettings::saved_as("early_stopping", &fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::super::replay::{Replay, replay};
    use super::*;

    /// The values of Keras's own test of this callback.
    #[test]
    fn patience_ends_the_run_where_keras_ends_it() {
        let losses = [10.0, 9.0, 8.0, 9.0, 8.9, 8.8, 8.7, 8.6, 8.5];
        for patience in 0..4 {
            let mut stopping = EarlyStopping::new("val_loss").patience(patience);
            let Replay { epochs, .. } = replay(&mut stopping, "val_loss", &losses);
            assert_eq!(stopping.stopped_epoch(), Some(patience.max(1) + 2));
            assert_eq!(epochs, patience.max(1) + 3);
            assert_eq!(stopping.best(), Some((2, 8.0)));
        }
    }

    #[test]
    fn the_weights_of_the_best_epoch_come_back_as_in_keras() {
        let mut stopping = EarlyStopping::new("val_loss").patience(2).restore_best_weights(true);
        let played = replay(&mut stopping, "val_loss", &[0.2, 0.15, 0.1, 0.11, 0.12, 0.13]);
        assert_eq!((played.epochs, played.weight), (5, 2.0));
        // The values never get below the baseline: five epochs without the improvement asked for.
        let mut stopping =
            EarlyStopping::new("val_loss").patience(5).baseline(0.5).restore_best_weights(true);
        let played = replay(&mut stopping, "val_loss", &[0.9, 0.8, 0.7, 0.71, 0.72, 0.73]);
        assert_eq!((played.epochs, played.weight), (5, 2.0));
    }

    #[test]
    fn a_run_that_ends_otherwise_gets_its_best_weights_too() {
        let mut stopping = EarlyStopping::new("val_loss").patience(20).restore_best_weights(true);
        let played = replay(&mut stopping, "val_loss", &[0.2, 0.15, 0.1, 0.11]);
        assert_eq!((played.epochs, played.weight, stopping.stopped_epoch()), (4, 2.0, None));
        let mut last = EarlyStopping::new("val_loss").patience(20);
        assert_eq!(replay(&mut last, "val_loss", &[0.2, 0.15, 0.1, 0.11]).weight, 3.0);
    }

    #[test]
    fn higher_is_better_for_an_accuracy_and_where_the_caller_says_so() {
        let mut stopping = EarlyStopping::new("accuracy").patience(2);
        assert_eq!(replay(&mut stopping, "accuracy", &[0.1, 0.2, 0.3, 0.2, 0.1, 0.0]).epochs, 5);
        let mut stopping = EarlyStopping::new("loss").patience(2).direction(Direction::Up);
        assert_eq!(replay(&mut stopping, "loss", &[0.1, 0.2, 0.3, 0.2, 0.1, 0.0]).epochs, 5);
    }

    #[test]
    fn epochs_before_the_start_steps_too_small_and_nan_do_not_count() {
        let mut stopping = EarlyStopping::new("loss").start_from_epoch(3);
        assert_eq!(replay(&mut stopping, "loss", &[1.0, 2.0, 3.0, 4.0, 3.0, 5.0, 9.0]).epochs, 6);
        let mut stopping = EarlyStopping::new("loss").min_delta(-0.5).patience(2);
        assert_eq!(replay(&mut stopping, "loss", &[2.0, 1.8, 1.6, 1.4]).epochs, 3);
        let mut stopping = EarlyStopping::new("accuracy").patience(2);
        assert_eq!(replay(&mut stopping, "accuracy", &[f64::NAN, 0.5, f64::NAN, 0.4, 0.3]).epochs, 4);
    }
}
