//! Validation at the end of an epoch, and evaluation of the batches of an iterator.

use super::batch_source::{Batch, BatchFactory, BatchParts, EachBatch, RepeatableBatches};
use super::evaluate::Scores;
use super::inputs::LabeledSamples;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::fit_options::PlainOptions;
use crate::nn::history::{Evaluation, Logs};
use crate::nn::model::Model;
use crate::nn::workspace::Workspace;
use ndarray::{Array2, ArrayBase, Data, Dimension};
use std::cell::Cell;

/// The data of a validation.
pub(super) enum ValidationData<'a, F> {
    Samples(LabeledSamples<'a, F>),
    Batches(BatchFactory<'a, F>),
}

/// Validation data with the buffers and sums to evaluate them.
pub(super) struct Validation<'d, 'a, F> {
    data: &'d ValidationData<'a, F>,
    /// Allocated at once for samples; for batches with the first of them.
    workspace: Option<Workspace<F>>,
    scores: Scores<F>,
    /// The number of batches to evaluate.
    steps: Option<usize>,
}

/// A validation that a training loop runs.
pub(super) trait Validate<F> {
    /// Evaluates the model.
    fn evaluate(&mut self, model: &Model<F>) -> Result<&mut Scores<F>>;
}

impl<'d, 'a, F: Float> Validation<'d, 'a, F> {
    /// `batch_size` is that of training, 0 if unknown: validation uses the same, as Keras does, since a loss that sums or
    /// couples the samples of a batch depends on it.
    pub(super) fn new(
        model: &Model<F>,
        data: &'d ValidationData<'a, F>,
        options: &PlainOptions,
        batch_size: usize,
    ) -> Result<Self> {
        let batch_size = match (options.validation_batch_size, batch_size) {
            (Some(batch_size), _) => batch_size,
            (None, 0) => 32,
            (None, batch_size) => batch_size,
        };
        let workspace = match data {
            ValidationData::Samples(samples) => {
                let batch = model.layout.batch_size("validation data", samples.len(), batch_size)?;
                Some(Workspace::new(&model.layout, batch.min(samples.len()))?)
            }
            ValidationData::Batches(_) => None,
        };
        Ok(Self { data, workspace, scores: Scores::new(model)?, steps: options.validation_steps })
    }
}

impl<F: Float> Validate<F> for Validation<'_, '_, F> {
    fn evaluate(&mut self, model: &Model<F>) -> Result<&mut Scores<F>> {
        self.scores.reset();
        match (self.data, &mut self.workspace) {
            (ValidationData::Samples(samples), Some(workspace)) => {
                model.score_samples(samples, workspace, &mut self.scores, self.steps)?;
            }
            (ValidationData::Batches(batches), workspace) => {
                model.score_each("validation batch", &**batches, workspace, &mut self.scores, self.steps)?;
            }
            _ => {}
        }
        Ok(&mut self.scores)
    }
}

impl<F: Float> Model<F> {
    /// Adds the batches of one pass to `scores`, at most `steps` of them.
    fn score_each(
        &self,
        name: &str,
        batches: &(dyn RepeatableBatches<F> + '_),
        workspace: &mut Option<Workspace<F>>,
        scores: &mut Scores<F>,
        steps: Option<usize>,
    ) -> Result<()> {
        let mut done = 0;
        batches.for_each(&mut |parts| {
            self.score_batch(&format!("{name} {}", done + 1), parts, workspace, scores)?;
            done += 1;
            Ok(steps.is_none_or(|steps| done < steps))
        })?;
        if done == 0 {
            return Err(Error::Empty { what: format!("{name}es"), shape: "()".into(), needed: "batch" });
        }
        Ok(())
    }

    fn score_batch(
        &self,
        name: &str,
        (x, y, weights): BatchParts<'_, '_, F>,
        workspace: &mut Option<Workspace<F>>,
        scores: &mut Scores<F>,
    ) -> Result<()> {
        let names = ["x", "y", "sample_weight"].map(|part| format!("{name}, {part}"));
        let samples = self.samples(x, y, weights.into(), [&names[0], &names[1], &names[2]])?;
        self.layout.check_batch_size(name, samples.len(), samples.len())?;
        if workspace.as_ref().is_none_or(|workspace| workspace.capacity() < samples.len()) {
            *workspace = Some(Workspace::new(&self.layout, samples.len())?);
        }
        match workspace {
            Some(workspace) => self.score_samples(&samples, workspace, scores, None),
            None => Ok(()),
        }
    }

    /// Computes the loss and the metrics over the batches of an iterator, for data that do not fit into memory. Each batch is
    /// dropped before the next one is pulled.
    ///
    /// # Shapes
    /// Each batch is (samples, targets) or (samples, targets, weights), as in [`evaluate`](Self::evaluate), or a `Result` of
    /// these.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), an iterator without a batch, and the error of a batch.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model = Sequential::new(1).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError::default())?;
    /// let (x, y) = (array![[0.0], [1.0], [2.0]], array![1.0, 2.0, 3.0]);
    /// let halves = [(x.slice(axonal::ndarray::s![..2, ..]), array![1.0, 2.0]), (x.slice(axonal::ndarray::s![2.., ..]), array![3.0])];
    /// let loss = model.evaluate_batches(halves)?.loss();
    /// assert!((loss - model.evaluate(&x, &y)?.loss()).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    pub fn evaluate_batches<B: Batch<F>>(&self, batches: impl IntoIterator<Item = B>) -> Result<Evaluation> {
        let once = Cell::new(Some(batches));
        let batches = EachBatch(|| once.take().into_iter().flatten());
        let mut scores = Scores::new(self)?;
        self.score_each("batch", &batches, &mut None, &mut scores, None)?;
        let mut logs = Logs::with_keys(self.score_names());
        scores.write(&mut logs, 0);
        Ok(Evaluation(logs))
    }

    /// Predicts each batch of an iterator as it is pulled, for data that do not fit into memory. The iterator that comes back is
    /// lazy: each item is the predictions of one batch, (batch, outputs). After an error it continues with the next batch.
    ///
    /// # Shapes
    /// Each batch as in [`predict_with`](Self::predict_with), or a `Result` of one.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array2, array};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model = Sequential::new(1).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
    /// let batches = (0..3).map(|i| array![[f64::from(i)], [0.5]]);
    /// let predictions = model.predict_each(batches).collect::<Result<Vec<_>>>()?;
    /// assert_eq!((predictions.len(), predictions[2].dim()), (3, (2, 3)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn predict_each<B: SampleBatch<F>>(
        &self,
        batches: impl IntoIterator<Item = B>,
    ) -> impl Iterator<Item = Result<Array2<F>>> {
        batches.into_iter().map(|batch| batch.predict(self))
    }
}

/// An item of the iterator passed to [`predict_each`](Model::predict_each): an array of samples, or a `Result` of one.
pub trait SampleBatch<F> {
    /// The predictions of `model`.
    ///
    /// # Errors
    /// Those of [`Model::predict_with`], or of the batch itself.
    fn predict(self, model: &Model<F>) -> Result<Array2<F>>;
}

impl<F: Float, S: Data<Elem = F>, D: Dimension> SampleBatch<F> for ArrayBase<S, D> {
    fn predict(self, model: &Model<F>) -> Result<Array2<F>> {
        model.predict_with(&self, crate::nn::fit_options::PredictOptions::new())
    }
}

impl<F, B: SampleBatch<F>> SampleBatch<F> for Result<B> {
    fn predict(self, model: &Model<F>) -> Result<Array2<F>> {
        self?.predict(model)
    }
}
