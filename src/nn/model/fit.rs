//! Training entry points: `fit_with`, `fit_batches`, `train_on_batch`, `test_on_batch`.

use crate::class_weight::ClassWeight;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::Inputs;
use crate::float::precompiled::precompiled;
use crate::float::targets::Targets;
use crate::nn::callback::{Callback, StopToken};
use crate::nn::fit_options::Validation as Given;
use crate::nn::fit_options::{FitOptions, OutputWeights, PlainOptions};
use crate::nn::history::{Evaluation, History, Logs};
use crate::nn::model::Model;
use crate::nn::model::batch_source::{BatchFactory, BatchSource, EpochBatches, InMemory, StepSource, Stream};
use crate::nn::model::inputs::LabeledSamples;
use crate::nn::model::ranks::{Group, Ranks, agreed};
use crate::nn::model::snapshot::Snapshot;
use crate::nn::model::trainer::{StepOutcome, StepRows, Trainer};
use crate::nn::model::training_loop::TrainingLoop;
use crate::nn::model::validation::{Validate, Validation, ValidationData};
use crate::nn::sample_weights::SampleWeights;
use crate::nn::targets::{Prepared, TargetView};
use ndarray::{ArrayBase, Axis, Data, Dimension, Slice};

impl<F: Float> Model<F> {
    /// Trains with the options of [`with_fit_options`](Self::with_fit_options), by default one epoch with batches of 32, as the trait
    /// [`Fit`](crate::estimator::Fit) does; a second call continues training.
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with).
    pub fn fit<'x, 'y>(
        &mut self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<History> {
        fit_kept(self, x.into(), y.into())
    }

    /// Trains as Keras's `fit` does. A second call continues training: two calls of one epoch give the same bits as one call
    /// of two.
    ///
    /// # Shapes
    /// `x`: (samples, …) followed by the network's input shape; `y`: class labels (samples,), or values of the
    /// output's shape; both in any layout.
    ///
    /// # Errors
    /// Options out of range; data that do not fit the model (shapes, NaN, labels out of range, no sample);
    /// [`Error::Diverged`] if the loss or a gradient becomes non-finite, with the model restored to its last good epoch; the
    /// error of a callback.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array1, Array2};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = Array2::from_shape_fn((100, 2), |(i, j)| ((i * (j + 2)) % 10) as f32 / 10.0);
    /// let y: Array1<u8> = x.rows().into_iter().map(|row| u8::from(row[0] > row[1])).collect();
    /// let mut model = Sequential::new(2)
    ///     .add(Dense::new(1).activation(Activation::Sigmoid))
    ///     .compile(Sgd::new(1.0), BinaryCrossentropy::default())?
    ///     .metric(Accuracy::default());
    /// let options = FitOptions::new().epochs(40).batch_size(10).validation_split(0.2);
    /// let history = model.fit_with(&x, &y, options)?;
    /// assert!(history.loss()[39] < history.loss()[0]);
    /// assert!(history.get("val_accuracy").unwrap()[39] > 0.9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_with<'x, 'y>(
        &mut self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        fit_arrays(self, x.into(), y.into(), options)
    }

    fn fit_arrays(
        &mut self,
        x: Inputs<'_, F>,
        y: Targets<'_, F>,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        let ranks = Group::ranks(options.group.as_ref(), options.stop_token.as_ref());
        let ranks = ranks.as_deref();
        let built = agreed(ranks, self.build_for(&x))?;
        let fitted = self.fit_built(x, y, options, ranks);
        if built { self.after_building(fitted) } else { fitted }
    }

    /// Trains a model whose input shape is known.
    fn fit_built(
        &mut self,
        x: Inputs<'_, F>,
        y: Targets<'_, F>,
        options: FitOptions<'_, F>,
        ranks: Option<&(dyn Ranks<F> + '_)>,
    ) -> Result<History> {
        let prepared = self.prepare_fit(x, y, options);
        let PreparedFit { all, n, validation, split_weights, plain, mut callbacks, stop_token } =
            agreed(ranks, prepared)?;
        let split = split_weights.map(|weights| ValidationData::Samples(split_off(&all, n, weights)));
        let validation = validation.or(split);
        let with_rows = match ranks {
            Some(ranks) => {
                ranks.require_same_run(self, &plain, (callbacks.len(), None, validation.is_some()))?;
                Some((ranks, ranks.rows(n, plain.batch_size)?))
            }
            None => None,
        };
        let training = InMemory::new(self, &all, n, &plain, with_rows).and_then(|source| {
            let validation = self.validator(validation.as_ref(), &plain, source.batch_size())?;
            TrainingLoop::new(self, Box::new(source), validation, &plain, stop_token, ranks)
        });
        agreed(ranks, training)?.run(self, &mut callbacks)
    }

    /// Checks the options and the data of a run.
    fn prepare_fit<'a>(
        &self,
        x: Inputs<'a, F>,
        y: Targets<'_, F>,
        options: FitOptions<'a, F>,
    ) -> Result<PreparedFit<'a, F>> {
        let (validation, options) = options.split_validation()?;
        let FitOptions { plain, sample_weight, callbacks, stop_token, steps_per_epoch, group, .. } = options;
        plain.validate()?;
        if steps_per_epoch.is_some() {
            let hint = "use fit_batches; an epoch over arrays is all of their rows";
            return Err(Error::Misplaced { context: "fit_with", option: "steps_per_epoch", hint });
        }
        if group.is_some_and(|group| group.collective.size() > 1) {
            check_class_weights(&plain)?;
        }
        let mut all = self.samples(x, y, sample_weight, ["x", "y", "sample_weight"])?;
        let n =
            if validation.is_some() { all.len() } else { training_rows(all.len(), plain.validation_split)? };
        let outputs = 0..self.outputs.len();
        let validation_samples_weights: Vec<_> =
            outputs.clone().map(|output| all.weights_of(output, n, all.len()).map(<[F]>::to_vec)).collect();
        if let Some(classes) = &plain.class_weight {
            self.weigh_by_class(&mut all, n, None, classes)?;
        }
        for (output, classes) in &plain.class_weight_of {
            self.weigh_by_class(&mut all, n, Some(output), classes)?;
        }
        for (output, validation) in outputs.zip(&validation_samples_weights) {
            check_weights(&plain, all.weights_of(output, 0, n), validation.as_deref())?;
        }
        let validation = validation.map(|given| self.validation_data(given)).transpose()?;
        let split_weights = (n < all.len()).then_some(validation_samples_weights);
        self.layout.check_batch_size("fit", n, plain.batch_size)?;
        Ok(PreparedFit { all, n, validation, split_weights, plain, callbacks, stop_token })
    }

    /// The validation of a run, with its buffers.
    fn validator<'d, 'a: 'd>(
        &self,
        data: Option<&'d ValidationData<'a, F>>,
        options: &PlainOptions,
        batch_size: usize,
    ) -> Result<Option<Box<dyn Validate<F> + 'd>>> {
        let Some(data) = data else { return Ok(None) };
        Ok(Some(Box::new(Validation::new(self, data, options, batch_size)?)))
    }

    /// Checks validation data.
    fn validation_data<'a>(&self, given: GivenValidation<'a, F>) -> Result<ValidationData<'a, F>> {
        let names = ["validation x", "validation y", "validation sample_weight"];
        Ok(match given {
            GivenValidation::Samples(given, weights) => {
                let Given { x, y } = *given;
                ValidationData::Samples(self.samples(x, y, weights, names)?)
            }
            GivenValidation::Batches(batches) => ValidationData::Batches(batches),
        })
    }

    /// Trains on the batches of an iterator, for data that do not fit into memory: each batch is dropped before the next one
    /// is pulled.
    ///
    /// [`each_epoch`](crate::models::each_epoch) makes a source that begins anew with each epoch. Of a plain iterator, an epoch is the next [`steps_per_epoch`](FitOptions::steps_per_epoch) batches, so the iterator yields the batches of all
    /// epochs in sequence. If it ends early, training ends with the batches seen so far, and
    /// [`History::stopped`] gives the reason. Without `steps_per_epoch`, one pass over the iterator is the only epoch.
    /// The iterator determines order and sizes of the batches: `batch_size` and `shuffle` are ignored. Items may be
    /// `Result`s; an error ends training and leaves the model as it was after the previous batch.
    ///
    /// # Shapes
    /// Each batch as in [`fit_with`](Self::fit_with).
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with); an iterator without a batch; several epochs without `steps_per_epoch`;
    /// `validation_split` and `sample_weight`, which need all rows together.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array1, Array2};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// // Any source of batches: files, a database, a generator.
    /// let batches = (0..).map(|batch| {
    ///     let x = Array2::from_shape_fn((16, 2), |(i, j)| ((batch * 16 + i) * (j + 3) % 10) as f32 / 10.0);
    ///     let y: Array1<f32> = x.rows().into_iter().map(|row| row[0] - row[1]).collect();
    ///     (x, y)
    /// });
    /// let mut model = Sequential::new(2).add(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError::default())?;
    /// let history = model.fit_batches(batches, FitOptions::new().epochs(20).steps_per_epoch(10))?;
    /// assert!(history.loss()[19] < 1e-3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_batches<B: BatchSource<F>>(
        &mut self,
        batches: B,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        let ranks = Group::ranks(options.group.as_ref(), options.stop_token.as_ref());
        let ranks = ranks.as_deref();
        let prepared = self.prepare_batches::<B::Epochs>(options);
        let PreparedBatches { validation, plain, callbacks, stop_token, steps_per_epoch } =
            agreed(ranks, prepared)?;
        if let Some(ranks) = ranks {
            let others = (callbacks.len(), steps_per_epoch, validation.is_some());
            ranks.require_same_run(self, &plain, others)?;
        }
        let classes = plain.class_weight.clone();
        let source = Stream::new(self, batches.into_epochs(), steps_per_epoch, classes, ranks);
        let source = agreed(ranks, source)?;
        let source = Box::new(source);
        run_batches(self, BatchesRun { source, validation, options: plain, stop_token, callbacks, ranks })
    }

    /// Checks the options of a run on the batches of an iterator.
    fn prepare_batches<'a, E: EpochBatches<F>>(
        &self,
        options: FitOptions<'a, F>,
    ) -> Result<PreparedBatches<'a, F>> {
        self.check_built("fit_batches; or set the input shape by build")?;
        let (validation, options) = options.split_validation()?;
        let FitOptions { plain, sample_weight, callbacks, stop_token, steps_per_epoch, .. } = options;
        plain.validate()?;
        let misplaced = |option, hint| Err(Error::Misplaced { context: "fit_batches", option, hint });
        if plain.validation_split != 0.0 {
            return misplaced("validation_split", "an iterator's rows cannot be split; use validation_data");
        }
        if !sample_weight.is_empty() {
            return misplaced("sample_weight", "let the iterator yield (samples, targets, weights)");
        }
        if !plain.class_weight_of.is_empty() {
            return misplaced("class_weight_of", "use class_weight, for a model with one output");
        }
        if plain.class_weight == Some(ClassWeight::Balanced) {
            let hint = "it needs the labels of all rows; pass the weights of compute_class_weight";
            return misplaced("class_weight balanced", hint);
        }
        if steps_per_epoch == Some(0) {
            return Err(Error::invalid_parameter("fit_batches", "steps_per_epoch", 0, "at least 1"));
        }
        if !E::REPEATS && steps_per_epoch.is_none() && plain.epochs > plain.initial_epoch + 1 {
            let expected = "1, or steps_per_epoch to divide the iterator into epochs, or each_epoch";
            return Err(Error::invalid_parameter("fit_batches", "epochs", plain.epochs, expected));
        }
        let validation = validation.map(|given| self.validation_data(given)).transpose()?;
        Ok(PreparedBatches { validation, plain, callbacks, stop_token, steps_per_epoch })
    }

    /// Trains one step on one batch. Returns the loss and the metrics from before the update.
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with); if the step diverges, the model keeps its previous weights.
    pub fn train_on_batch<'x, 'y>(
        &mut self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<Evaluation> {
        train_one_batch(self, x.into(), y.into(), OutputWeights::none())
    }

    /// Trains one step on one batch as [`train_on_batch`](Self::train_on_batch) does, with a weight for each sample or for each
    /// step of each sample.
    ///
    /// # Errors
    /// As [`train_on_batch`](Self::train_on_batch), and weights of another shape, negative, not finite, or all zero.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
    /// let (x, y) = (array![[0.0], [1.0]], array![1.0, 3.0]);
    /// let loss = model.train_on_batch_weighted(&x, &y, &array![1.0, 0.0])?.loss();
    /// assert_eq!(loss, 0.5, "the mean of 1 and 0");
    /// # Ok(())
    /// # }
    /// ```
    pub fn train_on_batch_weighted<'x, 'y, W: Data<Elem = F>, E: Dimension>(
        &mut self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
        sample_weight: &ArrayBase<W, E>,
    ) -> Result<Evaluation> {
        train_one_batch(self, x.into(), y.into(), Some(SampleWeights::of(sample_weight)).into())
    }

    fn train_one_batch(
        &mut self,
        x: Inputs<'_, F>,
        y: Targets<'_, F>,
        weights: OutputWeights<F>,
    ) -> Result<Evaluation> {
        if self.build_for(&x)? {
            let trained = self.train_one_batch(x, y, weights);
            return self.after_building(trained);
        }
        let samples = self.samples(x, y, weights, ["x", "y", "sample_weight"])?;
        self.layout.check_batch_size("train_on_batch", samples.len(), samples.len())?;
        let n = samples.len();
        let mut trainer = Trainer::new(self, n, &samples, None)?;
        let before = Snapshot::of(self, None);
        let batch = trainer.load(&samples, 0..n);
        if let StepOutcome::Diverged(divergence) = trainer.step(self, StepRows::alone(batch, n))? {
            before.restore(self);
            return Err(divergence.at(0, 0, self.learning_rate(), None));
        }
        let mut logs = Logs::with_keys(self.score_names());
        trainer.scores.write(&mut logs, 0);
        Ok(Evaluation(logs))
    }

    /// Evaluates one batch, as [`evaluate`](Self::evaluate) does.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn test_on_batch<'x, 'y>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<Evaluation> {
        let x = x.into();
        let n = x.len().max(1);
        self.evaluate_with(x, y, crate::nn::fit_options::EvaluateOptions::new().batch_size(n))
    }
}

precompiled! {
    pub(super) fn fit_kept<'a, 'b, F>(model: &'a mut Model<F>, x: Inputs<'b, F>, y: Targets<'b, F>) -> Result<History> {
        let options = model.kept_options()?;
        model.fit_arrays(x, y, options)
    }

    fn fit_arrays<'a, 'b, F>(
        model: &'a mut Model<F>,
        x: Inputs<'b, F>,
        y: Targets<'b, F>,
        options: FitOptions<'b, F>,
    ) -> Result<History> {
        model.fit_arrays(x, y, options)
    }

    fn run_batches<'a, 'b, F>(model: &'a mut Model<F>, run: BatchesRun<'b, F>) -> Result<History> {
        let BatchesRun { source, validation, options, stop_token, mut callbacks, ranks } = run;
        let training = model
            .validator(validation.as_ref(), &options, source.batch_size())
            .and_then(|validation| TrainingLoop::new(model, source, validation, &options, stop_token, ranks));
        agreed(ranks, training)?.run(model, &mut callbacks)
    }

    fn train_one_batch<'a, 'b, F>(
        model: &'a mut Model<F>,
        x: Inputs<'b, F>,
        y: Targets<'b, F>,
        weights: OutputWeights<F>,
    ) -> Result<Evaluation> {
        model.train_one_batch(x, y, weights)
    }
}

/// The arguments of a training run on the batches of an iterator.
struct BatchesRun<'a, F> {
    source: Box<dyn StepSource<F> + 'a>,
    validation: Option<ValidationData<'a, F>>,
    options: PlainOptions,
    stop_token: Option<StopToken>,
    callbacks: Vec<Box<dyn Callback<F> + 'a>>,
    ranks: Option<&'a dyn Ranks<F>>,
}

/// The checked options of a run on the batches of an iterator.
struct PreparedBatches<'a, F> {
    validation: Option<ValidationData<'a, F>>,
    plain: PlainOptions,
    callbacks: Vec<Box<dyn Callback<F> + 'a>>,
    stop_token: Option<StopToken>,
    steps_per_epoch: Option<usize>,
}

/// The checked data and options of a training run on arrays.
struct PreparedFit<'a, F> {
    all: LabeledSamples<'a, F>,
    /// The number of rows to train on.
    n: usize,
    validation: Option<ValidationData<'a, F>>,
    /// The sample weights of the rows of `validation_split`, by output.
    split_weights: Option<Vec<Option<Vec<F>>>>,
    plain: PlainOptions,
    callbacks: Vec<Box<dyn Callback<F> + 'a>>,
    stop_token: Option<StopToken>,
}

/// Errors if class weights depend on the labels of all ranks.
fn check_class_weights(plain: &PlainOptions) -> Result<()> {
    let mut weights =
        plain.class_weight.iter().chain(plain.class_weight_of.iter().map(|(_, weights)| weights));
    if weights.any(|weights| *weights == ClassWeight::Balanced) {
        let hint = "it needs the labels of all ranks; pass the weights of compute_class_weight";
        return Err(Error::Misplaced { context: "fit, distributed", option: "class_weight balanced", hint });
    }
    Ok(())
}

/// The validation data of the options.
enum GivenValidation<'a, F> {
    Samples(Box<Given<'a, F>>, OutputWeights<F>),
    Batches(BatchFactory<'a, F>),
}

impl<'a, F> FitOptions<'a, F> {
    /// Takes the validation data out of the options; errors if they contradict each other.
    fn split_validation(mut self) -> Result<(Option<GivenValidation<'a, F>>, Self)> {
        let misplaced = |option, hint| Err(Error::Misplaced { context: "fit", option, hint });
        let weights = std::mem::replace(&mut self.validation_weight, OutputWeights::none());
        let given = match (self.validation.take(), self.validation_batches.take(), weights) {
            (Some(data), None, weights) => Some(GivenValidation::Samples(Box::new(data), weights)),
            (None, Some(batches), weights) if weights.is_empty() => Some(GivenValidation::Batches(batches)),
            (None, None, weights) if weights.is_empty() => None,
            (Some(_), Some(_), _) => {
                return misplaced("validation_batches beside validation_data", "pass one of them");
            }
            (None, _, _) => {
                let hint = "pass validation_data; batches bring their weights as a third part";
                return misplaced("validation_sample_weight without validation_data", hint);
            }
        };
        Ok((given, self))
    }
}

/// Number of training rows of `n`, by Keras's rule: floor(n (1 - split)).
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "0 <= rows <= n"
)]
fn training_rows(n: usize, split: f64) -> Result<usize> {
    if split == 0.0 {
        return Ok(n);
    }
    let rows = (n as f64 * (1.0 - split)).floor() as usize;
    if rows == 0 || rows >= n {
        let expected = format!(
            "a fraction that leaves training and validation rows; of {n} rows it leaves {rows} to train on"
        );
        return Err(Error::invalid_parameter("fit", "validation_split", split, expected));
    }
    Ok(rows)
}

/// Errors if all weights of the training rows, or all of the validation rows, are zero.
fn check_weights<F: Float>(
    plain: &PlainOptions,
    trained: Option<&[F]>,
    validation_samples: Option<&[F]>,
) -> Result<()> {
    let what = if plain.class_weight.is_some() { "class_weight" } else { "sample_weight" };
    let groups =
        [(what, "to train on", trained), ("sample_weight", "of validation_split", validation_samples)];
    for (what, rows, weights) in groups {
        let Some(weights) = weights else { continue };
        if !weights.is_empty() && weights.iter().all(|weight| *weight == F::zero()) {
            let problem = format!(
                "the weights of all {} rows {rows} are zero; give one a weight above 0",
                weights.len()
            );
            return Err(Error::Weight { what: what.into(), problem });
        }
    }
    Ok(())
}

/// The validation rows, from `first` on, with their sample weights: class weights apply to training rows only.
fn split_off<'a, F: Float>(
    all: &'a LabeledSamples<'_, F>,
    first: usize,
    weights: Vec<Option<Vec<F>>>,
) -> LabeledSamples<'a, F> {
    let targets = all.targets.iter().map(|targets| match targets.rows(first, all.len()) {
        TargetView::Values(values) => {
            Prepared::Values { width: values.ncols(), values: values.iter().copied().collect() }
        }
        TargetView::Labels(labels) => {
            Prepared::Labels { width: labels.len() / (all.len() - first), labels: labels.to_vec() }
        }
    });
    let xs = all.xs.iter().map(|x| x.slice_axis(Axis(0), Slice::from(first..)).into()).collect();
    LabeledSamples { xs, targets: targets.collect(), weights }
}
