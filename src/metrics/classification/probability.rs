//! Scores of predicted probabilities: log loss, Brier score, top-k accuracy.

use super::{ROW_SUM_TOLERANCE, check_labels, check_lengths, check_rows_sum_to_one};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{ArrayBase, Data, Dimension, Ix1, Ix2};

/// The cross-entropy of the true classes and predicted probabilities, averaged over the samples.
///
/// −1/n · Σ ln p, with p the probability given to the true class, kept an ε of the float type away from 0 and 1.
///
/// # Shapes
/// `y_true`: (n_samples); `y_prob`: (n_samples, n_classes).
///
/// # Errors
/// Different lengths, a label without a column, probabilities that are not finite or outside 0 to 1, rows that do not sum to
/// 1: within 1e-5 for `f64`, 3.5e-4 (√ε) for `f32`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let loss = axonal::metrics::log_loss(&array![0, 1], &array![[0.5, 0.5], [0.5, 0.5]])?;
/// assert!((loss - 2.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn log_loss<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_prob: &ArrayBase<impl Data<Elem = F>, Ix2>,
) -> Result<f64> {
    weighted_log_loss(y_true, y_prob, &vec![1.0; y_true.len()])
}

pub(in crate::metrics) fn weighted_log_loss<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_prob: &ArrayBase<impl Data<Elem = F>, Ix2>,
    weights: &[f64],
) -> Result<f64> {
    validate::not_empty("y_prob", y_prob)?;
    check_lengths(y_true.len(), y_prob.nrows())?;
    check_labels(y_true, y_prob.ncols())?;
    check_probabilities("log_loss", y_prob)?;
    let epsilon = F::epsilon().as_f64();
    // scikit-learn warns beyond √ε; rows of f32 that were converted to f64 must pass as well.
    check_rows_sum_to_one("log_loss", "y_prob", y_prob, ROW_SUM_TOLERANCE.max(epsilon.sqrt()))?;
    let losses = y_true
        .iter()
        .zip(y_prob.rows())
        .map(|(&label, row)| -row[label].as_f64().clamp(epsilon, 1.0 - epsilon).ln());
    Ok(mean(losses, weights))
}

/// The weighted mean.
fn mean(values: impl Iterator<Item = f64>, weights: &[f64]) -> f64 {
    values.zip(weights).map(|(value, weight)| weight * value).sum::<f64>() / weights.iter().sum::<f64>()
}

/// The mean squared difference between the predicted probability of class 1 and whether it was the class.
///
/// # Shapes
/// `y_true`: (n_samples), classes 0 and 1; `y_prob`: (n_samples).
///
/// # Errors
/// Different lengths, labels other than 0 and 1, probabilities that are not finite or outside 0 to 1.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// assert_eq!(axonal::metrics::brier_score_loss(&array![0, 1], &array![0.5, 1.0])?, 0.125);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn brier_score_loss<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_prob: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    weighted_brier(y_true, y_prob, &vec![1.0; y_true.len()])
}

#[allow(clippy::cast_precision_loss, reason = "a class number")]
pub(in crate::metrics) fn weighted_brier<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_prob: &ArrayBase<impl Data<Elem = F>, Ix1>,
    weights: &[f64],
) -> Result<f64> {
    check_lengths(y_true.len(), y_prob.len())?;
    check_labels(y_true, 2)?;
    check_probabilities("brier_score_loss", y_prob)?;
    let squares = y_true.iter().zip(y_prob).map(|(&label, p)| (p.as_f64() - label as f64).powi(2));
    Ok(mean(squares, weights))
}

/// The share of samples whose true class is among the `k` with the highest scores.
///
/// Of equal scores the class with the higher number counts as higher.
///
/// # Shapes
/// `y_true`: (n_samples); `y_score`: (n_samples, n_classes).
///
/// # Errors
/// Different lengths, a label without a column, scores that are not finite, `k` of 0.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let scores = array![[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]];
/// assert_eq!(axonal::metrics::top_k_accuracy_score(&array![0, 1, 2, 2], &scores, 2)?, 0.75);
/// # Ok::<(), axonal::Error>(())
/// ```
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
pub fn top_k_accuracy_score<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix2>,
    k: usize,
) -> Result<f64> {
    if k == 0 {
        return Err(Error::invalid_parameter("top_k_accuracy_score", "k", k, "at least 1"));
    }
    validate::not_empty("y_score", y_score)?;
    check_lengths(y_true.len(), y_score.nrows())?;
    check_labels(y_true, y_score.ncols())?;
    validate::finite("y_score", y_score)?;
    let is_hit = |(&label, row): (&usize, ndarray::ArrayView1<'_, F>)| {
        let above =
            |(class, score): (usize, &F)| *score > row[label] || (*score == row[label] && class > label);
        row.iter().enumerate().filter(|entry| above(*entry)).count() < k
    };
    let hits = y_true.iter().zip(y_score.rows()).filter(|(label, row)| is_hit((label, *row))).count();
    Ok(hits as f64 / y_true.len() as f64)
}

/// Refuses what is no probability.
fn check_probabilities<F: Float, D: Dimension>(
    owner: &str,
    y_prob: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<()> {
    validate::finite("y_prob", y_prob)?;
    match y_prob.iter().find(|p| **p < F::zero() || **p > F::one()) {
        Some(p) => Err(Error::invalid_parameter(owner, "y_prob", p, "probabilities from 0 to 1")),
        None => Ok(()),
    }
}
