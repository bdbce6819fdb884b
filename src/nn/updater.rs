//! The optimizer at work: the rule, its moments, and what is done around it, in Keras's order.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layout::{Layout, zeros};
use crate::nn::optimizer::{LearningRate, Modifiers, Optimizer, Step, Tuned};
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
    /// The runs of parameters that are moved, each with its moments one after the other.
    runs: Vec<Range<usize>>,
    pub(crate) moments: Vec<F>,
    moments_per_param: usize,
    /// How many steps have been made.
    pub(crate) iterations: u64,
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
        let initial = rule.moments();
        let runs = layout.trainable_runs();
        let trainable: usize = runs.iter().map(ExactSizeIterator::len).sum();
        let mut updater = Self {
            rule,
            compiled_rate: learning_rate.clone(),
            learning_rate,
            modifiers,
            runs,
            moments: zeros("the optimizer's moments", trainable.saturating_mul(initial.len()))?,
            moments_per_param: initial.len(),
            iterations: 0,
        };
        updater.reset();
        Ok(updater)
    }

    /// Forgets every step that was made.
    pub(crate) fn reset(&mut self) {
        let initial = self.rule.moments();
        let mut rest = self.moments.as_mut_slice();
        for run in &self.runs {
            for &value in &initial {
                let (moment, behind) = rest.split_at_mut(run.len());
                moment.fill(F::of(value));
                rest = behind;
            }
        }
        self.iterations = 0;
        self.learning_rate = self.compiled_rate.clone();
    }

    /// The learning rate of the next step.
    pub(crate) fn current_rate(&self) -> f64 {
        self.learning_rate.at(self.iterations)
    }

    /// One step: clip, decay, move.
    pub(crate) fn step(&mut self, layout: &Layout<F>, params: &mut [F], grads: &mut [F]) {
        let learning_rate = self.current_rate();
        self.clip(layout, grads);
        if let Some(decay) = self.modifiers.weight_decay {
            let factor = F::of(decay * learning_rate);
            for run in &self.runs {
                let params = &mut params[run.clone()];
                vectorize(|| params.iter_mut().for_each(|w| *w -= *w * factor));
            }
        }
        let number = self.iterations + 1;
        let mut moments = self.moments.as_mut_slice();
        for run in &self.runs {
            let (own, rest) = moments.split_at_mut(run.len() * self.moments_per_param);
            let (params, grads) = (&mut params[run.clone()], &grads[run.clone()]);
            self.rule.update(Step { params, grads, moments: own, learning_rate, number });
            moments = rest;
        }
        self.iterations = number;
    }

    fn clip(&self, layout: &Layout<F>, grads: &mut [F]) {
        if let Some(limit) = self.modifiers.clipvalue {
            let limit = F::of(limit);
            for run in &self.runs {
                grads[run.clone()].iter_mut().for_each(|g| *g = g.clamp(-limit, limit));
            }
        }
        if let Some(limit) = self.modifiers.clipnorm {
            for variable in layout.variables.iter().filter(|variable| variable.trainable) {
                let grads = &mut grads[variable.range.clone()];
                scale_down(squares(grads).sqrt(), limit, grads);
            }
        }
        if let Some(limit) = self.modifiers.global_clipnorm {
            let norm = self.runs.iter().map(|run| squares(&grads[run.clone()])).sum::<f64>().sqrt();
            for run in &self.runs {
                scale_down(norm, limit, &mut grads[run.clone()]);
            }
        }
    }
}

fn squares<F: Float>(values: &[F]) -> f64 {
    values.iter().map(|v| v.as_f64() * v.as_f64()).sum()
}

fn scale_down<F: Float>(norm: f64, limit: f64, grads: &mut [F]) {
    if norm > limit {
        let factor = F::of(limit / norm);
        grads.iter_mut().for_each(|g| *g *= factor);
    }
}
