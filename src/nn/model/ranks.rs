//! What the training loop needs of the ranks of a distributed run.

use super::evaluate::Scores;
use crate::distributed::Collective;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Checkpoint, Progress, StopToken};
use crate::nn::fit_options::PlainOptions;
use crate::nn::model::Model;
use crate::nn::targets::Prepared;
use crate::nn::workspace::Workspace;

/// The ranks of a distributed run, as one of them sees them. [`DataParallel`](super::data_parallel::DataParallel) implements it;
/// behind the trait, a program that does not call `FitOptions::distributed` does not link it.
pub(crate) trait Ranks<F>: Sync {
    /// The group.
    fn group(&self) -> &dyn Collective;

    /// Set when the ranks have agreed to stop.
    fn agreed_stop(&self) -> StopToken;

    /// Errors on every rank if models, options, numbers of callbacks, steps per epoch, or whether there are validation data differ
    /// between ranks.
    fn require_same_run(
        &self,
        model: &Model<F>,
        options: &PlainOptions,
        others: (usize, Option<usize>, bool),
    ) -> Result<()>;

    /// Exchanges the numbers of rows.
    fn rows(&self, rows: usize, batch_size: usize) -> Result<RankRows>;

    /// Exchanges the numbers of rows of one step.
    fn step_rows(&self, rows: usize) -> Result<GlobalBatch>;

    /// What one rank exchanges in each step of training this model.
    fn step<'s>(&'s self, model: &Model<F>) -> Result<Box<dyn RankStep<F> + 's>>;

    /// Whether any rank has a condition.
    fn any(&self, own: bool) -> Result<bool>;

    /// Combines the sums of losses and metrics of all ranks into `merged`.
    fn merge_scores(&self, own: &Scores<F>, merged: &mut Scores<F>) -> Result<()>;

    /// The checkpoint of rank 0 on every rank, if it has one.
    fn broadcast_checkpoint(&self, own: Option<Checkpoint<F>>) -> Result<Option<Checkpoint<F>>>;

    /// Errors on every rank if the parameters of a rank are not those of rank 0, to the bit, after this number of epochs.
    fn require_same_params(&self, model: &Model<F>, epochs: usize) -> Result<()>;

    /// Errors on every rank if any rank has a problem.
    fn agree(&self, problem: Option<&Error>) -> Result<()>;

    /// Shares what the callbacks of a hook have decided: errors, a reason to stop, a request for a checkpoint.
    fn agree_on_hook(&self, own: Result<()>, progress: &mut Progress) -> Result<()>;
}

/// What one rank exchanges in a training step. Every rank calls the methods in the same order, also without rows.
pub(crate) trait RankStep<F>: Send + Sync {
    /// The number of values that are exchanged behind the gradients.
    fn extra_len(&self) -> usize;

    /// The ranks, if layers exchange values with them.
    fn group(&self) -> Option<&dyn Collective>;

    /// Prepares a step, given the state before.
    fn begin(&mut self, state: &[F], global: GlobalBatch) -> Result<()>;

    /// Computes this rank's share of the loss of each output, after the forward pass.
    fn shares(&mut self, batch: LossInputs<'_, F>, global: GlobalBatch, shares: &mut [f64]) -> Result<()>;

    /// Whether every rank can run its backward pass, if the passes depend on each other.
    fn all_go_on(&mut self, own: bool) -> Result<bool>;

    /// Makes the gradients and the changes of moving statistics those of all ranks. Returns whether no rank diverged.
    fn exchange(
        &mut self,
        values: &mut [F],
        state: &mut [F],
        is_finite: bool,
        batch: (usize, GlobalBatch),
    ) -> Result<bool>;
}

/// What the divisors of the losses follow from: the batch of a rank after its forward pass.
#[derive(Clone, Copy)]
pub(crate) struct LossInputs<'s, F> {
    pub(super) model: &'s Model<F>,
    pub(super) workspace: &'s Workspace<F>,
    pub(super) batch: usize,
    pub(super) targets: &'s [Prepared<F>],
    pub(super) weights: &'s [Vec<F>],
    /// The number of sample weights of each sample, by output; 0 without weights.
    pub(super) weights_per_sample: &'s [usize],
}

/// Makes the ranks of a run from a group and the token that stops this rank.
pub(crate) type MakeRanks<F> = for<'g> fn(&'g dyn Collective, Option<&StopToken>) -> Box<dyn Ranks<F> + 'g>;

/// A group, and how its ranks are made.
pub(crate) struct Group<'a, F> {
    pub(crate) collective: &'a dyn Collective,
    pub(crate) make: MakeRanks<F>,
}

impl<'a, F: Float> Group<'a, F> {
    /// The ranks of a run; `None` for a group of one, which trains as without a group.
    pub(super) fn ranks(group: Option<&Self>, token: Option<&StopToken>) -> Option<Box<dyn Ranks<F> + 'a>> {
        let group = group.filter(|group| group.collective.size() > 1)?;
        Some((group.make)(group.collective, token))
    }
}

impl<F> std::fmt::Debug for Group<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.collective.fmt(f)
    }
}

/// The value, if every rank of a distributed run has one.
pub(super) fn agreed<F, T>(ranks: Option<&(dyn Ranks<F> + '_)>, own: Result<T>) -> Result<T> {
    match ranks {
        Some(ranks) => settled(ranks, own),
        None => own,
    }
}

#[cold]
#[inline(never)]
fn settled<F, T>(ranks: &(dyn Ranks<F> + '_), own: Result<T>) -> Result<T> {
    let agreed = ranks.agree(own.as_ref().err());
    own.and_then(|value| agreed.map(|()| value))
}

/// The rows of one step of all ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GlobalBatch {
    /// The number of rows of the ranks before this one.
    pub(super) first_row: usize,
    /// The number of rows of all ranks.
    pub(super) rows: usize,
    /// The number of rows of the rank with the fewest.
    pub(super) least: usize,
}

impl GlobalBatch {
    /// The share of `rows` rows of it.
    pub(super) fn share(&self, rows: usize) -> f64 {
        if self.rows == 0 { 0.0 } else { rows as f64 / self.rows as f64 }
    }

    /// The rows of a step without other ranks.
    pub(super) fn alone(rows: usize) -> Self {
        Self { first_row: 0, rows, least: rows }
    }

    pub(super) fn of(rank: usize, rows: impl Iterator<Item = usize> + Clone) -> Self {
        let least = rows.clone().min().unwrap_or(0);
        Self { first_row: rows.clone().take(rank).sum(), rows: rows.sum(), least }
    }
}

/// The numbers of rows of all ranks and the batches that follow from them.
pub(crate) struct RankRows {
    rank: usize,
    rows: Vec<usize>,
    batch_size: usize,
    /// The description of the data in checkpoints.
    description: String,
}

impl RankRows {
    pub(super) fn new(rank: usize, rows: Vec<usize>, batch_size: usize) -> Self {
        let texts: Vec<String> = rows.iter().map(ToString::to_string).collect();
        Self { rank, batch_size, description: format!("{}{}", Self::PREFIX, texts.join(" + ")), rows }
    }

    /// How descriptions begin.
    pub(super) const PREFIX: &str = "ranks of ";

    /// The number of steps of an epoch: that of the rank with the most rows.
    pub(super) fn steps(&self) -> usize {
        self.rows.iter().map(|rows| rows.div_ceil(self.batch_size)).max().unwrap_or(0)
    }

    /// The rows of step `step`; `None` after the last.
    pub(super) fn batch(&self, step: usize) -> Option<GlobalBatch> {
        let start = step.saturating_mul(self.batch_size);
        let rows = self.rows.iter().map(|rows| rows.saturating_sub(start).min(self.batch_size));
        let batch = GlobalBatch::of(self.rank, rows);
        (batch.rows > 0).then_some(batch)
    }

    /// The description of the data in checkpoints.
    pub(super) fn description(&self) -> &str {
        &self.description
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_batches_follow_from_the_rows_of_all_ranks() {
        let rows = RankRows::new(1, vec![10, 4, 7], 4);
        assert_eq!(rows.steps(), 3);
        assert_eq!(rows.batch(0), Some(GlobalBatch { first_row: 4, rows: 12, least: 4 }));
        assert_eq!(rows.batch(1), Some(GlobalBatch { first_row: 4, rows: 7, least: 0 }));
        assert_eq!(rows.batch(2), Some(GlobalBatch { first_row: 2, rows: 2, least: 0 }));
        assert_eq!(rows.batch(3), None);
    }
}
