//! Layers with several inputs: elementwise merging, concatenation, dot products.

use super::super::graph::{Attribute, Graph, int};
use super::merge_inputs::Inputs;
use super::{LayerNode, Tensor, attention, axis_of};
use crate::error::Result;
use serde::Deserialize;

type MergeExporter = fn(&mut Graph, &LayerNode<'_>, &Inputs<'_>) -> Result<Tensor>;

/// Kinds of layers with several inputs and the functions that export them.
pub(super) const EXPORTERS: &[(&str, MergeExporter)] = &[
    ("add", |graph, _, inputs| Ok(elementwise(graph, inputs, "Add"))),
    ("subtract", |graph, _, inputs| Ok(elementwise(graph, inputs, "Sub"))),
    ("multiply", |graph, _, inputs| Ok(elementwise(graph, inputs, "Mul"))),
    ("maximum", |graph, _, inputs| Ok(elementwise(graph, inputs, "Max"))),
    ("minimum", |graph, _, inputs| Ok(elementwise(graph, inputs, "Min"))),
    ("average", average),
    ("concatenate", concatenate),
    ("dot", dot),
    ("multi_head_attention", attention::merged),
    ("group_query_attention", attention::merged),
    ("attention", attention::unprojected),
    ("additive_attention", attention::unprojected),
];

/// Applies an operator to the first two inputs, then to the result and the next one. A position is valid where it is in any
/// input; unless all inputs have a mask and one shape, the output has none.
fn elementwise(graph: &mut Graph, inputs: &Inputs<'_>, op: &'static str) -> Tensor {
    let mut names = inputs.aligned(graph).into_iter();
    let first = names.next().unwrap_or_default();
    let name = names.fold(first, |y, x| graph.op(op, &[&y, &x]));
    let alike = inputs.shapes.windows(2).all(|pair| pair.first() == pair.last());
    let masks: Option<Vec<String>> = inputs.tensors.iter().map(|tensor| tensor.mask.clone()).collect();
    Tensor { name, mask: masks.filter(|_| alike).and_then(|masks| any(graph, masks)) }
}

/// Where any of the masks is true.
fn any(graph: &mut Graph, masks: Vec<String>) -> Option<String> {
    masks.into_iter().reduce(|any, mask| graph.op("Or", &[&any, &mask]))
}

fn average(graph: &mut Graph, _: &LayerNode<'_>, inputs: &Inputs<'_>) -> Result<Tensor> {
    let sum = elementwise(graph, inputs, "Add");
    #[allow(clippy::cast_precision_loss, reason = "the number of inputs")]
    let name = graph.op_scalar("Div", &sum.name, inputs.tensors.len() as f64);
    Ok(Tensor { name, ..sum })
}

#[derive(Deserialize)]
struct ConcatenateConfig {
    axis: isize,
}

/// The masks are concatenated too, or combined where features are concatenated.
fn concatenate(graph: &mut Graph, node: &LayerNode<'_>, inputs: &Inputs<'_>) -> Result<Tensor> {
    let ConcatenateConfig { axis } = node.config()?;
    let rank = node.output().len() + 1;
    let axis = axis_of(axis, rank);
    let attribute = || [("axis", Attribute::Int(int(axis)))];
    let names: Vec<&str> = inputs.tensors.iter().map(|tensor| &*tensor.name).collect();
    let name = graph.op_with("Concat", &names, attribute());
    let mask = inputs.masks(graph).and_then(|masks| {
        if axis + 1 == rank {
            return any(graph, masks);
        }
        let masks: Vec<&str> = masks.iter().map(String::as_str).collect();
        Some(graph.op_with("Concat", &masks, attribute()))
    });
    Ok(Tensor { name, mask })
}

#[derive(Deserialize)]
struct DotConfig {
    axes: [isize; 2],
    normalize: bool,
}

/// The least squared norm that dot products divide by.
const LEAST_SQUARE: f64 = 1e-12;

/// Both inputs as matrices of vectors along their axes, (vectors, length), then the products of all pairs.
fn dot(graph: &mut Graph, node: &LayerNode<'_>, inputs: &Inputs<'_>) -> Result<Tensor> {
    let DotConfig { axes, normalize } = node.config()?;
    let ([a, b], [a_shape, b_shape]) = (inputs.tensors, inputs.shapes) else {
        return Err(node.refused("it does not have two inputs"));
    };
    let mut matrices = Vec::new();
    for ((tensor, shape), axis) in [(a, a_shape), (b, b_shape)].into_iter().zip(axes) {
        let rank = shape.rank() + 1;
        let axis = axis_of(axis, rank);
        let length = axis.checked_sub(1).and_then(|axis| shape.dims().get(axis)).copied().unwrap_or(1);
        let order: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
        let last = graph.transpose(&tensor.name, &order);
        let matrix = graph.reshape(&last, &[shape.size() / length.max(1), length]);
        matrices.push(if normalize { unit_vectors(graph, &matrix) } else { matrix });
    }
    let [a, b] = &matrices[..] else { return Err(node.refused("it does not have two inputs")) };
    let transposed = graph.transpose(b, &[0, 2, 1]);
    let products = graph.op("MatMul", &[a, &transposed]);
    Ok(Tensor::new(graph.reshape(&products, node.output())))
}

/// Vectors along the last of three axes, divided by their norms.
fn unit_vectors(graph: &mut Graph, x: &str) -> String {
    let squares = graph.op("Mul", &[x, x]);
    let sum = graph.reduce("ReduceSum", &squares, &[2], true);
    let least = graph.scalar(LEAST_SQUARE);
    let sum = graph.op("Max", &[&sum, &least]);
    let norm = graph.op("Sqrt", &[&sum]);
    graph.op("Div", &[x, &norm])
}
