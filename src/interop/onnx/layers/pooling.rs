//! Pooling over windows and over all positions.

use super::super::graph::{Attribute, Graph};
use super::convolution::{Window, channels_first, channels_last, spatial};
use super::{LayerNode, Tensor, as_float, extend_mask, ints};
use crate::error::Result;
use serde::Deserialize;

pub(super) fn max(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    windows(graph, node, x, "MaxPool", None)
}

/// The average of the positions within the sample; padding does not count.
pub(super) fn average(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    windows(graph, node, x, "AveragePool", Some(("count_include_pad", Attribute::Int(0))))
}

fn windows(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    x: &Tensor,
    op: &'static str,
    attribute: Option<(&'static str, Attribute)>,
) -> Result<String> {
    let window = Window::of(node, |size| size)?;
    let attributes = [
        ("kernel_shape", ints(window.size.iter().copied())),
        ("strides", ints(window.strides.iter().copied())),
        ("pads", window.pads(spatial(node.input()))),
    ];
    let first = channels_first(graph, &x.name, node.rank());
    let attributes = attributes.into_iter().chain(attribute).collect();
    let y = graph.node(op, "", &[&first], attributes, 1).pop().unwrap_or_default();
    Ok(channels_last(graph, &y, node.rank()))
}

#[derive(Deserialize)]
struct GlobalConfig {
    #[serde(default)]
    keepdims: bool,
}

/// All axes between the batch and the channels.
fn positions(node: &LayerNode<'_>) -> Vec<usize> {
    (1..node.rank() - 1).collect()
}

pub(super) fn global_max(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let GlobalConfig { keepdims } = node.config()?;
    Ok(graph.reduce("ReduceMax", &x.name, &positions(node), keepdims))
}

/// The mean over all positions, or over the valid steps of a masked sequence; 0 if no step is valid.
pub(super) fn global_average(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let GlobalConfig { keepdims } = node.config()?;
    let axes = positions(node);
    let Some(mask) = x.mask.as_ref().filter(|_| node.plan.declares_using_mask()) else {
        return Ok(graph.reduce("ReduceMean", &x.name, &axes, keepdims));
    };
    let valid = extend_mask(graph, mask, spatial(node.input()), node.rank());
    let zero = graph.scalar(0.0);
    let steps = graph.op("Where", &[&valid, &x.name, &zero]);
    let sum = graph.reduce("ReduceSum", &steps, &axes, keepdims);
    let valid = as_float(graph, &valid);
    let count = graph.reduce("ReduceSum", &valid, &axes, keepdims);
    let one = graph.scalar(1.0);
    let count = graph.op("Max", &[&count, &one]);
    Ok(graph.op("Div", &[&sum, &count]))
}
