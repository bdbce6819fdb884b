//! The harmonic mean of precision and recall.

use super::average::f_beta;
use super::{Average, Direction, Metric, MetricBatch, mean_metric::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetRange, TargetView};
use serde::{Deserialize, Serialize};

/// The weighted harmonic mean of precision and recall: `(1 + β²) P R / (β² P + R)`, for one-hot and multi-label targets.
///
/// # Parameters
/// `beta` (1, the F1 score): how much more the recall counts. `average` ([`Average::Macro`]): Keras's default is a
/// vector of all classes' scores, which a single number cannot be. `threshold` (none): outputs strictly above it are a
/// yes; without one, the largest of a sample is.
///
/// # Examples
/// ```
/// use axonal::metrics::{FBeta, Metric};
/// assert_eq!(Metric::<f32>::name(&FBeta::f1()), "f1_score");
/// assert_eq!(Metric::<f32>::name(&FBeta::new(2.0)), "fbeta_score");
/// ```
///
/// # References
/// van Rijsbergen 1979, "Information retrieval".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FBeta {
    beta: f64,
    average: Average,
    threshold: Option<f64>,
}

impl Default for FBeta {
    fn default() -> Self {
        Self { beta: 1.0, average: Average::Macro, threshold: None }
    }
}

/// What keeps divisions finite, as in Keras.
const EPSILON: f64 = 1e-7;

impl FBeta {
    /// A score in which recall counts `beta` times as much as precision.
    #[must_use]
    pub fn new(beta: f64) -> Self {
        Self { beta, ..Self::default() }
    }

    /// The F1 score.
    #[must_use]
    pub fn f1() -> Self {
        Self::new(1.0)
    }

    /// How the classes' scores become one.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.average = average;
        self
    }

    /// Sets the threshold above which an output is predicted positive.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    fn score(self, counts: &[f64]) -> f64 {
        let &[both, answered, actual] = counts else { return 0.0 };
        let (precision, recall) = (both / (answered + EPSILON), both / (actual + EPSILON));
        f_beta(precision, recall, self.beta, EPSILON)
    }
}

impl<F: Float> Metric<F> for FBeta {
    crate::float::precompiled::into_arc!(FBeta: Metric<F>);

    fn kind(&self) -> &'static str {
        if self.beta == 1.0 { "f1_score" } else { "fbeta_score" }
    }

    /// For each class the weights of true positives, of predicted positives, of positives.
    fn totals(&self, output: &Shape) -> usize {
        output.last().saturating_mul(3)
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, output: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        if !(self.beta > 0.0 && self.beta.is_finite()) {
            return Err(Error::invalid_parameter(
                "fbeta_score",
                "beta",
                self.beta,
                "a finite number above 0",
            ));
        }
        if self.average == Average::Binary && output.last() > 2 {
            let expected = format!("Micro, Macro or Weighted for {} classes", output.last());
            return Err(Error::invalid_parameter("fbeta_score", "average", "Binary", expected));
        }
        needs_values("fbeta_score", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        let (TargetView::Values(targets), Some(predictions)) = (batch.targets, batch.prediction.as_slice())
        else {
            return;
        };
        let (Some(targets), last) = (targets.as_slice(), batch.last_axis.max(1)) else { return };
        let pairs = predictions.chunks_exact(last).zip(targets.chunks_exact(last));
        for (position, (prediction, target)) in pairs.enumerate() {
            let weight = batch.weight(position);
            let largest = prediction.iter().copied().fold(F::neg_infinity(), F::max);
            for ((&p, &t), totals) in prediction.iter().zip(target).zip(totals.chunks_exact_mut(3)) {
                let yes = match self.threshold {
                    Some(threshold) => p > F::of(threshold),
                    None => p >= largest && p.abs() > F::of(1e-9),
                };
                let (yes, t) = (f64::from(yes), t.as_f64());
                totals[0] += weight * yes * t;
                totals[1] += weight * yes;
                totals[2] += weight * t;
            }
        }
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let classes = totals.chunks_exact(3);
        let sum = |index: usize| totals.iter().skip(index).step_by(3).sum::<f64>();
        match self.average {
            // The only output, or that of class 1 of two.
            Average::Binary => classes.last().map_or(0.0, |counts| self.score(counts)),
            Average::Micro => self.score(&[sum(0), sum(1), sum(2)]),
            Average::Macro => {
                classes.clone().map(|counts| self.score(counts)).sum::<f64>() / classes.len() as f64
            }
            Average::Weighted => {
                let weight = |counts: &[f64]| counts[2] / (sum(2) + EPSILON);
                classes.map(|counts| self.score(counts) * weight(counts)).sum()
            }
        }
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
