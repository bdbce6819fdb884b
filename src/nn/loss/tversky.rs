//! Tversky's loss.

use super::{EPSILON, Loss, LossPass, Overlap, Reduction, at_least_zero, whole_batch};

use crate::error::Result;
use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use serde::{Deserialize, Serialize};

/// One less the overlap over the whole batch, with false positives and false negatives weighed apart:
/// `1 - Σ t p / (Σ t p + α Σ (1 - t) p + β Σ t (1 - p) + 1e-7)`.
///
/// # Shapes
/// Targets have the shape of the output. Each sample's weight multiplies the one number.
///
/// # Parameters
/// `alpha` (0.5): the weight of false positives. `beta` (0.5): that of false negatives.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::nn::{Loss, LossPass, TargetView};
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
    /// The weight of false positives.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The weight of false negatives.
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
    fn kind(&self) -> &'static str {
        "tversky"
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        at_least_zero("tversky", "alpha", self.alpha)?;
        at_least_zero("tversky", "beta", self.beta)
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (alpha, beta) = (F::of(self.alpha), F::of(self.beta));
        whole_batch(pass, self.reduction, |Overlap { both, prediction, target }| {
            let total = both + alpha * (prediction - both) + beta * (target - both) + F::of(EPSILON);
            let share = both / total;
            // Toward p: -(t - share·(t + α(1 - t) - βt))/total.
            (F::one() - share, move |t: F| -(t - share * (t + alpha * (F::one() - t) - beta * t)) / total)
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
