//! One training step: gather, forward, loss, backward, update.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg::matrix;
use crate::nn::layer::Gradient;
use crate::nn::layout::zeros;
use crate::nn::model::Model;
use crate::nn::model::data::Samples;
use crate::nn::model::scores::Scores;
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

/// The buffers of the training steps of one run; nothing is allocated after they are made.
pub(super) struct Trainer<F> {
    pub(super) workspace: Workspace<F>,
    deltas: Deltas<F>,
    grads: Buffer<F>,
    /// Where gradients of parameters that move in parts are computed, for each thread.
    room: Buffer<F>,
    targets: Prepared<F>,
    weights: Vec<F>,
    pub(super) scores: Scores<F>,
}

/// What a step found wrong.
pub(super) struct Divergence {
    pub(super) quantity: &'static str,
    pub(super) loss: f64,
    /// The number that was no index, where that is why.
    pub(super) stray: Option<Box<Error>>,
}

impl<F: Float> Trainer<F> {
    pub(super) fn new(model: &Model<F>, batch: usize, samples: &Samples<'_, F>) -> Result<Self> {
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
            room: Buffer::zeros(
                "gradients",
                model.optimizer_state.fused_scratch_len() * parallel::threads().min(MAX_UPDATE_THREADS),
            )?,
            targets,
            weights: vec![F::zero(); if samples.weights.is_some() { batch } else { 0 }],
            scores: Scores::new(model)?,
        })
    }

    /// Copies the samples of a batch, in the order given, to where the step finds them.
    pub(super) fn gather(&mut self, samples: &Samples<'_, F>, order: &[usize]) {
        let columns = samples.x.ncols();
        let Some(x) = samples.x.as_slice() else { return };
        for (place, slot) in self.workspace.input.chunks_exact_mut(columns).enumerate().take(order.len()) {
            // A row in a random order is where nobody expects it: the next one is fetched while this one is copied.
            if let Some(next) = order.get(place + 1) {
                prefetch(x[next * columns..].as_ptr(), columns);
            }
            slot.copy_from_slice(&x[order[place] * columns..][..columns]);
        }
        self.gather_targets(samples, 0..order.len(), Some(order));
    }

    /// Copies the targets and weights of a batch: of the rows named by `order`, or of `range`.
    pub(super) fn gather_targets(
        &mut self,
        samples: &Samples<'_, F>,
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
            for slot in 0..range.len() {
                self.weights[slot] = weights[row(slot)];
            }
        }
    }

    /// One step: forward, loss and its gradient, backward, update; then the scores of the batch before it. Inside of the
    /// pool, where the work is large enough to be shared.
    pub(super) fn step(
        &mut self,
        model: &mut Model<F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
    ) -> std::result::Result<(), Divergence> {
        let operations = model.layout.operations().saturating_mul(batch);
        if operations < MIN_OPS_TO_ENTER_POOL {
            return self.step_here(model, x, batch);
        }
        parallel::in_pool(|| self.step_here(model, x, batch))
    }

    fn step_here(
        &mut self,
        model: &mut Model<F>,
        x: Option<ArrayView2<'_, F>>,
        batch: usize,
    ) -> std::result::Result<(), Divergence> {
        let layout = model.layout.clone();
        let logits = model.fused();
        let noise = StepNoise { seed: model.seed, step: model.steps_trained };
        self.workspace.train(&layout, &model.params, &mut model.state, noise, x, batch, logits);
        if let Err(stray) = self.workspace.check_indices(&layout, batch) {
            return Err(Divergence { quantity: "loss", loss: f64::NAN, stray: Some(Box::new(stray)) });
        }
        let targets = self.targets.rows(0, batch);
        let weights = (!self.weights.is_empty()).then(|| &self.weights[..batch]);
        let gradient = self.deltas.output_mut(batch * layout.output().size());
        let loss = model.batch_loss(&self.workspace, batch, targets, weights, Some(gradient));
        let loss = loss + model.weight_penalty() + self.workspace.activity_penalty(&layout, batch);
        if !loss.is_finite() {
            return Err(Divergence { quantity: "loss", loss, stray: None });
        }
        let (optimizer_state, room) = (&mut model.optimizer_state, &mut self.room);
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
                let in_parts = optimizer_state.fuses_update(index);
                let factor = optimizer_state
                    .linear_factor()
                    .filter(|_| in_parts && node.plan.declares_adding_gradients());
                if let Some(factor) = factor {
                    dy.iter_mut().for_each(|dy| *dy *= factor);
                }
                let dy = matrix(dy, batch, dy.len() / batch);
                let gradient = |part: Range<usize>, grads: &mut [F]| {
                    let rows = part.start / row..part.end / row;
                    node.layer.gradient(Gradient::new(x, dy, rows, grads).adding(factor.is_some()));
                };
                if in_parts {
                    let moves = if factor.is_some() { GradTarget::Params } else { GradTarget::Scratch(room) };
                    optimizer_state.fused_update(index, batch, params, moves, &gradient);
                } else {
                    gradient(0..node.params.len(), &mut grads[node.params.clone()]);
                }
            },
        );
        if !finite {
            return Err(Divergence { quantity: "gradient of the loss", loss: f64::NAN, stray: None });
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
            let weights = (!self.weights.is_empty()).then(|| &self.weights[..batch]);
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
        let Self { quantity, loss, stray } = self;
        if let Some(stray) = stray {
            return *stray;
        }
        Error::Diverged { quantity, epoch: epoch + 1, batch: batch + 1, loss, learning_rate, last_good_epoch }
    }
}
