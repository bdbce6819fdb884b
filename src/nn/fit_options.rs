//! How a network is trained, asked and evaluated.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Callback, StopToken};
use crate::nn::targets::Targets;
use ndarray::{ArrayBase, ArrayViewD, Data, Dimension};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a training run prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verbose {
    /// Nothing.
    #[default]
    Silent,
    /// One line an epoch, to standard output.
    Epochs,
}

/// What a training run does when the loss, a gradient or a weight is no longer a number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnDivergence {
    /// Ends with [`Error::Diverged`]; the model is back at its last good epoch.
    #[default]
    Stop,
    /// Goes back to the last good epoch and on from there with a smaller learning rate. What happened is in
    /// [`History::recoveries`](crate::nn::History::recoveries).
    ///
    /// The epoch begins again without a second `on_epoch_begin`; a [`LearningRateScheduler`](crate::nn::callback::LearningRateScheduler)
    /// that ignores the rate so far undoes the reduction in the next epoch. Batches of an iterator that are gone
    /// do not come again.
    RestoreAndReduce {
        /// What the learning rate is multiplied by: above 0 and below 1. A schedule is multiplied as a whole.
        factor: f64,
        /// How often in a run; the next divergence ends it.
        times: usize,
    },
}

/// How to train: the arguments of Keras's `fit`, with its defaults.
///
/// # Parameters
/// | option | default |
/// |---|---|
/// | `epochs` | 1 |
/// | `batch_size` | 32 |
/// | `initial_epoch` | 0 |
/// | `shuffle` | true: a new order each epoch, from the model's seed |
/// | `validation_split` | 0: the last part of the rows, before shuffling |
/// | `validation_data` | none; goes before `validation_split` |
/// | `validation_freq` | 1: after every epoch |
/// | `class_weight`, `sample_weight` | none |
/// | `verbose` | [`Verbose::Silent`] |
/// | `callback` | none; may be called several times |
/// | `stop_token` | none: nobody interrupts the run |
/// | `on_divergence` | [`OnDivergence::Stop`] |
/// | `steps_per_epoch` | of an iterator of batches: all that there are |
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
    pub(crate) sample_weight: Option<Vec<F>>,
    pub(crate) callbacks: Vec<Box<dyn Callback<F> + 'a>>,
    pub(crate) stop_token: Option<StopToken>,
    pub(crate) steps_per_epoch: Option<usize>,
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
    pub(crate) class_weight: Option<Vec<(usize, f64)>>,
    pub(crate) verbose: Verbose,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) on_divergence: OnDivergence,
}

/// Whether a field may be left out of a file, so that files of earlier versions and of this one are alike.
fn is_default(on_divergence: &OnDivergence) -> bool {
    *on_divergence == OnDivergence::Stop
}

/// Data that a run is judged by, but does not learn from.
#[derive(Debug, Clone)]
pub(crate) struct Validation<'a, F> {
    pub(crate) x: ArrayViewD<'a, F>,
    pub(crate) y: Targets<'a, F>,
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
            verbose: Verbose::Silent,
            on_divergence: OnDivergence::Stop,
        }
    }
}

impl PlainOptions {
    pub(crate) fn validate(&self) -> Result<()> {
        if self.batch_size == 0 {
            return Err(Error::invalid_parameter("fit", "batch_size", 0, "at least 1"));
        }
        if self.validation_freq == 0 {
            return Err(Error::invalid_parameter("fit", "validation_freq", 0, "at least 1"));
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
        for &(class, weight) in self.class_weight.iter().flatten() {
            if !(weight >= 0.0 && weight.is_finite()) {
                let problem =
                    format!("the weight {weight} of class {class} is not a finite number of at least 0");
                return Err(Error::Weight { what: "class_weight".into(), problem });
            }
        }
        Ok(())
    }
}

impl<F> Default for FitOptions<'_, F> {
    fn default() -> Self {
        Self {
            plain: PlainOptions::default(),
            validation: None,
            sample_weight: None,
            callbacks: Vec::new(),
            stop_token: None,
            steps_per_epoch: None,
        }
    }
}

/// The options that a model can keep. Data, callbacks, tokens and a number of steps belong to one run: to serialize
/// options that have any is an error.
impl<F> Serialize for FitOptions<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.misplaced() {
            Some(option) => {
                Err(S::Error::custom(format!("{option} belongs to one run and has no form as data")))
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
    /// The first option that is set and that belongs to one run.
    pub(crate) fn misplaced(&self) -> Option<&'static str> {
        if self.validation.is_some() {
            Some("validation_data")
        } else if self.sample_weight.is_some() {
            Some("sample_weight")
        } else if !self.callbacks.is_empty() {
            Some("callback")
        } else if self.stop_token.is_some() {
            Some("stop_token")
        } else if self.steps_per_epoch.is_some() {
            Some("steps_per_epoch")
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

    /// The epoch to stop before; so many are trained where `initial_epoch` is 0.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.plain.epochs = epochs;
        self
    }

    /// How many samples make one step; the last batch of an epoch may be smaller.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.plain.batch_size = batch_size;
        self
    }

    /// The number of the first epoch in callbacks and history, for a run that goes on from another.
    #[must_use]
    pub fn initial_epoch(mut self, epoch: usize) -> Self {
        self.plain.initial_epoch = epoch;
        self
    }

    /// Whether the samples come in a new order each epoch.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.plain.shuffle = shuffle;
        self
    }

    /// The part of the rows, from the end and before shuffling, to judge by and not to learn from.
    #[must_use]
    pub fn validation_split(mut self, part: f64) -> Self {
        self.plain.validation_split = part;
        self
    }

    /// Data to judge by after each epoch.
    #[must_use]
    pub fn validation_data<S: Data<Elem = F>, D: Dimension>(
        mut self,
        x: &'a ArrayBase<S, D>,
        y: impl Into<Targets<'a, F>>,
    ) -> Self {
        self.validation = Some(Validation { x: x.view().into_dyn(), y: y.into() });
        self
    }

    /// Validates after every so many epochs only.
    #[must_use]
    pub fn validation_freq(mut self, epochs: usize) -> Self {
        self.plain.validation_freq = epochs;
        self
    }

    /// Weights samples by their class while training; classes that are not named weigh 1. Validation data, also the rows
    /// that [`validation_split`](Self::validation_split) holds out, are not weighted by class.
    #[must_use]
    pub fn class_weight(mut self, weights: impl IntoIterator<Item = (usize, f64)>) -> Self {
        self.plain.class_weight = Some(weights.into_iter().collect());
        self
    }

    /// Weights samples one by one; rows that [`validation_split`](Self::validation_split) holds out keep their weights.
    /// On both sides of the split at least one weight must be above 0.
    #[must_use]
    pub fn sample_weight<S: Data<Elem = F>, D: Dimension>(mut self, weights: &ArrayBase<S, D>) -> Self {
        self.sample_weight = Some(weights.iter().copied().collect());
        self
    }

    /// What to print.
    #[must_use]
    pub fn verbose(mut self, verbose: Verbose) -> Self {
        self.plain.verbose = verbose;
        self
    }

    /// Adds a callback; `&mut callback` leaves it with the caller, to be read after the run.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<F> + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Lets a token interrupt the run from outside, after any batch.
    #[must_use]
    pub fn stop_token(mut self, token: &StopToken) -> Self {
        self.stop_token = Some(token.clone());
        self
    }

    /// What to do when the loss, a gradient or a weight is no longer a number.
    #[must_use]
    pub fn on_divergence(mut self, action: OnDivergence) -> Self {
        self.plain.on_divergence = action;
        self
    }

    /// How many batches of an iterator make an epoch, in [`fit_batches`](crate::nn::Model::fit_batches); without it,
    /// one pass is one epoch.
    #[must_use]
    pub fn steps_per_epoch(mut self, steps: usize) -> Self {
        self.steps_per_epoch = Some(steps);
        self
    }
}

/// How to ask a network: the arguments of Keras's `predict`.
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
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self { batch_size: 256 }
    }
}

impl PredictOptions {
    /// 256 samples at a time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many samples go through the network at a time: memory against speed; the answers are the same.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    pub(crate) fn validate(self, owner: &str) -> Result<usize> {
        match self.batch_size {
            0 => Err(Error::invalid_parameter(owner, "batch_size", 0, "at least 1")),
            batch_size => Ok(batch_size),
        }
    }
}

/// How to evaluate a network: the arguments of Keras's `evaluate`.
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
    pub(crate) sample_weight: Option<Vec<F>>,
}

impl<F> Default for EvaluateOptions<F> {
    fn default() -> Self {
        Self { batch_size: 256, sample_weight: None }
    }
}

impl<F: Float> EvaluateOptions<F> {
    /// 256 samples at a time, without weights.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many samples go through the network at a time.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Weights samples one by one.
    #[must_use]
    pub fn sample_weight<S: Data<Elem = F>, D: Dimension>(mut self, weights: &ArrayBase<S, D>) -> Self {
        self.sample_weight = Some(weights.iter().copied().collect());
        self
    }
}
