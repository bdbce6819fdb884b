//! [`Layout`]: the layers of a network, and the names, shapes and buffer ranges of their parameters and state.

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Layer, MaskOut, Nested, ParamSpec, Plan, Shape, StateSpec};
use crate::nn::regularizer::Regularizer;
use crate::parallel;
use crate::rng::{Purpose, Rng};
use std::ops::Range;
use std::sync::Arc;

/// One layer of the chain, with its plan and buffer ranges.
#[derive(Debug, Clone)]
pub(crate) struct Node<F> {
    pub(crate) layer: Arc<dyn Layer<F>>,
    /// Index and kind, as in messages and weight names: `"0.dense"`.
    pub(crate) name: String,
    /// Shared by all uses of the same layer with the same input shape.
    pub(crate) plan: Arc<Plan>,
    pub(crate) params: Range<usize>,
    pub(crate) state: Range<usize>,
    pub(crate) trainable: bool,
    /// Index of the layer that computes the mask of the input.
    pub(crate) mask: Option<usize>,
    /// Positions per sample of the mask that this layer computes; 0 if it computes none.
    pub(crate) made_mask: usize,
}

impl<F> Node<F> {
    pub(crate) fn input_len(&self) -> usize {
        self.plan.input_shape().size()
    }

    pub(crate) fn output_len(&self) -> usize {
        self.plan.output_shape().size()
    }

    pub(crate) fn activation(&self) -> Activation {
        self.plan.declared_activation()
    }
}

/// One named array of the parameters or of the state.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    /// `"0.dense/kernel"`.
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) range: Range<usize>,
    /// Whether the range lies in the state, not in the parameters.
    pub(crate) in_state: bool,
    /// Whether the optimizer updates it.
    pub(crate) trainable: bool,
    /// Whether it is state carried from batch to batch.
    pub(crate) carried: bool,
    pub(crate) initializer: Initializer,
    pub(crate) regularizer: Option<Regularizer>,
    pub(crate) constraint: Option<Constraint>,
}

/// A chain of layers with the layout of its buffers. Immutable.
#[derive(Debug, Clone)]
pub(crate) struct Layout<F> {
    pub(crate) input: Shape,
    pub(crate) nodes: Vec<Node<F>>,
    /// In Keras's order: for each layer the trainable arrays, then its state.
    pub(crate) variables: Vec<Variable>,
    pub(crate) params_len: usize,
    pub(crate) state_len: usize,
    /// Index of the layer that computes the mask of the output.
    pub(crate) output_mask: Option<usize>,
    /// The batch size that carried state requires, with the name of the first layer that requires it.
    pub(crate) batch: Option<(usize, String)>,
}

impl<F: Float> Layout<F> {
    /// The layout of a model whose input shape is not known yet.
    pub(crate) fn without_layers() -> Self {
        Self {
            input: Shape::from(Vec::new()),
            nodes: Vec::new(),
            variables: Vec::new(),
            params_len: 0,
            state_len: 0,
            output_mask: None,
            batch: None,
        }
    }

    /// Plans the layers in order; errors name the layer.
    pub(crate) fn new(input: Shape, layers: &[(Arc<dyn Layer<F>>, bool)]) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::invalid_parameter("Sequential", "layers", 0, "at least 1 layer; add one"));
        }
        if input.size() == 0 {
            return Err(Error::shape("Sequential: input shape", "axes of at least 1", &input));
        }
        let mut layout = Self {
            input: input.clone(),
            nodes: Vec::with_capacity(layers.len()),
            variables: Vec::new(),
            params_len: 0,
            state_len: 0,
            output_mask: None,
            batch: None,
        };
        let mut shape = input;
        for (index, (layer, trainable)) in layers.iter().enumerate() {
            let name = format!("{index}.{}", layer.kind());
            let plan = match layout.planned(layer, &shape) {
                Some(plan) => plan,
                None => {
                    let plan = layer.plan(&shape).map_err(|error| error.in_layer(&name))?.input(shape);
                    check_plan(&name, &plan)?;
                    // Clone to drop unused vector capacity.
                    Arc::new(plan.clone())
                }
            };
            layout.check_mask(&name, &plan)?;
            layout.require_batch_size(&name, &plan)?;
            shape = plan.output_shape().clone();
            layout.push(layer.clone(), name, plan, *trainable)?;
        }
        let arrays = layout.nodes.iter().map(|node| node.plan.params().len() + node.plan.state_specs().len());
        layout.variables = Vec::with_capacity(arrays.sum());
        for index in 0..layout.nodes.len() {
            layout.push_variables(index);
        }
        Ok(layout)
    }

    /// Records the batch size that the layer requires; errors if a previous layer requires another one.
    fn require_batch_size(&mut self, name: &str, plan: &Plan) -> Result<()> {
        match (plan.batch_size(), &self.batch) {
            (Some(batch), None) => self.batch = Some((batch, name.into())),
            (Some(batch), Some((first, owner))) if batch != *first => {
                let expected = format!("{first}, the batch size of the stateful layer {owner}");
                return Err(Error::invalid_parameter(format!("layer {name}"), "stateful", batch, expected));
            }
            _ => {}
        }
        Ok(())
    }

    /// The batch size for `samples` samples: `requested`, or, in a stateful network, its fixed batch size, which must divide
    /// `samples`.
    pub(crate) fn batch_size(&self, what: &str, samples: usize, requested: usize) -> Result<usize> {
        match &self.batch {
            None => Ok(requested),
            Some((batch, _)) if samples.is_multiple_of(*batch) => Ok(*batch),
            Some((batch, owner)) => {
                let expected =
                    format!("a multiple of {batch} samples, the batch size of the stateful layer {owner}");
                Err(Error::shape(what, expected, format!("{samples} samples")))
            }
        }
    }

    /// Errors if the batch size differs from the one that a stateful network requires.
    pub(crate) fn check_batch_size(&self, what: &str, samples: usize, batch_size: usize) -> Result<()> {
        let needed = self.batch_size(what, samples, batch_size)?;
        if needed == batch_size {
            return Ok(());
        }
        let owner = self.batch.as_ref().map_or("", |(_, owner)| owner.as_str());
        let expected = format!("{needed}, the batch size of the stateful layer {owner}");
        Err(Error::invalid_parameter(what, "batch_size", batch_size, expected))
    }

    /// The ranges of the state that are carried from batch to batch.
    pub(crate) fn carried(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.variables.iter().filter(|variable| variable.carried).map(|variable| variable.range.clone())
    }

    /// The shape of the mask of the current output.
    fn mask_shape(&self) -> Option<&Shape> {
        self.nodes[self.output_mask?].plan.mask_shape()
    }

    /// Errors if the mask of the layer's input or output does not cover the axes that it must.
    fn check_mask(&self, name: &str, plan: &Plan) -> Result<()> {
        let (owner, incoming) = (format!("layer {name}"), self.mask_shape());
        if let Some(mask) = incoming.filter(|_| plan.declares_using_mask()) {
            let dims = plan.input_shape().dims();
            let leading = Shape::from(&dims[..dims.len().saturating_sub(1)]);
            if mask != &leading {
                let expected = format!("a mask over {leading}, all axes of its samples but the last");
                return Err(Error::shape(owner, expected, format!("a mask over {mask}")));
            }
        }
        let outgoing = if plan.declares_passing_mask() { incoming } else { plan.mask_shape() };
        match outgoing {
            Some(mask) if !plan.output_shape().dims().starts_with(mask.dims()) => {
                let expected = format!("a mask over leading axes of its output {}", plan.output_shape());
                Err(Error::shape(owner, expected, format!("a mask over {mask}")))
            }
            _ => Ok(()),
        }
    }

    /// The plan of an earlier use of the same layer with the same input shape.
    fn planned(&self, layer: &Arc<dyn Layer<F>>, input: &Shape) -> Option<Arc<Plan>> {
        let same = |node: &&Node<F>| Arc::ptr_eq(&node.layer, layer) && node.plan.input_shape() == input;
        self.nodes.iter().rev().find(same).map(|node| node.plan.clone())
    }

    /// Appends a layer; errors if the network then has more than [`MAX_ELEMENTS`] parameters.
    fn push(
        &mut self,
        layer: Arc<dyn Layer<F>>,
        name: String,
        plan: Arc<Plan>,
        trainable: bool,
    ) -> Result<()> {
        let (params, state) = (self.params_len, self.state_len);
        self.params_len = params.saturating_add(plan.params_len());
        self.state_len = state.saturating_add(plan.state_len());
        let largest = self.params_len.max(self.state_len);
        if largest > MAX_ELEMENTS {
            let what = format!("the layers up to {name}");
            return Err(Error::OutOfMemory { what, bytes: largest.saturating_mul(size_of::<F>()) });
        }
        let (params, state) = (params..self.params_len, state..self.state_len);
        let (index, mask) = (self.nodes.len(), self.output_mask);
        let makes = match plan.mask_out() {
            MaskOut::Ends | MaskOut::Passes => false,
            MaskOut::Made(_) => true,
            MaskOut::Derived(_) => mask.is_some(),
        };
        let made_mask = plan.mask_shape().filter(|_| makes).map_or(0, Shape::size);
        self.output_mask = if plan.declares_passing_mask() { mask } else { makes.then_some(index) };
        self.nodes.push(Node { layer, name, plan, params, state, trainable, mask, made_mask });
        Ok(())
    }

    /// Appends the variables of a layer.
    fn push_variables(&mut self, index: usize) {
        let Node { name, plan, params, state, trainable, .. } = &self.nodes[index];
        let (mut params, mut state) = (params.start, state.start);
        for spec in plan.params() {
            let range = params..params + spec.shape.size();
            params = range.end;
            self.variables.push(Variable {
                name: format!("{name}/{}", spec.name),
                shape: spec.shape.clone(),
                range,
                in_state: false,
                trainable: *trainable,
                carried: false,
                initializer: spec.initializer.clone(),
                regularizer: spec.regularizer,
                constraint: spec.constraint,
            });
        }
        for spec in plan.state_specs() {
            let range = state..state + spec.shape.size();
            state = range.end;
            self.variables.push(Variable {
                name: format!("{name}/{}", spec.name),
                shape: spec.shape.clone(),
                range,
                in_state: true,
                trainable: false,
                carried: spec.carried,
                initializer: spec.initializer.clone(),
                regularizer: None,
                constraint: None,
            });
        }
    }

    /// Approximate overhead of a layer in bytes, in the layout and the optimizer state, without its weights. The plan counts
    /// only if the layer is new.
    pub(crate) fn bytes_of(index: usize, kind: &str, plan: &Plan, is_new: bool) -> u64 {
        let text = |name: &str| index.to_string().len() + kind.len() + name.len() + 2;
        let array = |name: &str, shape: &Shape| size_of::<Variable>() + text(name) + 8 * shape.rank();
        let arrays =
            plan.params().iter().map(|spec| array(&spec.name, &spec.shape) + OPTIMIZER_STATE_BYTES / 2);
        let state = plan.state_specs().iter().map(|spec| array(&spec.name, &spec.shape));
        let node =
            size_of::<Node<F>>() + size_of::<(Arc<dyn Layer<F>>, bool)>() + text("") + OPTIMIZER_STATE_BYTES;
        let plan = if is_new { plan_bytes(plan) } else { 0 };
        (node + arrays.chain(state).sum::<usize>() + plan) as u64
    }

    /// The output shape of one sample.
    pub(crate) fn output(&self) -> &Shape {
        self.nodes.last().map_or(&self.input, |node| node.plan.output_shape())
    }

    /// Approximate cost of a forward pass per sample, in multiply-adds; moving a value counts as `OPS_PER_MOVE` of them.
    pub(crate) fn operations(&self) -> usize {
        let moved = self.nodes.iter().fold(0, |sum: usize, node| {
            sum.saturating_add(node.input_len()).saturating_add(node.output_len())
        });
        moved.saturating_mul(parallel::thresholds::OPS_PER_MOVE).saturating_add(self.params_len)
    }

    /// Allocates and initializes parameters and state.
    pub(crate) fn initialize(&self, seed: u64) -> Result<(Buffer<F>, Buffer<F>)> {
        let mut params = Buffer::zeros("the parameters", self.params_len)?;
        let mut state = Buffer::zeros("the state", self.state_len)?;
        self.initialize_into(seed, &mut params, &mut state);
        Ok((params, state))
    }

    /// Initializes parameters and state. Each array has its own random stream, so its values do not depend on the other
    /// arrays.
    pub(crate) fn initialize_into(&self, seed: u64, params: &mut [F], state: &mut [F]) {
        for (index, variable) in self.variables.iter().enumerate() {
            let mut rng = Rng::new(seed, Purpose::Initialization, index as u64);
            let buffer = if variable.in_state { &mut *state } else { &mut *params };
            variable.initializer.fill(variable.shape.dims(), &mut rng, &mut buffer[variable.range.clone()]);
        }
    }

    /// The ranges of trainable parameters, adjacent ones merged.
    pub(crate) fn trainable_ranges(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for variable in self.variables.iter().filter(|variable| variable.trainable) {
            match runs.last_mut() {
                Some(run) if run.end == variable.range.start => run.end = variable.range.end,
                _ => runs.push(variable.range.clone()),
            }
        }
        runs
    }
}

/// Approximate size in bytes of the optimizer's bookkeeping for a layer; half of it for each array.
const OPTIMIZER_STATE_BYTES: usize = 150;

/// Size of a plan in bytes, including nested plans.
fn plan_bytes(plan: &Plan) -> usize {
    let spec = |name: &str, shape: &Shape| name.len() + 8 * shape.rank();
    let params = plan.params().iter().map(|param| size_of::<ParamSpec>() + spec(&param.name, &param.shape));
    let state =
        plan.state_specs().iter().map(|state| size_of::<StateSpec>() + spec(&state.name, &state.shape));
    let nested = plan.nested_layers().iter().map(|nested| size_of::<Nested>() + plan_bytes(&nested.plan));
    let shapes = 8 * (plan.input_shape().rank() + plan.output_shape().rank());
    size_of::<Plan>() + shapes + params.chain(state).chain(nested).sum::<usize>()
}

/// Errors if a plan is inconsistent or needs more than [`MAX_ELEMENTS`] values.
fn check_plan(name: &str, plan: &Plan) -> Result<()> {
    let owner = format!("layer {name}");
    if let Some(problem) = plan.problem() {
        return Err(Error::shape(owner, plan.expected(), problem));
    }
    if let Some(len) = plan.declared_gradient_rows()
        && plan.params_len().checked_rem(len) != Some(0)
    {
        let expected = format!("a multiple of {len} parameters, the row length declared by gradient_rows");
        return Err(Error::shape(owner, expected, plan.params_len()));
    }
    if plan.output_shape().size() == 0 {
        return Err(Error::shape(owner, "an output with axes of at least 1", plan.output_shape()));
    }
    plan.declared_activation().validate().map_err(|error| error.in_layer(name))?;
    for spec in plan.params() {
        spec.initializer.validate_for(spec.shape.dims()).map_err(|error| error.in_layer(name))?;
        if let Some(regularizer) = spec.regularizer {
            regularizer.validate(&format!("{owner}/{}", spec.name))?;
        }
        if let Some(constraint) = spec.constraint {
            constraint.validate(&format!("{owner}/{}", spec.name))?;
        }
    }
    if let Some(regularizer) = plan.declared_activity_regularizer() {
        regularizer.validate(&owner)?;
    }
    let elements = plan.params_len().saturating_add(plan.state_len()).saturating_add(plan.cache_len(1));
    let elements = elements.saturating_add(plan.output_shape().size());
    if elements > MAX_ELEMENTS {
        return Err(Error::OutOfMemory { what: owner, bytes: elements.saturating_mul(8) });
    }
    Ok(())
}

/// Maximum number of parameters, and of state values, of a network: as many `f64` as one allocation holds (2^28 values
/// where `usize` has 32 bits), and at most 2^48, more than any machine has memory for.
const MAX_ELEMENTS: usize = {
    let addressable = isize::MAX as u64 / size_of::<f64>() as u64;
    (if addressable < 1 << 48 { addressable } else { 1 << 48 }) as usize
};

/// Allocates `len` zeros; errors if memory is insufficient.
pub(crate) fn zeros<F: Float>(what: &str, len: usize) -> Result<Vec<F>> {
    let mut values = Vec::new();
    let refused = |_| Error::OutOfMemory { what: what.into(), bytes: len.saturating_mul(size_of::<F>()) };
    values.try_reserve_exact(len).map_err(refused)?;
    values.resize(len, F::zero());
    Ok(values)
}
