//! One layer at every step.

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
        let per_batch = inner.cache_len(0);
        let per_sample = (inner.cache_len(1) - per_batch).saturating_mul(steps);
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

    fn forward(&self, Forward { x, mut y, params, cache, mode, mask, plan, .. }: Forward<'_, F>) {
        let Some((plan, nested)) = plan.and_then(|plan| Some((plan, plan.nested_layers().first()?))) else {
            return y.fill(F::nan());
        };
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
        self.layer.forward(Forward::new(x, y, params, cache, mode).masked(mask).planned(&nested.plan));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, y, mut dy, mut dx, dx_needed, params, grads, cache, samples, mask, plan, .. } =
            pass;
        let Some((plan, nested)) = plan.and_then(|plan| Some((plan, plan.nested_layers().first()?))) else {
            return dx.fill(F::nan());
        };
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
        self.layer.backward(pass.samples(samples).dx_needed(dx_needed).masked(mask).planned(&nested.plan));
    }

    /// That on the layer's own output is declared by this one.
    fn activity_penalty(&self, ActivityPenalty { cache, y, plan }: ActivityPenalty<'_, F>) -> f64 {
        let (Some(nested), Some(values)) = (plan.nested_layers().first(), y.as_slice()) else { return 0.0 };
        let cache = &cache[..nested.plan.cache_len(y.nrows() * steps(plan))];
        penalty_inside(&*self.layer, &nested.plan, cache, values)
    }

    fn config(&self) -> Option<Config> {
        Config::of(&Recipe { layer: LayerConfig::of(&*self.layer)? })
    }
}
