//! The mean intersection over union.

use super::{Direction, Metric, MetricBatch, largest};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetView;
use serde::{Deserialize, Serialize};

/// How well predicted and true classes cover each other: for each class the positions that are both predicted and true
/// over those that are one of them, averaged over the classes that occur. The largest output is the predicted class.
///
/// # Shapes
/// Targets are labels or one-hot.
///
/// # Examples
/// ```
/// use axonal::metrics::{MeanIou, Metric};
/// assert_eq!(Metric::<f32>::name(&MeanIou::default()), "mean_io_u");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanIou {}

impl MeanIou {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F: Float> Metric<F> for MeanIou {
    crate::float::precompiled::into_arc!(MeanIou: Metric<F>);

    fn kind(&self) -> &'static str {
        "mean_io_u"
    }

    /// For each class the weights of what is both, of what is predicted, of what is true.
    fn totals(&self, output: &Shape) -> usize {
        output.last().saturating_mul(3)
    }

    fn validate(&self, output: &Shape, _: TargetView<'_, F>) -> Result<()> {
        if output.last() > 1 {
            return Ok(());
        }
        Err(Error::shape("mean_io_u", "an output for each class", output))
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let (Some(predictions), last) = (batch.prediction.as_slice(), batch.last_axis.max(1)) else { return };
        for (position, prediction) in predictions.chunks_exact(last).enumerate() {
            let class = match batch.targets {
                TargetView::Labels(labels) => labels[position],
                TargetView::Values(targets) => match targets.as_slice() {
                    Some(targets) => largest(&targets[position * last..][..last]),
                    None => return,
                },
            };
            if class >= last {
                continue;
            }
            let (weight, predicted) = (batch.weight(position), largest(prediction));
            totals[3 * predicted + 1] += weight;
            totals[3 * class + 2] += weight;
            if predicted == class {
                totals[3 * class] += weight;
            }
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let (mut sum, mut occurring) = (0.0, 0.0);
        for class in totals.chunks_exact(3) {
            let union = class[1] + class[2] - class[0];
            if union > 0.0 {
                sum += class[0] / union;
                occurring += 1.0;
            }
        }
        if occurring > 0.0 { sum / occurring } else { 0.0 }
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
