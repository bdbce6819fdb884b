//! The optimizer at work: the rule, its moments, and what is done around it, in Keras's order.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layout::{Layout, zeros};
use crate::nn::optimizer::{LearningRate, Modifiers, Optimizer, Step, Tuned, WeightArray};
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
    /// The rule's moments, run by run; then the moving averages and the accumulated gradients of all runs, where
    /// the modifiers ask for them.
    pub(crate) moments: Vec<F>,
    moments_per_param: usize,
    trainable: usize,
    /// How many steps have been made.
    pub(crate) iterations: u64,
}

/// Parameters that lie side by side and are moved.
#[derive(Debug)]
struct Run {
    params: Range<usize>,
    arrays: Vec<WeightArray>,
    /// Which of the parameters decay.
    decaying: Vec<Range<usize>>,
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
        let runs: Arc<[Run]> =
            layout.trainable_runs().into_iter().map(|params| Run::new(params, layout, &modifiers)).collect();
        let trainable: usize = runs.iter().map(|run| run.params.len()).sum();
        let moments_per_param = rule.moments().len();
        let buffers = Self::buffers(&*rule, &modifiers);
        let mut updater = Self {
            rule,
            compiled_rate: learning_rate.clone(),
            learning_rate,
            modifiers,
            runs,
            moments: zeros("the optimizer's moments", trainable.saturating_mul(buffers))?,
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
        let mut rest = self.moments.as_mut_slice();
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

    /// One step: accumulate, clip, decay, move, average, constrain.
    pub(crate) fn step(&mut self, layout: &Layout<F>, params: &mut [F], grads: &mut [F]) {
        if self.accumulated(grads) {
            self.clip(layout, grads);
            self.decay(params);
            self.apply_rule(params, grads);
        }
        self.average(params);
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            if let Some(constraint) = variable.constraint {
                constraint.apply(variable.shape.dims(), &mut params[variable.range.clone()]);
            }
        }
        self.iterations += 1;
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

    fn decay(&self, params: &mut [F]) {
        let Some(decay) = self.modifiers.weight_decay else { return };
        let factor = F::of(decay * self.current_rate());
        for decaying in self.runs.iter().flat_map(|run| &run.decaying) {
            let params = &mut params[decaying.clone()];
            vectorize(
                #[inline(always)]
                || params.iter_mut().for_each(|w| *w -= *w * factor),
            );
        }
    }

    fn apply_rule(&mut self, params: &mut [F], grads: &[F]) {
        let (learning_rate, number) = (self.current_rate(), self.updates() + 1);
        let mut moments = self.moments.as_mut_slice();
        for run in &*self.runs {
            let (own, rest) = moments.split_at_mut(run.params.len() * self.moments_per_param);
            let (params, grads) = (&mut params[run.params.clone()], &grads[run.params.clone()]);
            self.rule.update(Step::new(params, grads, own, learning_rate, number).arrays(&run.arrays));
            moments = rest;
        }
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

    fn clip(&self, layout: &Layout<F>, grads: &mut [F]) {
        if let Some(limit) = self.modifiers.clipvalue {
            let limit = F::of(limit);
            for run in &*self.runs {
                let grads = &mut grads[run.params.clone()];
                vectorize(
                    #[inline(always)]
                    || grads.iter_mut().for_each(|g| *g = g.max(-limit).min(limit)),
                );
            }
        }
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

impl Run {
    fn new<F>(params: Range<usize>, layout: &Layout<F>, modifiers: &Modifiers) -> Self {
        let mut run = Self { params: params.clone(), arrays: Vec::new(), decaying: Vec::new() };
        let inside = |range: &Range<usize>| params.start <= range.start && range.end <= params.end;
        for variable in
            layout.variables.iter().filter(|variable| variable.trainable && inside(&variable.range))
        {
            let range = variable.range.clone();
            let in_run = range.start - params.start..range.end - params.start;
            run.arrays.push(WeightArray::new(in_run, variable.shape.clone()));
            if modifiers.exclude_from_weight_decay.iter().any(|part| variable.name.contains(part.as_str())) {
                continue;
            }
            match run.decaying.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => run.decaying.push(range),
            }
        }
        run
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
