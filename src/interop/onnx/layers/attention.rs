//! Attention, and embeddings of positions.

use super::super::graph::{Attribute, ElementType, Graph, int};
use super::merge_inputs::Inputs;
use super::{LayerNode, Tensor, constant};
use crate::error::Result;
use crate::nn::layer::Shape;
use crate::nn::layers::ScoreMode;
use serde::Deserialize;

#[derive(Deserialize)]
struct AttentionConfig {
    causal: bool,
}

/// The score of a key that is left out, as in the crate: its exponential is 0, and where all keys are left out, all have
/// the same weight.
const EXCLUDED: f64 = f32::MIN as f64 / 4.0;

/// Attention of a sequence to itself.
pub(super) fn attention(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    heads(graph, node, [x, x, x], [node.plan.input_shape(); 3])
}

/// Attention with the inputs query and value, or query, value and key. The output has the mask of the queries.
pub(super) fn merged(graph: &mut Graph, node: &LayerNode<'_>, inputs: &Inputs<'_>) -> Result<Tensor> {
    let (query, key, value) = match inputs.tensors.len() {
        1 => (0, 0, 0),
        2 => (0, 1, 1),
        _ => (0, 2, 1),
    };
    let roles = [query, key, value];
    let found = roles.map(|role| inputs.tensors.get(role).zip(inputs.shapes.get(role)));
    let [Some((query, q)), Some((key, k)), Some((value, v))] = found else {
        return Err(node.refused("it has no inputs"));
    };
    let name = heads(graph, node, [query, key, value], [q, k, v])?;
    Ok(Tensor { name, mask: query.mask.clone() })
}

/// `softmax(Q · Kᵀ / √d) · V` for each head, then the projection of all heads together.
fn heads(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    [query, key, value]: [&Tensor; 3],
    [q_shape, k_shape, v_shape]: [&Shape; 3],
) -> Result<String> {
    let AttentionConfig { causal } = node.config()?;
    let steps = |shape: &Shape| shape.dims().first().copied().unwrap_or(1);
    let (queries, n_heads, dim) = projected(graph, node, "query", query, steps(q_shape))?;
    let (keys, n_kv_heads, _) = projected(graph, node, "key", key, steps(k_shape))?;
    let (values, _, value_dim) = projected(graph, node, "value", value, steps(v_shape))?;
    let [keys, values] = [keys, values].map(|x| repeated(graph, &x, n_heads, n_kv_heads));
    let transposed = graph.transpose(&keys, &[0, 1, 3, 2]);
    let scores = graph.op("MatMul", &[&queries, &transposed]);
    #[allow(clippy::cast_precision_loss, reason = "the length of a key")]
    let mut scores = graph.op_scalar("Mul", &scores, 1.0 / (dim as f64).sqrt());
    if let Some(allowed) = allowed(graph, [query, key, value], [steps(q_shape), steps(k_shape)], causal) {
        let excluded = graph.scalar(EXCLUDED);
        scores = graph.op("Where", &[&allowed, &scores, &excluded]);
    }
    let weights = graph.op_with("Softmax", &[&scores], [("axis", Attribute::Int(-1))]);
    let outputs = graph.op("MatMul", &[&weights, &values]);
    let outputs = graph.transpose(&outputs, &[0, 2, 1, 3]);
    let outputs = graph.reshape(&outputs, &[steps(q_shape), n_heads * value_dim]);
    let (dims, kernel) = node.required("attention_output/kernel")?;
    let output_dim = dims.last().copied().unwrap_or(1);
    let kernel = constant(graph, "attention_output/kernel", &[n_heads * value_dim, output_dim], kernel);
    let product = graph.op("MatMul", &[&outputs, &kernel]);
    Ok(match node.weight("attention_output/bias") {
        Some((dims, bias)) => {
            let bias = constant(graph, "attention_output/bias", dims, bias);
            graph.op("Add", &[&product, &bias])
        }
        None => product,
    })
}

/// A projection of an input to heads, (batch, heads, steps, dim), with the numbers of heads and of values of each.
fn projected(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    role: &str,
    x: &Tensor,
    steps: usize,
) -> Result<(String, usize, usize)> {
    let (dims, kernel) = node.required(&format!("{role}/kernel"))?;
    let &[features, heads, dim] = dims else { return Err(node.refused("its kernel has another shape")) };
    let kernel = constant(graph, &format!("{role}/kernel"), &[features, heads * dim], kernel);
    let mut product = graph.op("MatMul", &[&x.name, &kernel]);
    if let Some((_, bias)) = node.weight(&format!("{role}/bias")) {
        let bias = constant(graph, &format!("{role}/bias"), &[heads * dim], bias);
        product = graph.op("Add", &[&product, &bias]);
    }
    let split = graph.reshape(&product, &[steps, heads, dim]);
    Ok((graph.transpose(&split, &[0, 2, 1, 3]), heads, dim))
}

/// Repeats heads of keys and values, so that each query head has its own.
fn repeated(graph: &mut Graph, x: &str, n_heads: usize, n_kv_heads: usize) -> String {
    if n_heads == n_kv_heads {
        return x.to_owned();
    }
    let group = (n_heads / n_kv_heads.max(1)).max(1);
    let heads: Vec<i64> = (0..n_heads).map(|head| int(head / group)).collect();
    let heads = graph.ints(&heads);
    graph.op_with("Gather", &[x, &heads], [("axis", Attribute::Int(1))])
}

#[derive(Deserialize)]
struct UnprojectedConfig {
    causal: bool,
    #[serde(default)]
    score_mode: ScoreMode,
}

/// `softmax(S) · V` of one head, with the scores of the inputs themselves. The output of a padded query is 0.
pub(super) fn unprojected(graph: &mut Graph, node: &LayerNode<'_>, inputs: &Inputs<'_>) -> Result<Tensor> {
    let UnprojectedConfig { causal, score_mode } = node.config()?;
    let key = if inputs.tensors.len() > 2 { 2 } else { 1 };
    let found = [0, key, 1].map(|role| inputs.tensors.get(role).zip(inputs.shapes.get(role)));
    let [Some((query, q)), Some((key, k)), Some((value, _))] = found else {
        return Err(node.refused("it has no inputs"));
    };
    let (&[queries, dim], &[keys, _]) = (q.dims(), k.dims()) else {
        return Err(node.refused("its inputs are not sequences"));
    };
    let sizes = [queries, keys, dim];
    let mut scores = if node.kind == "attention" && score_mode == ScoreMode::Dot {
        dot_scores(graph, node, [&query.name, &key.name])
    } else {
        additive_scores(graph, node, [&query.name, &key.name], sizes)
    };
    let valid = value.mask.as_ref().map(|mask| graph.reshape(mask, &[1, keys]));
    let past = causal.then(|| past(graph, &[1, queries, keys], [queries, keys]));
    let allowed = valid.into_iter().chain(past).reduce(|all, condition| graph.op("And", &[&all, &condition]));
    if let Some(allowed) = allowed {
        let excluded = graph.scalar(EXCLUDED);
        scores = graph.op("Where", &[&allowed, &scores, &excluded]);
    }
    let weights = graph.op_with("Softmax", &[&scores], [("axis", Attribute::Int(-1))]);
    let mut name = graph.op("MatMul", &[&weights, &value.name]);
    if let Some(mask) = &query.mask {
        let (valid, zero) = (graph.reshape(mask, &[queries, 1]), graph.scalar(0.0));
        name = graph.op("Where", &[&valid, &name, &zero]);
    }
    Ok(Tensor { name, mask: query.mask.clone() })
}

/// `scale · Q · Kᵀ`.
fn dot_scores(graph: &mut Graph, node: &LayerNode<'_>, [query, key]: [&str; 2]) -> String {
    let transposed = graph.transpose(key, &[0, 2, 1]);
    let scores = graph.op("MatMul", &[query, &transposed]);
    match node.weight("scale") {
        Some((dims, scale)) => {
            let scale = constant(graph, "scale", dims, scale);
            graph.op("Mul", &[&scores, &scale])
        }
        None => scores,
    }
}

/// `Σ w ⊙ tanh(scale · (q + k))`: `Attention` has a scalar scale and one weight for all features, `AdditiveAttention` no scale
/// there and a weight for each feature.
fn additive_scores(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    [query, key]: [&str; 2],
    [queries, keys, dim]: [usize; 3],
) -> String {
    let (query, key) = (graph.reshape(query, &[queries, 1, dim]), graph.reshape(key, &[1, keys, dim]));
    let mut sums = graph.op("Add", &[&query, &key]);
    let scale = node.weight("scale");
    let weights = if node.kind == "attention" {
        if let Some((dims, scale)) = scale {
            let scale = constant(graph, "scale", dims, scale);
            sums = graph.op("Mul", &[&sums, &scale]);
        }
        let weight = node.weight("concat_score_weight").and_then(|(_, weight)| weight.first().copied());
        vec![weight.unwrap_or(1.0); dim]
    } else {
        scale.map_or_else(|| vec![1.0; dim], |(_, weights)| weights.to_vec())
    };
    let tanh = graph.op("Tanh", &[&sums]);
    let weights = graph.tensor("score_weights", &[dim, 1], weights);
    let scores = graph.op("MatMul", &[&tanh, &weights]);
    graph.reshape(&scores, &[queries, keys])
}

/// True where a key is not later than the query, of the shape `dims`.
fn past(graph: &mut Graph, dims: &[usize], [queries, keys]: [usize; 2]) -> String {
    let past = (0..queries).flat_map(|query| (0..keys).map(move |key| f32::from(u8::from(key <= query))));
    let past = graph.tensor("causal", dims, past.collect());
    graph.cast(&past, ElementType::Bool)
}

/// Which keys each query attends to, broadcast to (batch, heads, queries, keys); `None` if all.
fn allowed(
    graph: &mut Graph,
    [query, key, value]: [&Tensor; 3],
    [queries, keys]: [usize; 2],
    causal: bool,
) -> Option<String> {
    let mut conditions = Vec::new();
    if let Some(mask) = &query.mask {
        conditions.push(graph.reshape(mask, &[1, queries, 1]));
    }
    for mask in [&key.mask, &value.mask].into_iter().flatten() {
        conditions.push(graph.reshape(mask, &[1, 1, keys]));
    }
    if causal {
        conditions.push(past(graph, &[1, 1, queries, keys], [queries, keys]));
    }
    conditions.into_iter().reduce(|all, condition| graph.op("And", &[&all, &condition]))
}

#[derive(Deserialize)]
struct PositionEmbeddingConfig {
    length: Option<usize>,
}

const MAX_WAVELENGTH: f64 = 10_000.0;

/// `x + embeddings`, learned ones or `sin(p / 10000^(2i/d))` and `cos(p / 10000^(2i/d))`.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "networks compute in f32")]
pub(super) fn position_embedding(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    let PositionEmbeddingConfig { length } = node.config()?;
    let &[steps, features] = node.input() else { return Err(node.refused("its input is not a sequence")) };
    let values: Vec<f32> = match length {
        Some(_) => {
            let (_, embeddings) = node.required("embeddings")?;
            embeddings.iter().take(steps * features).copied().collect()
        }
        None => {
            let value = |position: usize, feature: usize| {
                let pair = (feature / 2 * 2) as f64;
                let angle = position as f64 / MAX_WAVELENGTH.powf(pair / features as f64);
                (if feature.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
            };
            (0..steps)
                .flat_map(|position| (0..features).map(move |feature| value(position, feature)))
                .collect()
        }
    };
    let values = graph.tensor("embeddings", &[steps, features], values);
    Ok(graph.op("Add", &[&x.name, &values]))
}
