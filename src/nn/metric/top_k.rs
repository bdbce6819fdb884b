//! Top-k accuracies: the fraction of samples whose class is among the k largest outputs.

use super::mean_metric::{add_to_mean, mean_metric, needs_labels, needs_values};
use super::{MetricBatch, largest};
use crate::error::Error;
use crate::float::Float;
use crate::nn::targets::TargetView;
use serde::{Deserialize, Serialize};

macro_rules! top_k {
    ($(#[$docs:meta])* $metric:ident, $kind:literal, |$targets:ident| $check:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $metric {
            k: usize,
        }

        impl Default for $metric {
            fn default() -> Self {
                Self { k: 5 }
            }
        }

        impl $metric {
            /// Creates the metric for the `k` largest outputs.
            #[must_use]
            pub fn new(k: usize) -> Self {
                Self { k }
            }
        }

        mean_metric! {
            $metric: $kind, better Up, targets Any,
            validate |metric, _, $targets| {
                if metric.k == 0 {
                    return Err(Error::invalid_parameter($kind, "k", 0, "at least 1"));
                }
                $check
            },
            update |metric, batch, totals| add_top_k(batch, metric.k, totals),
        }
    };
}

top_k!(
    /// Fraction of samples whose one-hot class is among the k largest outputs.
    ///
    /// # Parameters
    /// `k` (5).
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, TopKCategoricalAccuracy};
    /// assert_eq!(Metric::<f32>::name(&TopKCategoricalAccuracy::new(3)), "top_k_categorical_accuracy");
    /// ```
    TopKCategoricalAccuracy, "top_k_categorical_accuracy", |targets| needs_values("top_k_categorical_accuracy", targets)
);
top_k!(
    /// Fraction of samples whose label is among the k largest outputs.
    ///
    /// # Parameters
    /// `k` (5).
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, SparseTopKCategoricalAccuracy};
    /// assert_eq!(Metric::<f32>::name(&SparseTopKCategoricalAccuracy::default()), "sparse_top_k_categorical_accuracy");
    /// ```
    SparseTopKCategoricalAccuracy, "sparse_top_k_categorical_accuracy",
    |targets| needs_labels("sparse_top_k_categorical_accuracy", targets, "use TopKCategoricalAccuracy")
);

/// Counts a class as predicted where fewer than k outputs are larger: ties count.
fn add_top_k<F: Float>(batch: MetricBatch<'_, F>, k: usize, totals: &mut [f64]) {
    let (Some(predictions), last) = (batch.prediction.as_slice(), batch.last_axis.max(1)) else { return };
    for (position, prediction) in predictions.chunks_exact(last).enumerate() {
        let class = match batch.targets {
            TargetView::Labels(labels) => labels[position],
            TargetView::Values(targets) => match targets.as_slice() {
                Some(targets) => largest(&targets[position * last..][..last]),
                None => return,
            },
        };
        let Some(&own) = prediction.get(class) else { continue };
        let ahead = prediction.iter().filter(|&&p| p > own).count();
        add_to_mean(totals, f64::from(ahead < k), batch.weight(position));
    }
}
