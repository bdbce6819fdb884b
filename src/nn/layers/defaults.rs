//! What serde puts where a configuration says nothing.

use crate::initializer::Initializer;

/// For serde: a flag that is on by default.
pub(crate) fn yes() -> bool {
    true
}

/// For serde: zeros by default.
pub(crate) fn zeros() -> Initializer {
    Initializer::Zeros
}

/// For serde: ones by default.
pub(crate) fn ones() -> Initializer {
    Initializer::Ones
}

/// For serde: Glorot's uniform by default.
pub(crate) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform
}
