//! What `Model::metric` accepts: metrics and losses.

use super::{LossMetric, Metric};
use crate::float::Float;
use crate::nn::loss::Loss;
use std::sync::Arc;

/// What [`Model::metric`](crate::models::Model::metric) accepts: a [`Metric`], or a [`Loss`], whose mean is then reported under
/// the loss's name. `Kind` distinguishes the two and is always inferred.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new(3)
///     .add(Dense::new(1))
///     .compile(Adam::default(), MeanSquaredError::new())?
///     .metric(MeanAbsoluteError::new())
///     .metric(RootMeanSquaredError::default());
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a metric nor a loss",
    label = "expected a metric such as `Accuracy::new()` or a loss such as `MeanAbsoluteError::new()`"
)]
pub trait IntoMetric<F: Float, Kind> {
    /// The metric.
    fn into_metric(self) -> Arc<dyn Metric<F>>;
}

/// Marks what is a metric already.
#[derive(Debug, Clone, Copy)]
pub struct FromMetric;

/// Marks a loss.
#[derive(Debug, Clone, Copy)]
pub struct FromLoss;

impl<F: Float, M: Metric<F> + 'static> IntoMetric<F, FromMetric> for M {
    fn into_metric(self) -> Arc<dyn Metric<F>> {
        Metric::into_arc(self)
    }
}

impl<F: Float, L: Loss<F> + 'static> IntoMetric<F, FromLoss> for L {
    fn into_metric(self) -> Arc<dyn Metric<F>> {
        Metric::into_arc(LossMetric::new(self))
    }
}
