//! Convolutions. ONNX has channels first: values are transposed before and after, kernels when they are exported.

use super::super::graph::{Attribute, Graph};
use super::{Integers, LayerNode, Tensor, constant, ints};
use crate::error::Result;
use crate::nn::layers::Padding;
use ndarray::ArrayView;
use serde::Deserialize;

/// The hyperparameters of layers with a sliding window.
#[derive(Deserialize)]
pub(super) struct WindowConfig {
    #[serde(alias = "pool_size")]
    kernel_size: Integers<usize>,
    #[serde(default)]
    strides: Option<Integers<usize>>,
    #[serde(default)]
    padding: Padding,
    #[serde(default)]
    dilation_rate: Option<Integers<usize>>,
    #[serde(default)]
    output_padding: Option<Integers<usize>>,
    #[serde(default)]
    groups: Option<usize>,
}

/// A sliding window over the spatial axes of a sample.
pub(super) struct Window {
    pub(super) size: Vec<usize>,
    pub(super) strides: Vec<usize>,
    dilation_rate: Vec<usize>,
    padding: Padding,
    output_padding: Option<Vec<usize>>,
    groups: usize,
}

impl Window {
    /// Reads the window of a layer. `default_strides` maps the size to the strides of a layer that names none.
    pub(super) fn of(node: &LayerNode<'_>, default_strides: impl Fn(usize) -> usize) -> Result<Self> {
        let config: WindowConfig = node.config()?;
        let size = config.kernel_size.to_vec();
        let or =
            |values: Option<Integers<usize>>, default: Vec<usize>| values.map_or(default, |v| v.to_vec());
        Ok(Self {
            strides: or(config.strides, size.iter().map(|&size| default_strides(size)).collect()),
            dilation_rate: or(config.dilation_rate, vec![1; size.len()]),
            padding: config.padding,
            output_padding: config.output_padding.map(|padding| padding.to_vec()),
            groups: config.groups.unwrap_or(1),
            size,
        })
    }

    /// The extent of the dilated window along an axis.
    fn span(&self, axis: usize) -> usize {
        (at(&self.size, axis).saturating_sub(1)) * at(&self.dilation_rate, axis) + 1
    }

    /// The padding before all axes, then behind all axes, of a sample with these spatial lengths.
    pub(super) fn pads(&self, spatial: &[usize]) -> Attribute {
        let pad = |axis: usize, n: usize| match self.padding {
            Padding::Valid => (0, 0),
            Padding::Same => {
                let (stride, span) = (at(&self.strides, axis), self.span(axis));
                let total = ((n.div_ceil(stride).saturating_sub(1)) * stride + span).saturating_sub(n);
                (total / 2, total - total / 2)
            }
            Padding::Causal => (self.span(axis) - 1, 0),
        };
        attribute_of_pairs(spatial.iter().enumerate().map(|(axis, &n)| pad(axis, n)))
    }

    /// The padding, and the output padding, with which a transposed convolution of `input` has `output` positions.
    ///
    /// The full output has `(n − 1) · stride + span` positions. With [`Padding::Same`], the crate crops
    /// `(span − last) / 2` of them in front, where `last` positions belong to the last position of the input.
    fn transposed_pads(&self, input: &[usize], output: &[usize]) -> (Attribute, Attribute) {
        let pad = |axis: usize| {
            let (stride, span) = (at(&self.strides, axis), self.span(axis));
            let before = match (self.padding, &self.output_padding) {
                (Padding::Same, None) => span.saturating_sub(stride) / 2,
                (Padding::Same, Some(extra)) => span.saturating_sub(span % 2 + at(extra, axis)) / 2,
                _ => 0,
            };
            let full = at(input, axis).saturating_sub(1) * stride + span;
            let end = before + at(output, axis);
            (before, full.saturating_sub(end), end.saturating_sub(full))
        };
        let pads: Vec<_> = (0..input.len()).map(pad).collect();
        let edges = attribute_of_pairs(pads.iter().map(|&(before, after, _)| (before, after)));
        (edges, ints(pads.iter().map(|&(.., extra)| extra)))
    }

    /// The attributes of `Conv` and `ConvTranspose` but for the padding.
    fn attributes(&self, groups: usize) -> Vec<(&'static str, Attribute)> {
        vec![
            ("kernel_shape", ints(self.size.iter().copied())),
            ("strides", ints(self.strides.iter().copied())),
            ("dilations", ints(self.dilation_rate.iter().copied())),
            ("group", Attribute::Int(super::super::graph::int(groups))),
        ]
    }
}

/// The value for an axis; 1 where a list is too short, which no plan accepts.
fn at(values: &[usize], axis: usize) -> usize {
    values.get(axis).copied().unwrap_or(1)
}

/// Pairs (before, after) of the axes in ONNX's order: all before, then all after.
pub(super) fn attribute_of_pairs(pairs: impl Iterator<Item = (usize, usize)>) -> Attribute {
    let (before, after): (Vec<_>, Vec<_>) = pairs.unzip();
    ints(before.into_iter().chain(after))
}

/// Moves the channels to axis 1.
pub(super) fn channels_first(graph: &mut Graph, x: &str, rank: usize) -> String {
    let order: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    graph.transpose(x, &order)
}

/// Moves the channels from axis 1 to the last.
pub(super) fn channels_last(graph: &mut Graph, x: &str, rank: usize) -> String {
    let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    graph.transpose(x, &order)
}

/// A kernel with its axes permuted; the shape that results, and the values.
fn permuted(node: &LayerNode<'_>, name: &str, order: &[usize]) -> Result<(Vec<usize>, Vec<f32>)> {
    let (dims, values) = node.required(name)?;
    let view =
        ArrayView::from_shape(dims, values).map_err(|_| node.refused("its kernel has another shape"))?;
    let view = view.permuted_axes(order);
    Ok((view.shape().to_vec(), view.iter().copied().collect()))
}

/// Appends a convolution operator between two transpositions.
fn between_transpositions(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    x: &Tensor,
    op: &'static str,
    kernel: &str,
    attributes: Vec<(&'static str, Attribute)>,
    with_bias: bool,
) -> String {
    let first = channels_first(graph, &x.name, node.rank());
    let bias = node.weight("bias").filter(|_| with_bias);
    let bias = bias.map(|(dims, bias)| constant(graph, "bias", dims, bias));
    let inputs: Vec<&str> = [&*first, kernel].into_iter().chain(bias.as_deref()).collect();
    let y = graph.node(op, "", &inputs, attributes, 1).pop().unwrap_or_default();
    channels_last(graph, &y, node.rank())
}

/// The spatial axes of a sample.
pub(super) fn spatial(sample: &[usize]) -> &[usize] {
    sample.split_last().map_or(&[], |(_, spatial)| spatial)
}

/// `Conv` with the kernel (…, channels / groups, filters) as (filters, channels / groups, …).
pub(super) fn convolution(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let window = Window::of(node, |_| 1)?;
    let axes = window.size.len();
    let order: Vec<usize> = [axes + 1, axes].into_iter().chain(0..axes).collect();
    let (dims, kernel) = permuted(node, "kernel", &order)?;
    let kernel = graph.tensor("kernel", &dims, kernel);
    let mut attributes = window.attributes(window.groups);
    attributes.push(("pads", window.pads(spatial(node.input()))));
    Ok(between_transpositions(graph, node, x, "Conv", &kernel, attributes, true))
}

/// `ConvTranspose` with the kernel (…, filters, channels) as (channels, filters, …).
pub(super) fn transposed(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let window = Window::of(node, |_| 1)?;
    let (dims, kernel) = permuted(node, "kernel", &[3, 2, 0, 1])?;
    let kernel = graph.tensor("kernel", &dims, kernel);
    let (pads, output_padding) = window.transposed_pads(spatial(node.input()), spatial(node.output()));
    let mut attributes = window.attributes(1);
    attributes.extend([("pads", pads), ("output_padding", output_padding)]);
    Ok(between_transpositions(graph, node, x, "ConvTranspose", &kernel, attributes, true))
}

/// `Conv` with a group for each channel: the kernel (rows, columns, channels, multiplier) as
/// (channels · multiplier, 1, rows, columns).
fn depthwise_product(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    x: &Tensor,
    name: &str,
    with_bias: bool,
) -> Result<String> {
    let window = Window::of(node, |_| 1)?;
    let (dims, kernel) = permuted(node, name, &[2, 3, 0, 1])?;
    let &[channels, multiplier, rows, columns] = &dims[..] else {
        return Err(node.refused("its kernel has another shape"));
    };
    let kernel = graph.tensor(name, &[channels * multiplier, 1, rows, columns], kernel);
    let mut attributes = window.attributes(channels);
    attributes.push(("pads", window.pads(spatial(node.input()))));
    Ok(between_transpositions(graph, node, x, "Conv", &kernel, attributes, with_bias))
}

pub(super) fn depthwise(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    depthwise_product(graph, node, x, "kernel", true)
}

/// A depthwise convolution, then a product over the channels.
pub(super) fn separable(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let hidden = depthwise_product(graph, node, x, "depthwise_kernel", false)?;
    let (dims, pointwise) = node.required("pointwise_kernel")?;
    let pointwise = constant(graph, "pointwise_kernel", dims.get(2..).unwrap_or_default(), pointwise);
    let product = graph.op("MatMul", &[&hidden, &pointwise]);
    Ok(match node.weight("bias") {
        Some((dims, bias)) => {
            let bias = constant(graph, "bias", dims, bias);
            graph.op("Add", &[&product, &bias])
        }
        None => product,
    })
}
