//! Segments: the ranges of parameters that an update rule receives in one call.

use crate::float::Float;
use crate::nn::layout::Layout;
use crate::nn::optimizer::{Modifiers, Step, UpdateRule, WeightArray};
use crate::simd::vectorize;
use std::ops::Range;

/// Parameters of a chunk of a fused update. The gradients, parameters and moments of a chunk, 16 bytes a parameter with
/// Adam and `f32`, take 64 KiB: the second-level cache of any processor.
const CHUNK_PARAMS: usize = 4096;

/// Adjacent parameters that are updated together.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) params: Range<usize>,
    /// Number of trainable parameters in the segments before it.
    pub(super) offset: usize,
    /// The weight arrays that it consists of; empty for a fused segment, which may end within an array.
    arrays: Vec<WeightArray>,
    /// The parameters that decay, relative to the start of the segment.
    decaying: Vec<Range<usize>>,
    /// Whether it is a chunk of a layer's parameters that is updated within the backward pass.
    pub(super) is_fused: bool,
}

/// What an update needs besides the rule and the arrays.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpdateArgs {
    pub(super) learning_rate: f64,
    /// The number of the update, counted from 1.
    pub(super) update: u64,
    pub(super) clipvalue: Option<f64>,
    pub(super) weight_decay: Option<f64>,
    pub(super) moments_per_param: usize,
}

/// The segments of all trainable parameters, and for each layer the range of its fused segments.
///
/// With `fuses`, layers that compute gradients by rows and have no penalty are cut into chunks of whole rows. All other
/// adjacent parameters form one segment.
pub(super) fn segments_of<F: Float>(
    layout: &Layout<F>,
    modifiers: &Modifiers,
    fuses: bool,
) -> (Vec<Segment>, Vec<Range<usize>>) {
    let mut segments: Vec<Segment> = Vec::new();
    let mut fused = Vec::with_capacity(layout.nodes.len());
    for node in &layout.nodes {
        if node.shares.is_some() {
            fused.push(0..0);
            continue;
        }
        let first = segments.len();
        let row_len = node.grads_by_rows().filter(|_| fuses && node.trainable);
        let penalized = node.plan.params().iter().any(|param| param.regularizer.is_some());
        if let (Some(row_len), false) = (row_len, penalized) {
            let len = (CHUNK_PARAMS / row_len).max(1) * row_len;
            for start in node.params.clone().step_by(len) {
                segments.push(Segment::new(start..(start + len).min(node.params.end), true));
            }
        } else if node.trainable && !node.params.is_empty() {
            match segments.last_mut() {
                Some(last) if !last.is_fused && last.params.end == node.params.start => {
                    last.params.end = node.params.end
                }
                _ => segments.push(Segment::new(node.params.clone(), false)),
            }
            fused.push(0..0);
            continue;
        }
        fused.push(first..segments.len());
    }
    let mut offset = 0;
    for segment in &mut segments {
        segment.offset = offset;
        offset += segment.params.len();
        segment.find_arrays(layout, modifiers);
    }
    (segments, fused)
}

impl Segment {
    fn new(params: Range<usize>, is_fused: bool) -> Self {
        Self { params, offset: 0, arrays: Vec::new(), decaying: Vec::new(), is_fused }
    }

    /// Finds the weight arrays of the segment, and which of its parameters decay.
    fn find_arrays<F>(&mut self, layout: &Layout<F>, modifiers: &Modifiers) {
        let Range { start, end } = self.params;
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            let range = variable.range.start.max(start)..variable.range.end.min(end);
            if range.is_empty() {
                continue;
            }
            let relative = range.start - start..range.end - start;
            if !self.is_fused {
                self.arrays.push(WeightArray::new(relative.clone(), variable.shape.clone()));
            }
            if modifiers.exclude_from_weight_decay.iter().any(|part| variable.name.contains(part.as_str())) {
                continue;
            }
            match self.decaying.last_mut() {
                Some(last) if last.end == relative.start => last.end = relative.end,
                _ => self.decaying.push(relative),
            }
        }
    }
}

impl UpdateArgs {
    /// Clips and decays a segment, then applies the rule.
    pub(super) fn apply<F: Float>(
        &self,
        rule: &dyn UpdateRule<F>,
        segment: &Segment,
        params: &mut [F],
        grads: &mut [F],
        moments: &mut [F],
    ) {
        if let Some(limit) = self.clipvalue {
            let limit = F::of(limit);
            vectorize(
                #[inline(always)]
                || grads.iter_mut().for_each(|g| *g = g.max(-limit).min(limit)),
            );
        }
        if let Some(decay) = self.weight_decay {
            let factor = F::of(decay * self.learning_rate);
            for range in &segment.decaying {
                let params = &mut params[range.clone()];
                vectorize(
                    #[inline(always)]
                    || params.iter_mut().for_each(|w| *w -= *w * factor),
                );
            }
        }
        let step = Step::new(params, grads, moments, self.learning_rate, self.update);
        rule.update(step.arrays(&segment.arrays));
    }
}
