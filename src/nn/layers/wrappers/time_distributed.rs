//! One layer at every step.
//!
//! A step of a sample is a sample of the nested layer: the steps of a batch are one batch of `batch · steps` samples. A layer
//! that couples the samples of a batch (batch normalization) runs step by step, as in Keras: each step is a separate batch
//! with its own statistics, and the moving statistics follow one step after the other.

use super::{check_depth, penalty_inside};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{
    ActivityPenalty, Backward, Config, Forward, InnerLayers, Layer, LayerConfig, Mask, MaskPass, Mode, Plan,
    Shape,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::super::{output_values, rows, rows_mut};

/// Applies one layer to every step of a sequence, with the same weights.
///
/// A layer that couples the samples of a batch, such as [`BatchNormalization`](crate::layers::BatchNormalization), takes the
/// samples of one step as its batch: while training, each step has its own statistics, and the moving statistics are updated
/// once for each step, in order.
///
/// # Shapes
/// (steps, …) comes out as (steps, …), the rest being what the layer makes of it.
///
/// # Masks
/// Where a layer before makes a mask (see [`Masking`](crate::layers::Masking)), the layer inside receives what the mask says
/// of its step. Behind it the mask is the same, or, where the layer ends it, that of the steps with anything real in them.
///
/// # Parameters
/// Those of the layer, with `layer/` before their names.
///
/// # Errors
/// In `compile`: samples without a step axis; what the layer says of one step.
///
/// # Agreement with Keras
/// An activity regularizer of the layer counts, as elsewhere, with its sum over all steps divided by the number of samples;
/// Keras 3 drops it.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::TimeDistributed;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 28, 28, 1])
///     .add(TimeDistributed::new(Conv2D::new(8, 3)))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([10, 26, 26, 8].as_slice()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TimeDistributed<F> {
    layer: Arc<dyn Layer<F>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    layer: LayerConfig,
}

impl<F: Float> TimeDistributed<F> {
    /// Applies this layer to every step.
    pub fn new(layer: impl Layer<F> + 'static) -> Self {
        Self { layer: layer.into_arc() }
    }

    pub(in super::super) fn from_config(config: &Config, inner: &InnerLayers<'_, F>) -> Result<Self> {
        let Recipe { layer } = config.read("time_distributed")?;
        Ok(Self { layer: inner(layer.kind(), &layer.config())? })
    }
}

/// The steps of a sequence, and where the layer's cache for all of them is.
fn steps(plan: &Plan) -> usize {
    plan.input_shape().dims().first().copied().unwrap_or(1)
}

/// Where a layer that runs step by step keeps its values, in the cache of `samples` samples.
///
/// The caches of the steps one after the other; the inputs and the outputs of all steps, (steps, samples, size); the gradients of
/// the output and the input of one step, (samples, size).
struct StepCaches<'a, F> {
    /// The cache of the layer for each step.
    inner: &'a mut [F],
    x: &'a mut [F],
    y: &'a mut [F],
    dy: &'a mut [F],
    dx: &'a mut [F],
}

impl<'a, F> StepCaches<'a, F> {
    /// The length for each sample beside the caches of the layer.
    fn per_sample(steps: usize, inner: &Plan) -> usize {
        let sizes = inner.input_shape().size().saturating_add(inner.output_shape().size());
        sizes.saturating_mul(steps.saturating_add(1))
    }

    fn of(cache: &'a mut [F], steps: usize, samples: usize, inner: &Plan) -> Self {
        let (inputs, outputs) = (samples * inner.input_shape().size(), samples * inner.output_shape().size());
        let (caches, rest) = cache.split_at_mut(steps * inner.cache_len(samples));
        let (x, rest) = rest.split_at_mut(steps * inputs);
        let (y, rest) = rest.split_at_mut(steps * outputs);
        let (dy, rest) = rest.split_at_mut(outputs);
        Self { inner: caches, x, y, dy, dx: &mut rest[..inputs] }
    }

    /// The cache of the layer, the input and the output of one step.
    fn step(&mut self, step: usize, samples: usize, inner: &Plan) -> [&mut [F]; 3] {
        fn part<F>(all: &mut [F], step: usize, len: usize) -> &mut [F] {
            &mut all[step * len..][..len]
        }
        [
            part(self.inner, step, inner.cache_len(samples)),
            part(self.x, step, samples * inner.input_shape().size()),
            part(self.y, step, samples * inner.output_shape().size()),
        ]
    }
}

/// Copies one step of each sample, `size` values, out of a batch of samples of `steps` steps.
fn gather<F: Copy>(samples: &[F], steps: usize, step: usize, size: usize, out: &mut [F]) {
    let from = samples.chunks_exact((steps * size).max(1)).map(|sample| &sample[step * size..][..size]);
    out.chunks_exact_mut(size.max(1)).zip(from).for_each(|(out, values)| out.copy_from_slice(values));
}

/// Copies one step of each sample back, as [`gather`] copied it out.
fn scatter<F: Copy>(values: &[F], steps: usize, step: usize, size: usize, samples: &mut [F]) {
    let to = samples.chunks_exact_mut((steps * size).max(1)).map(|sample| &mut sample[step * size..][..size]);
    values.chunks_exact(size.max(1)).zip(to).for_each(|(values, to)| to.copy_from_slice(values));
}

/// Whether each step is a separate batch.
fn runs_step_by_step(inner: &Plan) -> bool {
    !inner.rows_independent()
}

impl<F: Float> TimeDistributed<F> {
    /// The forward pass of a layer that couples the samples of a batch.
    fn forward_steps(&self, pass: Forward<'_, F>, plan: &Plan, inner: &Plan) {
        let Forward { x, mut y, params, cache, mut mode, mask, group, backward_follows, .. } = pass;
        let (steps, samples) = (steps(plan), x.nrows());
        let (inputs, outputs) = (inner.input_shape().size(), inner.output_shape().size());
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let mut caches = StepCaches::of(cache, steps, samples, inner);
        let mask = mask.filter(|_| plan.declares_using_mask());
        for step in 0..steps {
            let [cache, x_step, y_step] = caches.step(step, samples, inner);
            gather(x, steps, step, inputs, x_step);
            let mode = match mode.reborrow() {
                Mode::Train { rng, state } => Mode::Train { rng: rng.child(step), state },
                infer @ Mode::Infer { .. } => infer,
            };
            let pass = Forward::new(rows(x_step, inputs), rows_mut(y_step, outputs), params, cache, mode);
            let pass = pass.masked(mask.map(|mask| mask.part(steps, step)));
            self.layer.forward(pass.planned(inner).grouped(group).before_backward(backward_follows));
            scatter(y_step, steps, step, outputs, y);
        }
    }

    /// The backward pass of a layer that couples the samples of a batch.
    fn backward_steps(&self, pass: Backward<'_, F>, plan: &Plan, inner: &Plan) {
        let Backward { y, dy, mut dx, dx_needed, params, grads, cache, samples, mask, group, .. } = pass;
        let (steps, n) = (steps(plan), y.nrows());
        let (inputs, outputs) = (inner.input_shape().size(), inner.output_shape().size());
        let (Some(y), Some(dy), Some(dx)) = (y.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let mut caches = StepCaches::of(cache, steps, n, inner);
        let mask = mask.filter(|_| plan.declares_using_mask());
        for step in 0..steps {
            gather(dy, steps, step, outputs, caches.dy);
            let (dy_step, dx_step) = (std::mem::take(&mut caches.dy), std::mem::take(&mut caches.dx));
            let [cache, x_step, y_step] = caches.step(step, n, inner);
            // The container has applied the activation since.
            gather(y, steps, step, outputs, y_step);
            let pass = Backward::new(
                rows(x_step, inputs),
                rows(y_step, outputs),
                rows_mut(dy_step, outputs),
                rows_mut(dx_step, inputs),
                params,
                grads,
                cache,
            );
            let pass = pass.samples(samples).dx_needed(dx_needed).grouped(group);
            self.layer.backward(pass.masked(mask.map(|mask| mask.part(steps, step))).planned(inner));
            if dx_needed {
                scatter(dx_step, steps, step, inputs, dx);
            }
            (caches.dy, caches.dx) = (dy_step, dx_step);
        }
    }
}

/// The mask of the steps, each of which is a sample of the layer; `None` where the layer has no use for it.
fn mask_inside<'a>(mask: Option<Mask<'a>>, plan: &Plan) -> Option<Mask<'a>> {
    Some(mask.filter(|_| plan.declares_using_mask())?.split(steps(plan)))
}

impl<F: Float> Layer<F> for TimeDistributed<F> {
    crate::float::precompiled::into_arc!(TimeDistributed<F>: Layer<F>);

    fn kind(&self) -> &'static str {
        "time_distributed"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let Some((&steps, step)) = input.dims().split_first() else {
            return Err(Error::shape("time_distributed", "samples (steps, …)", input));
        };
        let step = Shape::from(step);
        let inner = self.layer.plan(&step)?.input(step);
        inner.check_size("time_distributed")?;
        if inner.batch_size().is_some() {
            let expected = "a layer that is not stateful; the steps of a sample are no batches";
            return Err(Error::invalid_parameter("time_distributed", "layer", self.layer.kind(), expected));
        }
        let (activation, regularizer) =
            (inner.declared_activation(), inner.declared_activity_regularizer().copied());
        let dims: Vec<usize> = [steps].iter().chain(inner.output_shape().dims()).copied().collect();
        // A step is a sample of the layer, so its cache is larger than that of a layer inside otherwise is.
        let by_step = runs_step_by_step(&inner);
        let beside = if by_step { StepCaches::<F>::per_sample(steps, &inner) } else { 0 };
        let per_sample =
            (inner.cache_len(1) - inner.cache_len(0)).saturating_mul(steps).saturating_add(beside);
        let per_batch = inner.cache_len(0).saturating_mul(if by_step { steps } else { 1 });
        let plan = Plan::output(dims).input(input).cache(per_sample).batch_cache(per_batch);
        let (indices, rearranges) = (inner.declared_indices(), inner.declares_rearranging());
        let plan = plan.output_values(output_values(self.layer.kind(), &inner));
        let plan = if inner.declares_using_mask() { plan.uses_mask() } else { plan };
        // Where the layer ends the mask of what is inside a step, the step itself is left.
        let passes = inner.declares_passing_mask();
        let plan = if passes { plan.passes_mask() } else { plan.derives_mask(steps) };
        let plan = plan.nested_activated("layer", inner).nested_penalties();
        let plan = indices.into_iter().fold(plan, Plan::indices);
        let plan = if rearranges { plan.rearranges() } else { plan };
        check_depth("time_distributed", plan.activation(activation).activity_regularizer(regularizer))
    }

    fn mask(&self, MaskPass { mask, valid, plan, .. }: MaskPass<'_, F>) {
        let (Some(mask), Some(plan)) = (mask, plan) else { return valid.fill(true) };
        // A step is real where anything inside it is.
        let inside = mask.split(steps(plan));
        for (step, valid) in valid.iter_mut().enumerate() {
            *valid = (0..inside.positions()).any(|position| inside.is_valid(step, position));
        }
    }

    fn forward(&self, pass: Forward<'_, F>) {
        let Some((plan, nested)) = pass.plan.and_then(|plan| Some((plan, plan.nested_layers().first()?)))
        else {
            let mut y = pass.y;
            return y.fill(F::nan());
        };
        if runs_step_by_step(&nested.plan) {
            return self.forward_steps(pass, plan, &nested.plan);
        }
        let Forward { x, mut y, params, cache, mode, mask, backward_follows, .. } = pass;
        let batch = x.nrows() * steps(plan);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let mode = match mode {
            Mode::Train { rng, state } => Mode::Train { rng: rng.child(0).repeat(steps(plan)), state },
            infer @ Mode::Infer { .. } => infer,
        };
        let (x, y) =
            (rows(x, nested.plan.input_shape().size()), rows_mut(y, nested.plan.output_shape().size()));
        let cache = &mut cache[..nested.plan.cache_len(batch)];
        let mask = mask_inside(mask, plan);
        let pass = Forward::new(x, y, params, cache, mode).masked(mask).planned(&nested.plan);
        self.layer.forward(pass.before_backward(backward_follows));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Some((plan, nested)) = pass.plan.and_then(|plan| Some((plan, plan.nested_layers().first()?)))
        else {
            let mut dx = pass.dx;
            return dx.fill(F::nan());
        };
        if runs_step_by_step(&nested.plan) {
            return self.backward_steps(pass, plan, &nested.plan);
        }
        let Backward { x, y, mut dy, mut dx, dx_needed, params, grads, cache, samples, mask, .. } = pass;
        let batch = x.nrows() * steps(plan);
        let (inputs, outputs) = (nested.plan.input_shape().size(), nested.plan.output_shape().size());
        let (Some(x), Some(y), Some(dy), Some(dx)) =
            (x.as_slice(), y.as_slice(), dy.as_slice_mut(), dx.as_slice_mut())
        else {
            return;
        };
        let cache = &mut cache[..nested.plan.cache_len(batch)];
        let pass = Backward::new(
            rows(x, inputs),
            rows(y, outputs),
            rows_mut(dy, outputs),
            rows_mut(dx, inputs),
            params,
            grads,
            cache,
        );
        let mask = mask_inside(mask, plan);
        let pass = pass.samples(samples).dx_needed(dx_needed);
        self.layer.backward(pass.masked(mask).planned(&nested.plan));
    }

    /// That on the layer's own output is declared by this one.
    fn activity_penalty(&self, ActivityPenalty { cache, y, plan }: ActivityPenalty<'_, F>) -> f64 {
        let (Some(nested), Some(values)) = (plan.nested_layers().first(), y.as_slice()) else { return 0.0 };
        let (inner, steps, samples) = (&nested.plan, steps(plan), y.nrows());
        if !runs_step_by_step(inner) {
            return penalty_inside(&*self.layer, inner, &cache[..inner.cache_len(samples * steps)], values);
        }
        // Nested layers keep their own outputs in their caches; those of the layer are behind the inputs.
        let (len, outputs) = (inner.cache_len(samples), samples * inner.output_shape().size());
        let y = &cache[steps * (len + samples * inner.input_shape().size())..][..steps * outputs];
        let step = |step: usize| {
            let cache = &cache[step * len..][..len];
            penalty_inside(&*self.layer, inner, cache, &y[step * outputs..][..outputs])
        };
        (0..steps).map(step).sum()
    }

    fn config(&self) -> Option<Config> {
        Config::of(&Recipe { layer: LayerConfig::of(&*self.layer)? })
    }
}
