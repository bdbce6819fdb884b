//! Layers with a way around them.

use super::{add_penalty_gradient, check_depth, penalty_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{
    ActivityPenalty, Backward, Carry, Config, Forward, InnerLayers, Layer, LayerConfig, Mode, Nested, Plan,
    Shape,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::super::{rows, rows_mut};

/// A chain of layers whose input is added to its output: `y = x + layers(x)`.
///
/// # Shapes
/// Any; it comes out as it went in, and so must the chain's output.
///
/// # Parameters
/// Those of the layers, with their place in the chain and their kind before the names: `0.dense/kernel`.
///
/// # Errors
/// In `compile`: no layers; a chain whose output has another shape than its input; what the layers say.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let block = Residual::new().add(Dense::new(32).activation(Activation::Relu)).add(Dense::new(8));
/// let model: Model<f32> = Sequential::new(8).add(block).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.count_params(), 8 * 32 + 32 + 32 * 8 + 8);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// He, Zhang, Ren and Sun 2016, arXiv:1512.03385.
#[derive(Debug, Clone)]
pub struct Residual<F> {
    layers: Vec<Arc<dyn Layer<F>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    layers: Vec<LayerConfig>,
}

impl<F> Default for Residual<F> {
    fn default() -> Self {
        Self { layers: Vec::new() }
    }
}

impl<F: Float> Residual<F> {
    /// A chain without layers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a layer at the end of the chain.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "as in Sequential; nothing is added up")]
    pub fn add(mut self, layer: impl Layer<F> + 'static) -> Self {
        self.layers.push(layer.into_arc());
        self
    }

    pub(in super::super) fn from_config(config: &Config, inner: &InnerLayers<'_, F>) -> Result<Self> {
        let Recipe { layers } = config.read("residual")?;
        let layers = layers.iter().map(|layer| inner(layer.kind(), &layer.config()));
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }
}

/// The widest sample between the layers.
fn widest(nested: &[Nested]) -> usize {
    let sizes = nested.iter().flat_map(|nested| [nested.plan.input_shape(), nested.plan.output_shape()]);
    sizes.map(Shape::size).max().unwrap_or(0)
}

/// Whether the mask of the chain's input reaches a layer: those before it let it on.
fn reached(nested: &[Nested], index: usize) -> bool {
    nested.iter().take(index).all(|nested| nested.plan.declares_passing_mask())
}

/// Where the pre-activation and then the output of a layer begin, before the layers' own caches.
fn start(nested: &[Nested], index: usize, batch: usize) -> usize {
    nested.iter().take(index).map(|nested| 2 * batch * nested.plan.output_shape().size()).sum()
}

impl<F: Float> Layer<F> for Residual<F> {
    crate::float::precompiled::into_arc!(Residual<F>: Layer<F>);

    fn kind(&self) -> &'static str {
        "residual"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.layers.is_empty() {
            return Err(Error::invalid_parameter("residual", "layers", 0, "at least 1 layer; add one"));
        }
        let mut shape = input.clone();
        let (mut plans, mut own, mut widest) = (Vec::new(), 0_usize, input.size());
        for (index, layer) in self.layers.iter().enumerate() {
            let name = format!("{index}.{}", layer.kind());
            let plan = layer.plan(&shape)?.input(shape);
            plan.check_size("residual")?;
            plan.declared_activation().validate()?;
            shape = plan.output_shape().clone();
            own = own.saturating_add(shape.size().saturating_mul(2));
            widest = widest.max(shape.size());
            plans.push((name, plan));
        }
        if &shape != input {
            let expected = format!("layers whose output has the shape of their input, {input}");
            return Err(Error::shape("residual", expected, shape));
        }
        let plan = Plan::output(shape).input(input).cache(own.saturating_add(widest.saturating_mul(2)));
        // The layers up to the first that ends the mask are reached by it.
        let ends = plans.iter().position(|(_, plan)| !plan.declares_passing_mask());
        let mut reached = plans.iter().take(ends.map_or(plans.len(), |index| index + 1));
        let uses = reached.any(|(_, plan)| plan.declares_using_mask());
        let plan = if uses { plan.uses_mask() } else { plan };
        let plan = if ends.is_none() { plan.passes_mask() } else { plan };
        let indices = Plan::indices_of_chain(plans.iter().map(|(_, plan)| plan));
        let plan = indices.into_iter().fold(plan, Plan::indices);
        let plan = plans.into_iter().fold(plan, |plan, (name, inner)| plan.nested_activated(name, inner));
        check_depth("residual", plan.nested_penalties())
    }

    fn forward(&self, pass: Forward<'_, F>) {
        let Forward { x, mut y, params, cache, mut mode, mask, plan, .. } = pass;
        let batch = x.nrows();
        let nested = plan.map_or(&[][..], Plan::nested_layers);
        let all = nested;
        let Some(first) = nested.first().map(|nested| nested.cache(batch).start) else {
            return y.fill(F::nan());
        };
        let (own, caches) = cache.split_at_mut(first);
        let Some(values) = x.as_slice() else { return };
        for (index, (layer, nested)) in self.layers.iter().zip(nested).enumerate() {
            let mode = match mode.reborrow() {
                Mode::Train { rng, state } => {
                    Mode::Train { rng: rng.child(index), state: &mut state[nested.state.clone()] }
                }
                Mode::Infer { state } => Mode::Infer { state: &state[nested.state.clone()] },
            };
            let [inputs, outputs] =
                [nested.plan.input_shape(), nested.plan.output_shape()].map(|shape| batch * shape.size());
            // The output of the layer before ends where this one's numbers begin.
            let (before, rest) = own.split_at_mut(start(all, index, batch));
            let x = if index == 0 { values } else { &before[before.len() - inputs..] };
            let (z, y) = rest[..2 * outputs].split_at_mut(outputs);
            let range = nested.cache(batch);
            let pass = Forward::new(
                rows(x, nested.plan.input_shape().size()),
                rows_mut(y, nested.plan.output_shape().size()),
                &params[nested.params.clone()],
                &mut caches[range.start - first..range.end - first],
                mode,
            );
            let mask = mask.filter(|_| reached(all, index));
            layer.forward(pass.masked(mask).planned(&nested.plan));
            z.copy_from_slice(y);
            nested.plan.declared_activation().apply(nested.plan.output_shape().last(), y);
        }
        y.assign(&x);
        let end = start(nested, nested.len(), batch);
        if let Some(y) = y.as_slice_mut() {
            let last = &own[end - y.len()..end];
            y.iter_mut().zip(last).for_each(|(y, &last)| *y += last);
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, samples, mask, plan, .. } = pass;
        let batch = x.nrows();
        let nested = plan.map_or(&[][..], Plan::nested_layers);
        let all = nested;
        let Some(first) = nested.first().map(|nested| nested.cache(batch).start) else {
            return dx.fill(F::nan());
        };
        let (own, caches) = cache.split_at_mut(first);
        let (values, deltas) = own.split_at_mut(start(nested, nested.len(), batch));
        let (mut toward_y, mut toward_x) = deltas.split_at_mut(batch * widest(nested));
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        toward_y[..dy.len()].copy_from_slice(dy);
        for (index, (layer, nested)) in self.layers.iter().zip(nested).enumerate().rev() {
            let (inputs, width) = (nested.plan.input_shape().size(), nested.plan.output_shape().size());
            let delta = &mut toward_y[..batch * width];
            let (before, rest) = values.split_at(start(all, index, batch));
            let x = if index == 0 { x } else { &before[before.len() - batch * inputs..] };
            let (z, y) = rest[..2 * batch * width].split_at(batch * width);
            let last = nested.plan.output_shape().last();
            add_penalty_gradient(nested, samples, y, delta);
            nested.plan.declared_activation().gradient(last, z, y, delta);
            let range = nested.cache(batch);
            let pass = Backward::new(
                rows(x, inputs),
                rows(y, width),
                rows_mut(delta, width),
                rows_mut(&mut toward_x[..batch * inputs], inputs),
                &params[nested.params.clone()],
                &mut grads[nested.params.clone()],
                &mut caches[range.start - first..range.end - first],
            );
            let pass = pass.masked(mask.filter(|_| reached(all, index))).planned(&nested.plan);
            layer.backward(pass.samples(samples).dx_needed(dx_needed || index > 0));
            std::mem::swap(&mut toward_y, &mut toward_x);
        }
        if dx_needed {
            // y = x + layers(x)  =>  dx = dy + what the layers pass back
            dx.iter_mut().zip(dy.iter().zip(&*toward_y)).for_each(|(dx, (&dy, &back))| *dx = dy + back);
        }
    }

    fn carry(&self, Carry { cache, state, batch, plan }: Carry<'_, F>) {
        for (layer, nested) in self.layers.iter().zip(plan.nested_layers()) {
            let (cache, state) = (&mut cache[nested.cache(batch)], &mut state[nested.state.clone()]);
            layer.carry(Carry::new(cache, state, batch, &nested.plan));
        }
    }

    fn activity_penalty(&self, ActivityPenalty { cache, y, plan }: ActivityPenalty<'_, F>) -> f64 {
        let (nested, batch) = (plan.nested_layers(), y.nrows());
        let penalties = self.layers.iter().zip(nested).enumerate().map(|(index, (layer, inner))| {
            let outputs = batch * inner.plan.output_shape().size();
            let y = &cache[start(nested, index, batch) + outputs..][..outputs];
            penalty_of(&**layer, inner, &cache[inner.cache(batch)], y)
        });
        penalties.sum()
    }

    fn config(&self) -> Option<Config> {
        let layers = self.layers.iter().map(|layer| LayerConfig::of(&**layer)).collect::<Option<_>>()?;
        Config::of(&Recipe { layers })
    }
}
