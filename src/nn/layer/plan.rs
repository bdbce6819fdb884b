//! What a layer declares before anything is allocated.

use super::{OutputValues, Shape};
use crate::activation::Activation;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::regularizer::Regularizer;
use std::ops::Range;

/// One trainable array of a layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ParamSpec {
    /// The name within the layer: `"kernel"`; inside of a nested layer `"inner/kernel"`.
    pub name: String,
    /// The array's shape.
    pub shape: Shape,
    /// How it starts.
    pub initializer: Initializer,
    /// The penalty on it, if any.
    pub regularizer: Option<Regularizer>,
    /// What it is projected to after each update, if anything.
    pub constraint: Option<Constraint>,
}

/// One array of a layer's state, which training moves without a gradient.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StateSpec {
    /// The name within the layer: `"moving_mean"`.
    pub name: String,
    /// The array's shape.
    pub shape: Shape,
    /// How it starts.
    pub initializer: Initializer,
    /// Whether it is what a sample leaves to the one in its place in the next batch.
    pub carried: bool,
}

/// A layer inside of a layer, with its place in the buffers of the outer one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Nested {
    /// Its name within the outer layer.
    pub name: String,
    /// Its own plan.
    pub plan: Plan,
    /// Its parameters among the outer layer's.
    pub params: Range<usize>,
    /// Its state in the outer layer's.
    pub state: Range<usize>,
    cache_per_sample: usize,
    cache_per_batch: usize,
}

impl Nested {
    /// Its cache in the outer layer's, for a batch of that many samples.
    #[must_use]
    pub fn cache(&self, batch: usize) -> Range<usize> {
        let start = self.cache_per_sample * batch + self.cache_per_batch;
        start..start + self.plan.cache_len(batch)
    }
}

/// What a layer needs for samples of a given shape: its output shape, parameters, state and caches.
///
/// # Examples
/// ```
/// use axonal::custom::Plan;
/// use axonal::prelude::*;
///
/// let plan = Plan::output(3).param("kernel", [4, 3], Initializer::GlorotUniform).param("bias", 3, Initializer::Zeros);
/// assert_eq!((plan.params_len(), plan.params()[0].name.as_str()), (15, "kernel"));
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    input: Shape,
    output: Shape,
    params: Vec<ParamSpec>,
    state: Vec<StateSpec>,
    cache_per_sample: usize,
    cache_per_batch: usize,
    rows_independent: bool,
    activation: Activation,
    activity_regularizer: Option<Regularizer>,
    nested: Vec<Nested>,
    indices: Option<usize>,
    rearranges: bool,
    gradient_rows: Option<usize>,
    adds_gradients: bool,
    uses_mask: bool,
    mask: MaskOut,
    reads_backwards: bool,
    reads_sequence: bool,
    nested_penalties: bool,
    batch: Option<usize>,
    pub(super) values: OutputValues,
    problem: Option<Box<Problem>>,
    refusal: Option<Box<Problem>>,
}

/// A way in which a plan was put together wrongly: what was expected, and what came.
#[derive(Debug, Clone)]
struct Problem {
    expected: &'static str,
    got: String,
}

/// What becomes of a mask behind a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum MaskOut {
    /// There is none.
    #[default]
    Ends,
    /// It goes on as it came.
    Passes,
    /// The layer makes one of this shape.
    Made(Shape),
    /// The layer makes one of this shape where one came.
    Derived(Shape),
}

impl Plan {
    /// A layer without parameters, whose samples come out with this shape.
    pub fn output(shape: impl Into<Shape>) -> Self {
        let output = shape.into();
        Self {
            input: output.clone(),
            output,
            params: Vec::new(),
            state: Vec::new(),
            cache_per_sample: 0,
            cache_per_batch: 0,
            rows_independent: true,
            activation: Activation::Linear,
            activity_regularizer: None,
            nested: Vec::new(),
            indices: None,
            rearranges: false,
            gradient_rows: None,
            adds_gradients: false,
            uses_mask: false,
            mask: MaskOut::Ends,
            reads_backwards: false,
            reads_sequence: false,
            nested_penalties: false,
            batch: None,
            values: OutputValues::Unknown,
            problem: None,
            refusal: None,
        }
    }

    /// Records the input shape, for layers that need it when they compute; the container does so in any case.
    #[must_use]
    pub fn input(mut self, shape: impl Into<Shape>) -> Self {
        self.input = shape.into();
        self
    }

    /// Adds a trainable array. Arrays lie in `params` one after the other, in the order of these calls.
    #[must_use]
    pub fn param(
        mut self,
        name: impl Into<String>,
        shape: impl Into<Shape>,
        initializer: Initializer,
    ) -> Self {
        let (name, shape) = (name.into(), shape.into());
        self.params.push(ParamSpec { name, shape, initializer, regularizer: None, constraint: None });
        self
    }

    /// Puts a penalty on the array added last.
    #[must_use]
    pub fn regularizer(mut self, regularizer: Option<Regularizer>) -> Self {
        if let Some(param) = self.params.last_mut() {
            param.regularizer = regularizer;
        }
        self
    }

    /// Puts a constraint on the array added last.
    #[must_use]
    pub fn constraint(mut self, constraint: Option<Constraint>) -> Self {
        if let Some(param) = self.params.last_mut() {
            param.constraint = constraint;
        }
        self
    }

    /// Adds an array of state, which `forward` may change while training. It has no gradient.
    #[must_use]
    pub fn state(
        mut self,
        name: impl Into<String>,
        shape: impl Into<Shape>,
        initializer: Initializer,
    ) -> Self {
        self.state.push(StateSpec { name: name.into(), shape: shape.into(), initializer, carried: false });
        self
    }

    /// Adds an array of state that each sample of a batch leaves to the one in its place in the next batch: so many
    /// numbers for each of `batch` samples, zeros at first. Batches must then be of this size, training moves it, and so do
    /// answers for as long as one [`Workspace`](crate::nn::Workspace) lasts: after each forward pass
    /// [`Layer::carry`](super::Layer::carry) writes it.
    #[must_use]
    pub fn carried(mut self, name: impl Into<String>, batch: usize, len: usize) -> Self {
        let (name, shape) = (name.into(), Shape::from([batch, len]));
        self.state.push(StateSpec { name, shape, initializer: Initializer::Zeros, carried: true });
        self.of_batch(Some(batch)).rows_depend()
    }

    /// Notes the size of the batches.
    fn of_batch(mut self, batch: Option<usize>) -> Self {
        if self.batch.is_some() && batch.is_some() && self.batch != batch && self.problem.is_none() {
            let got = format!("{} and {}", self.batch.unwrap_or(0), batch.unwrap_or(0));
            let expected = "one batch size for all stateful parts of a layer";
            self.problem = Some(Box::new(Problem { expected, got }));
        }
        self.batch = self.batch.or(batch);
        self
    }

    /// Adds space that `forward` hands to `backward`: so many numbers for each sample of the batch.
    #[must_use]
    pub fn cache(mut self, per_sample: usize) -> Self {
        self.cache_per_sample = self.cache_per_sample.saturating_add(per_sample);
        self
    }

    /// Adds space that `forward` hands to `backward`: so many numbers whatever the batch.
    #[must_use]
    pub fn batch_cache(mut self, len: usize) -> Self {
        self.cache_per_batch += len;
        self
    }

    /// Says that a sample's output depends on the other samples of the batch, as in batch normalization.
    #[must_use]
    pub fn rows_depend(mut self) -> Self {
        self.rows_independent = false;
        self
    }

    /// Declares a trailing activation. The container applies and differentiates it: the layer computes the
    /// pre-activation, and is handed the gradient toward it.
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Declares a penalty on the layer's output.
    #[must_use]
    pub fn activity_regularizer(mut self, regularizer: Option<Regularizer>) -> Self {
        self.activity_regularizer = regularizer;
        self
    }

    /// Says that the input is made of indices: whole numbers below `len`. Where such a layer comes first in a network,
    /// or behind layers that [rearrange](Self::rearranges) only, data with any other number are refused before anything
    /// is computed; elsewhere the pass that met it is.
    #[must_use]
    pub fn indices(mut self, len: usize) -> Self {
        self.indices = Some(len);
        self
    }

    /// Says that all numbers of the input come out as they are, in other places or several times, and nothing else but
    /// zeros does.
    #[must_use]
    pub fn rearranges(mut self) -> Self {
        self.rearranges = true;
        self
    }

    /// Says that the parameters are rows of `len` numbers, one after the other, and that the gradient toward any of
    /// them is to be had by itself, from [`Layer::gradient`](super::Layer::gradient). The container then moves some
    /// rows while their gradient is still in the cache, and shares them among threads.
    #[must_use]
    pub fn gradient_rows(mut self, len: usize) -> Self {
        self.gradient_rows = Some(len);
        self
    }

    /// Says that [`Layer::gradient`](super::Layer::gradient) heeds [`add`](super::Gradient::add). Where an update is
    /// nothing but a multiple of the gradient (plain gradient descent), the container then scales `dy` and has the
    /// gradient added to the parameters themselves.
    #[must_use]
    pub fn adds_gradients(mut self) -> Self {
        self.adds_gradients = true;
        self
    }

    /// Says that the layer computes otherwise where positions of its input are padding, and is to be handed the
    /// [`Mask`](super::Mask). It must cover all axes of a sample but the last; `compile` refuses another.
    #[must_use]
    pub fn uses_mask(mut self) -> Self {
        self.uses_mask = true;
        self
    }

    /// Says that each position of the output belongs to the same position of the input, so that the mask of the input
    /// is that of the output. By default a mask ends at the layer.
    #[must_use]
    pub fn passes_mask(mut self) -> Self {
        self.mask = MaskOut::Passes;
        self
    }

    /// Says that [`Layer::mask`](super::Layer::mask) makes a mask of this shape for the layers behind, in place of any
    /// that came: the leading axes of the output.
    #[must_use]
    pub fn makes_mask(mut self, shape: impl Into<Shape>) -> Self {
        self.mask = MaskOut::Made(shape.into());
        self
    }

    /// As [`makes_mask`](Self::makes_mask), but only where the input has a mask.
    #[must_use]
    pub fn derives_mask(mut self, shape: impl Into<Shape>) -> Self {
        self.mask = MaskOut::Derived(shape.into());
        self
    }

    /// Says that the layer reads sequences from their ends, so that the steps that come out stand in that order.
    #[must_use]
    pub fn reads_backwards(mut self) -> Self {
        self.reads_backwards = true;
        self
    }

    /// Declares that the layer reads a sequence (steps, features) step by step, as recurrent layers do.
    /// [`Bidirectional`](crate::nn::Bidirectional) takes such layers only.
    #[must_use]
    pub fn reads_sequence(mut self) -> Self {
        self.reads_sequence = true;
        self
    }

    /// Declares that the layer applies the activity regularizers of its nested layers: it implements
    /// [`Layer::activity_penalty`](super::Layer::activity_penalty), and its backward pass adds the penalties' gradients. Without
    /// it, an activity regularizer of a nested layer is an error in `compile`.
    #[must_use]
    pub fn nested_penalties(mut self) -> Self {
        self.nested_penalties = true;
        self
    }

    /// Notes what `compile` refuses; a model that was saved with it still loads.
    pub(crate) fn refused(mut self, expected: &'static str, got: String) -> Self {
        self.refusal.get_or_insert_with(|| Box::new(Problem { expected, got }));
        self
    }

    /// Adds a layer inside of this one. Its parameters, state and cache follow those declared so far;
    /// [`Plan::nested_layers`] says where. A nested layer is called by the outer one, so it must not declare an
    /// activation, which only a container applies: that is an error in `compile`.
    #[must_use]
    pub fn nested(mut self, name: impl Into<String>, plan: Self) -> Self {
        let name = name.into();
        if plan.activation != Activation::Linear && self.problem.is_none() {
            let got = format!(
                "the activation {} of the nested layer {name:?}, which only a container applies; leave it out there and \
                 add an ActivationLayer behind",
                plan.activation
            );
            let expected = "nested layers without an activation of their own";
            self.problem = Some(Box::new(Problem { expected, got }));
        }
        self.nested_activated(name, plan)
    }

    /// As [`nested`](Self::nested), for an outer layer that applies and differentiates the declared activation
    /// of the nested one itself.
    #[must_use]
    pub fn nested_activated(mut self, name: impl Into<String>, plan: Self) -> Self {
        let name = name.into();
        let (params, state) = (self.params_len(), self.state_len());
        self.params.extend(
            plan.params
                .iter()
                .map(|param| ParamSpec { name: format!("{name}/{}", param.name), ..param.clone() }),
        );
        self.state.extend(
            plan.state.iter().map(|part| StateSpec { name: format!("{name}/{}", part.name), ..part.clone() }),
        );
        self.rows_independent &= plan.rows_independent;
        self.problem = self.problem.or_else(|| plan.problem.clone());
        self.refusal = self.refusal.or_else(|| plan.refusal.clone());
        if matches!(plan.mask, MaskOut::Made(_)) && self.problem.is_none() {
            let got = format!(
                "the mask of the nested layer {name:?}, which does not reach the layers around it; add that layer to the \
                 network itself"
            );
            self.problem = Some(Box::new(Problem { expected: "nested layers that make no mask", got }));
        }
        self = self.of_batch(plan.batch);
        let (cache_per_sample, cache_per_batch) = (self.cache_per_sample, self.cache_per_batch);
        self.cache_per_sample = cache_per_sample.saturating_add(plan.cache_per_sample);
        self.cache_per_batch = cache_per_batch.saturating_add(plan.cache_per_batch);
        let params = params..params.saturating_add(plan.params_len());
        let state = state..state.saturating_add(plan.state_len());
        self.nested.push(Nested { name, plan, params, state, cache_per_sample, cache_per_batch });
        self
    }

    /// The shape of a sample that comes in.
    #[must_use]
    pub fn input_shape(&self) -> &Shape {
        &self.input
    }

    /// The shape of a sample that comes out.
    #[must_use]
    pub fn output_shape(&self) -> &Shape {
        &self.output
    }

    /// The trainable arrays, in order.
    #[must_use]
    pub fn params(&self) -> &[ParamSpec] {
        &self.params
    }

    /// How many trainable numbers there are; `usize::MAX` where that does not fit.
    #[must_use]
    pub fn params_len(&self) -> usize {
        self.params.iter().fold(0, |len: usize, param| len.saturating_add(param.shape.size()))
    }

    /// The arrays of state, in order.
    #[must_use]
    pub fn state_specs(&self) -> &[StateSpec] {
        &self.state
    }

    /// How many numbers of state there are; `usize::MAX` where that does not fit.
    #[must_use]
    pub fn state_len(&self) -> usize {
        self.state.iter().fold(0, |len: usize, part| len.saturating_add(part.shape.size()))
    }

    /// The length of the cache for a batch of that many samples; `usize::MAX` where that does not fit.
    #[must_use]
    pub fn cache_len(&self, batch: usize) -> usize {
        self.cache_per_sample.saturating_mul(batch).saturating_add(self.cache_per_batch)
    }

    /// Whether each sample's output depends on that sample alone.
    #[must_use]
    pub fn rows_independent(&self) -> bool {
        self.rows_independent
    }

    /// The declared activation.
    #[must_use]
    pub fn declared_activation(&self) -> Activation {
        self.activation
    }

    /// The declared penalty on the output.
    #[must_use]
    pub fn declared_activity_regularizer(&self) -> Option<&Regularizer> {
        self.activity_regularizer.as_ref()
    }

    /// The number that the input's indices are below, where the layer looks up indices.
    #[must_use]
    pub fn declared_indices(&self) -> Option<usize> {
        self.indices
    }

    /// Whether nothing but the input's numbers and zeros come out.
    #[must_use]
    pub fn declares_rearranging(&self) -> bool {
        self.rearranges
    }

    /// The number that the indices are below that a chain of layers is given, where one looks up indices and those
    /// before it rearrange only.
    pub(crate) fn indices_of_chain<'a>(plans: impl IntoIterator<Item = &'a Self>) -> Option<usize> {
        for plan in plans {
            if plan.indices.is_some() || !plan.rearranges {
                return plan.indices;
            }
        }
        None
    }

    /// The length of the rows of parameters that [`Layer::gradient`](super::Layer::gradient) differentiates apart.
    #[must_use]
    pub fn declared_gradient_rows(&self) -> Option<usize> {
        self.gradient_rows
    }

    /// Whether [`Layer::gradient`](super::Layer::gradient) adds where it is asked to.
    #[must_use]
    pub fn declares_adding_gradients(&self) -> bool {
        self.adds_gradients
    }

    /// The size of the batches, where samples leave something to those of the next batch.
    #[must_use]
    pub fn declared_batch(&self) -> Option<usize> {
        self.batch
    }

    /// Whether the layer computes otherwise where positions are padding.
    #[must_use]
    pub fn declares_using_mask(&self) -> bool {
        self.uses_mask
    }

    /// Whether the mask of the input is that of the output.
    #[must_use]
    pub fn declares_passing_mask(&self) -> bool {
        self.mask == MaskOut::Passes
    }

    /// The shape of the mask that the layer makes or derives, if it does.
    #[must_use]
    pub fn declared_mask(&self) -> Option<&Shape> {
        match &self.mask {
            MaskOut::Made(shape) | MaskOut::Derived(shape) => Some(shape),
            MaskOut::Ends | MaskOut::Passes => None,
        }
    }

    /// Whether the layer reads sequences from their ends.
    #[must_use]
    pub fn declares_reading_backwards(&self) -> bool {
        self.reads_backwards
    }

    /// Whether the layer reads a sequence step by step.
    #[must_use]
    pub fn declares_reading_sequence(&self) -> bool {
        self.reads_sequence
    }

    /// Whether the layer applies the activity regularizers of its nested layers.
    #[must_use]
    pub fn declares_nested_penalties(&self) -> bool {
        self.nested_penalties
    }

    /// Whether the layer or a nested layer has an activity regularizer.
    pub(crate) fn penalizes_outputs(&self) -> bool {
        self.activity_regularizer.is_some() || self.penalizes_inside()
    }

    /// Whether a nested layer has an activity regularizer.
    pub(crate) fn penalizes_inside(&self) -> bool {
        self.nested.iter().any(|nested| nested.plan.penalizes_outputs())
    }

    /// What `compile` refuses, beside the [`problem`](Self::problem): what was expected, and what came.
    pub(crate) fn refusal(&self) -> Option<(&'static str, String)> {
        if let Some(refusal) = &self.refusal {
            return Some((refusal.expected, refusal.got.clone()));
        }
        let inside = || self.nested.iter().find_map(|nested| nested.plan.refusal());
        if self.penalizes_inside() && !self.nested_penalties {
            let name =
                self.nested.iter().find(|nested| nested.plan.penalizes_outputs()).map(|nested| &nested.name);
            let got = format!(
                "an activity regularizer of the layer {:?} inside it, which would be dropped; implement \
                 Layer::activity_penalty and declare Plan::nested_penalties",
                name.map_or("", String::as_str)
            );
            return Some(("layers inside it without an activity regularizer", got));
        }
        inside()
    }

    pub(crate) fn mask_out(&self) -> &MaskOut {
        &self.mask
    }

    /// The layers inside of this one, with their places.
    #[must_use]
    pub fn nested_layers(&self) -> &[Nested] {
        &self.nested
    }

    /// What is wrong with the way the plan was put together, if anything; `compile` reports it.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.got.as_str())
    }

    /// What was expected in place of the [`problem`](Self::problem).
    pub(crate) fn expected(&self) -> &'static str {
        self.problem.as_ref().map_or("", |problem| problem.expected)
    }
}
