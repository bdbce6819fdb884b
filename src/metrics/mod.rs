//! How good answers are, as numbers and tables: classification, regression, clustering.

mod classification;
mod regression;

#[cfg(feature = "plot")]
pub(crate) use classification::class_name;
pub use classification::{
    Average, ClassScore, ClassificationReport, ConfusionMatrix, KappaWeights, Normalize,
    PrecisionRecallCurve, RocCurve, accuracy_score, auc, average_precision_score, balanced_accuracy_score,
    brier_score_loss, classification_report, cohen_kappa_score, cohen_kappa_score_with, confusion_matrix,
    f1_score, fbeta_score, jaccard_score, log_loss, matthews_corrcoef, precision_recall_curve,
    precision_score, recall_score, roc_auc_ovr_score, roc_auc_score, roc_curve, top_k_accuracy_score,
};
pub use regression::{
    explained_variance_score, max_error, mean_absolute_error, mean_absolute_percentage_error,
    mean_pinball_loss, mean_squared_error, mean_squared_log_error, median_absolute_error, r2_score,
    root_mean_squared_error, root_mean_squared_log_error,
};

pub use crate::nn::metric::{
    Accuracy, AnyMetric, Auc, BinaryAccuracy, CategoricalAccuracy, Curve, Direction, FBeta, FalseNegatives,
    FalsePositives, FromLoss, FromMetric, IntoMetric, LossMetric, MeanIou, Metric, MetricFn, Precision,
    R2Score, Recall, RootMeanSquaredError, SensitivityAtSpecificity, SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, Summation, TopKCategoricalAccuracy, TrueNegatives, TruePositives,
};

pub mod clustering;
pub mod weighted;

pub use clustering::*;

use crate::error::Result;
use crate::float::Float;
use crate::float::scaled::{exponent, times_power_of_two};
use crate::validate;
use ndarray::{ArrayBase, Data, Ix1};

/// The weights of the samples as f64, if they are weights. Those of extreme magnitude are multiplied by a power of two, which
/// leaves every metric as it is: products of their sums then neither overflow nor underflow.
fn sample_weights<W: Float>(
    sample_weight: &ArrayBase<impl Data<Elem = W>, Ix1>,
    n_samples: usize,
) -> Result<Vec<f64>> {
    /// Weights within 2^±`ORDINARY` are left alone.
    const ORDINARY: i32 = 200;
    let mut weights: Vec<f64> = sample_weight.iter().map(|weight| weight.as_f64()).collect();
    validate::sample_weights("sample_weight", &weights, n_samples)?;
    let shift = exponent(weights.iter().copied().fold(0.0, f64::max));
    if shift.abs() > ORDINARY {
        weights.iter_mut().for_each(|weight| *weight = times_power_of_two(*weight, -shift));
    }
    Ok(weights)
}
