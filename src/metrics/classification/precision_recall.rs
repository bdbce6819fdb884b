//! Precision, recall and F-scores.

use super::ConfusionMatrix;
use crate::error::{Error, Result};
pub use crate::nn::metric::Average;
use crate::nn::metric::f_beta;
use ndarray::{ArrayBase, Data, Ix1};

/// How well one class, or an average of classes, is recognized. A score without anything to divide by is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ClassScore {
    /// Of the samples predicted as the class, the share that is of it.
    pub precision: f64,
    /// Of the samples of the class, the share that is predicted as it.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// Of the samples of the class or predicted as it, the share that is both (intersection over union).
    pub jaccard: f64,
    /// How many samples are of the class.
    pub support: usize,
}

/// `a / b`, or 0 where there is nothing to divide by.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

impl ClassScore {
    pub(super) fn of(hits: f64, predicted: f64, truths: f64, support: usize) -> Self {
        Self {
            precision: ratio(hits, predicted),
            recall: ratio(hits, truths),
            f1: ratio(2.0 * hits, predicted + truths),
            jaccard: ratio(hits, predicted + truths - hits),
            support,
        }
    }

    /// The weighted harmonic mean of precision and recall: `beta` times as much weight on recall.
    #[must_use]
    pub fn f_beta(&self, beta: f64) -> f64 {
        f_beta(self.precision, self.recall, beta, 0.0)
    }
}

impl Average {
    /// Precision, recall and the rest, averaged over the classes of `matrix`.
    pub(super) fn of(self, matrix: &ConfusionMatrix) -> Result<ClassScore> {
        if self == Self::Binary {
            return binary(matrix);
        }
        if self == Self::Micro {
            let total = matrix.total();
            return Ok(ClassScore::of(matrix.hits().sum(), total, total, matrix.n_samples()));
        }
        Ok(self.mean_of(matrix, |score| score))
    }

    /// The weighted harmonic mean of precision and recall, averaged.
    pub(super) fn f_beta(self, matrix: &ConfusionMatrix, beta: f64) -> Result<f64> {
        if beta.is_nan() || beta < 0.0 {
            return Err(Error::invalid_parameter("fbeta_score", "beta", beta, "at least 0"));
        }
        let with_f_beta = |score: ClassScore| ClassScore { f1: score.f_beta(beta), ..score };
        match self {
            Self::Binary | Self::Micro => Ok(with_f_beta(self.of(matrix)?).f1),
            Self::Macro | Self::Weighted => Ok(self.mean_of(matrix, with_f_beta).f1),
        }
    }

    /// `of` each class's scores, averaged; for scores that do not follow from the averages of others.
    fn mean_of(self, matrix: &ConfusionMatrix, of: impl Fn(ClassScore) -> ClassScore) -> ClassScore {
        let (scores, truths) = (matrix.class_scores(), matrix.truths());
        let weights = truths.mapv(|truths| if self == Self::Weighted { truths } else { 1.0 });
        let mean = |field: fn(&ClassScore) -> f64| {
            let values = scores.iter().zip(&weights).map(|(score, weight)| weight * field(&of(*score)));
            // Both sums in one order: scores of 1 then have a mean of exactly 1.
            ratio(values.sum(), weights.iter().sum())
        };
        ClassScore {
            precision: mean(|score| score.precision),
            recall: mean(|score| score.recall),
            f1: mean(|score| score.f1),
            jaccard: mean(|score| score.jaccard),
            support: scores.iter().map(|score| score.support).sum(),
        }
    }
}

/// The scores of class 1.
fn binary(matrix: &ConfusionMatrix) -> Result<ClassScore> {
    if let Some(label) = matrix.labels().iter().find(|label| **label > 1) {
        return Err(Error::Target {
            owner: "Average::Binary".into(),
            expected: "labels 0 and 1".into(),
            got: format!("label {label}"),
            hint: "choose Average::Macro, Average::Micro or Average::Weighted".into(),
        });
    }
    let scores = matrix.labels().iter().zip(matrix.class_scores());
    let positive = scores.into_iter().find(|(label, _)| **label == 1).map(|(_, score)| score);
    Ok(positive.unwrap_or(ClassScore::of(0.0, 0.0, 0.0, 0)))
}

/// Of the samples predicted as a class, the share that is of it; averaged.
///
/// # Errors
/// No samples, different lengths, or [`Average::Binary`] with a label other than 0 and 1.
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, precision_score};
/// use axonal::ndarray::array;
///
/// let (y_true, y_pred) = (array![0, 1, 2, 0, 1, 2], array![0, 2, 1, 0, 0, 1]);
/// assert!((precision_score(&y_true, &y_pred, Average::Macro)? - 2.0 / 9.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn precision_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    average: Average,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.score(average)?.precision)
}

/// Of the samples of a class, the share that is predicted as it; averaged.
///
/// # Errors
/// As [`precision_score`].
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, recall_score};
/// use axonal::ndarray::array;
///
/// assert_eq!(recall_score(&array![0, 1, 1, 1], &array![0, 1, 1, 0], Average::Binary)?, 2.0 / 3.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn recall_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    average: Average,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.score(average)?.recall)
}

/// The harmonic mean of precision and recall; averaged.
///
/// # Errors
/// As [`precision_score`].
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, f1_score};
/// use axonal::ndarray::array;
///
/// assert_eq!(f1_score(&array![0, 1, 1, 1], &array![0, 1, 1, 0], Average::Binary)?, 0.8);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn f1_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    average: Average,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.score(average)?.f1)
}

/// The harmonic mean of precision and recall with `beta` times as much weight on recall; averaged.
///
/// # Errors
/// As [`precision_score`], and a negative or NaN `beta`.
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, fbeta_score};
/// use axonal::ndarray::array;
///
/// let score = fbeta_score(&array![0, 1, 1, 1], &array![0, 1, 1, 0], 2.0, Average::Binary)?;
/// assert!((score - 5.0 / 7.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn fbeta_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    beta: f64,
    average: Average,
) -> Result<f64> {
    ConfusionMatrix::new(y_true, y_pred)?.f_beta(beta, average)
}

/// Of the samples of a class or predicted as it, the share that is both; averaged.
///
/// # Errors
/// As [`precision_score`].
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, jaccard_score};
/// use axonal::ndarray::array;
///
/// assert_eq!(jaccard_score(&array![0, 1, 1, 1], &array![1, 1, 1, 0], Average::Binary)?, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn jaccard_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    average: Average,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.score(average)?.jaccard)
}
