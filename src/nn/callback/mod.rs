//! What may happen between the steps of a training run.

mod checkpoint;
mod csv_logger;
mod early_stopping;
mod epoch_line;
mod folder;
mod json_logger;
mod lambda_callback;
mod learning_rate_scheduler;
mod log_file;
mod monitor;
#[cfg(feature = "progress")]
mod progress_bar;
mod reduce_lr_on_plateau;
#[cfg(test)]
mod replay;
mod run;
mod settings;
mod stop_token;
mod tensor_board;

pub use checkpoint::{CallbackState, Checkpoint};
pub(crate) use checkpoint::{Numbers, Position, Rate};
pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub(crate) use epoch_line::epoch_line;
pub(crate) use folder::{create_folder, create_folder_of};
pub use json_logger::JsonLogger;
pub use lambda_callback::LambdaCallback;
pub use learning_rate_scheduler::LearningRateScheduler;
pub(crate) use monitor::Monitor;
#[cfg(feature = "progress")]
#[cfg_attr(docsrs, doc(cfg(feature = "progress")))]
pub use progress_bar::ProgressBar;
pub use reduce_lr_on_plateau::ReduceLrOnPlateau;
pub use run::Run;
pub(crate) use run::{Ending, Progress};
pub use settings::CallbackSettings;
pub(crate) use settings::FromFactory;
pub use stop_token::StopToken;
pub use tensor_board::{TensorBoard, UpdateFreq};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::model::Model;
use crate::nn::optimizer::LearningRate;
use std::fmt;

/// Code that runs at the begin and end of training, of each epoch and of each batch.
///
/// Every hook does nothing by default. An error from a hook ends the run with that error; the model keeps the
/// weights of the last whole batch. A panic goes through to the caller of `fit`, and leaves the model as sound.
///
/// A callback that remembers something from epoch to epoch returns it from [`state`](Self::state) and takes it back
/// in [`load_state`](Self::load_state), so that a run that is resumed from a checkpoint continues as it would have.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::Run;
/// use axonal::prelude::*;
///
/// #[derive(Debug, Default)]
/// struct LowestLoss(Option<f64>);
///
/// impl<F: Float> Callback<F> for LowestLoss {
///     fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
///         let loss = run.logs().get("loss").unwrap();
///         self.0 = Some(self.0.map_or(loss, |lowest| lowest.min(loss)));
///         if loss < 1e-3 {
///             run.stop("good enough");
///         }
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let mut lowest = LowestLoss::default();
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.3), MeanSquaredError::default())?;
/// let options = FitOptions::new().epochs(1000).callback(&mut lowest);
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert!(history.epochs() < 1000 && history.stopped() == Some("good enough"));
/// assert_eq!(lowest.0, history.loss().last().copied());
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a callback for models of `{F}`",
    label = "expected a callback such as `EarlyStopping::new(\"val_loss\")`",
    note = "for a custom callback, implement `Callback<F>`; all of its methods have defaults"
)]
pub trait Callback<F: Float> {
    /// Before the first batch.
    ///
    /// # Errors
    /// Whatever keeps the callback from doing its work; the run does not begin.
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// Before each epoch.
    ///
    /// # Errors
    /// Whatever keeps the callback from doing its work; the run ends with it.
    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After each batch.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After each epoch and its validation.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After the last epoch, and also where the run ended early or with an error.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After a batch or an epoch at which some callback has called [`Run::request_checkpoint`], and after every
    /// callback has seen that batch or epoch. In a [distributed](crate::distributed) run on rank 0 alone.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_checkpoint(&mut self, checkpoint: &Checkpoint<F>) -> Result<()> {
        let _ = checkpoint;
        Ok(())
    }

    /// What the callback remembers at this moment; nothing by default.
    ///
    /// # Errors
    /// What cannot be written down.
    fn state(&self) -> Result<CallbackState<F>> {
        Ok(CallbackState::default())
    }

    /// Takes back what [`state`](Self::state) has returned, in a run that is resumed; called after
    /// [`on_train_begin`](Self::on_train_begin).
    ///
    /// # Errors
    /// A state of another callback.
    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// The callback as settings that a model can keep, from which every fit starts anew; `None`, the default, for a
    /// callback that belongs to one run. A callback of plain settings returns
    /// `Some(`[`CallbackSettings::of`]`(self))`.
    fn settings(&self) -> Option<CallbackSettings<F>> {
        None
    }

    /// Whether the hooks run on rank 0 alone in a [distributed](crate::distributed) run, because the callback writes files or
    /// prints; false by default. A callback that changes the model must run on every rank and do the same on each.
    fn first_rank_only(&self) -> bool {
        false
    }
}

impl<F: Float, C: Callback<F> + ?Sized> Callback<F> for &mut C {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_train_begin(run)
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_epoch_begin(run)
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_batch_end(run)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_epoch_end(run)
    }

    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_train_end(run)
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint<F>) -> Result<()> {
        (**self).on_checkpoint(checkpoint)
    }

    fn state(&self) -> Result<CallbackState<F>> {
        (**self).state()
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        (**self).load_state(state)
    }

    fn first_rank_only(&self) -> bool {
        (**self).first_rank_only()
    }
}

impl<F> fmt::Debug for dyn Callback<F> + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

impl<F: Float> Model<F> {
    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.optimizer_state.current_rate()
    }

    /// Sets the learning rate from the next step on.
    ///
    /// # Errors
    /// A rate that is negative or not finite, or a model whose rate follows a schedule.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        if !self.optimizer_state.learning_rate.is_constant() {
            return Err(Error::Misplaced {
                context: "set_learning_rate",
                option: "a fixed rate for an optimizer whose learning rate follows a schedule",
                hint: "compile with a number as the learning rate, or change the schedule",
            });
        }
        let rate = LearningRate::from(rate);
        rate.validate(self.optimizer_state.rule.kind())?;
        self.optimizer_state.learning_rate = rate;
        Ok(())
    }
}
