//! The share of right answers.

use super::{Direction, Metric, MetricBatch, add_to_mean, mean, regression::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetRange, TargetView};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// The share of right answers, of the kind that the shapes ask for, as Keras's `"accuracy"`: one output:
/// [`BinaryAccuracy`]; labels: [`SparseCategoricalAccuracy`]; one-hot targets: [`CategoricalAccuracy`].
///
/// # Errors
/// Several yes-or-no answers for each sample (multi-label targets), where Keras silently compares the largest
/// only: [`Error::Target`], which names [`BinaryAccuracy`].
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new(4)
///     .add(Dense::new(3).activation(Activation::Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
///     .metric(Accuracy::default());
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accuracy {}

impl Accuracy {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The share of yes-or-no answers that are right: `(prediction > threshold) == target`, over all outputs.
///
/// # Parameters
/// `threshold` (0.5): predictions strictly above it are positive. Logits are not squashed first.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{MetricBatch, TargetView};
/// use axonal::metrics::{BinaryAccuracy, Metric};
///
/// let (prediction, target) = (array![[0.98], [1.0], [0.0], [0.6]], array![[1.0], [1.0], [0.0], [0.0]]);
/// let mut totals = [0.0; 2];
/// let metric = BinaryAccuracy::default();
/// metric.update(MetricBatch::new(prediction.view(), TargetView::Values(target.view())), &mut totals);
/// assert_eq!(Metric::<f64>::value(&metric, &totals), 0.75);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryAccuracy {
    threshold: f64,
}

/// Fraction of samples whose largest output has the index of the one-hot target's largest entry; ties go to
/// the first.
///
/// # Examples
/// ```
/// use axonal::metrics::{CategoricalAccuracy, Metric};
/// assert_eq!(Metric::<f32>::name(&CategoricalAccuracy::default()), "categorical_accuracy");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalAccuracy {}

impl CategoricalAccuracy {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The share of samples whose largest output is the label's; ties go to the first.
///
/// # Examples
/// ```
/// use axonal::metrics::{Metric, SparseCategoricalAccuracy};
/// assert_eq!(Metric::<f32>::name(&SparseCategoricalAccuracy::default()), "sparse_categorical_accuracy");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseCategoricalAccuracy {}

impl SparseCategoricalAccuracy {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Default for BinaryAccuracy {
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

impl BinaryAccuracy {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the threshold above which an output is predicted positive.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }
}

impl<F: Float> Metric<F> for Accuracy {
    fn kind(&self) -> &'static str {
        "accuracy"
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        match targets {
            TargetView::Values(values) if output.last() > 1 => {
                one_class_each("accuracy", values, output.last())
            }
            _ => Ok(()),
        }
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        match batch.targets {
            TargetView::Labels(_) => SparseCategoricalAccuracy {}.update(batch, totals),
            TargetView::Values(_) if batch.last_axis == 1 => BinaryAccuracy::default().update(batch, totals),
            TargetView::Values(_) => CategoricalAccuracy {}.update(batch, totals),
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        mean(totals)
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

impl<F: Float> Metric<F> for BinaryAccuracy {
    fn kind(&self) -> &'static str {
        "binary_accuracy"
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        if !self.threshold.is_finite() {
            let expected = "a finite number";
            return Err(Error::invalid_parameter("binary_accuracy", "threshold", self.threshold, expected));
        }
        needs_values("binary_accuracy", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let threshold = F::of(self.threshold);
        let right = |p: F, t: F| (if p > threshold { F::one() } else { F::zero() }) == t;
        for (position, (prediction, target)) in batch.pairs().enumerate() {
            let count = prediction.iter().zip(target).filter(|&(&p, &t)| right(p, t)).count();
            let share = count as f64 / (prediction.len().max(1) as f64);
            add_to_mean(totals, share, batch.weight(position));
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        mean(totals)
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

impl<F: Float> Metric<F> for CategoricalAccuracy {
    fn kind(&self) -> &'static str {
        "categorical_accuracy"
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        needs_values("categorical_accuracy", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        for (position, (prediction, target)) in batch.pairs().enumerate() {
            let right = largest(prediction) == largest(target);
            add_to_mean(totals, f64::from(right), batch.weight(position));
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        mean(totals)
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

impl<F: Float> Metric<F> for SparseCategoricalAccuracy {
    fn kind(&self) -> &'static str {
        "sparse_categorical_accuracy"
    }

    fn totals(&self, _: &Shape) -> usize {
        2
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        match targets {
            TargetView::Labels(_) => Ok(()),
            TargetView::Values(_) => Err(Error::Target {
                owner: "sparse_categorical_accuracy".into(),
                expected: "class labels".into(),
                got: "values of the output's shape".into(),
                hint: "use CategoricalAccuracy, or SparseCategoricalCrossentropy as the loss".into(),
            }),
        }
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let (TargetView::Labels(labels), Some(predictions)) = (batch.targets, batch.prediction.as_slice())
        else {
            return;
        };
        let last = batch.last_axis.max(1);
        for (position, (prediction, &label)) in predictions.chunks_exact(last).zip(labels).enumerate() {
            if label < last {
                add_to_mean(totals, f64::from(largest(prediction) == label), batch.weight(position));
            }
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        mean(totals)
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The index of the largest number, the first of several.
pub(crate) fn largest<F: Float>(values: &[F]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// Refuses targets of which a row is no distribution over the classes.
fn one_class_each<F: Float>(owner: &str, targets: ArrayView2<'_, F>, last: usize) -> Result<()> {
    let Some(values) = targets.as_slice() else { return Ok(()) };
    for (position, target) in values.chunks_exact(last).enumerate() {
        let sum: f64 = target.iter().map(|v| v.as_f64()).sum();
        if (sum - 1.0).abs() > 1e-3 {
            return Err(Error::Target {
                owner: owner.into(),
                expected: "one class for each sample (one-hot targets that sum to 1)".into(),
                got: format!("targets that sum to {sum} in row {}", position * last / targets.ncols().max(1)),
                hint: "for several yes-or-no answers a sample use BinaryAccuracy".into(),
            });
        }
    }
    Ok(())
}
