//! Normalizations and rescaling.

use super::super::graph::Graph;
use super::{LayerNode, Tensor, axes_of, axis_of, broadcast, constant};
use crate::error::Result;
use serde::Deserialize;

#[derive(Deserialize)]
struct AxisAndEpsilon {
    axis: isize,
    epsilon: f64,
}

#[derive(Deserialize)]
struct AxesAndEpsilon {
    axis: Vec<isize>,
    #[serde(default)]
    epsilon: f64,
}

#[derive(Deserialize)]
struct Groups {
    groups: i64,
}

/// The least squared norm that unit normalization divides by.
const LEAST_SQUARE: f64 = 1e-24;

/// The least deviation that the layer `Normalization` divides by.
const LEAST_DEVIATION: f64 = 1e-7;

/// `(x − mean) · γ / √(variance + ε) + β`, with the moving statistics.
#[allow(clippy::cast_possible_truncation, reason = "networks compute in f32")]
pub(super) fn batch_normalization(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let AxisAndEpsilon { axis, epsilon } = node.config()?;
    let axes = [axis_of(axis, node.rank())];
    let (dims, variance) = node.required("moving_variance")?;
    let shape = broadcast(dims, &axes, node.rank());
    let inverse: Vec<f64> = variance.iter().map(|&v| 1.0 / (f64::from(v) + epsilon).sqrt()).collect();
    let scale: Vec<f32> = match node.weight("gamma") {
        Some((_, gamma)) => {
            inverse.iter().zip(gamma).map(|(i, &gamma)| (i * f64::from(gamma)) as f32).collect()
        }
        None => inverse.iter().map(|&inverse| inverse as f32).collect(),
    };
    let (_, mean) = node.required("moving_mean")?;
    let mean = constant(graph, "moving_mean", &shape, mean);
    let centered = graph.op("Sub", &[&x.name, &mean]);
    let scale = graph.tensor("scale", &shape, scale);
    let scaled = graph.op("Mul", &[&centered, &scale]);
    Ok(with_weight(graph, node, "Add", "beta", &scaled, &shape))
}

/// Applies an operator to a value and a weight, if the layer has it.
fn with_weight(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    op: &'static str,
    name: &str,
    x: &str,
    shape: &[usize],
) -> String {
    match node.weight(name) {
        Some((_, values)) => {
            let weight = constant(graph, name, shape, values);
            graph.op(op, &[x, &weight])
        }
        None => x.to_owned(),
    }
}

/// `γ · y + β` with weights over some axes.
fn scale_and_center(graph: &mut Graph, node: &LayerNode<'_>, y: &str, axes: &[usize]) -> String {
    let dims: Vec<usize> =
        axes.iter().filter_map(|&axis| node.input().get(axis.checked_sub(1)?).copied()).collect();
    let shape = broadcast(&dims, axes, node.rank());
    let scaled = with_weight(graph, node, "Mul", "gamma", y, &shape);
    with_weight(graph, node, "Add", "beta", &scaled, &shape)
}

/// `x / √(mean of x² over the axes + ε)`.
fn divided_by_root_mean_square(graph: &mut Graph, x: &str, axes: &[usize], epsilon: f64) -> String {
    let square = graph.op("Mul", &[x, x]);
    let mean = graph.reduce("ReduceMean", &square, axes, true);
    let sum = graph.op_scalar("Add", &mean, epsilon);
    let root = graph.op("Sqrt", &[&sum]);
    graph.op("Div", &[x, &root])
}

/// `(x − mean) / √(variance + ε)`, with the statistics of the axes.
fn standardized(graph: &mut Graph, x: &str, axes: &[usize], epsilon: f64) -> String {
    let mean = graph.reduce("ReduceMean", x, axes, true);
    let centered = graph.op("Sub", &[x, &mean]);
    divided_by_root_mean_square(graph, &centered, axes, epsilon)
}

pub(super) fn layer_normalization(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let AxesAndEpsilon { axis, epsilon } = node.config()?;
    let axes = axes_of(&axis, node.rank());
    let y = standardized(graph, &x.name, &axes, epsilon);
    Ok(scale_and_center(graph, node, &y, &axes))
}

pub(super) fn rms_normalization(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let AxesAndEpsilon { axis, epsilon } = node.config()?;
    let axes = axes_of(&axis, node.rank());
    let y = divided_by_root_mean_square(graph, &x.name, &axes, epsilon);
    let (dims, _) = node.required("scale")?;
    let shape = broadcast(dims, &axes, node.rank());
    Ok(with_weight(graph, node, "Mul", "scale", &y, &shape))
}

/// Standardizes groups of channels, each over all positions: as (outer, groups, channels of a group and inner axes).
pub(super) fn group_normalization(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let AxisAndEpsilon { axis, epsilon } = node.config()?;
    let Groups { groups } = node.config()?;
    let axis = axis_of(axis, node.rank());
    let sample = node.input();
    let outer: usize = sample.iter().take(axis.saturating_sub(1)).product();
    let channels = sample.get(axis.saturating_sub(1)).copied().unwrap_or(1);
    let groups = usize::try_from(groups).unwrap_or(channels).max(1);
    let rest = sample.iter().product::<usize>() / (outer * groups).max(1);
    let grouped = graph.reshape(&x.name, &[outer, groups, rest]);
    let y = standardized(graph, &grouped, &[1, 3], epsilon);
    let y = graph.reshape(&y, sample);
    Ok(scale_and_center(graph, node, &y, &[axis]))
}

pub(super) fn unit_normalization(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let AxesAndEpsilon { axis, .. } = node.config()?;
    let square = graph.op("Mul", &[&x.name, &x.name]);
    let sum = graph.reduce("ReduceSum", &square, &axes_of(&axis, node.rank()), true);
    let least = graph.scalar(LEAST_SQUARE);
    let sum = graph.op("Max", &[&sum, &least]);
    let norm = graph.op("Sqrt", &[&sum]);
    Ok(graph.op("Div", &[&x.name, &norm]))
}

#[derive(Deserialize)]
struct NormalizationConfig {
    axis: Option<isize>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    invert: bool,
}

/// `(x − mean) / deviation`, or the inverse.
#[allow(clippy::cast_possible_truncation, reason = "networks compute in f32")]
pub(super) fn normalization(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let NormalizationConfig { axis, mean, variance, invert } = node.config()?;
    let axes: Vec<usize> = axis.iter().map(|&axis| axis_of(axis, node.rank())).collect();
    let shape = broadcast(&[mean.len()], &axes, node.rank());
    let mean = graph.tensor("mean", &shape, mean.iter().map(|&mean| mean as f32).collect());
    let deviations = variance.iter().map(|variance| variance.sqrt().max(LEAST_DEVIATION));
    let deviation = graph.tensor("deviation", &shape, deviations.map(|deviation| deviation as f32).collect());
    if invert {
        let scaled = graph.op("Mul", &[&x.name, &deviation]);
        return Ok(graph.op("Add", &[&scaled, &mean]));
    }
    let centered = graph.op("Sub", &[&x.name, &mean]);
    Ok(graph.op("Div", &[&centered, &deviation]))
}

#[derive(Deserialize)]
struct RescalingConfig {
    scale: f64,
    offset: f64,
}

/// `scale · x + offset`.
pub(super) fn rescaling(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let RescalingConfig { scale, offset } = node.config()?;
    let scaled = graph.op_scalar("Mul", &x.name, scale);
    Ok(if offset == 0.0 { scaled } else { graph.op_scalar("Add", &scaled, offset) })
}
