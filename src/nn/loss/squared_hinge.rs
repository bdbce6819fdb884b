//! The squared hinge.

use super::{Loss, LossPass, Reduction, element_mean, signed_targets};

use crate::float::Float;

use crate::nn::layer::Config;
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// What is missing to a margin of 1, squared: `mean(max(1 - t p, 0)²)` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output and are −1 or 1; where all of a batch are 0 or 1, 0 is taken as −1.
///
/// # Errors
/// In `fit` and `evaluate`: targets of neither encoding, or of both.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::SquaredHinge;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.6, 0.4], [0.4, 0.6]], array![[0.0, 1.0], [0.0, 0.0]]);
/// let loss = SquaredHinge::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 1.86).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SquaredHinge {
    reduction: Reduction,
}

impl SquaredHinge {
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

impl<F: Float> Loss<F> for SquaredHinge {
    fn kind(&self) -> &'static str {
        "squared_hinge"
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::Signs
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (zero, one) = (F::zero(), F::one());
        let signed = signed_targets(&pass.targets);
        element_mean(pass, self.reduction, |p, t| {
            let t = signed(t);
            let missing = (one - t * p).max(zero);
            (missing * missing, -(t + t) * missing)
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
