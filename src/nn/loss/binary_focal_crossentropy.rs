//! The focal binary cross-entropy.

use super::{
    Loss, LossPass, OutputMeaning, Reduction, at_least_zero,
    binary_crossentropy::{from_logit, from_probability, smoothing},
    element_mean,
};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::float::elementary::sigmoid;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// The binary cross-entropy with less weight on what is right already: `mean((1 - p_t)^γ · bce)` over the last axis, with
/// `p_t = t p + (1 - t)(1 - p)`.
///
/// # Shapes
/// Targets have the shape of the output, with values from 0 to 1.
///
/// # Parameters
/// `gamma` (2): how little the easy counts. `apply_class_balancing` (false): weighs yes by `alpha` (0.25) and no by
/// 1 − `alpha`. `from_logits` (false), `label_smoothing` (0): as [`BinaryCrossentropy`](super::BinaryCrossentropy)'s.
///
/// # Errors
/// As [`BinaryCrossentropy`](super::BinaryCrossentropy)'s.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::BinaryFocalCrossentropy;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.9, 0.8], [0.7, 0.2]], array![[1.0, 0.0], [1.0, 0.0]]);
/// let loss = BinaryFocalCrossentropy::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 0.268).abs() < 1e-3);
/// ```
///
/// # References
/// Lin et al. 2017, arXiv:1708.02002.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryFocalCrossentropy {
    alpha: f64,
    gamma: f64,
    apply_class_balancing: bool,
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl Default for BinaryFocalCrossentropy {
    fn default() -> Self {
        Self {
            alpha: 0.25,
            gamma: 2.0,
            apply_class_balancing: false,
            from_logits: false,
            label_smoothing: 0.0,
            reduction: Reduction::default(),
        }
    }
}

impl BinaryFocalCrossentropy {
    /// Creates the loss with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Weight of positives when classes are balanced.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// How little the easy counts: at least 0.
    #[must_use]
    pub fn gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Whether yes and no are weighed by `alpha`.
    #[must_use]
    pub fn apply_class_balancing(mut self, apply_class_balancing: bool) -> Self {
        self.apply_class_balancing = apply_class_balancing;
        self
    }

    /// Says that the network's outputs are logits, not probabilities.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// Draws targets toward ½: `t (1 - s) + s / 2`, with 0 <= s <= 1.
    #[must_use]
    pub fn label_smoothing(mut self, label_smoothing: f64) -> Self {
        self.label_smoothing = label_smoothing;
        self
    }

    /// Sets how the losses of a batch become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<F: Float> Loss<F> for BinaryFocalCrossentropy {
    crate::float::precompiled::into_arc!(BinaryFocalCrossentropy: Loss<F>);

    fn kind(&self) -> &'static str {
        "binary_focal_crossentropy"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        if self.from_logits { OutputMeaning::BinaryLogits } else { OutputMeaning::Probabilities }
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        smoothing("binary_focal_crossentropy", self.label_smoothing)?;
        at_least_zero("binary_focal_crossentropy", "alpha", self.alpha)?;
        at_least_zero("binary_focal_crossentropy", "gamma", self.gamma)
    }

    fn fused_activation(&self) -> Option<Activation> {
        (!self.from_logits).then_some(Activation::Sigmoid)
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let logits = pass.logits || self.from_logits;
        let (keep, shift) = (F::of(1.0 - self.label_smoothing), F::of(self.label_smoothing / 2.0));
        let (alpha, gamma) = (F::of(self.alpha), F::of(self.gamma));
        let (one, two) = (F::one(), F::of(2.0));
        element_mean(pass, self.reduction, |p, t| {
            let t = t * keep + shift;
            let (probability, (cost, slope)) =
                if logits { (sigmoid(p), from_logit(p, t)) } else { (p, from_probability(p, t)) };
            // 1 - p_t, how wrong the answer is.
            let wrong = t + probability - two * t * probability;
            let focus = wrong.max(F::zero()).powf(gamma);
            let sharpening = if wrong > F::zero() { gamma * focus / wrong } else { F::zero() };
            let inner = if logits { probability * (one - probability) } else { one };
            let weight = if self.apply_class_balancing { t * alpha + (one - t) * (one - alpha) } else { one };
            (weight * focus * cost, weight * (sharpening * (one - two * t) * inner * cost + focus * slope))
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
