//! How good predicted classes and probabilities are.

mod agreement;
mod confusion_matrix;
mod precision_recall;
mod precision_recall_curve;
mod probability;
mod report;
mod roc;
mod weighted_kappa;

#[cfg(feature = "plot")]
pub(crate) use confusion_matrix::class_name;
pub use confusion_matrix::{
    ConfusionMatrix, Normalize, accuracy_score, balanced_accuracy_score, cohen_kappa_score, confusion_matrix,
    matthews_corrcoef,
};
pub use precision_recall::{
    Average, ClassScore, f1_score, fbeta_score, jaccard_score, precision_score, recall_score,
};
pub use precision_recall_curve::{PrecisionRecallCurve, average_precision_score, precision_recall_curve};
pub use probability::{brier_score_loss, log_loss, top_k_accuracy_score};
pub(super) use probability::{weighted_brier, weighted_log_loss};
pub use report::{ClassificationReport, classification_report};
pub use roc::{RocCurve, auc, roc_auc_ovr_score, roc_auc_score, roc_curve};
pub use weighted_kappa::{KappaWeights, cohen_kappa_score_with};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{ArrayBase, Data, Ix1, Ix2};

/// Refuses arrays without entries, or of different lengths.
fn check_lengths(n_true: usize, n_pred: usize) -> Result<()> {
    if n_true == 0 {
        return Err(Error::Empty { what: "y_true".into(), shape: "(0)".into(), needed: "sample" });
    }
    if n_true == n_pred {
        return validate::memory_for::<usize>("y_true", n_true);
    }
    Err(Error::Length { what: "y_pred".into(), expected: n_true, got: n_pred })
}

/// Refuses a label that none of `n_classes` classes has.
fn check_labels(labels: &ArrayBase<impl Data<Elem = usize>, Ix1>, n_classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= n_classes) {
        Some(row) => Err(Error::Label { row, label: labels[row].to_string(), n_classes }),
        None => Ok(()),
    }
}

/// How far a row of probabilities may sum from 1 in any type: what numpy's `allclose`, and so scikit-learn's `roc_auc_score`,
/// allows.
const ROW_SUM_TOLERANCE: f64 = 1e-5 + 1e-8;

/// Refuses rows that are not distributions over the classes: whose sum differs from 1 by more than `tolerance`.
fn check_rows_sum_to_one<F: Float>(
    owner: &str,
    name: &'static str,
    rows: &ArrayBase<impl Data<Elem = F>, Ix2>,
    tolerance: f64,
) -> Result<()> {
    for (index, row) in rows.rows().into_iter().enumerate() {
        let sum: f64 = row.iter().map(|value| value.as_f64()).sum();
        if (sum - 1.0).abs() > tolerance {
            let got = format!("a row {index} that sums to {sum}");
            let expected = "probabilities that sum to 1 in each row; apply softmax to logits, or divide each row by its sum";
            return Err(Error::invalid_parameter(owner, name, got, expected));
        }
    }
    Ok(())
}

/// The counts of true and false positives above each distinct score, scores descending.
struct Thresholds {
    scores: Vec<f64>,
    true_positives: Vec<f64>,
    false_positives: Vec<f64>,
}

impl Thresholds {
    /// Without weights all samples count alike.
    fn of<F: Float>(
        y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        y_score: &ArrayBase<impl Data<Elem = F>, Ix1>,
        sample_weight: Option<&[f64]>,
    ) -> Result<Self> {
        check_lengths(y_true.len(), y_score.len())?;
        check_labels(y_true, 2)?;
        validate::finite("y_score", y_score)?;
        let mut ranked: Vec<(f64, usize, f64)> =
            y_score.iter().zip(y_true).map(|(score, &label)| (score.as_f64(), label, 1.0)).collect();
        if let Some(weights) = sample_weight {
            ranked.iter_mut().zip(weights).for_each(|(sample, weight)| sample.2 = *weight);
            ranked.retain(|sample| sample.2 > 0.0);
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut thresholds = Self { scores: vec![], true_positives: vec![], false_positives: vec![] };
        let (mut positives, mut negatives) = (0.0, 0.0);
        for (rank, &(score, label, weight)) in ranked.iter().enumerate() {
            *(if label == 1 { &mut positives } else { &mut negatives }) += weight;
            if ranked.get(rank + 1).is_none_or(|next| next.0 != score) {
                thresholds.scores.push(score);
                thresholds.true_positives.push(positives);
                thresholds.false_positives.push(negatives);
            }
        }
        Ok(thresholds)
    }

    /// The numbers of positive and of negative samples.
    fn totals(&self) -> (f64, f64) {
        let last = |counts: &[f64]| counts.last().copied().unwrap_or(0.0);
        (last(&self.true_positives), last(&self.false_positives))
    }
}
