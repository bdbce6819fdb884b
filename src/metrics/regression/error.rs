use super::{mean, mean_over_outputs};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{ArrayBase, Data, Dimension};

/// The mean of the squared differences.
///
/// 1/n · Σ (y − ŷ)²
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
    mean_over_outputs(y_true, y_pred, |t, p| Ok(mean(t, p, |t, p| (t - p).powi(2))))
}

/// The root of the mean of the squared differences, in the unit of the values.
///
/// √(1/n · Σ (y − ŷ)²)
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
    mean_over_outputs(y_true, y_pred, |t, p| Ok(mean(t, p, |t, p| (t - p).powi(2)).sqrt()))
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
    mean_over_outputs(y_true, y_pred, |t, p| Ok(mean(t, p, |t, p| (t - p).abs())))
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
    mean_over_outputs(y_true, y_pred, |t, p| {
        let mut errors: Vec<f64> = t.iter().zip(p).map(|(t, p)| (t - p).abs()).collect();
        errors.sort_by(f64::total_cmp);
        let middle = errors.len() / 2;
        Ok(if errors.len() % 2 == 1 { errors[middle] } else { (errors[middle - 1] + errors[middle]) / 2.0 })
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
    mean_over_outputs(y_true, y_pred, |t, p| {
        Ok(t.iter().zip(p).map(|(t, p)| (t - p).abs()).fold(0.0, f64::max))
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
    mean_over_outputs(y_true, y_pred, |t, p| Ok(mean(t, p, |t, p| (t - p).abs() / t.abs().max(f64::EPSILON))))
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
    mean_over_outputs(y_true, y_pred, |t, p| {
        check_log("mean_squared_log_error", t, p)?;
        Ok(mean(t, p, |t, p| (t.ln_1p() - p.ln_1p()).powi(2)))
    })
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
    mean_over_outputs(y_true, y_pred, |t, p| {
        check_log("root_mean_squared_log_error", t, p)?;
        Ok(mean(t, p, |t, p| (t.ln_1p() - p.ln_1p()).powi(2)).sqrt())
    })
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
/// Different shapes, no samples, NaN or infinities, or `alpha` outside of its range.
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
    if !(0.0..=1.0).contains(&alpha) {
        return Err(Error::invalid_parameter("mean_pinball_loss", "alpha", alpha, "0 <= alpha <= 1"));
    }
    mean_over_outputs(y_true, y_pred, |t, p| {
        Ok(mean(t, p, |t, p| f64::max(alpha * (t - p), (alpha - 1.0) * (t - p))))
    })
}

/// Refuses values whose ln(1 + y) does not exist.
fn check_log(owner: &str, y_true: &[f64], y_pred: &[f64]) -> Result<()> {
    match y_true.iter().chain(y_pred).find(|value| **value <= -1.0) {
        Some(value) => Err(Error::invalid_parameter(owner, "y", value, "values above -1")),
        None => Ok(()),
    }
}
