//! Gated recurrent unit (GRU).

use super::super::yes;
use super::cell::{
    BackwardStep, BlockStep, Cell, ForwardStep, Recurrence, activation_backward, step_in_blocks, vectors,
    vectors_mut,
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

/// Gated recurrent unit: an update gate `z` that keeps the state and a reset gate `r` that hides it from the candidate.
///
/// At each step, with the input `x` (features), the previous output `h₋₁` (units), zero at first, the recurrent
/// activation σ (sigmoid), the activation φ (tanh) and the elementwise product ∘:
///
/// ```text
/// (a_z, aᵣ, aₙ) = x · kernel + bias₀
/// (u_z, uᵣ, uₙ) = h₋₁ · recurrent_kernel + bias₁
/// z = σ(a_z + u_z)    r = σ(aᵣ + uᵣ)    update and reset gate
/// n = φ(aₙ + r ∘ uₙ)                    candidate
/// h = z ∘ h₋₁ + (1 - z) ∘ n
/// ```
///
/// With `reset_after(false)`, as in the published form, the reset gate scales the state before the product and there is
/// one bias: `n = φ(aₙ + (r ∘ h₋₁) · recurrent_kernelₙ)`.
///
/// # Shapes
/// (steps, features) → (units), the output of the last step, or (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, 3 units), in the order z, r, n | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, 3 units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (2, 3 units); (3 units) with `reset_after(false)` | `bias_initializer` | zeros; absent with `use_bias(false)` |
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
///     .add(Gru::new(16).go_backwards(true))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape().dims(), [16]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Cho et al. 2014, "Learning phrase representations using RNN encoder–decoder for statistical machine translation",
/// arXiv:1406.1078, v1 for the form with `reset_after` and v3 for the other; Gal and Ghahramani 2016,
/// arXiv:1512.05287, for the dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gru {
    units: usize,
    #[serde(default = "sigmoid")]
    recurrent_activation: Activation,
    #[serde(default = "yes")]
    reset_after: bool,
    #[serde(default, rename = "weights")]
    options: RecurrentOptions,
}

impl Gru {
    /// Creates a layer with `units` outputs.
    #[must_use]
    pub fn new(units: usize) -> Self {
        let (recurrent_activation, reset_after) = (sigmoid(), true);
        Self { units, recurrent_activation, reset_after, options: RecurrentOptions::default() }
    }

    recurrent_setters!();

    /// Activation σ of the gates; sigmoid by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> Self {
        self.recurrent_activation = activation;
        self
    }

    /// Whether the reset gate scales the product of the state with the recurrent kernel, or the state before the
    /// product; true by default.
    #[must_use]
    pub fn reset_after(mut self, reset_after: bool) -> Self {
        self.reset_after = reset_after;
        self
    }

    /// The forward step with any options.
    pub(super) fn step_by_activations<F: Float>(&self, step: ForwardStep<'_, F>) {
        let units = self.units;
        let ForwardStep { a, recurrent: u, gates, state: h, .. } = step;
        if self.reset_after {
            // (z, r) = σ(a + u)
            a[..2 * units].iter_mut().zip(&*u).for_each(|(a, &u)| *a += u);
            gates[..2 * units].copy_from_slice(&a[..2 * units]);
            self.recurrent_activation.apply(units, &mut gates[..2 * units]);
            // aₙ + r ∘ uₙ
            let ([_, _, a_n], [_, _, u_n], [_, r]) =
                (vectors_mut(a, units), vectors(u, units), vectors(gates, units));
            a_n.iter_mut().zip(r.iter().zip(u_n)).for_each(|(a_n, (&r, &u_n))| *a_n += r * u_n);
        }
        // n = φ(aₙ + r ∘ uₙ), or φ(aₙ) with the product of the reset state in aₙ
        gates[2 * units..].copy_from_slice(&a[2 * units..]);
        self.options.activation.apply(units, &mut gates[2 * units..]);
        // h = z ∘ h₋₁ + (1 - z) ∘ n
        let [z, _, n] = vectors(gates, units);
        vectorize(
            #[inline(always)]
            || (0..units).for_each(|j| h[j] = z[j] * h[j] + (F::one() - z[j]) * n[j]),
        );
    }
}

impl Cell for Gru {
    const KIND: &'static str = "gru";
    const GATES: usize = 3;
    const STATES: &'static [&'static str] = &["h"];

    fn units(&self) -> usize {
        self.units
    }

    fn options(&self) -> &RecurrentOptions {
        &self.options
    }

    fn recurrence(&self) -> Recurrence {
        if self.reset_after { Recurrence::Separate } else { Recurrence::ResetState }
    }

    fn validate(&self) -> Result<()> {
        self.recurrent_activation.validate()
    }

    fn forward_step<F: Float>(&self, step: ForwardStep<'_, F>) {
        if self.reset_after && self.options.has_default_activations(self.recurrent_activation) {
            step_in_blocks::<Self, F>(self.units, step);
        } else {
            self.step_by_activations(step);
        }
    }

    fn backward_step<F: Float>(&self, mut step: BackwardStep<'_, F>) {
        let (units, h) = (self.units, step.previous);
        let [z, r, n] = vectors(step.gates, units);
        let [dz, _, dn] = vectors_mut(step.dgates, units);
        let dh = &mut step.dstate[..units];
        // h = z ∘ h₋₁ + (1 - z) ∘ n  =>  dz = dh ∘ (h₋₁ - n), dn = dh ∘ (1 - z), dh₋₁ = dh ∘ z
        vectorize(
            #[inline(always)]
            || {
                for j in 0..units {
                    dz[j] = dh[j] * (h[j] - n[j]);
                    dn[j] = dh[j] * (F::one() - z[j]);
                    dh[j] *= z[j];
                }
            },
        );
        activation_backward(self.recurrent_activation, units, 0..1, &mut step);
        activation_backward(self.options.activation, units, 2..3, &mut step);
        if !self.reset_after {
            return;
        }
        // n = φ(aₙ + r ∘ uₙ)  =>  dr = daₙ ∘ uₙ, duₙ = daₙ ∘ r
        let ([_, _, da_n], [_, _, u_n]) = (vectors(step.a, units), vectors_mut(step.recurrent, units));
        let [_, dr] = vectors_mut(step.dgates, units);
        vectorize(
            #[inline(always)]
            || {
                for j in 0..units {
                    dr[j] = da_n[j] * u_n[j];
                    u_n[j] = da_n[j] * r[j];
                }
            },
        );
        activation_backward(self.recurrent_activation, units, 1..2, &mut step);
        // (z, r) = σ(a + u)  =>  du = da
        step.recurrent[..2 * units].copy_from_slice(&step.a[..2 * units]);
    }

    fn reset_state<F: Float>(&self, step: ForwardStep<'_, F>) {
        let ForwardStep { a, recurrent: reset, gates, state: h, .. } = step;
        let units = self.units;
        // (z, r) = σ(a)
        gates[..2 * units].copy_from_slice(&a[..2 * units]);
        self.recurrent_activation.apply(units, &mut gates[..2 * units]);
        // r ∘ h₋₁
        let [_, r] = vectors(gates, units);
        reset.iter_mut().zip(r.iter().zip(h)).for_each(|(reset, (&r, &mut h))| *reset = r * h);
    }

    fn reset_state_backward<F: Float>(&self, mut step: BackwardStep<'_, F>, dreset: &[F]) {
        let (units, h) = (self.units, step.previous);
        let [_, r] = vectors(step.gates, units);
        let [_, dr] = vectors_mut(step.dgates, units);
        let dh = &mut step.dstate[..units];
        // reset = r ∘ h₋₁  =>  dr = dreset ∘ h₋₁, dh₋₁ += dreset ∘ r
        vectorize(
            #[inline(always)]
            || {
                for j in 0..units {
                    dr[j] = dreset[j] * h[j];
                    dh[j] += dreset[j] * r[j];
                }
            },
        );
        activation_backward(self.recurrent_activation, units, 1..2, &mut step);
    }
}

layer_by_scan!(Gru);

impl BlockStep for Gru {
    #[inline(always)]
    fn block_step<F: Float, const N: usize>(
        units: usize,
        block: Range<usize>,
        step: &mut ForwardStep<'_, F>,
    ) {
        let of_gate = |gate: usize| gate * units + block.start..gate * units + block.end;
        let ForwardStep { a, recurrent: u, gates, state, .. } = step;
        // As where an activation is applied to an array, −0 becomes 0.
        let a_z = Lanes::<F, N>::load(&a[of_gate(0)]) + Lanes::load(&u[of_gate(0)]);
        let z = (a_z + F::zero()).sigmoid();
        a_z.store(&mut a[of_gate(0)]);
        let a_r = Lanes::<F, N>::load(&a[of_gate(1)]) + Lanes::load(&u[of_gate(1)]);
        let r = (a_r + F::zero()).sigmoid();
        a_r.store(&mut a[of_gate(1)]);
        let a_n = Lanes::<F, N>::load(&a[of_gate(2)]) + r * Lanes::load(&u[of_gate(2)]);
        let n = (a_n + F::zero()).tanh();
        a_n.store(&mut a[of_gate(2)]);
        let h = z * Lanes::load(&state[block.clone()]) + (-z + F::one()) * n;
        z.store(&mut gates[of_gate(0)]);
        r.store(&mut gates[of_gate(1)]);
        n.store(&mut gates[of_gate(2)]);
        h.store(&mut state[block]);
    }
}
