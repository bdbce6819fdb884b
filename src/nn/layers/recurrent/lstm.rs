//! Long short-term memory (LSTM).

use super::super::yes;
use super::cell::{
    BackwardStep, BlockStep, Cell, ForwardStep, activation_backward, step_in_blocks, vectors, vectors_mut,
};
use super::options::{RecurrentOptions, recurrent_setters, sigmoid};
use super::scan::layer_by_scan;
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::float::lanes::Lanes;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::regularizer::Regularizer;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Long short-term memory: a cell state `c` that gates write to, forget and read from.
///
/// At each step, with the input `x` (features), the previous output `h₋₁` and cell state `c₋₁` (units), zero at first,
/// the recurrent activation σ (sigmoid), the activation φ (tanh) and the elementwise product ∘:
///
/// ```text
/// (aᵢ, a_f, a_g, aₒ) = x · kernel + h₋₁ · recurrent_kernel + bias
/// i = σ(aᵢ)    f = σ(a_f)    o = σ(aₒ)       input, forget and output gate
/// g = φ(a_g)                                 candidate
/// c = f ∘ c₋₁ + i ∘ g
/// h = o ∘ φ(c)
/// ```
///
/// # Shapes
/// (steps, features) → (units), the output of the last step, or (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, 4 units), in the order i, f, g, o | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, 4 units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (4 units) | `bias_initializer`, with ones for f | zeros; absent with `use_bias(false)` |
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
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 3])
///     .add(Lstm::new(16).return_sequences(true).dropout(0.2))
///     .add(Lstm::new(8))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape().dims(), [8]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Hochreiter and Schmidhuber 1997, "Long short-term memory", Neural Computation 9(8); Gers, Schmidhuber and Cummins
/// 2000, "Learning to forget", Neural Computation 12(10), for the forget gate; Gal and Ghahramani 2016,
/// arXiv:1512.05287, for the dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lstm {
    units: usize,
    #[serde(default = "sigmoid")]
    recurrent_activation: Activation,
    #[serde(default = "yes")]
    unit_forget_bias: bool,
    #[serde(default, rename = "weights")]
    options: RecurrentOptions,
}

impl Lstm {
    /// Creates a layer with `units` outputs.
    #[must_use]
    pub fn new(units: usize) -> Self {
        let (recurrent_activation, unit_forget_bias) = (sigmoid(), true);
        Self { units, recurrent_activation, unit_forget_bias, options: RecurrentOptions::default() }
    }

    recurrent_setters!();

    /// Activation σ of the gates; sigmoid by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> Self {
        self.recurrent_activation = activation;
        self
    }

    /// Whether to initialize the bias of the forget gate to ones, so that the cell state is kept at first; true by
    /// default.
    #[must_use]
    pub fn unit_forget_bias(mut self, unit_forget_bias: bool) -> Self {
        self.unit_forget_bias = unit_forget_bias;
        self
    }

    /// The forward step with any activations.
    pub(super) fn step_by_activations<F: Float>(&self, step: ForwardStep<'_, F>) {
        let (units, activation) = (self.units, self.options.activation);
        let ForwardStep { a, gates, saved: phi_c, state, .. } = step;
        // (i, f, g, o) = (σ(aᵢ), σ(a_f), φ(a_g), σ(aₒ))
        gates.copy_from_slice(a);
        self.recurrent_activation.apply(units, &mut gates[..2 * units]);
        activation.apply(units, &mut gates[2 * units..3 * units]);
        self.recurrent_activation.apply(units, &mut gates[3 * units..]);
        let [i, f, g, o] = vectors(gates, units);
        let [h, c] = vectors_mut(state, units);
        // c = f ∘ c₋₁ + i ∘ g
        vectorize(
            #[inline(always)]
            || (0..units).for_each(|j| c[j] = f[j] * c[j] + i[j] * g[j]),
        );
        phi_c.copy_from_slice(c);
        activation.apply(units, phi_c);
        // h = o ∘ φ(c)
        h.iter_mut().zip(o.iter().zip(phi_c)).for_each(|(h, (&o, &mut phi_c))| *h = o * phi_c);
    }
}

impl Cell for Lstm {
    const KIND: &'static str = "lstm";
    const GATES: usize = 4;
    const STATES: &'static [&'static str] = &["h", "c"];

    fn units(&self) -> usize {
        self.units
    }

    fn options(&self) -> &RecurrentOptions {
        &self.options
    }

    /// `φ(c)`.
    fn saved_vectors(&self) -> usize {
        1
    }

    fn bias_initializer(&self) -> Initializer {
        let bias = self.options.bias_initializer.clone();
        if self.unit_forget_bias { Initializer::UnitForget(Box::new(bias)) } else { bias }
    }

    fn validate(&self) -> Result<()> {
        self.recurrent_activation.validate()
    }

    fn forward_step<F: Float>(&self, step: ForwardStep<'_, F>) {
        if self.options.has_default_activations(self.recurrent_activation) {
            step_in_blocks::<Self, F>(self.units, step);
        } else {
            self.step_by_activations(step);
        }
    }

    fn backward_step<F: Float>(&self, mut step: BackwardStep<'_, F>) {
        let (units, activation) = (self.units, self.options.activation);
        let phi_c = step.saved;
        let [i, f, g, o] = vectors(step.gates, units);
        let [_, c_previous] = vectors(step.previous, units);
        let [_, c] = vectors(step.state, units);
        let [dh, dc] = vectors_mut(step.dstate, units);
        let [di, df, dg, d_o] = vectors_mut(step.dgates, units);
        // h = o ∘ φ(c)  =>  do = dh ∘ φ(c), dφ(c) = dh ∘ o
        vectorize(
            #[inline(always)]
            || {
                for j in 0..units {
                    d_o[j] = dh[j] * phi_c[j];
                    dh[j] *= o[j];
                }
            },
        );
        // φ(c)  =>  dc += dφ(c) ∘ φ'(c)
        activation.gradient(units, c, phi_c, dh);
        // c = f ∘ c₋₁ + i ∘ g  =>  di = dc ∘ g, df = dc ∘ c₋₁, dg = dc ∘ i, dc₋₁ = dc ∘ f
        vectorize(
            #[inline(always)]
            || {
                for j in 0..units {
                    let dc_j = dc[j] + dh[j];
                    di[j] = dc_j * g[j];
                    df[j] = dc_j * c_previous[j];
                    dg[j] = dc_j * i[j];
                    dc[j] = dc_j * f[j];
                }
            },
        );
        // h₋₁ is read through R alone  =>  dh₋₁ = 0
        dh.fill(F::zero());
        activation_backward(self.recurrent_activation, units, 0..2, &mut step);
        activation_backward(activation, units, 2..3, &mut step);
        activation_backward(self.recurrent_activation, units, 3..4, &mut step);
    }
}

layer_by_scan!(Lstm);

impl BlockStep for Lstm {
    #[inline(always)]
    fn block_step<F: Float, const N: usize>(
        units: usize,
        block: Range<usize>,
        step: &mut ForwardStep<'_, F>,
    ) {
        let of_vector = |vector: usize| vector * units + block.start..vector * units + block.end;
        // As where an activation is applied to an array, −0 becomes 0.
        let a = |gate: usize| Lanes::<F, N>::load(&step.a[of_vector(gate)]) + F::zero();
        let (i, f, g, o) = (a(0).sigmoid(), a(1).sigmoid(), a(2).tanh(), a(3).sigmoid());
        let c = f * Lanes::load(&step.state[of_vector(1)]) + i * g;
        let phi_c = (c + F::zero()).tanh();
        i.store(&mut step.gates[of_vector(0)]);
        f.store(&mut step.gates[of_vector(1)]);
        g.store(&mut step.gates[of_vector(2)]);
        o.store(&mut step.gates[of_vector(3)]);
        c.store(&mut step.state[of_vector(1)]);
        phi_c.store(&mut step.saved[of_vector(0)]);
        (o * phi_c).store(&mut step.state[of_vector(0)]);
    }
}
