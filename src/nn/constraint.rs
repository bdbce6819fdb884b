//! What weights are projected to after each update.

use serde::{Deserialize, Serialize};

/// A projection of a weight after each update.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Constraint {
    /// Negative weights become 0.
    NonNeg,
}
