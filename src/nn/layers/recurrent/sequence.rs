//! A batch of sequences: where the numbers of their steps lie.

use super::super::regularization::check_rate;
use super::super::{rows, rows_mut};
use super::recurrent_weights::RecurrentWeights;
use super::variational_dropout::{Operand, VariationalDropout};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Mask, Mode, Plan, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// Steps, features and units of a recurrent layer, and the order of its steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    pub(super) steps: usize,
    pub(super) features: usize,
    pub(super) units: usize,
    gates: usize,
    backwards: bool,
    all: bool,
    /// Whether zeros come out at padded steps.
    zeros: bool,
    /// Whether the first step begins with what the batch before left, not with 0.
    pub(super) carries: bool,
    /// The shares of the inputs and of the states that dropout hides.
    rates: [f64; 2],
}

impl Sequence {
    pub(super) fn new(
        owner: &str,
        [units, gates]: [usize; 2],
        weights: &RecurrentWeights,
        input: &Shape,
    ) -> Result<Self> {
        let rates = [weights.dropout, weights.recurrent_dropout];
        check_rate(owner, "dropout", rates[0])?;
        check_rate(owner, "recurrent_dropout", rates[1])?;
        if units == 0 {
            return Err(Error::invalid_parameter(owner, "units", 0, "at least 1"));
        }
        let &[steps, features] = input.dims() else {
            return Err(Error::shape(owner, "samples (steps, features)", input));
        };
        if steps == 0 || features == 0 {
            return Err(Error::shape(owner, "at least 1 step and 1 feature", input));
        }
        if weights.stateful == Some(0) {
            return Err(Error::invalid_parameter(owner, "stateful", 0, "a batch size of at least 1"));
        }
        let (backwards, all) = (weights.go_backwards, weights.return_sequences);
        let carries = weights.stateful.is_some();
        Ok(Self {
            steps,
            features,
            units,
            gates,
            backwards,
            all,
            zeros: weights.zero_output_for_mask,
            carries,
            rates,
        })
    }

    /// The dropout of the inputs and that of the states. As in Keras, the gates share what they see unless states
    /// are dropped.
    fn dropout(&self) -> [VariationalDropout; 2] {
        let vectors = if self.rates[1] > 0.0 { self.gates } else { 1 };
        [(self.rates[0], self.features), (self.rates[1], self.units)].map(|(rate, width)| {
            VariationalDropout { rate, width, units: self.units, vectors, steps: self.steps }
        })
    }

    /// How many numbers of a cache [`operands`](Self::operands) need for each sample.
    pub(super) fn operands_len(&self) -> usize {
        self.dropout().iter().fold(0, |len, dropout| len.saturating_add(dropout.cache_per_sample()))
    }

    /// What is multiplied with the kernel and with the recurrent kernel: the inputs, and the states. Their blocks
    /// are cut off the front of the cache.
    pub(super) fn operands<'a, F>(&self, batch: usize, cache: &mut &'a mut [F]) -> [Operand<'a, F>; 2] {
        self.dropout().map(|dropout| dropout.operand(batch, cache))
    }

    /// The shape of what comes out.
    pub(super) fn output(&self) -> Plan {
        if self.all { Plan::output([self.steps, self.units]) } else { Plan::output(self.units) }
    }

    /// The place in the sequence of the `step`-th step that is made.
    pub(super) fn place(&self, step: usize) -> usize {
        if self.backwards { self.steps - 1 - step } else { step }
    }

    /// The state with which a sample begins, if the batch before left one; `kept` are those of all samples.
    pub(super) fn beginning<'a, F>(&self, kept: &'a [F], sample: usize) -> Option<&'a [F]> {
        kept.get(sample * self.units..(sample + 1) * self.units).filter(|_| self.carries)
    }

    /// Whether a sample's step is padding, at which its state stays as it is.
    pub(super) fn passed_over(&self, mask: Option<Mask<'_>>, sample: usize, step: usize) -> bool {
        mask.is_some_and(|mask| !mask.is_real(sample, self.place(step)))
    }

    /// Writes what comes out of a sample's step, if anything does.
    pub(super) fn put_out<F: Float>(
        &self,
        y: &mut [F],
        state: &[F],
        mask: Option<Mask<'_>>,
        [sample, step]: [usize; 2],
    ) {
        let Some(range) = self.output_range(sample, step) else { return };
        if self.zeros && self.passed_over(mask, sample, step) {
            y[range].fill(F::zero());
        } else {
            y[range].copy_from_slice(state);
        }
    }

    /// Adds what flows back to a sample's state from what comes out of a step.
    pub(super) fn take_back<F: Float>(
        &self,
        dy: &[F],
        dh: &mut [F],
        mask: Option<Mask<'_>>,
        [sample, step]: [usize; 2],
    ) {
        let Some(range) = self.output_range(sample, step) else { return };
        if !(self.zeros && self.passed_over(mask, sample, step)) {
            dh.iter_mut().zip(&dy[range]).for_each(|(dh, &dy)| *dh += dy);
        }
    }

    /// Where a sample's state after a step stands in the output, if it comes out.
    pub(super) fn output_range(&self, sample: usize, step: usize) -> Option<Range<usize>> {
        let row = if self.all {
            Some(sample * self.steps + step)
        } else {
            (step + 1 == self.steps).then_some(sample)
        };
        row.map(|row| row * self.units..(row + 1) * self.units)
    }

    /// Where a sample's numbers of a step stand in a block of (batch, steps, width).
    pub(super) fn range(&self, sample: usize, step: usize, width: usize) -> Range<usize> {
        let row = sample * self.steps + self.place(step);
        row * width..(row + 1) * width
    }

    /// The numbers of a step of all samples in a block of (batch, steps, width), as a matrix (batch, width).
    pub(super) fn at<'a, F>(&self, block: &'a [F], step: usize, width: usize) -> ArrayView2<'a, F> {
        let first = self.place(step) * width;
        rows(block, self.steps * width).slice_move(s![.., first..first + width])
    }

    /// As [`at`](Self::at), to be written to.
    pub(super) fn at_mut<'a, F>(
        &self,
        block: &'a mut [F],
        step: usize,
        width: usize,
    ) -> ArrayViewMut2<'a, F> {
        let first = self.place(step) * width;
        rows_mut(block, self.steps * width).slice_move(s![.., first..first + width])
    }
}

/// Puts the states with which all samples begin before the first step.
pub(super) fn begin<F: Float>(sequence: &Sequence, kept: &[F], batch: usize, before: &mut [F]) {
    for sample in 0..batch {
        let first = &mut before[sequence.range(sample, 0, sequence.units)];
        match sequence.beginning(kept, sample) {
            Some(state) => first.copy_from_slice(state),
            None => first.fill(F::zero()),
        }
    }
}

/// Draws what dropout hides, each for itself.
pub(super) fn draw<F: Float>([inputs, states]: [&mut Operand<'_, F>; 2], mode: &Mode<'_, F>) {
    let rng = match mode {
        Mode::Train { rng, .. } => Some(rng),
        Mode::Infer { .. } => None,
    };
    inputs.draw(rng.map(|rng| rng.child(0)));
    states.draw(rng.map(|rng| rng.child(1)));
}

/// Cuts the front of a buffer off.
pub(super) fn take<'a, F>(buffer: &mut &'a mut [F], len: usize) -> &'a mut [F] {
    let (front, rest) = std::mem::take(buffer).split_at_mut(len);
    *buffer = rest;
    front
}
