//! The coefficient of determination.

use super::{Direction, Metric, MetricBatch, regression::needs_values};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetView;
use serde::{Deserialize, Serialize};

/// The share of the targets' variance that the predictions explain, `1 - Σ(t - p)² / Σ(t - mean t)²`, averaged over the
/// outputs: 1 for perfect predictions, 0 for the mean of the targets.
///
/// # Examples
/// ```
/// use axonal::nn::{Metric, R2Score};
/// assert_eq!(Metric::<f32>::name(&R2Score::default()), "r2_score");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct R2Score {}

impl<F: Float> Metric<F> for R2Score {
    fn kind(&self) -> &'static str {
        "r2_score"
    }

    /// For each output the sums of w, w t, w t² and w (t - p)².
    fn totals(&self, output: &Shape) -> usize {
        4 * output.size()
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        needs_values("r2_score", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let TargetView::Values(targets) = batch.targets else { return };
        for (row, (prediction, target)) in batch.prediction.rows().into_iter().zip(targets.rows()).enumerate()
        {
            let first = row * (prediction.len() / batch.last.max(1));
            let outputs = prediction.iter().zip(target).zip(totals.chunks_exact_mut(4));
            for (output, ((&p, &t), totals)) in outputs.enumerate() {
                let weight = batch.weight(first + output / batch.last.max(1));
                let (p, t) = (p.as_f64(), t.as_f64());
                let terms = [1.0, t, t * t, (t - p) * (t - p)];
                totals.iter_mut().zip(terms).for_each(|(total, term)| *total += weight * term);
            }
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let score = |totals: &[f64]| {
            let &[weights, sum, squares, residuals] = totals else { return 0.0 };
            let score = 1.0 - residuals / (squares - sum * (sum / weights));
            // Targets that do not vary, as in Keras.
            if score.is_finite() { score } else { 0.0 }
        };
        let outputs = totals.chunks_exact(4);
        let n = outputs.len().max(1) as f64;
        outputs.map(score).sum::<f64>() / n
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
