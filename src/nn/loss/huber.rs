//! Huber's loss.

use super::{Loss, LossPass, Reduction, above_zero, element_mean};

use crate::error::Result;
use crate::float::Float;

use crate::nn::layer::{Config, Shape};
use serde::{Deserialize, Serialize};

/// Half the square of errors up to δ, linear beyond: `mean(½e²)` or `mean(δ|e| - ½δ²)` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output.
///
/// # Parameters
/// `delta` (1): where the line begins.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.9, 0.2, 0.2], [0.8, 0.4, 0.6]], array![[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
/// let loss = Huber::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 0.10416667).abs() < 1e-6);
/// ```
///
/// # References
/// Huber 1964, "Robust estimation of a location parameter".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Huber {
    delta: f64,
    reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::default() }
    }
}

impl Huber {
    /// Creates the loss with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The size of an error from which on it counts linearly.
    #[must_use]
    pub fn delta(mut self, delta: f64) -> Self {
        self.delta = delta;
        self
    }

    /// Sets how the losses of a batch become one number.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl<F: Float> Loss<F> for Huber {
    crate::float::precompiled::into_arc!(Huber: Loss<F>);

    fn kind(&self) -> &'static str {
        "huber"
    }

    fn validate(&self, _: &Shape) -> Result<()> {
        above_zero("huber", "delta", self.delta)
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let (delta, half) = (F::of(self.delta), F::of(0.5));
        element_mean(pass, self.reduction, |p, t| {
            let error = p - t;
            let inside = error.max(-delta).min(delta);
            // Both branches at once: with e within ±δ, |e|·|e| - ½e² is ½e².
            (inside * (error - half * inside), inside)
        })
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
