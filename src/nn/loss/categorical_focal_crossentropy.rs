//! The focal cross-entropy over classes.

use super::{
    EPSILON, Loss, LossPass, OutputMeaning, Position, Reduction, at_least_zero,
    binary_crossentropy::smoothing, reduce, values_at,
};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// The cross-entropy over classes with less weight on what is right already: `-Σ α (1 - p)^γ t ln p` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output: one-hot or distributions.
///
/// # Parameters
/// `alpha` (0.25): the weight of all. `gamma` (2): how little the easy counts. `from_logits` (false), `label_smoothing` (0):
/// as [`CategoricalCrossentropy`](super::CategoricalCrossentropy)'s.
///
/// # Errors
/// As [`CategoricalCrossentropy`](super::CategoricalCrossentropy)'s.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::CategoricalFocalCrossentropy;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]], array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// let loss = CategoricalFocalCrossentropy::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 0.02059).abs() < 1e-5);
/// ```
///
/// # References
/// Lin et al. 2017, arXiv:1708.02002.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalFocalCrossentropy {
    alpha: f64,
    gamma: f64,
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl Default for CategoricalFocalCrossentropy {
    fn default() -> Self {
        Self {
            alpha: 0.25,
            gamma: 2.0,
            from_logits: false,
            label_smoothing: 0.0,
            reduction: Reduction::default(),
        }
    }
}

impl CategoricalFocalCrossentropy {
    /// Creates the loss with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The weight of every class.
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

    /// Says that the network's outputs are logits, not probabilities.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// Draws targets toward the uniform distribution over K classes: `t (1 - s) + s / K`, with 0 <= s <= 1.
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

impl<F: Float> Loss<F> for CategoricalFocalCrossentropy {
    crate::float::precompiled::into_arc!(CategoricalFocalCrossentropy: Loss<F>);

    fn kind(&self) -> &'static str {
        "categorical_focal_crossentropy"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        if self.from_logits { OutputMeaning::ClassLogits } else { OutputMeaning::Distribution }
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        smoothing("categorical_focal_crossentropy", self.label_smoothing)?;
        at_least_zero("categorical_focal_crossentropy", "alpha", self.alpha)?;
        at_least_zero("categorical_focal_crossentropy", "gamma", self.gamma)
    }

    fn fused_activation(&self) -> Option<Activation> {
        (!self.from_logits).then_some(Activation::Softmax)
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (targets, last, logits) = (pass.targets, pass.last_axis, pass.logits || self.from_logits);
        let (keep, even) = (F::of(1.0 - self.label_smoothing), F::of(self.label_smoothing / (last as f64)));
        let focal = Focal { alpha: F::of(self.alpha), gamma: F::of(self.gamma) };
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                let distribution = if logits {
                    Distribution::of_logits(prediction)
                } else {
                    Distribution::of_shares(prediction)
                };
                let term = |class: usize| {
                    let (q, log_q, free) = distribution.probability(prediction[class]);
                    let (value, slope) = focal.term(q, log_q, targets[class] * keep + even);
                    (value, if free { slope } else { F::zero() }, q)
                };
                let (mut value, mut shared) = (F::zero(), F::zero());
                for class in 0..last {
                    let (own, slope, _) = term(class);
                    value += own;
                    shared += slope;
                }
                for (class, g) in gradient.into_iter().flatten().enumerate() {
                    let (_, slope, q) = term(class);
                    *g = scale * distribution.toward_output(q, slope, shared);
                }
                value
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

struct Focal<F> {
    alpha: F,
    gamma: F,
}

impl<F: Float> Focal<F> {
    /// `-α (1 - q)^γ t ln q`, and q times its slope toward q.
    fn term(&self, q: F, log_q: F, t: F) -> (F, F) {
        let wrong = (F::one() - q).max(F::zero());
        let focus = wrong.powf(self.gamma);
        let sharpening = if wrong > F::zero() { self.gamma * focus / wrong } else { F::zero() };
        let weight = self.alpha * t;
        (-weight * focus * log_q, weight * (sharpening * q * log_q - focus))
    }
}

/// What turns outputs into probabilities.
enum Distribution<F> {
    Logits { largest: F, log_sum: F },
    Shares { sum: F },
}

impl<F: Float> Distribution<F> {
    fn of_logits(logits: &[F]) -> Self {
        let largest = logits.iter().copied().fold(F::neg_infinity(), F::max);
        Self::Logits { largest, log_sum: logits.iter().map(|&z| (z - largest).exp()).sum::<F>().ln() }
    }

    fn of_shares(shares: &[F]) -> Self {
        Self::Shares { sum: shares.iter().copied().sum() }
    }

    /// The probability of an output, its logarithm, and whether it moves with the output: clipped shares do not.
    fn probability(&self, output: F) -> (F, F, bool) {
        match *self {
            Self::Logits { largest, log_sum } => {
                let log_q = output - largest - log_sum;
                (log_q.exp(), log_q, true)
            }
            Self::Shares { sum } => {
                let (low, high) = (F::of(EPSILON), F::one() - F::of(EPSILON));
                let q = output / sum;
                let clipped = q.max(low).min(high);
                (clipped, clipped.ln(), low <= q && q <= high)
            }
        }
    }

    /// The slope toward an output, where `slope` is q times that toward its probability q, and `shared` the sum of
    /// all of those: a softmax's, or that of a division by the sum.
    fn toward_output(&self, q: F, slope: F, shared: F) -> F {
        match *self {
            Self::Logits { .. } => slope - q * shared,
            Self::Shares { sum } => (slope / q - shared) / sum,
        }
    }
}
