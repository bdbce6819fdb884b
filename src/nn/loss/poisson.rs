//! The Poisson loss.

use super::{EPSILON, Loss, LossPass, Reduction, element_mean};

use crate::float::Float;

use crate::nn::layer::Config;
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// Minus the logarithm of the likelihood of counts, up to a constant: `mean(p - t ln(p + 1e-7))` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output. Outputs should be positive (an exponential activation).
///
/// # Errors
/// In `fit` and `evaluate`: negative targets.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::Poisson;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[1.0, 9.0, 2.0], [5.0, 2.0, 6.0]], array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]]);
/// let loss = Poisson::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - -3.3065822).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Poisson {
    reduction: Reduction,
}

impl Poisson {
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

impl<F: Float> Loss<F> for Poisson {
    fn kind(&self) -> &'static str {
        "poisson"
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::NonNegative
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (one, epsilon) = (F::one(), F::of(EPSILON));
        element_mean(pass, self.reduction, |p, t| (p - t * (p + epsilon).ln(), one - t / (p + epsilon)))
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
