//! R² and explained variance.

use super::pairs::{Pairs, mean_over_outputs};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::scaled::Scaled;
use ndarray::{ArrayBase, Data, Dimension};

/// R², the coefficient of determination: the share of the values' variance that the predictions account for.
///
/// 1 − Σ (y − ŷ)² / Σ (y − ȳ)². 1 is perfect, 0 is as good as the mean, there is no lower bound. Values that are all
/// equal score 1 when predicted exactly, else 0.
///
/// Equal means equal, whatever the rounding of their mean, and values of any scale are scored alike. scikit-learn divides by the
/// rounding error of the mean instead (−1e33 for ten copies of 0.1), and overflows at values of 1e155.
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
/// 1 − Var(y − ŷ) / Var(y). Values that are all equal score 1 when all errors are equal, else 0. As in [`r2_score`], equality is
/// not left to rounding.
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
    if pairs.n_samples < 2 {
        return Err(Error::TooFewSamples { owner: "r2_score", n_samples: 1, name: "samples", needed: 2 });
    }
    Ok(explained(&pairs.errors(), pairs))
}

pub(in crate::metrics) fn explained_variance(pairs: &Pairs<'_>) -> Result<f64> {
    Ok(explained(&pairs.errors().centered(pairs.weights), pairs))
}

/// 1 − residual / total sum of squares. Where all true values are equal, 1 if no residual is left, else 0.
fn explained(residuals: &Scaled, pairs: &Pairs<'_>) -> f64 {
    let deviations = Scaled::of(pairs.truths.to_vec()).centered(pairs.weights);
    match residuals.mean_square_ratio(&deviations, pairs.weights) {
        Some(ratio) => 1.0 - ratio,
        None if residuals.values().iter().all(|residual| *residual == 0.0) => 1.0,
        None => 0.0,
    }
}
