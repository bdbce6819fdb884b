//! The binary cross-entropy.

use super::{EPSILON, Loss, LossPass, OutputMeaning, Position, Reduction, reduce, values_at};
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// The cross-entropy of yes-or-no answers: `-mean(t ln p + (1 - t) ln(1 - p))` over the last axis.
///
/// A network that ends with a sigmoid is trained from the logits z, `max(z, 0) - z t + ln(1 + e^-|z|)`, which is
/// exact and finite for every z. Other probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras.
///
/// # Shapes
/// Targets have the shape of the output, with values from 0 to 1.
///
/// # Parameters
/// `from_logits` (false): the network's outputs are logits. `label_smoothing` (0): targets are drawn toward ½.
///
/// # Errors
/// In `compile`: a last layer whose outputs are no probabilities, or no logits where `from_logits` says so. In `fit` and
/// `evaluate`: targets outside [0, 1].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.9, 0.2]], array![[1.0, 0.0]]);
/// let loss = BinaryCrossentropy::default().compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((loss - -(0.9f64.ln() + 0.8f64.ln()) / 2.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl BinaryCrossentropy {
    /// Creates the loss with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

impl<F: Float> Loss<F> for BinaryCrossentropy {
    crate::float::precompiled::into_arc!(BinaryCrossentropy: Loss<F>);

    fn kind(&self) -> &'static str {
        "binary_crossentropy"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        if self.from_logits { OutputMeaning::BinaryLogits } else { OutputMeaning::Probabilities }
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        smoothing("binary_crossentropy", self.label_smoothing)
    }

    fn fused_activation(&self) -> Option<Activation> {
        (!self.from_logits).then_some(Activation::Sigmoid)
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (targets, last, logits) = (pass.targets, pass.last_axis, pass.logits || self.from_logits);
        let mean = F::one() / F::of(last as f64);
        let smooth = |t: F| t * F::of(1.0 - self.label_smoothing) + F::of(self.label_smoothing / 2.0);
        let element = if logits { from_logit } else { from_probability };
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                let mut total = F::zero();
                match gradient {
                    Some(gradient) => {
                        for ((gradient, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                            let (value, slope) = element(p, smooth(t));
                            total += value;
                            *gradient = slope * mean * scale;
                        }
                    }
                    None => {
                        prediction.iter().zip(targets).for_each(|(&p, &t)| total += element(p, smooth(t)).0)
                    }
                }
                total * mean
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The loss of one logit and its slope: `σ(z) - t`.
pub(super) fn from_logit<F: Float>(z: F, t: F) -> (F, F) {
    let small = (-z.abs()).exp();
    let sigmoid = if z >= F::zero() { F::one() } else { small } / (F::one() + small);
    (z.max(F::zero()) - z * t + small.ln_1p(), sigmoid - t)
}

/// The loss of one probability and its slope, which is 0 where the probability is clipped.
pub(super) fn from_probability<F: Float>(p: F, t: F) -> (F, F) {
    let (low, high) = (F::of(EPSILON), F::one() - F::of(EPSILON));
    let q = p.max(low).min(high);
    let value = -(t * q.ln() + (F::one() - t) * (F::one() - q).ln());
    let slope = if p < low || p > high { F::zero() } else { (q - t) / (q * (F::one() - q)) };
    (value, slope)
}

/// Refuses a label smoothing outside [0, 1].
pub(super) fn smoothing(owner: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, "label_smoothing", value, "0 <= label_smoothing <= 1"))
}

#[cfg(test)]
mod tests {
    use super::from_probability;

    #[test]
    fn a_clipped_probability_has_no_slope() {
        // Within the bounds: (p − t)/(p (1 − p)).
        let (value, slope) = from_probability(0.75_f64, 0.0);
        assert!((value - 4.0_f64.ln()).abs() < 1e-15 && (slope - 4.0).abs() < 1e-15);
        let (_, slope) = from_probability(0.75_f64, 1.0);
        assert!((slope + 4.0 / 3.0).abs() < 1e-15);
        for (p, t) in [(0.0, 1.0), (1.0, 0.0), (-0.5, 1.0), (1.5, 0.0), (1.0 - 1e-9, 0.0), (1e-9, 1.0)] {
            let (value, slope) = from_probability::<f64>(p, t);
            assert!(slope == 0.0 && (value + 1e-7_f64.ln()).abs() < 1e-8, "{p}, {t}: {value}, {slope}");
        }
    }
}
