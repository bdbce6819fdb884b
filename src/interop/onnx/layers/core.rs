//! Dense, Embedding, Masking, PReLU, Softmax, and layers that are the identity at inference.

use super::super::graph::{Attribute, ElementType, Graph};
use super::{Integers, LayerNode, Tensor, as_float, axes_of, constant, extend_mask};
use crate::error::Result;
use serde::Deserialize;

/// Dropout, noise, penalties, and activations, which the plan declares.
#[allow(clippy::unnecessary_wraps, reason = "the signature of an exporter")]
pub(super) fn identity(_: &mut Graph, _: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    Ok(x.name.clone())
}

/// `x · kernel + bias` over the last axis: `Gemm`, or `MatMul` for samples with several axes.
pub(super) fn dense(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let (dims, kernel) = node.required("kernel")?;
    let kernel = constant(graph, "kernel", dims, kernel);
    let bias = node.weight("bias").map(|(dims, bias)| constant(graph, "bias", dims, bias));
    if node.rank() == 2 {
        let operands: Vec<&str> = [&*x.name, &kernel].into_iter().chain(bias.as_deref()).collect();
        return Ok(graph.op("Gemm", &operands));
    }
    let product = graph.op("MatMul", &[&x.name, &kernel]);
    Ok(match bias {
        Some(bias) => graph.op("Add", &[&product, &bias]),
        None => product,
    })
}

/// A row of the table for each index. Indices are numbers without a fraction, as `predict` takes them.
pub(super) fn embedding(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let (dims, table) = node.required("embeddings")?;
    let table = constant(graph, "embeddings", dims, table);
    let indices = graph.cast(&x.name, ElementType::Int64);
    Ok(graph.op_with("Gather", &[&table, &indices], [("axis", Attribute::Int(0))]))
}

/// True where the index is not 0.
pub(super) fn embedding_mask(graph: &mut Graph, x: &Tensor) -> String {
    differs(graph, &x.name, 0.0)
}

#[derive(Deserialize)]
struct MaskingConfig {
    mask_value: f64,
}

/// Zeros at steps whose features all equal `mask_value`.
pub(super) fn masking(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let valid = masking_mask(graph, node, x)?;
    let (_, steps) = node.input().split_last().unwrap_or((&1, &[]));
    let valid = extend_mask(graph, &valid, steps, node.rank());
    let zero = graph.scalar(0.0);
    Ok(graph.op("Where", &[&valid, &x.name, &zero]))
}

/// True where a feature of the step differs from `mask_value`.
pub(super) fn masking_mask(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let MaskingConfig { mask_value } = node.config()?;
    let differs = differs(graph, &x.name, mask_value);
    let differs = as_float(graph, &differs);
    let any = graph.reduce("ReduceMax", &differs, &[node.rank() - 1], false);
    Ok(graph.cast(&any, ElementType::Bool))
}

fn differs(graph: &mut Graph, x: &str, value: f64) -> String {
    let equal = graph.op_scalar("Equal", x, value);
    graph.op("Not", &[&equal])
}

/// `x` for positive `x`, else `alpha · x`.
pub(super) fn p_re_lu(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let (dims, alpha) = node.required("alpha")?;
    let alpha = constant(graph, "alpha", dims, alpha);
    Ok(graph.op("PRelu", &[&x.name, &alpha]))
}

#[derive(Deserialize)]
struct SoftmaxConfig {
    axis: Integers<isize>,
}

/// Softmax over other axes than the last, which would be the declared activation. Padding gets 0.
pub(super) fn softmax(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let SoftmaxConfig { axis } = node.config()?;
    let (rank, axes) = (node.rank(), axes_of(&axis.to_vec(), node.rank()));
    if axes == [rank - 1] {
        return identity(graph, node, x);
    }
    let Some(mask) = &x.mask else {
        if let [axis] = axes[..] {
            return Ok(graph.op_with(
                "Softmax",
                &[&x.name],
                [("axis", Attribute::Int(super::super::graph::int(axis)))],
            ));
        }
        return Ok(exponentials(graph, &x.name, &axes, None));
    };
    let (_, positions) = node.input().split_last().unwrap_or((&1, &[]));
    let valid = extend_mask(graph, mask, positions, rank);
    Ok(exponentials(graph, &x.name, &axes, Some(&valid)))
}

/// `exp(x − max) / Σ exp(x − max)` over the valid positions, 0 elsewhere.
fn exponentials(graph: &mut Graph, x: &str, axes: &[usize], valid: Option<&str>) -> String {
    let masked = |graph: &mut Graph, x: String, other: f64| match valid {
        Some(valid) => {
            let other = graph.scalar(other);
            graph.op("Where", &[valid, &x, &other])
        }
        None => x,
    };
    let valid_x = masked(graph, x.to_owned(), f64::from(f32::MIN));
    let max = graph.reduce("ReduceMax", &valid_x, axes, true);
    let shifted = graph.op("Sub", &[x, &max]);
    let powers = graph.op("Exp", &[&shifted]);
    let powers = masked(graph, powers, 0.0);
    let sum = graph.reduce("ReduceSum", &powers, axes, true);
    let quotient = graph.op("Div", &[&powers, &sum]);
    masked(graph, quotient, 0.0)
}
