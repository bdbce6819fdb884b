//! [`Plan`]: the output shape, parameters, state and caches that a layer declares before anything is allocated.

use super::{OutputValues, Shape};
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::regularizer::Regularizer;
use std::ops::Range;

/// One trainable array of a layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ParamSpec {
    /// The name within the layer: `"kernel"`; for a nested layer `"inner/kernel"`.
    pub name: String,
    /// The array's shape.
    pub shape: Shape,
    /// The initial values.
    pub initializer: Initializer,
    /// The penalty on the weights, if any.
    pub regularizer: Option<Regularizer>,
    /// The projection after each update, if any.
    pub constraint: Option<Constraint>,
}

/// One array of a layer's state, which is updated without a gradient.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StateSpec {
    /// The name within the layer: `"moving_mean"`.
    pub name: String,
    /// The array's shape.
    pub shape: Shape,
    /// The initial values.
    pub initializer: Initializer,
    /// Whether the state is carried from sample i of a batch to sample i of the next.
    pub carried: bool,
}

/// A nested layer, with its ranges of the outer layer's buffers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Nested {
    /// The name within the outer layer.
    pub name: String,
    /// The nested layer's plan.
    pub plan: Plan,
    /// The range of the outer layer's parameters.
    pub params: Range<usize>,
    /// The range of the outer layer's state.
    pub state: Range<usize>,
    cache_per_sample: usize,
    cache_per_batch: usize,
}

impl Nested {
    /// The range of the outer layer's cache, for a batch of `batch` samples.
    #[must_use]
    pub fn cache(&self, batch: usize) -> Range<usize> {
        let start = self.cache_per_sample.saturating_mul(batch).saturating_add(self.cache_per_batch);
        start..start.saturating_add(self.plan.cache_len(batch))
    }
}

/// The declarations of a layer for a given input shape: output shape, parameters, state and caches.
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
    synchronizes: bool,
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

/// Maximum number of parameters, and of state values, of a network: as many `f64` as one allocation holds (2^28 values
/// where `usize` has 32 bits), and at most 2^48, more than any machine has memory for.
pub(crate) const MAX_ELEMENTS: usize = {
    let addressable = isize::MAX as u64 / size_of::<f64>() as u64;
    (if addressable < 1 << 48 { addressable } else { 1 << 48 }) as usize
};

/// An invalid combination of declarations: expected and actual.
#[derive(Debug, Clone)]
struct Problem {
    expected: &'static str,
    got: String,
}

/// The effect of a layer on the padding mask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum MaskOut {
    /// The output has no mask.
    #[default]
    Ends,
    /// The output has the mask of the input.
    Passes,
    /// The layer computes a mask of this shape.
    Made(Shape),
    /// The layer computes a mask of this shape if its input has one.
    Derived(Shape),
}

impl Plan {
    /// Creates the plan of a layer without parameters, with this output shape.
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
            synchronizes: false,
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

    /// Sets the input shape. The container always does so.
    #[must_use]
    pub fn input(mut self, shape: impl Into<Shape>) -> Self {
        self.input = shape.into();
        self
    }

    /// Adds a trainable array. `params` holds the arrays in the order of these calls.
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

    /// Sets the regularizer of the array added last.
    #[must_use]
    pub fn regularizer(mut self, regularizer: Option<Regularizer>) -> Self {
        if let Some(param) = self.params.last_mut() {
            param.regularizer = regularizer;
        }
        self
    }

    /// Sets the constraint of the array added last.
    #[must_use]
    pub fn constraint(mut self, constraint: Option<Constraint>) -> Self {
        if let Some(param) = self.params.last_mut() {
            param.constraint = constraint;
        }
        self
    }

    /// Adds an array of state without a gradient, which `forward` may update during training.
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

    /// Adds per-sample state carried from batch to batch, shape `(batch, len)`, initially zero (Keras's `stateful`). All
    /// batches must then have `batch` samples. [`Layer::carry`](super::Layer::carry) updates the state after each forward pass,
    /// in training and, within one [`Workspace`](crate::models::Workspace), in prediction.
    #[must_use]
    pub fn carried(mut self, name: impl Into<String>, batch: usize, len: usize) -> Self {
        let (name, shape) = (name.into(), Shape::from([batch, len]));
        self.state.push(StateSpec { name, shape, initializer: Initializer::Zeros, carried: true });
        self.require_batch_size(Some(batch)).rows_depend()
    }

    /// Sets the batch size that carried state requires.
    fn require_batch_size(mut self, batch: Option<usize>) -> Self {
        if self.batch.is_some() && batch.is_some() && self.batch != batch && self.problem.is_none() {
            let got = format!("{} and {}", self.batch.unwrap_or(0), batch.unwrap_or(0));
            let expected = "the same batch size for all stateful parts of a layer";
            self.problem = Some(Box::new(Problem { expected, got }));
        }
        self.batch = self.batch.or(batch);
        self
    }

    /// Adds `per_sample` values for each sample to the cache that `forward` fills for `backward`.
    #[must_use]
    pub fn cache(mut self, per_sample: usize) -> Self {
        self.cache_per_sample = self.cache_per_sample.saturating_add(per_sample);
        self
    }

    /// Adds `len` values, independent of the batch size, to the cache that `forward` fills for `backward`.
    #[must_use]
    pub fn batch_cache(mut self, len: usize) -> Self {
        self.cache_per_batch = self.cache_per_batch.saturating_add(len);
        self
    }

    /// Declares that a sample's output depends on the other samples of the batch, as in batch normalization.
    #[must_use]
    pub fn rows_depend(mut self) -> Self {
        self.rows_independent = false;
        self
    }

    /// Declares that the layer exchanges values with the ranks of a [distributed](crate::distributed) training step, in its
    /// forward and backward passes. Every rank then runs both passes in every step, and needs a row in each.
    #[must_use]
    pub fn synchronizes(mut self) -> Self {
        self.synchronizes = true;
        self
    }

    /// Declares a trailing activation, which the container applies and differentiates: the layer computes the
    /// pre-activation and receives its gradient.
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Declares an activity regularizer, a penalty on the layer's output.
    #[must_use]
    pub fn activity_regularizer(mut self, regularizer: Option<Regularizer>) -> Self {
        self.activity_regularizer = regularizer;
        self
    }

    /// Declares that the inputs are indices: integers in `0..len`. If the layer is the first of a network, or follows only
    /// layers that [rearrange](Self::rearranges), invalid indices are an error before anything is computed; otherwise they
    /// are an error after the forward pass.
    #[must_use]
    pub fn indices(mut self, len: usize) -> Self {
        self.indices = Some(len);
        self
    }

    /// Declares that the layer only copies, moves or zero-pads input values.
    #[must_use]
    pub fn rearranges(mut self) -> Self {
        self.rearranges = true;
        self
    }

    /// Declares that the parameters are rows of `len` values, and that [`Layer::gradient`](super::Layer::gradient) computes the
    /// gradient of any range of rows. The container then updates rows while their gradient is in the CPU cache, and
    /// splits the rows among threads.
    #[must_use]
    pub fn gradient_rows(mut self, len: usize) -> Self {
        self.gradient_rows = Some(len);
        self
    }

    /// Declares that [`Layer::gradient`](super::Layer::gradient) supports [`add`](super::Gradient::add). If the update is a
    /// multiple of the gradient (plain gradient descent), the container then scales `dy` and adds the gradient directly to
    /// the parameters.
    #[must_use]
    pub fn adds_gradients(mut self) -> Self {
        self.adds_gradients = true;
        self
    }

    /// Declares that the layer uses the padding [`Mask`](super::Mask) of its input. The mask must cover all axes of a sample
    /// but the last; otherwise `compile` returns an error.
    #[must_use]
    pub fn uses_mask(mut self) -> Self {
        self.uses_mask = true;
        self
    }

    /// Declares that the mask of the input applies to the output, because the positions correspond. By default the output has
    /// no mask.
    #[must_use]
    pub fn passes_mask(mut self) -> Self {
        self.mask = MaskOut::Passes;
        self
    }

    /// Declares that [`Layer::mask`](super::Layer::mask) computes the mask of the output, replacing that of the input. `shape`
    /// consists of leading axes of the output.
    #[must_use]
    pub fn makes_mask(mut self, shape: impl Into<Shape>) -> Self {
        self.mask = MaskOut::Made(shape.into());
        self
    }

    /// As [`makes_mask`](Self::makes_mask), but only if the input has a mask.
    #[must_use]
    pub fn derives_mask(mut self, shape: impl Into<Shape>) -> Self {
        self.mask = MaskOut::Derived(shape.into());
        self
    }

    /// Declares that the layer reads sequences in reverse, so that output steps are in reverse order.
    #[must_use]
    pub fn reads_backwards(mut self) -> Self {
        self.reads_backwards = true;
        self
    }

    /// Declares that the layer scans a sequence (steps, features), as recurrent layers do.
    /// [`Bidirectional`](crate::layers::Bidirectional) accepts only such layers.
    #[must_use]
    pub fn reads_sequence(mut self) -> Self {
        self.reads_sequence = true;
        self
    }

    /// Declares that the layer handles the activity regularizers of its nested layers: it implements
    /// [`Layer::activity_penalty`](super::Layer::activity_penalty), and its backward pass adds the penalties' gradients. Without
    /// this declaration, an activity regularizer of a nested layer is an error in `compile`.
    #[must_use]
    pub fn nested_penalties(mut self) -> Self {
        self.nested_penalties = true;
        self
    }

    /// Records an error for `compile` to return; saved models that contain it still load.
    pub(crate) fn refused(mut self, expected: &'static str, got: String) -> Self {
        self.refusal.get_or_insert_with(|| Box::new(Problem { expected, got }));
        self
    }

    /// Whether the arrays of parameters and state have the shapes of those of `other`.
    pub(crate) fn has_params_of(&self, other: &Self) -> bool {
        let shapes = |plan: &Self| {
            let params = plan.params.iter().map(|param| param.shape.clone());
            params.chain(plan.state.iter().map(|state| state.shape.clone())).collect::<Vec<_>>()
        };
        shapes(self) == shapes(other)
    }

    /// The plan of a layer that sees no mask.
    #[cfg(feature = "testing")]
    pub(crate) fn without_masks(mut self) -> Self {
        self.mask = MaskOut::Ends;
        self.uses_mask = false;
        self
    }

    /// Sets the mask of the output of a merge layer, whose inputs are joined.
    pub(crate) fn joined(mut self, mask: Option<Shape>) -> Self {
        self.mask = mask.map_or(MaskOut::Ends, MaskOut::Made);
        self
    }

    /// Adds a nested layer, which the outer layer calls. Its parameters, state and cache follow those declared so far;
    /// [`Plan::nested_layers`] returns the ranges. A nested layer that declares an activation is an error in `compile`,
    /// because only a container applies activations.
    #[must_use]
    pub fn nested(mut self, name: impl Into<String>, plan: Self) -> Self {
        let name = name.into();
        if plan.activation != Activation::Linear && self.problem.is_none() {
            let got = format!(
                "the activation {} of the nested layer {name:?}, which only a container applies; remove it there and \
                 add an ActivationLayer after the layer",
                plan.activation
            );
            let expected = "nested layers without an activation";
            self.problem = Some(Box::new(Problem { expected, got }));
        }
        self.nested_activated(name, plan)
    }

    /// As [`nested`](Self::nested), for an outer layer that itself applies and differentiates the activation of the nested
    /// layer.
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
        self.synchronizes |= plan.synchronizes;
        self.problem = self.problem.or_else(|| plan.problem.clone());
        self.refusal = self.refusal.or_else(|| plan.refusal.clone());
        if matches!(plan.mask, MaskOut::Made(_)) && self.problem.is_none() {
            let got = format!(
                "the mask of the nested layer {name:?}, which cannot leave the outer layer; add the nested layer to the \
                 network directly"
            );
            self.problem = Some(Box::new(Problem { expected: "nested layers that compute no mask", got }));
        }
        self = self.require_batch_size(plan.batch);
        let (cache_per_sample, cache_per_batch) = (self.cache_per_sample, self.cache_per_batch);
        self.cache_per_sample = cache_per_sample.saturating_add(plan.cache_per_sample);
        self.cache_per_batch = cache_per_batch.saturating_add(plan.cache_per_batch);
        let params = params..params.saturating_add(plan.params_len());
        let state = state..state.saturating_add(plan.state_len());
        self.nested.push(Nested { name, plan, params, state, cache_per_sample, cache_per_batch });
        self
    }

    /// Errors if one sample of the output, the parameters, the state or the cache is larger than any memory. Sizes that passed
    /// this check may be multiplied by small numbers without overflow, in the plan of the layer that follows, say.
    pub(crate) fn check_size(&self, owner: &str) -> Result<()> {
        let parts = [self.params_len(), self.state_len(), self.cache_len(1), self.output.size()];
        let elements = parts.into_iter().fold(0, usize::saturating_add);
        if elements <= MAX_ELEMENTS {
            return Ok(());
        }
        Err(Error::OutOfMemory { what: owner.into(), bytes: elements.saturating_mul(size_of::<f64>()) })
    }

    /// The input shape of a sample.
    #[must_use]
    pub fn input_shape(&self) -> &Shape {
        &self.input
    }

    /// The output shape of a sample.
    #[must_use]
    pub fn output_shape(&self) -> &Shape {
        &self.output
    }

    /// The trainable arrays, in order.
    #[must_use]
    pub fn params(&self) -> &[ParamSpec] {
        &self.params
    }

    /// The number of trainable parameters, saturating at `usize::MAX`.
    #[must_use]
    pub fn params_len(&self) -> usize {
        self.params.iter().fold(0, |len: usize, param| len.saturating_add(param.shape.size()))
    }

    /// The arrays of state, in order.
    #[must_use]
    pub fn state_specs(&self) -> &[StateSpec] {
        &self.state
    }

    /// The number of state values, saturating at `usize::MAX`.
    #[must_use]
    pub fn state_len(&self) -> usize {
        self.state.iter().fold(0, |len: usize, part| len.saturating_add(part.shape.size()))
    }

    /// The length of the cache for a batch of `batch` samples, saturating at `usize::MAX`.
    #[must_use]
    pub fn cache_len(&self, batch: usize) -> usize {
        self.cache_per_sample.saturating_mul(batch).saturating_add(self.cache_per_batch)
    }

    /// Whether each sample's output depends on that sample alone.
    #[must_use]
    pub fn rows_independent(&self) -> bool {
        self.rows_independent
    }

    /// Whether the layer, or one nested in it, [`synchronizes`](Self::synchronizes).
    #[must_use]
    pub fn declares_synchronizing(&self) -> bool {
        self.synchronizes
    }

    /// The declared activation.
    #[must_use]
    pub fn declared_activation(&self) -> Activation {
        self.activation
    }

    /// The declared activity regularizer.
    #[must_use]
    pub fn declared_activity_regularizer(&self) -> Option<&Regularizer> {
        self.activity_regularizer.as_ref()
    }

    /// The exclusive upper bound of the input indices, if the layer looks up indices.
    #[must_use]
    pub fn declared_indices(&self) -> Option<usize> {
        self.indices
    }

    /// Whether the layer only copies, moves or zero-pads input values.
    #[must_use]
    pub fn declares_rearranging(&self) -> bool {
        self.rearranges
    }

    /// The exclusive upper bound of the indices in the input of a chain of layers, if one layer looks up indices and all
    /// layers before it only rearrange.
    pub(crate) fn indices_of_chain<'a>(plans: impl IntoIterator<Item = &'a Self>) -> Option<usize> {
        for plan in plans {
            if plan.indices.is_some() || !plan.rearranges {
                return plan.indices;
            }
        }
        None
    }

    /// The length of the parameter rows whose gradients [`Layer::gradient`](super::Layer::gradient) computes separately.
    #[must_use]
    pub fn declared_gradient_rows(&self) -> Option<usize> {
        self.gradient_rows
    }

    /// Whether [`Layer::gradient`](super::Layer::gradient) supports [`add`](super::Gradient::add).
    #[must_use]
    pub fn declares_adding_gradients(&self) -> bool {
        self.adds_gradients
    }

    /// The batch size that carried state requires, if any.
    #[must_use]
    pub fn batch_size(&self) -> Option<usize> {
        self.batch
    }

    /// Whether the layer uses the padding mask of its input.
    #[must_use]
    pub fn declares_using_mask(&self) -> bool {
        self.uses_mask
    }

    /// Whether the mask of the input applies to the output.
    #[must_use]
    pub fn declares_passing_mask(&self) -> bool {
        self.mask == MaskOut::Passes
    }

    /// The shape of the mask that the layer computes, if it does.
    #[must_use]
    pub fn mask_shape(&self) -> Option<&Shape> {
        match &self.mask {
            MaskOut::Made(shape) | MaskOut::Derived(shape) => Some(shape),
            MaskOut::Ends | MaskOut::Passes => None,
        }
    }

    /// Whether the layer reads sequences in reverse.
    #[must_use]
    pub fn declares_reading_backwards(&self) -> bool {
        self.reads_backwards
    }

    /// Whether the layer scans a sequence, as recurrent layers do.
    #[must_use]
    pub fn declares_reading_sequence(&self) -> bool {
        self.reads_sequence
    }

    /// Whether the layer, or one inside it, scans a sequence step by step.
    pub(crate) fn scans_sequence(&self) -> bool {
        self.reads_sequence || self.nested.iter().any(|nested| nested.plan.scans_sequence())
    }

    /// Whether the layer handles the activity regularizers of its nested layers.
    #[must_use]
    pub fn declares_nested_penalties(&self) -> bool {
        self.nested_penalties
    }

    /// Whether the layer or a nested layer has an activity regularizer.
    pub(crate) fn penalizes_outputs(&self) -> bool {
        self.activity_regularizer.is_some() || self.penalizes_nested_outputs()
    }

    /// Whether a nested layer has an activity regularizer.
    pub(crate) fn penalizes_nested_outputs(&self) -> bool {
        self.nested.iter().any(|nested| nested.plan.penalizes_outputs())
    }

    /// The error, besides [`problem`](Self::problem), that `compile` returns: expected and actual.
    pub(crate) fn refusal(&self) -> Option<(&'static str, String)> {
        if let Some(refusal) = &self.refusal {
            return Some((refusal.expected, refusal.got.clone()));
        }
        let inside = || self.nested.iter().find_map(|nested| nested.plan.refusal());
        if self.penalizes_nested_outputs() && !self.nested_penalties {
            let name =
                self.nested.iter().find(|nested| nested.plan.penalizes_outputs()).map(|nested| &nested.name);
            let got = format!(
                "an activity regularizer of its nested layer {:?}, which would be ignored; implement \
                 Layer::activity_penalty and declare Plan::nested_penalties",
                name.map_or("", String::as_str)
            );
            return Some(("nested layers without an activity regularizer", got));
        }
        inside()
    }

    pub(crate) fn mask_out(&self) -> &MaskOut {
        &self.mask
    }

    /// The nested layers, with their ranges.
    #[must_use]
    pub fn nested_layers(&self) -> &[Nested] {
        &self.nested
    }

    /// The invalid declaration, if any, which `compile` reports.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.got.as_str())
    }

    /// What was expected instead of the [`problem`](Self::problem).
    pub(crate) fn expected(&self) -> &'static str {
        self.problem.as_ref().map_or("", |problem| problem.expected)
    }
}
