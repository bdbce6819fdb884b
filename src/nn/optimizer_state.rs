//! The state of a compiled optimizer, and the update of all parameters: clipping, decay, rule, averages, constraints.
//!
//! # Two ways to update
//! [`OptimizerState::step`] updates from gradients that the backward pass has written for the whole network. The
//! gradients are then cleared, written and read again in each step, and the parameters and moments of a large layer
//! have left the cache since the backward pass.
//!
//! [`OptimizerState::fused_update`] updates a layer within its backward pass, some rows of the kernel at a time:
//!
//! ```text
//! for each group of up to 8 chunks of about 4096 parameters
//!   scratch = gradient of these rows          one product, x'dy
//!   for each chunk
//!     clip, decay, update rule                scratch, parameters and moments are in the first- or second-level cache
//! ```
//!
//! It applies where the layer computes gradients by rows, the rule is elementwise, and nothing needs all gradients
//! together: no clipping by norm, no accumulation, no penalty. The parameters are those of `step`, to the bit,
//! because the rule treats each parameter alone and a product each element.
//!
//! Plain gradient descent goes further: its update is `w += c·g`, so the layer adds the scaled gradient to the
//! parameters ([`GradTarget::Params`]), and no gradient is written at all; the parameters differ by rounding. On one
//! core a step of 784-128-10 with a batch of one took 16.5 µs before and takes 5.8 µs
//! (`cargo bench --bench training`, B4).

mod fused_update;
mod segment;

pub(crate) use fused_update::GradTarget;

use crate::buffer::Buffer;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layout::Layout;
use crate::nn::optimizer::{LearningRate, Modifiers, RuleOptimizer, UpdateRule};
use crate::simd::vectorize;
use fused_update::{CHUNKS_PER_GROUP, FusedUpdate};
use segment::{Segment, UpdateArgs, segments_of};
use std::ops::Range;
use std::sync::Arc;

/// The optimizer of a compiled model: rule, learning rate, modifiers, moments and counters.
#[derive(Debug, Clone)]
pub(crate) struct OptimizerState<F> {
    pub(crate) rule: Arc<dyn UpdateRule<F>>,
    pub(crate) learning_rate: LearningRate,
    /// The learning rate as compiled, which callbacks may have replaced.
    pub(crate) compiled_rate: LearningRate,
    pub(crate) modifiers: Modifiers,
    segments: Arc<[Segment]>,
    /// For each layer, the segments that are updated within its backward pass.
    fused: Arc<[Range<usize>]>,
    /// The rule's moments, segment by segment; then the moving averages and the accumulated gradients of all
    /// segments, if the modifiers need them.
    moments: Buffer<F>,
    moments_per_param: usize,
    trainable_len: usize,
    /// Number of training steps so far.
    pub(crate) iterations: u64,
}

impl<F: Float> OptimizerState<F> {
    /// Validates an optimizer and allocates its moments for the parameters of `layout`.
    pub(crate) fn new(optimizer: RuleOptimizer<Arc<dyn UpdateRule<F>>>, layout: &Layout<F>) -> Result<Self> {
        optimizer.validate()?;
        let (rule, learning_rate, modifiers) = optimizer.into_parts();
        Self::from_parts(rule, learning_rate, modifiers, layout)
    }

    /// Allocates the state of an optimizer that has been validated.
    pub(crate) fn from_parts(
        rule: Arc<dyn UpdateRule<F>>,
        learning_rate: LearningRate,
        modifiers: Modifiers,
        layout: &Layout<F>,
    ) -> Result<Self> {
        let needs_all_grads = modifiers.clipnorm.is_some()
            || modifiers.global_clipnorm.is_some()
            || modifiers.accumulate.is_some();
        let (segments, fused) = segments_of(layout, &modifiers, rule.elementwise() && !needs_all_grads);
        let trainable_len: usize = segments.iter().map(|segment| segment.params.len()).sum();
        let moments_per_param = rule.moments().len();
        let values_per_param = Self::values_per_param(&*rule, &modifiers);
        let mut state = Self {
            rule,
            compiled_rate: learning_rate.clone(),
            learning_rate,
            modifiers,
            segments: segments.into(),
            fused: fused.into(),
            moments: Buffer::zeros(
                "the optimizer's moments",
                trainable_len.saturating_mul(values_per_param),
            )?,
            moments_per_param,
            trainable_len,
            iterations: 0,
        };
        state.reset();
        Ok(state)
    }

    /// Number of values that are kept for each trainable parameter: moments, moving average, accumulated gradient.
    pub(crate) fn values_per_param(rule: &dyn UpdateRule<F>, modifiers: &Modifiers) -> usize {
        rule.moments().len()
            + usize::from(modifiers.ema.is_some())
            + usize::from(modifiers.accumulate.is_some())
    }

    /// Restores the state before the first step.
    pub(crate) fn reset(&mut self) {
        let initial = self.rule.moments();
        let mut rest = &mut *self.moments;
        for segment in &*self.segments {
            for &value in &initial {
                let (moment, tail) = rest.split_at_mut(segment.params.len());
                moment.fill(F::of(value));
                rest = tail;
            }
        }
        rest.fill(F::zero());
        self.iterations = 0;
        self.learning_rate = self.compiled_rate.clone();
    }

    /// The learning rate of the next step.
    pub(crate) fn current_rate(&self) -> f64 {
        self.learning_rate.at(self.iterations)
    }

    /// Number of updates so far: one in several steps if gradients are accumulated.
    fn updates(&self) -> u64 {
        self.iterations / self.modifiers.accumulate.unwrap_or(1)
    }

    fn update_args(&self) -> UpdateArgs {
        UpdateArgs {
            learning_rate: self.current_rate(),
            update: self.updates() + 1,
            clipvalue: self.modifiers.clipvalue,
            weight_decay: self.modifiers.weight_decay,
            moments_per_param: self.moments_per_param,
        }
    }

    /// Whether the parameters of a layer are updated by [`fused_update`](Self::fused_update).
    pub(crate) fn fuses_update(&self, node: usize) -> bool {
        self.fused.get(node).is_some_and(|segments| !segments.is_empty())
    }

    /// Elements of the scratch buffer that [`fused_update`](Self::fused_update) needs for each thread.
    pub(crate) fn fused_scratch_len(&self) -> usize {
        let fused = self.segments.iter().filter(|segment| segment.is_fused);
        fused.map(|segment| segment.params.len()).max().unwrap_or_default() * CHUNKS_PER_GROUP
    }

    /// The factor `c` if an update is `w += c·g` and nothing else.
    pub(crate) fn linear_factor(&self) -> Option<F> {
        let unmodified = self.modifiers.clipvalue.is_none() && self.modifiers.weight_decay.is_none();
        self.rule.linear(self.current_rate()).filter(|_| unmodified).map(F::of)
    }

    /// Updates the parameters of a layer within its backward pass. `gradient` computes the gradient of a range of the
    /// layer's parameters into a slice.
    pub(crate) fn fused_update(
        &mut self,
        node: usize,
        batch: usize,
        params: &mut [F],
        target: GradTarget<'_, F>,
        gradient: &(dyn Fn(Range<usize>, &mut [F]) + Sync),
    ) {
        let args = self.update_args();
        let segments = &self.segments[self.fused[node].clone()];
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return };
        let moments = first.offset * self.moments_per_param;
        let len = last.params.end - first.params.start;
        let update = FusedUpdate {
            rule: &*self.rule,
            args,
            layer_start: first.params.start,
            segments,
            params: &mut params[first.params.start..last.params.end],
            moments: &mut self.moments[moments..][..len * self.moments_per_param],
            // The product of a group reads x and dy, however few the parameters: a large batch needs larger groups.
            chunks_per_group: (batch / 4).clamp(1, CHUNKS_PER_GROUP),
            gradient,
        };
        // Counts the rule as eight more rows of the batch.
        update.run(len.saturating_mul(batch + 8), target);
    }

    /// Finishes a training step after the backward pass: accumulates, clips, decays and updates the parameters, then takes
    /// moving averages and applies constraints. `fused` says that [`fused_update`](Self::fused_update) has updated the layers
    /// that it can update.
    pub(crate) fn step(&mut self, layout: &Layout<F>, params: &mut [F], grads: &mut [F], fused: bool) {
        if self.accumulate_grads(grads) {
            self.clip_norms(layout, grads);
            let args = self.update_args();
            for segment in self.segments.iter().filter(|segment| !(fused && segment.is_fused)) {
                let range = segment.params.clone();
                let moments = segment.offset * self.moments_per_param;
                let moments = &mut self.moments[moments..][..range.len() * self.moments_per_param];
                args.apply(&*self.rule, segment, &mut params[range.clone()], &mut grads[range], moments);
            }
        }
        self.update_ema(params);
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            if let Some(constraint) = variable.constraint {
                constraint.apply(variable.shape.dims(), &mut params[variable.range.clone()]);
            }
        }
        self.iterations += 1;
    }

    /// Number of values in the state.
    pub(crate) fn moments_len(&self) -> usize {
        self.moments.len()
    }

    /// The ranges of the state in the order of files: moment by moment for parameters that are adjacent, whatever the
    /// segments.
    pub(crate) fn moments_file_order(&self) -> Vec<Range<usize>> {
        let mut order = Vec::new();
        for segments in self.segments.chunk_by(|before, after| before.params.end == after.params.start) {
            for moment in 0..self.moments_per_param {
                order.extend(segments.iter().map(|segment| {
                    let start = segment.offset * self.moments_per_param + moment * segment.params.len();
                    start..start + segment.params.len()
                }));
            }
        }
        order.push(self.trainable_len * self.moments_per_param..self.moments.len());
        order
    }

    /// A range of the state.
    pub(crate) fn moments_mut(&mut self, range: Range<usize>) -> &mut [F] {
        &mut self.moments[range]
    }

    /// The values of a range of the state.
    #[cfg(feature = "keras")]
    pub(crate) fn moments(&self, range: Range<usize>) -> &[F] {
        &self.moments[range]
    }

    /// The ranges of the state that hold a moment of a range of trainable parameters.
    #[cfg(feature = "keras")]
    pub(crate) fn moment_ranges(&self, params: &Range<usize>, moment: usize) -> Vec<Range<usize>> {
        self.ranges_in_segments(params, |segment| {
            segment.offset * self.moments_per_param + moment * segment.params.len()
        })
    }

    /// The ranges of the state that hold the moving average of a range of trainable parameters.
    #[cfg(feature = "keras")]
    pub(crate) fn ema_ranges(&self, params: &Range<usize>) -> Vec<Range<usize>> {
        let start = self.trainable_len * self.moments_per_param;
        self.ranges_in_segments(params, |segment| start + segment.offset)
    }

    /// The ranges of the state that hold the accumulated gradients of a range of trainable parameters.
    #[cfg(feature = "keras")]
    pub(crate) fn accumulated_ranges(&self, params: &Range<usize>) -> Vec<Range<usize>> {
        let before = self.moments_per_param + usize::from(self.modifiers.ema.is_some());
        self.ranges_in_segments(params, |segment| self.trainable_len * before + segment.offset)
    }

    /// The parts of a range of parameters within the segments, from where `start` says that a segment's values begin.
    #[cfg(feature = "keras")]
    fn ranges_in_segments(
        &self,
        params: &Range<usize>,
        start: impl Fn(&Segment) -> usize,
    ) -> Vec<Range<usize>> {
        let parts = self.segments.iter().filter_map(|segment| {
            let part = segment.params.start.max(params.start)..segment.params.end.min(params.end);
            let first = start(segment) + part.start.checked_sub(segment.params.start)?;
            (!part.is_empty()).then(|| first..first + part.len())
        });
        parts.collect()
    }

    /// Copies the state to `out`, in the order of files.
    pub(crate) fn copy_moments_to(&self, out: &mut [F]) {
        let mut rest = out;
        for range in self.moments_file_order() {
            let (out, tail) = rest.split_at_mut(range.len());
            out.copy_from_slice(&self.moments[range]);
            rest = tail;
        }
    }

    /// Restores what [`copy_moments_to`](Self::copy_moments_to) has written.
    pub(crate) fn copy_moments_from(&mut self, moments: &[F]) {
        let mut rest = moments;
        for range in self.moments_file_order() {
            let (values, tail) = rest.split_at(range.len());
            self.moments[range].copy_from_slice(values);
            rest = tail;
        }
    }

    /// Adds the gradients to the accumulated ones. Returns whether the parameters are updated in this step; `grads`
    /// then is the mean of the accumulated gradients.
    fn accumulate_grads(&mut self, grads: &mut [F]) -> bool {
        let Some(steps) = self.modifiers.accumulate else { return true };
        let is_complete = (self.iterations + 1).is_multiple_of(steps);
        #[allow(clippy::cast_precision_loss, reason = "a number of steps")]
        let scale = F::of(1.0 / steps as f64);
        let mut rest = &mut self.moments[self.trainable_len * self.moments_per_param..];
        if self.modifiers.ema.is_some() {
            rest = rest.split_at_mut(self.trainable_len).1;
        }
        for segment in &*self.segments {
            let (accumulated, tail) = rest.split_at_mut(segment.params.len());
            rest = tail;
            for (sum, g) in accumulated.iter_mut().zip(&mut grads[segment.params.clone()]) {
                *sum += *g;
                if is_complete {
                    *g = *sum * scale;
                    *sum = F::zero();
                }
            }
        }
        is_complete
    }

    /// Updates the moving averages of the parameters, and overwrites the parameters with them at the configured
    /// interval.
    fn update_ema(&mut self, params: &mut [F]) {
        let Some(momentum) = self.modifiers.ema else { return };
        let updates = self.updates();
        // The first average is the parameters themselves.
        let (old, new) =
            if updates == 0 { (F::zero(), F::one()) } else { (F::of(momentum), F::of(1.0 - momentum)) };
        let overwrites =
            self.modifiers.ema_overwrite_frequency.is_some_and(|steps| (updates + 1).is_multiple_of(steps));
        self.for_each_ema(params, |average, params| {
            vectorize(
                #[inline(always)]
                || {
                    average
                        .iter_mut()
                        .zip(&*params)
                        .for_each(|(average, &w)| *average = old * *average + new * w);
                },
            );
            if overwrites {
                params.copy_from_slice(average);
            }
        });
    }

    /// Overwrites the parameters with their moving averages at the end of a `fit`, as Keras does.
    pub(crate) fn overwrite_with_ema(&mut self, params: &mut [F]) {
        if self.modifiers.ema.is_some() && self.iterations > 0 {
            self.for_each_ema(params, |average, params| params.copy_from_slice(average));
        }
    }

    /// Calls `visit` with the moving average and the parameters of each segment.
    fn for_each_ema(&mut self, params: &mut [F], mut visit: impl FnMut(&mut [F], &mut [F])) {
        let mut rest = &mut self.moments[self.trainable_len * self.moments_per_param..];
        for segment in &*self.segments {
            let (average, tail) = rest.split_at_mut(segment.params.len());
            visit(average, &mut params[segment.params.clone()]);
            rest = tail;
        }
    }

    /// Clips the norm of each variable's gradient, or of all gradients together.
    fn clip_norms(&self, layout: &Layout<F>, grads: &mut [F]) {
        if let Some(limit) = self.modifiers.clipnorm {
            for variable in layout.variables.iter().filter(|variable| variable.trainable) {
                let grads = &mut grads[variable.range.clone()];
                scale_to_norm(sum_of_squares(grads).sqrt(), limit, grads);
            }
        }
        if let Some(limit) = self.modifiers.global_clipnorm {
            let squares = self.segments.iter().map(|segment| sum_of_squares(&grads[segment.params.clone()]));
            let norm = squares.sum::<f64>().sqrt();
            for segment in &*self.segments {
                scale_to_norm(norm, limit, &mut grads[segment.params.clone()]);
            }
        }
    }
}

/// The sum of squares, in eight partial sums, which the compiler vectorizes.
fn sum_of_squares<F: Float>(values: &[F]) -> f64 {
    vectorize(
        #[inline(always)]
        || {
            let (chunks, rest) = values.as_chunks::<8>();
            let mut lanes = [0.0; 8];
            for chunk in chunks {
                for (lane, v) in lanes.iter_mut().zip(chunk) {
                    *lane += v.as_f64() * v.as_f64();
                }
            }
            lanes.iter().sum::<f64>() + rest.iter().map(|v| v.as_f64() * v.as_f64()).sum::<f64>()
        },
    )
}

/// Scales gradients of norm `norm` to the norm `limit` if they are longer.
fn scale_to_norm<F: Float>(norm: f64, limit: f64, grads: &mut [F]) {
    if norm > limit {
        let factor = F::of(limit / norm);
        vectorize(
            #[inline(always)]
            || grads.iter_mut().for_each(|g| *g *= factor),
        );
    }
}
