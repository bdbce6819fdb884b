//! The scan of a recurrent cell over the time steps of a batch, forward and backward.
//!
//! With `W` the kernel, `R` the recurrent kernel and `b` the bias, the forward scan computes
//!
//! ```text
//! a = x · W + b                          all steps together: (batch · steps, features) · (features, gates · units)
//! for each step:
//!     a[step] += h₋₁ · R                 (batch, units) · (units, gates · units)
//!     state = cell.forward_step(a[step], state)    for each sample; padding keeps its state
//! ```
//!
//! and the backward scan, with `dstate` the gradient toward the state after a step,
//!
//! ```text
//! for each step, from the last:
//!     dh += dy[step]
//!     da[step], dstate = cell.backward_step(dstate)    for each sample; da is 0 at padding
//!     dh += da[step] · Rᵀ
//! dW += xᵀ · da,  dR += h₋₁ᵀ · da,  db += Σ da,  dx = da · Wᵀ     all steps together
//! ```
//!
//! [`Recurrence`] has the two variations of the product with `R`.
//!
//! Where no backward scan follows, the forward scan computes `x[step] · W + b` step by step, and all steps share one place in
//! the cache: the pre-activations of one step stay in the second-level cache, where those of a hundred steps would go through
//! memory. Both kernels are packed once for all steps, `R` in training as well. The bits are the same.

use super::super::{rows, rows_mut};
use super::cache::{MAX_CHUNKS, ScanCache};
use super::cell::{Cell, Recurrence, split_off_front};
use super::layout::ScanLayout;
use super::parameters::Weights;
use crate::float::Float;
use crate::linalg::{
    self,
    panels::{self, Columns},
};
use crate::nn::layer::{Backward, Carry, Forward, Mask};
use crate::parallel::{self, thresholds::MIN_SCAN_ROWS};
use ndarray::{ArrayView2, s};

/// Samples from which the recurrent kernel is packed: fewer read it about as fast from where it lies.
const MIN_ROWS_FOR_PANELS: usize = 4;

/// Computes the output `y` from the input `x`.
pub(super) fn forward<F: Float>(cell: &impl Cell, pass: Forward<'_, F>) {
    let Forward { x, mut y, params, cache, mode, mask, plan, backward_follows, .. } = pass;
    let Some(layout) = ScanLayout::of_pass(cell, plan) else { return y.fill(F::nan()) };
    let batch = x.nrows();
    let by_steps = !backward_follows && batch >= MIN_ROWS_FOR_PANELS;
    let layout = if by_steps { layout.keeping_one_step() } else { layout };
    let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
    let weights = layout.split_params(params);
    let mut cache = layout.split_cache(batch, cache);
    cache.draw_dropout(&mode);
    cache.load_state(mode.state());
    let width = layout.gate_width;
    let kernel_panels = std::mem::take(&mut cache.kernel_panels);
    if by_steps {
        pack(weights.kernel, width, kernel_panels);
    } else {
        // a = x · W + b
        let (kernel, bias) = (rows(weights.kernel, width), weights.bias());
        cache.inputs.affine(rows(x, layout.features), kernel, bias, rows_mut(cache.a, width));
    }
    let panels = pack_recurrent(&mut cache, weights.recurrent_kernel, width, batch);
    let cache = cache.reborrow();
    let scan = Scan { cell, layout, batch, weights, cache, mask, first: 0, kernel_t: &[], panels };
    scan.in_chunks(y, layout.output_len(), &|scan, y| {
        for step in 0..layout.steps {
            if by_steps {
                scan.input_step(x, kernel_panels, step);
            }
            scan.forward_step(y, step);
        }
    });
}

/// Computes the gradient toward the input and the parameters from `dy`.
pub(super) fn backward<F: Float>(cell: &impl Cell, pass: Backward<'_, F>) {
    let Backward { x, mut dy, mut dx, dx_needed, params, grads, cache, mask, plan, .. } = pass;
    let Some(layout) = ScanLayout::of_pass(cell, plan) else { return dx.fill(F::nan()) };
    let batch = x.nrows();
    let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice_mut(), dx.as_slice_mut()) else { return };
    let weights = layout.split_params(params);
    let mut cache = layout.split_cache(batch, cache);
    let kernel_t = std::mem::take(&mut cache.recurrent_kernel_t);
    rows_mut(kernel_t, layout.units).assign(&rows(weights.recurrent_kernel, layout.gate_width).t());
    cache.dstate.fill(F::zero());
    let panels = pack_recurrent(&mut cache, kernel_t, layout.units, batch);
    let kernel_t = &*kernel_t;
    let scan =
        Scan { cell, layout, batch, weights, cache: cache.reborrow(), mask, first: 0, kernel_t, panels };
    scan.in_chunks(dy, layout.output_len(), &|scan, dy| {
        for step in (0..layout.steps).rev() {
            scan.backward_step(dy, step);
        }
    });
    let mut scan = Scan { cell, layout, batch, weights, cache, mask, first: 0, kernel_t, panels };
    scan.add_weight_gradients(rows(x, layout.features), layout.split_grads(grads));
    if dx_needed {
        // a = x · W + b  =>  dx = da · Wᵀ
        let kernel = rows(weights.kernel, layout.gate_width);
        let (da, dx) = (rows(scan.cache.a, layout.gate_width), rows_mut(dx, layout.features));
        scan.cache.inputs.operand_gradient(0..layout.gates, da, kernel.t(), F::zero(), dx);
    }
}

/// Writes the final states of a batch to the state that a stateful layer carries.
pub(super) fn carry<F: Float>(cell: &impl Cell, Carry { cache, state, batch, plan }: Carry<'_, F>) {
    if let Some(layout) = ScanLayout::of_pass(cell, Some(plan)) {
        layout.split_cache(batch, cache).store_state(state);
    }
}

/// Packs a kernel with rows of `width`.
fn pack<F: Float>(kernel: &[F], width: usize, panels: &mut [F]) {
    panels::pack(kernel, width, Columns { first: 0, len: width }, panels);
}

/// Packs the recurrent kernel or its transpose if every step multiplies it as a whole by enough samples.
fn pack_recurrent<'a, F: Float>(
    cache: &mut ScanCache<'a, F>,
    kernel: &[F],
    width: usize,
    batch: usize,
) -> &'a [F] {
    let is_whole = !cache.states.is_active() && cache.layout.recurrence != Recurrence::ResetState;
    if batch < MIN_ROWS_FOR_PANELS || !is_whole {
        return &[];
    }
    let panels = std::mem::take(&mut cache.recurrent_panels);
    pack(kernel, width, panels);
    panels
}

/// A scan in progress, over a batch or a chunk of it.
struct Scan<'a, C, F> {
    cell: &'a C,
    layout: ScanLayout,
    /// Number of samples.
    batch: usize,
    weights: Weights<&'a [F]>,
    cache: ScanCache<'a, F>,
    mask: Option<Mask<'a>>,
    /// The place of the first sample in the batch.
    first: usize,
    /// The transposed recurrent kernel, in the backward scan.
    kernel_t: &'a [F],
    /// The recurrent kernel in panels, in the backward scan its transpose; empty for few samples.
    panels: &'a [F],
}

impl<'a, C: Cell, F: Float> Scan<'a, C, F> {
    /// Runs `work` on chunks of the samples, each with its part of `values`, `len` a sample. The scans of samples do not
    /// depend on one another, so the chunks change no bit; their number is that of the threads. A chunk scans all steps,
    /// because a fork of each step costs more than it saves.
    fn in_chunks(mut self, mut values: &mut [F], len: usize, work: &(impl Fn(&mut Self, &mut [F]) + Sync)) {
        let ops =
            self.batch.saturating_mul(self.layout.steps).saturating_mul(self.weights.recurrent_kernel.len());
        let n = parallel::threads().min(self.batch / MIN_SCAN_ROWS).min(MAX_CHUNKS);
        if n < 2 || !parallel::should_fork(ops) || self.cache.states.is_active() {
            return work(&mut self, values);
        }
        let samples = self.batch.div_ceil(n);
        let mut chunks: [_; MAX_CHUNKS] = std::array::from_fn(|_| {
            let samples = samples.min(self.batch);
            let cache = self.cache.split_off_samples(samples);
            let values = split_off_front(&mut values, samples * len);
            let Self { cell, layout, weights, mask, first, kernel_t, panels, .. } = self;
            let chunk = Self { cell, layout, batch: samples, weights, cache, mask, first, kernel_t, panels };
            self.batch -= samples;
            self.first += samples;
            (samples > 0).then_some((chunk, values))
        });
        parallel::for_each_split(ops, &mut chunks[..n], &|chunk| {
            if let Some((scan, values)) = chunk {
                work(scan, values);
            }
        });
    }

    /// Whether a sample's step is padding, which keeps the state.
    fn is_padded(&self, sample: usize, step: usize) -> bool {
        self.mask.is_some_and(|mask| !mask.is_valid(self.first + sample, self.layout.position(step)))
    }

    /// Computes the product of a step of the inputs, `a[step] = x[step] · W + b`.
    fn input_step(&mut self, x: &[F], kernel_panels: &[F], step: usize) {
        let ScanLayout { steps, features, gate_width, .. } = self.layout;
        let position = self.layout.position(step);
        let samples = x[self.first * steps * features..].chunks_exact(steps * features);
        for (x_step, x) in self.cache.x_step.chunks_exact_mut(features).zip(samples) {
            x_step.copy_from_slice(&x[position * features..][..features]);
        }
        let a = self.layout.step_rows_mut(self.cache.a, step, gate_width);
        let kernel = (rows(self.weights.kernel, gate_width), kernel_panels);
        linalg::affine_with_panels(rows(self.cache.x_step, features), kernel, self.weights.bias(), a);
    }

    /// Computes a step of all samples, and its outputs.
    fn forward_step(&mut self, y: &mut [F], step: usize) {
        self.cache.keep_previous(step);
        self.add_recurrent_product(step);
        for sample in 0..self.batch {
            let padded = self.is_padded(sample, step);
            if !padded {
                self.cell.forward_step(self.cache.forward_slices(sample, step));
            }
            match self.layout.output_range(sample, step) {
                Some(range) if padded && self.layout.zero_output_for_mask => y[range].fill(F::zero()),
                Some(range) => y[range].copy_from_slice(self.cache.h(sample)),
                None => {}
            }
        }
    }

    /// Differentiates a step of all samples.
    fn backward_step(&mut self, dy: &[F], step: usize) {
        for sample in 0..self.batch {
            self.add_output_gradient(dy, sample, step);
            self.cell_backward(sample, step);
        }
        if self.layout.recurrence == Recurrence::ResetState {
            self.reset_states_backward(step);
        }
        if step > 0 {
            self.add_previous_output_gradient(step);
        }
    }

    /// Adds the product of the previous output with the recurrent kernel to the pre-activations of a step.
    fn add_recurrent_product(&mut self, step: usize) {
        let layout = self.layout;
        let ScanLayout { units, gate_width, .. } = layout;
        let direct = layout.recurrence.direct_gates(layout.gates);
        let recurrent_kernel = rows(self.weights.recurrent_kernel, gate_width);
        let cache = &mut self.cache;
        let h = rows(cache.state, layout.state_width).slice_move(s![.., ..units]);
        if layout.recurrence == Recurrence::Separate {
            // u = h₋₁ · R + b₁
            let mut u = layout.step_rows_mut(cache.recurrent, step, gate_width);
            match self.weights.recurrent_bias {
                [] => u.fill(F::zero()),
                bias => u.assign(&ndarray::aview1(bias)),
            }
            if layout.has_previous(step) {
                cache.states.add_product(direct, h, (recurrent_kernel, self.panels), u);
            }
            return;
        }
        if layout.has_previous(step) {
            // a += h₋₁ · R
            let a = layout.step_rows_mut(cache.a, step, gate_width);
            cache.states.add_product(direct.clone(), h, (recurrent_kernel, self.panels), a);
        }
        if layout.recurrence == Recurrence::ResetState {
            self.reset_states(step);
            if layout.has_previous(step) {
                // a += (r ∘ h₋₁) · R, in the columns of the last gate
                let reset = layout.step_rows(self.cache.recurrent, step, units);
                let a = layout.step_rows_mut(self.cache.a, step, gate_width);
                self.cache.states.add_product(direct.end..layout.gates, reset, (recurrent_kernel, &[]), a);
            }
        }
    }

    /// Computes the reset state of all samples, zero at padding.
    fn reset_states(&mut self, step: usize) {
        for sample in 0..self.batch {
            let padded = self.is_padded(sample, step);
            let slices = self.cache.forward_slices(sample, step);
            if padded {
                slices.recurrent.fill(F::zero());
            } else {
                self.cell.reset_state(slices);
            }
        }
    }

    /// Adds the gradient toward the output of a step to that toward the state after it.
    fn add_output_gradient(&mut self, dy: &[F], sample: usize, step: usize) {
        let Some(range) = self.layout.output_range(sample, step) else { return };
        if self.layout.zero_output_for_mask && self.is_padded(sample, step) {
            return;
        }
        // y = h  =>  dh += dy
        let dh = self.cache.dh_mut(sample);
        dh.iter_mut().zip(&dy[range]).for_each(|(dh, &dy)| *dh += dy);
    }

    /// Differentiates a step of one sample: `dstate` becomes the gradient toward the state before the step, without the
    /// part through `R`.
    fn cell_backward(&mut self, sample: usize, step: usize) {
        let padded = self.is_padded(sample, step);
        let (slices, _) = self.cache.backward_slices(sample, step);
        if !padded {
            return self.cell.backward_step(slices);
        }
        // state = state₋₁  =>  dstate₋₁ = dstate, da = 0
        slices.a.fill(F::zero());
        if self.layout.recurrence == Recurrence::Separate {
            slices.recurrent.fill(F::zero());
        }
    }

    /// Differentiates the reset state of all samples.
    fn reset_states_backward(&mut self, step: usize) {
        let layout = self.layout;
        let cache = &mut self.cache;
        if layout.has_previous(step) {
            // a += (r ∘ h₋₁) · R  =>  d(r ∘ h₋₁) = da · Rᵀ, from the last gate
            let (last, da) =
                (layout.gates - 1..layout.gates, layout.step_rows(cache.a, step, layout.gate_width));
            let (kernel_t, dreset) =
                (rows(self.kernel_t, layout.units), rows_mut(cache.dreset, layout.units));
            cache.states.operand_gradient(last, da, kernel_t, F::zero(), dreset);
        } else {
            cache.dreset.fill(F::zero());
        }
        for sample in 0..self.batch {
            if !self.is_padded(sample, step) {
                let (slices, dreset) = self.cache.backward_slices(sample, step);
                self.cell.reset_state_backward(slices, dreset);
            }
        }
    }

    /// Adds the part of the gradient toward the previous output that flows through `R`.
    fn add_previous_output_gradient(&mut self, step: usize) {
        let layout = self.layout;
        let cache = &mut self.cache;
        // a = … + h₋₁ · R  =>  dh₋₁ += da · Rᵀ;  u = h₋₁ · R + b₁  =>  dh₋₁ += du · Rᵀ
        let sums = if layout.recurrence == Recurrence::Separate { &*cache.recurrent } else { &*cache.a };
        let dsums = layout.step_rows(sums, step, layout.gate_width);
        let kernel_t = rows(self.kernel_t, layout.units);
        let dh = rows_mut(cache.dstate, layout.state_width).slice_move(s![.., ..layout.units]);
        let direct = layout.recurrence.direct_gates(layout.gates);
        cache.states.add_operand_gradient(direct, dsums, (kernel_t, self.panels), dh);
    }

    /// Adds the gradients toward the parameters, summed over all samples and steps.
    fn add_weight_gradients(&mut self, x: ArrayView2<'_, F>, grads: Weights<&mut [F]>) {
        let ScanLayout { units, gates, gate_width, state_width, recurrence, .. } = self.layout;
        let cache = &mut self.cache;
        let da = rows(cache.a, gate_width);
        let h = rows(cache.previous, state_width).slice_move(s![.., ..units]);
        let mut drecurrent_kernel = rows_mut(grads.recurrent_kernel, gate_width);
        // a = x · W + b  =>  dW += xᵀ · da, db += Σ da
        cache.inputs.add_kernel_gradient(0..gates, x, da, rows_mut(grads.kernel, gate_width));
        linalg::add_rows(da, grads.bias);
        let direct = recurrence.direct_gates(gates);
        match recurrence {
            // a = … + h₋₁ · R  =>  dR += h₋₁ᵀ · da
            Recurrence::Joint => cache.states.add_kernel_gradient(direct, h, da, drecurrent_kernel),
            // u = h₋₁ · R + b₁  =>  dR += h₋₁ᵀ · du, db₁ += Σ du
            Recurrence::Separate => {
                let du = rows(cache.recurrent, gate_width);
                cache.states.add_kernel_gradient(direct, h, du, drecurrent_kernel);
                linalg::add_rows(du, grads.recurrent_bias);
            }
            // a = … + (r ∘ h₋₁) · R  =>  dR += (r ∘ h₋₁)ᵀ · da, in the columns of the last gate
            Recurrence::ResetState => {
                let (last, reset) = (direct.end..gates, rows(cache.recurrent, units));
                cache.states.add_kernel_gradient(direct, h, da, drecurrent_kernel.view_mut());
                cache.states.add_kernel_gradient(last, reset, da, drecurrent_kernel);
            }
        }
    }
}

/// Implements `Layer` for a [`Cell`] by a scan over the time steps.
macro_rules! layer_by_scan {
    ($cell:ty) => {
        impl<F: crate::float::Float> crate::nn::layer::Layer<F> for $cell {
            $crate::float::precompiled::into_arc!($cell: $crate::nn::layer::Layer<F>);

            fn kind(&self) -> &'static str {
                <Self as super::cell::Cell>::KIND
            }

            fn plan(&self, input: &crate::nn::layer::Shape) -> crate::error::Result<crate::nn::layer::Plan> {
                super::parameters::plan(self, input)
            }

            fn forward(&self, pass: crate::nn::layer::Forward<'_, F>) {
                super::scan::forward(self, pass);
            }

            fn backward(&self, pass: crate::nn::layer::Backward<'_, F>) {
                super::scan::backward(self, pass);
            }

            fn carry(&self, pass: crate::nn::layer::Carry<'_, F>) {
                super::scan::carry(self, pass);
            }

            fn config(&self) -> Option<crate::nn::layer::Config> {
                crate::nn::layer::Config::of(self)
            }
        }
    };
}
pub(super) use layer_by_scan;
