//! Mean errors as metrics.

use super::mean_metric::{add_pairs, mean_metric, needs_values};
use serde::{Deserialize, Serialize};

macro_rules! error_metric {
    ($(#[$docs:meta])* $visibility:vis $metric:ident, $kind:literal, |$error:ident| $term:expr, |$mean:ident| $value:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $visibility struct $metric {}

        mean_metric! {
            $metric: $kind, better Down, targets Any,
            validate |_, _, targets| needs_values($kind, targets),
            update |_, batch, totals| add_pairs(batch, totals, |prediction, target| {
                let terms = prediction.iter().zip(target).map(|(&p, &t)| {
                    let $error = (p - t).as_f64();
                    $term
                });
                terms.sum::<f64>() / (prediction.len().max(1) as f64)
            }),
            value |$mean| $value,
        }
    };
}

error_metric!(
    /// The mean squared error of model files that name the metric `mean_squared_error`.
    pub(crate) MeanSquaredErrorMetric, "mean_squared_error", |error| error * error, |mean| mean
);
error_metric!(
    /// The mean absolute error of model files that name the metric `mean_absolute_error`.
    pub(crate) MeanAbsoluteErrorMetric, "mean_absolute_error", |error| error.abs(), |mean| mean
);
error_metric!(
    /// Root of the mean squared error over all samples.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{Metric, RootMeanSquaredError};
    /// assert_eq!(Metric::<f32>::name(&RootMeanSquaredError::default()), "root_mean_squared_error");
    /// ```
    pub RootMeanSquaredError, "root_mean_squared_error", |error| error * error, |mean| mean.sqrt()
);
