//! [`Graph`]: builder of networks with several inputs, outputs or branches.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::compile::Built;
use crate::nn::layout::{LayerSpec, Layout, NetworkInput, Operation, Source};
use crate::nn::loss::Loss;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::node::{AttachedWeights, Node, NodeData, Origin};
use crate::nn::optimizer::{Optimizer, RuleOptimizer, UpdateRule};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Builder of a network from its inputs and outputs: Keras's functional API.
///
/// [`Input::new`](crate::models::Input::new) makes the first nodes; [`Node::then`] applies a layer, a merge layer's
/// [`of`](crate::custom::Merge::of) joins several nodes, and [`Shared`](crate::models::Shared) applies one set of weights
/// several times. A model has all that a [`Sequential`](crate::models::Sequential) one has; several inputs or targets are passed
/// as a tuple or a slice, in the order of [`new`](Self::new) and of the calls of [`output`](Self::output).
///
/// # Examples
/// Two inputs, a skip connection, two outputs:
/// ```
/// use axonal::ndarray::{Array1, Array2};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (a, b) = (Input::new("a", 4), Input::new("b", 3));
/// let joined = Concatenate::new().of([&a, &b]).then(Dense::new(8).activation(Activation::Relu));
/// let deeper = Add::new().of([&joined, &joined.then(Dense::new(8).activation(Activation::Relu))]);
/// let mut model: Model<f32> = Graph::new([&a, &b])
///     .output("kind", &deeper.then(Dense::new(3).activation(Activation::Softmax)), SparseCategoricalCrossentropy::new())
///     .output("price", &deeper.then(Dense::new(1)), MeanSquaredError::new())
///     .seed(1)
///     .compile(Adam::new(0.01))?
///     .metric_of("kind", Accuracy::new());
///
/// let (xa, xb) = (Array2::from_elem((32, 4), 0.5), Array2::from_elem((32, 3), 0.1));
/// let (kinds, prices) = (Array1::<u8>::zeros(32), Array1::<f32>::ones(32));
/// let history = model.fit_with((&xa, &xb), (&kinds, &prices), FitOptions::new().epochs(3))?;
/// assert_eq!(history.get("price_loss").unwrap().len(), 3);
/// assert_eq!(model.predict_all((&xa, &xb))?.get("kind").unwrap().shape(), [32, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Graph<F: Float> {
    inputs: Vec<Node<F>>,
    outputs: Vec<(Node<F>, NetworkOutput<F>)>,
    seed: u64,
}

impl<F: Float> Graph<F> {
    /// Creates the builder of a network with these inputs, in the order in which their arrays are passed.
    pub fn new<'n>(inputs: impl IntoIterator<Item = &'n Node<F>>) -> Self
    where
        F: 'n,
    {
        Self { inputs: inputs.into_iter().cloned().collect(), outputs: Vec::new(), seed: 0 }
    }

    /// Adds an output with its loss.
    #[must_use]
    pub fn output(self, name: impl Into<String>, node: &Node<F>, loss: impl Loss<F> + 'static) -> Self {
        self.weighted_output(name, node, loss, 1.0)
    }

    /// Adds an output whose loss counts `weight` times in the sum of the losses.
    #[must_use]
    pub fn weighted_output(
        mut self,
        name: impl Into<String>,
        node: &Node<F>,
        loss: impl Loss<F> + 'static,
        weight: f64,
    ) -> Self {
        self.outputs.push((node.clone(), NetworkOutput::new(name.into(), loss.into_arc(), weight)));
        self
    }

    /// Sets the seed of all randomness: initial weights, shuffling, dropout. 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Validates the graph, all shapes and hyperparameters, initializes the weights and returns the model.
    ///
    /// # Errors
    /// Inputs that are unused, not listed, or listed twice; names that are used twice; no output; an output that is an input;
    /// hyperparameters out of range; shapes that do not fit, with the layer and the shapes of its inputs; outputs that a loss
    /// cannot handle; a loss weight that is negative or not finite.
    pub fn compile(self, optimizer: impl Optimizer<F>) -> Result<Model<F>> {
        compile(self, optimizer.into_rule_optimizer().map_rule(UpdateRule::into_arc))
    }

    fn compile_rule(self, optimizer: RuleOptimizer<Arc<dyn UpdateRule<F>>>) -> Result<Model<F>> {
        let Self { inputs, outputs, seed } = self;
        if outputs.is_empty() {
            return Err(Error::invalid_parameter("Graph", "outputs", 0, "at least 1; add one by output"));
        }
        for (_, output) in &outputs {
            if !(output.loss_weight.is_finite() && output.loss_weight >= 0.0) {
                let expected = "a finite number of at least 0";
                return Err(Error::invalid_parameter(
                    format!("output {:?}", output.name),
                    "loss weight",
                    output.loss_weight,
                    expected,
                ));
            }
        }
        let mut places = input_places(&inputs)?;
        let nodes = reachable(outputs.iter().map(|(node, _)| node));
        check_inputs(&nodes, &places, &inputs)?;
        let mut layers = Vec::new();
        let mut weights: Vec<Option<Arc<AttachedWeights<F>>>> = Vec::new();
        let mut shared = BTreeMap::new();
        for node in nodes.values().map(|node| node.data()) {
            if matches!(node.origin, Origin::Input(_)) {
                continue;
            }
            places.insert(node.id, Source::Node(layers.len()));
            layers.push(layer_spec(node, &places, &mut shared, layers.len())?);
            weights.push(node.weights.clone());
        }
        let mut output_layers = Vec::with_capacity(outputs.len());
        for (node, output) in &outputs {
            match places.get(&node.data().id) {
                Some(Source::Node(index)) => output_layers.push(*index),
                _ => {
                    let what = format!("output {:?}", output.name);
                    return Err(Error::shape(what, "the output of a layer", "an input"));
                }
            }
        }
        let outputs: Vec<_> = outputs.into_iter().map(|(_, output)| output).collect();
        check_names("output", outputs.iter().map(|output| output.name.as_str()))?;
        let layout = Layout::graph(inputs.iter().map(network_input).collect(), layers, output_layers)?;
        let weights: Vec<_> = weights.iter().map(Option::as_deref).collect();
        Built::new(layout, &outputs, &weights, seed)?.compile(outputs, optimizer, seed)
    }
}

precompiled! {
    fn compile<'a, 'b, F>(graph: Graph<F>, optimizer: RuleOptimizer<Arc<dyn UpdateRule<F>>>) -> Result<Model<F>> {
        graph.compile_rule(optimizer)
    }
}

/// The places of the inputs by the id of their nodes.
fn input_places<F: Float>(inputs: &[Node<F>]) -> Result<BTreeMap<u64, Source>> {
    let mut places = BTreeMap::new();
    for (index, node) in inputs.iter().enumerate() {
        let data = node.data();
        let Origin::Input(shape) = &data.origin else {
            return Err(Error::shape(
                format!("input {index} of Graph::new"),
                "a node made by Input::new",
                "another node",
            ));
        };
        let name = data.name.as_deref().unwrap_or_default();
        if shape.size() == 0 {
            return Err(Error::shape(format!("input {name:?}"), "axes of at least 1", shape));
        }
        if places.insert(data.id, Source::Input(index)).is_some() {
            let expected = "inputs that differ";
            return Err(Error::invalid_parameter("Graph", "inputs", format!("{name:?} twice"), expected));
        }
    }
    if inputs.is_empty() {
        return Err(Error::invalid_parameter("Graph", "inputs", 0, "at least 1 input"));
    }
    check_names("input", inputs.iter().map(|node| node.name().unwrap_or_default()))?;
    Ok(places)
}

fn network_input<F: Float>(node: &Node<F>) -> NetworkInput {
    let data = node.data();
    let shape = match &data.origin {
        Origin::Input(shape) => shape.clone(),
        _ => crate::nn::layer::Shape::from([0]),
    };
    NetworkInput { name: data.name.clone().unwrap_or_default(), shape, indices: None }
}

/// Errors if a name is empty or stands twice.
fn check_names<'n>(what: &'static str, names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            let expected = format!("a name that no other {what} has, at least 1 character long");
            return Err(Error::invalid_parameter("Graph", what, format!("{name:?}"), expected));
        }
    }
    Ok(())
}

/// The nodes from which the outputs are computed, in the order of their creation.
fn reachable<'n, F: Float>(outputs: impl Iterator<Item = &'n Node<F>>) -> BTreeMap<u64, &'n Node<F>> {
    let mut found: BTreeMap<u64, &Node<F>> = BTreeMap::new();
    let mut rest: Vec<&Node<F>> = outputs.collect();
    while let Some(node) = rest.pop() {
        let data = node.data();
        let known = found.get(&data.id);
        if known.is_none() {
            rest.extend(&data.inputs);
        }
        // A node that was named after its first use exists twice; the one with the name counts.
        if known.is_none_or(|known| known.name().is_none() && data.name.is_some()) {
            found.insert(data.id, node);
        }
    }
    found
}

/// Errors if the graph reads an input that is not listed, or does not read a listed one.
fn check_inputs<F: Float>(
    nodes: &BTreeMap<u64, &Node<F>>,
    places: &BTreeMap<u64, Source>,
    inputs: &[Node<F>],
) -> Result<()> {
    for node in nodes.values().filter(|node| matches!(node.data().origin, Origin::Input(_))) {
        if !places.contains_key(&node.data().id) {
            let name = node.name().unwrap_or_default();
            return Err(Error::invalid_parameter(
                "Graph",
                "inputs",
                format!("a list without {name:?}"),
                "all inputs from which the outputs are computed; add it to Graph::new",
            ));
        }
    }
    match inputs.iter().find(|input| !nodes.contains_key(&input.data().id)) {
        Some(unused) => Err(Error::invalid_parameter(
            "Graph",
            "inputs",
            format!("{:?}, which no output depends on", unused.name().unwrap_or_default()),
            "inputs from which an output is computed",
        )),
        None => Ok(()),
    }
}

/// The specification of a node's layer, whose inputs have their places already.
fn layer_spec<F: Float>(
    node: &NodeData<F>,
    places: &BTreeMap<u64, Source>,
    shared: &mut BTreeMap<u64, usize>,
    index: usize,
) -> Result<LayerSpec<F>> {
    let mut shares = None;
    let operation = match &node.origin {
        Origin::Layer(layer) => Operation::Layer(layer.clone()),
        Origin::Shared { layer, key } => {
            shares = shared.get(key).copied();
            shared.entry(*key).or_insert(index);
            Operation::Layer(layer.clone())
        }
        Origin::Merge(merge) => Operation::Merge(merge.clone()),
        Origin::Input(shape) => return Err(Error::shape("Graph", "a layer", shape)),
    };
    let inputs = node.inputs.iter().filter_map(|input| places.get(&input.data().id).copied()).collect();
    Ok(LayerSpec { operation, inputs, trainable: node.trainable, name: node.name.clone(), shares })
}
