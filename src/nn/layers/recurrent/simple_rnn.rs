//! The fully connected recurrent layer (Elman network).

use super::cell::{BackwardStep, Cell, ForwardStep, activation_backward};
use super::options::{RecurrentOptions, recurrent_setters};
use super::scan::layer_by_scan;
use crate::activation::Activation;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Fully connected recurrent layer: the output of each step is fed back into the next one (Elman network).
///
/// At each step, with the input `x` (features), the previous output `h₋₁` (units), zero at first, and the activation φ
/// (tanh):
///
/// ```text
/// h = φ(x · kernel + h₋₁ · recurrent_kernel + bias)
/// ```
///
/// # Shapes
/// (steps, features) → (units), the output of the last step, or (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, units) | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (units) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// `compile` returns an error for 0 units, samples that are not (steps, features), a dropout rate outside [0, 1), a
/// [`stateful`](Self::stateful) batch size of 0, or stateful layers with different batch sizes. A stateful network
/// returns an error for a batch of another size.
///
/// # Agreement with Keras
/// `return_state` is missing: a chain of layers has no place for a second output. The state of a stateful layer is saved
/// with the model's weights. `unroll`, `use_cudnn` and `implementation` select how Keras computes and have no
/// counterpart.
///
/// # Examples
/// ```
/// use axonal::layers::SimpleRnn;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 3])
///     .add(SimpleRnn::new(16).return_sequences(true))
///     .add(SimpleRnn::new(4))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape().dims(), [4]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Elman 1990, "Finding structure in time", Cognitive Science 14(2); Gal and Ghahramani 2016, arXiv:1512.05287, for
/// the dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleRnn {
    units: usize,
    #[serde(default, rename = "weights")]
    options: RecurrentOptions,
}

impl SimpleRnn {
    /// Creates a layer with `units` outputs.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self { units, options: RecurrentOptions::default() }
    }

    recurrent_setters!();
}

impl Cell for SimpleRnn {
    const KIND: &'static str = "simple_rnn";
    const GATES: usize = 1;
    const STATES: &'static [&'static str] = &["h"];

    fn units(&self) -> usize {
        self.units
    }

    fn options(&self) -> &RecurrentOptions {
        &self.options
    }

    fn forward_step<F: Float>(&self, step: ForwardStep<'_, F>) {
        // h = φ(a)
        step.gates.copy_from_slice(step.a);
        self.options.activation.apply(self.units, step.gates);
        step.state.copy_from_slice(step.gates);
    }

    fn backward_step<F: Float>(&self, mut step: BackwardStep<'_, F>) {
        // h = φ(a)  =>  da = dh ∘ φ'(a)
        step.dgates.copy_from_slice(step.dstate);
        activation_backward(self.options.activation, self.units, 0..1, &mut step);
        // h₋₁ is read through R alone  =>  dh₋₁ = 0
        step.dstate.fill(F::zero());
    }
}

layer_by_scan!(SimpleRnn);
