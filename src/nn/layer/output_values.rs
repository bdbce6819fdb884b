//! Ranges of the output values of built-in layers.

use super::Plan;
use crate::activation::Activation;

/// The possible outputs of a layer before its declared activation, for all weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum OutputValues {
    /// Unknown: layers of other crates.
    #[default]
    Unknown,
    /// Any value: affine functions with trained coefficients.
    Unbounded,
    /// Within the range of the inputs, or 0.
    Kept,
    /// A fixed affine function of the input.
    Affine,
    /// The range of an activation.
    Activated(Activation),
    /// Between 0 and 1.
    Shares,
}

impl Plan {
    /// Declares the output values.
    pub(crate) fn output_values(mut self, values: OutputValues) -> Self {
        self.values = values;
        self
    }

    /// The output values before the declared activation.
    pub(crate) fn known_values(&self) -> OutputValues {
        if self.declares_rearranging() { OutputValues::Kept } else { self.values }
    }
}
