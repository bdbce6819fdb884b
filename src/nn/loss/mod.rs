//! What a loss is: the number that training makes small, and its gradient, computed in one pass.

mod any;
mod binary_crossentropy;
mod binary_focal_crossentropy;
mod categorical_crossentropy;
mod categorical_focal_crossentropy;
mod categorical_hinge;
mod cosine_similarity;
mod crossentropy;
mod dice;
mod elementwise;
mod huber;
mod loss_fn;
mod output_meaning;
mod tversky;

pub use any::AnyLoss;
pub use binary_crossentropy::BinaryCrossentropy;
pub use binary_focal_crossentropy::BinaryFocalCrossentropy;
pub use categorical_crossentropy::{CategoricalCrossentropy, SparseCategoricalCrossentropy};
pub use categorical_focal_crossentropy::CategoricalFocalCrossentropy;
pub use categorical_hinge::CategoricalHinge;
pub use cosine_similarity::CosineSimilarity;
pub use crossentropy::Crossentropy;
pub use dice::Dice;
pub use elementwise::{
    Hinge, KlDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, Poisson, SquaredHinge,
};
pub use huber::Huber;
pub use loss_fn::LossFn;
pub use output_meaning::OutputMeaning;
pub use tversky::Tversky;

use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::catalog::catalog;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetForm, TargetRange, TargetView};
use ndarray::{ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// Keras's ε: what keeps logarithms and divisions finite.
pub(crate) const EPSILON: f64 = 1e-7;

/// What a loss receives: one batch.
///
/// # Shapes
/// `prediction`, `gradient`: (batch, outputs), row-major. A *position* is one run along the output's last axis:
/// a sample has one of them where the output is a vector.
#[derive(Debug)]
#[non_exhaustive]
pub struct LossPass<'a, F> {
    /// The model's outputs; or the logits, where `logits` says so.
    pub prediction: ArrayView2<'a, F>,
    /// Whether `prediction` holds what goes into the activation that [`Loss::fused_activation`] names.
    pub logits: bool,
    /// The length of the output's last axis.
    pub last_axis: usize,
    /// The targets.
    pub targets: TargetView<'a, F>,
    /// One weight per sample; `None` weighs every sample 1.
    pub weights: Option<&'a [F]>,
    /// Whether each position is real, or each group of as many positions as fit; all are where there is no mask. What is
    /// not real has no loss, and is not in the count that a mean divides by.
    pub mask: Option<&'a [bool]>,
    /// Where the gradient toward `prediction` goes, overwritten whole; `None` while evaluating.
    pub gradient: Option<ArrayViewMut2<'a, F>>,
}

impl<'a, F: Float> LossPass<'a, F> {
    /// A batch of outputs and targets, without weights and without a gradient.
    pub fn new(prediction: ArrayView2<'a, F>, targets: TargetView<'a, F>) -> Self {
        let last_axis = prediction.ncols();
        Self { prediction, logits: false, last_axis, targets, weights: None, mask: None, gradient: None }
    }

    /// Asks for the gradient.
    #[must_use]
    pub fn gradient(mut self, gradient: ArrayViewMut2<'a, F>) -> Self {
        self.gradient = Some(gradient);
        self
    }

    /// Adds a weight for each sample.
    #[must_use]
    pub fn weights(mut self, weights: Option<&'a [F]>) -> Self {
        self.weights = weights;
        self
    }

    /// Says which positions are real: (batch, positions), or as many positions together as fit.
    #[must_use]
    pub fn mask(mut self, mask: Option<&'a [bool]>) -> Self {
        self.mask = mask;
        self
    }

    /// Says that `prediction` holds logits.
    #[must_use]
    pub fn logits(mut self, logits: bool) -> Self {
        self.logits = logits;
        self
    }

    /// Sets the length of the output's last axis, where the output is not a vector.
    #[must_use]
    pub fn last_axis(mut self, last_axis: usize) -> Self {
        self.last_axis = last_axis;
        self
    }
}

/// A loss function.
///
/// # Examples
/// A custom loss, the mean of the fourth power of the error:
/// ```
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::prelude::*;
///
/// #[derive(Debug)]
/// struct MeanFourthPower;
///
/// impl<F: Float> Loss<F> for MeanFourthPower {
///     fn kind(&self) -> &'static str {
///         "example.mean_fourth_power"
///     }
///     fn compute(&self, pass: LossPass<'_, F>) -> f64 {
///         let TargetView::Values(targets) = pass.targets else { return f64::NAN };
///         let error = &pass.prediction - &targets;
///         let count = F::of(error.len() as f64);
///         if let Some(mut gradient) = pass.gradient {
///             gradient.assign(&error.mapv(|e| F::of(4.0) * e * e * e / count));
///         }
///         (error.mapv(|e| e.powi(4)).sum() / count).as_f64()
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let model: Model<f64> = Sequential::new(3).add(Dense::new(1)).compile(Adam::default(), MeanFourthPower)?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss for `{F}`",
    label = "expected a loss such as `MeanSquaredError::new()`",
    note = "for a custom loss, implement `Loss<F>` for every `F: Float`, or use `LossFn::new`"
)]
pub trait Loss<F: Float>: Debug + Send + Sync {
    /// The loss's name in messages and files: `"mean_squared_error"`. Losses of other crates carry a namespace.
    fn kind(&self) -> &'static str;

    /// The form of targets that it compares with; values by default.
    fn target_form(&self) -> TargetForm {
        TargetForm::Values
    }

    /// The label that denotes "no target", if the loss has one.
    fn ignored_label(&self) -> Option<i64> {
        None
    }

    /// The range of targets that are not class labels; any finite numbers by default.
    fn target_range(&self) -> TargetRange {
        TargetRange::Any
    }

    /// How the loss interprets outputs of this shape; any numbers by default. `compile` refuses a last layer whose outputs
    /// contradict it.
    fn output_meaning(&self, output: &Shape) -> OutputMeaning {
        let _ = output;
        OutputMeaning::Values
    }

    /// Refuses hyperparameters outside their ranges and outputs that it cannot compare.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`], [`Error::Shape`].
    fn validate(&self, output: &Shape) -> Result<()> {
        let _ = output;
        Ok(())
    }

    /// The activation whose logits the loss takes in the training step, where a network ends with it: softmax
    /// for a cross-entropy. Value and gradient are then exact and finite however large the logits are.
    fn fused_activation(&self) -> Option<Activation> {
        None
    }

    /// Whether the loss takes the logits of this activation with this number of outputs along the last axis: whether that is the
    /// [`fused_activation`](Self::fused_activation).
    fn fuses(&self, activation: Activation, outputs: usize) -> bool {
        let _ = outputs;
        self.fused_activation() == Some(activation)
    }

    /// How the losses of the positions become that of the batch: over the number of positions by default. The ranks of a
    /// [distributed](crate::distributed) run combine the losses of their rows by it. A loss of the batch as a whole, such as
    /// [`Dice`], becomes the mean of the ranks' losses, weighted by their rows.
    fn batch_reduction(&self) -> Reduction {
        Reduction::SumOverBatchSize
    }

    /// The loss over the batch and, where asked for, its gradient toward the prediction.
    fn compute(&self, pass: LossPass<'_, F>) -> f64;

    /// The hyperparameters for files; `None` (the default): a model of it saves its weights only.
    fn config(&self) -> Option<Config> {
        None
    }

    /// The loss as networks hold it. The types of this crate override it to be compiled here.
    #[doc(hidden)]
    fn into_arc(self) -> Arc<dyn Loss<F>>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
    }
}

/// Implements the methods of [`Loss`] by those of an inner loss.
macro_rules! forward_loss {
    (|$outer:ident| $inner:expr) => {
        fn kind(&self) -> &'static str {
            let $outer = self;
            $inner.kind()
        }

        fn target_form(&self) -> TargetForm {
            let $outer = self;
            $inner.target_form()
        }

        fn ignored_label(&self) -> Option<i64> {
            let $outer = self;
            $inner.ignored_label()
        }

        fn target_range(&self) -> TargetRange {
            let $outer = self;
            $inner.target_range()
        }

        fn output_meaning(&self, output: &Shape) -> OutputMeaning {
            let $outer = self;
            $inner.output_meaning(output)
        }

        fn validate(&self, output: &Shape) -> Result<()> {
            let $outer = self;
            $inner.validate(output)
        }

        fn fused_activation(&self) -> Option<Activation> {
            let $outer = self;
            $inner.fused_activation()
        }

        fn fuses(&self, activation: Activation, outputs: usize) -> bool {
            let $outer = self;
            $inner.fuses(activation, outputs)
        }

        fn batch_reduction(&self) -> $crate::nn::loss::Reduction {
            let $outer = self;
            $inner.batch_reduction()
        }

        fn compute(&self, pass: LossPass<'_, F>) -> f64 {
            let $outer = self;
            $inner.compute(pass)
        }

        fn config(&self) -> Option<Config> {
            let $outer = self;
            $inner.config()
        }
    };
}
use forward_loss;

impl<F: Float, L: Loss<F> + ?Sized> Loss<F> for Arc<L> {
    forward_loss!(|outer| (**outer));
}

/// How the losses of a batch's positions become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reduction {
    /// The weighted sum over the number of positions, whatever the weights (Keras's default).
    #[default]
    SumOverBatchSize,
    /// The weighted sum.
    Sum,
    /// The weighted sum over the sum of the weights.
    MeanWithSampleWeight,
}

/// One position: its prediction, where it lies, and the factor of its loss in the total.
pub(crate) struct Position<'a, F> {
    pub(crate) prediction: &'a [F],
    pub(crate) gradient: Option<&'a mut [F]>,
    /// What the gradient of this position's loss is to be multiplied with.
    pub(crate) scale: F,
    pub(crate) index: usize,
}

/// Calls `loss` for each position and reduces what it returns. `counted` says which positions are in the count
/// that a mean divides by; `loss` returns 0 for the others and zeroes their gradient.
pub(crate) fn reduce<F: Float>(
    pass: LossPass<'_, F>,
    reduction: Reduction,
    counted: impl Fn(usize) -> bool,
    mut loss: impl FnMut(Position<'_, F>) -> F,
) -> f64 {
    let LossPass { prediction, last_axis: last, weights, mask, mut gradient, .. } = pass;
    let (Some(prediction), true) = (prediction.as_slice(), last > 0) else { return 0.0 };
    let positions = prediction.len() / last;
    let each = positions / pass_rows(positions, weights);
    let weight = |index: usize| weights.map_or(F::one(), |weights| weights[index / each]);
    let real = |index: usize| mask.is_none_or(|mask| is_real(mask, index, positions));
    let counted = |index: usize| real(index) && counted(index);
    #[allow(clippy::cast_precision_loss, reason = "a count of positions")]
    let divisor = match reduction {
        Reduction::Sum => 1.0,
        Reduction::SumOverBatchSize => (0..positions).filter(|&index| counted(index)).count() as f64,
        Reduction::MeanWithSampleWeight => {
            (0..positions).filter(|&index| counted(index)).map(|index| weight(index).as_f64()).sum()
        }
    };
    let share = F::of(if divisor == 0.0 { 0.0 } else { 1.0 / divisor });
    let mut gradients = gradient.as_mut().and_then(|gradient| gradient.as_slice_mut());
    let mut total = 0.0;
    for (index, prediction) in prediction.chunks_exact(last).enumerate() {
        let weight = weight(index);
        let gradient = gradients.as_mut().map(|gradients| &mut gradients[index * last..][..last]);
        if !real(index) {
            gradient.into_iter().for_each(|gradient| gradient.fill(F::zero()));
            continue;
        }
        let value = loss(Position { prediction, gradient, scale: weight * share, index });
        total += (value * weight).as_f64();
    }
    if divisor == 0.0 { 0.0 } else { total / divisor }
}

/// What a batch counts in the loss of a larger batch that it is a part of: the divisor of [`reduce`], with 1 for a sum.
/// `ignored` says which positions have a label that the loss ignores.
pub(crate) fn weight_in_whole<F: Float>(
    reduction: Reduction,
    positions: usize,
    weights: Option<&[F]>,
    mask: Option<&[bool]>,
    ignored: impl Fn(usize) -> bool,
) -> f64 {
    let each = (positions / pass_rows(positions, weights)).max(1);
    let counted = (0..positions)
        .filter(|&index| mask.is_none_or(|mask| is_real(mask, index, positions)) && !ignored(index));
    match reduction {
        Reduction::Sum => 1.0,
        Reduction::SumOverBatchSize => counted.count() as f64,
        Reduction::MeanWithSampleWeight => {
            counted.map(|index| weights.map_or(1.0, |weights| weights[index / each].as_f64())).sum()
        }
    }
}

/// The mask's entry for a position, given the number of positions.
pub(crate) fn is_real(mask: &[bool], position: usize, positions: usize) -> bool {
    mask.get(position * mask.len() / positions.max(1)).copied().unwrap_or(true)
}

/// The number of samples: one weight each, or one position each where there are no weights.
fn pass_rows<F>(positions: usize, weights: Option<&[F]>) -> usize {
    weights.map_or(positions, <[F]>::len).max(1)
}

/// [`reduce`] for losses that are a mean over the last axis of a function of prediction and target, given with its
/// slope toward the prediction.
pub(crate) fn element_mean<F: Float>(
    pass: LossPass<'_, F>,
    reduction: Reduction,
    element: impl Fn(F, F) -> (F, F),
) -> f64 {
    let share = F::one() / F::of(pass.last_axis.max(1) as f64);
    elements(pass, reduction, share, element)
}

/// As [`element_mean`], with the sum in the place of the mean.
pub(crate) fn element_sum<F: Float>(
    pass: LossPass<'_, F>,
    reduction: Reduction,
    element: impl Fn(F, F) -> (F, F),
) -> f64 {
    elements(pass, reduction, F::one(), element)
}

fn elements<F: Float>(
    pass: LossPass<'_, F>,
    reduction: Reduction,
    share: F,
    element: impl Fn(F, F) -> (F, F),
) -> f64 {
    let (targets, last) = (pass.targets, pass.last_axis);
    reduce(
        pass,
        reduction,
        |_| true,
        |Position { prediction, gradient, scale, index }| {
            let targets = values_at(&targets, index, last);
            let mut total = F::zero();
            match gradient {
                Some(gradient) => {
                    let scale = share * scale;
                    for ((gradient, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                        let (value, slope) = element(p, t);
                        total += value;
                        *gradient = slope * scale;
                    }
                }
                None => prediction.iter().zip(targets).for_each(|(&p, &t)| total += element(p, t).0),
            }
            total * share
        },
    )
}

/// The sums over a batch that measures of overlap are made of.
pub(crate) struct Overlap<F> {
    /// Σ t p.
    pub(crate) both: F,
    /// Σ p.
    pub(crate) prediction: F,
    /// Σ t.
    pub(crate) target: F,
}

/// The loss of a batch as a whole, given with its slope toward a prediction as a function of the target.
/// Each sample's weight multiplies the one number, as in Keras.
pub(crate) fn whole_batch<F: Float, S: Fn(F) -> F>(
    pass: LossPass<'_, F>,
    reduction: Reduction,
    loss: impl FnOnce(Overlap<F>) -> (F, S),
) -> f64 {
    let TargetView::Values(targets) = pass.targets else { return f64::NAN };
    let both = pass.prediction.iter().zip(&targets).map(|(&p, &t)| p * t).sum();
    let overlap = Overlap { both, prediction: pass.prediction.iter().sum(), target: targets.iter().sum() };
    let (value, slope) = loss(overlap);
    let factor = match (pass.weights, pass.mask, reduction) {
        (None, None, _) | (_, _, Reduction::MeanWithSampleWeight) => F::one(),
        (weights, mask, reduction) => {
            let count = mask.map_or(0, <[bool]>::len).max(weights.map_or(0, <[F]>::len)).max(1);
            let real = |index: &usize| mask.is_none_or(|mask| is_real(mask, *index, count));
            let weight =
                |index: usize| weights.map_or(F::one(), |weights| weights[index * weights.len() / count]);
            let sum: F = (0..count).filter(real).map(weight).sum();
            let counted = (0..count).filter(real).count().max(1);
            if reduction == Reduction::Sum { sum } else { sum / F::of(counted as f64) }
        }
    };
    if let Some(mut gradient) = pass.gradient {
        gradient.iter_mut().zip(&targets).for_each(|(gradient, &t)| *gradient = factor * slope(t));
    }
    (value * factor).as_f64()
}

/// Targets as −1 and 1: where all of a batch are 0 or 1, 0 becomes −1.
pub(crate) fn signed_targets<F: Float>(targets: &TargetView<'_, F>) -> impl Fn(F) -> F + use<F> {
    let binary = match targets {
        TargetView::Values(values) => values.iter().all(|&t| t == F::zero() || t == F::one()),
        TargetView::Labels(_) => false,
    };
    move |t| if binary { t + t - F::one() } else { t }
}

/// −1, 0 or 1.
pub(crate) fn sign<F: Float>(value: F) -> F {
    if value > F::zero() {
        F::one()
    } else if value < F::zero() {
        -F::one()
    } else {
        F::zero()
    }
}

fn above_zero(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number above 0"))
}

fn at_least_zero(owner: &str, name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_parameter(owner, name, value, "a finite number of at least 0"))
}

/// The targets of position `index`, for losses that compare values.
pub(crate) fn values_at<'a, F>(targets: &'a TargetView<'_, F>, index: usize, last: usize) -> &'a [F] {
    match targets {
        TargetView::Values(values) => values.as_slice().map_or(&[], |values| &values[index * last..][..last]),
        TargetView::Labels(_) => &[],
    }
}

catalog! {
    dyn Loss:
    "binary_crossentropy" => BinaryCrossentropy,
    "categorical_crossentropy" => CategoricalCrossentropy,
    "mean_absolute_error" => MeanAbsoluteError,
    "mean_squared_error" => MeanSquaredError,
    "sparse_categorical_crossentropy" => SparseCategoricalCrossentropy,
    "binary_focal_crossentropy" => BinaryFocalCrossentropy,
    "categorical_focal_crossentropy" => CategoricalFocalCrossentropy,
    "categorical_hinge" => CategoricalHinge,
    "cosine_similarity" => CosineSimilarity,
    "dice" => Dice,
    "hinge" => Hinge,
    "huber" => Huber,
    "kl_divergence" => KlDivergence,
    "log_cosh" => LogCosh,
    "mean_absolute_percentage_error" => MeanAbsolutePercentageError,
    "mean_squared_logarithmic_error" => MeanSquaredLogarithmicError,
    "poisson" => Poisson,
    "squared_hinge" => SquaredHinge,
    "tversky" => Tversky,
    "crossentropy" => Crossentropy,
}
