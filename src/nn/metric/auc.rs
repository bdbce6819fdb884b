//! The area under a curve of all thresholds.

use super::{Direction, Metric, MetricBatch, mean_metric::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetRange, TargetView};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The curve whose area an [`Auc`] is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Curve {
    /// The recall over the share of no's that were answered yes.
    #[default]
    Roc,
    /// The precision over the recall.
    Pr,
}

/// How an [`Auc`] fills the curve between two thresholds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Summation {
    /// In a straight line; on the precision over the recall, along the true positives (Davis and Goadrich 2006).
    #[default]
    Interpolation,
    /// With the lower of the two heights.
    Minoring,
    /// With the higher of the two heights.
    Majoring,
}

/// The area under the curve that a threshold draws as it falls from 1 to 0, from 200 evenly spaced thresholds.
///
/// # Parameters
/// `num_thresholds` (200; 2 to 1,048,576), `curve` ([`Curve::Roc`]), `summation` ([`Summation::Interpolation`]).
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{MetricBatch, TargetView};
/// use axonal::metrics::{Auc, Metric};
///
/// let (prediction, target) = (array![[0.0], [0.5], [0.3], [0.9]], array![[0.0], [0.0], [1.0], [1.0]]);
/// let auc = Auc::default().num_thresholds(3);
/// let mut totals = [0.0; 6];
/// auc.update(MetricBatch::new(prediction.view(), TargetView::Values(target.view())), &mut totals);
/// assert!((Metric::<f64>::value(&auc, &totals) - 0.75).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auc {
    #[serde(deserialize_with = "read_thresholds")]
    num_thresholds: usize,
    curve: Curve,
    summation: Summation,
}

impl Default for Auc {
    fn default() -> Self {
        Self { num_thresholds: 200, curve: Curve::Roc, summation: Summation::Interpolation }
    }
}

impl Auc {
    /// Creates the metric with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many thresholds there are, from 2 to 1,048,576.
    #[must_use]
    pub fn num_thresholds(mut self, num_thresholds: usize) -> Self {
        self.num_thresholds = num_thresholds;
        self
    }

    /// The curve.
    #[must_use]
    pub fn curve(mut self, curve: Curve) -> Self {
        self.curve = curve;
        self
    }

    /// How the curve is filled between thresholds.
    #[must_use]
    pub fn summation(mut self, summation: Summation) -> Self {
        self.summation = summation;
        self
    }

    /// The area of columns between neighbours on the x-axis.
    fn columns(self, x: impl Fn(usize) -> f64, y: impl Fn(usize) -> f64) -> f64 {
        let column = |i: usize| {
            let height = match self.summation {
                Summation::Interpolation => f64::midpoint(y(i), y(i + 1)),
                Summation::Minoring => y(i).min(y(i + 1)),
                Summation::Majoring => y(i).max(y(i + 1)),
            };
            (x(i) - x(i + 1)) * height
        };
        (0..bounded(self.num_thresholds) - 1).map(column).sum()
    }
}

/// The most thresholds: 16 MiB of totals, and steps near the resolution of `f32` outputs.
const MOST_THRESHOLDS: usize = 1 << 20;
const EXPECTED: &str = "2 to 1048576";

/// Refuses a number of thresholds out of range.
pub(super) fn check_thresholds(owner: &str, num_thresholds: usize) -> Result<()> {
    if bounded(num_thresholds) == num_thresholds {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, "num_thresholds", num_thresholds, EXPECTED))
}

/// The number of thresholds of a metric that is not validated yet, so that no total is out of range.
pub(super) fn bounded(num_thresholds: usize) -> usize {
    num_thresholds.clamp(2, MOST_THRESHOLDS)
}

/// A number of thresholds from a file.
pub(super) fn read_thresholds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<usize, D::Error> {
    let num_thresholds = usize::deserialize(deserializer)?;
    check_thresholds("metric", num_thresholds).map_err(D::Error::custom)?;
    Ok(num_thresholds)
}

/// Adds the weights of a batch's positives, then of its negatives, by the last of the evenly spaced thresholds that their
/// outputs are above.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the thresholds")]
pub(super) fn count_by_threshold<F: Float>(
    batch: MetricBatch<'_, F>,
    num_thresholds: usize,
    totals: &mut [f64],
) {
    let num_thresholds = bounded(num_thresholds);
    let (yes, no) = totals.split_at_mut(num_thresholds.min(totals.len()));
    let steps = (num_thresholds - 1) as f64;
    for (position, (prediction, target)) in batch.pairs().enumerate() {
        let weight = batch.weight(position);
        for (&p, &t) in prediction.iter().zip(target) {
            let bucket = ((p.as_f64().clamp(0.0, 1.0) * steps).ceil() - 1.0).max(0.0) as usize;
            let side = if t > F::zero() { &mut *yes } else { &mut *no };
            side[bucket] += weight;
        }
    }
}

/// The true and the false positives at each threshold, from the sums of [`count_by_threshold`].
pub(super) fn above_thresholds(totals: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let from_above = |counts: &[f64]| {
        let mut sums = counts.to_vec();
        (0..sums.len().saturating_sub(1)).rev().for_each(|i| sums[i] += sums[i + 1]);
        sums
    };
    let (yes, no) = totals.split_at(totals.len() / 2);
    (from_above(yes), from_above(no))
}

pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

impl<F: Float> Metric<F> for Auc {
    crate::float::precompiled::into_arc!(Auc: Metric<F>);

    fn kind(&self) -> &'static str {
        "auc"
    }

    fn totals(&self, _: &Shape) -> usize {
        2 * bounded(self.num_thresholds)
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitIntervalOrSigns
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        check_thresholds("auc", self.num_thresholds)?;
        needs_values("auc", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        count_by_threshold(batch, self.num_thresholds, totals);
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let n = bounded(self.num_thresholds);
        let (tp, fp) = above_thresholds(totals);
        let (yes, no) = (tp[0], fp[0]);
        let recall = |i: usize| share(tp[i], yes);
        match (self.curve, self.summation) {
            (Curve::Roc, _) => self.columns(|i| share(fp[i], no), recall),
            (Curve::Pr, Summation::Interpolation) => {
                let answered = |i: usize| tp[i] + fp[i];
                let piece = |i: usize| {
                    let more = tp[i] - tp[i + 1];
                    let slope = share(more, (answered(i) - answered(i + 1)).max(0.0));
                    let intercept = tp[i + 1] - slope * answered(i + 1);
                    let both = answered(i) > 0.0 && answered(i + 1) > 0.0;
                    let ratio = if both { answered(i) / answered(i + 1) } else { 1.0 };
                    share(slope * (more + intercept * ratio.ln()), yes)
                };
                (0..n - 1).map(piece).sum()
            }
            (Curve::Pr, _) => self.columns(recall, |i| share(tp[i], tp[i] + fp[i])),
        }
    }

    fn direction(&self) -> Direction {
        Direction::Up
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SensitivityAtSpecificity;
    use super::*;
    use ndarray::array;

    fn metrics(num_thresholds: usize) -> [Box<dyn Metric<f64>>; 2] {
        let sensitivity = SensitivityAtSpecificity::new(0.5).num_thresholds(num_thresholds);
        [Box::new(Auc::default().num_thresholds(num_thresholds)), Box::new(sensitivity)]
    }

    /// Also of a metric that no caller has validated: neither too many totals nor a panic.
    #[test]
    fn numbers_of_thresholds_out_of_range_are_refused_and_take_no_memory() {
        let (prediction, target) = (array![[0.2], [0.9]], array![[0.0], [1.0]]);
        let (output, targets) = (Shape::from(1), TargetView::Values(target.view()));
        for n in [0, 1, (1 << 20) + 1, 1 << 30, usize::MAX / 2 + 1, usize::MAX] {
            for metric in metrics(n) {
                let error = metric.validate(&output, targets).unwrap_err().to_string();
                assert!(error.ends_with(&format!("num_thresholds is {n}, expected 2 to 1048576")), "{error}");
                let mut totals = vec![0.0; metric.totals(&output)];
                assert!(totals.len() <= 2 << 20);
                metric.update(MetricBatch::new(prediction.view(), targets), &mut totals);
                assert!(metric.value(&totals).is_finite());
                let json = metric.config().unwrap().as_json().to_string();
                let kind = metric.kind();
                let read = super::super::from_config::<f64>(kind, &Config::from_json(&*json)).unwrap();
                assert!(read.unwrap_err().to_string().contains("2 to 1048576"), "{json}");
            }
        }
        // Thresholds of 0 and 1 alone do not tell 0.2 and 0.9 apart.
        for (n, area) in [(2, 0.5), (3, 1.0), (1 << 20, 1.0)] {
            let auc = Auc::default().num_thresholds(n);
            assert!(metrics(n).iter().all(|metric| metric.validate(&output, targets).is_ok()));
            let mut totals = vec![0.0; Metric::<f64>::totals(&auc, &output)];
            auc.update(MetricBatch::new(prediction.view(), targets), &mut totals);
            assert_eq!(Metric::<f64>::value(&auc, &totals), area, "{n} thresholds");
        }
    }
}
