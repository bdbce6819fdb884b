//! A batch of sequences and the products that are made for all their steps at once.

use super::super::{rows, rows_mut};
use super::recurrent_weights::RecurrentWeights;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Plan, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// Steps, features and units of a recurrent layer, and the order of its steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    pub(super) steps: usize,
    pub(super) features: usize,
    pub(super) units: usize,
    backwards: bool,
    all: bool,
}

impl Sequence {
    pub(super) fn new(owner: &str, units: usize, weights: &RecurrentWeights, input: &Shape) -> Result<Self> {
        if units == 0 {
            return Err(Error::invalid_parameter(owner, "units", 0, "at least 1"));
        }
        let &[steps, features] = input.dims() else {
            return Err(Error::shape(owner, "samples (steps, features)", input));
        };
        if steps == 0 || features == 0 {
            return Err(Error::shape(owner, "at least 1 step and 1 feature", input));
        }
        Ok(Self { steps, features, units, backwards: weights.go_backwards, all: weights.return_sequences })
    }

    /// The shape of what comes out.
    pub(super) fn output(&self) -> Plan {
        if self.all { Plan::output([self.steps, self.units]) } else { Plan::output(self.units) }
    }

    /// The place in the sequence of the `step`-th step that is made.
    pub(super) fn place(&self, step: usize) -> usize {
        if self.backwards { self.steps - 1 - step } else { step }
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

    /// Adds what all steps together give to the gradients of kernel and recurrent kernel, and makes the gradient
    /// toward the input. `dz` and `dr` are the gradients toward the products of the input and of the state before
    /// each step, (batch, steps, width).
    #[allow(clippy::too_many_arguments, reason = "the buffers of one pass, each borrowed apart")]
    pub(super) fn finish<F: Float>(
        &self,
        x: &[F],
        before: &[F],
        [dz, dr]: [&[F]; 2],
        kernel: &[F],
        dkernel: &mut [F],
        drecurrent: &mut [F],
        dx: Option<&mut [F]>,
    ) {
        let width = kernel.len() / self.features;
        let (x, before) = (rows(x, self.features), rows(before, self.units));
        let (dz, dr) = (rows(dz, width), rows(dr, width));
        linalg::gemm(F::one(), x.t(), dz, F::one(), rows_mut(dkernel, width));
        linalg::gemm(F::one(), before.t(), dr, F::one(), rows_mut(drecurrent, width));
        if let Some(dx) = dx {
            linalg::gemm(F::one(), dz, rows(kernel, width).t(), F::zero(), rows_mut(dx, self.features));
        }
    }
}

/// Cuts the front of a buffer off.
pub(super) fn take<'a, F>(buffer: &mut &'a mut [F], len: usize) -> &'a mut [F] {
    let (front, rest) = std::mem::take(buffer).split_at_mut(len);
    *buffer = rest;
    front
}
