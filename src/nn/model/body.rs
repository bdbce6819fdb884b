//! Parts of a trained model for other models: its layers as nodes of a graph, with their weights.

use super::weights::Weight;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::nn::layout::{Layout, Source};
use crate::nn::model::Model;
use crate::nn::node::{AttachedWeights, Input, Node, Origin, new_key};
use std::collections::BTreeMap;

/// The layers of a trained model as nodes, with their weights: the body of another model.
///
/// # Examples
/// A trained network without its last layer, frozen, under a new head:
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let trained: Model<f32> = Sequential::new(8)
///     .add(Dense::new(16).activation(Activation::Relu))
///     .named("features")
///     .add(Dense::new(3))
///     .compile(Adam::new(0.01), MeanSquaredError::new())?;
///
/// let body = trained.body().frozen();
/// let head = body.layer("features")?.then(Dense::new(1)).named("head");
/// let model = Graph::new(body.inputs()).output("y", &head, MeanSquaredError::new()).compile(Adam::new(0.01))?;
/// assert_eq!(model.weights()[0].value, trained.weights()[0].value);
/// assert_eq!(model.count_trainable_params(), 16 + 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Body<F: Float> {
    inputs: Vec<Node<F>>,
    names: Vec<String>,
    layers: Vec<Node<F>>,
    outputs: Vec<usize>,
}

impl<F: Float> Body<F> {
    /// The inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> &[Node<F>] {
        &self.inputs
    }

    /// The output of the layer of this name.
    ///
    /// # Errors
    /// A name that no layer has.
    pub fn layer(&self, name: &str) -> Result<&Node<F>> {
        let place = self.names.iter().position(|known| known == name);
        place
            .and_then(|place| self.layers.get(place))
            .ok_or_else(|| Error::unknown_name("layer", name, self.names.iter().cloned()))
    }

    /// The outputs of the model, in order.
    pub fn outputs(&self) -> impl Iterator<Item = &Node<F>> {
        self.outputs.iter().filter_map(|&layer| self.layers.get(layer))
    }

    /// Makes all layers non-trainable.
    #[must_use]
    pub fn frozen(self) -> Self {
        let Self { inputs, names, layers, outputs } = self;
        let mut replaced = BTreeMap::new();
        let layers = layers
            .into_iter()
            .map(|node| {
                let id = node.data().id;
                let node = node.with_inputs(&replaced).trainable(false);
                replaced.insert(id, node.clone());
                node
            })
            .collect();
        Self { inputs, names, layers, outputs }
    }
}

/// A layer of a model: what [`Model::layer`] returns.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerInfo<F> {
    /// The given name, or position and kind.
    pub name: String,
    /// The kind of the layer: `"dense"`.
    pub kind: &'static str,
    /// The shape of a sample of the output.
    pub output_shape: Shape,
    /// Whether the optimizer updates its weights.
    pub trainable: bool,
    /// The weights, with their names in the model.
    pub weights: Vec<Weight<F>>,
}

impl<F: Float> Model<F> {
    /// Returns the layer of this name, with a copy of its weights.
    ///
    /// # Errors
    /// A name that no layer has.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).named("head").compile(Sgd::new(0.1), MeanSquaredError::new())?;
    /// let head = model.layer("head")?;
    /// assert_eq!((head.kind, head.weights[0].name.as_str()), ("dense", "head/kernel"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer(&self, name: &str) -> Result<LayerInfo<F>> {
        let node = &self.layout.nodes[self.layout.layer_named(name)?];
        let own =
            format!("{}/", self.layout.nodes[node.shares.unwrap_or(self.layout.layer_named(name)?)].name);
        Ok(LayerInfo {
            name: node.name.clone(),
            kind: node.layer.kind(),
            output_shape: node.plan.output_shape().clone(),
            trainable: node.trainable,
            weights: self.weights().into_iter().filter(|weight| weight.name.starts_with(&own)).collect(),
        })
    }

    /// Returns the layers as nodes with their weights, on new inputs, to build another model from a part of this one.
    #[must_use]
    pub fn body(&self) -> Body<F> {
        Body::of(&self.layout, &self.params, &self.state)
    }

    /// Applies the layers, with their weights, to nodes of another graph, one for each input: this model behind new layers.
    ///
    /// # Errors
    /// A number of nodes other than that of the inputs.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let trained: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).compile(Adam::new(0.01), MeanSquaredError::new())?;
    /// let image = Input::new("image", [2, 2]);
    /// let body = trained.body_on([&image.then(Flatten::new())])?;
    /// let y = body.outputs().next().unwrap();
    /// let model = Graph::new([&image]).output("y", y, MeanSquaredError::new()).compile(Adam::new(0.01))?;
    /// assert_eq!(model.weights()[0].value, trained.weights()[0].value);
    /// # Ok(())
    /// # }
    /// ```
    pub fn body_on<'n>(&self, nodes: impl IntoIterator<Item = &'n Node<F>>) -> Result<Body<F>>
    where
        F: 'n,
    {
        let nodes: Vec<Node<F>> = nodes.into_iter().cloned().collect();
        if nodes.len() != self.layout.inputs.len() {
            let expected = format!("{} nodes, one for each input of the model", self.layout.inputs.len());
            return Err(Error::shape("body_on", expected, nodes.len()));
        }
        Ok(Body::applied_to(nodes, &self.layout, &self.params, &self.state))
    }
}

impl<F: Float> Body<F> {
    /// Layers with their weights, on new inputs.
    pub(crate) fn of(layout: &Layout<F>, params: &[F], state: &[F]) -> Self {
        let inputs = layout.inputs.iter().map(|input| {
            let name = if input.name.is_empty() { "input" } else { &input.name };
            Input::new(name, input.shape.clone())
        });
        Self::applied_to(inputs.collect(), layout, params, state)
    }

    fn applied_to(inputs: Vec<Node<F>>, layout: &Layout<F>, params: &[F], state: &[F]) -> Self {
        let mut layers: Vec<Node<F>> = Vec::with_capacity(layout.nodes.len());
        let mut keys = BTreeMap::new();
        for (index, node) in layout.nodes.iter().enumerate() {
            let sources = node.inputs.iter().filter_map(|source| match *source {
                Source::Input(input) => inputs.get(input).cloned(),
                Source::Node(layer) => layers.get(layer).cloned(),
            });
            let origin = match node.merge() {
                Some(merge) => Origin::Merge(merge.clone()),
                None if node.is_shared => {
                    let key = *keys.entry(node.shares.unwrap_or(index)).or_insert_with(new_key);
                    Origin::Shared { layer: node.layer.clone(), key }
                }
                None => Origin::Layer(node.layer.clone()),
            };
            let weights = AttachedWeights {
                params: params[node.params.clone()].to_vec(),
                state: state[node.state.clone()].to_vec(),
            };
            let made =
                Node::create(origin, sources.collect()).trainable(node.trainable).with_weights(weights);
            layers.push(if node.is_named { made.named(node.name.clone()) } else { made });
        }
        let names = layout.nodes.iter().map(|node| node.name.clone()).collect();
        Self { inputs, names, layers, outputs: layout.outputs.clone() }
    }
}
