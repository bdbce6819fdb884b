//! Networks: a list of layers, each with the values that it takes.

use super::graph::{ElementType, Graph};
use super::layers::{LayerNode, Tensor, layer};
use super::{OUTPUT, OnnxStep, Value, export_methods, unsaveable};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Layer, Plan};
use crate::nn::layout::zeros;
use crate::nn::model::Model;
use crate::persistence::layer_config;
use std::sync::Arc;

export_methods!(
    [F: Float] Model<F>,
    "network",
    "`input`: f32, (batch, …) with the axes of the model's input, indices of an embedding included. `output`: f32, the \
     predictions with the axes of the model's output, as [`predict_nd`](Self::predict_nd) returns them. Weights of an `f64` \
     model are rounded to `f32`. Layers keep their names, `0.dense`, and weights those of [`weights`](Self::weights). \
     Dropout and noise are left out. Where onnxruntime gets an index that an embedding does not have, it does not report \
     it as `predict` does.\n"
);

/// A layer of a network, with the values that it takes.
struct Node<'a, F> {
    name: &'a str,
    layer: &'a Arc<dyn Layer<F>>,
    plan: &'a Plan,
    params: &'a [F],
    state: &'a [F],
    inputs: Vec<Source>,
}

/// Where a layer takes a value from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// An input of the network.
    Input(usize),
    /// The output of another layer.
    Layer(usize),
}

impl<F: Float> OnnxStep for Model<F> {
    fn input(&self) -> Result<Value> {
        Ok(Value::input(ElementType::Float, self.input_shape().dims().iter().copied()))
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        self.check_built("export_onnx")?;
        if !self.layout.is_chain {
            return Err(unsaveable("the network", "a graph has no form in ONNX files yet"));
        }
        let shape = self.input_shape();
        x.require_numbers("the network", Some(shape.size()))?;
        if x.sample.len() != shape.rank() {
            let got = "rows of features from the step before; begin the network with a Reshape";
            return Err(Error::shape("the network", format!("samples of shape {shape}"), got));
        }
        let layers = self.layout.nodes.iter().enumerate();
        let nodes: Vec<Node<'_, F>> = layers
            .map(|(index, node)| Node {
                name: &node.name,
                layer: &node.layer,
                plan: &node.plan,
                params: &self.params[node.params.clone()],
                state: &self.state[node.state.clone()],
                inputs: vec![index.checked_sub(1).map_or(Source::Input(0), Source::Layer)],
            })
            .collect();
        let outputs = append_layers(graph, &[Tensor::new(x.name)], &nodes)?;
        let last =
            outputs.into_iter().next_back().ok_or_else(|| unsaveable("the network", "it has no layer"))?;
        let output = self.output_shape().dims().iter().copied();
        Ok(vec![Value::new(last.name, OUTPUT, ElementType::Float, output)])
    }
}

/// Appends layers, each behind those that it takes values from; returns their outputs.
fn append_layers<F: Float>(
    graph: &mut Graph,
    inputs: &[Tensor],
    nodes: &[Node<'_, F>],
) -> Result<Vec<Tensor>> {
    let mut outputs: Vec<Tensor> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let values = node.inputs.iter().filter_map(|source| match *source {
            Source::Input(index) => inputs.get(index).cloned(),
            Source::Layer(index) => outputs.get(index).cloned(),
        });
        let values: Vec<Tensor> = values.collect();
        let recipe = LayerNode {
            name: node.name.to_owned(),
            kind: node.layer.kind().to_owned(),
            config: Some(layer_config(node.name, node.layer)?),
            plan: node.plan,
            params: &to_f32(node.name, node.params)?,
            state: &to_f32(node.name, node.state)?,
        };
        outputs.push(layer(graph, &recipe, &values)?);
    }
    Ok(outputs)
}

/// Rounds the weights of a layer to f32.
#[allow(clippy::cast_possible_truncation, reason = "checked to be finite")]
fn to_f32<F: Float>(name: &str, values: &[F]) -> Result<Vec<f32>> {
    let mut rounded = zeros::<f32>("the weights", values.len())?;
    for (slot, value) in rounded.iter_mut().zip(values) {
        *slot = value.as_f64() as f32;
        if !slot.is_finite() {
            let reason = format!("its weight {:?} is not finite in f32", value.as_f64());
            return Err(unsaveable(&format!("layer {name}"), reason));
        }
    }
    Ok(rounded)
}
