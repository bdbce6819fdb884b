//! The gated recurrent unit.

use super::super::{rows, rows_mut};
use super::recurrent_weights::{RecurrentWeights, recurrent_setters};
use super::sequence::{Sequence, take};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// The gated recurrent unit: a state that one gate keeps and another resets.
///
/// With `(z, r, n) = x · kernel + bias₀` and `(z', r', n') = h₋₁ · recurrent_kernel + bias₁`, σ the recurrent
/// activation (sigmoid) and φ the activation (tanh): `h = σ(z + z') h₋₁ + (1 - σ(z + z')) φ(n + σ(r + r') n')`.
/// This is Keras's form with `reset_after=True`, its default.
///
/// # Shapes
/// (steps, features) comes out as (units), or as (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, 3 units), in the order z, r, n | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, 3 units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (2, 3 units) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: no units; samples of another rank.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = Gru::new(16).go_backwards(true);
/// # let _ = layer;
/// ```
///
/// # References
/// Cho et al. 2014, arXiv:1406.1078v1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gru {
    units: usize,
    #[serde(default = "sigmoid")]
    recurrent_activation: Activation,
    #[serde(default)]
    weights: RecurrentWeights,
}

fn sigmoid() -> Activation {
    Activation::Sigmoid
}

/// The blocks of a cache for so many samples.
struct Blocks<'a, F> {
    /// What the input gives, then the sums that go into the activations, (batch, steps, 3 units).
    sums: &'a mut [F],
    /// What the state before gives, (batch, steps, 3 units).
    recurrent: &'a mut [F],
    /// The activated gates, (batch, steps, 3 units).
    gates: &'a mut [F],
    /// h before each step, (batch, steps, units).
    before: &'a mut [F],
    /// The gradient toward h, and h, (batch, units).
    dh: &'a mut [F],
    /// The gradient toward h that the gates pass on, (batch, units).
    passed: &'a mut [F],
    scratch: &'a mut [F],
    transposed: &'a mut [F],
}

impl Gru {
    /// A layer of so many units.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self { units, recurrent_activation: sigmoid(), weights: RecurrentWeights::default() }
    }

    recurrent_setters!();

    /// What the gates are; sigmoid by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> Self {
        self.recurrent_activation = activation;
        self
    }

    fn sequence(&self, input: &Shape) -> Result<Sequence> {
        self.recurrent_activation.validate()?;
        Sequence::new("gru", self.units, &self.weights, input)
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<Sequence> {
        plan.and_then(|plan| self.sequence(plan.input_shape()).ok())
    }

    fn blocks<'a, F>(&self, sequence: &Sequence, batch: usize, mut cache: &'a mut [F]) -> Blocks<'a, F> {
        let (units, steps) = (batch * self.units, batch * sequence.steps * self.units);
        Blocks {
            sums: take(&mut cache, 3 * steps),
            recurrent: take(&mut cache, 3 * steps),
            gates: take(&mut cache, 3 * steps),
            before: take(&mut cache, steps),
            dh: take(&mut cache, units),
            passed: take(&mut cache, units),
            scratch: take(&mut cache, 3 * self.units),
            transposed: cache,
        }
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
        let plan =
            self.weights.declare(sequence.output().input(input), dims, [2, units.saturating_mul(3)], bias);
        Ok(plan
            .cache(units.saturating_mul(10).saturating_mul(steps).saturating_add(units.saturating_mul(2)))
            .batch_cache(units.saturating_mul(3).saturating_mul(units.saturating_add(1))))
    }

    fn forward(&self, Forward { x, mut y, params, cache, plan, .. }: Forward<'_, F>) {
        let Some(sequence) = self.planned(plan) else { return y.fill(F::nan()) };
        let (units, batch, wide) = (self.units, x.nrows(), 3 * self.units);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * wide);
        let (recurrent_kernel, biases) = rest.split_at(units * wide);
        let (bias, recurrent_bias) = biases.split_at(biases.len() / 2);
        let (bias, use_bias) = (self.weights.use_bias.then_some(bias), self.weights.use_bias);
        let Blocks { sums, recurrent, gates, before, dh: h, .. } = self.blocks(&sequence, batch, cache);
        linalg::affine(rows(x, sequence.features), rows(kernel, wide), bias, rows_mut(sums, wide));
        h.fill(F::zero());
        for step in 0..sequence.steps {
            for sample in 0..batch {
                let h = &h[sample * units..][..units];
                before[sequence.range(sample, step, units)].copy_from_slice(h);
                let recurrent = &mut recurrent[sequence.range(sample, step, wide)];
                if use_bias { recurrent.copy_from_slice(recurrent_bias) } else { recurrent.fill(F::zero()) }
            }
            if step > 0 {
                let (h, product) = (sequence.at(before, step, units), sequence.at_mut(recurrent, step, wide));
                linalg::gemm(F::one(), h, rows(recurrent_kernel, wide), F::one(), product);
            }
            for sample in 0..batch {
                let here = sequence.range(sample, step, wide);
                let (sum, gate) = (&mut sums[here.clone()], &mut gates[here.clone()]);
                let (recurrent, h) = (&recurrent[here], &mut h[sample * units..][..units]);
                for j in 0..2 * units {
                    sum[j] += recurrent[j];
                }
                gate.copy_from_slice(sum);
                self.recurrent_activation.apply(units, &mut gate[..2 * units]);
                for j in 0..units {
                    sum[2 * units + j] += gate[units + j] * recurrent[2 * units + j];
                }
                gate[2 * units..].copy_from_slice(&sum[2 * units..]);
                self.weights.activation.apply(units, &mut gate[2 * units..]);
                for j in 0..units {
                    h[j] = gate[j] * h[j] + (F::one() - gate[j]) * gate[2 * units + j];
                }
                if let Some(range) = sequence.output_range(sample, step) {
                    y[range].copy_from_slice(h);
                }
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, plan, .. } = pass;
        let Some(sequence) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (units, batch, wide) = (self.units, x.nrows(), 3 * self.units);
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * wide);
        let Blocks { sums, recurrent, gates, before, dh, passed, scratch, transposed } =
            self.blocks(&sequence, batch, cache);
        rows_mut(transposed, units).assign(&rows(&rest[..units * wide], wide).t());
        let transposed = rows(transposed, units);
        dh.fill(F::zero());
        for step in (0..sequence.steps).rev() {
            for sample in 0..batch {
                let here = sequence.range(sample, step, wide);
                let dh = &mut dh[sample * units..][..units];
                if let Some(range) = sequence.output_range(sample, step) {
                    dh.iter_mut().zip(&dy[range]).for_each(|(dh, &dy)| *dh += dy);
                }
                let h = &before[sequence.range(sample, step, units)];
                let (gate, sum) = (&gates[here.clone()], &mut sums[here.clone()]);
                let recurrent = &mut recurrent[here];
                // h = z h₋₁ + (1 - z) n  =>  dz = dh (h₋₁ - n), dn = dh (1 - z), dh₋₁ = dh z
                for j in 0..units {
                    scratch[j] = dh[j] * (h[j] - gate[2 * units + j]);
                    scratch[2 * units + j] = dh[j] * (F::one() - gate[j]);
                    passed[sample * units + j] = dh[j] * gate[j];
                }
                let (z, n) = (&sum[2 * units..], &gate[2 * units..]);
                self.weights.activation.gradient(units, z, n, &mut scratch[2 * units..]);
                // n = φ(x part + r n')  =>  dr = d n'
                for j in 0..units {
                    scratch[units + j] = scratch[2 * units + j] * recurrent[2 * units + j];
                }
                let (z, zr) = (&sum[..2 * units], &gate[..2 * units]);
                self.recurrent_activation.gradient(units, z, zr, &mut scratch[..2 * units]);
                // The sums' place takes their gradient, and so does that of the recurrent part: the same, but
                // for n', which passes r.
                sum.copy_from_slice(scratch);
                recurrent.copy_from_slice(scratch);
                for j in 0..units {
                    recurrent[2 * units + j] *= gate[units + j];
                }
            }
            if step > 0 {
                let dr = sequence.at(recurrent, step, wide);
                linalg::gemm(F::one(), dr, transposed, F::zero(), rows_mut(dh, units));
                dh.iter_mut().zip(&*passed).for_each(|(dh, &passed)| *dh += passed);
            }
        }
        let (dkernel, rest) = grads.split_at_mut(kernel.len());
        let (drecurrent, dbiases) = rest.split_at_mut(units * wide);
        let (dbias, drecurrent_bias) = dbiases.split_at_mut(dbiases.len() / 2);
        linalg::add_rows(rows(sums, wide), dbias);
        linalg::add_rows(rows(recurrent, wide), drecurrent_bias);
        sequence.finish(
            x,
            before,
            [&*sums, &*recurrent],
            kernel,
            dkernel,
            drecurrent,
            dx_needed.then_some(dx),
        );
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
