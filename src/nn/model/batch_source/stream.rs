//! Batches pulled from an iterator, for data sets that do not fit into memory.

use super::{BatchSource, StepOutcome};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::{InputElement, Inputs};
use crate::float::targets::Targets;
use crate::nn::fit_options::SampleWeights;
use crate::nn::model::Model;
use crate::nn::model::evaluate::Scores;
use crate::nn::model::trainer::Trainer;
use ndarray::{ArrayBase, Data, Dimension};

/// An item of the iterator passed to [`fit_batches`](crate::models::Model::fit_batches): a pair of samples and targets, or a
/// `Result` of one, whose error ends training.
///
/// # Examples
/// ```
/// use axonal::ndarray::{Array1, Array2};
/// use axonal::models::Batch;
///
/// fn takes(_: impl Batch<f32>) {}
/// takes((Array2::<f32>::zeros((32, 4)), Array1::<u8>::zeros(32)));
/// takes(axonal::Result::Ok((Array2::<f32>::zeros((32, 4)), vec![0_u8; 32])));
/// ```
pub trait Batch<F> {
    /// Calls `train` with views of the samples and targets.
    ///
    /// # Errors
    /// The error of `train`, or of the batch itself.
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T>;
}

impl<F, S: Data<Elem: InputElement<F>>, D: Dimension, Y> Batch<F> for (ArrayBase<S, D>, Y)
where
    for<'y> &'y Y: Into<Targets<'y, F>>,
{
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T> {
        train((&self.0).into(), (&self.1).into())
    }
}

impl<F, B: Batch<F>> Batch<F> for Result<B> {
    fn view<T>(self, train: impl FnOnce(Inputs<'_, F>, Targets<'_, F>) -> Result<T>) -> Result<T> {
        self?.view(train)
    }
}

/// Batches of an iterator; each is dropped before the next one is pulled.
pub(in crate::nn::model) struct Stream<'a, F, I> {
    batches: I,
    steps_per_epoch: Option<usize>,
    class_weight: Option<&'a [(usize, f64)]>,
    /// The buffers of a training step: allocated for the first batch, reallocated for a larger one.
    trainer: Option<Trainer<F>>,
    /// The epoch's running sums until `trainer` is allocated.
    scores: Scores<F>,
    exhausted: bool,
}

impl<'a, F: Float, I: Iterator<Item: Batch<F>>> Stream<'a, F, I> {
    pub(in crate::nn::model) fn new(
        model: &Model<F>,
        batches: I,
        steps_per_epoch: Option<usize>,
        class_weight: Option<&'a [(usize, f64)]>,
    ) -> Result<Self> {
        let scores = Scores::new(model)?;
        Ok(Self { batches, steps_per_epoch, class_weight, trainer: None, scores, exhausted: false })
    }

    fn next(&mut self) -> Option<I::Item> {
        let batch = self.batches.next();
        self.exhausted = batch.is_none();
        batch
    }

    fn train_batch(
        &mut self,
        model: &mut Model<F>,
        x: Inputs<'_, F>,
        y: Targets<'_, F>,
        number: usize,
    ) -> Result<StepOutcome> {
        let names = ["x", "y", "sample_weight"].map(|name| format!("batch {}, {name}", number + 1));
        let names = [names[0].as_str(), names[1].as_str(), names[2].as_str()];
        let mut samples = model.samples(x, y, SampleWeights::none(), names)?;
        let n = samples.len();
        if let Some(classes) = self.class_weight {
            model.weigh_by_class(&mut samples, n, None, classes)?;
        }
        model.layout.check_batch_size("fit_batches", n, n)?;
        if self.trainer.as_ref().is_none_or(|trainer| trainer.workspace.capacity() < n) {
            let mut larger = Trainer::new(model, n, &samples)?;
            std::mem::swap(&mut larger.scores, self.scores());
            self.trainer = Some(larger);
        }
        let Some(trainer) = &mut self.trainer else { return Ok(StepOutcome::EndOfEpoch) };
        let x = trainer.load(&samples, 0..n);
        Ok(trainer.step(model, x, n).into())
    }
}

impl<F: Float, I: Iterator<Item: Batch<F>>> BatchSource<F> for Stream<'_, F, I> {
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
            None => "one pass over an iterator".into(),
        }
    }

    fn scores(&mut self) -> &mut Scores<F> {
        match &mut self.trainer {
            Some(trainer) => &mut trainer.scores,
            None => &mut self.scores,
        }
    }

    fn begin_epoch(&mut self, _: &Model<F>, _: usize) {}

    fn step(&mut self, model: &mut Model<F>, batch: usize) -> Result<StepOutcome> {
        if self.steps_per_epoch.is_some_and(|steps| batch >= steps) {
            return Ok(StepOutcome::EndOfEpoch);
        }
        let Some(next) = self.next() else { return Ok(StepOutcome::EndOfEpoch) };
        next.view(|x, y| self.train_batch(model, x, y, batch))
    }

    fn skip(&mut self, taken: u64) -> Result<()> {
        for _ in 0..taken {
            let Some(batch) = self.next() else {
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
