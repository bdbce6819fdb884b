//! Options of training, prediction and evaluation.

use crate::class_weight::ClassWeight;
use crate::distributed::Collective;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::Inputs;
use crate::float::targets::Targets;
use crate::nn::callback::{Callback, CallbackSettings, FromFactory, StopToken};
use crate::nn::model::{Batch, BatchFactory, EachBatch, Group, data_parallel};
use crate::nn::sample_weights::SampleWeights;
use ndarray::{ArrayBase, Data, Dimension};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Console output of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verbose {
    /// Nothing.
    #[default]
    Silent,
    /// One line per epoch to standard output, as Keras prints it with `verbose=2`, under the line `Epoch 1/10`.
    Epochs,
}

/// Action when the loss, a gradient or a weight becomes non-finite.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnDivergence {
    /// Restores the last good epoch and returns [`Error::Diverged`].
    #[default]
    Stop,
    /// Restores the last good epoch and continues with a smaller learning rate.
    /// [`History::recoveries`](crate::models::History::recoveries) lists the recoveries.
    ///
    /// The epoch restarts without a second `on_epoch_begin`; a [`LearningRateScheduler`](crate::callbacks::LearningRateScheduler)
    /// that ignores the current rate undoes the reduction in the next epoch. Consumed batches of an iterator are not
    /// repeated.
    RestoreAndReduce {
        /// Factor of the learning rate, 0 < factor < 1. A schedule is scaled as a whole.
        factor: f64,
        /// Maximum number of recoveries in a run; the next divergence ends training.
        times: usize,
    },
}

/// Options of training: the arguments of Keras's `fit`, with its defaults.
///
/// # Parameters
/// | option | default |
/// |---|---|
/// | `epochs` | 1 |
/// | `batch_size` | 32 |
/// | `initial_epoch` | 0 |
/// | `shuffle` | true: a new order each epoch, from the model's seed |
/// | `validation_split` | 0: the last part of the rows, before shuffling |
/// | `validation_data` | none; takes precedence over `validation_split` |
/// | `validation_sample_weight` | none |
/// | `validation_batches` | none; in place of `validation_data` |
/// | `validation_freq` | 1: after every epoch |
/// | `validation_batch_size` | `batch_size` |
/// | `validation_steps` | all batches |
/// | `class_weight`, `sample_weight` | none |
/// | `verbose` | [`Verbose::Silent`] |
/// | `callback`, `callback_factory` | none; may be called several times |
/// | `stop_token` | none |
/// | `on_divergence` | [`OnDivergence::Stop`] |
/// | `steps_per_epoch` | all batches of the iterator |
/// | `distributed` | none: this process alone |
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// let options: FitOptions<'_, f32> = FitOptions::new().epochs(20).batch_size(64).validation_split(0.1);
/// # let _ = options;
/// ```
#[derive(Debug)]
pub struct FitOptions<'a, F> {
    pub(crate) plain: PlainOptions,
    pub(crate) validation: Option<Validation<'a, F>>,
    pub(crate) validation_batches: Option<BatchFactory<'a, F>>,
    pub(crate) validation_weight: OutputWeights<F>,
    pub(crate) sample_weight: OutputWeights<F>,
    pub(crate) callbacks: Vec<Box<dyn Callback<F> + 'a>>,
    pub(crate) stop_token: Option<StopToken>,
    pub(crate) steps_per_epoch: Option<usize>,
    pub(crate) group: Option<Group<'a, F>>,
}

/// The options that a model can keep for [`Fit::fit`](crate::estimator::Fit::fit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlainOptions {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) initial_epoch: usize,
    pub(crate) shuffle: bool,
    pub(crate) validation_split: f64,
    pub(crate) validation_freq: usize,
    pub(crate) class_weight: Option<ClassWeight>,
    /// The class weights of outputs, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) class_weight_of: Vec<(String, ClassWeight)>,
    pub(crate) verbose: Verbose,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) on_divergence: OnDivergence,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) validation_batch_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) validation_steps: Option<usize>,
}

/// Whether the field is omitted, as in files of earlier versions.
fn is_default(on_divergence: &OnDivergence) -> bool {
    *on_divergence == OnDivergence::Stop
}

/// Validation data.
#[derive(Debug, Clone)]
pub(crate) struct Validation<'a, F> {
    pub(crate) x: Inputs<'a, F>,
    pub(crate) y: Targets<'a, F>,
}

/// The sample weights of the outputs of a model.
#[derive(Debug, Clone)]
pub(crate) struct OutputWeights<F> {
    /// Those of all outputs that have none of their own.
    pub(crate) common: Option<SampleWeights<F>>,
    /// Those of single outputs, by name.
    pub(crate) by_output: Vec<(String, SampleWeights<F>)>,
}

impl<F> OutputWeights<F> {
    pub(crate) fn none() -> Self {
        Self { common: None, by_output: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.common.is_none() && self.by_output.is_empty()
    }
}

impl<F> From<Option<SampleWeights<F>>> for OutputWeights<F> {
    fn from(common: Option<SampleWeights<F>>) -> Self {
        Self { common, by_output: Vec::new() }
    }
}

impl Default for PlainOptions {
    fn default() -> Self {
        Self {
            epochs: 1,
            batch_size: 32,
            initial_epoch: 0,
            shuffle: true,
            validation_split: 0.0,
            validation_freq: 1,
            class_weight: None,
            class_weight_of: Vec::new(),
            verbose: Verbose::Silent,
            on_divergence: OnDivergence::Stop,
            validation_batch_size: None,
            validation_steps: None,
        }
    }
}

impl PlainOptions {
    pub(crate) fn validate(&self) -> Result<()> {
        if self.batch_size == 0 {
            return Err(Error::invalid_parameter("fit", "batch_size", 0, "at least 1"));
        }
        let counts = [
            ("validation_freq", Some(self.validation_freq)),
            ("validation_batch_size", self.validation_batch_size),
            ("validation_steps", self.validation_steps),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return Err(Error::invalid_parameter("fit", name, 0, "at least 1"));
        }
        if !(0.0..1.0).contains(&self.validation_split) {
            let expected = "0 <= validation_split < 1";
            return Err(Error::invalid_parameter("fit", "validation_split", self.validation_split, expected));
        }
        if let OnDivergence::RestoreAndReduce { factor, .. } = self.on_divergence
            && !(factor > 0.0 && factor < 1.0)
        {
            return Err(Error::invalid_parameter("fit, on_divergence", "factor", factor, "0 < factor < 1"));
        }
        self.class_weight
            .iter()
            .chain(self.class_weight_of.iter().map(|(_, weights)| weights))
            .try_for_each(ClassWeight::validate)
    }
}

impl<F> Default for FitOptions<'_, F> {
    fn default() -> Self {
        Self {
            plain: PlainOptions::default(),
            validation: None,
            validation_batches: None,
            validation_weight: OutputWeights::none(),
            sample_weight: OutputWeights::none(),
            callbacks: Vec::new(),
            stop_token: None,
            steps_per_epoch: None,
            group: None,
        }
    }
}

/// Serializes the options that a model can keep. Options that belong to one run (data, callbacks, token, steps per epoch) are
/// an error if set.
impl<F> Serialize for FitOptions<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.unserializable() {
            Some(option) => {
                Err(S::Error::custom(format!("{option} belongs to one run and cannot be serialized")))
            }
            None => self.plain.serialize(serializer),
        }
    }
}

impl<'de, F> Deserialize<'de> for FitOptions<'_, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Self { plain: PlainOptions::deserialize(deserializer)?, ..Self::default() })
    }
}

impl<F> FitOptions<'_, F> {
    /// The first set option that cannot be serialized.
    fn unserializable(&self) -> Option<&'static str> {
        self.misplaced().or((!self.callbacks.is_empty()).then_some("callback"))
    }

    /// The first set option that belongs to one run, apart from callbacks.
    pub(crate) fn misplaced(&self) -> Option<&'static str> {
        if self.validation.is_some() {
            Some("validation_data")
        } else if self.validation_batches.is_some() {
            Some("validation_batches")
        } else if !self.validation_weight.is_empty() {
            Some("validation_sample_weight")
        } else if !self.sample_weight.is_empty() {
            Some("sample_weight")
        } else if self.stop_token.is_some() {
            Some("stop_token")
        } else if self.steps_per_epoch.is_some() {
            Some("steps_per_epoch")
        } else if self.group.is_some() {
            Some("distributed")
        } else {
            None
        }
    }
}

impl<'a, F: Float> FitOptions<'a, F> {
    /// Keras's defaults: one epoch, batches of 32, shuffled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the final epoch (exclusive): the number of epochs if `initial_epoch` is 0.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.plain.epochs = epochs;
        self
    }

    /// Sets the number of samples per step; the last batch of an epoch may be smaller.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.plain.batch_size = batch_size;
        self
    }

    /// Sets the index of the first epoch, for a run that continues another.
    #[must_use]
    pub fn initial_epoch(mut self, epoch: usize) -> Self {
        self.plain.initial_epoch = epoch;
        self
    }

    /// Sets whether to shuffle the samples before each epoch.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.plain.shuffle = shuffle;
        self
    }

    /// Sets the fraction of the rows, at the end and before shuffling, to use for validation instead of training.
    #[must_use]
    pub fn validation_split(mut self, fraction: f64) -> Self {
        self.plain.validation_split = fraction;
        self
    }

    /// Sets the validation data.
    #[must_use]
    pub fn validation_data(mut self, x: impl Into<Inputs<'a, F>>, y: impl Into<Targets<'a, F>>) -> Self {
        self.validation = Some(Validation { x: x.into(), y: y.into() });
        self
    }

    /// Sets a weight for each sample of the [`validation_data`](Self::validation_data), or for each step of each sample, as
    /// [`sample_weight`](Self::sample_weight) does for the training data.
    #[must_use]
    pub fn validation_sample_weight<S: Data<Elem = F>, D: Dimension>(
        mut self,
        weights: &ArrayBase<S, D>,
    ) -> Self {
        self.validation_weight.common = Some(SampleWeights::of(weights));
        self
    }

    /// Sets a source of validation batches, for validation data that do not fit into memory. `batches` is called at each
    /// validation and returns the batches of one pass: (samples, targets), or (samples, targets, weights), or a `Result` of
    /// these.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (x, y) = (array![[0.0], [1.0]], array![1.0, 3.0]);
    /// let validation = || (0..4).map(|i| (array![[i as f64]], array![2.0 * i as f64 + 1.0]));
    /// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
    /// let history = model.fit_with(&x, &y, FitOptions::new().epochs(2).validation_batches(validation))?;
    /// assert_eq!(history.get("val_loss").unwrap().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn validation_batches<I: IntoIterator<Item: Batch<F>>>(
        mut self,
        batches: impl Fn() -> I + 'a,
    ) -> Self {
        self.validation_batches = Some(Box::new(EachBatch(batches)));
        self
    }

    /// Sets the batch size of validation; by default that of training, on which losses that sum over a batch depend.
    #[must_use]
    pub fn validation_batch_size(mut self, batch_size: usize) -> Self {
        self.plain.validation_batch_size = Some(batch_size);
        self
    }

    /// Validates on the first `steps` batches only.
    #[must_use]
    pub fn validation_steps(mut self, steps: usize) -> Self {
        self.plain.validation_steps = Some(steps);
        self
    }

    /// Validates only every `epochs` epochs.
    #[must_use]
    pub fn validation_freq(mut self, epochs: usize) -> Self {
        self.plain.validation_freq = epochs;
        self
    }

    /// Sets class weights for training: pairs of a class and its weight, where unlisted classes have weight 1, or
    /// [`ClassWeight::Balanced`], which follows from the training targets. Validation data, including the rows of
    /// [`validation_split`](Self::validation_split), are not weighted by class.
    #[must_use]
    pub fn class_weight(mut self, weights: impl Into<ClassWeight>) -> Self {
        self.plain.class_weight = Some(weights.into());
        self
    }

    /// As [`class_weight`](Self::class_weight), for one output of a model with several.
    #[must_use]
    pub fn class_weight_of(mut self, output: impl Into<String>, weights: impl Into<ClassWeight>) -> Self {
        self.plain.class_weight_of.push((output.into(), weights.into()));
        self
    }

    /// Sets a weight for each sample, shape (n), or for each step of each sample, shape (n, steps) for an output of shape
    /// (steps, classes). It also applies to the validation rows of [`validation_split`](Self::validation_split). Training rows
    /// and validation rows must each have a weight above 0.
    #[must_use]
    pub fn sample_weight<S: Data<Elem = F>, D: Dimension>(mut self, weights: &ArrayBase<S, D>) -> Self {
        self.sample_weight.common = Some(SampleWeights::of(weights));
        self
    }

    /// As [`sample_weight`](Self::sample_weight), for one output of a model with several.
    #[must_use]
    pub fn sample_weight_of<S: Data<Elem = F>, D: Dimension>(
        mut self,
        output: impl Into<String>,
        weights: &ArrayBase<S, D>,
    ) -> Self {
        self.sample_weight.by_output.push((output.into(), SampleWeights::of(weights)));
        self
    }

    /// Sets the console output.
    #[must_use]
    pub fn verbose(mut self, verbose: Verbose) -> Self {
        self.plain.verbose = verbose;
        self
    }

    /// Adds a callback. Pass `&mut callback` to read it after the run.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<F> + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Adds a callback that `make` creates for each fit, so that a model can keep it
    /// ([`Model::with_fit_options`](crate::models::Model::with_fit_options)): closures, or a type without
    /// [`Callback::settings`].
    ///
    /// # Examples
    /// ```
    /// use axonal::callbacks::LearningRateScheduler;
    /// use axonal::prelude::*;
    ///
    /// let options = FitOptions::<f32>::new()
    ///     .epochs(20)
    ///     .callback_factory(|| LearningRateScheduler::new(|epoch, rate| if epoch < 10 { rate } else { 0.9 * rate }));
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn callback_factory<C: Callback<F> + 'static>(
        self,
        make: impl Fn() -> C + Send + Sync + 'static,
    ) -> Self {
        self.callback(FromFactory::new(CallbackSettings::factory(make)))
    }

    /// Sets a token by which another thread can stop the run after any batch.
    #[must_use]
    pub fn stop_token(mut self, token: &StopToken) -> Self {
        self.stop_token = Some(token.clone());
        self
    }

    /// Sets the action when the loss, a gradient or a weight becomes non-finite.
    #[must_use]
    pub fn on_divergence(mut self, action: OnDivergence) -> Self {
        self.plain.on_divergence = action;
        self
    }

    /// Trains with the other ranks of a group, each on its own rows: data-parallel training with synchronous updates.
    ///
    /// Every rank calls `fit_with` with a model of the same architecture, seed and weights, the same options and as many
    /// callbacks. The global batch is the batches of all ranks together: `batch_size` rows of each, fewer where a rank has fewer
    /// left. The gradient, the loss and the metrics are those of the global batch, so every rank ends with the same weights, to
    /// the bit, and the same history. Each rank shuffles its own rows; dropout is drawn by the row in the global batch.
    ///
    /// Without [`synchronized`](crate::layers::BatchNormalization::synchronized), batch normalization uses the statistics of
    /// the rank's own rows, and the moving statistics are averaged over the ranks by their rows. `validation_split` and
    /// `validation_data` are rows of each rank; their scores are combined. Callbacks run on every rank; those that write files
    /// or print run on rank 0 alone ([`Callback::first_rank_only`]). A [`stop_token`](Self::stop_token) of any rank stops all
    /// after the next batch.
    ///
    /// # Errors
    /// In `fit_with`, on every rank: an error of any rank; models, options or numbers of callbacks that differ; balanced class
    /// weights, which need the labels of all ranks.
    ///
    /// # Examples
    /// ```
    /// use axonal::distributed::{Collective, Threads};
    /// use axonal::ndarray::{Array1, Array2, s};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * (j + 2)) % 11) as f64 / 11.0);
    /// let y: Array1<f64> = x.rows().into_iter().map(|row| row.sum()).collect();
    /// let weights = Threads::run(2, |group| {
    ///     let own = s![20 * group.rank()..20 * (group.rank() + 1), ..];
    ///     let mut model = Sequential::new(3).add(Dense::new(1)).seed(1).compile(Sgd::new(0.1), MeanSquaredError::new())?;
    ///     let options = FitOptions::new().epochs(3).batch_size(5).distributed(group);
    ///     model.fit_with(&x.slice(own), &y.slice(s![20 * group.rank()..20 * (group.rank() + 1)]), options)?;
    ///     Ok(model.weights())
    /// })?;
    /// assert_eq!(weights[0], weights[1]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn distributed(mut self, group: &'a dyn Collective) -> Self {
        self.group = Some(Group { collective: group, make: data_parallel });
        self
    }

    /// Sets the number of batches per epoch of [`fit_batches`](crate::models::Model::fit_batches); by default one pass over the
    /// iterator is one epoch.
    #[must_use]
    pub fn steps_per_epoch(mut self, steps: usize) -> Self {
        self.steps_per_epoch = Some(steps);
        self
    }
}

/// Options of prediction: the arguments of Keras's `predict`.
///
/// # Examples
/// ```
/// use axonal::prelude::PredictOptions;
/// let options = PredictOptions::new().batch_size(128);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PredictOptions {
    pub(crate) batch_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) training: Option<u64>,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self { batch_size: 256, training: None }
    }
}

impl PredictOptions {
    /// The defaults: batches of 256, in inference mode.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the batch size, which trades memory for speed and does not change the predictions.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Predicts as in a step of the training (Keras's `training=True`): dropout and noise are on, batch normalization uses the
    /// statistics of the batch. The model does not change.
    ///
    /// The noise is a function of the model's seed, of `step` and of the row: other steps draw other noise, the same step the same,
    /// for any batch size. Averaging over steps is Monte Carlo dropout; the spread says how certain the network is.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new(2)
    ///     .add(Dense::new(16).activation(Activation::Relu))
    ///     .add(Dropout::new(0.5))
    ///     .add(Dense::new(1))
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// let x = array![[0.5, -1.0]];
    /// let sampled: Vec<f32> = (0..100)
    ///     .map(|step| Ok(model.predict_with(&x, PredictOptions::new().training(step))?[[0, 0]]))
    ///     .collect::<Result<_>>()?;
    /// let mean = sampled.iter().sum::<f32>() / 100.0;
    /// let variance = sampled.iter().map(|y| (y - mean).powi(2)).sum::<f32>() / 99.0;
    /// assert!(variance > 0.0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # References
    /// Gal and Ghahramani 2016, arXiv:1506.02142.
    #[must_use]
    pub fn training(mut self, step: u64) -> Self {
        self.training = Some(step);
        self
    }

    pub(crate) fn validate(self, owner: &str) -> Result<usize> {
        match self.batch_size {
            0 => Err(Error::invalid_parameter(owner, "batch_size", 0, "at least 1")),
            batch_size => Ok(batch_size),
        }
    }
}

/// Options of evaluation: the arguments of Keras's `evaluate`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::EvaluateOptions;
/// let options = EvaluateOptions::new().batch_size(128).sample_weight(&array![1.0, 0.5]);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, bound = "F: Float")]
pub struct EvaluateOptions<F> {
    pub(crate) batch_size: usize,
    pub(crate) sample_weight: Option<SampleWeights<F>>,
    /// The sample weights of outputs, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sample_weight_of: Vec<(String, SampleWeights<F>)>,
}

impl<F> Default for EvaluateOptions<F> {
    fn default() -> Self {
        Self { batch_size: 256, sample_weight: None, sample_weight_of: Vec::new() }
    }
}

impl<F: Float> EvaluateOptions<F> {
    /// The defaults: batches of 256, no sample weights.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the batch size.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Sets a weight for each sample, or for each step of each sample.
    #[must_use]
    pub fn sample_weight<S: Data<Elem = F>, D: Dimension>(mut self, weights: &ArrayBase<S, D>) -> Self {
        self.sample_weight = Some(SampleWeights::of(weights));
        self
    }

    /// Sets a weight for each sample for one output of a model with several.
    #[must_use]
    pub fn sample_weight_of<S: Data<Elem = F>, D: Dimension>(
        mut self,
        output: impl Into<String>,
        weights: &ArrayBase<S, D>,
    ) -> Self {
        self.sample_weight_of.push((output.into(), SampleWeights::of(weights)));
        self
    }
}
