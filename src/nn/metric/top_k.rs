//! The share of samples whose class is among the first few.

use super::{Direction, Metric, MetricBatch, add_to_mean, largest, mean, regression::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
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
            /// The first `k` count.
            #[must_use]
            pub fn new(k: usize) -> Self {
                Self { k }
            }
        }

        impl<F: Float> Metric<F> for $metric {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn totals(&self, _: &Shape) -> usize {
                2
            }

            fn validate(&self, _: &Shape, $targets: TargetView<'_, F>) -> Result<()> {
                if self.k == 0 {
                    return Err(Error::invalid_parameter($kind, "k", 0, "at least 1"));
                }
                $check
            }

            fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
                add_top_k(batch, self.k, totals);
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
    };
}

top_k!(
    /// The share of samples whose one-hot target is among the k largest outputs.
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
    /// The share of samples whose label is among the k largest outputs.
    ///
    /// # Parameters
    /// `k` (5).
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, SparseTopKCategoricalAccuracy};
    /// assert_eq!(Metric::<f32>::name(&SparseTopKCategoricalAccuracy::default()), "sparse_top_k_categorical_accuracy");
    /// ```
    SparseTopKCategoricalAccuracy, "sparse_top_k_categorical_accuracy", |targets| match targets {
        TargetView::Labels(_) => Ok(()),
        TargetView::Values(_) => Err(Error::Target {
            owner: "sparse_top_k_categorical_accuracy".into(),
            expected: "class labels".into(),
            got: "values of the output's shape".into(),
            hint: "use TopKCategoricalAccuracy".into(),
        }),
    }
);

/// A class is in where fewer than k outputs are larger, so that ties are in.
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
