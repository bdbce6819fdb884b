//! The coefficient of determination.

use super::double_double::DoubleDouble;
use super::{Direction, Metric, MetricBatch, mean_metric::needs_values};
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
/// use axonal::metrics::{Metric, R2Score};
/// assert_eq!(Metric::<f32>::name(&R2Score::default()), "r2_score");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct R2Score {}

impl R2Score {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F: Float> Metric<F> for R2Score {
    crate::float::precompiled::into_arc!(R2Score: Metric<F>);

    fn kind(&self) -> &'static str {
        "r2_score"
    }

    /// For each output: Σw, the first target s, Σw(t - p)², and Σw(t - s) and Σw(t - s)² in two numbers each.
    ///
    /// The variance is the small difference of large sums where targets are far from 0 or the first is far from the
    /// others; the shift by s and the second numbers keep its digits.
    fn totals(&self, output: &Shape) -> usize {
        PER_OUTPUT * output.size()
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        needs_values("r2_score", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let TargetView::Values(targets) = batch.targets else { return };
        for (row, (prediction, target)) in batch.prediction.rows().into_iter().zip(targets.rows()).enumerate()
        {
            let first = row * (prediction.len() / batch.last_axis.max(1));
            let outputs = prediction.iter().zip(target).zip(totals.chunks_exact_mut(PER_OUTPUT));
            for (output, ((&p, &t), totals)) in outputs.enumerate() {
                let weight = batch.weight(first + output / batch.last_axis.max(1));
                add(totals, weight, t.as_f64(), p.as_f64());
            }
        }
    }

    fn merge(&self, totals: &mut [f64], others: &[f64]) {
        for (totals, others) in totals.chunks_exact_mut(PER_OUTPUT).zip(others.chunks_exact(PER_OUTPUT)) {
            merge(totals, others);
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let outputs = totals.chunks_exact(PER_OUTPUT);
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

/// The totals of each output.
const PER_OUTPUT: usize = 7;

/// Adds a target and its prediction to the totals of an output.
fn add(totals: &mut [f64], weight: f64, t: f64, p: f64) {
    let [weights, shift, residuals, sum, sum_low, squares, squares_low] = totals else { return };
    if weight == 0.0 {
        return;
    }
    if *weights == 0.0 {
        *shift = t;
    }
    *weights += weight;
    *residuals += weight * (t - p) * (t - p);
    let deviation = t - *shift;
    let weighted = DoubleDouble::product(weight, deviation);
    let total = DoubleDouble { high: *sum, low: *sum_low }.plus(weighted);
    (*sum, *sum_low) = (total.high, total.low);
    let square = DoubleDouble::product(deviation, deviation).times(weight);
    let total = DoubleDouble { high: *squares, low: *squares_low }.plus(square);
    (*squares, *squares_low) = (total.high, total.low);
}

/// Adds the totals of other targets of an output, shifted by the first target of this one: with d = s₂ - s,
/// Σw(t - s) = Σw(t - s₂) + d Σw and Σw(t - s)² = Σw(t - s₂)² + 2d Σw(t - s₂) + d² Σw.
fn merge(totals: &mut [f64], others: &[f64]) {
    let &[other_weights, other_shift, other_residuals, other_sum, other_sum_low, other_squares, other_low] =
        others
    else {
        return;
    };
    if other_weights == 0.0 {
        return;
    }
    if totals[0] == 0.0 {
        return totals.copy_from_slice(others);
    }
    let [weights, shift, residuals, sum, sum_low, squares, squares_low] = totals else { return };
    let d = other_shift - *shift;
    let other_sum = DoubleDouble { high: other_sum, low: other_sum_low };
    let moved = DoubleDouble::product(d, other_weights);
    let total = DoubleDouble { high: *sum, low: *sum_low }.plus(other_sum).plus(moved);
    (*sum, *sum_low) = (total.high, total.low);
    let cross = other_sum.times(2.0 * d).plus(moved.times(d));
    let total = DoubleDouble { high: *squares, low: *squares_low }
        .plus(DoubleDouble { high: other_squares, low: other_low })
        .plus(cross);
    (*squares, *squares_low) = (total.high, total.low);
    *weights += other_weights;
    *residuals += other_residuals;
}

/// The score of an output from its totals; 0 where the targets do not vary, as in Keras.
fn score(totals: &[f64]) -> f64 {
    let &[weights, _, residuals, sum, sum_low, squares, squares_low] = totals else { return 0.0 };
    // Equal targets have no deviation from the first, exactly.
    if weights == 0.0 || squares == 0.0 {
        return 0.0;
    }
    let of_mean = DoubleDouble { high: sum, low: sum_low }.squared().over(-weights);
    let variation = DoubleDouble { high: squares, low: squares_low }.plus(of_mean).high;
    let score = 1.0 - residuals / variation;
    if variation > 0.0 && score.is_finite() { score } else { 0.0 }
}
