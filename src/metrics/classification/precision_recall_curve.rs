//! The precision-recall curve and the average precision.

use super::Thresholds;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::metrics::sample_weights;
use ndarray::{Array1, ArrayBase, Data, Ix1};

/// Precision and recall at every threshold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PrecisionRecallCurve {
    /// Of the samples scored at or above each threshold, the share that is positive; ends with 1.
    pub precision: Array1<f64>,
    /// Of the positive samples, the share scored at or above each threshold; descending, ends with 0.
    pub recall: Array1<f64>,
    /// The thresholds, ascending; one less than points.
    pub thresholds: Array1<f64>,
}

impl PrecisionRecallCurve {
    /// The mean of the precisions, weighted by the gain in recall.
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        let gains = self.recall.windows(2).into_iter().map(|pair| pair[0] - pair[1]);
        gains.zip(&self.precision).map(|(gain, precision)| gain * precision).sum()
    }

    /// As [`precision_recall_curve`], with a weight for each sample.
    ///
    /// # Errors
    /// As [`precision_recall_curve`], and weights that are negative, not finite, all zero, or not one for each sample.
    pub fn weighted<F: Float, W: Float>(
        y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
        sample_weight: &ArrayBase<impl Data<Elem = W>, Ix1>,
    ) -> Result<Self> {
        let weights = sample_weights(sample_weight, y_true.len())?;
        Self::of(&Thresholds::of(y_true, y_score, Some(&weights))?)
    }

    fn of(steps: &Thresholds) -> Result<Self> {
        let (positives, _) = steps.totals();
        if positives == 0.0 {
            return Err(Error::Target {
                owner: "precision_recall_curve".into(),
                expected: "at least 1 sample of class 1".into(),
                got: "none".into(),
                hint: "judge by more samples, or stratify the split".into(),
            });
        }
        let counts = || steps.true_positives.iter().zip(&steps.false_positives).rev();
        Ok(PrecisionRecallCurve {
            precision: counts().map(|(hits, alarms)| hits / (hits + alarms)).chain([1.0]).collect(),
            recall: counts().map(|(hits, _)| hits / positives).chain([0.0]).collect(),
            thresholds: steps.scores.iter().rev().copied().collect(),
        })
    }
}

/// Precision and recall at every distinct score.
///
/// # Shapes
/// `y_true`: (n_samples), classes 0 and 1; `y_score`: (n_samples), higher for class 1.
///
/// # Errors
/// Different lengths, labels other than 0 and 1, no positive sample, scores that are not finite.
///
/// # Examples
/// ```
/// use axonal::metrics::precision_recall_curve;
/// use axonal::ndarray::array;
///
/// let curve = precision_recall_curve(&array![0, 0, 1, 1], &array![0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(curve.precision, array![0.5, 2.0 / 3.0, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.recall, array![1.0, 1.0, 0.5, 0.5, 0.0]);
/// assert_eq!(curve.thresholds, array![0.1, 0.35, 0.4, 0.8]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn precision_recall_curve<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<PrecisionRecallCurve> {
    PrecisionRecallCurve::of(&Thresholds::of(y_true, y_score, None)?)
}

/// The mean of the precisions at all thresholds, weighted by the gain in recall.
///
/// # Errors
/// As [`precision_recall_curve`].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let score = axonal::metrics::average_precision_score(&array![0, 0, 1, 1], &array![0.1, 0.4, 0.35, 0.8])?;
/// assert!((score - 5.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn average_precision_score<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    Ok(precision_recall_curve(y_true, y_score)?.average_precision())
}
