//! Batches pulled from an iterator, for data sets that do not fit into memory.

use super::{EpochBatches, StepSource};
use crate::class_weight::ClassWeight;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::{InputElement, Inputs};
use crate::float::targets::Targets;
use crate::nn::model::Model;
use crate::nn::model::evaluate::Scores;
use crate::nn::model::inputs::LabeledSamples;
use crate::nn::model::ranks::{GlobalBatch, Ranks, agreed};
use crate::nn::model::trainer::{StepOutcome, StepRows, Trainer};
use crate::nn::sample_weights::SampleWeights;
use ndarray::{ArrayBase, ArrayViewD, Data, Dimension};

/// An item of the iterator passed to [`fit_batches`](crate::models::Model::fit_batches): samples and targets, or samples,
/// targets and sample weights, or a `Result` of these, whose error ends training.
///
/// # Examples
/// ```
/// use axonal::ndarray::{Array1, Array2};
/// use axonal::models::Batch;
///
/// fn takes(_: impl Batch<f32>) {}
/// takes((Array2::<f32>::zeros((32, 4)), Array1::<u8>::zeros(32)));
/// takes((Array2::<f32>::zeros((32, 4)), Array1::<u8>::zeros(32), Array1::<f32>::ones(32)));
/// takes(axonal::Result::Ok((Array2::<f32>::zeros((32, 4)), vec![0_u8; 32])));
/// ```
pub trait Batch<F> {
    /// Calls `train` with views of the samples and targets.
    ///
    /// # Errors
    /// The error of `train`, or of the batch itself.
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T>;

    /// The sample weights, if the batch has any.
    fn weights(&self) -> Option<ArrayViewD<'_, F>> {
        None
    }
}

impl<F, S: Data<Elem: InputElement<F>>, D: Dimension, Y> Batch<F> for (ArrayBase<S, D>, Y)
where
    for<'y> &'y Y: Into<Targets<'y, F>>,
{
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T> {
        train((&self.0).into(), (&self.1).into())
    }
}

impl<F, S: Data<Elem: InputElement<F>>, D: Dimension, Y, W: Data<Elem = F>, E: Dimension> Batch<F>
    for (ArrayBase<S, D>, Y, ArrayBase<W, E>)
where
    for<'y> &'y Y: Into<Targets<'y, F>>,
{
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T> {
        train((&self.0).into(), (&self.1).into())
    }

    fn weights(&self) -> Option<ArrayViewD<'_, F>> {
        Some(self.2.view().into_dyn())
    }
}

impl<F, B: Batch<F>> Batch<F> for Result<B> {
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T> {
        self?.view(train)
    }

    fn weights(&self) -> Option<ArrayViewD<'_, F>> {
        self.as_ref().ok()?.weights()
    }
}

/// Batches of an iterator; each is dropped before the next one is pulled.
pub(in crate::nn::model) struct Stream<'g, F, E> {
    batches: E,
    /// The number of epochs begun, and of batches pulled in the last one.
    begun: usize,
    pulled: usize,
    steps_per_epoch: Option<usize>,
    class_weight: Option<ClassWeight>,
    /// The buffers of a training step: allocated for the first batch, reallocated for a larger one.
    trainer: Option<Trainer<'g, F>>,
    ranks: Option<&'g dyn Ranks<F>>,
    /// The epoch's running sums until `trainer` is allocated.
    scores: Scores<F>,
    exhausted: bool,
    /// Whether the epoch of this rank has ended, while other ranks may have batches left.
    ended: bool,
}

impl<'g, F: Float, E: EpochBatches<F>> Stream<'g, F, E> {
    pub(in crate::nn::model) fn new(
        model: &Model<F>,
        batches: E,
        steps_per_epoch: Option<usize>,
        class_weight: Option<ClassWeight>,
        ranks: Option<&'g dyn Ranks<F>>,
    ) -> Result<Self> {
        let scores = Scores::new(model)?;
        let trainer = None;
        Ok(Self {
            batches,
            begun: 0,
            pulled: 0,
            steps_per_epoch,
            class_weight,
            trainer,
            scores,
            exhausted: false,
            ranks,
            ended: false,
        })
    }

    fn next(&mut self) -> Result<Option<E::Batch>> {
        if self.begun == 0 {
            self.begin()?;
        }
        let batch = self.batches.next_batch();
        self.pulled += usize::from(batch.is_some());
        // A source that repeats has more in the next epoch, unless this one had none.
        self.exhausted = batch.is_none() && (!E::REPEATS || self.pulled == 0);
        Ok(batch)
    }

    /// Begins the next epoch of the source.
    fn begin(&mut self) -> Result<()> {
        let epoch = self.begun;
        (self.begun, self.pulled, self.ended) = (epoch + 1, 0, false);
        self.batches.begin(epoch)
    }

    /// The next batch, whatever the epoch.
    fn next_of_any_epoch(&mut self) -> Result<Option<E::Batch>> {
        let is_full = self.steps_per_epoch.is_some_and(|steps| self.pulled >= steps);
        if E::REPEATS && is_full {
            self.begin()?;
        }
        match self.next()? {
            None if E::REPEATS && self.pulled > 0 => {
                self.begin()?;
                self.next()
            }
            batch => Ok(batch),
        }
    }

    fn train_batch(
        &mut self,
        model: &mut Model<F>,
        x: Inputs<'_, F>,
        y: Targets<'_, F>,
        weights: Option<SampleWeights<F>>,
        number: usize,
    ) -> Result<StepOutcome> {
        let mut prepared = self.prepare(model, x, y, weights, number);
        let mut n = prepared.as_ref().map_or(0, LabeledSamples::len);
        let mut global = GlobalBatch::alone(n);
        if let Some(ranks) = self.ranks {
            prepared = agreed(Some(ranks), prepared);
            if prepared.is_ok() {
                global = ranks.step_rows(n)?;
            }
        }
        let samples = prepared?;
        n = samples.len();
        let Some(trainer) = &mut self.trainer else { return Ok(StepOutcome::EndOfEpoch) };
        let x = trainer.load(&samples, 0..n);
        trainer.step(model, StepRows { x, batch: n, global })
    }

    /// Checks a batch and makes the buffers large enough for it.
    fn prepare<'x>(
        &mut self,
        model: &Model<F>,
        x: Inputs<'x, F>,
        y: Targets<'_, F>,
        weights: Option<SampleWeights<F>>,
        number: usize,
    ) -> Result<LabeledSamples<'x, F>> {
        let names = ["x", "y", "sample_weight"].map(|name| format!("batch {}, {name}", number + 1));
        let names = [names[0].as_str(), names[1].as_str(), names[2].as_str()];
        let mut samples = model.samples(x, y, weights.into(), names)?;
        let n = samples.len();
        if let Some(classes) = &self.class_weight {
            model.weigh_by_class(&mut samples, n, None, classes)?;
        }
        model.layout.check_batch_size("fit_batches", n, n)?;
        let fits =
            |trainer: &Trainer<'_, F>| trainer.workspace.capacity() >= n && trainer.fits_weights(&samples);
        if !self.trainer.as_ref().is_some_and(fits) {
            let capacity = self.trainer.as_ref().map_or(0, |trainer| trainer.workspace.capacity());
            let mut larger = Trainer::new(model, n.max(capacity), &samples, self.ranks)?;
            std::mem::swap(&mut larger.scores, self.scores());
            self.trainer = Some(larger);
        }
        Ok(samples)
    }

    /// A step of a rank whose batches have ended, or whose next batch is an error; the other ranks may have batches.
    fn step_without_batch(
        &mut self,
        model: &mut Model<F>,
        ranks: &dyn Ranks<F>,
        problem: Result<()>,
    ) -> Result<StepOutcome> {
        let own = match (&self.trainer, problem) {
            (_, Err(problem)) => Err(problem),
            (None, Ok(())) => {
                Err(Error::Empty { what: "batches of a rank".into(), shape: "()".into(), needed: "batch" })
            }
            (Some(_), Ok(())) => Ok(()),
        };
        agreed(Some(ranks), own)?;
        let global = ranks.step_rows(0)?;
        match &mut self.trainer {
            Some(trainer) if global.rows > 0 => trainer.step(model, StepRows { x: None, batch: 0, global }),
            _ => Ok(StepOutcome::EndOfEpoch),
        }
    }
}

impl<F: Float, E: EpochBatches<F>> StepSource<F> for Stream<'_, F, E> {
    fn batches(&self) -> usize {
        self.steps_per_epoch.unwrap_or(match self.batches.size_hint() {
            (least, Some(most)) if least == most => most,
            _ => 0,
        })
    }

    fn batch_size(&self) -> usize {
        self.trainer.as_ref().map_or(0, |trainer| trainer.workspace.capacity())
    }

    fn identity(&self) -> String {
        match self.steps_per_epoch {
            Some(steps) => format!("{steps} batches of an iterator an epoch"),
            None if E::REPEATS => "an iterator for each epoch".into(),
            None => "one pass over an iterator".into(),
        }
    }

    fn scores(&mut self) -> &mut Scores<F> {
        match &mut self.trainer {
            Some(trainer) => &mut trainer.scores,
            None => &mut self.scores,
        }
    }

    fn begin_epoch(&mut self, _: &Model<F>, done: usize) -> Result<()> {
        // A resumed epoch continues after the batches that were skipped.
        if done == 0 && (E::REPEATS || self.begun == 0) { self.begin() } else { Ok(()) }
    }

    fn step(&mut self, model: &mut Model<F>, batch: usize) -> Result<StepOutcome> {
        if self.steps_per_epoch.is_some_and(|steps| batch >= steps) {
            return Ok(StepOutcome::EndOfEpoch);
        }
        let next = if self.ended { Ok(None) } else { self.next() };
        self.ended = matches!(next, Ok(None));
        let (next, ranks) = match (next, self.ranks) {
            (Ok(Some(next)), ranks) => (next, ranks),
            (Ok(None), None) => return Ok(StepOutcome::EndOfEpoch),
            (Err(problem), None) => return Err(problem),
            (missing, Some(ranks)) => return self.step_without_batch(model, ranks, missing.map(|_| ())),
        };
        let weights = next.weights().map(|weights| SampleWeights::of(&weights));
        let mut has_data = false;
        let outcome = next.view(|x, y| {
            has_data = true;
            self.train_batch(model, x, y, weights, batch)
        });
        match (outcome, ranks) {
            // An item that is an error has not been seen by the other ranks.
            (Err(problem), Some(ranks)) if !has_data => self.step_without_batch(model, ranks, Err(problem)),
            (outcome, _) => outcome,
        }
    }

    fn skip(&mut self, taken: u64) -> Result<()> {
        for _ in 0..taken {
            let Some(batch) = self.next_of_any_epoch()? else {
                let problem = format!("it ended before the {taken} batches that are done already");
                return Err(Error::Callback { name: "in a resumed run".into(), source: problem.into() });
            };
            batch.view(|_, _| Ok(()))?;
        }
        Ok(())
    }

    fn exhausted(&self) -> bool {
        self.exhausted
    }
}
