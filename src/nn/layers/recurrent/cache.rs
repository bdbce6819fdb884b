//! The cache of a recurrent layer: what the forward scan leaves to the backward scan, and scratch buffers.

use super::cell::{BackwardStep, ForwardStep, Recurrence, split_off_front};
use super::layout::ScanLayout;
use super::variational_dropout::VariationalDropout;
use crate::float::Float;
use crate::linalg::panels;
use crate::nn::layer::Mode;

/// The buffers of a scan over a batch, all in one cache.
#[derive(Debug)]
pub(super) struct ScanCache<'a, F> {
    pub(super) layout: ScanLayout,
    /// Dropout of the inputs.
    pub(super) inputs: VariationalDropout<'a, F>,
    /// Dropout of the states.
    pub(super) states: VariationalDropout<'a, F>,
    /// A step of the inputs, (batch, features), where no backward scan follows.
    pub(super) x_step: &'a mut [F],
    /// Pre-activations `a`, then their gradient `da`, (batch, steps, gates · units).
    pub(super) a: &'a mut [F],
    /// Activated gates, (batch, steps, gates · units).
    gates: &'a mut [F],
    /// The state before each step, (batch, steps, states · units).
    pub(super) previous: &'a mut [F],
    /// `u` or the reset state, (batch, steps, recurrent width); see [`Recurrence`].
    pub(super) recurrent: &'a mut [F],
    /// What forward steps save for backward steps, (batch, steps, saved width).
    saved: &'a mut [F],
    /// The current state of the forward scan, in the end the final one, (batch, states · units).
    pub(super) state: &'a mut [F],
    /// The gradient toward the current state of the backward scan, (batch, states · units).
    pub(super) dstate: &'a mut [F],
    /// The gradient toward the reset state of a step, (batch, units), for [`Recurrence::ResetState`].
    pub(super) dreset: &'a mut [F],
    /// Scratch space of a backward step, (gates · units) for each chunk of the batch.
    dgates: &'a mut [F],
    /// The transposed recurrent kernel, (gates · units, units).
    pub(super) recurrent_kernel_t: &'a mut [F],
    /// The recurrent kernel of the forward scan, or its transpose in the backward scan, in panels.
    pub(super) recurrent_panels: &'a mut [F],
    /// The kernel in panels, where no backward scan follows.
    pub(super) kernel_panels: &'a mut [F],
}

/// Most chunks of a batch that are scanned side by side.
pub(super) const MAX_CHUNKS: usize = 8;

impl ScanLayout {
    /// Length of the part of the cache that grows with the batch, for one sample.
    pub(super) fn cache_per_sample(&self) -> usize {
        let per_step =
            [self.gate_width, self.gate_width, self.state_width, self.recurrent_width, self.saved_width];
        let per_step = per_step.iter().fold(0_usize, |sum, &width| sum.saturating_add(width));
        let dropout = self.dropout_shapes().map(|dropout| dropout.cache_per_sample());
        let [inputs, states] = dropout;
        let others = [self.features, self.state_width, self.state_width, self.reset_width(), inputs, states];
        others.iter().fold(per_step.saturating_mul(self.steps), |sum, &len| sum.saturating_add(len))
    }

    /// Length of the part of the cache that does not depend on the batch.
    pub(super) fn cache_per_batch(&self) -> usize {
        self.gate_width
            .saturating_mul(self.units.saturating_add(MAX_CHUNKS))
            .saturating_add(self.panels_len())
            .saturating_add(panels::packed_len(self.features, self.gate_width))
    }

    /// Length of the panels of the recurrent kernel or of its transpose.
    fn panels_len(&self) -> usize {
        let Self { units, gate_width, .. } = *self;
        panels::packed_len(units, gate_width).max(panels::packed_len(gate_width, units))
    }

    fn reset_width(&self) -> usize {
        if self.recurrence == Recurrence::ResetState { self.units } else { 0 }
    }

    /// Splits a cache into its buffers.
    pub(super) fn split_cache<'a, F>(&self, batch: usize, mut cache: &'a mut [F]) -> ScanCache<'a, F> {
        let rows = batch * self.steps;
        let [inputs, states] = self.dropout_shapes().map(|dropout| dropout.split_off(batch, &mut cache));
        let mut take = |len: usize| split_off_front(&mut cache, len);
        ScanCache {
            layout: *self,
            inputs,
            states,
            x_step: take(batch * self.features),
            a: take(rows * self.gate_width),
            gates: take(rows * self.gate_width),
            previous: take(rows * self.state_width),
            recurrent: take(rows * self.recurrent_width),
            saved: take(rows * self.saved_width),
            state: take(batch * self.state_width),
            dstate: take(batch * self.state_width),
            dreset: take(batch * self.reset_width()),
            dgates: take(self.gate_width * MAX_CHUNKS),
            recurrent_kernel_t: take(self.gate_width * self.units),
            recurrent_panels: take(self.panels_len()),
            kernel_panels: take(panels::packed_len(self.features, self.gate_width)),
        }
    }
}

impl<'a, F: Float> ScanCache<'a, F> {
    /// Splits off the buffers of the first samples, without dropout and without the kernels.
    pub(super) fn split_off_samples(&mut self, samples: usize) -> Self {
        let ScanLayout { steps, features, gate_width, state_width, recurrent_width, saved_width, .. } =
            self.layout;
        let rows = samples * steps;
        let [inputs, states] = self.layout.dropout_shapes().map(|dropout| dropout.inactive(samples));
        Self {
            layout: self.layout,
            inputs,
            states,
            x_step: split_off_front(&mut self.x_step, samples * features),
            a: split_off_front(&mut self.a, rows * gate_width),
            gates: split_off_front(&mut self.gates, rows * gate_width),
            previous: split_off_front(&mut self.previous, rows * state_width),
            recurrent: split_off_front(&mut self.recurrent, rows * recurrent_width),
            saved: split_off_front(&mut self.saved, rows * saved_width),
            state: split_off_front(&mut self.state, samples * state_width),
            dstate: split_off_front(&mut self.dstate, samples * state_width),
            dreset: split_off_front(&mut self.dreset, samples * self.layout.reset_width()),
            dgates: split_off_front(&mut self.dgates, gate_width),
            recurrent_kernel_t: &mut [],
            recurrent_panels: &mut [],
            kernel_panels: &mut [],
        }
    }

    /// Borrows all buffers but those of the recurrent kernel.
    pub(super) fn reborrow(&mut self) -> ScanCache<'_, F> {
        let Self {
            layout, x_step, a, gates, previous, recurrent, saved, state, dstate, dreset, dgates, ..
        } = self;
        ScanCache {
            layout: *layout,
            inputs: self.inputs.reborrow(),
            states: self.states.reborrow(),
            x_step,
            a,
            gates,
            previous,
            recurrent,
            saved,
            state,
            dstate,
            dreset,
            dgates,
            recurrent_kernel_t: &mut [],
            recurrent_panels: &mut [],
            kernel_panels: &mut [],
        }
    }

    /// Draws the dropout masks of a training step. Inputs and states use separate random streams.
    pub(super) fn draw_dropout(&mut self, mode: &Mode<'_, F>) {
        let rng = match mode {
            Mode::Train { rng, .. } => Some(rng),
            Mode::Infer { .. } => None,
        };
        self.inputs.draw(rng.map(|rng| rng.child(0)));
        self.states.draw(rng.map(|rng| rng.child(1)));
    }

    /// Sets the initial state: the carried one of a stateful layer, (states, batch, units), otherwise zeros.
    pub(super) fn load_state(&mut self, carried: &[F]) {
        let ScanLayout { units, state_width, stateful, .. } = self.layout;
        self.state.fill(F::zero());
        let len = carried.len() / (state_width / units);
        if !stateful || len == 0 {
            return;
        }
        for (index, carried) in carried.chunks_exact(len).enumerate() {
            let samples = self.state.chunks_exact_mut(state_width).zip(carried.chunks_exact(units));
            samples.for_each(|(state, carried)| state[index * units..][..units].copy_from_slice(carried));
        }
    }

    /// Writes the final state of all samples to `carried`, (states, batch, units).
    pub(super) fn store_state(&self, carried: &mut [F]) {
        let ScanLayout { units, state_width, .. } = self.layout;
        let len = (carried.len() / (state_width / units)).max(1);
        for (index, carried) in carried.chunks_exact_mut(len).enumerate() {
            let samples = self.state.chunks_exact(state_width).zip(carried.chunks_exact_mut(units));
            samples.for_each(|(state, carried)| carried.copy_from_slice(&state[index * units..][..units]));
        }
    }

    /// Keeps the state before a step for the backward scan, if one follows.
    pub(super) fn keep_previous(&mut self, step: usize) {
        if self.layout.kept_steps < self.layout.steps {
            return;
        }
        let width = self.layout.state_width;
        for (sample, state) in self.state.chunks_exact(width).enumerate() {
            self.previous[self.layout.range(sample, step, width)].copy_from_slice(state);
        }
    }

    /// The output of a sample after the current step.
    pub(super) fn h(&self, sample: usize) -> &[F] {
        &self.state[sample * self.layout.state_width..][..self.layout.units]
    }

    /// The gradient toward the output of a sample after the current step.
    pub(super) fn dh_mut(&mut self, sample: usize) -> &mut [F] {
        &mut self.dstate[sample * self.layout.state_width..][..self.layout.units]
    }

    /// The slices of a forward step of one sample.
    pub(super) fn forward_slices(&mut self, sample: usize, step: usize) -> ForwardStep<'_, F> {
        let layout = self.layout;
        let range = |width| layout.range(sample, step, width);
        ForwardStep {
            a: &mut self.a[range(layout.gate_width)],
            recurrent: &mut self.recurrent[range(layout.recurrent_width)],
            gates: &mut self.gates[range(layout.gate_width)],
            saved: &mut self.saved[range(layout.saved_width)],
            state: &mut self.state[sample * layout.state_width..][..layout.state_width],
        }
    }

    /// The slices of a backward step of one sample, and the gradient toward its reset state.
    pub(super) fn backward_slices(&mut self, sample: usize, step: usize) -> (BackwardStep<'_, F>, &[F]) {
        let layout = self.layout;
        let range = |width| layout.range(sample, step, width);
        let width = layout.state_width;
        // The state after a step is the one before the next step.
        let state = if step + 1 < layout.steps {
            &self.previous[layout.range(sample, step + 1, width)]
        } else {
            &self.state[sample * width..][..width]
        };
        let slices = BackwardStep {
            a: &mut self.a[range(layout.gate_width)],
            recurrent: &mut self.recurrent[range(layout.recurrent_width)],
            gates: &self.gates[range(layout.gate_width)],
            saved: &self.saved[range(layout.saved_width)],
            previous: &self.previous[range(width)],
            state,
            dstate: &mut self.dstate[sample * width..][..width],
            dgates: &mut self.dgates[..layout.gate_width],
        };
        let reset = layout.reset_width();
        (slices, &self.dreset[sample * reset..][..reset])
    }
}
