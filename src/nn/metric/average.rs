//! Averaging of per-class scores, shared by streaming and array metrics.

use serde::{Deserialize, Serialize};

/// How the scores of the classes become one number, as scikit-learn's `average`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Average {
    /// The score of the positive class: label 1, or the only output.
    Binary,
    /// The score of the counts of all classes together; for single-label predictions it equals accuracy.
    Micro,
    /// The unweighted mean of the classes' scores.
    #[default]
    Macro,
    /// The mean of the classes' scores, weighted by their number of true samples.
    Weighted,
}

/// The F-beta score, `(1 + β²) P R / (β² P + R + ε)`; 0 where the denominator is 0. Keras adds ε = 1e-7, scikit-learn 0.
pub(crate) fn f_beta(precision: f64, recall: f64, beta: f64, epsilon: f64) -> f64 {
    let square = beta * beta;
    // Beyond f64's range β² leaves nothing of the precision.
    if square.is_infinite() {
        return recall;
    }
    let denominator = square * precision + recall + epsilon;
    if denominator > 0.0 { (1.0 + square) * precision * recall / denominator } else { 0.0 }
}
