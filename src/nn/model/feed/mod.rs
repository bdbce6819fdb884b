//! Where a training run takes its batches from.

mod in_memory;
mod stream;

pub(super) use in_memory::InMemory;
pub use stream::Batch;
pub(super) use stream::Stream;

use super::Model;
use super::scores::Scores;
use super::trainer::Divergence;
use crate::error::Result;
use crate::nn::callback::StopToken;

/// What a step came to; none where the epoch has no further batch.
pub(super) type Stepped = Option<std::result::Result<(), Divergence>>;

/// A source of batches, with the buffers of a step on them.
pub(super) trait Feed<F> {
    /// How many batches an epoch has; 0 where that is not known.
    fn batches(&self) -> usize;

    /// How many samples a batch has at most, as far as is known.
    fn batch_size(&self) -> usize;

    /// What a checkpoint must have been made of to be of use.
    fn identity(&self) -> String;

    /// The sums of the epoch.
    fn scores(&mut self) -> &mut Scores<F>;

    /// Prepares an epoch of which some batches are done.
    fn begin_epoch(&mut self, model: &Model<F>, done: usize);

    /// One step on the batch of this number.
    ///
    /// # Errors
    /// A batch that does not fit the model.
    fn step(&mut self, model: &mut Model<F>, batch: usize) -> Result<Stepped>;

    /// Steps from the batch of this number on, until the epoch has no further one, a step diverges, or somebody
    /// interrupts; answers how many batches are done and what the last step came to.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    fn steps(
        &mut self,
        model: &mut Model<F>,
        done: usize,
        token: Option<&StopToken>,
    ) -> Result<(usize, Stepped)> {
        one_by_one(self, model, done, token)
    }

    /// Passes over batches that an earlier run has taken.
    ///
    /// # Errors
    /// The error of a batch.
    fn skip(&mut self, taken: u64) -> Result<()>;

    /// Whether there will be no batches any more.
    fn exhausted(&self) -> bool;
}

fn one_by_one<F, S: Feed<F> + ?Sized>(
    feed: &mut S,
    model: &mut Model<F>,
    mut done: usize,
    token: Option<&StopToken>,
) -> Result<(usize, Stepped)> {
    loop {
        match feed.step(model, done)? {
            Some(Ok(())) => done += 1,
            last => return Ok((done, last)),
        }
        if token.is_some_and(StopToken::is_stopped) {
            return Ok((done, Some(Ok(()))));
        }
    }
}
