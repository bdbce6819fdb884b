//! Evaluation: the loss and the metrics, accumulated over batches.

use crate::error::Result;
use crate::float::Float;
use crate::linalg::{matrix, matrix_mut};
use crate::nn::fit_options::EvaluateOptions;
use crate::nn::history::{Evaluation, Logs};
use crate::nn::layout::zeros;
use crate::nn::loss::LossPass;
use crate::nn::metric::{Metric, MetricBatch};
use crate::nn::model::Model;
use crate::nn::model::inputs::{LabeledSamples, rows_of};
use crate::nn::targets::{TargetView, Targets};
use crate::nn::workspace::Workspace;
use crate::parallel;
use ndarray::{ArrayBase, Data, Dimension};
use std::sync::Arc;

/// Running sums of the loss and the metrics. Allocates only when created.
pub(crate) struct Scores<F> {
    metrics: Vec<Arc<dyn Metric<F>>>,
    totals: Vec<Vec<f64>>,
    loss: f64,
    count: f64,
    last_axis: usize,
}

impl<F: Float> Scores<F> {
    pub(crate) fn new(model: &Model<F>) -> Result<Self> {
        let output = model.output_shape();
        let totals = |metric: &Arc<dyn Metric<F>>| {
            zeros(&format!("the totals of metric {}", metric.name()), metric.totals(output))
        };
        let totals = model.metrics.iter().map(totals).collect::<Result<_>>()?;
        Ok(Self { metrics: model.metrics.clone(), totals, loss: 0.0, count: 0.0, last_axis: output.last() })
    }

    pub(crate) fn reset(&mut self) {
        self.loss = 0.0;
        self.count = 0.0;
        self.totals.iter_mut().for_each(|totals| totals.fill(0.0));
    }

    /// All sums, for a checkpoint.
    pub(crate) fn sums(&self) -> Vec<f64> {
        [self.loss, self.count].into_iter().chain(self.totals.iter().flatten().copied()).collect()
    }

    /// Restores the sums of a checkpoint. Returns false and changes nothing if their number differs.
    pub(crate) fn set_sums(&mut self, sums: &[f64]) -> bool {
        let len = 2 + self.totals.iter().map(Vec::len).sum::<usize>();
        let [loss, count, totals @ ..] = sums else { return false };
        if sums.len() != len {
            return false;
        }
        (self.loss, self.count) = (*loss, *count);
        self.totals.iter_mut().flatten().zip(totals).for_each(|(slot, total)| *slot = *total);
        true
    }

    pub(crate) fn has_metrics(&self) -> bool {
        !self.metrics.is_empty()
    }

    /// Adds the loss of a batch, weighted by the batch size.
    pub(crate) fn add_loss(&mut self, loss: f64, batch: usize) {
        self.loss += loss * batch as f64;
        self.count += batch as f64;
    }

    /// Updates the metrics by a batch. Only weighted metrics receive the sample weights.
    pub(crate) fn add_metrics<'a>(
        &mut self,
        prediction: &'a [F],
        batch: usize,
        targets: TargetView<'a, F>,
        weights: Option<&'a [F]>,
        mask: Option<&'a [bool]>,
    ) {
        let columns = prediction.len() / batch.max(1);
        let view = MetricBatch::new(matrix(prediction, batch, columns), targets)
            .last_axis(self.last_axis)
            .mask(mask);
        for (metric, totals) in self.metrics.iter().zip(&mut self.totals) {
            metric.update(view.weights(weights.filter(|_| metric.weighted())), totals);
        }
    }

    /// The mean loss so far.
    pub(crate) fn loss(&self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.loss / self.count }
    }

    /// Writes the loss and the metrics into `logs`, from entry `first` on.
    pub(crate) fn write(&self, logs: &mut Logs, first: usize) {
        logs.set(first, self.loss());
        for (index, (metric, totals)) in self.metrics.iter().zip(&self.totals).enumerate() {
            logs.set(first + 1 + index, metric.value(totals));
        }
    }
}

impl<F: Float> Model<F> {
    /// Computes the loss and the metrics over samples and their targets.
    ///
    /// # Errors
    /// Data that do not fit the model (shapes, NaN, labels out of range), and empty data.
    pub fn evaluate<'y, S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<Evaluation> {
        self.evaluate_with(x, y, EvaluateOptions::new())
    }

    /// Evaluates as [`evaluate`](Self::evaluate) does, with a batch size and sample weights.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and a batch size of 0.
    pub fn evaluate_with<'y, S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
        y: impl Into<Targets<'y, F>>,
        options: EvaluateOptions<F>,
    ) -> Result<Evaluation> {
        let EvaluateOptions { batch_size, sample_weight } = options;
        let batch_size = crate::nn::fit_options::PredictOptions { batch_size }.validate("evaluate")?;
        let x = x.view().into_dyn();
        let samples = self.samples(x, y.into(), sample_weight, ["x", "y", "sample_weight"])?;
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
        let x = samples.x.view();
        workspace.start_from(&self.state);
        let penalty = self.weight_penalty();
        for start in (0..n).step_by(step.max(1)) {
            let end = (start + step).min(n);
            let targets = samples.targets.rows(start, end);
            let weights = samples.weights_of(start, end);
            workspace.infer(
                &self.layout,
                &self.params,
                &self.state,
                Some(rows_of(&x, start, end)),
                end - start,
                self.fused(),
            );
            workspace.check_indices(&self.layout, end - start)?;
            let loss = self.batch_loss(workspace, end - start, targets, weights, None);
            scores.add_loss(
                loss + penalty + workspace.activity_penalty(&self.layout, end - start),
                end - start,
            );
            if scores.has_metrics() {
                self.finish_output(workspace, end - start);
                scores.add_metrics(
                    workspace.output(end - start),
                    end - start,
                    samples.targets.rows(start, end),
                    weights,
                    workspace.output_mask(&self.layout, end - start),
                );
            }
        }
        Ok(())
    }

    /// Computes the loss of the batch in the workspace, and writes its gradient into `gradient` if given.
    pub(crate) fn batch_loss<'a>(
        &self,
        workspace: &'a Workspace<F>,
        batch: usize,
        targets: TargetView<'a, F>,
        weights: Option<&'a [F]>,
        gradient: Option<&'a mut [F]>,
    ) -> f64 {
        let columns = self.output_shape().size();
        let mut pass = LossPass::new(matrix(workspace.output(batch), batch, columns), targets)
            .last_axis(self.output_shape().last())
            .logits(self.fused())
            .weights(weights)
            .mask(workspace.output_mask(&self.layout, batch));
        if let Some(gradient) = gradient {
            pass = pass.gradient(matrix_mut(gradient, batch, columns));
        }
        self.loss.compute(pass)
    }

    /// Applies the last activation to the logits of a fused pass, in place.
    pub(crate) fn finish_output(&self, workspace: &mut Workspace<F>, batch: usize) {
        if let (true, Some(node)) = (self.fused(), self.layout.nodes.last()) {
            node.activation().apply(node.plan.output_shape().last(), workspace.output_mut(batch));
        }
    }
}
