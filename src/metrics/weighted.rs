//! The metrics of weighted samples: a weight of 2 counts as the sample twice, one of 0 as if it was not there.
//!
//! Each takes what its namesake one floor up takes, and a weight for each sample.
//!
//! # Errors
//! Those of the namesakes, and weights that are negative, not finite, all zero, or not one for each sample.
//!
//! # Examples
//! ```
//! use axonal::metrics::{accuracy_score, weighted};
//! use axonal::ndarray::array;
//!
//! let (y_true, y_pred) = (array![0, 1, 1], array![0, 1, 0]);
//! assert_eq!(weighted::accuracy_score(&y_true, &y_pred, &array![1.0, 1.0, 2.0])?, 0.5);
//! assert_eq!(accuracy_score(&array![0, 1, 1, 1], &array![0, 1, 0, 0])?, 0.5);
//! # Ok::<(), axonal::Error>(())
//! ```

use super::classification::{Average, ConfusionMatrix, PrecisionRecallCurve, RocCurve};
use super::{classification, regression, sample_weights};
use crate::error::Result;
use crate::float::Float;
use ndarray::{ArrayBase, Data, Dimension, Ix1, Ix2};

/// Metrics of predicted classes, from their confusion matrix.
macro_rules! of_classes {
    ($($name:ident($($argument:ident: $type:ty)?), $document:literal, |$matrix:ident| $score:expr;)*) => {$(
        #[doc = $document]
        ///
        /// # Errors
        /// See the [module](self).
        pub fn $name<W: Float>(
            y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
            y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
            $($argument: $type,)?
            sample_weight: &ArrayBase<impl Data<Elem = W>, Ix1>,
        ) -> Result<f64> {
            let $matrix = ConfusionMatrix::weighted(y_true, y_pred, sample_weight)?;
            $score
        }
    )*};
}

of_classes! {
    accuracy_score(), "[`accuracy_score`](super::accuracy_score) of weighted samples.", |matrix| Ok(matrix.accuracy());
    balanced_accuracy_score(), "[`balanced_accuracy_score`](super::balanced_accuracy_score) of weighted samples.",
        |matrix| Ok(matrix.balanced_accuracy());
    matthews_corrcoef(), "[`matthews_corrcoef`](super::matthews_corrcoef) of weighted samples.",
        |matrix| Ok(matrix.matthews());
    cohen_kappa_score(), "[`cohen_kappa_score`](super::cohen_kappa_score) of weighted samples.",
        |matrix| Ok(matrix.kappa());
    precision_score(average: Average), "[`precision_score`](super::precision_score) of weighted samples.",
        |matrix| Ok(matrix.score(average)?.precision);
    recall_score(average: Average), "[`recall_score`](super::recall_score) of weighted samples.",
        |matrix| Ok(matrix.score(average)?.recall);
    f1_score(average: Average), "[`f1_score`](super::f1_score) of weighted samples.",
        |matrix| Ok(matrix.score(average)?.f1);
    jaccard_score(average: Average), "[`jaccard_score`](super::jaccard_score) of weighted samples.",
        |matrix| Ok(matrix.score(average)?.jaccard);
}

/// [`fbeta_score`](super::fbeta_score) of weighted samples.
///
/// # Errors
/// See the [module](self).
pub fn fbeta_score<W: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    beta: f64,
    average: Average,
    sample_weight: &ArrayBase<impl Data<Elem = W>, Ix1>,
) -> Result<f64> {
    ConfusionMatrix::weighted(y_true, y_pred, sample_weight)?.f_beta(beta, average)
}

/// [`roc_auc_score`](super::roc_auc_score) of weighted samples.
///
/// # Errors
/// See the [module](self).
pub fn roc_auc_score<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
    sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    Ok(RocCurve::weighted(y_true, y_score, sample_weight)?.auc())
}

/// [`average_precision_score`](super::average_precision_score) of weighted samples.
///
/// # Errors
/// See the [module](self).
pub fn average_precision_score<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
    sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    Ok(PrecisionRecallCurve::weighted(y_true, y_score, sample_weight)?.average_precision())
}

/// [`log_loss`](super::log_loss) of weighted samples.
///
/// # Errors
/// See the [module](self).
pub fn log_loss<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_prob: &ArrayBase<impl Data<Elem = F>, Ix2>,
    sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    classification::weighted_log_loss(y_true, y_prob, &sample_weights(sample_weight, y_true.len())?)
}

/// [`brier_score_loss`](super::brier_score_loss) of weighted samples.
///
/// # Errors
/// See the [module](self).
pub fn brier_score_loss<F: Float>(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_prob: &ArrayBase<impl Data<Elem = F>, Ix1>,
    sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
) -> Result<f64> {
    classification::weighted_brier(y_true, y_prob, &sample_weights(sample_weight, y_true.len())?)
}

/// Metrics of predicted values.
macro_rules! of_values {
    ($($name:ident($($argument:ident: $type:ty)?), $document:literal, $metric:expr;)*) => {$(
        #[doc = $document]
        ///
        /// # Errors
        /// See the [module](self).
        pub fn $name<F: Float, D: Dimension>(
            y_true: &ArrayBase<impl Data<Elem = F>, D>,
            y_pred: &ArrayBase<impl Data<Elem = F>, D>,
            $($argument: $type,)?
            sample_weight: &ArrayBase<impl Data<Elem = F>, Ix1>,
        ) -> Result<f64> {
            let n_samples = y_true.shape().first().copied().unwrap_or(1);
            regression::weighted(y_true, y_pred, &sample_weights(sample_weight, n_samples)?, $metric)
        }
    )*};
}

of_values! {
    mean_squared_error(), "[`mean_squared_error`](super::mean_squared_error) of weighted samples.",
        regression::squared;
    root_mean_squared_error(), "[`root_mean_squared_error`](super::root_mean_squared_error) of weighted samples.",
        regression::root_squared;
    mean_absolute_error(), "[`mean_absolute_error`](super::mean_absolute_error) of weighted samples.",
        regression::absolute;
    mean_absolute_percentage_error(), "[`mean_absolute_percentage_error`](super::mean_absolute_percentage_error) of weighted samples.",
        regression::percentage;
    mean_squared_log_error(), "[`mean_squared_log_error`](super::mean_squared_log_error) of weighted samples.",
        regression::squared_log;
    root_mean_squared_log_error(), "[`root_mean_squared_log_error`](super::root_mean_squared_log_error) of weighted samples.",
        regression::root_squared_log;
    r2_score(), "[`r2_score`](super::r2_score) of weighted samples.",
        regression::r2;
    explained_variance_score(), "[`explained_variance_score`](super::explained_variance_score) of weighted samples.",
        regression::explained_variance;
    mean_pinball_loss(alpha: f64), "[`mean_pinball_loss`](super::mean_pinball_loss) of weighted samples.",
        |pairs: &regression::Pairs<'_>| regression::pinball(pairs, alpha);
}
