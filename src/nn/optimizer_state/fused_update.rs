//! The update of a layer's parameters within its backward pass, chunk by chunk and split among threads.

use super::segment::{Segment, UpdateArgs};
use crate::float::Float;
use crate::nn::optimizer::UpdateRule;
use crate::parallel;
use std::ops::Range;

/// Most chunks whose gradient is computed by one product. The scratch buffer holds a group of them.
pub(super) const CHUNKS_PER_GROUP: usize = 8;

/// Where a layer's gradient is written.
#[derive(Debug)]
pub(crate) enum GradTarget<'a, F> {
    /// To a scratch buffer of [`fused_scratch_len`](super::OptimizerState::fused_scratch_len) elements for each
    /// thread, from which the rule reads it.
    Scratch(&'a mut [F]),
    /// To the parameters: the gradient is scaled by the learning rate and added.
    Params,
}

/// The update of some segments of one layer.
pub(super) struct FusedUpdate<'a, F> {
    pub(super) rule: &'a dyn UpdateRule<F>,
    pub(super) args: UpdateArgs,
    /// Where the layer's parameters begin.
    pub(super) layer_start: usize,
    pub(super) segments: &'a [Segment],
    pub(super) params: &'a mut [F],
    pub(super) moments: &'a mut [F],
    pub(super) chunks_per_group: usize,
    pub(super) gradient: &'a (dyn Fn(Range<usize>, &mut [F]) + Sync),
}

impl<F: Float> FusedUpdate<'_, F> {
    /// Updates the segments, on as many threads as the scratch buffer allows and `ops` are worth.
    pub(super) fn run(self, ops: usize, target: GradTarget<'_, F>) {
        if !self.should_fork(ops, &target) {
            return self.run_sequentially(target);
        }
        let scratch_len = self.longest_segment() * CHUNKS_PER_GROUP;
        let Self { rule, args, layer_start, segments, params, moments, chunks_per_group, gradient } = self;
        let (left, right) = segments.split_at(segments.len() / 2);
        let cut = left.iter().map(|segment| segment.params.len()).sum::<usize>();
        let (left_params, right_params) = params.split_at_mut(cut);
        let (left_moments, right_moments) = moments.split_at_mut(cut * args.moments_per_param);
        let (left_target, right_target) = match target {
            GradTarget::Scratch(scratch) => {
                let threads = scratch.len() / scratch_len;
                let (left, right) = scratch.split_at_mut(threads / 2 * scratch_len);
                (GradTarget::Scratch(left), GradTarget::Scratch(right))
            }
            GradTarget::Params => (GradTarget::Params, GradTarget::Params),
        };
        let left = FusedUpdate {
            rule,
            args,
            layer_start,
            segments: left,
            params: left_params,
            moments: left_moments,
            chunks_per_group,
            gradient,
        };
        let right = FusedUpdate {
            rule,
            args,
            layer_start,
            segments: right,
            params: right_params,
            moments: right_moments,
            chunks_per_group,
            gradient,
        };
        let half = ops / 2;
        parallel::join(|| left.run_half(half, left_target), || right.run_half(half, right_target));
    }

    /// Runs one side of a fork: splits it again here, or runs it without forks of the products within it.
    fn run_half(self, ops: usize, target: GradTarget<'_, F>) {
        if self.should_fork(ops, &target) {
            return self.run(ops, target);
        }
        parallel::sequentially(|| self.run_sequentially(target));
    }

    /// Whether two threads have enough segments, scratch memory and ops.
    fn should_fork(&self, ops: usize, target: &GradTarget<'_, F>) -> bool {
        let has_scratch = match target {
            GradTarget::Scratch(scratch) => scratch.len() >= 2 * self.longest_segment() * CHUNKS_PER_GROUP,
            GradTarget::Params => true,
        };
        self.segments.len() > 1 && has_scratch && parallel::should_fork(ops)
    }

    fn longest_segment(&self) -> usize {
        self.segments.iter().map(|segment| segment.params.len()).max().unwrap_or_default()
    }

    fn run_sequentially(self, target: GradTarget<'_, F>) {
        let (mut params, mut moments) = (self.params, self.moments);
        let scratch = match target {
            GradTarget::Scratch(scratch) => scratch,
            GradTarget::Params => {
                let (Some(first), Some(last)) = (self.segments.first(), self.segments.last()) else { return };
                let range = first.params.start - self.layer_start..last.params.end - self.layer_start;
                return (self.gradient)(range, params);
            }
        };
        for group in self.segments.chunks(self.chunks_per_group) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
            let mut grads = &mut scratch[..last.params.end - first.params.start];
            (self.gradient)(first.params.start - self.layer_start..last.params.end - self.layer_start, grads);
            for segment in group {
                let len = segment.params.len();
                let (own_grads, rest_grads) = std::mem::take(&mut grads).split_at_mut(len);
                let (own_params, rest_params) = std::mem::take(&mut params).split_at_mut(len);
                let (own_moments, rest_moments) =
                    std::mem::take(&mut moments).split_at_mut(len * self.args.moments_per_param);
                self.args.apply(self.rule, segment, own_params, own_grads, own_moments);
                (grads, params, moments) = (rest_grads, rest_params, rest_moments);
            }
        }
    }
}
