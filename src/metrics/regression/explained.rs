use super::pairs::{Pairs, mean_over_outputs};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{ArrayBase, Data, Dimension};

/// R², the coefficient of determination: the share of the values' variance that the predictions account for.
///
/// 1 − Σ (y − ŷ)² / Σ (y − ȳ)². 1 is perfect, 0 is as good as the mean, there is no lower bound. Values that are all
/// equal score 1 when predicted exactly, else 0.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, fewer than two samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::r2_score;
/// use axonal::ndarray::array;
///
/// assert_eq!(r2_score(&array![1.0, 2.0, 3.0], &array![1.0, 2.0, 2.0])?, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn r2_score<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, r2)
}

/// The share of the values' variance that is gone from the errors; unlike [`r2_score`] it forgives a constant error.
///
/// 1 − Var(y − ŷ) / Var(y). Values that are all equal score 1 when all errors are equal, else 0.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::explained_variance_score;
/// use axonal::ndarray::array;
///
/// assert_eq!(explained_variance_score(&array![1.0, 2.0, 3.0], &array![2.0, 3.0, 4.0])?, 1.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn explained_variance_score<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, explained_variance)
}

pub(in crate::metrics) fn r2(pairs: &Pairs<'_>) -> Result<f64> {
    if pairs.truths.len() < 2 {
        return Err(Error::TooFewSamples { owner: "r2_score", n_samples: 1, name: "samples", needed: 2 });
    }
    let center = pairs.mean(|truth, _| truth);
    let total = pairs.mean(|truth, _| (truth - center).powi(2));
    Ok(explained(pairs.mean(|truth, predicted| (truth - predicted).powi(2)), total))
}

pub(in crate::metrics) fn explained_variance(pairs: &Pairs<'_>) -> Result<f64> {
    let bias = pairs.mean(|truth, predicted| truth - predicted);
    let center = pairs.mean(|truth, _| truth);
    let residual = pairs.mean(|truth, predicted| (truth - predicted - bias).powi(2));
    Ok(explained(residual, pairs.mean(|truth, _| (truth - center).powi(2))))
}

/// 1 − residual / total; where there is nothing to explain, whether nothing is left.
fn explained(residual: f64, total: f64) -> f64 {
    match (residual == 0.0, total == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - residual / total,
    }
}
