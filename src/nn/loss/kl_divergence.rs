//! The Kullback-Leibler divergence.

use super::{EPSILON, Loss, LossPass, OutputMeaning, Reduction, element_sum};

use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// How much a distribution t surprises one who expects p: `Σ t ln(t / p)` over the last axis, both clipped to [1e-7, 1].
///
/// # Shapes
/// Targets have the shape of the output: distributions along the last axis, normalized or not.
///
/// # Errors
/// In `compile`: a last layer whose outputs are negative for some weights. In `fit` and `evaluate`: negative targets.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::KlDivergence;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.4, 0.9, 0.12], [0.36, 0.3, 0.4]], array![[0.5, 0.8, 0.12], [0.7, 0.43, 0.8]]);
/// let loss = KlDivergence::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 0.59607387).abs() < 1e-6);
/// ```
///
/// # References
/// Kullback and Leibler 1951.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlDivergence {
    reduction: Reduction,
}

impl KlDivergence {
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

impl<F: Float> Loss<F> for KlDivergence {
    fn kind(&self) -> &'static str {
        "kl_divergence"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        OutputMeaning::Densities
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::NonNegative
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (low, high) = (F::of(EPSILON), F::one());
        element_sum(pass, self.reduction, |p, t| {
            let (t, q) = (t.max(low).min(high), p.max(low).min(high));
            (t * (t / q).ln(), if p < low || p > high { F::zero() } else { -t / q })
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
