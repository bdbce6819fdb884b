//! The mean absolute error.

use super::{Loss, LossPass, Position, Reduction, reduce, values_at};
use crate::float::Float;
use crate::nn::layer::Config;
use serde::{Deserialize, Serialize};

/// The mean of absolute errors: `mean(|prediction - target|)` over the last axis. The gradient of |0| is 0.
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
/// let loss = MeanAbsoluteError::default();
/// assert!((loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view()))) - 5.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanAbsoluteError {
    reduction: Reduction,
}

impl MeanAbsoluteError {
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

impl<F: Float> Loss<F> for MeanAbsoluteError {
    fn kind(&self) -> &'static str {
        "mean_absolute_error"
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
                    let factor = mean * scale;
                    for ((gradient, &p), &t) in gradient.iter_mut().zip(prediction).zip(targets) {
                        let error = p - t;
                        *gradient = if error == F::zero() { F::zero() } else { factor * error.signum() };
                    }
                }
                prediction.iter().zip(targets).map(|(&p, &t)| (p - t).abs()).sum::<F>() * mean
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
