//! Tversky's loss.

use super::{EPSILON, Loss, LossPass, OutputMeaning, Overlap, Reduction, at_least_zero, whole_batch};

use crate::error::Result;
use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// One less the overlap over the whole batch, with what is missed and what is found in excess weighed apart:
/// `1 - Σ t p / (Σ t p + α Σ t (1 - p) + β Σ (1 - t) p + 1e-7)`.
///
/// The formula is Keras's, which exchanges the two weights: in the paper and in Keras's own words α is that of false
/// positives.
///
/// # Shapes
/// Targets have the shape of the output. Each sample's weight multiplies the one number.
///
/// # Errors
/// In `compile`: a last layer whose outputs are not from 0 to 1. In `fit` and `evaluate`: targets outside [0, 1].
///
/// # Parameters
/// `alpha` (0.5): the weight of what is missed. `beta` (0.5): that of what is found in excess.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::Tversky;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[1.0, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [1.0, 0.0]]);
/// let loss = Tversky::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 0.5).abs() < 1e-6);
/// ```
///
/// # References
/// Salehi, Erdogmus and Gholipour 2017, arXiv:1706.05721.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tversky {
    alpha: f64,
    beta: f64,
    reduction: Reduction,
}

impl Default for Tversky {
    fn default() -> Self {
        Self { alpha: 0.5, beta: 0.5, reduction: Reduction::default() }
    }
}

impl Tversky {
    /// Creates the loss with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The weight of what is missed.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The weight of what is found in excess.
    #[must_use]
    pub fn beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    /// Sets how the losses of a batch become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<F: Float> Loss<F> for Tversky {
    crate::float::precompiled::into_arc!(Tversky: Loss<F>);

    fn kind(&self) -> &'static str {
        "tversky"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        OutputMeaning::Probabilities
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        at_least_zero("tversky", "alpha", self.alpha)?;
        at_least_zero("tversky", "beta", self.beta)
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (alpha, beta) = (F::of(self.alpha), F::of(self.beta));
        whole_batch(pass, self.reduction, |Overlap { both, prediction, target }| {
            let total = both + alpha * (target - both) + beta * (prediction - both) + F::of(EPSILON);
            let share = both / total;
            // Toward p: -(t - share·(t - αt + β(1 - t)))/total.
            (F::one() - share, move |t: F| -(t - share * (t - alpha * t + beta * (F::one() - t))) / total)
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
