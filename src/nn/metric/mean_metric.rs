//! Metrics that are a weighted mean over positions: two totals, the sum and the weight.

use super::MetricBatch;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::targets::TargetView;

/// Implements `Metric` for a type whose value is the mean of what `update` adds.
///
/// The closures receive the metric; `validate` also the output's shape and the targets, `update` the batch and the totals.
macro_rules! mean_metric {
    (
        $metric:ident: $kind:literal, better $direction:ident, targets $range:ident,
        validate $validate:expr,
        update $update:expr
        $(, value |$mean:ident| $value:expr)? $(,)?
    ) => {
        impl<F: $crate::float::Float> super::Metric<F> for $metric {
            $crate::float::precompiled::into_arc!($metric: $crate::nn::metric::Metric<F>);

            fn kind(&self) -> &'static str {
                $kind
            }

            fn totals(&self, _: &$crate::nn::layer::Shape) -> usize {
                2
            }

            fn target_range(&self) -> $crate::nn::targets::TargetRange {
                $crate::nn::targets::TargetRange::$range
            }

            fn validate(
                &self,
                output: &$crate::nn::layer::Shape,
                targets: $crate::nn::targets::TargetView<'_, F>,
            ) -> $crate::error::Result<()> {
                type Validate<F> = fn(
                    &$metric,
                    &$crate::nn::layer::Shape,
                    $crate::nn::targets::TargetView<'_, F>,
                ) -> $crate::error::Result<()>;
                let validate: Validate<F> = $validate;
                validate(self, output, targets)
            }

            fn update(&self, batch: super::MetricBatch<'_, F>, totals: &mut [f64]) {
                let update: fn(&$metric, super::MetricBatch<'_, F>, &mut [f64]) = $update;
                update(self, batch, totals);
            }

            fn value(&self, totals: &[f64]) -> f64 {
                let mean = super::mean_metric::mean(totals);
                $(let mean = {
                    let $mean = mean;
                    $value
                };)?
                mean
            }

            fn direction(&self) -> super::Direction {
                super::Direction::$direction
            }

            fn config(&self) -> Option<$crate::nn::layer::Config> {
                $crate::nn::layer::Config::of(self)
            }
        }
    };
}

pub(crate) use mean_metric;

/// Adds a value and its weight to the totals of a mean.
pub(crate) fn add_to_mean(totals: &mut [f64], value: f64, weight: f64) {
    if let [sum, count, ..] = totals {
        *sum += value * weight;
        *count += weight;
    }
}

/// The mean of its two totals; 0 where nothing was added.
pub(crate) fn mean(totals: &[f64]) -> f64 {
    match *totals {
        [sum, count, ..] if count != 0.0 => sum / count,
        _ => 0.0,
    }
}

/// Adds to a mean what `value` returns for the prediction and the target of each position, where targets are values.
pub(super) fn add_pairs<F: Float>(
    batch: MetricBatch<'_, F>,
    totals: &mut [f64],
    value: impl Fn(&[F], &[F]) -> f64,
) {
    for (position, (prediction, target)) in batch.pairs().enumerate() {
        add_to_mean(totals, value(prediction, target), batch.weight(position));
    }
}

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

/// Refuses values where labels are compared; `instead` names the metric for values.
pub(super) fn needs_labels<F>(owner: &str, targets: TargetView<'_, F>, instead: &str) -> Result<()> {
    match targets {
        TargetView::Labels(_) => Ok(()),
        TargetView::Values(_) => Err(Error::Target {
            owner: owner.into(),
            expected: "class labels".into(),
            got: "values of the output's shape".into(),
            hint: instead.into(),
        }),
    }
}
