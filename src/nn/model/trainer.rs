//! One training step: gather, forward, loss, backward, update.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg::matrix;
use crate::nn::gradient_slots::{Deltas, Wanted};
use crate::nn::layer::Gradient;
use crate::nn::layout::{Layout, zeros};
use crate::nn::model::Model;
use crate::nn::model::evaluate::Scores;
use crate::nn::model::inputs::LabeledSamples;
use crate::nn::model::ranks::{GlobalBatch, LossInputs, RankStep, Ranks};
use crate::nn::optimizer_state::GradTarget;
use crate::nn::targets::Prepared;
use crate::nn::workspace::{GlobalPass, PassState, StepNoise, Workspace};
use crate::parallel::{
    self,
    thresholds::{MAX_UPDATE_THREADS, MIN_OPS_TO_ENTER_POOL},
};
use crate::simd::prefetch;
use ndarray::ArrayView2;
use std::ops::Range;

/// The buffers of a training step, allocated once a run.
pub(super) struct Trainer<'g, F> {
    pub(super) workspace: Workspace<F>,
    deltas: Deltas<F>,
    /// The gradients of all parameters, and in a distributed run what is exchanged with them: changes of moving statistics, flags.
    grads: Buffer<F>,
    /// What is exchanged with the other ranks of a distributed run.
    rank: Option<Box<dyn RankStep<F> + 'g>>,
    /// This rank's share of the loss of each output; 1 without other ranks.
    shares: Vec<f64>,
    /// Scratch buffer, one part a thread, for gradients of fused updates.
    scratch: Buffer<F>,
    /// The targets and sample weights of each output.
    targets: Vec<Prepared<F>>,
    weights: Vec<Vec<F>>,
    /// The number of sample weights of each sample, by output; 0 without weights.
    weights_per_sample: Vec<usize>,
    /// Scratch buffer for a second loss on an output layer.
    loss_gradient: Buffer<F>,
    pub(super) scores: Scores<F>,
}

/// The rows of a step.
#[derive(Clone, Copy)]
pub(super) struct StepRows<'x, F> {
    /// The samples, if they are read in place; else they are in the workspace.
    pub(super) x: Option<ArrayView2<'x, F>>,
    pub(super) batch: usize,
    /// The batch of all ranks that these are a part of.
    pub(super) global: GlobalBatch,
}

impl<'x, F> StepRows<'x, F> {
    /// The rows of a step without other ranks.
    pub(super) fn alone(x: Option<ArrayView2<'x, F>>, batch: usize) -> Self {
        Self { x, batch, global: GlobalBatch::alone(batch) }
    }

    /// These rows as a share of the global batch.
    fn share(&self) -> f64 {
        self.global.share(self.batch)
    }
}

/// The outcome of one training step.
pub(super) enum StepOutcome {
    /// The step updated the model.
    Trained,
    /// The loss, a gradient or an input index was invalid.
    Diverged(Divergence),
    /// The epoch has no further batch; no step was made.
    EndOfEpoch,
}

/// The cause of a diverged step.
pub(super) struct Divergence {
    pub(super) quantity: &'static str,
    pub(super) loss: f64,
    /// The error of an invalid index, if that is the cause.
    pub(super) invalid_index: Option<Box<Error>>,
}

impl<'g, F: Float> Trainer<'g, F> {
    pub(super) fn new(
        model: &Model<F>,
        batch: usize,
        samples: &LabeledSamples<'_, F>,
        ranks: Option<&'g dyn Ranks<F>>,
    ) -> Result<Self> {
        let targets = samples.targets.iter().map(|targets| {
            Ok(match targets {
                Prepared::Values { width, .. } => Prepared::Values {
                    values: zeros("targets", batch.saturating_mul(*width))?,
                    width: *width,
                },
                Prepared::Labels { width, .. } => {
                    Prepared::Labels { labels: vec![0; batch * width], width: *width }
                }
            })
        });
        let targets = targets.collect::<Result<_>>()?;
        let weights_per_sample: Vec<usize> =
            (0..samples.targets.len()).map(|output| samples.weights_per_sample(output)).collect();
        let weights =
            weights_per_sample.iter().map(|width| zeros("sample weights", batch.saturating_mul(*width)));
        // The output layers of which an earlier output reads, too.
        let outputs = &model.layout.outputs;
        let repeated = (1..outputs.len()).filter(|&output| outputs[..output].contains(&outputs[output]));
        let longest = repeated.map(|output| model.layout.output_shape(output).size()).max().unwrap_or(0);
        let rank = ranks.map(|ranks| ranks.step(model)).transpose()?;
        let extra = rank.as_ref().map_or(0, |rank| rank.extra_len());
        Ok(Self {
            workspace: Workspace::with_input(&model.layout, batch)?,
            deltas: Deltas::new(&model.layout, &model.layout.outputs, Wanted::Params, batch)?,
            grads: Buffer::zeros("gradients", model.params.len() + extra)?,
            rank,
            shares: vec![1.0; model.outputs.len()],
            scratch: Buffer::zeros(
                "gradients",
                model.optimizer_state.fused_scratch_len() * parallel::threads().min(MAX_UPDATE_THREADS),
            )?,
            targets,
            weights: weights.collect::<Result<_>>()?,
            weights_per_sample,
            loss_gradient: Buffer::zeros("gradients", longest.saturating_mul(batch))?,
            scores: Scores::new(model)?,
        })
    }

    /// Whether the buffers of weights have as many for each sample as these samples.
    pub(super) fn fits_weights(&self, samples: &LabeledSamples<'_, F>) -> bool {
        let mut widths = self.weights_per_sample.iter().enumerate();
        widths.all(|(output, &width)| width == samples.weights_per_sample(output))
    }

    /// Gathers the rows `order` of the samples, targets and weights into the step's buffers.
    pub(super) fn gather(&mut self, samples: &LabeledSamples<'_, F>, order: &[usize]) {
        for (x, buffer) in samples.xs.iter().zip(&mut self.workspace.inputs) {
            let columns = x.ncols();
            let Some(x) = x.as_slice() else { return };
            for (place, slot) in buffer.chunks_exact_mut(columns).enumerate().take(order.len()) {
                // The hardware prefetcher cannot predict a random row: prefetch the next one during the copy.
                if let Some(next) = order.get(place + 1) {
                    prefetch(x[next * columns..].as_ptr(), columns);
                }
                slot.copy_from_slice(&x[order[place] * columns..][..columns]);
            }
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
        for targets in self.targets.iter_mut().zip(&samples.targets) {
            match targets {
                (Prepared::Values { values: slots, width }, Prepared::Values { values, .. }) => {
                    for slot in 0..range.len() {
                        slots[slot * *width..][..*width]
                            .copy_from_slice(&values[row(slot) * *width..][..*width]);
                    }
                }
                (Prepared::Labels { labels: slots, width }, Prepared::Labels { labels, .. }) => {
                    for slot in 0..range.len() {
                        slots[slot * *width..][..*width]
                            .copy_from_slice(&labels[row(slot) * *width..][..*width]);
                    }
                }
                _ => {}
            }
        }
        let widths = self.weights_per_sample.iter();
        for ((slots, weights), &width) in self.weights.iter_mut().zip(&samples.weights).zip(widths) {
            let Some(weights) = weights else { continue };
            for slot in 0..range.len() {
                slots[slot * width..][..width].copy_from_slice(&weights[row(slot) * width..][..width]);
            }
        }
    }

    /// Makes rows of the samples the step's batch: targets and weights are copied, and so are several inputs; the rows of
    /// a single input are returned, to be read in place.
    pub(super) fn load<'s>(
        &mut self,
        samples: &'s LabeledSamples<'_, F>,
        rows: Range<usize>,
    ) -> Option<ArrayView2<'s, F>> {
        self.gather_targets(samples, rows.clone(), None);
        let x = samples.in_place(rows.start, rows.end);
        if x.is_none() {
            self.workspace.copy_inputs(&samples.xs, rows);
        }
        x
    }

    /// Runs one step: forward, loss and its gradient, backward, update, metrics. Enters the thread pool if there is enough
    /// work to split.
    ///
    /// # Errors
    /// The failure of another rank. A step that diverges is an outcome.
    pub(super) fn step(&mut self, model: &mut Model<F>, rows: StepRows<'_, F>) -> Result<StepOutcome> {
        let operations = model.layout.operations().saturating_mul(rows.batch);
        if operations < MIN_OPS_TO_ENTER_POOL {
            return self.step_in_pool(model, rows);
        }
        parallel::in_pool(|| self.step_in_pool(model, rows))
    }

    fn step_in_pool(&mut self, model: &mut Model<F>, rows: StepRows<'_, F>) -> Result<StepOutcome> {
        let layout = model.layout.clone();
        let n_params = model.params.len();
        if let Some(rank) = &mut self.rank {
            rank.begin(&model.state, rows.global)?;
        }
        let is_empty = rows.batch == 0;
        let mut outcome = if is_empty { Ok(()) } else { self.forward(model, &layout, rows) };
        self.compute_shares(model, rows)?;
        let mut loss = 0.0;
        if !is_empty {
            outcome = outcome.and_then(|()| {
                loss = self.loss(model, &layout, rows)?;
                Ok(())
            });
            if let Some(rank) = &mut self.rank
                && !rank.all_go_on(outcome.is_ok())?
            {
                outcome = outcome.and_then(|()| Err(Divergence::of_another_rank()));
            }
            outcome = outcome.and_then(|()| self.backward(model, &layout, rows));
        }
        if let Some(rank) = &mut self.rank
            && !rank.exchange(
                &mut self.grads,
                &mut model.state,
                outcome.is_ok(),
                (rows.batch, rows.global),
            )?
        {
            outcome = outcome.and_then(|()| Err(Divergence::of_another_rank()));
        }
        if let Err(divergence) = outcome {
            return Ok(StepOutcome::Diverged(divergence));
        }
        for variable in layout.variables.iter().filter(|variable| variable.trainable) {
            if let Some(regularizer) = variable.regularizer {
                let range = variable.range.clone();
                regularizer.add_gradient(1.0, &model.params[range.clone()], &mut self.grads[range]);
            }
        }
        let fused = self.rank.is_none();
        model.optimizer_state.step(&layout, &mut model.params, &mut self.grads[..n_params], fused);
        model.steps_trained += 1;
        self.add_scores(model, loss, rows);
        Ok(StepOutcome::Trained)
    }

    fn forward(
        &mut self,
        model: &mut Model<F>,
        layout: &Layout<F>,
        StepRows { x, batch, global }: StepRows<'_, F>,
    ) -> std::result::Result<(), Divergence> {
        let logits = model.logits.clone();
        let noise = StepNoise {
            seed: model.seed,
            step: model.steps_trained,
            first_row: global.first_row,
            group: self.rank.as_ref().and_then(|rank| rank.group()),
        };
        let state = PassState::Train(&mut model.state, noise);
        self.workspace.forward(layout, &model.params, state, x, batch, &logits);
        self.workspace.check_indices(layout, batch).map_err(|invalid_index| Divergence {
            quantity: "loss",
            loss: f64::NAN,
            invalid_index: Some(Box::new(invalid_index)),
        })
    }

    /// Computes this rank's share of the loss of each output.
    fn compute_shares(&mut self, model: &Model<F>, rows: StepRows<'_, F>) -> Result<()> {
        let Some(rank) = &mut self.rank else { return Ok(()) };
        let inputs = LossInputs {
            model,
            workspace: &self.workspace,
            batch: rows.batch,
            targets: &self.targets,
            weights: &self.weights,
            weights_per_sample: &self.weights_per_sample,
        };
        rank.shares(inputs, rows.global, &mut self.shares)
    }

    /// The loss of the batch with all penalties, as a share of that of the global batch; writes the gradient of the outputs.
    fn loss(
        &mut self,
        model: &Model<F>,
        layout: &Layout<F>,
        rows: StepRows<'_, F>,
    ) -> std::result::Result<f64, Divergence> {
        let loss = self.losses(model, rows);
        let penalty = model.weight_penalty() + self.workspace.activity_penalty(layout, rows.batch);
        let loss = loss + penalty * rows.share();
        if loss.is_finite() {
            return Ok(loss);
        }
        Err(Divergence { quantity: "loss", loss, invalid_index: None })
    }

    /// Runs the layers backward, and updates the parameters of those whose update is fused.
    fn backward(
        &mut self,
        model: &mut Model<F>,
        layout: &Layout<F>,
        StepRows { x, batch, global }: StepRows<'_, F>,
    ) -> std::result::Result<(), Divergence> {
        let logits = model.logits.clone();
        let (alone, group) = (self.rank.is_none(), self.rank.as_ref().and_then(|rank| rank.group()));
        let (optimizer_state, scratch) = (&mut model.optimizer_state, &mut self.scratch);
        let finite = self.workspace.backward(
            layout,
            &mut model.params,
            &mut self.grads,
            &mut self.deltas,
            x,
            batch,
            GlobalPass { rows: global.rows, group },
            &logits,
            |index, params, grads, x, dy| {
                let node = &layout.nodes[index];
                let row = node.grads_by_rows().unwrap_or(1);
                // The gradient of a rank is not yet that of the global batch.
                let fused = alone && optimizer_state.fuses_update(index);
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
        if finite {
            return Ok(());
        }
        Err(Divergence { quantity: "gradient of the loss", loss: f64::NAN, invalid_index: None })
    }

    /// Adds the batch to the totals of the loss and the metrics.
    fn add_scores(&mut self, model: &Model<F>, loss: f64, StepRows { batch, global, .. }: StepRows<'_, F>) {
        self.scores.add_loss(loss, batch, global.rows);
        if self.scores.has_metrics() && batch > 0 {
            model.finish_outputs(&mut self.workspace, batch);
            for output in 0..model.outputs.len() {
                let width = self.weights_per_sample[output];
                let weights = (width > 0).then(|| &self.weights[output][..batch * width]);
                let targets = self.targets[output].rows(0, batch);
                model.add_metrics(&mut self.scores, &self.workspace, output, batch, targets, weights);
            }
        }
    }

    /// Computes the weighted sum of the losses of all outputs, and their gradients.
    fn losses(&mut self, model: &Model<F>, StepRows { batch, global, .. }: StepRows<'_, F>) -> f64 {
        let mut sum = 0.0;
        let outputs = &model.layout.outputs;
        for (output, &layer) in outputs.iter().enumerate() {
            let targets = self.targets[output].rows(0, batch);
            let width = self.weights_per_sample[output];
            let weights = (width > 0).then(|| &self.weights[output][..batch * width]);
            let len = batch * model.layout.output_shape(output).size();
            let repeats = outputs[..output].contains(&layer);
            let gradient = match (self.deltas.visits(layer), repeats) {
                (false, _) => None,
                (true, false) => Some(self.deltas.output_mut(layer, len)),
                (true, true) => Some(&mut self.loss_gradient[..len]),
            };
            let loss = model.output_loss(&self.workspace, output, batch, targets, weights, gradient);
            let share = self.shares[output];
            let weight = model.outputs[output].loss_weight * share;
            if self.deltas.visits(layer) {
                let factor = F::of(weight);
                let gradient = self.deltas.output_mut(layer, len);
                if repeats {
                    gradient
                        .iter_mut()
                        .zip(&self.loss_gradient[..len])
                        .for_each(|(sum, &g)| *sum += factor * g);
                } else if weight != 1.0 {
                    gradient.iter_mut().for_each(|g| *g *= factor);
                }
            }
            self.scores.add_output_loss(output, loss * share, global.rows);
            sum += loss * weight;
        }
        sum
    }
}

impl Divergence {
    /// The divergence of a step that another rank could not compute.
    fn of_another_rank() -> Self {
        Self { quantity: "loss", loss: f64::NAN, invalid_index: None }
    }

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
