//! A run that survives its process.

use super::atomic;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Callback, CallbackSettings, CallbackState, Checkpoint, Run, create_folder};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Keeps checkpoints of a training run in a directory, and resumes from them when the same `fit` is called again, as
/// Keras's callback of this name.
///
/// A checkpoint is everything: weights, moving statistics, the optimizer's moments, counters, learning rate, the
/// batch within the epoch, the epoch's sums, the history, the last good epoch, and what the other callbacks remember
/// (their best weights, too). A run that is interrupted at any moment and resumed ends with the same bits as one that
/// was not, given the same model, data and callbacks; of an iterator ([`fit_batches`](crate::models::Model::fit_batches))
/// the batches that were taken already are passed over. Log files are continued, not repeated.
///
/// The last two checkpoints are kept, each replaced whole or not at all; where the newer cannot be read, the older is
/// used. Both are removed when the run has come to its end, and kept when it failed or was interrupted by a
/// [`StopToken`](crate::callbacks::StopToken), which makes a last one.
///
/// # Parameters
/// | setter | default |
/// |---|---|
/// | `every_batches` | none: after each epoch; `n`: also after every n batches |
/// | `delete_checkpoint` | true: remove them when the run is complete |
///
/// # Errors
/// A directory that cannot be created or written to, before the first batch; checkpoints of another run; checkpoints of which none can be read.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::callbacks::LambdaCallback;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let folder = std::env::temp_dir().join(format!("axonal-doc-backup-{}", std::process::id()));
/// let (x, y) = (array![[0.0], [1.0], [2.0]], array![1.0, 3.0, 5.0]);
/// let network = || {
///     let layers = Sequential::new(1).add(Dense::new(4)).add(Dense::new(1)).seed(3);
///     layers.compile(Adam::new(0.1), MeanSquaredError::default())
/// };
/// let options = || FitOptions::new().epochs(10).batch_size(1).callback(BackupAndRestore::new(&folder));
///
/// // The first attempt ends in the fourth epoch.
/// let token = StopToken::new();
/// let stop = LambdaCallback::new().on_batch_end(|run| {
///     if (run.epoch(), run.batch()) == (3, 1) {
///         token.stop();
///     }
///     Ok(())
/// });
/// let history = network()?.fit_with(&x, &y, options().stop_token(&token).callback(stop))?;
/// assert_eq!(history.stopped(), Some("interrupted"));
///
/// // The second resumes from there, in another process, say.
/// let mut model = network()?;
/// let history = model.fit_with(&x, &y, options().callback(LambdaCallback::new()))?;
/// assert_eq!((history.epochs(), history.stopped()), (10, None));
///
/// let mut uninterrupted = network()?;
/// uninterrupted.fit_with(&x, &y, FitOptions::new().epochs(10).batch_size(1))?;
/// assert_eq!(model.weights(), uninterrupted.weights());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupAndRestore {
    directory: PathBuf,
    every_batches: Option<usize>,
    delete_checkpoint: bool,
    #[serde(skip)]
    batches: usize,
    /// Which of the two files the next checkpoint replaces.
    #[serde(skip)]
    next: usize,
}

const NAMES: [&str; 2] = ["backup-0.axonal", "backup-1.axonal"];

impl BackupAndRestore {
    /// Keeps the checkpoints in this directory, which is created if missing. No other run may use it.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            every_batches: None,
            delete_checkpoint: true,
            batches: 0,
            next: 0,
        }
    }

    /// Also makes a checkpoint after every `batches` batches.
    #[must_use]
    pub fn every_batches(mut self, batches: usize) -> Self {
        self.every_batches = Some(batches);
        self
    }

    /// Whether the checkpoints are removed when the run is complete.
    #[must_use]
    pub fn delete_checkpoint(mut self, delete: bool) -> Self {
        self.delete_checkpoint = delete;
        self
    }

    fn path(&self, slot: usize) -> PathBuf {
        self.directory.join(NAMES[slot % NAMES.len()])
    }

    /// The newest checkpoint that can be read, if there are any.
    fn newest<F: Float>(&mut self) -> Result<Option<Checkpoint<F>>> {
        let mut newest: Option<(usize, Checkpoint<F>)> = None;
        let mut problem = None;
        for slot in 0..NAMES.len() {
            let path = self.path(slot);
            if !path.exists() {
                continue;
            }
            match Checkpoint::load(&path) {
                Ok(found) if newest.as_ref().is_none_or(|(_, other)| moment(other) < moment(&found)) => {
                    newest = Some((slot, found));
                }
                Ok(_) => {}
                Err(error) => problem = Some(error),
            }
        }
        match (newest, problem) {
            (Some((slot, checkpoint)), _) => {
                self.next = 1 - slot;
                Ok(Some(checkpoint))
            }
            // To begin anew would replace what may still be saved.
            (None, Some(problem)) => Err(problem),
            (None, None) => Ok(None),
        }
    }
}

/// How far a run has come: batches taken, and at an epoch's end the epoch.
fn moment<F>(checkpoint: &Checkpoint<F>) -> (u64, usize) {
    (checkpoint.position.taken, checkpoint.position.epoch)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Io { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

impl<F: Float> Callback<F> for BackupAndRestore {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if self.every_batches == Some(0) {
            return Err(Error::invalid_parameter("BackupAndRestore", "every_batches", 0, "at least 1"));
        }
        (self.batches, self.next) = (0, 0);
        create_folder(&self.directory)?;
        atomic::check_folder(&self.directory)?;
        self.newest()?.map_or(Ok(()), |checkpoint| run.resume(checkpoint))
    }

    // An interruption makes a checkpoint of itself.
    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.batches += 1;
        if self.every_batches.is_some_and(|every| self.batches.is_multiple_of(every)) {
            run.request_checkpoint();
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        // An interrupted epoch is gone on with from its last batch, not from an end that was none.
        if !run.interrupted() {
            run.request_checkpoint();
        }
        Ok(())
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint<F>) -> Result<()> {
        checkpoint.save(&self.path(self.next))?;
        self.next = 1 - self.next;
        Ok(())
    }

    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if !(run.completed() && self.delete_checkpoint) {
            return Ok(());
        }
        (0..NAMES.len()).try_for_each(|slot| remove(&self.path(slot)))
    }

    fn state(&self) -> Result<CallbackState<F>> {
        CallbackState::of(&self.batches)
    }

    fn load_state(&mut self, state: CallbackState<F>) -> Result<()> {
        self.batches = state.read()?;
        Ok(())
    }

    fn settings(&self) -> Option<CallbackSettings<F>> {
        Some(CallbackSettings::saved_as("backup_and_restore", self))
    }

    fn first_rank_only(&self) -> bool {
        true
    }
}
