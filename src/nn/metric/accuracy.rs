//! Accuracies: the fraction of correct predictions.

use super::mean_metric::{add_pairs, add_to_mean, mean_metric, needs_labels, needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::targets::TargetView;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// Fraction of correct predictions, by the shapes as Keras's `"accuracy"`: [`BinaryAccuracy`] for one output,
/// [`SparseCategoricalAccuracy`] for labels, [`CategoricalAccuracy`] for one-hot targets.
///
/// # Errors
/// Multi-label targets, where Keras silently compares only the largest output: [`Error::Target`], which names
/// [`BinaryAccuracy`].
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

/// Fraction of binary predictions that are correct, `(prediction > threshold) == target`, over all outputs.
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

/// Fraction of samples whose largest output has the index of the label; ties go to the first.
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

mean_metric! {
    Accuracy: "accuracy", better Up, targets UnitInterval,
    validate |_, output, targets| match targets {
        TargetView::Values(values) if output.last() > 1 => one_class_each("accuracy", values, output.last()),
        _ => Ok(()),
    },
    update |_, batch, totals| match batch.targets {
        TargetView::Labels(_) => SparseCategoricalAccuracy {}.update(batch, totals),
        TargetView::Values(_) if batch.last_axis == 1 => BinaryAccuracy::default().update(batch, totals),
        TargetView::Values(_) => CategoricalAccuracy {}.update(batch, totals),
    },
}

mean_metric! {
    BinaryAccuracy: "binary_accuracy", better Up, targets UnitInterval,
    validate |metric, _, targets| {
        if !metric.threshold.is_finite() {
            let (value, expected) = (metric.threshold, "a finite number");
            return Err(Error::invalid_parameter("binary_accuracy", "threshold", value, expected));
        }
        needs_values("binary_accuracy", targets)
    },
    update |metric, batch, totals| {
        let threshold = F::of(metric.threshold);
        let is_correct = |p: F, t: F| (if p > threshold { F::one() } else { F::zero() }) == t;
        add_pairs(batch, totals, |prediction, target| {
            let correct = prediction.iter().zip(target).filter(|&(&p, &t)| is_correct(p, t)).count();
            correct as f64 / (prediction.len().max(1) as f64)
        });
    },
}

mean_metric! {
    CategoricalAccuracy: "categorical_accuracy", better Up, targets Any,
    validate |_, _, targets| needs_values("categorical_accuracy", targets),
    update |_, batch, totals| {
        add_pairs(batch, totals, |prediction, target| f64::from(largest(prediction) == largest(target)));
    },
}

mean_metric! {
    SparseCategoricalAccuracy: "sparse_categorical_accuracy", better Up, targets Any,
    validate |_, _, targets| {
        let instead = "use CategoricalAccuracy, or SparseCategoricalCrossentropy as the loss";
        needs_labels("sparse_categorical_accuracy", targets, instead)
    },
    update |_, batch, totals| {
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
    },
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

/// Refuses targets with a row that does not sum to 1.
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
