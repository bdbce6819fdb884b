//! The area under a curve of all thresholds.

use super::{Direction, Metric, MetricBatch, regression::needs_values};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetRange, TargetView};
use serde::{Deserialize, Serialize};

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
/// `num_thresholds` (200), `curve` ([`Curve::Roc`]), `summation` ([`Summation::Interpolation`]).
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::nn::{Auc, Metric, MetricBatch, TargetView};
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
    /// How many thresholds there are, 2 at least.
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
        (0..self.num_thresholds - 1).map(column).sum()
    }
}

/// Adds the weights of a batch's yes's, then of its no's, by the last of the evenly spaced thresholds that their
/// outputs are above.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the thresholds")]
pub(super) fn count_by_threshold<F: Float>(
    batch: MetricBatch<'_, F>,
    num_thresholds: usize,
    totals: &mut [f64],
) {
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
    fn kind(&self) -> &'static str {
        "auc"
    }

    fn totals(&self, _: &Shape) -> usize {
        2 * self.num_thresholds
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitIntervalOrSigns
    }

    fn validate(&self, _: &Shape, targets: TargetView<'_, F>) -> Result<()> {
        if self.num_thresholds < 2 {
            let expected = "at least 2";
            return Err(Error::invalid_parameter("auc", "num_thresholds", self.num_thresholds, expected));
        }
        needs_values("auc", targets)
    }

    fn update(&self, batch: MetricBatch<'_, F>, totals: &mut [f64]) {
        count_by_threshold(batch, self.num_thresholds, totals);
    }

    fn value(&self, totals: &[f64]) -> f64 {
        let n = self.num_thresholds;
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
