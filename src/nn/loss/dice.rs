//! Dice's loss.

use super::{EPSILON, Loss, LossPass, OutputMeaning, Overlap, Reduction, whole_batch};

use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// One less the overlap of prediction and target over the whole batch: `1 - 2 Σ t p / (Σ t + Σ p + 1e-7)`.
///
/// # Shapes
/// Targets have the shape of the output. Each sample's weight multiplies the one number.
///
/// # Errors
/// In `compile`: a last layer whose outputs are not from 0 to 1. In `fit` and `evaluate`: targets outside [0, 1].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::Dice;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[1.0, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [1.0, 0.0]]);
/// let loss = Dice::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 0.5).abs() < 1e-6);
/// ```
///
/// # References
/// Milletari, Navab and Ahmadi 2016, arXiv:1606.04797.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dice {
    reduction: Reduction,
}

impl Dice {
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

impl<F: Float> Loss<F> for Dice {
    crate::float::precompiled::into_arc!(Dice: Loss<F>);

    fn kind(&self) -> &'static str {
        "dice"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        OutputMeaning::Probabilities
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let two = F::of(2.0);
        whole_batch(pass, self.reduction, |Overlap { both, prediction, target }| {
            let total = target + prediction + F::of(EPSILON);
            let share = two * both / total;
            // Toward p: -(2t - share)/total.
            (F::one() - share, move |t: F| -(two * t - share) / total)
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
