//! Checks that the outputs of a network are in the range that the loss expects.
//!
//! Only certain mistakes are errors: outputs that are invalid for the loss, or constant, whatever the weights. Layers of other
//! crates may have any outputs.

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::constraint::Constraint;
use crate::nn::layer::OutputValues;
use crate::nn::layers::output_values;
use crate::nn::layout::{Layout, PlannedLayer, Source};
use crate::nn::loss::{Loss, OutputMeaning};

/// The range of the outputs of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
    /// Whether every value between the bounds is attained for some weights.
    attained: bool,
    /// Whether the output can be 0, if 0 is the lower bound.
    zero: bool,
}

const ALL: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY, attained: true, zero: true };

/// The outputs of a network, for error messages.
struct Outputs<'a> {
    range: Range,
    /// The layer that determines the range.
    layer: &'a str,
    activation: Activation,
}

/// Errors if the loss cannot handle an output of the network.
pub(super) fn check<F: Float>(layout: &Layout<F>, output: usize, loss: &dyn Loss<F>) -> Result<()> {
    let shape = layout.output_shape(output);
    let last = &layout.nodes[layout.outputs[output]];
    let error = |expected: &str, got: String, hint: &str| {
        Err(Error::Output { loss: loss.kind().into(), expected: expected.into(), got, hint: hint.into() })
    };
    if let Some((name, activation)) = constant(layout, last) {
        let got = format!("{activation} over an axis of length 1 in layer {name}, which is constant");
        let hint = "use Activation::Sigmoid for one output, or one output per class";
        return error("outputs that depend on the weights", got, hint);
    }
    let meaning = loss.output_meaning(shape);
    if shape.last() == 1 {
        match meaning {
            OutputMeaning::Distribution | OutputMeaning::ClassLogits => {
                let hint =
                    "use one output per class, or BinaryCrossentropy and Activation::Sigmoid for two classes";
                return error(
                    "one output per class, for several classes",
                    format!("outputs of shape {shape}"),
                    hint,
                );
            }
            OutputMeaning::Directions => {
                let hint = "use MeanSquaredError for scalar outputs";
                return error("vectors of length at least 2", format!("outputs of shape {shape}"), hint);
            }
            _ => {}
        }
    }
    let Some(outputs) = outputs(layout, last) else { return Ok(()) };
    match mismatch(meaning, outputs.range, loss.fused_activation().is_some()) {
        Some((expected, hint)) => error(expected, outputs.to_string(), hint),
        None => Ok(()),
    }
}

/// The expectation and the hint if outputs in this range are invalid for the loss; `None` if they may be valid.
fn mismatch(meaning: OutputMeaning, range: Range, has_logits: bool) -> Option<(&'static str, &'static str)> {
    let Range { low, high, attained, zero } = range;
    let (negative, above_one) = ((attained && low < 0.0) || high <= 0.0, attained && high > 1.0);
    let unit_interval = low >= 0.0 && high <= 1.0;
    match meaning {
        OutputMeaning::Probabilities if negative || above_one => Some((
            "outputs from 0 to 1",
            if has_logits {
                "end with Activation::Sigmoid, or set from_logits(true) of the loss for outputs without an activation"
            } else {
                "end with Activation::Sigmoid or Activation::Softmax"
            },
        )),
        // The loss divides by the sum of the outputs, which must not be 0.
        OutputMeaning::Distribution if negative || (above_one && zero) => Some((
            "probabilities of classes",
            "end with Activation::Softmax, or set from_logits(true) of the loss for outputs without an activation",
        )),
        OutputMeaning::Densities if negative => Some((
            "outputs of at least 0",
            "end with Activation::Softmax, Activation::Sigmoid or Activation::Softplus",
        )),
        OutputMeaning::ClassLogits | OutputMeaning::BinaryLogits if unit_interval => Some((
            "logits, by from_logits(true)",
            "remove the activation, or set from_logits(false) of the loss",
        )),
        OutputMeaning::BinaryLogits if low >= 0.0 || high <= 0.0 => Some((
            "logits of both signs, by from_logits(true)",
            "remove the activation: logits are negative for class 0 and positive for class 1",
        )),
        _ => None,
    }
}

/// The layer whose constant outputs are those of the network, if any: the softmax of a single value is 1.
fn constant<'l, F: Float>(layout: &'l Layout<F>, last: &'l PlannedLayer<F>) -> Option<(&'l str, Activation)> {
    let activation = last.activation();
    let over_axis =
        matches!(activation, Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax);
    if over_axis && last.plan.output_shape().last() == 1 {
        return Some((&last.name, activation));
    }
    let kept = output_values(last.layer.kind(), &last.plan) == OutputValues::Kept;
    if kept && activation == Activation::Linear { constant(layout, previous(layout, last)?) } else { None }
}

/// The layer before a layer with one input.
fn previous<'l, F: Float>(layout: &'l Layout<F>, layer: &PlannedLayer<F>) -> Option<&'l PlannedLayer<F>> {
    match layer.inputs[..] {
        [Source::Node(index)] => layout.nodes.get(index),
        _ => None,
    }
}

/// The outputs of a layer; `None` if nothing is known about them.
fn outputs<'l, F: Float>(layout: &'l Layout<F>, last: &'l PlannedLayer<F>) -> Option<Outputs<'l>> {
    let before = || previous(layout, last).and_then(|before| outputs(layout, before));
    let activation = last.activation();
    let own = |range, activation| Some(Outputs { range, layer: &last.name, activation });
    let values = match output_values(last.layer.kind(), &last.plan) {
        OutputValues::Unknown => None,
        OutputValues::Unbounded => own(ALL, Activation::Linear).filter(|_| is_free(last)),
        OutputValues::Kept => before(),
        OutputValues::Affine => before().filter(|outputs| outputs.range == ALL),
        OutputValues::Activated(activation) => own(of_activation(activation), activation),
        OutputValues::Shares => own(of_activation(Activation::Softmax), Activation::Softmax),
    };
    if activation == Activation::Linear {
        return values;
    }
    let attained = values.is_some_and(|values| values.range == ALL);
    own(Range { attained, ..of_activation(activation) }, activation)
}

/// Whether training can reach any output of an affine layer.
fn is_free<F: Float>(node: &PlannedLayer<F>) -> bool {
    let non_negative = |constraint: Option<Constraint>| constraint == Some(Constraint::NonNeg);
    node.trainable && !node.plan.params().iter().all(|param| non_negative(param.constraint))
}

/// The range of an activation.
fn of_activation(activation: Activation) -> Range {
    let (low, high, zero) = match activation {
        Activation::Sigmoid
        | Activation::HardSigmoid
        | Activation::SparseSigmoid
        | Activation::Softmax
        | Activation::Sparsemax => (0.0, 1.0, true),
        Activation::Relu | Activation::SparsePlus => (0.0, f64::INFINITY, true),
        Activation::Relu6 => (0.0, 6.0, true),
        Activation::ReluWith { negative_slope, max_value, .. } => {
            (below(negative_slope), max_value.unwrap_or(f64::INFINITY), true)
        }
        Activation::LeakyReluWith { negative_slope } => (below(negative_slope), f64::INFINITY, true),
        Activation::Softplus | Activation::Exponential | Activation::Squareplus => {
            (0.0, f64::INFINITY, false)
        }
        Activation::SquareplusWith { b } => (0.0, f64::INFINITY, b <= 0.0),
        Activation::LogSigmoid | Activation::LogSoftmax => (f64::NEG_INFINITY, 0.0, true),
        Activation::Tanh | Activation::HardTanh | Activation::Softsign => (-1.0, 1.0, true),
        Activation::Elu | Activation::Celu => (-1.0, f64::INFINITY, true),
        Activation::EluWith { alpha } | Activation::CeluWith { alpha } => {
            (-alpha.abs().max(f64::MIN_POSITIVE), f64::INFINITY, true)
        }
        Activation::Selu => (-1.76, f64::INFINITY, true),
        Activation::Gelu | Activation::GeluTanh => (-0.17, f64::INFINITY, true),
        Activation::Silu => (-0.28, f64::INFINITY, true),
        Activation::HardSilu => (-0.38, f64::INFINITY, true),
        Activation::Mish => (-0.31, f64::INFINITY, true),
        _ => (f64::NEG_INFINITY, f64::INFINITY, true),
    };
    Range { low, high, attained: true, zero }
}

/// The lower bound of a ReLU with this slope below 0.
fn below(negative_slope: f64) -> f64 {
    if negative_slope > 0.0 { f64::NEG_INFINITY } else { 0.0 }
}

impl std::fmt::Display for Outputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.activation {
            Activation::Linear => write!(f, "the outputs of layer {} without an activation", self.layer),
            activation => write!(f, "the outputs of layer {} with the activation {activation}", self.layer),
        }
    }
}
