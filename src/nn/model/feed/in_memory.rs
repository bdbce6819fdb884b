//! Batches of samples that lie in memory, in a new order each epoch.

use super::{Feed, Stepped, one_by_one};
use crate::error::Result;
use crate::float::Float;
use crate::nn::callback::StopToken;
use crate::nn::fit_options::PlainOptions;
use crate::nn::model::Model;
use crate::nn::model::data::{Samples, rows_of};
use crate::nn::model::scores::Scores;
use crate::nn::model::trainer::Trainer;
use crate::parallel;
use crate::rng::{Purpose, Rng};
use crate::simd::prefetch;

/// Bytes of each row of the next batch that are fetched while this one is computed. Rows in a random order begin on
/// pages and lines that nobody expects; once a row is being read, the processor fetches the rest ahead by itself.
const AHEAD: usize = 512;

/// Bytes of a page of memory.
const PAGE: usize = 4096;

/// The first `n` of some samples.
pub(in crate::nn::model) struct InMemory<'a, F> {
    samples: &'a Samples<'a, F>,
    n: usize,
    shuffle: bool,
    order: Vec<usize>,
    trainer: Trainer<F>,
}

impl<'a, F: Float> InMemory<'a, F> {
    pub(in crate::nn::model) fn new(
        model: &Model<F>,
        samples: &'a Samples<'a, F>,
        n: usize,
        options: &PlainOptions,
    ) -> Result<Self> {
        let trainer = Trainer::new(model, options.batch_size.min(n), samples)?;
        Ok(Self { samples, n, shuffle: options.shuffle, order: Vec::with_capacity(n), trainer })
    }
}

impl<F: Float> Feed<F> for InMemory<'_, F> {
    fn batches(&self) -> usize {
        self.n.div_ceil(self.batch_size())
    }

    fn batch_size(&self) -> usize {
        self.trainer.workspace.capacity()
    }

    fn identity(&self) -> String {
        let order = if self.shuffle { "shuffled" } else { "in order" };
        format!("{} samples in batches of {}, {order}", self.n, self.batch_size())
    }

    fn scores(&mut self) -> &mut Scores<F> {
        &mut self.trainer.scores
    }

    fn begin_epoch(&mut self, model: &Model<F>, _: usize) {
        self.order.clear();
        self.order.extend(0..self.n);
        if self.shuffle {
            Rng::new(model.seed, Purpose::Shuffle, model.epochs_trained).shuffle(&mut self.order);
        }
    }

    fn step(&mut self, model: &mut Model<F>, batch: usize) -> Result<Stepped> {
        let start = batch * self.batch_size();
        if start >= self.n {
            return Ok(None);
        }
        let end = (start + self.batch_size()).min(self.n);
        let x = self.samples.x.view();
        let in_place = if self.shuffle {
            self.trainer.gather(self.samples, &self.order[start..end]);
            let next = (end + self.batch_size()).min(self.n);
            for &row in &self.order[end..next] {
                if let Some(row) = x.row(row).as_slice() {
                    prefetch(row.as_ptr(), row.len().min(AHEAD / size_of::<F>()));
                    // To find where a page lies takes longer than to read from it.
                    let pages = (0..row.len()).step_by(PAGE / size_of::<F>()).skip(1);
                    for place in pages.chain(row.len().checked_sub(1)) {
                        prefetch(row.as_ptr().wrapping_add(place), 1);
                    }
                }
            }
            None
        } else {
            self.trainer.gather_targets(self.samples, start..end, None);
            Some(rows_of(&x, start, end))
        };
        Ok(Some(self.trainer.step(model, in_place, end - start)))
    }

    /// To enter the pool for every step costs more than a product.
    fn steps(
        &mut self,
        model: &mut Model<F>,
        done: usize,
        token: Option<&StopToken>,
    ) -> Result<(usize, Stepped)> {
        let operations = model.layout.operations().saturating_mul(self.batch_size());
        parallel::with_hot_pool(operations, || one_by_one(self, model, done, token))
    }

    fn skip(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn exhausted(&self) -> bool {
        false
    }
}
