//! Where everything lies: the layers in order, and the names, shapes and ranges of all their numbers.

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

/// One layer in its place.
#[derive(Debug, Clone)]
pub(crate) struct Node<F> {
    pub(crate) layer: Arc<dyn Layer<F>>,
    /// `"0.dense"`: the place and the kind, as messages and weight names have it.
    pub(crate) name: String,
    /// Layers that are one and get samples of one shape share it.
    pub(crate) plan: Arc<Plan>,
    pub(crate) params: Range<usize>,
    pub(crate) state: Range<usize>,
    pub(crate) trainable: bool,
    /// The layer that made the mask of the input, by its index.
    pub(crate) mask: Option<usize>,
    /// How many positions of a sample the mask covers that this layer makes; 0 where it makes none.
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
    /// Whether the optimizer moves it.
    pub(crate) trainable: bool,
    /// Whether it is what a batch leaves to the next one.
    pub(crate) carried: bool,
    pub(crate) initializer: Initializer,
    pub(crate) regularizer: Option<Regularizer>,
    pub(crate) constraint: Option<Constraint>,
}

/// A chain of layers with the layout of its numbers. Immutable once made.
#[derive(Debug, Clone)]
pub(crate) struct Layout<F> {
    pub(crate) input: Shape,
    pub(crate) nodes: Vec<Node<F>>,
    /// In Keras's order: for each layer the trainable arrays, then its state.
    pub(crate) variables: Vec<Variable>,
    pub(crate) params_len: usize,
    pub(crate) state_len: usize,
    /// The layer that made the mask of the output, by its index.
    pub(crate) output_mask: Option<usize>,
    /// The size of the batches, where they leave something to the next one; and the first layer that says so.
    pub(crate) batch: Option<(usize, String)>,
}

impl<F: Float> Layout<F> {
    /// Plans every layer in turn; an error names the layer.
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
                    // A copy has no room to grow.
                    Arc::new(plan.clone())
                }
            };
            layout.check_mask(&name, &plan)?;
            layout.note_batch(&name, &plan)?;
            shape = plan.output_shape().clone();
            layout.push(layer.clone(), name, plan, *trainable)?;
        }
        let arrays = layout.nodes.iter().map(|node| node.plan.params().len() + node.plan.state_specs().len());
        layout.variables = Vec::with_capacity(arrays.sum());
        for index in 0..layout.nodes.len() {
            layout.name_variables(index);
        }
        Ok(layout)
    }

    /// Refuses a layer that wants batches of another size than one before.
    fn note_batch(&mut self, name: &str, plan: &Plan) -> Result<()> {
        match (plan.declared_batch(), &self.batch) {
            (Some(batch), None) => self.batch = Some((batch, name.into())),
            (Some(batch), Some((first, owner))) if batch != *first => {
                let expected =
                    format!("{first}, the size of the batches that layer {owner} is stateful over");
                return Err(Error::invalid_parameter(format!("layer {name}"), "stateful", batch, expected));
            }
            _ => {}
        }
        Ok(())
    }

    /// The size of the batches in which so many samples pass: the one asked for, unless the network is stateful over
    /// batches of one size, which must divide the samples.
    pub(crate) fn batch_size(&self, what: &str, samples: usize, asked: usize) -> Result<usize> {
        match &self.batch {
            None => Ok(asked),
            Some((batch, _)) if samples.is_multiple_of(*batch) => Ok(*batch),
            Some((batch, owner)) => {
                let expected =
                    format!("a multiple of {batch} samples, the batches that layer {owner} is stateful over");
                Err(Error::shape(what, expected, format!("{samples} samples")))
            }
        }
    }

    /// Refuses batches of another size than that over which the network is stateful.
    pub(crate) fn check_batch_size(&self, what: &str, samples: usize, batch_size: usize) -> Result<()> {
        let needed = self.batch_size(what, samples, batch_size)?;
        if needed == batch_size {
            return Ok(());
        }
        let owner = self.batch.as_ref().map_or("", |(_, owner)| owner.as_str());
        let expected = format!("{needed}, the size of the batches that layer {owner} is stateful over");
        Err(Error::invalid_parameter(what, "batch_size", batch_size, expected))
    }

    /// Where in the state that lies which a batch leaves to the next one.
    pub(crate) fn carried(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.variables.iter().filter(|variable| variable.carried).map(|variable| variable.range.clone())
    }

    /// The shape of the mask that the layers so far leave behind.
    fn mask_shape(&self) -> Option<&Shape> {
        self.nodes[self.output_mask?].plan.declared_mask()
    }

    /// Refuses a layer that the mask of its input does not suit, or whose mask does not suit its output.
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
        let outgoing = if plan.declares_passing_mask() { incoming } else { plan.declared_mask() };
        match outgoing {
            Some(mask) if !plan.output_shape().dims().starts_with(mask.dims()) => {
                let expected = format!("a mask over leading axes of its output {}", plan.output_shape());
                Err(Error::shape(owner, expected, format!("a mask over {mask}")))
            }
            _ => Ok(()),
        }
    }

    /// The plan of the same layer, for samples of the same shape.
    fn planned(&self, layer: &Arc<dyn Layer<F>>, input: &Shape) -> Option<Arc<Plan>> {
        let same = |node: &&Node<F>| Arc::ptr_eq(&node.layer, layer) && node.plan.input_shape() == input;
        self.nodes.iter().rev().find(same).map(|node| node.plan.clone())
    }

    /// Appends a layer; refuses one with which the network has more than [`MOST_NUMBERS`] parameters.
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
        if largest > MOST_NUMBERS {
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
        let made_mask = plan.declared_mask().filter(|_| makes).map_or(0, Shape::size);
        self.output_mask = if plan.declares_passing_mask() { mask } else { makes.then_some(index) };
        self.nodes.push(Node { layer, name, plan, params, state, trainable, mask, made_mask });
        Ok(())
    }

    /// Adds the arrays of a layer.
    fn name_variables(&mut self, index: usize) {
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

    /// About how many bytes a layer takes in a layout and in the updater of a network, however few its weights; the plan
    /// of a layer that is there already is not made again.
    pub(crate) fn bytes_of(index: usize, kind: &str, plan: &Plan, is_new: bool) -> u64 {
        let text = |name: &str| index.to_string().len() + kind.len() + name.len() + 2;
        let array = |name: &str, shape: &Shape| size_of::<Variable>() + text(name) + 8 * shape.rank();
        let arrays = plan.params().iter().map(|spec| array(&spec.name, &spec.shape) + IN_UPDATER / 2);
        let state = plan.state_specs().iter().map(|spec| array(&spec.name, &spec.shape));
        let node = size_of::<Node<F>>() + size_of::<(Arc<dyn Layer<F>>, bool)>() + text("") + IN_UPDATER;
        let plan = if is_new { plan_bytes(plan) } else { 0 };
        (node + arrays.chain(state).sum::<usize>() + plan) as u64
    }

    /// The shape of one sample's answer.
    pub(crate) fn output(&self) -> &Shape {
        self.nodes.last().map_or(&self.input, |node| node.plan.output_shape())
    }

    /// About what a sample costs on its way through, in multiply-adds; to move a number counts as many of them.
    pub(crate) fn operations(&self) -> usize {
        let moved = self.nodes.iter().fold(0, |sum: usize, node| {
            sum.saturating_add(node.input_len()).saturating_add(node.output_len())
        });
        moved.saturating_mul(parallel::thresholds::OPS_PER_MOVE).saturating_add(self.params_len)
    }

    /// Fresh parameters and state.
    pub(crate) fn initialize(&self, seed: u64) -> Result<(Buffer<F>, Buffer<F>)> {
        let mut params = Buffer::zeros("the parameters", self.params_len)?;
        let mut state = Buffer::zeros("the state", self.state_len)?;
        self.initialize_into(seed, &mut params, &mut state);
        Ok((params, state))
    }

    /// Makes parameters and state fresh again. Each array has random numbers of its own, so that they do not
    /// depend on one another.
    pub(crate) fn initialize_into(&self, seed: u64, params: &mut [F], state: &mut [F]) {
        for (index, variable) in self.variables.iter().enumerate() {
            let mut rng = Rng::new(seed, Purpose::Initialization, index as u64);
            let buffer = if variable.in_state { &mut *state } else { &mut *params };
            variable.initializer.fill(variable.shape.dims(), &mut rng, &mut buffer[variable.range.clone()]);
        }
    }

    /// The runs of parameters that the optimizer moves, as long as they can be.
    pub(crate) fn trainable_runs(&self) -> Vec<Range<usize>> {
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

/// About what the updater keeps for a layer, and for each of its arrays.
const IN_UPDATER: usize = 150;

/// The bytes of a plan, with the plans inside of it.
fn plan_bytes(plan: &Plan) -> usize {
    let spec = |name: &str, shape: &Shape| name.len() + 8 * shape.rank();
    let params = plan.params().iter().map(|param| size_of::<ParamSpec>() + spec(&param.name, &param.shape));
    let state =
        plan.state_specs().iter().map(|state| size_of::<StateSpec>() + spec(&state.name, &state.shape));
    let nested = plan.nested_layers().iter().map(|nested| size_of::<Nested>() + plan_bytes(&nested.plan));
    let shapes = 8 * (plan.input_shape().rank() + plan.output_shape().rank());
    size_of::<Plan>() + shapes + params.chain(state).chain(nested).sum::<usize>()
}

/// Refuses a plan that was put together wrongly or that needs more numbers than there can be.
fn check_plan(name: &str, plan: &Plan) -> Result<()> {
    let owner = format!("layer {name}");
    if let Some(problem) = plan.problem() {
        return Err(Error::shape(owner, plan.expected(), problem));
    }
    if let Some(len) = plan.declared_gradient_rows()
        && plan.params_len().checked_rem(len) != Some(0)
    {
        let expected = format!("parameters in rows of {len}, as it declares by gradient_rows");
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
    let numbers = plan.params_len().saturating_add(plan.state_len()).saturating_add(plan.cache_len(1));
    let numbers = numbers.saturating_add(plan.output_shape().size());
    if numbers > MOST_NUMBERS {
        return Err(Error::OutOfMemory { what: owner, bytes: numbers.saturating_mul(8) });
    }
    Ok(())
}

/// The most values that a network can have: as many `f64` as one allocation holds (2^28 values where `usize` has 32 bits),
/// and at most 2^48, more than any machine has memory for.
const MOST_NUMBERS: usize = {
    let addressable = isize::MAX as u64 / size_of::<f64>() as u64;
    (if addressable < 1 << 48 { addressable } else { 1 << 48 }) as usize
};

/// Zeros, or an error where the memory is not to be had.
pub(crate) fn zeros<F: Float>(what: &str, len: usize) -> Result<Vec<F>> {
    let mut values = Vec::new();
    let refused = |_| Error::OutOfMemory { what: what.into(), bytes: len.saturating_mul(size_of::<F>()) };
    values.try_reserve_exact(len).map_err(refused)?;
    values.resize(len, F::zero());
    Ok(values)
}
