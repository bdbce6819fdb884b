//! The view of a training run that callbacks have.

use super::Checkpoint;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::history::Logs;
use crate::nn::model::Model;
use std::fmt;

/// The view of a training run that a callback receives.
pub struct Run<'a, F> {
    pub(crate) model: &'a mut Model<F>,
    pub(crate) progress: &'a mut Progress,
    /// Where to put the checkpoint to resume from; there only before the first batch.
    pub(crate) resume: Option<&'a mut Option<Checkpoint<F>>>,
}

/// Where a training run stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) batches: usize,
    pub(crate) logs: Logs,
    /// The names that the logs of an epoch's end will have.
    pub(crate) names: Vec<String>,
    pub(crate) stop: Option<String>,
    pub(crate) checkpoint_requested: bool,
    pub(crate) ending: Ending,
    /// The rank in a distributed run, else 0.
    pub(crate) rank: usize,
}

/// How a run ends, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ending {
    /// After the last epoch, or where a callback has stopped it.
    #[default]
    Complete,
    /// By a stop token: the rest is to be done some other time.
    Interrupted,
    /// By an error.
    Failed,
}

impl<F: Float> Run<'_, F> {
    /// The number of this rank in a [distributed](crate::distributed) run; 0 in others.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.progress.rank
    }

    /// The epoch, counted from 0 (from `initial_epoch` where one is set).
    #[must_use]
    pub fn epoch(&self) -> usize {
        self.progress.epoch
    }

    /// The epoch to stop before, as asked for.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.progress.epochs
    }

    /// The batch within the epoch, counted from 0.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.progress.batch
    }

    /// How many batches an epoch has; 0 where that is not known before its end.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.progress.batches
    }

    /// The numbers so far: at a batch's end the running means of the epoch, at an epoch's end those of the
    /// epoch with the validation's.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.progress.logs
    }

    /// The names that the logs have at an epoch's end.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.progress.names
    }

    /// The names that the logs have at a batch's end: those without validation and learning rate.
    pub(crate) fn batch_names(&self) -> &[String] {
        let scores = self.model.n_scores();
        self.progress.names.get(..scores).unwrap_or(&self.progress.names)
    }

    /// The model as it stands.
    #[must_use]
    pub fn model(&self) -> &Model<F> {
        self.model
    }

    /// The model, to be changed: its weights, say. Another model in its place ends the run with an error.
    pub fn model_mut(&mut self) -> &mut Model<F> {
        self.model
    }

    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.model.learning_rate()
    }

    /// Sets the learning rate from the next step on.
    ///
    /// # Errors
    /// A rate that is negative or not finite, or a model whose rate follows a schedule.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        self.model.set_learning_rate(rate)
    }

    /// Ends the run after this batch or epoch; the history records the reason.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.progress.stop.get_or_insert(reason.into());
    }

    /// Whether a [`StopToken`](super::StopToken) has interrupted the run, so that the rest of it is to be done some
    /// other time.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.progress.ending == Ending::Interrupted
    }

    /// In [`on_train_end`](super::Callback::on_train_end): whether the run came to its end, by its last epoch or by
    /// a callback that stopped it; false where it was interrupted or failed.
    #[must_use]
    pub fn completed(&self) -> bool {
        self.progress.ending == Ending::Complete
    }

    pub(crate) fn failed(&self) -> bool {
        self.progress.ending == Ending::Failed
    }

    /// Asks for a checkpoint: once every callback has seen this batch's or epoch's end, all of them receive it
    /// in [`on_checkpoint`](super::Callback::on_checkpoint).
    pub fn request_checkpoint(&mut self) {
        self.progress.checkpoint_requested = true;
    }

    /// In [`on_train_begin`](super::Callback::on_train_begin): resumes from a checkpoint of an earlier run, as soon
    /// as every callback has seen the beginning.
    ///
    /// # Errors
    /// [`Error::Misplaced`] at any other time, and where another callback has resumed already. That the checkpoint is
    /// not one of this model, these data and these callbacks is an error of the run, before the first batch.
    pub fn resume(&mut self, checkpoint: Checkpoint<F>) -> Result<()> {
        let misplaced = |option, hint| Err(Error::Misplaced { context: "Run::resume", option, hint });
        match &mut self.resume {
            None => misplaced("a checkpoint in the midst of a run", "hand it over in on_train_begin"),
            Some(Some(_)) => misplaced("a second checkpoint", "let one callback resume the run"),
            Some(slot) => {
                **slot = Some(checkpoint);
                Ok(())
            }
        }
    }
}

impl<F> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("progress", &self.progress).finish_non_exhaustive()
    }
}
