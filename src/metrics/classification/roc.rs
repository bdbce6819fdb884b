//! The ROC curve and the area under it.

use super::{Average, ROW_SUM_TOLERANCE, Thresholds, check_labels, check_lengths, check_rows_sum_to_one};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::scaled::{exponent, times_power_of_two};
use crate::metrics::sample_weights;
use crate::validate;
use ndarray::{Array1, ArrayBase, Data, Ix1, Ix2};

/// The receiver operating characteristic: what share of the positives is found at what share of false alarms.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RocCurve {
    /// The share of negative samples scored at or above each threshold; ascending from 0 to 1.
    pub false_positive_rate: Array1<f64>,
    /// The share of positive samples scored at or above each threshold; ascending from 0 to 1.
    pub true_positive_rate: Array1<f64>,
    /// The thresholds, descending from infinity.
    pub thresholds: Array1<f64>,
}

impl RocCurve {
    /// The area under the curve.
    #[must_use]
    pub fn auc(&self) -> f64 {
        // The rounding of the rates may leave a sum beyond 1.
        trapezoid(&self.false_positive_rate, &self.true_positive_rate).clamp(0.0, 1.0)
    }

    /// As [`roc_curve`], with a weight for each sample.
    ///
    /// # Errors
    /// As [`roc_curve`], and weights that are negative, not finite, all zero, or not one for each sample.
    pub fn weighted<F: Float, W: Float>(
        y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
        sample_weight: &ArrayBase<impl Data<Elem = W>, Ix1>,
    ) -> Result<Self> {
        let weights = sample_weights(sample_weight, y_true.len())?;
        Self::of(&Thresholds::of(y_true, y_score, Some(&weights))?)
    }

    fn of(steps: &Thresholds) -> Result<Self> {
        let (positives, negatives) = steps.totals();
        if positives == 0.0 || negatives == 0.0 {
            return Err(Error::Target {
                owner: "roc_curve".into(),
                expected: "samples of both classes, 0 and 1".into(),
                got: format!("{positives} positive and {negatives} negative ones"),
                hint: "judge by more samples, or stratify the split".into(),
            });
        }
        let rate = |counts: &[f64], total: f64| {
            std::iter::once(0.0).chain(counts.iter().map(|count| count / total)).collect()
        };
        Ok(RocCurve {
            false_positive_rate: rate(&steps.false_positives, negatives),
            true_positive_rate: rate(&steps.true_positives, positives),
            thresholds: std::iter::once(f64::INFINITY).chain(steps.scores.iter().copied()).collect(),
        })
    }
}

/// The receiver operating characteristic, one point for each distinct score.
///
/// # Shapes
/// `y_true`: (n_samples), classes 0 and 1; `y_score`: (n_samples), higher for class 1.
///
/// # Errors
/// Different lengths, labels other than 0 and 1 or of one class only, scores that are not finite.
///
/// # Examples
/// ```
/// use axonal::metrics::roc_curve;
/// use axonal::ndarray::array;
///
/// let curve = roc_curve(&array![0, 0, 1, 1], &array![0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(curve.false_positive_rate, array![0.0, 0.0, 0.5, 0.5, 1.0]);
/// assert_eq!(curve.true_positive_rate, array![0.0, 0.5, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.auc(), 0.75);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn roc_curve<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<RocCurve> {
    RocCurve::of(&Thresholds::of(y_true, y_score, None)?)
}

/// The area under the receiver operating characteristic: the chance that a positive sample scores above a negative
/// one.
///
/// # Errors
/// As [`roc_curve`].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let auc = axonal::metrics::roc_auc_score(&array![0, 0, 1, 1], &array![0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(auc, 0.75);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn roc_auc_score<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    Ok(roc_curve(y_true, y_score)?.auc())
}

/// The area under the curve of each class against the rest, averaged over the classes.
///
/// # Shapes
/// `y_true`: (n_samples); `y_score`: (n_samples, n_classes), probabilities.
///
/// # Errors
/// As [`roc_curve`] for every class; an average other than [`Average::Macro`] and [`Average::Weighted`]; rows of scores that do
/// not sum to 1 within 1e-5, as in scikit-learn: scores of several classes are comparable only as probabilities.
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, roc_auc_ovr_score};
/// use axonal::ndarray::array;
///
/// let scores = array![[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]];
/// assert_eq!(roc_auc_ovr_score(&array![0, 1, 1, 2], &scores, Average::Macro)?, 1.0);
/// # Ok::<(), axonal::Error>(())
/// ```
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
pub fn roc_auc_ovr_score<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix2>,
    average: Average,
) -> Result<f64> {
    if !matches!(average, Average::Macro | Average::Weighted) {
        let got = format!("{average:?}");
        return Err(Error::invalid_parameter("roc_auc_ovr_score", "average", got, "Macro or Weighted"));
    }
    validate::not_empty("y_score", y_score)?;
    check_lengths(y_true.len(), y_score.nrows())?;
    check_labels(y_true, y_score.ncols())?;
    validate::finite("y_score", y_score)?;
    check_rows_sum_to_one("roc_auc_ovr_score", "y_score", y_score, ROW_SUM_TOLERANCE)?;
    let (mut sum, mut total) = (0.0, 0.0);
    for (class, scores) in y_score.columns().into_iter().enumerate() {
        let is_class = y_true.mapv(|label| usize::from(label == class));
        let weight = if average == Average::Weighted { is_class.sum() as f64 } else { 1.0 };
        sum += weight * roc_auc_score(&is_class, &scores)?;
        total += weight;
    }
    Ok(sum / total)
}

/// The area under a curve through points, by the trapezoidal rule; infinite where it exceeds `f64`.
///
/// # Errors
/// Different lengths, fewer than two points, points that are not finite, `x` neither ascending nor descending.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// assert_eq!(axonal::metrics::auc(&array![0.0, 1.0, 3.0], &array![0.0, 2.0, 2.0])?, 5.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn auc<F: Float>(
    x: &ArrayBase<impl Data<Elem = F>, Ix1>,
    y: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    validate::length("y", y.len(), x.len())?;
    validate::finite("x", x)?;
    validate::finite("y", y)?;
    if x.len() < 2 {
        return Err(Error::TooFewSamples { owner: "auc", n_samples: x.len(), name: "points", needed: 2 });
    }
    let (x, y) = (x.mapv(F::as_f64), y.mapv(F::as_f64));
    let ascending = x.windows(2).into_iter().all(|pair| pair[0] <= pair[1]);
    let descending = x.windows(2).into_iter().all(|pair| pair[0] >= pair[1]);
    match (ascending, descending) {
        (true, _) => Ok(trapezoid(&x, &y)),
        (_, true) => Ok(-trapezoid(&x, &y)),
        _ => Err(Error::invalid_parameter("auc", "x", "neither", "ascending or descending numbers")),
    }
}

fn trapezoid(x: &Array1<f64>, y: &Array1<f64>) -> f64 {
    let area = |x: &Array1<f64>, y: &Array1<f64>| -> f64 {
        (x.windows(2).into_iter().zip(y.windows(2))).map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
    };
    let plain = area(x, y);
    if plain.is_finite() {
        return plain;
    }
    // Differences, sums or products overflowed on the way: the same of coordinates of at most 1.
    let shift = |values: &Array1<f64>| exponent(values.fold(0.0, |max, value| value.abs().max(max))) + 1;
    let scaled = |values: &Array1<f64>, shift: i32| values.mapv(|value| times_power_of_two(value, -shift));
    let (x_shift, y_shift) = (shift(x), shift(y));
    times_power_of_two(area(&scaled(x, x_shift), &scaled(y, y_shift)), x_shift + y_shift)
}
