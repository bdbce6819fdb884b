//! Recurrent layers as the operator `Scan`, with any activation and any mask. The body is one step:
//!
//! | value | shape | meaning |
//! |---|---|---|
//! | `h`, `c` | (batch, units) | state before the step |
//! | `a` | (batch, gates · units) | `x · W + b` of the step, computed for all steps before the scan |
//! | `valid` | (batch, 1) | whether the step is valid; a padded step keeps the state |

use super::super::activation::activation;
use super::super::graph::{Attribute, ElementType, Graph, int};
use super::cell::{CellConfig, CellKind};
use super::{LayerNode, Tensor, constant};
use crate::error::Result;

/// Names of the constants that the body uses.
struct Weights {
    /// The recurrent kernel; of a GRU that resets before the product, the columns of the update and reset gates.
    recurrent_kernel: String,
    /// The columns of the candidate of such a GRU.
    candidate_kernel: Option<String>,
    /// The second bias of a GRU that resets after the product.
    recurrent_bias: Option<String>,
}

/// Names of the values of a step.
struct Step {
    h: String,
    c: Option<String>,
    a: String,
    valid: Option<String>,
}

pub(super) fn scan(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    x: &Tensor,
    kind: CellKind,
    config: &CellConfig,
) -> Result<String> {
    let units = config.units;
    let a = input_product(graph, node, x, kind, config)?;
    let weights = weights(graph, node, kind, config)?;
    let steps = node.input().first().copied().unwrap_or(1);
    let valid = x.mask.as_ref().map(|mask| graph.reshape(mask, &[steps, 1]));
    let zeros = zeros(graph, &x.name, units);
    let step = Step {
        h: graph.unique("h"),
        c: (kind == CellKind::Lstm).then(|| graph.unique("c")),
        a: graph.unique("a"),
        valid: valid.as_ref().map(|_| graph.unique("valid")),
    };
    let float = |name: &'_ String| (name.clone(), ElementType::Float);
    let mut inputs: Vec<(String, ElementType)> =
        [&step.h].into_iter().chain(&step.c).chain([&step.a]).map(float).collect();
    inputs.extend(step.valid.clone().map(|name| (name, ElementType::Bool)));
    let inputs: Vec<(&str, ElementType)> = inputs.iter().map(|(name, element)| (&**name, *element)).collect();
    let body = graph.body(&inputs, |graph| body(graph, kind, config, &weights, &step));
    let states = 1 + usize::from(step.c.is_some());
    let scanned = 1 + usize::from(valid.is_some());
    let attributes = vec![
        ("body", Attribute::Graph(body)),
        ("num_scan_inputs", Attribute::Int(int(scanned))),
        ("scan_input_axes", Attribute::Ints(vec![1; scanned])),
        ("scan_output_axes", Attribute::Ints(vec![1])),
    ];
    let initial = std::iter::repeat_n(&*zeros, states);
    let operands: Vec<&str> = initial.chain([&*a]).chain(valid.as_deref()).collect();
    let outputs = graph.node("Scan", "", &operands, attributes, states + 1);
    let (Some(last), Some(sequence)) = (outputs.first(), outputs.last()) else {
        return Err(node.refused("its operator has no output"));
    };
    Ok(match &valid {
        _ if config.options.return_sequences => sequence.clone(),
        Some(valid) if config.options.zero_output_for_mask => {
            let index =
                graph.constant("last_step", &[], super::super::proto::Elements::I64(vec![int(steps) - 1]));
            let valid = graph.op_with("Gather", &[valid, &index], [("axis", Attribute::Int(1))]);
            let zero = graph.scalar(0.0);
            graph.op("Where", &[&valid, last, &zero])
        }
        _ => last.clone(),
    })
}

/// `x · W + b` for all steps.
fn input_product(
    graph: &mut Graph,
    node: &LayerNode<'_>,
    x: &Tensor,
    kind: CellKind,
    config: &CellConfig,
) -> Result<String> {
    let (dims, kernel) = node.required("kernel")?;
    let kernel = constant(graph, "kernel", dims, kernel);
    let product = graph.op("MatMul", &[&x.name, &kernel]);
    let width = kind.gates() * config.units;
    Ok(match node.weight("bias").and_then(|(_, bias)| bias.get(..width)) {
        Some(bias) => {
            let bias = constant(graph, "bias", &[width], bias);
            graph.op("Add", &[&product, &bias])
        }
        None => product,
    })
}

fn weights(graph: &mut Graph, node: &LayerNode<'_>, kind: CellKind, config: &CellConfig) -> Result<Weights> {
    let (dims, kernel) = node.required("recurrent_kernel")?;
    let (units, width) = (config.units, kind.gates() * config.units);
    if kind == CellKind::Gru && !config.reset_after {
        let columns = |range: std::ops::Range<usize>| -> Vec<f32> {
            kernel
                .chunks(width.max(1))
                .flat_map(|row| row.get(range.clone()).unwrap_or_default())
                .copied()
                .collect()
        };
        let (gates, candidate) = (columns(0..2 * units), columns(2 * units..width));
        return Ok(Weights {
            recurrent_kernel: graph.tensor("recurrent_kernel", &[units, 2 * units], gates),
            candidate_kernel: Some(graph.tensor("candidate_kernel", &[units, units], candidate)),
            recurrent_bias: None,
        });
    }
    let recurrent_bias =
        node.weight("bias").and_then(|(_, bias)| bias.get(width..)).filter(|bias| !bias.is_empty());
    Ok(Weights {
        recurrent_kernel: constant(graph, "recurrent_kernel", dims, kernel),
        candidate_kernel: None,
        recurrent_bias: recurrent_bias.map(|bias| constant(graph, "recurrent_bias", &[width], bias)),
    })
}

/// Zeros (batch, units).
fn zeros(graph: &mut Graph, x: &str, units: usize) -> String {
    let batch = graph.op_with("Shape", &[x], [("start", Attribute::Int(0)), ("end", Attribute::Int(1))]);
    let units = graph.ints(&[int(units)]);
    let shape = graph.op_with("Concat", &[&batch, &units], [("axis", Attribute::Int(0))]);
    graph.op("ConstantOfShape", &[&shape])
}

/// Appends the nodes of a step; returns the state after the step and the output of the step.
fn body(
    graph: &mut Graph,
    kind: CellKind,
    config: &CellConfig,
    weights: &Weights,
    step: &Step,
) -> Vec<String> {
    let (h, c) = match kind {
        CellKind::SimpleRnn => (simple_rnn(graph, config, weights, step), None),
        CellKind::Lstm => lstm(graph, config, weights, step),
        CellKind::Gru if config.reset_after => (gru_reset_after(graph, config, weights, step), None),
        CellKind::Gru => (gru_reset_before(graph, config, weights, step), None),
    };
    let kept = |graph: &mut Graph, new: String, old: &str| match &step.valid {
        Some(valid) => graph.op("Where", &[valid, &new, old]),
        None => new,
    };
    let h = kept(graph, h, &step.h);
    let c = c.map(|c| kept(graph, c, step.c.as_deref().unwrap_or_default()));
    let y = match &step.valid {
        Some(valid) if config.options.zero_output_for_mask => {
            let zero = graph.scalar(0.0);
            graph.op("Where", &[valid, &h, &zero])
        }
        _ => graph.op("Identity", &[&h]),
    };
    [h].into_iter().chain(c).chain([y]).collect()
}

/// Splits (batch, n · units) into n values.
fn split(graph: &mut Graph, x: &str, units: usize, n: usize) -> Vec<String> {
    let lengths = graph.ints(&vec![int(units); n]);
    graph.node("Split", "", &[x, &lengths], vec![("axis", Attribute::Int(-1))], n)
}

/// `h = φ(a + h₋₁ · R)`.
fn simple_rnn(graph: &mut Graph, config: &CellConfig, weights: &Weights, step: &Step) -> String {
    let product = graph.op("MatMul", &[&step.h, &weights.recurrent_kernel]);
    let sum = graph.op("Add", &[&step.a, &product]);
    activation(graph, &sum, config.options.activation)
}

/// `c = σ(a_f) ∘ c₋₁ + σ(a_i) ∘ φ(a_g)`, `h = σ(a_o) ∘ φ(c)`.
fn lstm(graph: &mut Graph, config: &CellConfig, weights: &Weights, step: &Step) -> (String, Option<String>) {
    let product = graph.op("MatMul", &[&step.h, &weights.recurrent_kernel]);
    let sum = graph.op("Add", &[&step.a, &product]);
    let gates = split(graph, &sum, config.units, 4);
    let [i, f, g, o] = &gates[..] else { return (sum, None) };
    let [i, f, o] = [i, f, o].map(|gate| activation(graph, gate, config.recurrent_activation));
    let g = activation(graph, g, config.options.activation);
    let kept = graph.op("Mul", &[&f, step.c.as_deref().unwrap_or_default()]);
    let added = graph.op("Mul", &[&i, &g]);
    let c = graph.op("Add", &[&kept, &added]);
    let phi_c = activation(graph, &c, config.options.activation);
    (graph.op("Mul", &[&o, &phi_c]), Some(c))
}

/// `n = φ(a_n + r ∘ (h₋₁ · R_n + b_n))`, with the product of all gates.
fn gru_reset_after(graph: &mut Graph, config: &CellConfig, weights: &Weights, step: &Step) -> String {
    let mut u = graph.op("MatMul", &[&step.h, &weights.recurrent_kernel]);
    if let Some(bias) = &weights.recurrent_bias {
        u = graph.op("Add", &[&u, bias]);
    }
    let (a, u) = (split(graph, &step.a, config.units, 3), split(graph, &u, config.units, 3));
    let ([a_z, a_r, a_n], [u_z, u_r, u_n]) = (&a[..], &u[..]) else { return step.h.clone() };
    let [z, r] = [[a_z, u_z], [a_r, u_r]].map(|[a, u]| {
        let sum = graph.op("Add", &[a, u]);
        activation(graph, &sum, config.recurrent_activation)
    });
    let reset = graph.op("Mul", &[&r, u_n]);
    let candidate = graph.op("Add", &[a_n, &reset]);
    let n = activation(graph, &candidate, config.options.activation);
    interpolated(graph, &z, &step.h, &n)
}

/// `n = φ(a_n + (r ∘ h₋₁) · R_n)`.
fn gru_reset_before(graph: &mut Graph, config: &CellConfig, weights: &Weights, step: &Step) -> String {
    let a = split(graph, &step.a, config.units, 3);
    let u = graph.op("MatMul", &[&step.h, &weights.recurrent_kernel]);
    let u = split(graph, &u, config.units, 2);
    let ([a_z, a_r, a_n], [u_z, u_r]) = (&a[..], &u[..]) else { return step.h.clone() };
    let [z, r] = [[a_z, u_z], [a_r, u_r]].map(|[a, u]| {
        let sum = graph.op("Add", &[a, u]);
        activation(graph, &sum, config.recurrent_activation)
    });
    let reset = graph.op("Mul", &[&r, &step.h]);
    let product = graph.op("MatMul", &[&reset, weights.candidate_kernel.as_deref().unwrap_or_default()]);
    let candidate = graph.op("Add", &[a_n, &product]);
    let n = activation(graph, &candidate, config.options.activation);
    interpolated(graph, &z, &step.h, &n)
}

/// `z ∘ h + (1 − z) ∘ n`.
fn interpolated(graph: &mut Graph, z: &str, h: &str, n: &str) -> String {
    let kept = graph.op("Mul", &[z, h]);
    let one = graph.scalar(1.0);
    let rest = graph.op("Sub", &[&one, z]);
    let new = graph.op("Mul", &[&rest, n]);
    graph.op("Add", &[&kept, &new])
}
