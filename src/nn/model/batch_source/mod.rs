//! Sources of training steps: the trait [`StepSource`] and its implementations for arrays and for iterators.

mod each_batch;
mod epochs;
mod in_memory;
mod stream;

pub(crate) use each_batch::{BatchFactory, BatchParts, EachBatch, RepeatableBatches};
pub use epochs::{BatchSource, EachEpoch, EpochBatches, each_epoch};
pub(super) use in_memory::InMemory;
pub use stream::Batch;
pub(super) use stream::Stream;

use super::Model;
use super::evaluate::Scores;
use super::trainer::StepOutcome;
use crate::error::Result;
use crate::nn::callback::StopToken;

/// A source of training batches. Owns the buffers of a training step.
pub(super) trait StepSource<F> {
    /// The number of batches in an epoch; 0 if unknown.
    fn batches(&self) -> usize;

    /// The largest batch size known so far.
    fn batch_size(&self) -> usize;

    /// A description of the data and their order; a checkpoint of a run with another description is refused.
    fn identity(&self) -> String;

    /// The running sums of the epoch's loss and metrics.
    fn scores(&mut self) -> &mut Scores<F>;

    /// Prepares an epoch whose first `done` batches are already trained.
    ///
    /// # Errors
    /// A source that cannot begin an epoch.
    fn begin_epoch(&mut self, model: &Model<F>, done: usize) -> Result<()>;

    /// Trains on the batch with index `batch`.
    ///
    /// # Errors
    /// A batch that does not fit the model.
    fn step(&mut self, model: &mut Model<F>, batch: usize) -> Result<StepOutcome>;

    /// Trains from batch index `done` until the epoch ends, a step diverges, or `token` is stopped. Returns the index of the
    /// next batch and the last outcome.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    fn steps(
        &mut self,
        model: &mut Model<F>,
        done: usize,
        token: Option<&StopToken>,
    ) -> Result<(usize, StepOutcome)> {
        run_steps(self, model, done, token)
    }

    /// Skips `taken` batches, which the interrupted run has trained on.
    ///
    /// # Errors
    /// The error of a batch.
    fn skip(&mut self, taken: u64) -> Result<()>;

    /// Whether the source can supply no more batches.
    fn exhausted(&self) -> bool;
}

/// The default implementation of [`StepSource::steps`].
fn run_steps<F, S: StepSource<F> + ?Sized>(
    source: &mut S,
    model: &mut Model<F>,
    mut done: usize,
    token: Option<&StopToken>,
) -> Result<(usize, StepOutcome)> {
    loop {
        match source.step(model, done)? {
            StepOutcome::Trained => done += 1,
            last => return Ok((done, last)),
        }
        if token.is_some_and(StopToken::is_stopped) {
            return Ok((done, StepOutcome::Trained));
        }
    }
}
