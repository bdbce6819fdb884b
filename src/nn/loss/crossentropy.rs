//! The cross-entropy that the shapes ask for.

use super::{
    BinaryCrossentropy, CategoricalCrossentropy, Loss, LossPass, OutputMeaning, Reduction,
    SparseCategoricalCrossentropy,
};
use crate::activation::Activation;
use crate::float::Float;
use crate::nn::layer::{Config, Shape};
use crate::nn::targets::{TargetForm, TargetRange, TargetView};
use serde::{Deserialize, Serialize};

/// The cross-entropy of the kind that the shapes ask for, as Keras's `"crossentropy"`: one output:
/// [`BinaryCrossentropy`]; labels: [`SparseCategoricalCrossentropy`]; targets of the output's shape:
/// [`CategoricalCrossentropy`].
///
/// # Parameters
/// [`reduction`](Self::reduction): the mean over the batch. Outputs are probabilities.
///
/// # Errors
/// As the cross-entropy that it denotes.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::losses::AnyLoss;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut model: Model<f64> = Sequential::new(2)
///     .add(Dense::new(3).activation(Activation::Softmax))
///     .compile(Adam::default(), "crossentropy".parse::<AnyLoss<f64>>()?)?;
/// let x = array![[0.0, 1.0], [1.0, 0.0]];
/// let by_label = model.evaluate(&x, &array![2, 0])?.loss();
/// let by_value = model.evaluate(&x, &array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])?.loss();
/// assert!((by_label - by_value).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crossentropy {
    reduction: Reduction,
}

impl Crossentropy {
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

impl<F: Float> Loss<F> for Crossentropy {
    crate::float::precompiled::into_arc!(Crossentropy: Loss<F>);

    fn kind(&self) -> &'static str {
        "crossentropy"
    }

    fn output_meaning(&self, output: &Shape) -> OutputMeaning {
        if output.last() == 1 { OutputMeaning::Probabilities } else { OutputMeaning::Distribution }
    }

    fn target_range(&self) -> TargetRange {
        TargetRange::UnitInterval
    }

    fn target_form(&self) -> TargetForm {
        TargetForm::Either
    }

    fn fused_activation(&self) -> Option<Activation> {
        Some(Activation::Softmax)
    }

    fn fuses(&self, activation: Activation, outputs: usize) -> bool {
        activation == if outputs == 1 { Activation::Sigmoid } else { Activation::Softmax }
    }

    fn batch_reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, pass: LossPass<'_, F>) -> f64 {
        match pass.targets {
            TargetView::Labels(_) => {
                SparseCategoricalCrossentropy::default().reduction(self.reduction).compute(pass)
            }
            TargetView::Values(_) if pass.last_axis == 1 => {
                BinaryCrossentropy::default().reduction(self.reduction).compute(pass)
            }
            TargetView::Values(_) => {
                CategoricalCrossentropy::default().reduction(self.reduction).compute(pass)
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
