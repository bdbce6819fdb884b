//! The compiled network [`Model`]: weights, optimizer state, loss and metrics.

mod batch_source;
mod body;
mod data_parallel;
mod deferred;
mod estimator_impls;
mod evaluate;
mod fit;
mod fit_with;
mod input_gradient;
mod inputs;
pub(crate) mod outputs;
mod predict;
mod rank_step;
mod ranks;
mod resume;
mod snapshot;
mod summary;
mod trainer;
mod training_loop;
mod validation;
mod weights;

pub use batch_source::{Batch, BatchSource, EachEpoch, EpochBatches, each_epoch};
pub(crate) use batch_source::{BatchFactory, EachBatch};
pub use body::{Body, LayerInfo};
pub(crate) use data_parallel::data_parallel;
pub use fit_with::FitWith;
pub use input_gradient::Differentiable;
pub use predict::Outputs;
pub(crate) use ranks::Group;
pub use summary::Summary;
#[cfg(feature = "plot")]
pub(crate) use summary::batch_shape;
pub use validation::SampleBatch;
pub use weights::Weight;

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::CallbackSettings;
use crate::nn::fit_options::{FitOptions, PlainOptions};
use crate::nn::layer::Shape;
use crate::nn::layout::Layout;
use crate::nn::metric::{Direction, IntoMetric};
use crate::nn::optimizer_state::OptimizerState;
use crate::nn::sequential::Sequential;
use crate::nn::workspace::Workspace;
use outputs::{NetworkOutput, logit_layers};
use std::sync::Arc;

/// A network with its weights, loss, optimizer and metrics: what [`Sequential::compile`] returns.
///
/// Prediction takes `&self` and a model is `Send + Sync`, so threads can share one behind an [`Arc`]. Cloning copies
/// the weights and shares the layers.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// // Exclusive or.
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let y = array![0, 1, 1, 0];
/// let mut model = Sequential::new(2)
///     .add(Dense::new(8).activation(Activation::Tanh))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .seed(1)
///     .compile(Adam::new(0.1), BinaryCrossentropy::default())?
///     .metric(Accuracy::default());
/// model.fit_with(&x, &y, FitOptions::new().epochs(200))?;
/// assert_eq!(model.evaluate(&x, &y)?.get("accuracy"), Some(1.0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Model<F> {
    pub(crate) layout: Arc<Layout<F>>,
    pub(crate) params: Buffer<F>,
    pub(crate) state: Buffer<F>,
    pub(crate) optimizer_state: OptimizerState<F>,
    /// The losses and metrics of the outputs, in the order of `layout.outputs`.
    pub(crate) outputs: Vec<NetworkOutput<F>>,
    /// The output layers whose losses are computed from logits.
    pub(crate) logits: Arc<[usize]>,
    pub(crate) seed: u64,
    /// Number of epochs trained since initialization; seeds the shuffling of an epoch.
    pub(crate) epochs_trained: u64,
    /// Number of steps trained since initialization; seeds the noise of a step.
    pub(crate) steps_trained: u64,
    pub(crate) fit_options: PlainOptions,
    /// The callbacks of `fit`, each made anew for every run.
    pub(crate) callbacks: Vec<CallbackSettings<F>>,
    /// The first option passed to `with_fit_options` that belongs to one run; `fit` returns an error for it.
    misplaced: Option<&'static str>,
    /// The first name passed to `metric_of` that no output has; every run returns an error for it.
    unknown_output: Option<String>,
    /// The initial parameters and state, if they were not all drawn from the seed.
    origin: Option<Arc<(Vec<F>, Vec<F>)>>,
    /// For a model whose input shape the first `fit` infers: what it is built from.
    deferred: Option<Arc<deferred::Deferred<F>>>,
}

/// What `fit` calls a callback that cannot be kept.
const ONE_RUN_CALLBACK: &str = "a callback without settings";

impl<F: Float> Model<F> {
    pub(crate) fn new(
        layout: Layout<F>,
        params: Buffer<F>,
        state: Buffer<F>,
        optimizer_state: OptimizerState<F>,
        outputs: Vec<NetworkOutput<F>>,
        seed: u64,
    ) -> Self {
        Self {
            logits: logit_layers(&layout, &outputs),
            layout: Arc::new(layout),
            params,
            state,
            optimizer_state,
            outputs,
            seed,
            epochs_trained: 0,
            steps_trained: 0,
            fit_options: PlainOptions::default(),
            callbacks: Vec::new(),
            misplaced: None,
            unknown_output: None,
            origin: None,
            deferred: None,
        }
    }

    /// Stores the current weights as the initial weights, for models whose weights were not all drawn from the seed.
    pub(crate) fn keep_origin(&mut self) {
        self.origin = Some(Arc::new((self.params.to_vec(), self.state.to_vec())));
    }

    /// The initial parameters and state, if they were not all drawn from the seed.
    pub(crate) fn origin(&self) -> Option<(&[F], &[F])> {
        self.origin.as_deref().map(|(params, state)| (params.as_slice(), state.as_slice()))
    }

    /// Sets the initial parameters and state.
    pub(crate) fn set_origin(&mut self, params: Vec<F>, state: Vec<F>) {
        self.origin = Some(Arc::new((params, state)));
    }

    /// Adds a metric, or a loss as a metric, reported under its name in histories and evaluations. In a model with several
    /// outputs it is a metric of each of them; [`metric_of`](Self::metric_of) adds it to one.
    #[must_use]
    pub fn metric<Kind>(mut self, metric: impl IntoMetric<F, Kind>) -> Self {
        let metric = metric.into_metric();
        self.outputs.iter_mut().for_each(|output| output.metrics.push(metric.clone()));
        self
    }

    /// Adds a metric of one output. In a model with several outputs it is reported as `"output_metric"`.
    ///
    /// # Panics
    /// Never; a name that no output has is an error of the first use of the model's metrics.
    #[must_use]
    pub fn metric_of<Kind>(mut self, output: &str, metric: impl IntoMetric<F, Kind>) -> Self {
        match self.outputs.iter_mut().find(|known| known.name == output) {
            Some(known) => known.metrics.push(metric.into_metric()),
            None => {
                self.unknown_output.get_or_insert_with(|| output.into());
            }
        }
        self
    }

    /// Sets the options of [`Fit::fit`](crate::estimator::Fit::fit), also inside pipelines, cross-validation and searches.
    ///
    /// Callbacks that are plain settings ([`Callback::settings`](crate::callbacks::Callback::settings)) and those made by a
    /// factory are kept: every fit starts from fresh ones. Validation data, sample weights and other callbacks (closures,
    /// `&mut callback`) belong to one run: if they are set here, `fit` returns an error.
    ///
    /// Fits that run in turn or in parallel, such as those of cross-validation, share the path of a callback that writes a
    /// file; the last one replaces it.
    #[must_use]
    pub fn with_fit_options(mut self, options: FitOptions<'_, F>) -> Self {
        let settings: Option<Vec<_>> = options.callbacks.iter().map(|callback| callback.settings()).collect();
        self.misplaced = options.misplaced().or(settings.is_none().then_some(ONE_RUN_CALLBACK));
        self.callbacks = settings.unwrap_or_default();
        self.fit_options = options.plain;
        self
    }

    /// The number of epochs of training so far, over all calls of `fit`; saved with the model.
    #[must_use]
    pub fn epochs_trained(&self) -> usize {
        usize::try_from(self.epochs_trained).unwrap_or(usize::MAX)
    }

    /// The shape of one sample of the first input; without axes if the model is not [built](Self::is_built).
    #[must_use]
    pub fn input_shape(&self) -> &Shape {
        self.layout.input()
    }

    /// The shape of one sample of the first output.
    #[must_use]
    pub fn output_shape(&self) -> &Shape {
        self.layout.output()
    }

    /// The names and sample shapes of the inputs. The input of a [`Sequential`] model has an empty name.
    #[must_use]
    pub fn input_shapes(&self) -> Vec<(&str, &Shape)> {
        self.layout.inputs.iter().map(|input| (input.name.as_str(), &input.shape)).collect()
    }

    /// The names and sample shapes of the outputs. The output of a [`Sequential`] model has an empty name.
    #[must_use]
    pub fn output_shapes(&self) -> Vec<(&str, &Shape)> {
        let outputs = self.outputs.iter().enumerate();
        outputs.map(|(index, output)| (output.name.as_str(), self.layout.output_shape(index))).collect()
    }

    /// The number of weights, trainable or not.
    #[must_use]
    pub fn count_params(&self) -> usize {
        self.layout.params_len + self.layout.state_len
    }

    /// The number of trainable weights.
    #[must_use]
    pub fn count_trainable_params(&self) -> usize {
        self.layout.trainable_ranges().iter().map(ExactSizeIterator::len).sum()
    }

    /// Converts the model back into a builder whose layers keep their weights, to remove, add or freeze layers and compile
    /// again.
    #[must_use]
    pub fn into_sequential(self) -> Sequential<F> {
        if let Some(layers) = self.unbuilt_layers() {
            return layers.clone();
        }
        Sequential::from_layout(&self.layout, &self.params, &self.state, self.seed)
    }

    /// Allocates the buffers of [`predict_into`](Self::predict_into), for batches of up to `capacity` samples.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] for a capacity of 0, [`Error::OutOfMemory`].
    pub fn workspace(&self, capacity: usize) -> Result<Workspace<F>> {
        if capacity == 0 {
            return Err(Error::invalid_parameter("workspace", "capacity", 0, "at least 1 sample"));
        }
        self.check_built("workspace")?;
        self.layout.check_batch_size("workspace", capacity, capacity)?;
        let mut workspace = Workspace::with_input(&self.layout, capacity)?;
        workspace.start_from(&self.state);
        Ok(workspace)
    }

    /// Resets the carried state of stateful layers (`stateful` of [`Lstm`](crate::layers::Lstm)) to zero. Each [`Workspace`] carries
    /// its own state.
    pub fn reset_state(&mut self) {
        for range in self.layout.carried() {
            self.state[range].fill(F::zero());
        }
    }

    /// Restores the initial weights, or the unbuilt state, and resets the optimizer and the counters.
    fn start_over(&mut self) {
        (self.epochs_trained, self.steps_trained) = (0, 0);
        if self.unbuild() {
            return;
        }
        match &self.origin {
            Some(origin) => {
                self.params.copy_from_slice(&origin.0);
                self.state.copy_from_slice(&origin.1);
            }
            None => self.layout.initialize_into(self.seed, &mut self.params, &mut self.state),
        }
        self.optimizer_state.reset();
    }

    /// The options of one `fit`, with fresh callbacks.
    pub(crate) fn kept_options(&self) -> Result<FitOptions<'static, F>> {
        self.check_kept_options()?;
        let callbacks = self.callbacks.iter().map(CallbackSettings::make).collect();
        Ok(FitOptions { plain: self.fit_options.clone(), callbacks, ..FitOptions::new() })
    }

    /// Returns an error if `with_fit_options` received an option that belongs to one run.
    pub(crate) fn check_kept_options(&self) -> Result<()> {
        match self.misplaced {
            None => Ok(()),
            Some(option) => {
                Err(Error::Misplaced { context: "with_fit_options", option, hint: "pass it to fit_with" })
            }
        }
    }

    /// Errors if `metric_of` received a name that no output has.
    pub(crate) fn check_metric_names(&self) -> Result<()> {
        match &self.unknown_output {
            None => Ok(()),
            Some(name) => {
                let known = self.outputs.iter().map(|output| output.name.clone());
                Err(Error::unknown_name("output", name, known))
            }
        }
    }

    /// Whether the loss of an output is computed from logits.
    pub(crate) fn is_fused(&self, output: usize) -> bool {
        self.logits.contains(&self.layout.outputs[output])
    }

    /// The sum of the regularization penalties of the trainable weights.
    pub(crate) fn weight_penalty(&self) -> f64 {
        let penalized = self.layout.variables.iter().filter(|variable| variable.trainable);
        let penalties = penalized
            .filter_map(|variable| Some(variable.regularizer?.penalty(&self.params[variable.range.clone()])));
        penalties.sum()
    }

    /// The log names of the losses and metrics, as [`outputs::score_names`].
    pub(crate) fn score_names(&self) -> Vec<String> {
        outputs::score_names(&self.outputs)
    }

    /// The number of losses in logs: the total, and that of each output if there are several.
    pub(crate) fn n_losses(&self) -> usize {
        if self.outputs.len() > 1 { 1 + self.outputs.len() } else { 1 }
    }

    /// Whether a loss or metric of the logs is better when lower or higher.
    pub(crate) fn score_direction(&self, score: usize) -> Direction {
        let Some(metric) = score.checked_sub(self.n_losses()) else { return Direction::Down };
        let mut metrics = self.outputs.iter().flat_map(|output| &output.metrics);
        metrics.nth(metric).map_or(Direction::Unknown, |metric| metric.direction())
    }

    /// The number of losses and metrics in logs.
    pub(crate) fn n_scores(&self) -> usize {
        self.n_losses() + self.outputs.iter().map(|output| output.metrics.len()).sum::<usize>()
    }
}
