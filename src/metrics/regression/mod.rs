//! How good predicted values are.
//!
//! Each takes true and predicted values of one shape: (n_samples), or (n_samples, n_outputs), where the outputs' results are
//! averaged. Sums are f64 whatever the values are.

mod error;
mod explained;
mod pairs;

pub use error::{
    max_error, mean_absolute_error, mean_absolute_percentage_error, mean_pinball_loss, mean_squared_error,
    mean_squared_log_error, median_absolute_error, root_mean_squared_error, root_mean_squared_log_error,
};
pub use explained::{explained_variance_score, r2_score};

pub(super) use error::{absolute, percentage, pinball, root_squared, root_squared_log, squared, squared_log};
pub(super) use explained::{explained_variance, r2};

pub(super) use pairs::Pairs;

use self::pairs::mean_over_outputs;
use crate::error::Result;
use crate::float::Float;
use ndarray::{ArrayBase, Data, Dimension};

/// A regression metric of weighted samples.
pub(super) fn weighted<F: Float, D: Dimension>(
    y_true: &ArrayBase<impl Data<Elem = F>, D>,
    y_pred: &ArrayBase<impl Data<Elem = F>, D>,
    sample_weight: &[f64],
    metric: impl Fn(&Pairs<'_>) -> Result<f64>,
) -> Result<f64> {
    mean_over_outputs(y_true, y_pred, Some(sample_weight), metric)
}
