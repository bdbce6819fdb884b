//! Recurrent layers as ONNX's operators `RNN`, `LSTM` and `GRU`, or as a `Scan` where these cannot express them.

use super::super::graph::{Attribute, Graph, int};
use super::cell::{CellConfig, CellKind};
use super::{LayerNode, Tensor, scan};
use crate::activation::Activation;
use crate::error::Result;

pub(super) fn simple_rnn(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    recurrent(graph, node, x, CellKind::SimpleRnn)
}

pub(super) fn lstm(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    recurrent(graph, node, x, CellKind::Lstm)
}

pub(super) fn gru(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor) -> Result<String> {
    recurrent(graph, node, x, CellKind::Gru)
}

fn recurrent(graph: &mut Graph, node: &LayerNode<'_>, x: &Tensor, kind: CellKind) -> Result<String> {
    let config: CellConfig = node.config()?;
    let x = if config.options.go_backwards { reversed(graph, x) } else { x.clone() };
    // The operators know lengths of sequences, that is, masks with padding at the end only.
    match operator_activations(kind, &config) {
        Some(activations) if x.mask.is_none() => operator(graph, node, &x, kind, &config, activations),
        _ => scan::scan(graph, node, &x, kind, &config),
    }
}

/// A sequence and its mask in reverse order.
pub(super) fn reversed(graph: &mut Graph, x: &Tensor) -> Tensor {
    let name = reversed_value(graph, &x.name);
    Tensor { name, mask: x.mask.as_ref().map(|mask| reversed_value(graph, mask)) }
}

/// A value with axis 1 in reverse order.
pub(super) fn reversed_value(graph: &mut Graph, x: &str) -> String {
    // From the last element (-1) to before the first.
    let [starts, ends, axes, steps] = [-1, -i64::MAX, 1, -1].map(|value| graph.ints(&[value]));
    graph.op("Slice", &[x, &starts, &ends, &axes, &steps])
}

/// The names of the activations of an operator; `None` if it lacks one of them.
fn operator_activations(kind: CellKind, config: &CellConfig) -> Option<Vec<String>> {
    let name = |activation| match activation {
        Activation::Tanh => Some("Tanh"),
        Activation::Sigmoid => Some("Sigmoid"),
        Activation::Relu => Some("Relu"),
        _ => None,
    };
    let (inner, outer) = (name(config.recurrent_activation), name(config.options.activation));
    let names = match kind {
        CellKind::SimpleRnn => vec![outer?],
        CellKind::Lstm => vec![inner?, outer?, outer?],
        CellKind::Gru => vec![inner?, outer?],
    };
    Some(names.into_iter().map(str::to_owned).collect())
}

/// Appends an operator. Its sequences have the steps first: (steps, batch, features).
fn operator(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    x: &Tensor,
    kind: CellKind,
    config: &CellConfig,
    activations: Vec<String>,
) -> Result<String> {
    let ((op, order), units) = (kind.operator(), config.units);
    let width = kind.gates() * units;
    let mut weights = Vec::new();
    for name in ["kernel", "recurrent_kernel"] {
        let (dims, values) = node.required(name)?;
        let rows = dims.first().copied().unwrap_or(0);
        weights.push(graph.tensor(name, &[1, width, rows], gates_first(values, rows, units, order)));
    }
    if let Some((_, bias)) = node.weight("bias") {
        // The bias of the input, then that of the state, which is 0 unless the cell has one.
        let mut both: Vec<f32> =
            bias.chunks(width.max(1)).flat_map(|bias| gates_first(bias, 1, units, order)).collect();
        both.resize(2 * width, 0.0);
        weights.push(graph.tensor("bias", &[1, 2 * width], both));
    }
    let mut attributes =
        vec![("hidden_size", Attribute::Int(int(units))), ("activations", Attribute::Texts(activations))];
    if kind == CellKind::Gru {
        attributes.push(("linear_before_reset", Attribute::Int(config.reset_after.into())));
    }
    let steps_first = graph.transpose(&x.name, &[1, 0, 2]);
    let inputs: Vec<&str> = [&*steps_first].into_iter().chain(weights.iter().map(String::as_str)).collect();
    let outputs = graph.node(op, "", &inputs, attributes, 2);
    let [sequence, last] = &outputs[..] else { return Err(node.refused("its operator has no output")) };
    // An axis of ONNX's outputs is the direction, of which there is one.
    if config.options.return_sequences {
        let axis = graph.ints(&[1]);
        let sequence = graph.op("Squeeze", &[sequence, &axis]);
        return Ok(graph.transpose(&sequence, &[1, 0, 2]));
    }
    let axis = graph.ints(&[0]);
    Ok(graph.op("Squeeze", &[last, &axis]))
}

/// A matrix (rows, gates · units) as (gates · units, rows), with the gates in this order.
fn gates_first(matrix: &[f32], rows: usize, units: usize, order: &[usize]) -> Vec<f32> {
    let width = order.len() * units;
    let columns = order.iter().flat_map(|gate| gate * units..(gate + 1) * units);
    let element = |row: usize, column: usize| matrix.get(row * width + column).copied().unwrap_or_default();
    columns.flat_map(|column| (0..rows).map(move |row| element(row, column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_reordered_and_their_matrices_transposed() {
        // Two rows, three gates of one unit.
        let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(gates_first(&matrix, 2, 1, &[0, 2, 1]), [1.0, 4.0, 3.0, 6.0, 2.0, 5.0]);
        assert_eq!(gates_first(&[1.0, 2.0, 3.0, 4.0], 1, 2, &[1, 0]), [3.0, 4.0, 1.0, 2.0]);
    }
}
