//! The logarithm of the hyperbolic cosine.

use super::{Loss, LossPass, Reduction, element_mean};

use crate::float::Float;
use crate::float::elementary::softplus;
use crate::nn::layer::Config;
use serde::{Deserialize, Serialize};

/// `mean(ln cosh(p - t))` over the last axis: half the square of small errors, the size of large ones less ln 2.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::LogCosh;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
/// let loss = LogCosh::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 4.8292451).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogCosh {
    reduction: Reduction,
}

impl LogCosh {
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

impl<F: Float> Loss<F> for LogCosh {
    fn kind(&self) -> &'static str {
        "log_cosh"
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (two, ln_2) = (F::of(2.0), F::of(std::f64::consts::LN_2));
        element_mean(pass, self.reduction, |p, t| {
            let error = p - t;
            (error.abs() + softplus(-two * error.abs()) - ln_2, error.tanh())
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
