//! How good predicted values are.
//!
//! Each takes true and predicted values of one shape: (n_samples), or (n_samples, n_outputs), where the outputs' results are
//! averaged. Sums are f64 whatever the values are.

mod error;
mod explained;

pub use error::{
    max_error, mean_absolute_error, mean_absolute_percentage_error, mean_pinball_loss, mean_squared_error,
    mean_squared_log_error, median_absolute_error, root_mean_squared_error, root_mean_squared_log_error,
};
pub use explained::{explained_variance_score, r2_score};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{ArrayBase, Data, Dimension};

/// `metric` of each output's true and predicted values, averaged over the outputs.
#[allow(clippy::cast_precision_loss, reason = "a number of outputs")]
fn mean_over_outputs<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
    metric: impl Fn(&[f64], &[f64]) -> Result<f64>,
) -> Result<f64> {
    if y_true.shape() != y_pred.shape() {
        let text = validate::shape_text;
        return Err(Error::shape("y_pred", text(y_true.shape()), text(y_pred.shape())));
    }
    if y_true.is_empty() {
        let shape = validate::shape_text(y_true.shape());
        return Err(Error::Empty { what: "y_true".into(), shape, needed: "sample" });
    }
    validate::finite("y_true", y_true)?;
    validate::finite("y_pred", y_pred)?;
    let n_samples = y_true.shape().first().copied().unwrap_or(1);
    let n_outputs = y_true.len() / n_samples;
    let values = |y: &mut dyn Iterator<Item = &F>| -> Vec<f64> { y.map(|value| value.as_f64()).collect() };
    let (y_true, y_pred) = (values(&mut y_true.iter()), values(&mut y_pred.iter()));
    let mut sum = 0.0;
    for output in 0..n_outputs {
        let column = |y: &[f64]| -> Vec<f64> { y.iter().skip(output).step_by(n_outputs).copied().collect() };
        sum += metric(&column(&y_true), &column(&y_pred))?;
    }
    Ok(sum / n_outputs as f64)
}

/// The mean of a function of true and predicted value.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn mean(y_true: &[f64], y_pred: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    y_true.iter().zip(y_pred).map(|(&truth, &predicted)| of(truth, predicted)).sum::<f64>()
        / y_true.len() as f64
}
