//! One training step: gather, forward, loss, backward, update.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg::matrix;
use crate::nn::layer::Gradient;
use crate::nn::layout::zeros;
use crate::nn::model::Model;
use crate::nn::model::evaluate::Scores;
use crate::nn::model::inputs::LabeledSamples;
use crate::nn::optimizer_state::GradTarget;
use crate::nn::targets::Prepared;
use crate::nn::workspace::{Deltas, StepNoise, Workspace};
use crate::parallel::{
    self,
    thresholds::{MAX_UPDATE_THREADS, MIN_OPS_TO_ENTER_POOL},
};
use crate::simd::prefetch;
use ndarray::ArrayView2;
use std::ops::Range;

/// The buffers of a training step, allocated once a run.
pub(super) struct Trainer<F> {
    pub(super) workspace: Workspace<F>,
    deltas: Deltas<F>,
    grads: Buffer<F>,
    /// Scratch buffer, one part a thread, for gradients of fused updates.
    scratch: Buffer<F>,
    targets: Prepared<F>,
    weights: Vec<F>,
    weights_per_sample: usize,
    pub(super) scores: Scores<F>,
}

/// The cause of a diverged step.
pub(super) struct Divergence {
    pub(super) quantity: &'static str,
    pub(super) loss: f64,
    /// The error of an invalid index, if that is the cause.
    pub(super) invalid_index: Option<Box<Error>>,
}

impl<F: Float> Trainer<F> {
    pub(super) fn new(model: &Model<F>, batch: usize, samples: &LabeledSamples<'_, F>) -> Result<Self> {
        let targets = match &samples.targets {
            Prepared::Values { width, .. } => {
                Prepared::Values { values: zeros("targets", batch * width)?, width: *width }
            }
            Prepared::Labels { width, .. } => {
                Prepared::Labels { labels: vec![0; batch * width], width: *width }
            }
        };
        Ok(Self {
            workspace: Workspace::with_input(&model.layout, batch)?,
            deltas: Deltas::new(&model.layout, batch)?,
            grads: Buffer::zeros("gradients", model.params.len())?,
            scratch: Buffer::zeros(
                "gradients",
                model.optimizer_state.fused_scratch_len() * parallel::threads().min(MAX_UPDATE_THREADS),
            )?,
            targets,
            weights: zeros("sample weights", batch * samples.weights_per_sample())?,
            weights_per_sample: samples.weights_per_sample(),
            scores: Scores::new(model)?,
        })
    }

    /// Whether the buffer of weights has as many for each sample as these samples.
    pub(super) fn fits_weights(&self, samples: &LabeledSamples<'_, F>) -> bool {
        self.weights_per_sample == samples.weights_per_sample()
    }

    /// Gathers the rows `order` of the samples, targets and weights into the step's buffers.
    pub(super) fn gather(&mut self, samples: &LabeledSamples<'_, F>, order: &[usize]) {
        let columns = samples.x.ncols();
        let Some(x) = samples.x.as_slice() else { return };
        for (place, slot) in self.workspace.input.chunks_exact_mut(columns).enumerate().take(order.len()) {
            // The hardware prefetcher cannot predict a random row: prefetch the next one during the copy.
            if let Some(next) = order.get(place + 1) {
                prefetch(x[next * columns..].as_ptr(), columns);
            }
            slot.copy_from_slice(&x[order[place] * columns..][..columns]);
        }
        self.gather_targets(samples, 0..order.len(), Some(order));
    }

    /// Gathers the targets and weights of the rows `order`, or of `range`, into the step's buffers.
    pub(super) fn gather_targets(
        &mut self,
        samples: &LabeledSamples<'_, F>,
        range: std::ops::Range<usize>,
        order: Option<&[usize]>,
    ) {
        let row = |slot: usize| order.map_or(range.start + slot, |order| order[slot]);
        match (&mut self.targets, &samples.targets) {
            (Prepared::Values { values: slots, width }, Prepared::Values { values, .. }) => {
                for slot in 0..range.len() {
                    slots[slot * *width..][..*width].copy_from_slice(&values[row(slot) * *width..][..*width]);
                }
            }
            (Prepared::Labels { labels: slots, width }, Prepared::Labels { labels, .. }) => {
                for slot in 0..range.len() {
                    slots[slot * *width..][..*width].copy_from_slice(&labels[row(slot) * *width..][..*width]);
                }
            }
            _ => {}
        }
        if let Some(weights) = &samples.weights {
            let width = self.weights_per_sample;
            for slot in 0..range.len() {
                self.weights[slot * width..][..width].copy_from_slice(&weights[row(slot) * width..][..width]);
            }
        }
    }

    /// Runs one step: forward, loss and its gradient, backward, update, metrics. Enters the thread pool if there is enough
    /// work to split.
    pub(super) fn step(
        &mut self,
        model: &mut Model<F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
    ) -> std::result::Result<(), Divergence> {
        let operations = model.layout.operations().saturating_mul(batch);
        if operations < MIN_OPS_TO_ENTER_POOL {
            return self.step_in_pool(model, x, batch);
        }
        parallel::in_pool(|| self.step_in_pool(model, x, batch))
    }

    fn step_in_pool(
        &mut self,
        model: &mut Model<F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
    ) -> std::result::Result<(), Divergence> {
        let layout = model.layout.clone();
        let logits = model.fused();
        let noise = StepNoise { seed: model.seed, step: model.steps_trained };
        self.workspace.train(&layout, &model.params, &mut model.state, noise, x, batch, logits);
        if let Err(invalid_index) = self.workspace.check_indices(&layout, batch) {
            return Err(Divergence {
                quantity: "loss",
                loss: f64::NAN,
                invalid_index: Some(Box::new(invalid_index)),
            });
        }
        let targets = self.targets.rows(0, batch);
        let weights = (!self.weights.is_empty()).then(|| &self.weights[..batch * self.weights_per_sample]);
        let gradient = self.deltas.output_mut(batch * layout.output().size());
        let loss = model.batch_loss(&self.workspace, batch, targets, weights, Some(gradient));
        let loss = loss + model.weight_penalty() + self.workspace.activity_penalty(&layout, batch);
        if !loss.is_finite() {
            return Err(Divergence { quantity: "loss", loss, invalid_index: None });
        }
        let (optimizer_state, scratch) = (&mut model.optimizer_state, &mut self.scratch);
        let finite = self.workspace.backward(
            &layout,
            &mut model.params,
            &mut self.grads,
            &mut self.deltas,
            x,
            batch,
            logits,
            |index, params, grads, x, dy| {
                let node = &layout.nodes[index];
                let row = node.plan.declared_gradient_rows().unwrap_or(1);
                let fused = optimizer_state.fuses_update(index);
                let factor = optimizer_state
                    .linear_factor()
                    .filter(|_| fused && node.plan.declares_adding_gradients());
                if let Some(factor) = factor {
                    dy.iter_mut().for_each(|dy| *dy *= factor);
                }
                let dy = matrix(dy, batch, dy.len() / batch);
                let gradient = |part: Range<usize>, grads: &mut [F]| {
                    let rows = part.start / row..part.end / row;
                    node.layer.gradient(Gradient::new(x, dy, rows, grads).adding(factor.is_some()));
                };
                if fused {
                    let target =
                        if factor.is_some() { GradTarget::Params } else { GradTarget::Scratch(scratch) };
                    optimizer_state.fused_update(index, batch, params, target, &gradient);
                } else {
                    gradient(0..node.params.len(), &mut grads[node.params.clone()]);
                }
            },
        );
        if !finite {
            return Err(Divergence { quantity: "gradient of the loss", loss: f64::NAN, invalid_index: None });
        }
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            if let Some(regularizer) = variable.regularizer {
                let range = variable.range.clone();
                regularizer.add_gradient(1.0, &model.params[range.clone()], &mut self.grads[range]);
            }
        }
        model.optimizer_state.step(&layout, &mut model.params, &mut self.grads);
        model.steps_trained += 1;
        self.scores.add_loss(loss, batch);
        if self.scores.has_metrics() {
            model.finish_output(&mut self.workspace, batch);
            let weights =
                (!self.weights.is_empty()).then(|| &self.weights[..batch * self.weights_per_sample]);
            self.scores.add_metrics(
                self.workspace.output(batch),
                batch,
                self.targets.rows(0, batch),
                weights,
                self.workspace.output_mask(&layout, batch),
            );
        }
        Ok(())
    }
}

impl Divergence {
    pub(super) fn at(
        self,
        epoch: usize,
        batch: usize,
        learning_rate: f64,
        last_good_epoch: Option<usize>,
    ) -> Error {
        let Self { quantity, loss, invalid_index } = self;
        if let Some(invalid_index) = invalid_index {
            return *invalid_index;
        }
        Error::Diverged { quantity, epoch: epoch + 1, batch: batch + 1, loss, learning_rate, last_good_epoch }
    }
}
