//! Layers that contain layers: Bidirectional, Residual, TimeDistributed.

use super::super::graph::{Attribute, ElementType, Graph, int};
use super::recurrent::{reversed, reversed_value};
use super::{LayerNode, Tensor, as_float, extend_mask, layer, without_activation};
use crate::error::Result;
use crate::nn::layer::LayerConfig;
use crate::nn::layers::MergeMode;
use serde::Deserialize;
use std::slice;

#[derive(Deserialize)]
struct ResidualConfig {
    layers: Vec<LayerConfig>,
    projection: Option<LayerConfig>,
}

/// `x + layers(x)`, or `projection(x) + layers(x)`. The mask reaches the layers up to the first that does not pass it on.
pub(super) fn residual(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let ResidualConfig { layers, projection } = node.config()?;
    let (mut value, mut mask) = (x.name.clone(), x.mask.clone());
    for (nested, recipe) in node.plan.nested_layers().iter().zip(&layers) {
        let input = Tensor { name: value, mask: mask.clone() };
        value = layer(graph, &node.nested(nested, recipe), &[input])?.name;
        mask = mask.filter(|_| nested.plan.declares_passing_mask());
    }
    let shortcut = match (&projection, node.plan.nested_layers().get(layers.len())) {
        (Some(recipe), Some(nested)) => layer(graph, &node.nested(nested, recipe), slice::from_ref(x))?.name,
        _ => x.name.clone(),
    };
    Ok(graph.op("Add", &[&shortcut, &value]))
}

#[derive(Deserialize)]
struct TimeDistributedConfig {
    layer: LayerConfig,
}

/// The steps become samples of the layer, (batch · steps, …), and its outputs steps again.
pub(super) fn time_distributed(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let TimeDistributedConfig { layer: recipe } = node.config()?;
    let Some(nested) = node.plan.nested_layers().first() else {
        return Err(node.refused("it contains no layer"));
    };
    let inner = node.nested(nested, &recipe);
    let samples = reshape_all(graph, &x.name, inner.input());
    let (_, positions) = inner.input().split_last().unwrap_or((&1, &[]));
    let mask = x.mask.as_ref().filter(|_| inner.plan.declares_using_mask());
    let mask = mask.map(|mask| reshape_all(graph, mask, positions));
    // The container of this layer applies the activation.
    let output = without_activation(graph, &inner, &[Tensor { name: samples, mask }])?;
    Ok(reshape_all(graph, &output.name, node.output()))
}

/// A step is valid if a position within it is.
pub(super) fn time_distributed_mask(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Option<String> {
    let mask = x.mask.as_ref()?;
    let valid = as_float(graph, mask);
    let steps = int(node.input().first().copied().unwrap_or(1));
    let shape = graph.ints(&[0, steps, -1]);
    let positions = graph.op("Reshape", &[&valid, &shape]);
    let any = graph.reduce("ReduceMax", &positions, &[2], false);
    Some(graph.cast(&any, ElementType::Bool))
}

/// Reshapes to samples of this shape, whatever their number.
fn reshape_all(graph: &mut Graph, x: &str, sample: &[usize]) -> String {
    let shape: Vec<i64> = [-1].into_iter().chain(sample.iter().map(|&dim| int(dim))).collect();
    let shape = graph.ints(&shape);
    graph.op("Reshape", &[x, &shape])
}

#[derive(Deserialize)]
struct BidirectionalConfig {
    layer: LayerConfig,
    merge_mode: MergeMode,
    backward_layer: Option<LayerConfig>,
}

/// Both directions, merged. The steps of the second output are reversed, and padded steps are 0.
pub(super) fn bidirectional(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let BidirectionalConfig { layer: recipe, merge_mode, backward_layer } = node.config()?;
    let [first, second] = node.plan.nested_layers() else {
        return Err(node.refused("it does not contain two layers"));
    };
    let backwards = reversed(graph, x);
    let forward = layer(graph, &node.nested(first, &recipe), slice::from_ref(x))?.name;
    let backward = match &backward_layer {
        // A separate backward layer reverses its input itself.
        Some(recipe) => layer(graph, &node.nested(second, recipe), slice::from_ref(x))?.name,
        None => layer(graph, &node.nested(second, &recipe), slice::from_ref(&backwards))?.name,
    };
    let steps = node.input().first();
    let is_sequence =
        first.plan.output_shape().rank() == 2 && first.plan.output_shape().dims().first() == steps;
    if !is_sequence {
        return Ok(merged(graph, merge_mode, &forward, &backward));
    }
    let mut outputs = [forward, backward];
    if let (Some(mask), Some(reversed)) = (&x.mask, &backwards.mask) {
        let masks = if first.plan.declares_reading_backwards() { [reversed, mask] } else { [mask, reversed] };
        let steps: Vec<usize> = steps.copied().into_iter().collect();
        for (output, mask) in outputs.iter_mut().zip(masks) {
            let (valid, zero) = (extend_mask(graph, mask, &steps, 3), graph.scalar(0.0));
            *output = graph.op("Where", &[&valid, output, &zero]);
        }
    }
    let [forward, backward] = outputs;
    let backward = reversed_value(graph, &backward);
    Ok(merged(graph, merge_mode, &forward, &backward))
}

fn merged(graph: &mut Graph, merge_mode: MergeMode, a: &str, b: &str) -> String {
    match merge_mode {
        MergeMode::Concat => graph.op_with("Concat", &[a, b], [("axis", Attribute::Int(-1))]),
        MergeMode::Sum => graph.op("Add", &[a, b]),
        MergeMode::Mul => graph.op("Mul", &[a, b]),
        MergeMode::Ave => {
            let sum = graph.op("Add", &[a, b]);
            graph.op_scalar("Mul", &sum, 0.5)
        }
    }
}
