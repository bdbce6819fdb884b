//! The plain recurrent layer.

use super::super::{rows, rows_mut};
use super::recurrent_weights::{RecurrentWeights, recurrent_setters};
use super::sequence::{Sequence, begin, draw, take};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Carry, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// The plain recurrent layer: `h = activation(x · kernel + h₋₁ · recurrent_kernel + bias)`, step by step.
///
/// # Shapes
/// (steps, features) comes out as (units), or as (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, units) | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (units) | `bias_initializer` | zeros; absent with `use_bias(false)` |
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
/// let layer = SimpleRnn::new(16).return_sequences(true);
/// # let _ = layer;
/// ```
///
/// # References
/// Elman 1990, "Finding structure in time", Cognitive Science 14(2); Gal and Ghahramani 2016, arXiv:1512.05287, for
/// the dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleRnn {
    units: usize,
    #[serde(default)]
    weights: RecurrentWeights,
}

impl SimpleRnn {
    /// A layer of so many units.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self { units, weights: RecurrentWeights::default() }
    }

    recurrent_setters!();

    fn sequence(&self, input: &Shape) -> Result<Sequence> {
        Sequence::new("simple_rnn", [self.units, 1], &self.weights, input)
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<Sequence> {
        plan.and_then(|plan| self.sequence(plan.input_shape()).ok())
    }
}

impl<F: Float> Layer<F> for SimpleRnn {
    fn kind(&self) -> &'static str {
        "simple_rnn"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let sequence = self.sequence(input)?;
        let dims = [sequence.features, self.units, 1];
        let bias = self.weights.bias_initializer.clone();
        let plan = self.weights.declare(sequence.output().input(input), dims, self.units, bias);
        // Each step's sums, its state and the state before it; then the gradient toward the latter.
        let per_step = 3_usize.saturating_mul(self.units);
        Ok(plan
            .cache(sequence.operands_len())
            .cache(per_step.saturating_mul(sequence.steps).saturating_add(self.units))
            .batch_cache(self.units.saturating_mul(self.units)))
    }

    fn forward(&self, Forward { x, mut y, params, cache, mode, mask, plan, .. }: Forward<'_, F>) {
        let Some(sequence) = self.planned(plan) else { return y.fill(F::nan()) };
        let (units, batch) = (self.units, x.nrows());
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * units);
        let (recurrent, bias) = rest.split_at(units * units);
        let (mut cache, block) = (cache, batch * sequence.steps * units);
        let [mut seen_x, mut seen_h] = sequence.operands(batch, &mut cache);
        draw([&mut seen_x, &mut seen_h], &mode);
        let (sums, states, before) =
            (take(&mut cache, block), take(&mut cache, block), take(&mut cache, block));
        let bias = self.weights.use_bias.then_some(bias);
        seen_x.affine(rows(x, sequence.features), rows(kernel, units), bias, rows_mut(sums, units));
        for step in 0..sequence.steps {
            if step == 0 {
                begin(&sequence, mode.state(), batch, before);
            }
            if step > 0 || sequence.carries {
                let (h, sums) = (sequence.at(before, step, units), sequence.at_mut(sums, step, units));
                seen_h.add_product(0..1, h, rows(recurrent, units), sums);
            }
            for sample in 0..batch {
                let here = sequence.range(sample, step, units);
                let state = &mut states[here.clone()];
                if sequence.passed_over(mask, sample, step) {
                    state.copy_from_slice(&before[here]);
                } else {
                    state.copy_from_slice(&sums[here]);
                    self.weights.activation.apply(units, state);
                }
                if step + 1 < sequence.steps {
                    before[sequence.range(sample, step + 1, units)].copy_from_slice(state);
                }
                sequence.put_out(y, state, mask, [sample, step]);
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, plan, .. } = pass;
        let Some(sequence) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (units, batch) = (self.units, x.nrows());
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * units);
        let (mut cache, block) = (cache, batch * sequence.steps * units);
        let [mut seen_x, mut seen_h] = sequence.operands(batch, &mut cache);
        let (sums, states, before) =
            (take(&mut cache, block), take(&mut cache, block), take(&mut cache, block));
        let dh = take(&mut cache, batch * units);
        rows_mut(cache, units).assign(&rows(&rest[..units * units], units).t());
        let transposed = rows(cache, units);
        // Where steps are passed over, the gradient toward the state before them is the one behind, and stays.
        let kept = if mask.is_some() { F::one() } else { F::zero() };
        dh.fill(F::zero());
        for step in (0..sequence.steps).rev() {
            for sample in 0..batch {
                let here = sequence.range(sample, step, units);
                let dh = &mut dh[sample * units..][..units];
                sequence.take_back(dy, dh, mask, [sample, step]);
                // The sums' place takes their gradient.
                if sequence.passed_over(mask, sample, step) {
                    sums[here].fill(F::zero());
                    continue;
                }
                self.weights.activation.gradient(units, &sums[here.clone()], &states[here.clone()], dh);
                sums[here].copy_from_slice(dh);
                if mask.is_some() {
                    dh.fill(F::zero());
                }
            }
            if step > 0 {
                let dz = sequence.at(sums, step, units);
                seen_h.pass_back(0..1, dz, transposed, kept, rows_mut(dh, units));
            }
        }
        let (dkernel, rest) = grads.split_at_mut(kernel.len());
        let (drecurrent, dbias) = rest.split_at_mut(units * units);
        let (dz, kernel) = (rows(sums, units), rows(kernel, units));
        linalg::add_rows(dz, dbias);
        seen_x.add_kernel_gradient(0..1, rows(x, sequence.features), dz, rows_mut(dkernel, units));
        seen_h.add_kernel_gradient(0..1, rows(before, units), dz, rows_mut(drecurrent, units));
        if dx_needed {
            seen_x.pass_back(0..1, dz, kernel.t(), F::zero(), rows_mut(dx, sequence.features));
        }
    }

    fn carry(&self, Carry { mut cache, state, batch, plan }: Carry<'_, F>) {
        let Some(sequence) = self.planned(Some(plan)) else { return };
        let (units, block) = (self.units, batch * sequence.steps * self.units);
        sequence.operands(batch, &mut cache);
        let states = &take(&mut cache, 2 * block)[block..];
        for (sample, state) in state.chunks_exact_mut(units).take(batch).enumerate() {
            state.copy_from_slice(&states[sequence.range(sample, sequence.steps - 1, units)]);
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
