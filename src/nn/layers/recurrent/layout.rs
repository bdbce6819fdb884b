//! Sizes of a recurrent layer, and the positions of steps and samples in its buffers.

use super::super::regularization::check_rate;
use super::super::{rows, rows_mut};
use super::cell::{Cell, Recurrence};
use super::variational_dropout::DropoutShape;
use crate::error::{Error, Result};
use crate::nn::layer::{Plan, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::ops::Range;

/// Sizes of a cell's values for samples of one shape, and the options that concern time.
///
/// Buffers of shape (batch, steps, width) have their rows in the order of the sequence. A scan counts steps in the order
/// of computation, which is the reverse with `go_backwards`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanLayout {
    pub(super) steps: usize,
    /// Steps whose values the cache keeps: all of them, or 1 where no backward scan follows.
    pub(super) kept_steps: usize,
    pub(super) features: usize,
    pub(super) units: usize,
    pub(super) gates: usize,
    /// Columns of both kernels, gates · units.
    pub(super) gate_width: usize,
    /// Values of a sample's state, states · units.
    pub(super) state_width: usize,
    /// Values that a step of one sample keeps for the recurrence; see [`Recurrence::vectors`].
    pub(super) recurrent_width: usize,
    /// Values that a forward step saves for the backward step.
    pub(super) saved_width: usize,
    pub(super) recurrence: Recurrence,
    go_backwards: bool,
    return_sequences: bool,
    pub(super) zero_output_for_mask: bool,
    /// Whether the first step starts with the state that the previous batch left.
    pub(super) stateful: bool,
    dropout: f64,
    recurrent_dropout: f64,
}

impl ScanLayout {
    /// Checks the options of a cell and the sample shape.
    pub(super) fn new<C: Cell>(cell: &C, input: &Shape) -> Result<Self> {
        cell.validate()?;
        let (options, units) = (cell.options(), cell.units());
        check_rate(C::KIND, "dropout", options.dropout)?;
        check_rate(C::KIND, "recurrent_dropout", options.recurrent_dropout)?;
        if units == 0 {
            return Err(Error::invalid_parameter(C::KIND, "units", 0, "at least 1"));
        }
        let &[steps, features] = input.dims() else {
            return Err(Error::shape(C::KIND, "samples (steps, features)", input));
        };
        if steps == 0 || features == 0 {
            return Err(Error::shape(C::KIND, "at least 1 step and 1 feature", input));
        }
        if options.stateful == Some(0) {
            return Err(Error::invalid_parameter(C::KIND, "stateful", 0, "a batch size of at least 1"));
        }
        let recurrence = cell.recurrence();
        Ok(Self {
            steps,
            kept_steps: steps,
            features,
            units,
            gates: C::GATES,
            gate_width: units.saturating_mul(C::GATES),
            state_width: units.saturating_mul(C::STATES.len()),
            recurrent_width: units.saturating_mul(recurrence.vectors(C::GATES)),
            saved_width: units.saturating_mul(cell.saved_vectors()),
            recurrence,
            go_backwards: options.go_backwards,
            return_sequences: options.return_sequences,
            zero_output_for_mask: options.zero_output_for_mask,
            stateful: options.stateful.is_some(),
            dropout: options.dropout,
            recurrent_dropout: options.recurrent_dropout,
        })
    }

    /// The layout of a pass; `None` where the caller gives no plan.
    pub(super) fn of_pass<C: Cell>(cell: &C, plan: Option<&Plan>) -> Option<Self> {
        plan.and_then(|plan| Self::new(cell, plan.input_shape()).ok())
    }

    /// The layout of a scan whose steps share one place in the cache.
    pub(super) fn keeping_one_step(self) -> Self {
        Self { kept_steps: 1, ..self }
    }

    /// A plan with the shape of the output: (steps, units), or (units).
    pub(super) fn output(&self) -> Plan {
        if self.return_sequences { Plan::output([self.steps, self.units]) } else { Plan::output(self.units) }
    }

    /// Values of the output for each sample.
    pub(super) fn output_len(&self) -> usize {
        self.units * if self.return_sequences { self.steps } else { 1 }
    }

    /// The dropout of the inputs and that of the states. As in Keras, all gates share a mask unless states are dropped.
    pub(super) fn dropout_shapes(&self) -> [DropoutShape; 2] {
        let masks = if self.recurrent_dropout > 0.0 { self.gates } else { 1 };
        let shape = |rate, width| DropoutShape { rate, width, units: self.units, masks, steps: self.steps };
        [shape(self.dropout, self.features), shape(self.recurrent_dropout, self.units)]
    }

    /// Whether `h₋₁` can be other than zero at a step.
    pub(super) fn has_previous(&self, step: usize) -> bool {
        step > 0 || self.stateful
    }

    /// The position in the sequence of the `step`-th step of the scan.
    pub(super) fn position(&self, step: usize) -> usize {
        if self.go_backwards { self.steps - 1 - step } else { step }
    }

    /// The place of the `step`-th step of the scan in the cache.
    fn place(&self, step: usize) -> usize {
        if self.kept_steps == self.steps { self.position(step) } else { 0 }
    }

    /// The range of a sample's step in a buffer of shape (batch, kept steps, width).
    pub(super) fn range(&self, sample: usize, step: usize, width: usize) -> Range<usize> {
        let row = sample * self.kept_steps + self.place(step);
        row * width..(row + 1) * width
    }

    /// The range in the output of the `step`-th step of the scan; `None` if it is not returned. Outputs are in the order
    /// of computation.
    pub(super) fn output_range(&self, sample: usize, step: usize) -> Option<Range<usize>> {
        let row = if self.return_sequences {
            Some(sample * self.steps + step)
        } else {
            (step + 1 == self.steps).then_some(sample)
        };
        row.map(|row| row * self.units..(row + 1) * self.units)
    }

    /// One step of all samples, (batch, width), in a buffer of shape (batch, kept steps, width), which has memory for all steps.
    pub(super) fn step_rows<'a, F>(&self, buffer: &'a [F], step: usize, width: usize) -> ArrayView2<'a, F> {
        let first = self.place(step) * width;
        let kept = &buffer[..buffer.len() / self.steps * self.kept_steps];
        rows(kept, self.kept_steps * width).slice_move(s![.., first..first + width])
    }

    /// [`step_rows`](Self::step_rows), mutable.
    pub(super) fn step_rows_mut<'a, F>(
        &self,
        buffer: &'a mut [F],
        step: usize,
        width: usize,
    ) -> ArrayViewMut2<'a, F> {
        let first = self.place(step) * width;
        let kept = buffer.len() / self.steps * self.kept_steps;
        rows_mut(&mut buffer[..kept], self.kept_steps * width).slice_move(s![.., first..first + width])
    }
}
