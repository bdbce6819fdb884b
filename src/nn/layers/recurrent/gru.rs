//! The gated recurrent unit.

use super::super::{rows, rows_mut, yes};
use super::recurrent_weights::{RecurrentWeights, recurrent_setters};
use super::sequence::{Sequence, draw, take};
use super::variational_dropout::Operand;
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Carry, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// The gated recurrent unit: a state that one gate keeps and another resets.
///
/// With `(z, r, n) = x · kernel + bias₀` and `(z', r', n') = h₋₁ · recurrent_kernel + bias₁`, σ the recurrent
/// activation (sigmoid) and φ the activation (tanh): `h = σ(z + z') h₋₁ + (1 - σ(z + z')) φ(n + σ(r + r') n')`.
/// With `reset_after(false)` the reset gate works on the state before it is multiplied, as in the first paper, and there
/// is one bias: `h = σ(z + z') h₋₁ + (1 - σ(z + z')) φ(n + (σ(r + r') h₋₁) · recurrent_kernelₙ)`.
///
/// # Shapes
/// (steps, features) comes out as (units), or as (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, 3 units), in the order z, r, n | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, 3 units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (2, 3 units); (3 units) with `reset_after(false)` | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: no units; samples of another rank; a rate of dropout outside of [0, 1); a batch size of 0, or layers
/// that are [`stateful`](Self::stateful) over different ones. Then batches of another size are errors as well.
///
/// # Agreement with Keras
/// Keras's `return_state` hands the states on beside the output, for which a chain of layers has no place; those of a
/// stateful layer are among the model's weights. `unroll`, `use_cudnn` and `implementation` say how Keras computes, and
/// have no counterpart.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = Gru::new(16).go_backwards(true);
/// # let _ = layer;
/// ```
///
/// # References
/// Cho et al. 2014, arXiv:1406.1078v1 for the form with `reset_after` and v3 for the other; Gal and Ghahramani 2016,
/// arXiv:1512.05287, for the dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gru {
    units: usize,
    #[serde(default = "sigmoid")]
    recurrent_activation: Activation,
    #[serde(default = "yes")]
    reset_after: bool,
    #[serde(default)]
    weights: RecurrentWeights,
}

fn sigmoid() -> Activation {
    Activation::Sigmoid
}

/// The blocks of a cache for so many samples.
struct Blocks<'a, F> {
    /// The inputs and the states, as dropout leaves them.
    seen_x: Operand<'a, F>,
    seen_h: Operand<'a, F>,
    /// What the input gives, then the sums that go into the activations, (batch, steps, 3 units).
    sums: &'a mut [F],
    /// The activated gates, (batch, steps, 3 units).
    gates: &'a mut [F],
    /// h before each step, (batch, steps, units).
    before: &'a mut [F],
    /// With `reset_after` what the state before gives, (batch, steps, 3 units); else r h₋₁, (batch, steps, units).
    recurrent: &'a mut [F],
    /// The gradient toward h, and h, (batch, units).
    dh: &'a mut [F],
    /// The gradient toward r h₋₁, (batch, units).
    dreset: &'a mut [F],
    scratch: &'a mut [F],
    transposed: &'a mut [F],
}

impl Gru {
    /// A layer of so many units.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self {
            units,
            recurrent_activation: sigmoid(),
            reset_after: true,
            weights: RecurrentWeights::default(),
        }
    }

    recurrent_setters!();

    /// What the gates are; sigmoid by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> Self {
        self.recurrent_activation = activation;
        self
    }

    /// Whether the reset gate works on what the recurrent kernel makes of the state, or on the state itself; yes by
    /// default.
    #[must_use]
    pub fn reset_after(mut self, reset_after: bool) -> Self {
        self.reset_after = reset_after;
        self
    }

    fn sequence(&self, input: &Shape) -> Result<Sequence> {
        self.recurrent_activation.validate()?;
        Sequence::new("gru", [self.units, 3], &self.weights, input)
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<Sequence> {
        plan.and_then(|plan| self.sequence(plan.input_shape()).ok())
    }

    fn blocks<'a, F>(&self, sequence: &Sequence, batch: usize, mut cache: &'a mut [F]) -> Blocks<'a, F> {
        let (units, steps) = (batch * self.units, batch * sequence.steps * self.units);
        let [seen_x, seen_h] = sequence.operands(batch, &mut cache);
        Blocks {
            seen_x,
            seen_h,
            sums: take(&mut cache, 3 * steps),
            gates: take(&mut cache, 3 * steps),
            before: take(&mut cache, steps),
            recurrent: take(&mut cache, self.recurrent_width() / self.units * steps),
            dh: take(&mut cache, units),
            dreset: take(&mut cache, units),
            scratch: take(&mut cache, 3 * self.units),
            transposed: cache,
        }
    }

    /// How many numbers the block `recurrent` has for each step of a sample.
    fn recurrent_width(&self) -> usize {
        if self.reset_after { self.units.saturating_mul(3) } else { self.units }
    }
}

impl<F: Float> Layer<F> for Gru {
    fn kind(&self) -> &'static str {
        "gru"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let sequence = self.sequence(input)?;
        let (units, steps) = (self.units, sequence.steps);
        let (dims, bias) = ([sequence.features, units, 3], self.weights.bias_initializer.clone());
        let wide = units.saturating_mul(3);
        let bias_shape = if self.reset_after { Shape::from([2, wide]) } else { Shape::from(wide) };
        let plan = self.weights.declare(sequence.output().input(input), dims, bias_shape, bias);
        let per_step = units.saturating_mul(7).saturating_add(self.recurrent_width());
        Ok(plan
            .cache(sequence.operands_len())
            .cache(per_step.saturating_mul(steps).saturating_add(units.saturating_mul(2)))
            .batch_cache(units.saturating_mul(3).saturating_mul(units.saturating_add(1))))
    }

    fn forward(&self, Forward { x, mut y, params, cache, mode, mask, plan, .. }: Forward<'_, F>) {
        let Some(sequence) = self.planned(plan) else { return y.fill(F::nan()) };
        let (units, batch, wide) = (self.units, x.nrows(), 3 * self.units);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * wide);
        let (recurrent_kernel, biases) = rest.split_at(units * wide);
        let recurrent_kernel = rows(recurrent_kernel, wide);
        let (bias, recurrent_bias) =
            biases.split_at(if self.reset_after { biases.len() / 2 } else { biases.len() });
        let bias = self.weights.use_bias.then_some(bias);
        let Blocks { mut seen_x, mut seen_h, sums, gates, before, recurrent, dh: h, .. } =
            self.blocks(&sequence, batch, cache);
        draw([&mut seen_x, &mut seen_h], &mode);
        seen_x.affine(rows(x, sequence.features), rows(kernel, wide), bias, rows_mut(sums, wide));
        for (sample, h) in h.chunks_exact_mut(units).enumerate() {
            match sequence.beginning(mode.state(), sample) {
                Some(state) => h.copy_from_slice(state),
                None => h.fill(F::zero()),
            }
        }
        // Whether there is a state before a step.
        let has_state = |step: usize| step > 0 || sequence.carries;
        for step in 0..sequence.steps {
            for sample in 0..batch {
                before[sequence.range(sample, step, units)].copy_from_slice(&h[sample * units..][..units]);
            }
            let before = sequence.at(before, step, units);
            if self.reset_after {
                let mut recurrent = sequence.at_mut(recurrent, step, wide);
                match self.weights.use_bias {
                    true => recurrent.assign(&ndarray::aview1(recurrent_bias)),
                    false => recurrent.fill(F::zero()),
                }
                if has_state(step) {
                    seen_h.add_product(0..3, before, recurrent_kernel, recurrent);
                }
            } else if has_state(step) {
                seen_h.add_product(0..2, before, recurrent_kernel, sequence.at_mut(sums, step, wide));
            }
            for sample in 0..batch {
                let here = sequence.range(sample, step, wide);
                let (sum, gate) = (&mut sums[here.clone()], &mut gates[here.clone()]);
                if self.reset_after {
                    sum[..2 * units].iter_mut().zip(&recurrent[here]).for_each(|(sum, &part)| *sum += part);
                }
                gate[..2 * units].copy_from_slice(&sum[..2 * units]);
                self.recurrent_activation.apply(units, &mut gate[..2 * units]);
                if !self.reset_after {
                    let reset = &mut recurrent[sequence.range(sample, step, units)];
                    let parts = gate[units..].iter().zip(&h[sample * units..]);
                    reset.iter_mut().zip(parts).for_each(|(reset, (&r, &h))| *reset = r * h);
                }
            }
            if !self.reset_after && has_state(step) {
                let reset = sequence.at(recurrent, step, units);
                seen_h.add_product(2..3, reset, recurrent_kernel, sequence.at_mut(sums, step, wide));
            }
            for sample in 0..batch {
                let here = sequence.range(sample, step, wide);
                let (sum, gate) = (&mut sums[here.clone()], &mut gates[here.clone()]);
                if self.reset_after {
                    let recurrent = &recurrent[here];
                    for j in 0..units {
                        sum[2 * units + j] += gate[units + j] * recurrent[2 * units + j];
                    }
                }
                gate[2 * units..].copy_from_slice(&sum[2 * units..]);
                self.weights.activation.apply(units, &mut gate[2 * units..]);
                let h = &mut h[sample * units..][..units];
                if !sequence.passed_over(mask, sample, step) {
                    for j in 0..units {
                        h[j] = gate[j] * h[j] + (F::one() - gate[j]) * gate[2 * units + j];
                    }
                }
                sequence.put_out(y, h, mask, [sample, step]);
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, plan, .. } = pass;
        let Some(sequence) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (units, batch, wide) = (self.units, x.nrows(), 3 * self.units);
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * wide);
        let Blocks {
            mut seen_x,
            mut seen_h,
            sums,
            gates,
            before,
            recurrent,
            dh,
            dreset,
            scratch,
            transposed,
        } = self.blocks(&sequence, batch, cache);
        rows_mut(transposed, units).assign(&rows(&rest[..units * wide], wide).t());
        let transposed = rows(transposed, units);
        dh.fill(F::zero());
        // Whether there is a state before a step.
        let has_state = |step: usize| step > 0 || sequence.carries;
        for step in (0..sequence.steps).rev() {
            // The sums' place takes their gradient, in two parts: z and n, then r, which needs that of n.
            for sample in 0..batch {
                let here = sequence.range(sample, step, wide);
                let dh = &mut dh[sample * units..][..units];
                sequence.take_back(dy, dh, mask, [sample, step]);
                // A step that is passed over keeps h, so nothing but dh goes on.
                if sequence.passed_over(mask, sample, step) {
                    sums[here].fill(F::zero());
                    continue;
                }
                let h = &before[sequence.range(sample, step, units)];
                let (gate, sum) = (&gates[here.clone()], &mut sums[here]);
                // h = z h₋₁ + (1 - z) n  =>  dz = dh (h₋₁ - n), dn = dh (1 - z), dh₋₁ = dh z
                for j in 0..units {
                    scratch[j] = dh[j] * (h[j] - gate[2 * units + j]);
                    scratch[2 * units + j] = dh[j] * (F::one() - gate[j]);
                    dh[j] *= gate[j];
                }
                let parts = [(0, self.recurrent_activation), (2, self.weights.activation)];
                for (part, activation) in parts {
                    let part = part * units..(part + 1) * units;
                    activation.gradient(
                        units,
                        &sum[part.clone()],
                        &gate[part.clone()],
                        &mut scratch[part.clone()],
                    );
                    sum[part.clone()].copy_from_slice(&scratch[part]);
                }
            }
            if !self.reset_after && has_state(step) {
                // n = φ(x part + (r h₋₁) · kernelₙ)  =>  d(r h₋₁) = dn · kernelₙᵀ
                let dn = sequence.at(sums, step, wide);
                seen_h.pass_back(2..3, dn, transposed, F::zero(), rows_mut(dreset, units));
            }
            for sample in 0..batch {
                let here = sequence.range(sample, step, wide);
                let (gate, sum) = (&gates[here.clone()], &mut sums[here.clone()]);
                let (dr, r) = (&mut scratch[units..2 * units], units..2 * units);
                if self.reset_after {
                    // n = φ(x part + r n')  =>  dr = dn n', dn' = dn r
                    let (dn, n) = (&sum[2 * units..], &mut recurrent[here.clone()][2 * units..]);
                    for j in 0..units {
                        dr[j] = dn[j] * n[j];
                        n[j] = dn[j] * gate[units + j];
                    }
                } else {
                    // Where the state before is 0, nothing comes back.
                    let h = &before[sequence.range(sample, step, units)];
                    let (dh, dreset) =
                        (&mut dh[sample * units..][..units], &dreset[sample * units..][..units]);
                    for j in 0..units {
                        dr[j] = if has_state(step) { dreset[j] * h[j] } else { F::zero() };
                        dh[j] += if has_state(step) { dreset[j] * gate[units + j] } else { F::zero() };
                    }
                }
                self.recurrent_activation.gradient(units, &sum[r.clone()], &gate[r.clone()], dr);
                sum[r.clone()].copy_from_slice(dr);
                if self.reset_after {
                    recurrent[here][..2 * units].copy_from_slice(&sum[..2 * units]);
                }
            }
            if step > 0 {
                let (gates, dr) = match self.reset_after {
                    true => (0..3, sequence.at(recurrent, step, wide)),
                    false => (0..2, sequence.at(sums, step, wide)),
                };
                seen_h.pass_back(gates, dr, transposed, F::one(), rows_mut(dh, units));
            }
        }
        let (dkernel, rest) = grads.split_at_mut(kernel.len());
        let (drecurrent, dbiases) = rest.split_at_mut(units * wide);
        let mut drecurrent = rows_mut(drecurrent, wide);
        let (dz, before) = (rows(sums, wide), rows(before, units));
        if self.reset_after {
            let (dbias, drecurrent_bias) = dbiases.split_at_mut(dbiases.len() / 2);
            let dr = rows(recurrent, wide);
            linalg::add_rows(dz, dbias);
            linalg::add_rows(dr, drecurrent_bias);
            seen_h.add_kernel_gradient(0..3, before, dr, drecurrent);
        } else {
            linalg::add_rows(dz, dbiases);
            seen_h.add_kernel_gradient(0..2, before, dz, drecurrent.view_mut());
            seen_h.add_kernel_gradient(2..3, rows(recurrent, units), dz, drecurrent);
        }
        seen_x.add_kernel_gradient(0..3, rows(x, sequence.features), dz, rows_mut(dkernel, wide));
        if dx_needed {
            let kernel = rows(kernel, wide);
            seen_x.pass_back(0..3, dz, kernel.t(), F::zero(), rows_mut(dx, sequence.features));
        }
    }

    fn carry(&self, Carry { cache, state, batch, plan }: Carry<'_, F>) {
        let Some(sequence) = self.planned(Some(plan)) else { return };
        let h = self.blocks(&sequence, batch, cache).dh;
        state.iter_mut().zip(h).for_each(|(state, h)| *state = *h);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
