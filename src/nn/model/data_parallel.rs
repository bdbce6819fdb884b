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
use super::rank_step::Exchange;
use super::ranks::{GlobalBatch, RankRows, RankStep, Ranks, agreed};
use crate::distributed::{self, Collective};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Checkpoint, Progress, StopToken};
use crate::nn::fit_options::{PlainOptions, Verbose};
use crate::nn::model::Model;

/// The group of a training run, as one rank sees it.
struct DataParallel<'g> {
    group: &'g dyn Collective,
    /// The token of this rank.
    token: Option<StopToken>,
    agreed_stop: StopToken,
}

/// The ranks of a run of this group.
pub(crate) fn data_parallel<'g, F: Float>(
    group: &'g dyn Collective,
    token: Option<&StopToken>,
) -> Box<dyn Ranks<F> + 'g> {
    Box::new(DataParallel { group, token: token.cloned(), agreed_stop: StopToken::new() })
}

impl<F: Float> Ranks<F> for DataParallel<'_> {
    fn group(&self) -> &dyn Collective {
        self.group
    }

    fn agreed_stop(&self) -> StopToken {
        self.agreed_stop.clone()
    }

    fn any(&self, own: bool) -> Result<bool> {
        let mut any = [u64::from(own)];
        self.group.all_reduce((&mut any).into(), distributed::Reduction::Max)?;
        Ok(any[0] > 0)
    }

    fn require_same_run(
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
            ("optimizer", format!("{} with {:?}", optimizer.rule.kind(), optimizer.modifiers)),
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

    fn rows(&self, rows: usize, batch_size: usize) -> Result<RankRows> {
        let rows = distributed::gather_u64(self.group, rows as u64)?;
        let rows = rows.into_iter().map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)).collect();
        Ok(RankRows::new(self.group.rank(), rows, batch_size))
    }

    fn step_rows(&self, rows: usize) -> Result<GlobalBatch> {
        let rows = distributed::gather_u64(self.group, rows as u64)?;
        let rows = rows.into_iter().map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
        Ok(GlobalBatch::of(self.group.rank(), rows))
    }

    fn step<'s>(&'s self, model: &Model<F>) -> Result<Box<dyn RankStep<F> + 's>> {
        Ok(Box::new(Exchange::new(self.group, self.token.clone(), self.agreed_stop.clone(), model)?))
    }

    fn agree(&self, problem: Option<&Error>) -> Result<()> {
        distributed::agree_on(self.group, problem)
    }

    fn merge_scores(&self, own: &Scores<F>, merged: &mut Scores<F>) -> Result<()> {
        let sums = own.sums();
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        merged.reset();
        for bytes in self.group.all_gather(&bytes)? {
            let values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            merged.merge_sums(&values.collect::<Vec<_>>());
        }
        Ok(())
    }

    fn broadcast_checkpoint(&self, own: Option<Checkpoint<F>>) -> Result<Option<Checkpoint<F>>> {
        let is_first = self.group.rank() == 0;
        let encoded = own.as_ref().filter(|_| is_first).map_or_else(|| Ok(Vec::new()), Checkpoint::to_bytes);
        let mut bytes = agreed::<F, _>(Some(self), encoded)?;
        self.group.broadcast(&mut bytes, 0)?;
        match (is_first, bytes.is_empty()) {
            (true, _) => Ok(own),
            (false, true) => Ok(None),
            (false, false) => Checkpoint::from_bytes(&bytes).map(Some),
        }
    }

    fn require_same_params(&self, model: &Model<F>, epochs: usize) -> Result<()> {
        let hashes = distributed::gather_u64(self.group, hash_of(&model.params))?;
        match hashes.iter().position(|hash| Some(hash) != hashes.first()) {
            None => Ok(()),
            Some(rank) => {
                let problem = format!(
                    "has other parameters than rank 0 after {epochs} epochs; build the model with the same seed or weights on every \
                     rank, and let callbacks change it on all ranks alike"
                );
                Err(Error::Distributed { rank, problem })
            }
        }
    }

    fn agree_on_hook(&self, own: Result<()>, progress: &mut Progress) -> Result<()> {
        let agreed = distributed::agree_on(self.group, own.as_ref().err());
        own?;
        agreed?;
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
