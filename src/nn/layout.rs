//! [`Layout`]: the layers of a network and their connections, and the names, shapes and buffer ranges of their parameters and state.

mod build;
mod joined;
mod plan_check;

#[cfg(all(test, feature = "testing"))]
mod extreme_sizes;

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
pub(crate) use crate::float::zeros::zeros;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Layer, MAX_ELEMENTS, Nested, ParamSpec, Plan, Shape, StateSpec};
use crate::nn::node::Merge;
use crate::nn::regularizer::Regularizer;
use crate::parallel;
use crate::rng::{Purpose, Rng};
use std::ops::Range;
use std::sync::Arc;

/// Where the input of a layer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// An input of the network.
    Input(usize),
    /// The output of an earlier layer.
    Node(usize),
}

/// An input of a network.
#[derive(Debug, Clone)]
pub(crate) struct NetworkInput {
    /// Empty in a chain, whose input has no name.
    pub(crate) name: String,
    /// The shape of one sample.
    pub(crate) shape: Shape,
    /// The exclusive upper bound of the values, if they reach an embedding unchanged and thus are indices.
    pub(crate) indices: Option<usize>,
}

/// A layer or a merge layer.
#[derive(Debug, Clone)]
pub(crate) enum Operation<F> {
    Layer(Arc<dyn Layer<F>>),
    Merge(Arc<dyn Merge<F>>),
}

/// A layer of a chain that is to be planned.
#[derive(Debug, Clone)]
pub(crate) struct ChainLayer<F> {
    pub(crate) layer: Arc<dyn Layer<F>>,
    pub(crate) trainable: bool,
    pub(crate) name: Option<String>,
}

/// A layer of a network that is to be planned.
#[derive(Debug, Clone)]
pub(crate) struct LayerSpec<F> {
    pub(crate) operation: Operation<F>,
    pub(crate) inputs: Vec<Source>,
    pub(crate) trainable: bool,
    /// The name, if it is not position and kind.
    pub(crate) name: Option<String>,
    /// The earlier layer whose weights it uses.
    pub(crate) shares: Option<usize>,
}

/// One layer of a network, with its plan and buffer ranges.
#[derive(Debug, Clone)]
pub(crate) struct PlannedLayer<F> {
    /// A merge layer is a [`Joined`] layer.
    pub(crate) layer: Arc<dyn Layer<F>>,
    /// What a merge layer has besides.
    pub(crate) merging: Option<Box<Merging<F>>>,
    /// As in messages and weight names: the given name, or position and kind as in `"0.dense"`.
    pub(crate) name: String,
    pub(crate) is_named: bool,
    /// Shared by all uses of the same layer with the same input shape.
    pub(crate) plan: Arc<Plan>,
    pub(crate) inputs: Vec<Source>,
    pub(crate) params: Range<usize>,
    pub(crate) state: Range<usize>,
    /// The first layer with the same weights, if they are shared and it is an earlier one.
    pub(crate) shares: Option<usize>,
    /// Whether another layer uses the same weights.
    pub(crate) is_shared: bool,
    pub(crate) trainable: bool,
    /// Positions per sample of the mask that this layer computes; 0 if it computes none.
    pub(crate) made_mask: usize,
    /// Index of the layer that computes the mask of the output.
    pub(crate) output_mask: Option<usize>,
}

/// A merge layer, and the sizes of the inputs that are joined for it.
#[derive(Debug, Clone)]
pub(crate) struct Merging<F> {
    pub(crate) merge: Arc<dyn Merge<F>>,
    /// The number of columns of each input.
    input_lens: Vec<usize>,
    /// For each input, its number of positions in the joined mask; empty if no input has a mask.
    mask_lens: Vec<usize>,
}

impl<F> PlannedLayer<F> {
    /// The steps of a layer that scans a sequence.
    fn scanned_steps(&self) -> Option<usize> {
        self.plan.input_shape().dims().first().copied().filter(|_| self.plan.scans_sequence())
    }

    /// The merge layer, if it is one.
    pub(crate) fn merge(&self) -> Option<&Arc<dyn Merge<F>>> {
        self.merging.as_ref().map(|merging| &merging.merge)
    }

    /// For a merge layer, the number of columns of each input.
    pub(crate) fn input_lens(&self) -> &[usize] {
        self.merging.as_ref().map_or(&[], |merging| &merging.input_lens)
    }

    /// For a merge layer, the number of positions of each input in the joined mask; empty if no input has a mask.
    pub(crate) fn mask_lens(&self) -> &[usize] {
        self.merging.as_ref().map_or(&[], |merging| &merging.mask_lens)
    }

    pub(crate) fn input_len(&self) -> usize {
        self.plan.input_shape().size()
    }

    pub(crate) fn output_len(&self) -> usize {
        self.plan.output_shape().size()
    }

    pub(crate) fn activation(&self) -> Activation {
        self.plan.declared_activation()
    }

    /// Whether the inputs are joined in a buffer.
    pub(crate) fn joins_inputs(&self) -> bool {
        self.merging.is_some()
    }

    /// Whether gradients of the parameters are computed by rows, apart from the backward pass.
    pub(crate) fn grads_by_rows(&self) -> Option<usize> {
        self.plan.declared_gradient_rows().filter(|_| !self.is_shared)
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

/// The layers of a network in an order of computation, with the layout of their buffers. Immutable.
#[derive(Debug, Clone)]
pub(crate) struct Layout<F> {
    pub(crate) inputs: Vec<NetworkInput>,
    pub(crate) nodes: Vec<PlannedLayer<F>>,
    /// The indices of the layers whose outputs are those of the network.
    pub(crate) outputs: Vec<usize>,
    /// Whether each layer has one input, the previous layer.
    pub(crate) is_chain: bool,
    /// In Keras's order: for each layer the trainable arrays, then its state.
    pub(crate) variables: Vec<Variable>,
    pub(crate) params_len: usize,
    pub(crate) state_len: usize,
    /// The batch size that carried state requires, with the name of the first layer that requires it.
    pub(crate) batch: Option<(usize, String)>,
}

impl<F: Float> Layout<F> {
    /// The layout of a model whose input shape is not known yet.
    pub(crate) fn without_layers() -> Self {
        Self {
            inputs: vec![NetworkInput { name: String::new(), shape: Shape::from(Vec::new()), indices: None }],
            nodes: Vec::new(),
            outputs: Vec::new(),
            is_chain: true,
            variables: Vec::new(),
            params_len: 0,
            state_len: 0,
            batch: None,
        }
    }

    /// Plans a chain of layers; errors name the layer.
    pub(crate) fn chain(input: Shape, layers: Vec<ChainLayer<F>>) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::invalid_parameter("Sequential", "layers", 0, "at least 1 layer; add one"));
        }
        if input.size() == 0 {
            return Err(Error::shape("Sequential: input shape", "axes of at least 1", &input));
        }
        if input.size() > MAX_ELEMENTS {
            let bytes = input.size().saturating_mul(size_of::<F>());
            return Err(Error::OutOfMemory { what: "Sequential: a sample of the input".into(), bytes });
        }
        let last = layers.len() - 1;
        let specs =
            layers.into_iter().enumerate().map(|(index, ChainLayer { layer, trainable, name })| LayerSpec {
                operation: Operation::Layer(layer),
                inputs: vec![index.checked_sub(1).map_or(Source::Input(0), Source::Node)],
                trainable,
                name,
                shares: None,
            });
        let input = NetworkInput { name: String::new(), shape: input, indices: None };
        Ok(Self { is_chain: true, ..Self::graph(vec![input], specs.collect(), vec![last])? })
    }

    /// Plans layers in an order of computation. All inputs must have axes of at least 1.
    pub(crate) fn graph(
        inputs: Vec<NetworkInput>,
        layers: Vec<LayerSpec<F>>,
        outputs: Vec<usize>,
    ) -> Result<Self> {
        let mut layout = Self {
            inputs,
            nodes: Vec::with_capacity(layers.len()),
            outputs,
            is_chain: false,
            variables: Vec::new(),
            params_len: 0,
            state_len: 0,
            batch: None,
        };
        for spec in layers {
            layout.push(spec)?;
        }
        let own = layout.nodes.iter().filter(|node| node.shares.is_none());
        let arrays = own.map(|node| node.plan.params().len() + node.plan.state_specs().len());
        layout.variables = Vec::with_capacity(arrays.sum());
        for index in 0..layout.nodes.len() {
            if layout.nodes[index].shares.is_none() {
                layout.push_variables(index);
            }
        }
        layout.check_names()?;
        for input in 0..layout.inputs.len() {
            layout.inputs[input].indices = layout.indices_from(Source::Input(input));
        }
        Ok(layout)
    }

    /// The index of the layer that computes the mask of a source.
    pub(crate) fn mask_of(&self, source: Source) -> Option<usize> {
        match source {
            Source::Input(_) => None,
            Source::Node(index) => self.nodes.get(index)?.output_mask,
        }
    }

    /// The shape of the values from a source.
    pub(crate) fn source_shape(&self, source: Source) -> &Shape {
        match source {
            Source::Input(index) => &self.inputs[index].shape,
            Source::Node(index) => self.nodes[index].plan.output_shape(),
        }
    }

    /// The smallest exclusive upper bound of the values from a source, if they reach an embedding unchanged.
    fn indices_from(&self, source: Source) -> Option<usize> {
        let mut bound = None;
        // The values of a layer that only moves them are those of the source.
        let mut moved = vec![source];
        for (index, node) in self.nodes.iter().enumerate() {
            if node.joins_inputs() || !moved.contains(&node.inputs[0]) {
                continue;
            }
            match node.plan.declared_indices() {
                Some(len) => bound = Some(bound.map_or(len, |bound: usize| bound.min(len))),
                None if node.plan.declares_rearranging() => moved.push(Source::Node(index)),
                None => {}
            }
        }
        bound
    }

    /// The shape of one sample of the first input.
    pub(crate) fn input(&self) -> &Shape {
        &self.inputs[0].shape
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

    /// Appends the variables of a layer.
    fn push_variables(&mut self, index: usize) {
        let PlannedLayer { name, plan, params, state, trainable, .. } = &self.nodes[index];
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
        let node = size_of::<PlannedLayer<F>>()
            + size_of::<(Arc<dyn Layer<F>>, bool)>()
            + text("")
            + OPTIMIZER_STATE_BYTES;
        let plan = if is_new { plan_bytes(plan) } else { 0 };
        (node + arrays.chain(state).sum::<usize>() + plan) as u64
    }

    /// The shape of one sample of the first output.
    pub(crate) fn output(&self) -> &Shape {
        self.output_shape(0)
    }

    /// The shape of one sample of an output.
    pub(crate) fn output_shape(&self, output: usize) -> &Shape {
        let node = self.outputs.get(output).and_then(|&index| self.nodes.get(index));
        node.map_or(self.input(), |node| node.plan.output_shape())
    }

    /// The index of the layer that computes the mask of an output.
    pub(crate) fn output_mask(&self, output: usize) -> Option<usize> {
        self.nodes[self.outputs[output]].output_mask
    }

    /// The index of the layer with this name.
    pub(crate) fn layer_named(&self, name: &str) -> Result<usize> {
        let known = || self.nodes.iter().map(|node| node.name.clone());
        self.nodes
            .iter()
            .position(|node| node.name == name)
            .ok_or_else(|| Error::unknown_name("layer", name, known()))
    }

    /// Approximate cost of a forward pass per sample, in multiply-adds; moving a value counts as `OPS_PER_MOVE` of them.
    pub(crate) fn operations(&self) -> usize {
        let of_node = |node: &PlannedLayer<F>| {
            let moved = node.input_len().saturating_add(node.output_len());
            let output = node.plan.output_shape();
            // Each parameter multiplies a value of every step of a sequence, or of every position of the output.
            let uses = match node.scanned_steps() {
                _ if node.plan.declared_indices().is_some() => 0,
                Some(steps) => steps,
                None => output.size() / output.last().max(1),
            };
            let multiplied = node.params.len().saturating_mul(uses);
            moved.saturating_mul(parallel::thresholds::OPS_PER_MOVE).saturating_add(multiplied)
        };
        self.nodes.iter().map(of_node).fold(0, usize::saturating_add)
    }

    /// Number of rows that a forward pass computes fastest together.
    ///
    /// With few rows, the activations stay in the second-level cache between the layers; with many, the weights are read
    /// less often for each row. The number is what [`CACHE_BYTES`] hold, or more if reading weights would otherwise take
    /// longer than the activations, which are then moved through a farther cache. A convolution uses its weights for all
    /// positions of a row; a recurrent layer reads them in every step, for [`MIN_SCANNED_ROWS`] at least.
    pub(crate) fn cached_rows(&self) -> usize {
        let inputs = self.inputs.iter().map(|input| input.shape.size());
        let (mut activations, mut weights) = (inputs.fold(0, usize::saturating_add), 0_usize);
        for node in &self.nodes {
            let cache = node.plan.cache_len(1).saturating_sub(node.plan.cache_len(0));
            // Without a backward pass, a scan keeps one step.
            let cache = cache / node.scanned_steps().unwrap_or(1).max(1);
            activations = activations.saturating_add(node.output_len()).saturating_add(cache);
            let len = node.params.len();
            let near = len.saturating_mul(size_of::<F>()) <= CACHE_BYTES;
            weights = weights.saturating_add(len / if near { NEAR_READ } else { 1 });
        }
        let in_cache = CACHE_BYTES / activations.saturating_mul(size_of::<F>()).max(1);
        if self.nodes.iter().any(|node| node.plan.scans_sequence()) {
            return in_cache.max(MIN_SCANNED_ROWS);
        }
        in_cache.max(weights / activations.max(1)).max(1)
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

/// Bytes of activations that stay in the second-level cache of a core: 512 KiB in the smallest that are in use.
const CACHE_BYTES: usize = 512 << 10;

/// Fewest rows of a scan: with fewer, the products of its steps have too few independent sums.
const MIN_SCANNED_ROWS: usize = 16;

/// Times that weights are read from the second-level cache while activations are moved once through a farther one.
const NEAR_READ: usize = 8;

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

#[cfg(test)]
mod tests {
    use super::{ChainLayer, Layout};
    use crate::nn::layer::{Layer, Shape};
    use crate::nn::layers::{Conv2D, Dense, Embedding, Lstm};
    use crate::parallel::thresholds::OPS_PER_MOVE;
    use std::sync::Arc;

    fn operations(input: impl Into<Shape>, layer: impl Layer<f32> + 'static) -> usize {
        let layer = ChainLayer { layer: Arc::new(layer), trainable: true, name: None };
        Layout::chain(input.into(), vec![layer]).expect("a network").operations()
    }

    #[test]
    fn a_weight_counts_for_each_step_and_position_that_it_is_used_at() {
        assert_eq!(operations(3, Dense::new(4)), 3 * 4 + 4 + OPS_PER_MOVE * (3 + 4));
        // Steps of a sequence, positions of an image.
        assert_eq!(operations([5, 3], Dense::new(4)), 5 * (3 * 4 + 4) + OPS_PER_MOVE * 5 * (3 + 4));
        let lstm = 50 * (16 + 64 + 1) * 4 * 64 + OPS_PER_MOVE * (50 * 16 + 64);
        assert_eq!(operations([50, 16], Lstm::new(64)), lstm);
        let conv = 26 * 26 * (9 * 2 * 8 + 8) + OPS_PER_MOVE * (28 * 28 * 2 + 26 * 26 * 8);
        assert_eq!(operations([28, 28, 2], Conv2D::new(8, 3)), conv);
        // A vector is copied, and multiplies nothing.
        assert_eq!(operations(6, Embedding::new(1000, 8)), OPS_PER_MOVE * (6 + 6 * 8));
    }
}
