//! Layers that only move values: reshaping, permuting, repeating, padding, cropping, upsampling.

use super::super::graph::{Attribute, Graph, int};
use super::convolution::{channels_first, channels_last};
use super::{Integers, LayerNode, Tensor};
use crate::error::Result;
use crate::nn::layers::Interpolation;
use serde::Deserialize;

/// Flatten and Reshape: the plan knows the shape.
#[allow(clippy::unnecessary_wraps, reason = "the signature of an exporter")]
pub(super) fn reshape(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    Ok(graph.reshape(&x.name, node.output()))
}

#[derive(Deserialize)]
struct PermuteConfig {
    dims: Vec<usize>,
}

/// Keras counts the batch as axis 0, as ONNX does.
pub(super) fn permute(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let PermuteConfig { dims } = node.config()?;
    let order: Vec<usize> = [0].into_iter().chain(dims).collect();
    Ok(graph.transpose(&x.name, &order))
}

/// (features) as (1, features), then n times.
#[allow(clippy::unnecessary_wraps, reason = "the signature of an exporter")]
pub(super) fn repeat_vector(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let n = node.output().first().copied().unwrap_or(1);
    let column = graph.reshape(&x.name, &[1, node.input().iter().product()]);
    let repeats = graph.ints(&[1, int(n), 1]);
    Ok(graph.op("Tile", &[&column, &repeats]))
}

#[derive(Deserialize)]
struct Edges {
    #[serde(alias = "padding")]
    cropping: Vec<[usize; 2]>,
}

/// Adds zeros before and behind the spatial axes.
pub(super) fn zero_padding(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let Edges { cropping: edges } = node.config()?;
    // Batch and channels are not padded.
    let edges: Vec<_> = [[0, 0]].into_iter().chain(edges).chain([[0, 0]]).collect();
    let before = edges.iter().map(|[before, _]| int(*before));
    let pads: Vec<i64> = before.chain(edges.iter().map(|[_, after]| int(*after))).collect();
    let pads = graph.ints(&pads);
    Ok(graph.op("Pad", &[&x.name, &pads]))
}

/// Removes positions at the edges of the spatial axes.
pub(super) fn cropping(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let Edges { cropping: edges } = node.config()?;
    let lengths = node.input().iter().zip(&edges);
    let ends: Vec<i64> = lengths.map(|(&length, [_, after])| int(length.saturating_sub(*after))).collect();
    let starts: Vec<i64> = edges.iter().map(|[before, _]| int(*before)).collect();
    let axes: Vec<i64> = (1..=edges.len()).map(int).collect();
    let [starts, ends, axes] = [starts, ends, axes].map(|values| graph.ints(&values));
    Ok(graph.op("Slice", &[&x.name, &starts, &ends, &axes]))
}

#[derive(Deserialize)]
struct UpSamplingConfig {
    size: Integers<usize>,
    #[serde(default)]
    interpolation: Interpolation,
}

/// `Resize` of the spatial axes: repeated positions, or bilinear interpolation between the centers of positions.
#[allow(clippy::cast_precision_loss, reason = "the factor of an image's axis")]
pub(super) fn up_sampling(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let UpSamplingConfig { size, interpolation } = node.config()?;
    let bilinear = interpolation == Interpolation::Bilinear;
    let attributes = if bilinear {
        [("mode", "linear"), ("coordinate_transformation_mode", "half_pixel"), ("nearest_mode", "floor")]
    } else {
        [("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")]
    };
    let factors: Vec<f32> =
        [1.0, 1.0].into_iter().chain(size.to_vec().iter().map(|&size| size as f32)).collect();
    let factors = graph.tensor("scales", &[factors.len()], factors);
    let first = channels_first(graph, &x.name, node.rank());
    let attributes = attributes.map(|(name, value)| (name, Attribute::Text(value)));
    let resized = graph.op_with("Resize", &[&first, "", &factors], attributes);
    Ok(channels_last(graph, &resized, node.rank()))
}
