//! The hinge.

use super::{Loss, LossPass, Reduction, element_mean, signed_targets};

use crate::float::Float;

use crate::nn::layer::Config;
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// What is missing to a margin of 1: `mean(max(1 - t p, 0))` over the last axis.
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
/// use axonal::losses::Hinge;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.6, 0.4], [0.4, 0.6]], array![[0.0, 1.0], [0.0, 0.0]]);
/// let loss = Hinge::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 1.3).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hinge {
    reduction: Reduction,
}

impl Hinge {
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

impl<F: Float> Loss<F> for Hinge {
    fn kind(&self) -> &'static str {
        "hinge"
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
            (missing, if missing > zero { -t } else { zero })
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
