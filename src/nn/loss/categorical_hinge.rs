//! The hinge over classes.

use super::{Loss, LossPass, Position, Reduction, reduce, values_at};

use crate::float::Float;

use crate::nn::layer::Config;
use crate::nn::targets::TargetRange;
use serde::{Deserialize, Serialize};

/// What the right class lacks to lead by 1: `max(max((1 - t) p) - Σ t p + 1, 0)` over the last axis.
///
/// # Shapes
/// Targets have the shape of the output, one-hot, with 0 or −1 for the other classes.
///
/// # Errors
/// In `fit` and `evaluate`: other targets.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::{LossPass, TargetView};
/// use axonal::losses::CategoricalHinge;
/// use axonal::prelude::*;
///
/// let (prediction, target) = (array![[0.6, 0.4], [0.4, 0.6]], array![[0.0, 1.0], [0.0, 0.0]]);
/// let loss = CategoricalHinge::default();
/// let value = loss.compute(LossPass::new(prediction.view(), TargetView::Values(target.view())));
/// assert!((value - 1.4).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalHinge {
    reduction: Reduction,
}

impl CategoricalHinge {
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

impl<F: Float> Loss<F> for CategoricalHinge {
    crate::float::precompiled::into_arc!(CategoricalHinge: Loss<F>);

    fn kind(&self) -> &'static str {
        "categorical_hinge"
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::Signs
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        let targets = pass.targets;
        let last = pass.last_axis;
        reduce(
            pass,
            self.reduction,
            |_| true,
            |Position { prediction, gradient, scale, index }| {
                let targets = values_at(&targets, index, last);
                let (mut right, mut rival, mut lead) = (F::zero(), 0, F::neg_infinity());
                for (class, (&p, &t)) in prediction.iter().zip(targets).enumerate() {
                    right += t * p;
                    let wrong = (F::one() - t) * p;
                    if wrong > lead {
                        (rival, lead) = (class, wrong);
                    }
                }
                let value = (lead - right + F::one()).max(F::zero());
                if let Some(gradient) = gradient {
                    let active = if value > F::zero() { scale } else { F::zero() };
                    gradient.iter_mut().zip(targets).for_each(|(g, &t)| *g = -active * t);
                    gradient[rival] += active * (F::one() - targets[rival]);
                }
                value
            },
        )
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
