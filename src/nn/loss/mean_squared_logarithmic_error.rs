//! The mean squared logarithmic error.

use super::{EPSILON, Loss, LossPass, Reduction, element_mean};

use crate::float::Float;

use crate::nn::layer::Config;
use serde::{Deserialize, Serialize};

/// The mean squared error of logarithms: `mean((ln(p + 1) - ln(t + 1))²)` over the last axis, with p and t at least 1e-7.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::MeanSquaredLogarithmicError;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
/// let loss = MeanSquaredLogarithmicError::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 1.4370).abs() < 1e-4);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanSquaredLogarithmicError {
    reduction: Reduction,
}

impl MeanSquaredLogarithmicError {
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

impl<F: Float> Loss<F> for MeanSquaredLogarithmicError {
    fn kind(&self) -> &'static str {
        "mean_squared_logarithmic_error"
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (one, two, least) = (F::one(), F::of(2.0), F::of(EPSILON));
        element_mean(pass, self.reduction, |p, t| {
            let gap = p.max(least).ln_1p() - t.max(least).ln_1p();
            (gap * gap, if p > least { two * gap / (p + one) } else { F::zero() })
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
