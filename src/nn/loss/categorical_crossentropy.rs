//! The cross-entropy over classes, for one-hot targets and for labels.

use super::{
    EPSILON, Loss, LossPass, OutputMeaning, Position, Reduction, binary_crossentropy::smoothing, reduce,
    values_at,
};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetForm, TargetRange, TargetView};
use serde::{Deserialize, Serialize};

/// The cross-entropy over classes for one-hot targets or distributions: `-Σ t ln p` over the last axis.
///
/// A network that ends with a softmax is trained from the logits, which is exact and finite however large they
/// are. Other probabilities are divided by their sum and clipped to [1e-7, 1 - 1e-7], as in Keras.
///
/// # Shapes
/// Targets have the shape of the output: one number for each class.
///
/// # Parameters
/// `from_logits` (false): the network's outputs are logits. `label_smoothing` (0): targets are drawn toward the
/// uniform distribution.
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
/// let (prediction, target) = (array![[0.7, 0.2, 0.1]], array![[1.0, 0.0, 0.0]]);
/// let loss = CategoricalCrossentropy::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - -(0.7f64.ln())).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

/// The cross-entropy over classes for labels: `-ln p[label]`.
///
/// Numerically as [`CategoricalCrossentropy`].
///
/// # Shapes
/// One whole number for each sample (for outputs of several axes: for each position), from 0 to the last axis's
/// length − 1.
///
/// # Parameters
/// `from_logits` (false): the network's outputs are logits. `ignore_class` (none): a label that denotes "no
/// target"; such positions have no loss and are not counted.
///
/// # Errors
/// In `compile`: as [`CategoricalCrossentropy`]. In `fit` and `evaluate`: a label that is none of the classes.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::prelude::*;
///
/// let prediction = array![[0.7, 0.2, 0.1]];
/// let loss = SparseCategoricalCrossentropy::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Labels(&[0])));
/// assert!((value - -(0.7f64.ln())).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseCategoricalCrossentropy {
    from_logits: bool,
    ignore_class: Option<i64>,
    reduction: Reduction,
}

impl CategoricalCrossentropy {
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

impl SparseCategoricalCrossentropy {
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

    /// The label that denotes "no target".
    #[must_use]
    pub fn ignore_class(mut self, label: i64) -> Self {
        self.ignore_class = Some(label);
        self
    }

    /// Sets how the losses of a batch become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<F: Float> Loss<F> for CategoricalCrossentropy {
    crate::float::precompiled::into_arc!(CategoricalCrossentropy: Loss<F>);

    fn kind(&self) -> &'static str {
        "categorical_crossentropy"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        if self.from_logits { OutputMeaning::ClassLogits } else { OutputMeaning::Distribution }
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        smoothing("categorical_crossentropy", self.label_smoothing)
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
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                let target = |class: usize| targets[class] * keep + even;
                if logits {
                    from_logits(prediction, target, scale, gradient)
                } else {
                    from_probabilities(prediction, target, scale, gradient)
                }
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

impl<F: Float> Loss<F> for SparseCategoricalCrossentropy {
    crate::float::precompiled::into_arc!(SparseCategoricalCrossentropy: Loss<F>);

    fn kind(&self) -> &'static str {
        "sparse_categorical_crossentropy"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        if self.from_logits { OutputMeaning::ClassLogits } else { OutputMeaning::Distribution }
    }

    fn target_form(&self) -> TargetForm {
        TargetForm::Labels
    }

    fn ignored_label(&self) -> Option<i64> {
        self.ignore_class
    }

    fn fused_activation(&self) -> Option<Activation> {
        (!self.from_logits).then_some(Activation::Softmax)
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (last, logits) = (pass.last_axis, pass.logits || self.from_logits);
        let TargetView::Labels(labels) = pass.targets else { return f64::NAN };
        let ignored = self.ignore_class.and_then(|label| usize::try_from(label).ok());
        let counted = |label: usize| label < last && Some(label) != ignored;
        reduce(
            pass,
            self.reduction,
            |index| counted(labels[index]),
            |Position { prediction, gradient, scale, index }| {
                let label = labels[index];
                if !counted(label) {
                    gradient.into_iter().for_each(|gradient| gradient.fill(F::zero()));
                    return F::zero();
                }
                if logits {
                    return label_from_logits(prediction, label, scale, gradient);
                }
                let target = |class: usize| if class == label { F::one() } else { F::zero() };
                from_probabilities(prediction, target, scale, gradient)
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The largest logit, and the sum of the exponentials of the distances from it.
fn largest_and_sum<F: Float>(logits: &[F]) -> (F, F) {
    let largest = logits.iter().copied().fold(F::neg_infinity(), F::max);
    (largest, logits.iter().map(|&z| (z - largest).exp()).sum())
}

/// `-Σ t log_softmax(z)`, with the gradient `softmax(z) Σt - t`.
fn from_logits<F: Float>(
    logits: &[F],
    target: impl Fn(usize) -> F,
    scale: F,
    gradient: Option<&mut [F]>,
) -> F {
    let (largest, sum) = largest_and_sum(logits);
    let log_sum = sum.ln();
    let mut value = F::zero();
    let mut mass = F::zero();
    for (class, &z) in logits.iter().enumerate() {
        value -= target(class) * (z - largest - log_sum);
        mass += target(class);
    }
    if let Some(gradient) = gradient {
        for (class, (gradient, &z)) in gradient.iter_mut().zip(logits).enumerate() {
            *gradient = scale * ((z - largest).exp() / sum * mass - target(class));
        }
    }
    value
}

/// `-log_softmax(z)[label]`, with the gradient `softmax(z) - 1[label]`; one exponential for each class.
fn label_from_logits<F: Float>(logits: &[F], label: usize, scale: F, gradient: Option<&mut [F]>) -> F {
    let Some(gradient) = gradient else {
        let (largest, sum) = largest_and_sum(logits);
        return sum.ln() - (logits[label] - largest);
    };
    let largest = logits.iter().copied().fold(F::neg_infinity(), F::max);
    let mut sum = F::zero();
    for (gradient, &z) in gradient.iter_mut().zip(logits) {
        *gradient = (z - largest).exp();
        sum += *gradient;
    }
    let factor = scale / sum;
    gradient.iter_mut().for_each(|gradient| *gradient *= factor);
    gradient[label] -= scale;
    sum.ln() - (logits[label] - largest)
}

/// `-Σ t ln(clip(p / Σp))`; the gradient is 0 through clipped probabilities.
fn from_probabilities<F: Float>(
    probabilities: &[F],
    target: impl Fn(usize) -> F,
    scale: F,
    gradient: Option<&mut [F]>,
) -> F {
    let (low, high) = (F::of(EPSILON), F::one() - F::of(EPSILON));
    let sum: F = probabilities.iter().copied().sum();
    let mut value = F::zero();
    // Σ slope · q, the part of the gradient that comes from dividing by the sum.
    let mut shared = F::zero();
    let slope = |class: usize, q: F| if q < low || q > high { F::zero() } else { -target(class) / q };
    for (class, &p) in probabilities.iter().enumerate() {
        let q = p / sum;
        value -= target(class) * q.max(low).min(high).ln();
        shared += slope(class, q) * q;
    }
    if let Some(gradient) = gradient {
        for (class, (gradient, &p)) in gradient.iter_mut().zip(probabilities).enumerate() {
            *gradient = scale * (slope(class, p / sum) - shared) / sum;
        }
    }
    value
}
