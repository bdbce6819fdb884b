//! Defaults that serde fills in for hyperparameters absent from a configuration.

use crate::initializer::Initializer;

/// Returns `true`, the default of flags such as `use_bias`.
pub(crate) fn yes() -> bool {
    true
}

/// Returns 1, the default of strides, dilation rates, groups and multipliers.
pub(crate) fn one<T: From<usize>>() -> T {
    1.into()
}

/// Returns the initializer of zeros.
pub(crate) fn zeros() -> Initializer {
    Initializer::Zeros
}

/// Returns the initializer of ones.
pub(crate) fn ones() -> Initializer {
    Initializer::Ones
}

/// Returns the Glorot uniform initializer.
pub(crate) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform
}
