//! The cosine similarity.

use super::{EPSILON, Loss, LossPass, OutputMeaning, Position, Reduction, reduce, values_at};

use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use serde::{Deserialize, Serialize};

/// Minus the cosine of the angle between prediction and target, along the last axis: −1 where they point the same way.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Errors
/// In `compile`: outputs of one number, whose direction never changes.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::CosineSimilarity;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
/// let loss = CosineSimilarity::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - -0.18721902).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosineSimilarity {
    reduction: Reduction,
}

impl CosineSimilarity {
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

impl<F: Float> Loss<F> for CosineSimilarity {
    crate::float::precompiled::into_arc!(CosineSimilarity: Loss<F>);

    fn kind(&self) -> &'static str {
        "cosine_similarity"
    }

    fn output_meaning(&self, _: &Shape) -> OutputMeaning {
        OutputMeaning::Directions
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (targets, last) = (pass.targets, pass.last_axis);
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                let (own, p_floored) = norm(prediction);
                let (other, _) = norm(targets);
                let dot: F = prediction.iter().zip(targets).map(|(&p, &t)| p * t).sum();
                let mut cosine = dot / own / other;
                if !dot.is_finite() {
                    // The products are too large, the shares of the norms are not.
                    cosine = prediction.iter().zip(targets).map(|(&p, &t)| (p / own) * (t / other)).sum();
                }
                if let Some(gradient) = gradient {
                    // Along the prediction itself nothing changes, unless its norm is at the floor.
                    let along = if p_floored { F::zero() } else { cosine / own };
                    for ((g, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                        *g = scale * (along * p - t / other) / own;
                    }
                }
                -cosine
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The Euclidean norm, 1e-7 at least, and whether it is at that floor.
fn norm<F: Float>(values: &[F]) -> (F, bool) {
    let mut norm = values.iter().map(|&v| v * v).sum::<F>().sqrt();
    if !norm.is_finite() {
        // The squares are too large for the type; those of the shares of the largest are not.
        let largest = values.iter().fold(F::zero(), |largest, v| largest.max(v.abs()));
        norm = largest * values.iter().map(|&v| (v / largest) * (v / largest)).sum::<F>().sqrt();
    }
    let least = F::of(EPSILON);
    (norm.max(least), norm <= least)
}
