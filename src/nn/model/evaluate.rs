//! Evaluation: the loss and the metrics, accumulated over batches.

use crate::error::Result;
use crate::float::Float;
use crate::float::inputs::Inputs;
use crate::float::precompiled::precompiled;
use crate::float::targets::Targets;
use crate::linalg::{matrix, matrix_mut};
use crate::nn::fit_options::{EvaluateOptions, OutputWeights, PredictOptions};
use crate::nn::history::{Evaluation, Logs};
use crate::nn::layout::zeros;
use crate::nn::loss::LossPass;
use crate::nn::metric::{Metric, MetricBatch};
use crate::nn::model::Model;
use crate::nn::model::inputs::LabeledSamples;
use crate::nn::targets::TargetView;
use crate::nn::workspace::{PassState, Workspace};
use crate::parallel;
use std::sync::Arc;

/// Running sums of the losses and the metrics. Allocates only when created.
pub(crate) struct Scores<F> {
    outputs: Vec<OutputScores<F>>,
    loss: f64,
    count: f64,
}

/// Running sums of one output.
struct OutputScores<F> {
    metrics: Vec<Arc<dyn Metric<F>>>,
    totals: Vec<Vec<f64>>,
    loss: f64,
    last_axis: usize,
}

impl<F: Float> Scores<F> {
    pub(crate) fn new(model: &Model<F>) -> Result<Self> {
        let outputs = model.outputs.iter().enumerate().map(|(index, output)| {
            let shape = model.layout.output_shape(index);
            let totals = |metric: &Arc<dyn Metric<F>>| {
                zeros(&format!("the totals of metric {}", metric.name()), metric.totals(shape))
            };
            let totals = output.metrics.iter().map(totals).collect::<Result<_>>()?;
            Ok(OutputScores { metrics: output.metrics.clone(), totals, loss: 0.0, last_axis: shape.last() })
        });
        Ok(Self { outputs: outputs.collect::<Result<_>>()?, loss: 0.0, count: 0.0 })
    }

    pub(crate) fn reset(&mut self) {
        self.loss = 0.0;
        self.count = 0.0;
        for output in &mut self.outputs {
            output.loss = 0.0;
            output.totals.iter_mut().for_each(|totals| totals.fill(0.0));
        }
    }

    /// The sums of the losses of the outputs, if there are several.
    fn output_losses(&self) -> impl Iterator<Item = f64> + '_ {
        self.outputs.iter().map(|output| output.loss).filter(|_| self.outputs.len() > 1)
    }

    /// All sums, for a checkpoint.
    pub(crate) fn sums(&self) -> Vec<f64> {
        let totals = self.outputs.iter().flat_map(|output| output.totals.iter().flatten().copied());
        [self.loss, self.count].into_iter().chain(self.output_losses()).chain(totals).collect()
    }

    /// Restores the sums of a checkpoint. Returns false and changes nothing if their number differs.
    pub(crate) fn set_sums(&mut self, sums: &[f64]) -> bool {
        if sums.len() != self.sums().len() {
            return false;
        }
        let [loss, count, rest @ ..] = sums else { return false };
        (self.loss, self.count) = (*loss, *count);
        let mut rest = rest.iter();
        let several = self.outputs.len() > 1;
        if several {
            for (output, loss) in self.outputs.iter_mut().zip(rest.by_ref()) {
                output.loss = *loss;
            }
        }
        let totals = self.outputs.iter_mut().flat_map(|output| output.totals.iter_mut().flatten());
        totals.zip(rest).for_each(|(slot, total)| *slot = *total);
        true
    }

    /// Adds the sums of another rank, as [`sums`](Self::sums) has returned them.
    pub(crate) fn merge_sums(&mut self, sums: &[f64]) {
        let [loss, count, rest @ ..] = sums else { return };
        self.loss += loss;
        self.count += count;
        let mut rest = rest;
        if self.outputs.len() > 1 {
            let (losses, totals) = rest.split_at(self.outputs.len().min(rest.len()));
            self.outputs.iter_mut().zip(losses).for_each(|(output, loss)| output.loss += loss);
            rest = totals;
        }
        for output in &mut self.outputs {
            for (metric, totals) in output.metrics.iter().zip(&mut output.totals) {
                let (others, tail) = rest.split_at(totals.len().min(rest.len()));
                metric.merge(totals, others);
                rest = tail;
            }
        }
    }

    pub(crate) fn has_metrics(&self) -> bool {
        self.outputs.iter().any(|output| !output.metrics.is_empty())
    }

    /// Adds the total loss of a batch, or of one rank its share of that of a batch of `global` rows, weighted by the batch size.
    pub(crate) fn add_loss(&mut self, loss: f64, batch: usize, global: usize) {
        self.loss += loss * global as f64;
        self.count += batch as f64;
    }

    /// Adds the loss of an output, weighted by the batch size.
    pub(crate) fn add_output_loss(&mut self, output: usize, loss: f64, batch: usize) {
        self.outputs[output].loss += loss * batch as f64;
    }

    /// Updates the metrics of an output by a batch. Only weighted metrics receive the sample weights.
    pub(crate) fn add_metrics<'a>(
        &mut self,
        output: usize,
        prediction: &'a [F],
        batch: usize,
        targets: TargetView<'a, F>,
        weights: Option<&'a [F]>,
        mask: Option<&'a [bool]>,
    ) {
        let OutputScores { metrics, totals, last_axis, .. } = &mut self.outputs[output];
        let columns = prediction.len() / batch.max(1);
        let view =
            MetricBatch::new(matrix(prediction, batch, columns), targets).last_axis(*last_axis).mask(mask);
        for (metric, totals) in metrics.iter().zip(totals) {
            metric.update(view.weights(weights.filter(|_| metric.weighted())), totals);
        }
    }

    /// The mean loss so far.
    pub(crate) fn loss(&self) -> f64 {
        self.mean(self.loss)
    }

    fn mean(&self, sum: f64) -> f64 {
        if self.count == 0.0 { 0.0 } else { sum / self.count }
    }

    /// Writes the losses and the metrics into `logs`, from entry `first` on.
    pub(crate) fn write(&self, logs: &mut Logs, first: usize) {
        logs.set(first, self.loss());
        let mut entry = first + 1;
        for loss in self.output_losses() {
            logs.set(entry, self.mean(loss));
            entry += 1;
        }
        for output in &self.outputs {
            for (metric, totals) in output.metrics.iter().zip(&output.totals) {
                logs.set(entry, metric.value(totals));
                entry += 1;
            }
        }
    }
}

precompiled! {
    fn evaluate_arrays<'a, 'b, F>(
        model: &'a Model<F>,
        x: Inputs<'b, F>,
        y: Targets<'b, F>,
        options: EvaluateOptions<F>,
    ) -> Result<Evaluation> {
        model.evaluate_arrays(x, y, options)
    }
}

impl<F: Float> Model<F> {
    /// Computes the loss and the metrics over samples and their targets.
    ///
    /// # Errors
    /// Data that do not fit the model (shapes, NaN, labels out of range), and empty data.
    pub fn evaluate<'x, 'y>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<Evaluation> {
        self.evaluate_with(x, y, EvaluateOptions::new())
    }

    /// Evaluates as [`evaluate`](Self::evaluate) does, with a batch size and sample weights.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and a batch size of 0.
    pub fn evaluate_with<'x, 'y>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        y: impl Into<Targets<'y, F>>,
        options: EvaluateOptions<F>,
    ) -> Result<Evaluation> {
        evaluate_arrays(self, x.into(), y.into(), options)
    }

    fn evaluate_arrays(
        &self,
        x: Inputs<'_, F>,
        y: Targets<'_, F>,
        options: EvaluateOptions<F>,
    ) -> Result<Evaluation> {
        let EvaluateOptions { batch_size, sample_weight: common, sample_weight_of: by_output } = options;
        let batch_size = PredictOptions::new().batch_size(batch_size).validate("evaluate")?;
        let weights = OutputWeights { common, by_output };
        let samples = self.samples(x, y, weights, ["x", "y", "sample_weight"])?;
        let batch_size = self.layout.batch_size("evaluate", samples.len(), batch_size)?;
        let mut workspace = Workspace::new(&self.layout, batch_size.min(samples.len()))?;
        let mut scores = Scores::new(self)?;
        self.score_samples(&samples, &mut workspace, &mut scores, None)?;
        let mut logs = Logs::with_keys(self.score_names());
        scores.write(&mut logs, 0);
        Ok(Evaluation(logs))
    }

    /// Adds all of `samples` to `scores`, in batches of the workspace's capacity, or the first `steps` batches.
    pub(crate) fn score_samples(
        &self,
        samples: &LabeledSamples<'_, F>,
        workspace: &mut Workspace<F>,
        scores: &mut Scores<F>,
        steps: Option<usize>,
    ) -> Result<()> {
        let n =
            steps.map_or(usize::MAX, |steps| steps.saturating_mul(workspace.capacity())).min(samples.len());
        let operations = self.layout.operations().saturating_mul(workspace.capacity().min(n));
        parallel::with_hot_pool(operations, || self.score_batches(samples, n, workspace, scores))
    }

    fn score_batches(
        &self,
        samples: &LabeledSamples<'_, F>,
        n: usize,
        workspace: &mut Workspace<F>,
        scores: &mut Scores<F>,
    ) -> Result<()> {
        let step = workspace.capacity();
        workspace.start_from(&self.state);
        let penalty = self.weight_penalty();
        for start in (0..n).step_by(step.max(1)) {
            let end = (start + step).min(n);
            let batch = end - start;
            let x = samples.in_place(start, end);
            if x.is_none() {
                workspace.copy_inputs(&samples.xs, start..end);
            }
            workspace.forward(
                &self.layout,
                &self.params,
                PassState::infer(&self.state),
                x,
                batch,
                &self.logits,
            );
            workspace.check_indices(&self.layout, batch)?;
            let mut loss = 0.0;
            for output in 0..self.outputs.len() {
                let weights = samples.weights_of(output, start, end);
                let targets = samples.targets[output].rows(start, end);
                let own = self.output_loss(workspace, output, batch, targets, weights, None);
                scores.add_output_loss(output, own, batch);
                loss += own * self.outputs[output].loss_weight;
            }
            let loss = loss + penalty + workspace.activity_penalty(&self.layout, batch);
            scores.add_loss(loss, batch, batch);
            if scores.has_metrics() {
                self.finish_outputs(workspace, batch);
                for output in 0..self.outputs.len() {
                    let weights = samples.weights_of(output, start, end);
                    self.add_metrics(
                        scores,
                        workspace,
                        output,
                        batch,
                        samples.targets[output].rows(start, end),
                        weights,
                    );
                }
            }
        }
        Ok(())
    }

    /// Updates the metrics of an output by the batch in the workspace.
    pub(crate) fn add_metrics<'a>(
        &self,
        scores: &mut Scores<F>,
        workspace: &'a Workspace<F>,
        output: usize,
        batch: usize,
        targets: TargetView<'a, F>,
        weights: Option<&'a [F]>,
    ) {
        let prediction = workspace.layer_output(self.layout.outputs[output], batch);
        let mask = workspace.mask_by(&self.layout, self.layout.output_mask(output), batch);
        scores.add_metrics(output, prediction, batch, targets, weights, mask);
    }

    /// Computes the loss of an output for the batch in the workspace, without the loss weight, and writes its gradient into
    /// `gradient` if given.
    pub(crate) fn output_loss<'a>(
        &self,
        workspace: &'a Workspace<F>,
        output: usize,
        batch: usize,
        targets: TargetView<'a, F>,
        weights: Option<&'a [F]>,
        gradient: Option<&'a mut [F]>,
    ) -> f64 {
        let shape = self.layout.output_shape(output);
        let columns = shape.size();
        let prediction = workspace.layer_output(self.layout.outputs[output], batch);
        let mut pass = LossPass::new(matrix(prediction, batch, columns), targets)
            .last_axis(shape.last())
            .logits(self.is_fused(output))
            .weights(weights)
            .mask(workspace.mask_by(&self.layout, self.layout.output_mask(output), batch));
        if let Some(gradient) = gradient {
            pass = pass.gradient(matrix_mut(gradient, batch, columns));
        }
        self.outputs[output].loss.compute(pass)
    }

    /// Applies the activations that fused losses have skipped, in place.
    pub(crate) fn finish_outputs(&self, workspace: &mut Workspace<F>, batch: usize) {
        for &index in &*self.logits {
            let node = &self.layout.nodes[index];
            let y = workspace.layer_output_mut(index, batch);
            node.activation().apply(node.plan.output_shape().last(), y);
        }
    }
}
