//! The mean absolute percentage error.

use super::{EPSILON, Loss, LossPass, Reduction, element_mean, sign};

use crate::float::Float;

use crate::nn::layer::Config;
use serde::{Deserialize, Serialize};

/// The mean error in percent of the target: `100 mean(|p - t| / max(|t|, 1e-7))` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::MeanAbsolutePercentageError;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
/// let loss = MeanAbsolutePercentageError::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 211.8518).abs() < 1e-3);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanAbsolutePercentageError {
    reduction: Reduction,
}

impl MeanAbsolutePercentageError {
    /// Creates the loss with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how the losses of a batch become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<F: Float> Loss<F> for MeanAbsolutePercentageError {
    fn kind(&self) -> &'static str {
        "mean_absolute_percentage_error"
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (hundred, least) = (F::of(100.0), F::of(EPSILON));
        element_mean(pass, self.reduction, |p, t| {
            let scale = hundred / t.abs().max(least);
            ((p - t).abs() * scale, sign(p - t) * scale)
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
