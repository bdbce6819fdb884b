//! What is known of the values that a layer of this crate puts out.

use super::Plan;
use crate::activation::Activation;

/// The values that come out of a layer before its declared activation, whatever its weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum OutputValues {
    /// Nothing is known: layers of other crates.
    #[default]
    Unknown,
    /// Any number: affine functions with trained coefficients.
    Unbounded,
    /// Between those of the input, or 0.
    Kept,
    /// A fixed affine function of the input.
    Affine,
    /// What an activation makes of any number.
    Activated(Activation),
    /// Between 0 and 1.
    Shares,
}

impl Plan {
    /// Notes the values that come out.
    pub(crate) fn output_values(mut self, values: OutputValues) -> Self {
        self.values = values;
        self
    }

    /// The values that come out before the declared activation.
    pub(crate) fn known_values(&self) -> OutputValues {
        if self.declares_rearranging() { OutputValues::Kept } else { self.values }
    }
}
