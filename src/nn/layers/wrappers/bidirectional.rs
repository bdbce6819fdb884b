//! A sequence read in both directions.

use super::check_depth;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, InnerLayers, Layer, LayerConfig, Mask, Mode, Plan, Shape};
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

/// Reads a sequence with one layer from the beginning and with a copy of it from the end, each with weights of
/// its own. Where the layer answers with a sequence, the second answer is turned round, so that the steps of
/// both lie beside each other.
///
/// Where a layer before makes a mask (see [`Masking`](crate::nn::Masking)), both directions pass over padded steps, and
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
/// In `compile`: samples other than (steps, features); a layer that declares an activation of its output; what
/// the layer says.
///
/// # Examples
/// ```
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
    merge_mode: MergeMode,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    layer: LayerConfig,
    #[serde(default)]
    merge_mode: MergeMode,
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
        Self { layer: Arc::new(layer), merge_mode: MergeMode::Concat }
    }

    /// How the two answers become one; beside each other by default.
    #[must_use]
    pub fn merge_mode(mut self, merge_mode: MergeMode) -> Self {
        self.merge_mode = merge_mode;
        self
    }

    pub(in super::super) fn from_config(config: &Config, inner: &InnerLayers<'_, F>) -> Result<Self> {
        let Recipe { layer, merge_mode } = config.read("bidirectional")?;
        Ok(Self { layer: inner(layer.kind(), &layer.config())?, merge_mode })
    }

    fn blocks<'a>(plan: &Plan, batch: usize, cache: &'a mut [F]) -> Option<Blocks<'a, F>> {
        let [first, second] = plan.nested_layers() else { return None };
        let inputs = batch * first.plan.input_shape().size();
        let outputs = batch * first.plan.output_shape().size();
        let (first, second) = (first.cache(batch), second.cache(batch));
        let (own, caches) = cache.split_at_mut(first.start);
        let (first_cache, second_cache) = caches.split_at_mut(second.start - first.start);
        let (turned, own) = own.split_at_mut(inputs);
        let (dturned, own) = own.split_at_mut(inputs);
        let (first_answer, own) = own.split_at_mut(outputs);
        let (second_answer, own) = own.split_at_mut(outputs);
        let (first_danswer, second_danswer) = own.split_at_mut(outputs);
        Some(Blocks {
            turned,
            dturned,
            answers: [first_answer, second_answer],
            danswers: [first_danswer, second_danswer],
            caches: [&mut first_cache[..first.len()], &mut second_cache[..second.len()]],
        })
    }

    /// The answer's width along its last axis, and its steps where it is a sequence.
    fn answer(plan: &Plan) -> Option<(usize, Option<usize>)> {
        let output = plan.nested_layers().first()?.plan.output_shape();
        let steps = plan.input_shape().dims().first().copied();
        let is_sequence = output.rank() == 2 && output.dims().first().copied() == steps;
        Some((output.last(), steps.filter(|_| is_sequence)))
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

/// Puts zeros at the padded steps of two sequences, the second of which is turned round.
fn zero_padding<F: Float>(
    mask: Option<Mask<'_>>,
    steps: Option<usize>,
    width: usize,
    first: &mut [F],
    second: &mut [F],
) {
    let Some((mask, steps)) = mask.zip(steps) else { return };
    for (sequence, mask) in [(first, mask), (second, mask.turned())] {
        for (row, numbers) in sequence.chunks_exact_mut(width).enumerate() {
            if !mask.is_real(row / steps, row % steps) {
                numbers.fill(F::zero());
            }
        }
    }
}

/// The row of the second answer that stands beside row `row` of the first.
fn beside(row: usize, steps: Option<usize>) -> usize {
    steps.map_or(row, |steps| row / steps * steps + (steps - 1 - row % steps))
}

impl<F: Float> Layer<F> for Bidirectional<F> {
    fn kind(&self) -> &'static str {
        "bidirectional"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if input.rank() != 2 || input.size() == 0 {
            return Err(Error::shape("bidirectional", "samples (steps, features)", input));
        }
        let inner = self.layer.plan(input)?.input(input);
        let output = inner.output_shape().clone();
        let shape = match self.merge_mode {
            MergeMode::Concat => output.with_last(output.last().saturating_mul(2)),
            _ => output.clone(),
        };
        let own = input.size().saturating_mul(2).saturating_add(output.size().saturating_mul(4));
        let plan = Plan::output(shape).input(input).cache(own);
        let plan = if inner.declares_using_mask() { plan.uses_mask() } else { plan };
        let plan = if inner.declares_passing_mask() { plan.passes_mask() } else { plan };
        check_depth("bidirectional", plan.nested("forward", inner.clone()).nested("backward", inner))
    }

    fn forward(&self, pass: Forward<'_, F>) {
        let Forward { x, mut y, params, cache, mut mode, mask, plan, .. } = pass;
        let parts = plan.and_then(|plan| {
            let blocks = Self::blocks(plan, x.nrows(), cache)?;
            Some((plan, plan.nested_layers(), Self::answer(plan)?, blocks))
        });
        let Some((plan, nested, (width, steps), blocks)) = parts else { return y.fill(F::nan()) };
        let (Some(values), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let Blocks { turned, answers: [first, second], caches: [first_cache, second_cache], .. } = blocks;
        let [all_steps, features] = [plan.input_shape().dims()[0], plan.input_shape().last()];
        turn(values, all_steps, features, turned);
        let outputs = nested[0].plan.output_shape().size();
        for (index, (nested, (x, (answer, cache)))) in nested
            .iter()
            .zip(
                [values, &*turned]
                    .into_iter()
                    .zip([(&mut *first, first_cache), (&mut *second, second_cache)]),
            )
            .enumerate()
        {
            let mode = match mode.reborrow() {
                Mode::Train { rng, state } => {
                    Mode::Train { rng: rng.child(index), state: &mut state[nested.state.clone()] }
                }
                Mode::Infer { state } => Mode::Infer { state: &state[nested.state.clone()] },
            };
            let (x, answer) = (rows(x, all_steps * features), rows_mut(answer, outputs));
            let pass = Forward::new(x, answer, &params[nested.params.clone()], cache, mode);
            let mask = if index == 0 { mask } else { mask.map(Mask::turned) };
            self.layer.forward(pass.masked(mask).planned(&nested.plan));
        }
        zero_padding(mask, steps, width, first, second);
        let merged = y.len() / (first.len() / width).max(1);
        for (row, y) in y.chunks_exact_mut(merged).enumerate() {
            let (a, b) = (&first[row * width..][..width], &second[beside(row, steps) * width..][..width]);
            if self.merge_mode == MergeMode::Concat {
                y[..width].copy_from_slice(a);
                y[width..].copy_from_slice(b);
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
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, mask, plan, .. } = pass;
        let parts = plan.and_then(|plan| {
            let blocks = Self::blocks(plan, x.nrows(), cache)?;
            Some((plan, plan.nested_layers(), Self::answer(plan)?, blocks))
        });
        let Some((plan, nested, (width, steps), blocks)) = parts else { return dx.fill(F::nan()) };
        let (Some(values), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else {
            return;
        };
        let Blocks { turned, dturned, answers: [first, second], danswers: [dfirst, dsecond], caches } =
            blocks;
        let merged = dy.len() / (first.len() / width).max(1);
        for (row, dy) in dy.chunks_exact(merged).enumerate() {
            let (a, b) = (row * width, beside(row, steps) * width);
            for j in 0..width {
                (dfirst[a + j], dsecond[b + j]) = match self.merge_mode {
                    MergeMode::Concat => (dy[j], dy[width + j]),
                    MergeMode::Sum => (dy[j], dy[j]),
                    MergeMode::Ave => (dy[j] * F::of(0.5), dy[j] * F::of(0.5)),
                    MergeMode::Mul => (dy[j] * second[b + j], dy[j] * first[a + j]),
                };
            }
        }
        zero_padding(mask, steps, width, dfirst, dsecond);
        let [all_steps, features] = [plan.input_shape().dims()[0], plan.input_shape().last()];
        let (inputs, outputs) = (all_steps * features, nested[0].plan.output_shape().size());
        let [first_cache, second_cache] = caches;
        let directions = [
            (values, &*first, dfirst, &mut *dx, first_cache),
            (&*turned, &*second, dsecond, &mut *dturned, second_cache),
        ];
        let masks = [mask, mask.map(Mask::turned)];
        for ((nested, mask), (x, y, dy, dx, cache)) in nested.iter().zip(masks).zip(directions) {
            let pass = Backward::new(
                rows(x, inputs),
                rows(y, outputs),
                rows_mut(dy, outputs),
                rows_mut(dx, inputs),
                &params[nested.params.clone()],
                &mut grads[nested.params.clone()],
                cache,
            );
            self.layer.backward(pass.dx_needed(dx_needed).masked(mask).planned(&nested.plan));
        }
        if dx_needed {
            // The sequence was turned round, so its gradient is turned back; the two add up.
            turn(dturned, all_steps, features, turned);
            dx.iter_mut().zip(&*turned).for_each(|(dx, &turned)| *dx += turned);
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(&Recipe { layer: LayerConfig::of(&*self.layer)?, merge_mode: self.merge_mode })
    }
}
