//! Counts of the binary confusion matrix, and the metrics made of them.

use super::{Direction, Metric, MetricBatch, auc::share, mean_metric::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetRange, TargetView};
use serde::{Deserialize, Serialize};

/// The binary confusion matrix; sums of weights where there are weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts {
    true_positives: f64,
    false_positives: f64,
    false_negatives: f64,
    true_negatives: f64,
}

impl Counts {
    fn of(totals: &[f64]) -> Self {
        match *totals {
            [true_positives, false_positives, false_negatives, true_negatives] => {
                Self { true_positives, false_positives, false_negatives, true_negatives }
            }
            _ => Self::default(),
        }
    }
}

/// Adds a batch to the four counts. A prediction is positive if the output is strictly above the threshold; with `top_k`, if it
/// is one of the k largest along the last axis. With `class_id` only that output is counted.
fn count<F: Float>(
    batch: MetricBatch<'_, F>,
    threshold: f64,
    top_k: Option<usize>,
    class_id: Option<usize>,
    totals: &mut [f64],
) {
    let (TargetView::Values(targets), Some(predictions)) = (batch.targets, batch.prediction.as_slice())
    else {
        return;
    };
    let Some(targets) = targets.as_slice() else { return };
    let (last, threshold) = (batch.last_axis.max(1), F::of(threshold));
    for (position, (prediction, target)) in
        predictions.chunks_exact(last).zip(targets.chunks_exact(last)).enumerate()
    {
        let weight = batch.weight(position);
        let counted = |(index, _): &(usize, _)| class_id.is_none_or(|class| *index == class);
        for (index, (&p, &t)) in prediction.iter().zip(target).enumerate().filter(counted) {
            let positive = match top_k {
                None => p > threshold,
                Some(k) => rank(prediction, index) < k,
            };
            let slot = match (positive, t > F::zero()) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            totals[slot] += weight;
        }
    }
}

/// Number of outputs that are larger than that at `index`, or equal and before it.
fn rank<F: Float>(prediction: &[F], index: usize) -> usize {
    let own = prediction[index];
    prediction.iter().enumerate().filter(|&(other, &p)| p > own || (p == own && other < index)).count()
}

macro_rules! confusion_metric {
    ($(#[$docs:meta])* $metric:ident, $kind:literal, $direction:ident, |$counts:ident| $value:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $metric {
            threshold: f64,
            top_k: Option<usize>,
            class_id: Option<usize>,
        }

        impl Default for $metric {
            fn default() -> Self {
                Self { threshold: 0.5, top_k: None, class_id: None }
            }
        }

        impl $metric {
            /// Sets the threshold above which an output is predicted positive.
            #[must_use]
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.threshold = threshold;
                self
            }

            /// Predicts the k largest outputs along the last axis as positive, without a threshold.
            #[must_use]
            pub fn top_k(mut self, k: usize) -> Self {
                self.top_k = Some(k);
                self
            }

            /// Counts only this output along the last axis.
            #[must_use]
            pub fn class_id(mut self, class: usize) -> Self {
                self.class_id = Some(class);
                self
            }
        }

        impl<F: Float> Metric<F> for $metric {
            $crate::float::precompiled::into_arc!($metric: Metric<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn totals(&self, _: &Shape) -> usize {
                4
            }

            fn target_range(&self) -> TargetRange {
                TargetRange::UnitIntervalOrSigns
            }

            fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
                if !self.threshold.is_finite() {
                    return Err(Error::invalid_parameter($kind, "threshold", self.threshold, "a finite number"));
                }
                if self.top_k == Some(0) {
                    return Err(Error::invalid_parameter($kind, "top_k", 0, "at least 1"));
                }
                if let Some(class) = self.class_id.filter(|&class| class >= output.last()) {
                    let expected = format!("below {}, the length of the output's last axis", output.last());
                    return Err(Error::invalid_parameter($kind, "class_id", class, expected));
                }
                needs_values($kind, targets)
            }

            fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
                count(batch, self.threshold, self.top_k, self.class_id, totals);
            }

            fn value(&self, totals: &[f64]) -> f64 {
                let $counts = Counts::of(totals);
                $value
            }

            fn direction(&self) -> Direction {
                Direction::$direction
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}

confusion_metric!(
    /// Precision, TP / (TP + FP): the fraction of positive predictions that are correct; 0 without positive predictions.
    ///
    /// # Parameters
    /// `threshold` (0.5): outputs strictly above it are predicted positive. `top_k` (none): instead, the k largest outputs are.
    /// `class_id` (none): the one output to count.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, Precision};
    /// assert_eq!(Metric::<f32>::name(&Precision::default()), "precision");
    /// ```
    Precision, "precision", Up, |counts| share(counts.true_positives, counts.true_positives + counts.false_positives)
);
confusion_metric!(
    /// Recall, TP / (TP + FN): the fraction of positives that are predicted positive; 0 without positives.
    ///
    /// # Parameters
    /// As [`Precision`]'s.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, Recall};
    /// assert_eq!(Metric::<f32>::name(&Recall::default()), "recall");
    /// ```
    Recall, "recall", Up, |counts| share(counts.true_positives, counts.true_positives + counts.false_negatives)
);
confusion_metric!(
    /// Number of true positives.
    ///
    /// # Parameters
    /// As [`Precision`]'s.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, TruePositives};
    /// assert_eq!(Metric::<f32>::name(&TruePositives::default()), "true_positives");
    /// ```
    TruePositives, "true_positives", Up, |counts| counts.true_positives
);
confusion_metric!(
    /// Number of false positives.
    ///
    /// # Parameters
    /// As [`Precision`]'s.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{FalsePositives, Metric};
    /// assert_eq!(Metric::<f32>::name(&FalsePositives::default()), "false_positives");
    /// ```
    FalsePositives, "false_positives", Down, |counts| counts.false_positives
);
confusion_metric!(
    /// Number of true negatives.
    ///
    /// # Parameters
    /// As [`Precision`]'s.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, TrueNegatives};
    /// assert_eq!(Metric::<f32>::name(&TrueNegatives::default()), "true_negatives");
    /// ```
    TrueNegatives, "true_negatives", Up, |counts| counts.true_negatives
);
confusion_metric!(
    /// Number of false negatives.
    ///
    /// # Parameters
    /// As [`Precision`]'s.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{FalseNegatives, Metric};
    /// assert_eq!(Metric::<f32>::name(&FalseNegatives::default()), "false_negatives");
    /// ```
    FalseNegatives, "false_negatives", Down, |counts| counts.false_negatives
);
