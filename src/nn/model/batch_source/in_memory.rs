//! Batches gathered from arrays in memory, optionally shuffled every epoch.

use super::{StepSource, run_steps};
use crate::error::Result;
use crate::float::Float;
use crate::nn::callback::StopToken;
use crate::nn::fit_options::PlainOptions;
use crate::nn::model::Model;
use crate::nn::model::evaluate::Scores;
use crate::nn::model::inputs::LabeledSamples;
use crate::nn::model::ranks::{GlobalBatch, RankRows, Ranks};
use crate::nn::model::trainer::{StepOutcome, StepRows, Trainer};
use crate::parallel;
use crate::rng::{Purpose, Rng};
use crate::simd::prefetch;

/// Number of bytes to prefetch from each row of the next batch during the current step. The hardware prefetcher cannot
/// predict where a row begins in a random order; within a row it needs no help.
const PREFETCH_BYTES: usize = 512;

/// The bits of the number of an epoch in the address of a shuffle; those above hold the rank.
const RANK_SHIFT: u32 = 40;

/// Size of a memory page in bytes.
const PAGE_BYTES: usize = 4096;

/// Batches of the first `n` rows of the samples.
pub(in crate::nn::model) struct InMemory<'a, F> {
    samples: &'a LabeledSamples<'a, F>,
    n: usize,
    shuffle: bool,
    order: Vec<usize>,
    trainer: Trainer<'a, F>,
    /// The number of this rank and the rows of all ranks, in a distributed run.
    ranks: Option<(usize, RankRows)>,
}

impl<'a, F: Float> InMemory<'a, F> {
    pub(in crate::nn::model) fn new(
        model: &Model<F>,
        samples: &'a LabeledSamples<'a, F>,
        n: usize,
        options: &PlainOptions,
        ranks: Option<(&'a dyn Ranks<F>, RankRows)>,
    ) -> Result<Self> {
        let (all, ranks) = match ranks {
            Some((ranks, rows)) => (Some(ranks), Some((ranks.group().rank(), rows))),
            None => (None, None),
        };
        let trainer = Trainer::new(model, options.batch_size.min(n), samples, all)?;
        Ok(Self { samples, n, shuffle: options.shuffle, order: Vec::with_capacity(n), trainer, ranks })
    }

    /// The rows of a step of all ranks; `None` after the last step of an epoch.
    fn global_batch(&self, batch: usize) -> Option<GlobalBatch> {
        match &self.ranks {
            Some((_, rows)) => rows.batch(batch),
            None => {
                let start = batch * self.batch_size();
                (start < self.n).then(|| GlobalBatch::alone(self.batch_size().min(self.n - start)))
            }
        }
    }
}

impl<F: Float> StepSource<F> for InMemory<'_, F> {
    fn batches(&self) -> usize {
        self.ranks.as_ref().map_or_else(|| self.n.div_ceil(self.batch_size()), |(_, rows)| rows.steps())
    }

    fn batch_size(&self) -> usize {
        self.trainer.workspace.capacity()
    }

    fn identity(&self) -> String {
        let order = if self.shuffle { "shuffled" } else { "in order" };
        match &self.ranks {
            Some((_, rows)) => format!("{}, {order}", rows.description()),
            None => format!("{} samples in batches of {}, {order}", self.n, self.batch_size()),
        }
    }

    fn scores(&mut self) -> &mut Scores<F> {
        &mut self.trainer.scores
    }

    fn begin_epoch(&mut self, model: &Model<F>, _: usize) -> Result<()> {
        self.order.clear();
        self.order.extend(0..self.n);
        if self.shuffle {
            // Each rank has a separate stream; that of rank 0 is the stream of a run without ranks.
            let rank = self.ranks.as_ref().map_or(0, |(rank, _)| *rank as u64);
            let stream = model.epochs_trained.wrapping_add(rank << RANK_SHIFT);
            Rng::new(model.seed, Purpose::Shuffle, stream).shuffle(&mut self.order);
        }
        Ok(())
    }

    fn step(&mut self, model: &mut Model<F>, batch: usize) -> Result<StepOutcome> {
        let Some(global) = self.global_batch(batch) else { return Ok(StepOutcome::EndOfEpoch) };
        // A rank that has no rows left takes part with none.
        let start = batch.saturating_mul(self.batch_size()).min(self.n);
        let end = (start + self.batch_size()).min(self.n);
        let in_place = if start == end {
            None
        } else if self.shuffle {
            self.trainer.gather(self.samples, &self.order[start..end]);
            let next = (end + self.batch_size()).min(self.n);
            let next_rows = &self.order[end..next];
            for (x, &row) in self.samples.xs.iter().flat_map(|x| next_rows.iter().map(move |row| (x, row))) {
                if let Some(row) = x.row(row).as_slice() {
                    prefetch(row.as_ptr(), row.len().min(PREFETCH_BYTES / size_of::<F>()));
                    // Touch each page once: a TLB miss costs more than the read.
                    let pages = (0..row.len()).step_by(PAGE_BYTES / size_of::<F>()).skip(1);
                    for place in pages.chain(row.len().checked_sub(1)) {
                        prefetch(row.as_ptr().wrapping_add(place), 1);
                    }
                }
            }
            None
        } else {
            self.trainer.load(self.samples, start..end)
        };
        self.trainer.step(model, StepRows { x: in_place, batch: end - start, global })
    }

    /// Enters the thread pool once for all steps: entering it costs more than a small matrix product.
    fn steps(
        &mut self,
        model: &mut Model<F>,
        done: usize,
        token: Option<&StopToken>,
    ) -> Result<(usize, StepOutcome)> {
        let operations = model.layout.operations().saturating_mul(self.batch_size());
        parallel::with_hot_pool(operations, || run_steps(self, model, done, token))
    }

    fn skip(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn exhausted(&self) -> bool {
        false
    }
}
