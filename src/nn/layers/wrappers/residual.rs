//! Layers with a way around them.

use super::{add_penalty_gradient, check_depth, penalty_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{
    ActivityPenalty, Backward, Carry, Config, Forward, InnerLayers, Layer, LayerConfig, Mask, Mode, Nested,
    Plan, Shape,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::super::{rows, rows_mut};

/// A chain of layers whose input is added to its output: `y = x + layers(x)`, or `y = projection(x) + layers(x)`.
///
/// # Shapes
/// Any; the output of the layers has the shape of the input, or with a projection shortcut that of the projection's output.
///
/// # Parameters
/// Those of the layers, with their place in the chain and their kind before the names: `0.dense/kernel`; then those of the
/// projection: `projection/kernel`.
///
/// | option | default |
/// |---|---|
/// | `projection` | none: the identity shortcut |
///
/// # Masks
/// The output has the mask of the input if all layers and the projection pass masks on.
///
/// # Errors
/// In `compile`: no layers; a chain whose output has another shape than the shortcut; what the layers say.
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
/// A block that halves the image and doubles the channels, with a projection shortcut:
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let conv = |filters, size| Conv2D::new(filters, size).padding(Padding::Same);
/// let block = Residual::new()
///     .add(conv(16, 3).strides(2).activation(Activation::Relu))
///     .add(conv(16, 3))
///     .projection(conv(16, 1).strides(2));
/// let model: Model<f32> =
///     Sequential::new([8, 8, 8]).add(block).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape().dims(), [4, 4, 16]);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// He, Zhang, Ren and Sun 2015, arXiv:1512.03385.
#[derive(Debug, Clone)]
pub struct Residual<F> {
    layers: Vec<Arc<dyn Layer<F>>>,
    projection: Option<Arc<dyn Layer<F>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    layers: Vec<LayerConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    projection: Option<LayerConfig>,
}

impl<F> Default for Residual<F> {
    fn default() -> Self {
        Self { layers: Vec::new(), projection: None }
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

    /// Sets the layer of the shortcut, whose output is added to that of the chain in place of the input: a `Dense`, or a
    /// `Conv2D` of size 1 with the strides of the chain.
    #[must_use]
    pub fn projection(mut self, layer: impl Layer<F> + 'static) -> Self {
        self.projection = Some(layer.into_arc());
        self
    }

    pub(in super::super) fn from_config(config: &Config, inner: &InnerLayers<'_, F>) -> Result<Self> {
        let Recipe { layers, projection } = config.read("residual")?;
        let make = |layer: &LayerConfig| inner(layer.kind(), &layer.config());
        Ok(Self {
            layers: layers.iter().map(make).collect::<Result<_>>()?,
            projection: projection.as_ref().map(make).transpose()?,
        })
    }

    /// The layers of the chain and the projection, in the order of the nested plans.
    fn all(&self) -> impl Iterator<Item = &Arc<dyn Layer<F>>> {
        self.layers.iter().chain(&self.projection)
    }

    /// Whether the input of a layer is that of the block.
    fn reads_input(&self, index: usize) -> bool {
        index == 0 || index == self.layers.len()
    }

    /// The mask that a layer gets, of the mask of the block.
    fn mask_of<'m>(&self, nested: &[Nested], index: usize, mask: Option<Mask<'m>>) -> Option<Mask<'m>> {
        mask.filter(|_| self.reads_input(index) || reached(nested, index))
    }
}

/// The plan of a layer in the block.
fn checked_plan<F: Float>(layer: &dyn Layer<F>, input: &Shape) -> Result<Plan> {
    let plan = layer.plan(input)?.input(input);
    plan.check_size("residual")?;
    plan.declared_activation().validate()?;
    Ok(plan)
}

/// Refuses a chain whose output cannot be added to the shortcut.
fn check_shapes(input: &Shape, projection: Option<&Shape>, output: &Shape) -> Result<()> {
    let expected = match projection {
        Some(shape) if shape != output => format!(
            "layers whose output has the shape of the projection's, {shape}; give both the same units or filters, and the same \
             strides in total"
        ),
        None if input != output => format!(
            "layers whose output has the shape of their input, {input}; change them, or add a projection to their output shape"
        ),
        _ => return Ok(()),
    };
    Err(Error::shape("residual", expected, output))
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
        let mut plans = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let plan = checked_plan(&**layer, &shape)?;
            shape = plan.output_shape().clone();
            plans.push((format!("{index}.{}", layer.kind()), plan));
        }
        let projection = self.projection.as_ref().map(|layer| checked_plan(&**layer, input)).transpose()?;
        check_shapes(input, projection.as_ref().map(Plan::output_shape), &shape)?;
        // The layers up to the first that ends the mask are reached by it.
        let ends = plans.iter().position(|(_, plan)| !plan.declares_passing_mask());
        let reached = plans.iter().take(ends.map_or(plans.len(), |index| index + 1));
        let uses = reached.map(|(_, plan)| plan).chain(&projection).any(Plan::declares_using_mask);
        let passes = ends.is_none() && projection.as_ref().is_none_or(Plan::declares_passing_mask);
        let indices =
            [Plan::indices_of_chain(plans.iter().map(|(_, plan)| plan)), Plan::indices_of_chain(&projection)];
        plans.extend(projection.map(|plan| ("projection".to_owned(), plan)));
        let sizes = || plans.iter().map(|(_, plan)| plan.output_shape().size());
        let own = sizes().fold(0_usize, |sum, size| sum.saturating_add(size.saturating_mul(2)));
        let widest = sizes().fold(input.size(), usize::max);
        let plan = Plan::output(shape).input(input).cache(own.saturating_add(widest.saturating_mul(2)));
        let plan = if uses { plan.uses_mask() } else { plan };
        let plan = if passes { plan.passes_mask() } else { plan };
        let plan = indices.into_iter().flatten().min().into_iter().fold(plan, Plan::indices);
        let plan = plans.into_iter().fold(plan, |plan, (name, inner)| plan.nested_activated(name, inner));
        check_depth("residual", plan.nested_penalties())
    }

    fn forward(&self, pass: Forward<'_, F>) {
        let Forward { x, mut y, params, cache, mut mode, mask, plan, group, backward_follows, .. } = pass;
        let batch = x.nrows();
        let nested = plan.map_or(&[][..], Plan::nested_layers);
        let all = nested;
        let Some(first) = nested.first().map(|nested| nested.cache(batch).start) else {
            return y.fill(F::nan());
        };
        let (own, caches) = cache.split_at_mut(first);
        let Some(values) = x.as_slice() else { return };
        for (index, (layer, nested)) in self.all().zip(nested).enumerate() {
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
            let x = if self.reads_input(index) { values } else { &before[before.len() - inputs..] };
            let (z, y) = rest[..2 * outputs].split_at_mut(outputs);
            let range = nested.cache(batch);
            let pass = Forward::new(
                rows(x, nested.plan.input_shape().size()),
                rows_mut(y, nested.plan.output_shape().size()),
                &params[nested.params.clone()],
                &mut caches[range.start - first..range.end - first],
                mode,
            );
            let pass = pass.masked(self.mask_of(all, index, mask)).grouped(group);
            layer.forward(pass.planned(&nested.plan).before_backward(backward_follows));
            z.copy_from_slice(y);
            nested.plan.declared_activation().apply(nested.plan.output_shape().last(), y);
        }
        let Some(y) = y.as_slice_mut() else { return };
        let output = |n_layers: usize| {
            let end = start(nested, n_layers, batch);
            &own[end - y.len()..end]
        };
        let last = output(self.layers.len());
        let shortcut = if self.projection.is_some() { output(nested.len()) } else { values };
        y.iter_mut().zip(shortcut.iter().zip(last)).for_each(|(y, (&shortcut, &last))| *y = shortcut + last);
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, samples, mask, plan, group, .. } =
            pass;
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
        let mut back = |index: usize, delta: &mut [F], toward_x: &mut [F], dx_needed: bool| {
            let (Some(layer), Some(nested)) = (self.all().nth(index), nested.get(index)) else { return };
            let (inputs, width) = (nested.plan.input_shape().size(), nested.plan.output_shape().size());
            let delta = &mut delta[..batch * width];
            let (before, rest) = values.split_at(start(all, index, batch));
            let x = if self.reads_input(index) { x } else { &before[before.len() - batch * inputs..] };
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
            let pass = pass.masked(self.mask_of(all, index, mask)).planned(&nested.plan);
            layer.backward(pass.samples(samples).dx_needed(dx_needed).grouped(group));
        };
        // y = shortcut + layers(x)  =>  dx = what the shortcut passes back + what the layers pass back
        if self.projection.is_some() {
            toward_y[..dy.len()].copy_from_slice(dy);
            back(self.layers.len(), toward_y, toward_x, dx_needed);
            if dx_needed {
                dx.copy_from_slice(&toward_x[..dx.len()]);
            }
        } else if dx_needed {
            dx.copy_from_slice(dy);
        }
        toward_y[..dy.len()].copy_from_slice(dy);
        for index in (0..self.layers.len()).rev() {
            back(index, toward_y, toward_x, dx_needed || index > 0);
            std::mem::swap(&mut toward_y, &mut toward_x);
        }
        if dx_needed {
            dx.iter_mut().zip(&*toward_y).for_each(|(dx, &back)| *dx += back);
        }
    }

    fn carry(&self, Carry { cache, state, batch, plan }: Carry<'_, F>) {
        for (layer, nested) in self.all().zip(plan.nested_layers()) {
            let (cache, state) = (&mut cache[nested.cache(batch)], &mut state[nested.state.clone()]);
            layer.carry(Carry::new(cache, state, batch, &nested.plan));
        }
    }

    fn activity_penalty(&self, ActivityPenalty { cache, y, plan }: ActivityPenalty<'_, F>) -> f64 {
        let (nested, batch) = (plan.nested_layers(), y.nrows());
        let penalties = self.all().zip(nested).enumerate().map(|(index, (layer, inner))| {
            let outputs = batch * inner.plan.output_shape().size();
            let y = &cache[start(nested, index, batch) + outputs..][..outputs];
            penalty_of(&**layer, inner, &cache[inner.cache(batch)], y)
        });
        penalties.sum()
    }

    fn config(&self) -> Option<Config> {
        let layers = self.layers.iter().map(|layer| LayerConfig::of(&**layer)).collect::<Option<_>>()?;
        let projection = match &self.projection {
            Some(layer) => Some(LayerConfig::of(&**layer)?),
            None => None,
        };
        Config::of(&Recipe { layers, projection })
    }
}
