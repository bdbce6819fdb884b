//! Errors of values as metrics.

use super::{Direction, Metric, MetricBatch, add_to_mean, mean};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetView;
use serde::{Deserialize, Serialize};

macro_rules! error_metric {
    ($(#[$docs:meta])* $visibility:vis $metric:ident, $kind:literal, $name:expr, |$error:ident| $term:expr, |$mean:ident| $value:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $visibility struct $metric {}

        impl<F: Float> Metric<F> for $metric {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn name(&self) -> String {
                $name.into()
            }

            fn totals(&self, _: &Shape) -> usize {
                2
            }

            fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
                needs_values($kind, targets)
            }

            fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
                for (position, (prediction, target)) in batch.pairs().enumerate() {
                    let terms = prediction.iter().zip(target).map(|(&p, &t)| {
                        let $error = (p - t).as_f64();
                        $term
                    });
                    let value = terms.sum::<f64>() / (prediction.len().max(1) as f64);
                    add_to_mean(totals, value, batch.weight(position));
                }
            }

            fn value(&self, totals: &[f64]) -> f64 {
                let $mean = mean(totals);
                $value
            }

            fn direction(&self) -> Direction {
                Direction::Down
            }

            fn config(&self) -> Option<Config> {
                Config::of(self)
            }
        }
    };
}

error_metric!(
    /// The mean squared error of model files that name the metric `mean_squared_error`.
    pub(crate) MeanSquaredErrorMetric, "mean_squared_error", "mean_squared_error", |error| error * error, |mean| mean
);
error_metric!(
    /// The mean absolute error of model files that name the metric `mean_absolute_error`.
    pub(crate) MeanAbsoluteErrorMetric, "mean_absolute_error", "mean_absolute_error", |error| error.abs(), |mean| mean
);
error_metric!(
    /// The root of the mean squared error over all samples.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, RootMeanSquaredError};
    /// assert_eq!(Metric::<f32>::name(&RootMeanSquaredError::default()), "root_mean_squared_error");
    /// ```
    pub RootMeanSquaredError, "root_mean_squared_error", "root_mean_squared_error", |error| error * error, |mean| mean.sqrt()
);

/// Refuses labels where values are compared.
pub(super) fn needs_values<F>(owner: &str, targets: TargetView<'_, F>) -> Result<()> {
    match targets {
        TargetView::Values(_) => Ok(()),
        TargetView::Labels(_) => Err(Error::Target {
            owner: owner.into(),
            expected: "values of the output's shape".into(),
            got: "class labels".into(),
            hint: "use SparseCategoricalAccuracy, or a loss that compares values".into(),
        }),
    }
}
