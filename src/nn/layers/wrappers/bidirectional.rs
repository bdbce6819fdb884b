//! A sequence read in both directions.

use super::{add_penalty_gradient, check_depth, penalty_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{
    ActivityPenalty, Backward, Carry, Config, Forward, InnerLayers, Layer, LayerConfig, Mask, Mode,
    OutputValues, Plan, Shape,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::super::{rows, rows_mut};

/// How the answers of both directions become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MergeMode {
    /// One beside the other, on the last axis.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their mean.
    Ave,
    /// Their product.
    Mul,
}

/// Reads a sequence with one layer from the beginning and with a copy of it, or with another layer, from the end, each
/// with separate weights. Where the layer returns a sequence, the second output is reversed, so that the steps of
/// both lie beside each other.
///
/// Where a layer before makes a mask (see [`Masking`](crate::layers::Masking)), both directions pass over padded steps, and
/// sequences have zeros there.
///
/// # Shapes
/// (steps, features) comes out as what the layer makes of it, with the last axis doubled for
/// [`MergeMode::Concat`].
///
/// # Parameters
/// Those of the layer twice, with `forward/` and `backward/` before their names.
///
/// # Errors
/// In `compile`: samples other than (steps, features); a layer that is not recurrent (a layer of another crate says that it
/// reads a sequence by [`Plan::reads_sequence`]); a layer that declares an activation of its output; a `backward_layer` that reads in the same direction as the layer, or whose answer does not go with the layer's; what the
/// layers say.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 3])
///     .add(Bidirectional::new(Lstm::new(8).return_sequences(true)))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([10, 16]));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Schuster and Paliwal 1997, IEEE Transactions on Signal Processing 45(11).
#[derive(Debug, Clone)]
pub struct Bidirectional<F> {
    layer: Arc<dyn Layer<F>>,
    backward_layer: Option<Arc<dyn Layer<F>>>,
    merge_mode: MergeMode,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    layer: LayerConfig,
    #[serde(default)]
    merge_mode: MergeMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backward_layer: Option<LayerConfig>,
}

/// The blocks that stand before the layers' own caches: the sequence turned round and its gradient, and the two
/// answers and their gradients.
struct Blocks<'a, F> {
    turned: &'a mut [F],
    dturned: &'a mut [F],
    answers: [&'a mut [F]; 2],
    danswers: [&'a mut [F]; 2],
    /// The caches of the two layers.
    caches: [&'a mut [F]; 2],
}

impl<F: Float> Bidirectional<F> {
    /// Reads in both directions with this layer.
    pub fn new(layer: impl Layer<F> + 'static) -> Self {
        Self { layer: layer.into_arc(), backward_layer: None, merge_mode: MergeMode::Concat }
    }

    /// Reads from the end with this layer, not with a copy of the first one. As in Keras, it must be set to read
    /// backwards itself:
    /// ```
    /// use axonal::custom::Shape;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let both = Bidirectional::new(Lstm::new(8)).backward_layer(Gru::new(4).go_backwards(true));
    /// let model: Model<f32> = Sequential::new([10, 3]).add(both).compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from(12));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn backward_layer(mut self, layer: impl Layer<F> + 'static) -> Self {
        self.backward_layer = Some(layer.into_arc());
        self
    }

    /// How the two answers become one; beside each other by default. Keras's `None`, which leaves two answers, has no
    /// place in a chain of layers; [`MergeMode::Concat`] keeps both whole, in the two parts of the last axis.
    #[must_use]
    pub fn merge_mode(mut self, merge_mode: MergeMode) -> Self {
        self.merge_mode = merge_mode;
        self
    }

    pub(in super::super) fn from_config(config: &Config, inner: &InnerLayers<'_, F>) -> Result<Self> {
        let Recipe { layer, merge_mode, backward_layer } = config.read("bidirectional")?;
        let made = |layer: &LayerConfig| inner(layer.kind(), &layer.config());
        let backward_layer = backward_layer.as_ref().map(made).transpose()?;
        Ok(Self { layer: made(&layer)?, backward_layer, merge_mode })
    }

    fn blocks<'a>(plan: &Plan, batch: usize, cache: &'a mut [F]) -> Option<Blocks<'a, F>> {
        let [first, second] = plan.nested_layers() else { return None };
        let inputs = batch * first.plan.input_shape().size();
        let outputs = [first, second].map(|nested| batch * nested.plan.output_shape().size());
        let (first, second) = (first.cache(batch), second.cache(batch));
        let (own, caches) = cache.split_at_mut(first.start);
        let (first_cache, second_cache) = caches.split_at_mut(second.start - first.start);
        let (turned, own) = own.split_at_mut(inputs);
        let (dturned, own) = own.split_at_mut(inputs);
        let (first_answer, own) = own.split_at_mut(outputs[0]);
        let (second_answer, own) = own.split_at_mut(outputs[1]);
        let (first_danswer, second_danswer) = own.split_at_mut(outputs[0]);
        Some(Blocks {
            turned,
            dturned,
            answers: [first_answer, second_answer],
            danswers: [first_danswer, second_danswer],
            caches: [&mut first_cache[..first.len()], &mut second_cache[..second.len()]],
        })
    }

    /// The answers' widths along their last axis, and their steps where they are sequences.
    fn answer(plan: &Plan) -> Option<([usize; 2], Option<usize>)> {
        let [first, second] = plan.nested_layers() else { return None };
        let output = first.plan.output_shape();
        let steps = plan.input_shape().dims().first().copied();
        let is_sequence = output.rank() == 2 && output.dims().first().copied() == steps;
        Some(([output.last(), second.plan.output_shape().last()], steps.filter(|_| is_sequence)))
    }

    /// Differentiates the merge: splits the gradient of the output into those of the two layers' outputs.
    fn split_gradient(
        &self,
        dy: &[F],
        (widths, steps): ([usize; 2], Option<usize>),
        [first, second]: [&[F]; 2],
        [dfirst, dsecond]: [&mut [F]; 2],
    ) {
        let merged = dy.len() / (first.len() / widths[0]).max(1);
        for (row, dy) in dy.chunks_exact(merged).enumerate() {
            let (a, b) = (row * widths[0], beside(row, steps) * widths[1]);
            if self.merge_mode == MergeMode::Concat {
                let (to_first, to_second) = dy.split_at(widths[0]);
                dfirst[a..][..widths[0]].copy_from_slice(to_first);
                dsecond[b..][..widths[1]].copy_from_slice(to_second);
                continue;
            }
            for j in 0..widths[0] {
                (dfirst[a + j], dsecond[b + j]) = match self.merge_mode {
                    MergeMode::Concat | MergeMode::Sum => (dy[j], dy[j]),
                    MergeMode::Ave => (dy[j] * F::of(0.5), dy[j] * F::of(0.5)),
                    MergeMode::Mul => (dy[j] * second[b + j], dy[j] * first[a + j]),
                };
            }
        }
    }

    /// The two layers.
    fn layers(&self) -> [&Arc<dyn Layer<F>>; 2] {
        [&self.layer, self.backward_layer.as_ref().unwrap_or(&self.layer)]
    }

    /// What the plan of the second layer is, given that of the first.
    fn second_plan(&self, first: &Plan, input: &Shape) -> Result<Plan> {
        let Some(layer) = &self.backward_layer else { return Ok(first.clone()) };
        let second = layer.plan(input)?.input(input);
        if first.declares_reading_backwards() == second.declares_reading_backwards() {
            let expected =
                "a layer that reads in the other direction than the first one; say go_backwards(true) of it";
            let got = format!("{} that reads in the same direction", layer.kind());
            return Err(Error::invalid_parameter("bidirectional", "backward_layer", got, expected));
        }
        let (a, b) = (first.output_shape(), second.output_shape());
        let together = self.merge_mode == MergeMode::Concat && a.with_last(1) == b.with_last(1);
        if a != b && !together {
            let expected = match self.merge_mode {
                MergeMode::Concat => format!("an answer of shape {a}, but for the last axis"),
                _ => format!("an answer of shape {a}"),
            };
            return Err(Error::shape("bidirectional: backward_layer", expected, b));
        }
        Ok(second)
    }

    /// Has `compile` refuse layers that do not read a sequence.
    fn refuse_other_layers(&self, plan: Plan, plans: [&Plan; 2]) -> Plan {
        self.layers().into_iter().zip(plans).fold(plan, |plan, (layer, inner)| {
            if inner.declares_reading_sequence() {
                return plan;
            }
            let expected = "a recurrent layer inside it, such as Lstm, Gru or SimpleRnn";
            let got = format!(
                "{}, which reads no sequence; a recurrent layer of another crate declares Plan::reads_sequence",
                layer.kind()
            );
            plan.refused(expected, got)
        })
    }

    /// The values that come out.
    fn values_of(&self, plans: [&Plan; 2]) -> OutputValues {
        let [first, second] = plans.map(Plan::known_values);
        let between = matches!(self.merge_mode, MergeMode::Concat | MergeMode::Ave);
        if between && first == second { first } else { OutputValues::Unknown }
    }

    /// The mask of each output's steps, in the order in which the direction computes them.
    fn masks_of_answers<'m>(plan: &Plan, mask: Mask<'m>) -> [Mask<'m>; 2] {
        let backwards =
            plan.nested_layers().first().is_some_and(|first| first.plan.declares_reading_backwards());
        if backwards { [mask.reversed(), mask] } else { [mask, mask.reversed()] }
    }
}

/// Copies rows of `width` numbers, `steps` of them a sample, from the last to the first.
fn turn<F: Float>(from: &[F], steps: usize, width: usize, to: &mut [F]) {
    let samples = from.chunks_exact(steps * width).zip(to.chunks_exact_mut(steps * width));
    for (from, to) in samples {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width).rev()) {
            to.copy_from_slice(from);
        }
    }
}

/// Puts zeros at the padded steps of the answers that are sequences.
fn zero_padding<F: Float>(
    masks: Option<[Mask<'_>; 2]>,
    steps: Option<usize>,
    widths: [usize; 2],
    answers: [&mut [F]; 2],
) {
    let Some((masks, steps)) = masks.zip(steps) else { return };
    for ((answer, mask), width) in answers.into_iter().zip(masks).zip(widths) {
        for (row, numbers) in answer.chunks_exact_mut(width).enumerate() {
            if !mask.is_valid(row / steps, row % steps) {
                numbers.fill(F::zero());
            }
        }
    }
}

/// The row of the second output that is merged with row `row` of the first.
fn beside(row: usize, steps: Option<usize>) -> usize {
    steps.map_or(row, |steps| row / steps * steps + (steps - 1 - row % steps))
}

impl<F: Float> Layer<F> for Bidirectional<F> {
    crate::float::precompiled::into_arc!(Bidirectional<F>: Layer<F>);

    fn kind(&self) -> &'static str {
        "bidirectional"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if input.rank() != 2 || input.size() == 0 {
            return Err(Error::shape("bidirectional", "samples (steps, features)", input));
        }
        let inner = self.layer.plan(input)?.input(input);
        inner.check_size("bidirectional")?;
        let output = inner.output_shape().clone();
        let second = self.second_plan(&inner, input)?;
        second.check_size("bidirectional")?;
        let other = second.output_shape();
        let shape = match self.merge_mode {
            MergeMode::Concat => output.with_last(output.last().saturating_add(other.last())),
            _ => output.clone(),
        };
        let answers = output.size().saturating_add(other.size());
        let own = input.size().saturating_mul(2).saturating_add(answers.saturating_mul(2));
        let plan = Plan::output(shape).input(input).cache(own);
        let uses = inner.declares_using_mask() || second.declares_using_mask();
        let plan = if uses { plan.uses_mask() } else { plan };
        let plan = if inner.declares_passing_mask() { plan.passes_mask() } else { plan };
        let plan = self
            .refuse_other_layers(plan, [&inner, &second])
            .output_values(self.values_of([&inner, &second]));
        let plan = plan.nested("forward", inner).nested("backward", second).nested_penalties();
        check_depth("bidirectional", plan)
    }

    fn forward(&self, pass: Forward<'_, F>) {
        let Forward { x, mut y, params, cache, mut mode, mask, plan, backward_follows, .. } = pass;
        let parts = plan.and_then(|plan| {
            let blocks = Self::blocks(plan, x.nrows(), cache)?;
            Some((plan, plan.nested_layers(), Self::answer(plan)?, blocks))
        });
        let Some((plan, nested, (widths, steps), blocks)) = parts else { return y.fill(F::nan()) };
        let (Some(values), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let Blocks { turned, answers: [first, second], caches: [first_cache, second_cache], .. } = blocks;
        let [all_steps, features] = [plan.input_shape().dims()[0], plan.input_shape().last()];
        // A copy of the first layer reads the reversed sequence; a separate layer reverses it internally.
        let copied = self.backward_layer.is_none();
        turn(values, all_steps, features, turned);
        let seen = [values, if copied { &*turned } else { values }];
        let masks = [mask, mask.map(|mask| if copied { mask.reversed() } else { mask })];
        let places = [(&mut *first, first_cache), (&mut *second, second_cache)];
        let directions = nested.iter().zip(self.layers()).zip(seen.into_iter().zip(masks).zip(places));
        for (index, ((nested, layer), ((x, mask), (answer, cache)))) in directions.enumerate() {
            let outputs = nested.plan.output_shape().size();
            let mode = match mode.reborrow() {
                Mode::Train { rng, state } => {
                    Mode::Train { rng: rng.child(index), state: &mut state[nested.state.clone()] }
                }
                Mode::Infer { state } => Mode::Infer { state: &state[nested.state.clone()] },
            };
            let (x, answer) = (rows(x, all_steps * features), rows_mut(answer, outputs));
            let pass = Forward::new(x, answer, &params[nested.params.clone()], cache, mode);
            layer.forward(pass.masked(mask).planned(&nested.plan).before_backward(backward_follows));
        }
        let masks = mask.map(|mask| Self::masks_of_answers(plan, mask));
        zero_padding(masks, steps, widths, [&mut *first, &mut *second]);
        let merged = y.len() / (first.len() / widths[0]).max(1);
        for (row, y) in y.chunks_exact_mut(merged).enumerate() {
            let a = &first[row * widths[0]..][..widths[0]];
            let b = &second[beside(row, steps) * widths[1]..][..widths[1]];
            if self.merge_mode == MergeMode::Concat {
                y[..widths[0]].copy_from_slice(a);
                y[widths[0]..].copy_from_slice(b);
                continue;
            }
            for (y, (&a, &b)) in y.iter_mut().zip(a.iter().zip(b)) {
                *y = match self.merge_mode {
                    MergeMode::Mul => a * b,
                    MergeMode::Ave => (a + b) * F::of(0.5),
                    _ => a + b,
                };
            }
        }
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, samples, mask, plan, .. } = pass;
        let parts = plan.and_then(|plan| {
            let blocks = Self::blocks(plan, x.nrows(), cache)?;
            Some((plan, plan.nested_layers(), Self::answer(plan)?, blocks))
        });
        let Some((plan, nested, (widths, steps), blocks)) = parts else { return dx.fill(F::nan()) };
        let (Some(values), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else {
            return;
        };
        let Blocks { turned, dturned, answers: [first, second], danswers: [dfirst, dsecond], caches } =
            blocks;
        self.split_gradient(dy, (widths, steps), [&*first, &*second], [&mut *dfirst, &mut *dsecond]);
        let masks = mask.map(|mask| Self::masks_of_answers(plan, mask));
        zero_padding(masks, steps, widths, [&mut *dfirst, &mut *dsecond]);
        // Answers are 0 where they are padded, and so is the gradient of the penalty.
        for (nested, (y, dy)) in nested.iter().zip([(&*first, &mut *dfirst), (&*second, &mut *dsecond)]) {
            add_penalty_gradient(nested, samples, y, dy);
        }
        let [all_steps, features] = [plan.input_shape().dims()[0], plan.input_shape().last()];
        let inputs = all_steps * features;
        let [first_cache, second_cache] = caches;
        let copied = self.backward_layer.is_none();
        let seen = if copied { &*turned } else { values };
        let directions = [
            (values, mask, &*first, dfirst, &mut *dx, first_cache),
            (
                seen,
                mask.map(|mask| if copied { mask.reversed() } else { mask }),
                &*second,
                dsecond,
                &mut *dturned,
                second_cache,
            ),
        ];
        let layers = nested.iter().zip(self.layers());
        for ((nested, layer), (x, mask, y, dy, dx, cache)) in layers.zip(directions) {
            let outputs = nested.plan.output_shape().size();
            let pass = Backward::new(
                rows(x, inputs),
                rows(y, outputs),
                rows_mut(dy, outputs),
                rows_mut(dx, inputs),
                &params[nested.params.clone()],
                &mut grads[nested.params.clone()],
                cache,
            );
            layer.backward(pass.samples(samples).dx_needed(dx_needed).masked(mask).planned(&nested.plan));
        }
        if dx_needed {
            // What was turned round has its gradient turned back; the two add up.
            if copied {
                turn(dturned, all_steps, features, turned);
            }
            let second = if copied { turned } else { dturned };
            dx.iter_mut().zip(&*second).for_each(|(dx, &second)| *dx += second);
        }
    }

    fn carry(&self, Carry { cache, state, batch, plan }: Carry<'_, F>) {
        let Some(Blocks { caches, .. }) = Self::blocks(plan, batch, cache) else { return };
        for ((nested, layer), cache) in plan.nested_layers().iter().zip(self.layers()).zip(caches) {
            layer.carry(Carry::new(cache, &mut state[nested.state.clone()], batch, &nested.plan));
        }
    }

    fn activity_penalty(&self, ActivityPenalty { cache, y, plan }: ActivityPenalty<'_, F>) -> f64 {
        let batch = y.nrows();
        let mut begin = 2 * batch * plan.input_shape().size();
        let mut penalty = 0.0;
        for (layer, nested) in self.layers().into_iter().zip(plan.nested_layers()) {
            let outputs = batch * nested.plan.output_shape().size();
            penalty +=
                penalty_of(&**layer, nested, &cache[nested.cache(batch)], &cache[begin..begin + outputs]);
            begin += outputs;
        }
        penalty
    }

    fn config(&self) -> Option<Config> {
        let backward_layer = match &self.backward_layer {
            Some(layer) => Some(LayerConfig::of(&**layer)?),
            None => None,
        };
        let layer = LayerConfig::of(&*self.layer)?;
        Config::of(&Recipe { layer, merge_mode: self.merge_mode, backward_layer })
    }
}
