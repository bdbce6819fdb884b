//! Long short-term memory.

use super::super::{rows, rows_mut, yes};
use super::recurrent_weights::{RecurrentWeights, recurrent_setters};
use super::sequence::{Sequence, begin, draw, take};
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

/// Long short-term memory: a state `c` that gates write, keep and read.
///
/// With `(i, f, g, o) = x · kernel + h₋₁ · recurrent_kernel + bias`, σ the recurrent activation (sigmoid) and φ
/// the activation (tanh): `c = σ(f) c₋₁ + σ(i) φ(g)`, `h = σ(o) φ(c)`.
///
/// # Shapes
/// (steps, features) comes out as (units), or as (steps, units) with `return_sequences(true)`.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (features, 4 units), in the order i, f, g, o | `kernel_initializer` | Glorot uniform |
/// | `recurrent_kernel` | (units, 4 units) | `recurrent_initializer` | orthogonal |
/// | `bias` | (4 units) | `bias_initializer`, with ones for f | zeros; absent with `use_bias(false)` |
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
/// let layer = Lstm::new(16).return_sequences(true);
/// # let _ = layer;
/// ```
///
/// # References
/// Hochreiter and Schmidhuber 1997, Neural Computation 9(8); Gers, Schmidhuber and Cummins 2000 for the forget
/// gate; Gal and Ghahramani 2016, arXiv:1512.05287, for the dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lstm {
    units: usize,
    #[serde(default = "sigmoid")]
    recurrent_activation: Activation,
    #[serde(default = "yes")]
    unit_forget_bias: bool,
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
    /// The sums of the four gates, then their activated values, (batch, steps, 4 units).
    sums: &'a mut [F],
    gates: &'a mut [F],
    /// c and φ(c), (batch, steps, units).
    cells: &'a mut [F],
    squashed: &'a mut [F],
    /// h before each step, (batch, steps, units).
    before: &'a mut [F],
    /// The gradients toward h and c, (batch, units).
    dh: &'a mut [F],
    dc: &'a mut [F],
    /// c before the first step, (batch, units), where it is not 0.
    first_cells: &'a mut [F],
    /// One sample's gradients toward the gates, and the transposed recurrent kernel.
    scratch: &'a mut [F],
    transposed: &'a mut [F],
}

impl Lstm {
    /// A layer of so many units.
    #[must_use]
    pub fn new(units: usize) -> Self {
        let (recurrent_activation, unit_forget_bias) = (sigmoid(), true);
        Self { units, recurrent_activation, unit_forget_bias, weights: RecurrentWeights::default() }
    }

    recurrent_setters!();

    /// What the gates are; sigmoid by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> Self {
        self.recurrent_activation = activation;
        self
    }

    /// Whether the bias of the forget gate starts with ones, so that states are kept at first; yes by default.
    #[must_use]
    pub fn unit_forget_bias(mut self, unit_forget_bias: bool) -> Self {
        self.unit_forget_bias = unit_forget_bias;
        self
    }

    fn sequence(&self, input: &Shape) -> Result<Sequence> {
        self.recurrent_activation.validate()?;
        Sequence::new("lstm", [self.units, 4], &self.weights, input)
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
            sums: take(&mut cache, 4 * steps),
            gates: take(&mut cache, 4 * steps),
            cells: take(&mut cache, steps),
            squashed: take(&mut cache, steps),
            before: take(&mut cache, steps),
            dh: take(&mut cache, units),
            dc: take(&mut cache, units),
            first_cells: take(&mut cache, if sequence.carries { units } else { 0 }),
            scratch: take(&mut cache, 4 * self.units),
            transposed: cache,
        }
    }

    /// One step of one sample: its gates, its new c and φ(c), its h.
    fn step<F: Float>(
        &self,
        gates: &mut [F],
        last: Option<&[F]>,
        cell: &mut [F],
        squashed: &mut [F],
        h: &mut [F],
    ) {
        let units = self.units;
        let (write_keep, rest) = gates.split_at_mut(2 * units);
        let (candidate, read) = rest.split_at_mut(units);
        self.recurrent_activation.apply(units, write_keep);
        self.weights.activation.apply(units, candidate);
        self.recurrent_activation.apply(units, read);
        for j in 0..units {
            let kept = last.map_or(F::zero(), |last| write_keep[units + j] * last[j]);
            cell[j] = kept + write_keep[j] * candidate[j];
        }
        squashed.copy_from_slice(cell);
        self.weights.activation.apply(units, squashed);
        h.iter_mut().zip(read.iter().zip(&*squashed)).for_each(|(h, (&o, &c))| *h = o * c);
    }
}

impl<F: Float> Layer<F> for Lstm {
    fn kind(&self) -> &'static str {
        "lstm"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let sequence = self.sequence(input)?;
        let mut bias = self.weights.bias_initializer.clone();
        if self.unit_forget_bias {
            bias = Initializer::UnitForget(Box::new(bias));
        }
        let (units, steps) = (self.units, sequence.steps);
        let dims = [sequence.features, units, 4];
        let plan = self.weights.declare(sequence.output().input(input), dims, units.saturating_mul(4), bias);
        Ok(plan
            .cache(sequence.operands_len())
            .cache(units.saturating_mul(11).saturating_mul(steps).saturating_add(units.saturating_mul(2)))
            .cache(if sequence.carries { units } else { 0 })
            .batch_cache(units.saturating_mul(4).saturating_mul(units.saturating_add(1))))
    }

    fn forward(&self, Forward { x, mut y, params, cache, mode, mask, plan, .. }: Forward<'_, F>) {
        let Some(sequence) = self.planned(plan) else { return y.fill(F::nan()) };
        let (units, batch, wide) = (self.units, x.nrows(), 4 * self.units);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * wide);
        let (recurrent, bias) = rest.split_at(units * wide);
        let Blocks {
            mut seen_x, mut seen_h, sums, gates, cells, squashed, before, dh: h, first_cells, ..
        } = self.blocks(&sequence, batch, cache);
        // The states h of all samples, then the states c.
        let (kept, kept_cells) = mode.state().split_at(mode.state().len() / 2);
        for (sample, first) in first_cells.chunks_exact_mut(units).enumerate() {
            match sequence.beginning(kept_cells, sample) {
                Some(cell) => first.copy_from_slice(cell),
                None => first.fill(F::zero()),
            }
        }
        draw([&mut seen_x, &mut seen_h], &mode);
        let bias = self.weights.use_bias.then_some(bias);
        seen_x.affine(rows(x, sequence.features), rows(kernel, wide), bias, rows_mut(sums, wide));
        for step in 0..sequence.steps {
            if step == 0 {
                begin(&sequence, kept, batch, before);
            }
            if step > 0 || sequence.carries {
                let (h, sums) = (sequence.at(before, step, units), sequence.at_mut(sums, step, wide));
                seen_h.add_product(0..4, h, rows(recurrent, wide), sums);
            }
            for sample in 0..batch {
                let (narrow, here) =
                    (sequence.range(sample, step, units), sequence.range(sample, step, wide));
                gates[here.clone()].copy_from_slice(&sums[here.clone()]);
                let h = &mut h[sample * units..][..units];
                // c₋₁ lies beside c, in the same block.
                let last = step.checked_sub(1).map(|last| sequence.range(sample, last, units));
                let (cell, last) = pair(cells, narrow.clone(), last);
                let last = last.or_else(|| first_cells.get(sample * units..(sample + 1) * units));
                if sequence.passed_over(mask, sample, step) {
                    match last {
                        Some(last) => cell.copy_from_slice(last),
                        None => cell.fill(F::zero()),
                    }
                    h.copy_from_slice(&before[narrow]);
                } else {
                    self.step(&mut gates[here], last, cell, &mut squashed[narrow], h);
                }
                if step + 1 < sequence.steps {
                    before[sequence.range(sample, step + 1, units)].copy_from_slice(h);
                }
                sequence.put_out(y, h, mask, [sample, step]);
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, plan, .. } = pass;
        let Some(sequence) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (units, batch, wide) = (self.units, x.nrows(), 4 * self.units);
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(sequence.features * wide);
        let Blocks {
            mut seen_x,
            mut seen_h,
            sums,
            gates,
            cells,
            squashed,
            before,
            dh,
            dc,
            first_cells,
            scratch,
            transposed,
        } = self.blocks(&sequence, batch, cache);
        rows_mut(transposed, units).assign(&rows(&rest[..units * wide], wide).t());
        let transposed = rows(transposed, units);
        let [activation, recurrent_activation] = [self.weights.activation, self.recurrent_activation];
        // Where steps are passed over, the gradients toward the state before them are those behind, and stay.
        let kept = if mask.is_some() { F::one() } else { F::zero() };
        dh.fill(F::zero());
        dc.fill(F::zero());
        for step in (0..sequence.steps).rev() {
            for sample in 0..batch {
                let (narrow, here) =
                    (sequence.range(sample, step, units), sequence.range(sample, step, wide));
                let dh = &mut dh[sample * units..][..units];
                let dc = &mut dc[sample * units..][..units];
                sequence.take_back(dy, dh, mask, [sample, step]);
                if sequence.passed_over(mask, sample, step) {
                    sums[here].fill(F::zero());
                    continue;
                }
                let (gate, squashed) = (&gates[here.clone()], &squashed[narrow.clone()]);
                let last = step.checked_sub(1).map(|last| &cells[sequence.range(sample, last, units)]);
                let last = last.or_else(|| first_cells.get(sample * units..(sample + 1) * units));
                // h = o φ(c)  =>  do = dh φ(c), dc += dh o φ'(c)
                for j in 0..units {
                    scratch[3 * units + j] = dh[j] * squashed[j];
                    dh[j] *= gate[3 * units + j];
                }
                activation.gradient(units, &cells[narrow], squashed, dh);
                // c = f c₋₁ + i g  =>  di = dc g, df = dc c₋₁, dg = dc i, dc₋₁ = dc f
                for j in 0..units {
                    dc[j] += dh[j];
                    scratch[j] = dc[j] * gate[2 * units + j];
                    scratch[units + j] = last.map_or(F::zero(), |last| dc[j] * last[j]);
                    scratch[2 * units + j] = dc[j] * gate[j];
                    dc[j] *= gate[units + j];
                }
                let sum = &mut sums[here];
                let parts = [(0..2, recurrent_activation), (2..3, activation), (3..4, recurrent_activation)];
                for (part, activation) in parts {
                    let part = part.start * units..part.end * units;
                    let (z, y) = (&sum[part.clone()], &gate[part.clone()]);
                    activation.gradient(units, z, y, &mut scratch[part]);
                }
                // The sums' place takes their gradient.
                sum.copy_from_slice(scratch);
                if mask.is_some() {
                    dh.fill(F::zero());
                }
            }
            if step > 0 {
                let dz = sequence.at(sums, step, wide);
                seen_h.pass_back(0..4, dz, transposed, kept, rows_mut(dh, units));
            }
        }
        let (dkernel, rest) = grads.split_at_mut(kernel.len());
        let (drecurrent, dbias) = rest.split_at_mut(units * wide);
        let (dz, kernel) = (rows(sums, wide), rows(kernel, wide));
        linalg::add_rows(dz, dbias);
        seen_x.add_kernel_gradient(0..4, rows(x, sequence.features), dz, rows_mut(dkernel, wide));
        seen_h.add_kernel_gradient(0..4, rows(before, units), dz, rows_mut(drecurrent, wide));
        if dx_needed {
            seen_x.pass_back(0..4, dz, kernel.t(), F::zero(), rows_mut(dx, sequence.features));
        }
    }

    fn carry(&self, Carry { cache, state, batch, plan }: Carry<'_, F>) {
        let Some(sequence) = self.planned(Some(plan)) else { return };
        let Blocks { dh: h, cells, .. } = self.blocks(&sequence, batch, cache);
        let half = state.len() / 2;
        let (kept, kept_cells) = state.split_at_mut(half);
        let samples = kept.chunks_exact_mut(self.units).zip(kept_cells.chunks_exact_mut(self.units));
        for (sample, (kept, kept_cell)) in samples.take(batch).enumerate() {
            kept.copy_from_slice(&h[sample * self.units..][..self.units]);
            kept_cell.copy_from_slice(&cells[sequence.range(sample, sequence.steps - 1, self.units)]);
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// One range of a block to be written to and another, apart from it, to be read.
fn pair<F>(
    block: &mut [F],
    write: std::ops::Range<usize>,
    read: Option<std::ops::Range<usize>>,
) -> (&mut [F], Option<&[F]>) {
    match read {
        None => (&mut block[write], None),
        Some(read) if read.start < write.start => {
            let (front, back) = block.split_at_mut(write.start);
            (&mut back[..write.len()], Some(&front[read]))
        }
        Some(read) => {
            let (front, back) = block.split_at_mut(read.start);
            (&mut front[write], Some(&back[..read.len()]))
        }
    }
}
