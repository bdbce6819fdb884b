//! Error scores: mean squared, absolute, percentage and logarithmic errors.

use super::pairs::{Pairs, mean_over_outputs};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::scaled::{Scaled, times_power_of_two};
use ndarray::{ArrayBase, Data, Dimension};

/// The mean of the squared differences.
///
/// 1/n · Σ (y − ŷ)². Infinite where it exceeds `f64` (errors of 1e155 and more); [`root_mean_squared_error`] is finite there
/// too.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::mean_squared_error;
/// use axonal::ndarray::array;
///
/// assert_eq!(mean_squared_error(&array![1.0, 2.0], &array![1.0, 4.0])?, 2.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn mean_squared_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, squared)
}

/// The root of the mean of the squared differences, in the unit of the values.
///
/// √(1/n · Σ (y − ŷ)²). Squares neither overflow nor underflow: errors of 1e200 and of 1e-200 are measured as exactly as those
/// of 1.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::root_mean_squared_error;
/// use axonal::ndarray::array;
///
/// assert_eq!(root_mean_squared_error(&array![1.0, 2.0], &array![3.0, 4.0])?, 2.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn root_mean_squared_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, root_squared)
}

/// The mean of the absolute differences.
///
/// 1/n · Σ |y − ŷ|
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::mean_absolute_error;
/// use axonal::ndarray::array;
///
/// assert_eq!(mean_absolute_error(&array![1.0, 2.0], &array![1.0, 4.0])?, 1.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn mean_absolute_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, absolute)
}

/// The median of the absolute differences: a few outliers do not move it.
///
/// median |y − ŷ|
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::median_absolute_error;
/// use axonal::ndarray::array;
///
/// assert_eq!(median_absolute_error(&array![1.0, 2.0, 3.0], &array![1.0, 2.5, 99.0])?, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn median_absolute_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, |pairs| {
        let errors = pairs.errors().abs();
        let mut sorted = errors.values().to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Ok(errors.unscaled(median))
    })
}

/// The largest absolute difference.
///
/// max |y − ŷ|; for several outputs, the mean of theirs.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::max_error;
/// use axonal::ndarray::array;
///
/// assert_eq!(max_error(&array![1.0, 2.0], &array![1.5, 5.0])?, 3.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn max_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, |pairs| {
        let errors = pairs.errors().abs();
        Ok(errors.unscaled(errors.values().iter().copied().fold(0.0, f64::max)))
    })
}

/// The mean of the absolute differences as shares of the true values (1 is 100 %).
///
/// 1/n · Σ |y − ŷ| / max(|y|, ε), with ε = 2⁻⁵²: huge where a true value is 0.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities.
///
/// # Examples
/// ```
/// use axonal::metrics::mean_absolute_percentage_error;
/// use axonal::ndarray::array;
///
/// assert_eq!(mean_absolute_percentage_error(&array![1.0, 4.0], &array![2.0, 2.0])?, 0.75);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn mean_absolute_percentage_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, percentage)
}

/// The mean of the squared differences of the logarithms.
///
/// 1/n · Σ (ln(1 + y) − ln(1 + ŷ))²
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities, or a value of −1 or below.
///
/// # Examples
/// ```
/// use axonal::metrics::mean_squared_log_error;
/// use axonal::ndarray::array;
///
/// let error = mean_squared_log_error(&array![0.0, 1.0], &array![0.0, 3.0])?;
/// assert!((error - 2.0_f64.ln().powi(2) / 2.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn mean_squared_log_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, squared_log)
}

/// The root of the mean of the squared differences of the logarithms.
///
/// √(1/n · Σ (ln(1 + y) − ln(1 + ŷ))²)
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities, or a value of −1 or below.
///
/// # Examples
/// ```
/// use axonal::metrics::root_mean_squared_log_error;
/// use axonal::ndarray::array;
///
/// let error = root_mean_squared_log_error(&array![1.0], &array![3.0])?;
/// assert!((error - 2.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn root_mean_squared_log_error<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, root_squared_log)
}

/// The loss whose minimum is a quantile.
///
/// 1/n · Σ max(α (y − ŷ), (α − 1)(y − ŷ))
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples) or (n_samples, n_outputs); outputs are averaged.
///
/// # Parameters
/// * `alpha`: which quantile, from 0 to 1; ½ is half of the mean absolute error.
///
/// # Errors
/// Different shapes, no samples, NaN or infinities, or `alpha` outside its range.
///
/// # Examples
/// ```
/// use axonal::metrics::mean_pinball_loss;
/// use axonal::ndarray::array;
///
/// assert_eq!(mean_pinball_loss(&array![4.0, 4.0], &array![2.0, 8.0], 0.75)?, 1.25);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn mean_pinball_loss<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
    alpha: f64,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, None, |pairs| pinball(pairs, alpha))
}

pub(in crate::metrics) fn squared(pairs: &Pairs<'_>) -> Result<f64> {
    Ok(pairs.errors().mean_square(pairs.weights))
}

pub(in crate::metrics) fn root_squared(pairs: &Pairs<'_>) -> Result<f64> {
    Ok(pairs.errors().root_mean_square(pairs.weights))
}

pub(in crate::metrics) fn absolute(pairs: &Pairs<'_>) -> Result<f64> {
    Ok(pairs.errors().abs().mean(pairs.weights))
}

pub(in crate::metrics) fn percentage(pairs: &Pairs<'_>) -> Result<f64> {
    let relative = pairs.errors().map(|sample, error, exponent| {
        times_power_of_two(error.abs() / pairs.truths[sample].abs().max(f64::EPSILON), exponent)
    });
    Ok(pairs.mean(relative))
}

pub(in crate::metrics) fn squared_log(pairs: &Pairs<'_>) -> Result<f64> {
    Ok(log_errors(pairs)?.mean_square(pairs.weights))
}

pub(in crate::metrics) fn root_squared_log(pairs: &Pairs<'_>) -> Result<f64> {
    Ok(log_errors(pairs)?.root_mean_square(pairs.weights))
}

/// ln(1 + y) − ln(1 + ŷ); refuses values for which a logarithm does not exist.
fn log_errors(pairs: &Pairs<'_>) -> Result<Scaled> {
    if let Some(value) = pairs.truths.iter().chain(pairs.predictions).find(|value| **value <= -1.0) {
        return Err(Error::invalid_parameter("mean_squared_log_error", "y", value, "values above -1"));
    }
    let logarithms = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| value.ln_1p()).collect() };
    Ok(Scaled::differences(&logarithms(pairs.truths), &logarithms(pairs.predictions)))
}

pub(in crate::metrics) fn pinball(pairs: &Pairs<'_>, alpha: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&alpha) {
        return Err(Error::invalid_parameter("mean_pinball_loss", "alpha", alpha, "0 <= alpha <= 1"));
    }
    let errors = pairs.errors();
    let losses = errors.map(|_, error, _| f64::max(alpha * error, (alpha - 1.0) * error));
    Ok(errors.unscaled(pairs.mean(losses)))
}
