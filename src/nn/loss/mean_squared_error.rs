//! The mean squared error.

use super::{Loss, LossPass, Position, Reduction, reduce, values_at};
use crate::float::Float;
use crate::nn::layer::Config;
use serde::{Deserialize, Serialize};

/// The mean of squared errors: `mean((prediction - target)²)` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]], array![[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]]);
/// let loss = MeanSquaredError::default();
/// assert!((loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view()))) - 49.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanSquaredError {
    reduction: Reduction,
}

impl MeanSquaredError {
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

impl<F: Float> Loss<F> for MeanSquaredError {
    fn kind(&self) -> &'static str {
        "mean_squared_error"
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (targets, last) = (pass.targets, pass.last_axis);
        let mean = F::one() / F::of(last as f64);
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                if let Some(gradient) = gradient {
                    let factor = (mean + mean) * scale;
                    for ((gradient, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                        *gradient = factor * (p - t);
                    }
                }
                prediction.iter().zip(targets).map(|(&p, &t)| (p - t) * (p - t)).sum::<F>() * mean
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
