//! Layers as ONNX nodes: a function for each kind of layer, found in the table [`EXPORTERS`].
//!
//! To export a new layer, write a function with the signature of [`Exporter`] in the file of its family and add a row to
//! the table. The function reads hyperparameters from the layer's configuration and shapes from its plan, appends nodes for
//! inference, and returns the output before the activation that the plan declares. Samples keep their axes; axis 0 is the
//! batch.

mod attention;
mod cell;
mod convolution;
mod core;
mod merge_inputs;
mod merging;
mod normalization;
mod pooling;
mod recurrent;
mod reshaping;
mod scan;
mod wrappers;

use super::activation::activation;
use super::graph::{Attribute, ElementType, Graph};
use crate::error::{Error, Result};
use crate::nn::layer::{Config, LayerConfig, MaskOut, Nested, Plan, Shape};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A value of the graph, (batch, …), with its padding mask, if any: booleans, true where a position is valid.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(super) name: String,
    pub(super) mask: Option<String>,
}

impl Tensor {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), mask: None }
    }
}

/// Appends the nodes of a layer; returns its output before the activation.
type Exporter = fn(&mut Graph, &LayerNode<'_>, &Tensor) -> Result<String>;

/// Kinds of layers and the functions that export them.
const EXPORTERS: &[(&str, Exporter)] = &[
    ("activation", core::identity),
    ("dense", core::dense),
    ("dropout", core::identity),
    ("flatten", reshaping::reshape),
    ("reshape", reshaping::reshape),
    ("re_lu", core::identity),
    ("leaky_re_lu", core::identity),
    ("p_re_lu", core::p_re_lu),
    ("elu", core::identity),
    ("softmax", core::softmax),
    ("batch_normalization", normalization::batch_normalization),
    ("layer_normalization", normalization::layer_normalization),
    ("rms_normalization", normalization::rms_normalization),
    ("group_normalization", normalization::group_normalization),
    ("unit_normalization", normalization::unit_normalization),
    ("normalization", normalization::normalization),
    ("rescaling", normalization::rescaling),
    ("activity_regularization", core::identity),
    ("alpha_dropout", core::identity),
    ("gaussian_dropout", core::identity),
    ("gaussian_noise", core::identity),
    ("spatial_dropout1d", core::identity),
    ("spatial_dropout2d", core::identity),
    ("conv1d", convolution::convolution),
    ("conv2d", convolution::convolution),
    ("conv2d_transpose", convolution::transposed),
    ("depthwise_conv2d", convolution::depthwise),
    ("separable_conv2d", convolution::separable),
    ("max_pooling1d", pooling::max),
    ("max_pooling2d", pooling::max),
    ("average_pooling1d", pooling::average),
    ("average_pooling2d", pooling::average),
    ("global_max_pooling1d", pooling::global_max),
    ("global_max_pooling2d", pooling::global_max),
    ("global_average_pooling1d", pooling::global_average),
    ("global_average_pooling2d", pooling::global_average),
    ("embedding", core::embedding),
    ("permute", reshaping::permute),
    ("repeat_vector", reshaping::repeat_vector),
    ("zero_padding1d", reshaping::zero_padding),
    ("zero_padding2d", reshaping::zero_padding),
    ("cropping1d", reshaping::cropping),
    ("cropping2d", reshaping::cropping),
    ("up_sampling1d", reshaping::up_sampling),
    ("up_sampling2d", reshaping::up_sampling),
    ("simple_rnn", recurrent::simple_rnn),
    ("lstm", recurrent::lstm),
    ("gru", recurrent::gru),
    ("masking", core::masking),
    ("multi_head_attention", attention::attention),
    ("group_query_attention", attention::attention),
    ("position_embedding", attention::position_embedding),
    ("bidirectional", wrappers::bidirectional),
    ("residual", wrappers::residual),
    ("time_distributed", wrappers::time_distributed),
];

/// A layer to export: its recipe, its plan and its weights in f32.
#[derive(Debug)]
pub(super) struct LayerNode<'a> {
    /// The name in messages and of weights: `0.dense`, and `1.residual/0.dense` inside another layer.
    pub(super) name: String,
    pub(super) kind: String,
    /// The hyperparameters; `None` if the layer has none to give.
    pub(super) config: Option<Config>,
    pub(super) plan: &'a Plan,
    pub(super) params: &'a [f32],
    pub(super) state: &'a [f32],
}

impl<'a> LayerNode<'a> {
    /// The hyperparameters that `T` names.
    fn config<T: DeserializeOwned>(&self) -> Result<T> {
        self.config.as_ref().ok_or_else(|| self.refused("it has no configuration"))?.read(&self.kind)
    }

    /// The sample shape of the input.
    fn input(&self) -> &'a [usize] {
        self.plan.input_shape().dims()
    }

    /// The sample shape of the output.
    fn output(&self) -> &'a [usize] {
        self.plan.output_shape().dims()
    }

    /// Number of axes of the input, with the batch.
    fn rank(&self) -> usize {
        self.plan.input_shape().rank() + 1
    }

    /// Shape and values of a parameter or of an array of state; `None` if the layer was configured without it.
    fn weight(&self, name: &str) -> Option<(&'a [usize], &'a [f32])> {
        let params = self.plan.params().iter().map(|spec| (&*spec.name, &spec.shape));
        let state = self.plan.state_specs().iter().map(|spec| (&*spec.name, &spec.shape));
        find(params, self.params, name).or_else(|| find(state, self.state, name))
    }

    /// Shape and values of a weight that the layer always has.
    fn required(&self, name: &str) -> Result<(&'a [usize], &'a [f32])> {
        self.weight(name).ok_or_else(|| self.refused(&format!("its plan declares no {name}")))
    }

    /// A layer nested in this one.
    fn nested(&self, nested: &'a Nested, recipe: &LayerConfig) -> LayerNode<'a> {
        LayerNode {
            name: format!("{}/{}", self.name, nested.name),
            kind: recipe.kind().to_owned(),
            config: Some(recipe.config()),
            plan: &nested.plan,
            params: self.params.get(nested.params.clone()).unwrap_or_default(),
            state: self.state.get(nested.state.clone()).unwrap_or_default(),
        }
    }

    /// The error for a layer that ONNX cannot represent.
    fn refused(&self, reason: &str) -> Error {
        Error::Unsaveable {
            what: format!("layer {}", self.name),
            reason: format!("{reason}, so ONNX has no form for it"),
            hint: "use the layers of this crate, or save the model in its own format".into(),
        }
    }
}

/// Finds an array by name in a buffer that holds the arrays one after the other.
fn find<'a, 's>(
    specs: impl Iterator<Item = (&'s str, &'a Shape)>,
    values: &'a [f32],
    name: &str,
) -> Option<(&'a [usize], &'a [f32])> {
    let mut start = 0;
    for (known, shape) in specs {
        let end = start + shape.size();
        if known == name {
            return Some((shape.dims(), values.get(start..end)?));
        }
        start = end;
    }
    None
}

/// Appends the nodes of a layer with its activation; returns its output and the mask of its output.
pub(super) fn layer(graph: &mut Graph, node: &LayerNode<'_>, inputs: &[Tensor]) -> Result<Tensor> {
    let output = without_activation(graph, node, inputs)?;
    let outer = graph.set_scope(&*node.name);
    let name = activation(graph, &output.name, node.plan.declared_activation());
    graph.set_scope(outer);
    Ok(Tensor { name, ..output })
}

/// Appends the nodes of a layer with several inputs, whose sample shapes are `shapes`.
pub(super) fn merge(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    tensors: &[Tensor],
    shapes: &[Shape],
) -> Result<Tensor> {
    let found = merging::EXPORTERS.iter().find(|(kind, _)| *kind == node.kind);
    let (_, export) = found.ok_or_else(|| node.refused("it is not a layer of this crate"))?;
    let outer = graph.set_scope(&*node.name);
    let merged = export(graph, node, &merge_inputs::Inputs { tensors, shapes });
    graph.set_scope(outer);
    merged
}

/// Appends the nodes of a layer without the activation that its plan declares.
fn without_activation(graph: &mut Graph, node: &LayerNode<'_>, inputs: &[Tensor]) -> Result<Tensor> {
    if node.plan.batch_size().is_some() {
        return Err(node.refused("it carries state from batch to batch (stateful)"));
    }
    let found = EXPORTERS.iter().find(|(kind, _)| *kind == node.kind);
    let (_, export) = found.ok_or_else(|| node.refused("it is not a layer of this crate"))?;
    let [x] = inputs else { return Err(node.refused("it does not have one input")) };
    let outer = graph.set_scope(&*node.name);
    let exported = export(graph, node, x);
    let mask = match node.plan.mask_out() {
        MaskOut::Ends => Ok(None),
        MaskOut::Passes => Ok(x.mask.clone()),
        MaskOut::Made(_) | MaskOut::Derived(_) => mask(graph, node, x),
    };
    graph.set_scope(outer);
    Ok(Tensor { name: exported?, mask: mask? })
}

/// Appends the computation of the mask that a layer makes.
fn mask(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<Option<String>> {
    match &*node.kind {
        "embedding" => Ok(Some(core::embedding_mask(graph, x))),
        "masking" => core::masking_mask(graph, node, x).map(Some),
        "time_distributed" => Ok(wrappers::time_distributed_mask(graph, node, x)),
        _ => Err(node.refused("it computes a padding mask")),
    }
}

/// An integer or a list of integers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Integers<T> {
    One(T),
    Several(Vec<T>),
}

impl<T: Copy> Integers<T> {
    fn to_vec(&self) -> Vec<T> {
        match self {
            Self::One(value) => vec![*value],
            Self::Several(values) => values.clone(),
        }
    }
}

/// The axis of ONNX, counted with the batch, of one that is counted as in Keras.
fn axis_of(axis: isize, rank: usize) -> usize {
    if axis < 0 { rank.saturating_sub(axis.unsigned_abs()) } else { axis.unsigned_abs() }
}

/// The axes of ONNX, ascending.
fn axes_of(axes: &[isize], rank: usize) -> Vec<usize> {
    let mut axes: Vec<usize> = axes.iter().map(|&axis| axis_of(axis, rank)).collect();
    axes.sort_unstable();
    axes.dedup();
    axes
}

/// Weights over some axes of a sample, reshaped for broadcasting: the other axes have length 1.
///
/// `dims` are the lengths of `axes`, which are counted with the batch and ascending.
fn broadcast(dims: &[usize], axes: &[usize], rank: usize) -> Vec<usize> {
    let mut shape = vec![1; rank.saturating_sub(1)];
    for (&dim, &axis) in dims.iter().zip(axes) {
        if let Some(slot) = axis.checked_sub(1).and_then(|axis| shape.get_mut(axis)) {
            *slot = dim;
        }
    }
    shape
}

/// A weight of the layer as a constant of this shape.
fn constant(graph: &mut Graph, name: &str, dims: &[usize], values: &[f32]) -> String {
    graph.tensor(name, dims, values.to_vec())
}

/// Extends a mask by axes of length 1 until it has `rank` axes, so that it can be broadcast over the features.
fn extend_mask(graph: &mut Graph, mask: &str, positions: &[usize], rank: usize) -> String {
    let mut sample = positions.to_vec();
    sample.resize(rank.saturating_sub(1).max(positions.len()), 1);
    graph.reshape(mask, &sample)
}

/// Booleans as numbers, 1 for true.
fn as_float(graph: &mut Graph, mask: &str) -> String {
    graph.cast(mask, ElementType::Float)
}

/// A list of integers as an attribute.
fn ints(values: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute::Ints(values.into_iter().map(super::graph::int).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layers::{KINDS, MERGE_KINDS};

    #[test]
    fn every_kind_of_layer_has_an_exporter() {
        let kinds: Vec<&str> = EXPORTERS.iter().map(|(kind, _)| *kind).collect();
        for kind in KINDS {
            assert!(kinds.contains(kind), "{kind}");
        }
        assert_eq!(kinds.len(), KINDS.len());
        let kinds: Vec<&str> = merging::EXPORTERS.iter().map(|(kind, _)| *kind).collect();
        assert!(kinds.len() == MERGE_KINDS.len() && MERGE_KINDS.iter().all(|kind| kinds.contains(kind)));
    }

    #[test]
    fn axes_are_counted_with_the_batch() {
        assert_eq!(axes_of(&[-1, 1], 3), [1, 2]);
        assert_eq!(axes_of(&[3, -1], 4), [3]);
        assert_eq!(broadcast(&[5], &[1], 4), [5, 1, 1]);
        assert_eq!(broadcast(&[2, 4], &[1, 3], 4), [2, 1, 4]);
    }
}
