//! Data-parallel training: the ranks of a group train one model, each on its own rows.
//!
//! Every rank holds the same parameters and computes the gradient of its own rows, as a share of the loss of the global batch.
//! One sum over the ranks makes it the gradient of the global batch, from which every rank makes the same update:
//!
//! ```text
//! rank 0   forward, backward of its rows ─┐            ┌─ clip, decay, update
//! rank 1   forward, backward of its rows ─┴─ all-reduce ┴─ clip, decay, update
//! ```
//!
//! # Shares
//! The loss of a global batch is Σ S / Σ D over the ranks, with the sum S of a rank's losses and its divisor D: the number of
//! positions, or the sum of weights ([`Reduction`]). A rank's share is D / Σ D, by which the gradient of its own mean S / D is
//! multiplied before the backward pass. The divisors are known from the numbers of rows, unless a mask, ignored labels or
//! [`Reduction::MeanWithSampleWeight`] have a part in them; then the ranks exchange them before the backward pass.
//!
//! # What else is exchanged
//! | when | what |
//! |---|---|
//! | before the first step | errors of the data, settings, numbers of rows, a checkpoint that rank 0 resumes from |
//! | each step, behind the gradients | changes of moving statistics; whether a rank diverged or was interrupted |
//! | each epoch | sums of losses and metrics; a hash of the parameters |
//! | each callback hook | errors, reasons to stop, requests for checkpoints; after a batch also sums of losses and metrics |
//!
//! Every rank takes part in every exchange, also with an error or without rows, so that none waits for another in vain.

use super::evaluate::Scores;
use crate::distributed::{self, Collective, agree};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Checkpoint, Progress, StopToken};
use crate::nn::fit_options::{PlainOptions, Verbose};
use crate::nn::loss::Reduction;
use crate::nn::model::Model;

/// Values at the end of the exchange of a step: whether a rank diverged, and whether one was interrupted.
pub(super) const FLAGS: usize = 2;

/// The group of a training run, as one rank sees it.
pub(super) struct DataParallel<'g> {
    pub(super) group: &'g dyn Collective,
    /// The token of this rank.
    token: Option<StopToken>,
    /// Set when the ranks have agreed to stop.
    pub(super) agreed_stop: StopToken,
}

/// The rows of one step of all ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GlobalBatch {
    /// The number of rows of the ranks before this one.
    pub(super) first_row: usize,
    /// The number of rows of all ranks.
    pub(super) rows: usize,
    /// The number of rows of the rank with the fewest.
    pub(super) least: usize,
}

impl GlobalBatch {
    /// The rows of a step without other ranks.
    pub(super) fn alone(rows: usize) -> Self {
        Self { first_row: 0, rows, least: rows }
    }

    fn of(rank: usize, rows: impl Iterator<Item = usize> + Clone) -> Self {
        let least = rows.clone().min().unwrap_or(0);
        Self { first_row: rows.clone().take(rank).sum(), rows: rows.sum(), least }
    }
}

/// The numbers of rows of all ranks and the batches that follow from them.
pub(super) struct RankRows {
    rank: usize,
    rows: Vec<usize>,
    batch_size: usize,
}

impl RankRows {
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
    pub(super) fn describe(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(ToString::to_string).collect();
        format!("{}{}", Self::PREFIX, rows.join(" + "))
    }
}

impl<'g> DataParallel<'g> {
    /// A run of several ranks; `None` for a group of one, which trains as without a group.
    pub(super) fn new(group: Option<&'g dyn Collective>, token: Option<&StopToken>) -> Option<Self> {
        let group = group.filter(|group| group.size() > 1)?;
        Some(Self { group, token: token.cloned(), agreed_stop: StopToken::new() })
    }

    pub(super) fn is_first(&self) -> bool {
        self.group.rank() == 0
    }

    /// Errors on every rank if models, options or numbers of callbacks differ between ranks.
    pub(super) fn require_same_run<F: Float>(
        &self,
        model: &Model<F>,
        options: &PlainOptions,
        (callbacks, steps_per_epoch, has_validation): (usize, Option<usize>, bool),
    ) -> Result<()> {
        // Rank 0 alone prints, whatever the others are set to.
        let options = PlainOptions { verbose: Verbose::Silent, ..options.clone() };
        let options = serde_json::to_string_pretty(&options).unwrap_or_default();
        let optimizer = &model.optimizer_state;
        let settings = [
            ("float type", F::NAME.to_owned()),
            ("seed", model.seed.to_string()),
            ("network", model.summary().to_string()),
            ("losses and metrics", model.score_names().join("\n")),
            ("optimizer", optimizer.rule.kind().to_owned()),
            ("learning rate", optimizer.current_rate().to_string()),
            ("options", options),
            ("number of callbacks", callbacks.to_string()),
            ("steps_per_epoch", format!("{steps_per_epoch:?}")),
            ("validation data:", has_validation.to_string()),
            ("number of epochs trained before:", model.epochs_trained.to_string()),
            ("number of steps trained before:", model.steps_trained.to_string()),
        ];
        distributed::require_equal(self.group, &settings)
    }

    /// Exchanges the numbers of rows.
    pub(super) fn rows(&self, rows: usize, batch_size: usize) -> Result<RankRows> {
        let rows = distributed::gather_u64(self.group, rows as u64)?;
        let rows = rows.into_iter().map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)).collect();
        Ok(RankRows { rank: self.group.rank(), rows, batch_size })
    }

    /// Exchanges the numbers of rows of one step.
    pub(super) fn step_rows(&self, rows: usize) -> Result<GlobalBatch> {
        let rows = distributed::gather_u64(self.group, rows as u64)?;
        let rows = rows.into_iter().map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
        Ok(GlobalBatch::of(self.group.rank(), rows))
    }

    /// Sums what the ranks have computed in a step, of which the last [`FLAGS`] values are written here. Returns whether any
    /// rank diverged.
    pub(super) fn sum_step<F: Float>(&self, values: &mut [F], diverged: bool) -> Result<bool> {
        let Some(first_flag) = values.len().checked_sub(FLAGS) else { return Ok(diverged) };
        let flag = |is_set: bool| if is_set { F::one() } else { F::zero() };
        values[first_flag] = flag(diverged);
        values[first_flag + 1] = flag(self.token.as_ref().is_some_and(StopToken::is_stopped));
        distributed::sum(self.group, values)?;
        if values[first_flag + 1] > F::zero() {
            self.agreed_stop.stop();
        }
        Ok(values[first_flag] > F::zero())
    }

    /// Sums the divisors of the losses of the outputs over the ranks, and returns this rank's share of each.
    pub(super) fn shares(&self, divisors: &mut [f64], own: &[f64], reductions: &[Reduction]) -> Result<()> {
        distributed::sum(self.group, divisors)?;
        for ((share, own), reduction) in divisors.iter_mut().zip(own).zip(reductions) {
            *share = match reduction {
                Reduction::Sum => 1.0,
                _ if *share > 0.0 => own / *share,
                _ => 0.0,
            };
        }
        Ok(())
    }

    /// Combines the sums of losses and metrics of all ranks into `merged`.
    pub(super) fn merge_scores<F: Float>(&self, own: &Scores<F>, merged: &mut Scores<F>) -> Result<()> {
        let sums = own.sums();
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        merged.reset();
        for bytes in self.group.all_gather(&bytes)? {
            let values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            merged.merge_sums(&values.collect::<Vec<_>>());
        }
        Ok(())
    }

    /// The checkpoint of rank 0 on every rank, if it has one.
    pub(super) fn broadcast_checkpoint<F: Float>(
        &self,
        own: Option<Checkpoint<F>>,
    ) -> Result<Option<Checkpoint<F>>> {
        let is_first = self.is_first();
        let encoded = own.as_ref().filter(|_| is_first).map_or_else(|| Ok(Vec::new()), Checkpoint::to_bytes);
        let mut bytes = agree(self.group, encoded)?;
        self.group.broadcast(&mut bytes, 0)?;
        match (is_first, bytes.is_empty()) {
            (true, _) => Ok(own),
            (false, true) => Ok(None),
            (false, false) => Checkpoint::from_bytes(&bytes).map(Some),
        }
    }

    /// Errors on every rank if the parameters of a rank are not those of rank 0, to the bit.
    pub(super) fn require_same_params<F: Float>(&self, model: &Model<F>, when: &str) -> Result<()> {
        let hashes = distributed::gather_u64(self.group, hash_of(&model.params))?;
        match hashes.iter().position(|hash| Some(hash) != hashes.first()) {
            None => Ok(()),
            Some(rank) => {
                let problem = format!(
                    "has other parameters than rank 0 {when}; build the model with the same seed or weights on every \
                     rank, and let callbacks change it on all ranks alike"
                );
                Err(Error::Distributed { rank, problem })
            }
        }
    }

    /// Shares what the callbacks of a hook have decided: errors, a reason to stop, a request for a checkpoint.
    pub(super) fn agree_on_hook(&self, own: Result<()>, progress: &mut Progress) -> Result<()> {
        agree(self.group, own)?;
        let own = format!(
            "{}{}",
            u8::from(progress.checkpoint_requested),
            progress.stop.as_deref().unwrap_or("\0")
        );
        for decision in self.group.all_gather(own.as_bytes())? {
            let decision = String::from_utf8_lossy(&decision).into_owned();
            progress.checkpoint_requested |= decision.starts_with('1');
            if let Some(reason) = decision.get(1..).filter(|reason| *reason != "\0") {
                progress.stop.get_or_insert_with(|| reason.to_owned());
            }
        }
        Ok(())
    }
}

/// The FNV-1a hash of the bits of parameters.
fn hash_of<F: Float>(params: &[F]) -> u64 {
    let bits = params.iter().map(|param| param.as_f64().to_bits());
    bits.fold(0xcbf2_9ce4_8422_2325, |hash, bits| (hash ^ bits).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_batches_follow_from_the_rows_of_all_ranks() {
        let rows = RankRows { rank: 1, rows: vec![10, 4, 7], batch_size: 4 };
        assert_eq!(rows.steps(), 3);
        assert_eq!(rows.batch(0), Some(GlobalBatch { first_row: 4, rows: 12, least: 4 }));
        assert_eq!(rows.batch(1), Some(GlobalBatch { first_row: 4, rows: 7, least: 0 }));
        assert_eq!(rows.batch(2), Some(GlobalBatch { first_row: 2, rows: 2, least: 0 }));
        assert_eq!(rows.batch(3), None);
    }
}
