//! Networks: layers in an order of computation, each with the values that it takes.

use super::graph::{ElementType, Graph};
use super::layers::{LayerNode, Tensor, layer, merge};
use super::{INPUT, OUTPUT, OnnxStep, Value, export_methods, unsaveable};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::nn::layout::{NetworkInput, Source, zeros};
use crate::nn::model::Model;
use crate::persistence::layer_config;

export_methods!(
    [F: Float] Model<F>,
    "network",
    "`input`: f32, (batch, …) with the axes of the model's input, indices of an embedding included. `output`: f32, the \
     predictions with the axes of the model's output, as [`predict_nd`](Self::predict_nd) returns them. Inputs and outputs \
     of a graph have their names. Weights of an `f64` \
     model are rounded to `f32`. Layers keep their names, `0.dense`, and weights those of [`weights`](Self::weights). \
     Dropout and noise are left out. Where onnxruntime gets an index that an embedding does not have, it does not report \
     it as `predict` does.\n"
);

impl<F: Float> OnnxStep for Model<F> {
    fn input(&self) -> Result<Value> {
        self.inputs()?.into_iter().next().ok_or_else(|| unsaveable("the network", "it has no input"))
    }

    fn inputs(&self) -> Result<Vec<Value>> {
        let inputs = self.layout.inputs.iter().map(|input| {
            let name = if input.name.is_empty() { INPUT.to_owned() } else { input.name.clone() };
            Value::new(name.clone(), name, ElementType::Float, input.shape.dims().iter().copied())
        });
        Ok(inputs.collect())
    }

    fn append(&self, graph: &mut Graph, x: Value) -> Result<Vec<Value>> {
        self.append_all(graph, vec![x])
    }

    fn append_all(&self, graph: &mut Graph, inputs: Vec<Value>) -> Result<Vec<Value>> {
        if inputs.len() != self.layout.inputs.len() {
            let got = format!("{} from the step before", inputs.len());
            return Err(Error::shape("the network", format!("{} inputs", self.layout.inputs.len()), got));
        }
        for (value, NetworkInput { shape, .. }) in inputs.iter().zip(&self.layout.inputs) {
            value.require_numbers("the network", Some(shape.size()))?;
            if value.sample.len() != shape.rank() {
                let got = "rows of features from the step before; begin the network with a Reshape";
                return Err(Error::shape("the network", format!("samples of shape {shape}"), got));
            }
        }
        // An output may have the name of an input.
        let names = self.outputs.iter().map(|output| {
            if output.name.is_empty() { OUTPUT.to_owned() } else { graph.unique(&output.name) }
        });
        let names: Vec<String> = names.collect();
        let inputs: Vec<Tensor> = inputs.into_iter().map(|value| Tensor::new(value.name)).collect();
        let values = append_layers(graph, self, &inputs)?;
        let outputs = self.layout.outputs.iter().zip(names).filter_map(|(&index, name)| {
            let shape = self.layout.source_shape(Source::Node(index)).dims().iter().copied();
            Some(Value::new(values.get(index)?.name.clone(), name, ElementType::Float, shape))
        });
        Ok(outputs.collect())
    }
}

/// Appends layers, each behind those that it takes values from; returns their outputs.
fn append_layers<F: Float>(graph: &mut Graph, model: &Model<F>, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let layout = &model.layout;
    let mut outputs: Vec<Tensor> = Vec::with_capacity(layout.nodes.len());
    for node in &layout.nodes {
        let values = node.inputs.iter().filter_map(|source| match *source {
            Source::Input(index) => inputs.get(index).cloned(),
            Source::Node(index) => outputs.get(index).cloned(),
        });
        let values: Vec<Tensor> = values.collect();
        // Layers that share weights use the constants of the first of them.
        let owner = node.shares.and_then(|first| layout.nodes.get(first)).unwrap_or(node);
        let recipe = LayerNode {
            name: owner.name.clone(),
            kind: node.layer.kind().to_owned(),
            config: Some(layer_config(node)?),
            plan: &node.plan,
            params: &to_f32(&node.name, &model.params[node.params.clone()])?,
            state: &to_f32(&node.name, &model.state[node.state.clone()])?,
        };
        let shapes: Vec<Shape> =
            node.inputs.iter().map(|&source| layout.source_shape(source).clone()).collect();
        outputs.push(match node.merge() {
            Some(_) => merge(graph, &recipe, &values, &shapes)?,
            None => layer(graph, &recipe, &values)?,
        });
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
