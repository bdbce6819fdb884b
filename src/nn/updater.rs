//! The optimizer at work: the rule, its moments, and what is done around it, in Keras's order.

use crate::buffer::Buffer;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layout::Layout;
use crate::nn::optimizer::{LearningRate, Modifiers, Optimizer, Step, Tuned, WeightArray};
use crate::parallel;
use crate::simd::vectorize;
use std::ops::Range;
use std::sync::Arc;

/// The optimizer of a compiled model with everything it remembers.
#[derive(Debug, Clone)]
pub(crate) struct Updater<F> {
    pub(crate) rule: Arc<dyn Optimizer<F>>,
    pub(crate) learning_rate: LearningRate,
    /// The learning rate as compiled, which callbacks may have replaced.
    pub(crate) compiled_rate: LearningRate,
    pub(crate) modifiers: Modifiers,
    runs: Arc<[Run]>,
    /// For each layer, which of the runs are parts of its parameters that move by themselves.
    parts: Arc<[Range<usize>]>,
    /// The rule's moments, run by run; then the moving averages and the accumulated gradients of all runs, where
    /// the modifiers ask for them.
    moments: Buffer<F>,
    moments_per_param: usize,
    trainable: usize,
    /// How many steps have been made.
    pub(crate) iterations: u64,
}

/// Parameters that lie side by side and are moved together.
#[derive(Debug)]
struct Run {
    params: Range<usize>,
    /// How many numbers the runs before it move.
    first: usize,
    arrays: Vec<WeightArray>,
    /// Which of the parameters decay, counted from the first of the run.
    decaying: Vec<Range<usize>>,
    /// Whether it is a part of a layer's parameters that moves by itself.
    part: bool,
}

/// The numbers of a part: gradients, parameters and moments of it fit the first- or second-level cache.
const PART: usize = 4096;

/// The most parts whose gradient is computed in one product.
const PARTS_AT_ONCE: usize = 8;

/// The numbers of one update.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    rate: f64,
    update: u64,
    clipvalue: Option<f64>,
    decay: Option<f64>,
    moments_per_param: usize,
}

impl<F: Float> Updater<F> {
    pub(crate) fn new<R: Optimizer<F> + 'static>(optimizer: Tuned<R>, layout: &Layout<F>) -> Result<Self> {
        optimizer.validate()?;
        let (rule, learning_rate, modifiers) = optimizer.into_parts();
        Self::of_parts(Arc::new(rule), learning_rate, modifiers, layout)
    }

    /// The updater of an optimizer that has been validated.
    pub(crate) fn of_parts(
        rule: Arc<dyn Optimizer<F>>,
        learning_rate: LearningRate,
        modifiers: Modifiers,
        layout: &Layout<F>,
    ) -> Result<Self> {
        let whole = modifiers.clipnorm.is_some()
            || modifiers.global_clipnorm.is_some()
            || modifiers.accumulate.is_some();
        let (runs, parts) = runs_of(layout, &modifiers, rule.elementwise() && !whole);
        let trainable: usize = runs.iter().map(|run| run.params.len()).sum();
        let moments_per_param = rule.moments().len();
        let buffers = Self::buffers(&*rule, &modifiers);
        let mut updater = Self {
            rule,
            compiled_rate: learning_rate.clone(),
            learning_rate,
            modifiers,
            runs: runs.into(),
            parts: parts.into(),
            moments: Buffer::zeros("the optimizer's moments", trainable.saturating_mul(buffers))?,
            moments_per_param,
            trainable,
            iterations: 0,
        };
        updater.reset();
        Ok(updater)
    }

    /// How many numbers are remembered for each parameter that is moved.
    pub(crate) fn buffers(rule: &dyn Optimizer<F>, modifiers: &Modifiers) -> usize {
        rule.moments().len()
            + usize::from(modifiers.ema.is_some())
            + usize::from(modifiers.accumulate.is_some())
    }

    /// Forgets every step that was made.
    pub(crate) fn reset(&mut self) {
        let initial = self.rule.moments();
        let mut rest = &mut *self.moments;
        for run in &*self.runs {
            for &value in &initial {
                let (moment, behind) = rest.split_at_mut(run.params.len());
                moment.fill(F::of(value));
                rest = behind;
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

    /// How many updates have been made: one in several steps where gradients are accumulated.
    fn updates(&self) -> u64 {
        self.iterations / self.modifiers.accumulate.unwrap_or(1)
    }

    /// Whether the parameters of a layer are moved by [`move_parts`](Self::move_parts).
    pub(crate) fn moves_parts(&self, node: usize) -> bool {
        self.parts.get(node).is_some_and(|parts| !parts.is_empty())
    }

    /// How many numbers of gradients [`move_parts`](Self::move_parts) needs room for, for each thread that takes part.
    pub(crate) fn room_for_parts(&self) -> usize {
        let longest =
            self.runs.iter().filter(|run| run.part).map(|run| run.params.len()).max().unwrap_or_default();
        longest * PARTS_AT_ONCE
    }

    /// What gradients are multiplied with where that and adding them is all of an update.
    pub(crate) fn linear(&self) -> Option<F> {
        let plain = self.modifiers.clipvalue.is_none() && self.modifiers.weight_decay.is_none();
        self.rule.linear(self.current_rate()).filter(|_| plain).map(F::of)
    }

    /// Moves the parameters of a layer in parts, each as soon as `gradient` has computed the gradient toward it; that
    /// is handed places among the layer's parameters.
    pub(crate) fn move_parts(
        &mut self,
        node: usize,
        batch: usize,
        params: &mut [F],
        moves: Moves<'_, F>,
        gradient: &(dyn Fn(Range<usize>, &mut [F]) + Sync),
    ) {
        let numbers = self.numbers();
        let runs = &self.runs[self.parts[node].clone()];
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
        let moments = first.first * self.moments_per_param;
        let len = last.params.end - first.params.start;
        let parts = Parts {
            rule: &*self.rule,
            numbers,
            origin: first.params.start,
            runs,
            params: &mut params[first.params.start..last.params.end],
            moments: &mut self.moments[moments..][..len * self.moments_per_param],
            // The more rows a batch has, the more a product of few parameters has to read.
            at_once: (batch / 4).clamp(1, PARTS_AT_ONCE),
            gradient,
        };
        parts.run(len.saturating_mul(batch + 8), moves);
    }

    fn numbers(&self) -> Numbers {
        Numbers {
            rate: self.current_rate(),
            update: self.updates() + 1,
            clipvalue: self.modifiers.clipvalue,
            decay: self.modifiers.weight_decay,
            moments_per_param: self.moments_per_param,
        }
    }

    /// The rest of a step, where the parts have been moved: accumulate, clip, decay, move, average, constrain.
    pub(crate) fn step(&mut self, layout: &Layout<F>, params: &mut [F], grads: &mut [F]) {
        if self.accumulated(grads) {
            self.clip_norms(layout, grads);
            let numbers = self.numbers();
            for run in self.runs.iter().filter(|run| !run.part) {
                let moments = run.first * self.moments_per_param;
                let moments = &mut self.moments[moments..][..run.params.len() * self.moments_per_param];
                let (params, grads) = (&mut params[run.params.clone()], &mut grads[run.params.clone()]);
                numbers.apply(&*self.rule, run, params, grads, moments);
            }
        }
        self.average(params);
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            if let Some(constraint) = variable.constraint {
                constraint.apply(variable.shape.dims(), &mut params[variable.range.clone()]);
            }
        }
        self.iterations += 1;
    }

    /// How many numbers the optimizer remembers.
    pub(crate) fn moments_len(&self) -> usize {
        self.moments.len()
    }

    /// The places of what the optimizer remembers, in the order of files: moment by moment for parameters that lie
    /// side by side, in however many parts they are moved.
    pub(crate) fn moments_order(&self) -> Vec<Range<usize>> {
        let mut order = Vec::new();
        for runs in self.runs.chunk_by(|before, after| before.params.end == after.params.start) {
            for moment in 0..self.moments_per_param {
                order.extend(runs.iter().map(|run| {
                    let start = run.first * self.moments_per_param + moment * run.params.len();
                    start..start + run.params.len()
                }));
            }
        }
        order.push(self.trainable * self.moments_per_param..self.moments.len());
        order
    }

    /// Some of what the optimizer remembers.
    pub(crate) fn moments_mut(&mut self, places: Range<usize>) -> &mut [F] {
        &mut self.moments[places]
    }

    /// Writes what the optimizer remembers to `out`, in the order of files.
    pub(crate) fn copy_moments_to(&self, out: &mut [F]) {
        let mut rest = out;
        for places in self.moments_order() {
            let (own, behind) = rest.split_at_mut(places.len());
            own.copy_from_slice(&self.moments[places]);
            rest = behind;
        }
    }

    /// Takes over what [`copy_moments_to`](Self::copy_moments_to) has written.
    pub(crate) fn copy_moments_from(&mut self, moments: &[F]) {
        let mut rest = moments;
        for places in self.moments_order() {
            let (own, behind) = rest.split_at(places.len());
            self.moments[places].copy_from_slice(own);
            rest = behind;
        }
    }

    /// Adds the gradients to those kept. Where it is time to move, `grads` becomes their mean.
    fn accumulated(&mut self, grads: &mut [F]) -> bool {
        let Some(steps) = self.modifiers.accumulate else { return true };
        let complete = (self.iterations + 1).is_multiple_of(steps);
        #[allow(clippy::cast_precision_loss, reason = "a number of steps")]
        let share = F::of(1.0 / steps as f64);
        let mut kept = &mut self.moments[self.trainable * self.moments_per_param..];
        if self.modifiers.ema.is_some() {
            kept = kept.split_at_mut(self.trainable).1;
        }
        for run in &*self.runs {
            let (own, rest) = kept.split_at_mut(run.params.len());
            kept = rest;
            for (kept, g) in own.iter_mut().zip(&mut grads[run.params.clone()]) {
                *kept += *g;
                if complete {
                    *g = *kept * share;
                    *kept = F::zero();
                }
            }
        }
        complete
    }

    /// Takes the weights into their moving average, which replaces them now and then.
    fn average(&mut self, params: &mut [F]) {
        let Some(momentum) = self.modifiers.ema else { return };
        let updates = self.updates();
        // The first average is the weights themselves.
        let (old, new) =
            if updates == 0 { (F::zero(), F::one()) } else { (F::of(momentum), F::of(1.0 - momentum)) };
        let overwrite =
            self.modifiers.ema_overwrite_frequency.is_some_and(|steps| (updates + 1).is_multiple_of(steps));
        self.each_average(params, |average, params| {
            vectorize(
                #[inline(always)]
                || {
                    average
                        .iter_mut()
                        .zip(&*params)
                        .for_each(|(average, &w)| *average = old * *average + new * w);
                },
            );
            if overwrite {
                params.copy_from_slice(average);
            }
        });
    }

    /// Lets the moving averages take the weights' place at the end of a `fit`, as Keras does.
    pub(crate) fn finish(&mut self, params: &mut [F]) {
        if self.modifiers.ema.is_some() && self.iterations > 0 {
            self.each_average(params, |average, params| params.copy_from_slice(average));
        }
    }

    fn each_average(&mut self, params: &mut [F], mut visit: impl FnMut(&mut [F], &mut [F])) {
        let mut averages = &mut self.moments[self.trainable * self.moments_per_param..];
        for run in &*self.runs {
            let (own, rest) = averages.split_at_mut(run.params.len());
            visit(own, &mut params[run.params.clone()]);
            averages = rest;
        }
    }

    fn clip_norms(&self, layout: &Layout<F>, grads: &mut [F]) {
        if let Some(limit) = self.modifiers.clipnorm {
            for variable in layout.variables.iter().filter(|variable| variable.trainable) {
                let grads = &mut grads[variable.range.clone()];
                scale_down(squares(grads).sqrt(), limit, grads);
            }
        }
        if let Some(limit) = self.modifiers.global_clipnorm {
            let norm = self.runs.iter().map(|run| squares(&grads[run.params.clone()])).sum::<f64>().sqrt();
            for run in &*self.runs {
                scale_down(norm, limit, &mut grads[run.params.clone()]);
            }
        }
    }
}

/// How parts are moved.
#[derive(Debug)]
pub(crate) enum Moves<'a, F> {
    /// Their gradients are computed in this room.
    Computed(&'a mut [F]),
    /// Their gradients are added to them.
    Added,
}

/// Parts of one layer's parameters that are to be moved.
struct Parts<'a, F> {
    rule: &'a dyn Optimizer<F>,
    numbers: Numbers,
    /// Where the layer's parameters begin among all.
    origin: usize,
    runs: &'a [Run],
    params: &'a mut [F],
    moments: &'a mut [F],
    at_once: usize,
    gradient: &'a (dyn Fn(Range<usize>, &mut [F]) + Sync),
}

impl<F: Float> Parts<'_, F> {
    /// By as many threads as there is room for, where the operations make that worth while.
    fn run(self, operations: usize, moves: Moves<'_, F>) {
        if !self.pays_to_fork(operations, &moves) {
            return self.by_one(moves);
        }
        let longest = self.longest();
        let Self { rule, numbers, origin, runs, params, moments, at_once, gradient } = self;
        let (left, right) = runs.split_at(runs.len() / 2);
        let cut = left.iter().map(|run| run.params.len()).sum::<usize>();
        let (left_params, right_params) = params.split_at_mut(cut);
        let (left_moments, right_moments) = moments.split_at_mut(cut * numbers.moments_per_param);
        let (left_moves, right_moves) = match moves {
            Moves::Computed(room) => {
                let threads = room.len() / (longest * PARTS_AT_ONCE);
                let (left, right) = room.split_at_mut(threads / 2 * longest * PARTS_AT_ONCE);
                (Moves::Computed(left), Moves::Computed(right))
            }
            Moves::Added => (Moves::Added, Moves::Added),
        };
        let left = Parts {
            rule,
            numbers,
            origin,
            runs: left,
            params: left_params,
            moments: left_moments,
            at_once,
            gradient,
        };
        let right = Parts {
            rule,
            numbers,
            origin,
            runs: right,
            params: right_params,
            moments: right_moments,
            at_once,
            gradient,
        };
        let part = operations / 2;
        parallel::join(|| left.run_part(part, left_moves), || right.run_part(part, right_moves));
    }

    /// What a thread has got by a fork: it is shared again here, or not at all.
    fn run_part(self, operations: usize, moves: Moves<'_, F>) {
        if self.pays_to_fork(operations, &moves) {
            return self.run(operations, moves);
        }
        parallel::sequentially(|| self.by_one(moves));
    }

    fn pays_to_fork(&self, operations: usize, moves: &Moves<'_, F>) -> bool {
        let enough = match moves {
            Moves::Computed(room) => room.len() >= 2 * self.longest() * PARTS_AT_ONCE,
            Moves::Added => true,
        };
        self.runs.len() > 1 && enough && parallel::should_fork(operations)
    }

    /// The parameters of the longest part.
    fn longest(&self) -> usize {
        self.runs.iter().map(|run| run.params.len()).max().unwrap_or_default()
    }

    fn by_one(self, moves: Moves<'_, F>) {
        let (mut params, mut moments) = (self.params, self.moments);
        let room = match moves {
            Moves::Computed(room) => room,
            Moves::Added => {
                let (Some(first), Some(last)) = (self.runs.first(), self.runs.last()) else { return };
                let places = first.params.start - self.origin..last.params.end - self.origin;
                return (self.gradient)(places, params);
            }
        };
        for runs in self.runs.chunks(self.at_once) {
            let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
            let mut grads = &mut room[..last.params.end - first.params.start];
            (self.gradient)(first.params.start - self.origin..last.params.end - self.origin, grads);
            for run in runs {
                let len = run.params.len();
                let (own_grads, other_grads) = std::mem::take(&mut grads).split_at_mut(len);
                let (own_params, other_params) = std::mem::take(&mut params).split_at_mut(len);
                let (own_moments, other_moments) =
                    std::mem::take(&mut moments).split_at_mut(len * self.numbers.moments_per_param);
                self.numbers.apply(self.rule, run, own_params, own_grads, own_moments);
                (grads, params, moments) = (other_grads, other_params, other_moments);
            }
        }
    }
}

impl Numbers {
    /// Clips, decays and moves the parameters of one run.
    fn apply<F: Float>(
        &self,
        rule: &dyn Optimizer<F>,
        run: &Run,
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
        if let Some(decay) = self.decay {
            let factor = F::of(decay * self.rate);
            for decaying in &run.decaying {
                let params = &mut params[decaying.clone()];
                vectorize(
                    #[inline(always)]
                    || params.iter_mut().for_each(|w| *w -= *w * factor),
                );
            }
        }
        rule.update(Step::new(params, grads, moments, self.rate, self.update).arrays(&run.arrays));
    }
}

/// The runs of parameters that are moved, and for each layer which of them are parts of its own. With `in_parts`, layers
/// that tell their gradient by rows, and have no penalty to be added to it, are cut into parts.
fn runs_of<F: Float>(
    layout: &Layout<F>,
    modifiers: &Modifiers,
    in_parts: bool,
) -> (Vec<Run>, Vec<Range<usize>>) {
    let mut runs: Vec<Run> = Vec::new();
    let mut parts = Vec::with_capacity(layout.nodes.len());
    for node in &layout.nodes {
        let before = runs.len();
        let rows = node.plan.declared_gradient_rows().filter(|_| in_parts && node.trainable);
        let penalized = node.plan.params().iter().any(|param| param.regularizer.is_some());
        if let (Some(row), false) = (rows, penalized) {
            let len = (PART / row).max(1) * row;
            for start in node.params.clone().step_by(len) {
                runs.push(Run::new(start..(start + len).min(node.params.end), true));
            }
        } else if node.trainable && !node.params.is_empty() {
            match runs.last_mut() {
                Some(run) if !run.part && run.params.end == node.params.start => {
                    run.params.end = node.params.end
                }
                _ => runs.push(Run::new(node.params.clone(), false)),
            }
            parts.push(0..0);
            continue;
        }
        parts.push(before..runs.len());
    }
    let mut first = 0;
    for run in &mut runs {
        run.first = first;
        first += run.params.len();
        run.look_up(layout, modifiers);
    }
    (runs, parts)
}

impl Run {
    fn new(params: Range<usize>, part: bool) -> Self {
        Self { params, first: 0, arrays: Vec::new(), decaying: Vec::new(), part }
    }

    /// Finds the arrays that the run is made of, and which of its numbers decay.
    fn look_up<F>(&mut self, layout: &Layout<F>, modifiers: &Modifiers) {
        let Range { start, end } = self.params;
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            let range = variable.range.start.max(start)..variable.range.end.min(end);
            if range.is_empty() {
                continue;
            }
            let in_run = range.start - start..range.end - start;
            if !self.part {
                self.arrays.push(WeightArray::new(in_run.clone(), variable.shape.clone()));
            }
            if modifiers.exclude_from_weight_decay.iter().any(|part| variable.name.contains(part.as_str())) {
                continue;
            }
            match self.decaying.last_mut() {
                Some(last) if last.end == in_run.start => last.end = in_run.end,
                _ => self.decaying.push(in_run),
            }
        }
    }
}

/// The sum of squares, in eight partial sums.
fn squares<F: Float>(values: &[F]) -> f64 {
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

fn scale_down<F: Float>(norm: f64, limit: f64, grads: &mut [F]) {
    if norm > limit {
        let factor = F::of(limit / norm);
        vectorize(
            #[inline(always)]
            || grads.iter_mut().for_each(|g| *g *= factor),
        );
    }
}
