//! Activations as ONNX operators.

use super::graph::{Attribute, Graph};
use crate::activation::Activation;

/// Applies an activation; softmax and its relatives normalize the last axis.
pub(super) fn activation(graph: &mut Graph, x: &str, activation: Activation) -> String {
    use Activation as A;
    match activation {
        A::ReluWith { negative_slope, max_value, threshold } => {
            bounded_relu(graph, x, negative_slope, max_value, threshold)
        }
        A::Relu6 => clip(graph, x, Some(0.0), Some(6.0)),
        A::LeakyRelu => alpha(graph, "LeakyRelu", x, 0.2),
        A::LeakyReluWith { negative_slope } => alpha(graph, "LeakyRelu", x, negative_slope),
        A::Elu => alpha(graph, "Elu", x, 1.0),
        A::EluWith { alpha: value } => alpha(graph, "Elu", x, value),
        A::Celu => alpha(graph, "Celu", x, 1.0),
        A::CeluWith { alpha: value } => alpha(graph, "Celu", x, value),
        A::Gelu => gelu(graph, x),
        A::GeluTanh => gelu_tanh(graph, x),
        A::HardSigmoid => ramp(graph, x, 1.0 / 6.0),
        A::SparseSigmoid => ramp(graph, x, 0.5),
        A::LogSigmoid => {
            let negated = graph.op("Neg", &[x]);
            let softplus = graph.op("Softplus", &[&negated]);
            graph.op("Neg", &[&softplus])
        }
        A::Softmax => last_axis(graph, "Softmax", x),
        A::LogSoftmax => last_axis(graph, "LogSoftmax", x),
        A::Sparsemax => sparsemax(graph, x),
        A::HardTanh => clip(graph, x, Some(-1.0), Some(1.0)),
        A::TanhShrink => {
            let tanh = graph.op("Tanh", &[x]);
            graph.op("Sub", &[x, &tanh])
        }
        A::SoftShrink => soft_shrink(graph, x, 0.5),
        A::SoftShrinkWith { threshold } => soft_shrink(graph, x, threshold),
        A::HardShrink => hard_shrink(graph, x, 0.5),
        A::HardShrinkWith { threshold } => hard_shrink(graph, x, threshold),
        A::Silu => times(graph, x, |graph| graph.op("Sigmoid", &[x])),
        A::HardSilu => times(graph, x, |graph| ramp(graph, x, 1.0 / 6.0)),
        A::Mish => times(graph, x, |graph| {
            let softplus = graph.op("Softplus", &[x]);
            graph.op("Tanh", &[&softplus])
        }),
        A::Squareplus => squareplus(graph, x, 4.0),
        A::SquareplusWith { b } => squareplus(graph, x, b),
        A::SparsePlus => sparse_plus(graph, x),
        plain => match operator(plain) {
            Some(op) => graph.op(op, &[x]),
            None => x.to_owned(),
        },
    }
}

/// The operator that computes an activation without attributes; `None` for the identity.
pub(super) fn operator(activation: Activation) -> Option<&'static str> {
    match activation {
        Activation::Relu => Some("Relu"),
        Activation::Selu => Some("Selu"),
        Activation::Sigmoid => Some("Sigmoid"),
        Activation::Tanh => Some("Tanh"),
        Activation::Softplus => Some("Softplus"),
        Activation::Softsign => Some("Softsign"),
        Activation::Exponential => Some("Exp"),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "networks compute in f32")]
fn alpha(graph: &mut Graph, op: &'static str, x: &str, alpha: f64) -> String {
    graph.op_with(op, &[x], [("alpha", Attribute::Float(alpha as f32))])
}

fn last_axis(graph: &mut Graph, op: &'static str, x: &str) -> String {
    graph.op_with(op, &[x], [("axis", Attribute::Int(-1))])
}

/// `x · factor`.
fn times(graph: &mut Graph, x: &str, factor: impl FnOnce(&mut Graph) -> String) -> String {
    let factor = factor(graph);
    graph.op("Mul", &[x, &factor])
}

/// Limits values to an interval.
pub(super) fn clip(graph: &mut Graph, x: &str, min: Option<f64>, max: Option<f64>) -> String {
    // An empty name means that there is no bound.
    let [min, max] = [min, max].map(|bound| bound.map_or_else(String::new, |bound| graph.scalar(bound)));
    graph.op("Clip", &[x, &min, &max])
}

/// `max(0, min(1, slope · x + ½))`.
#[allow(clippy::cast_possible_truncation, reason = "networks compute in f32")]
fn ramp(graph: &mut Graph, x: &str, slope: f64) -> String {
    graph.op_with(
        "HardSigmoid",
        &[x],
        [("alpha", Attribute::Float(slope as f32)), ("beta", Attribute::Float(0.5))],
    )
}

/// `slope · (x − threshold)` up to the threshold, above it `min(x, max)`.
fn bounded_relu(graph: &mut Graph, x: &str, slope: f64, max: Option<f64>, threshold: f64) -> String {
    let limit = graph.scalar(threshold);
    let above = graph.op("Sub", &[x, &limit]);
    let below = graph.op_scalar("Mul", &above, slope);
    let is_below = graph.op("LessOrEqual", &[x, &limit]);
    let y = graph.op("Where", &[&is_below, &below, x]);
    if max.is_some() { clip(graph, &y, None, max) } else { y }
}

/// `x · Φ(x) = ½ x (1 + erf(x / √2))`.
fn gelu(graph: &mut Graph, x: &str) -> String {
    let scaled = graph.op_scalar("Mul", x, std::f64::consts::FRAC_1_SQRT_2);
    let erf = graph.op("Erf", &[&scaled]);
    let sum = graph.op_scalar("Add", &erf, 1.0);
    let product = graph.op("Mul", &[x, &sum]);
    graph.op_scalar("Mul", &product, 0.5)
}

/// `x · σ(2 √(2/π) (x + 0.044715 x³))`.
fn gelu_tanh(graph: &mut Graph, x: &str) -> String {
    let square = graph.op("Mul", &[x, x]);
    let cube = graph.op("Mul", &[&square, x]);
    let scaled = graph.op_scalar("Mul", &cube, 0.044_715);
    let sum = graph.op("Add", &[x, &scaled]);
    let argument = graph.op_scalar("Mul", &sum, 1.595_769_121_605_730_8);
    times(graph, x, |graph| graph.op("Sigmoid", &[&argument]))
}

/// `x − max(−threshold, min(threshold, x))`.
fn soft_shrink(graph: &mut Graph, x: &str, threshold: f64) -> String {
    let clipped = clip(graph, x, Some(-threshold), Some(threshold));
    graph.op("Sub", &[x, &clipped])
}

/// 0 where `|x| ≤ threshold`, else `x`.
fn hard_shrink(graph: &mut Graph, x: &str, threshold: f64) -> String {
    let magnitude = graph.op("Abs", &[x]);
    let (limit, zero) = (graph.scalar(threshold), graph.scalar(0.0));
    let is_small = graph.op("LessOrEqual", &[&magnitude, &limit]);
    graph.op("Where", &[&is_small, &zero, x])
}

/// `½ (x + √(x² + b))`; for negative `x` as `½ b / (√(x² + b) − x)`, without cancellation.
fn squareplus(graph: &mut Graph, x: &str, b: f64) -> String {
    let square = graph.op("Mul", &[x, x]);
    let shifted = graph.op_scalar("Add", &square, b);
    let root = graph.op("Sqrt", &[&shifted]);
    let magnitude = graph.op("Abs", &[x]);
    let sum = graph.op("Add", &[&root, &magnitude]);
    let (half_b, zero) = (graph.scalar(0.5 * b), graph.scalar(0.0));
    let below = graph.op("Div", &[&half_b, &sum]);
    let above = graph.op_scalar("Mul", &sum, 0.5);
    let is_negative = graph.op("Less", &[x, &zero]);
    graph.op("Where", &[&is_negative, &below, &above])
}

/// 0 up to −1, `¼ (x + 1)²` up to 1, then `x`.
fn sparse_plus(graph: &mut Graph, x: &str) -> String {
    let half = ramp(graph, x, 0.5);
    let parabola = graph.op("Mul", &[&half, &half]);
    let one = graph.scalar(1.0);
    let is_below = graph.op("Less", &[x, &one]);
    graph.op("Where", &[&is_below, &parabola, x])
}

/// Projection onto the probability simplex: `max(0, x − τ)`, where the support is a prefix of the sorted values.
///
/// Martins and Astudillo 2016, algorithm 1.
fn sparsemax(graph: &mut Graph, x: &str) -> String {
    let last = || ("axis", Attribute::Int(-1));
    // The length of the last axis.
    let shape = graph.op_with("Shape", &[x], [("start", Attribute::Int(-1))]);
    let sorted = graph.node("TopK", "", &[x, &shape], vec![last()], 2).into_iter().next().unwrap_or_default();
    let axis = graph.constant("last_axis", &[], super::proto::Elements::I64(vec![-1]));
    let sums = graph.op("CumSum", &[&sorted, &axis]);
    // The positions 1, 2, …, as sums of ones.
    let ones = graph.op_scalar("Pow", &sorted, 0.0);
    let positions = graph.op("CumSum", &[&ones, &axis]);
    // sorted[k] belongs to the support where 1 + k · sorted[k] > sum of the first k.
    let scaled = graph.op("Mul", &[&positions, &sorted]);
    let bound = graph.op_scalar("Add", &scaled, 1.0);
    let in_support = graph.op("Greater", &[&bound, &sums]);
    let in_support = graph.cast(&in_support, super::graph::ElementType::Float);
    let last_axis = graph.ints(&[-1]);
    let size = graph.op_with("ReduceSum", &[&in_support, &last_axis], [("keepdims", Attribute::Int(1))]);
    let supported = graph.op("Mul", &[&sorted, &in_support]);
    let total = graph.op_with("ReduceSum", &[&supported, &last_axis], [("keepdims", Attribute::Int(1))]);
    let excess = graph.op_scalar("Sub", &total, 1.0);
    let threshold = graph.op("Div", &[&excess, &size]);
    let shifted = graph.op("Sub", &[x, &threshold]);
    graph.op("Relu", &[&shifted])
}
