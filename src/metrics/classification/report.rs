//! The classification report: scores by class and their averages.

use super::confusion_matrix::class_name;
use super::{Average, ClassScore, ConfusionMatrix};
use crate::error::Result;
use ndarray::{ArrayBase, Data, Ix1};
use std::fmt;

/// Precision, recall and F1 of every class, their averages, and the accuracy; `Display` is a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClassificationReport {
    /// The name and the scores of each class.
    pub classes: Vec<(String, ClassScore)>,
    /// The share of samples predicted as what they are.
    pub accuracy: f64,
    /// The mean over the classes.
    pub macro_avg: ClassScore,
    /// The mean over the classes, weighted by how many samples they have.
    pub weighted_avg: ClassScore,
}

/// Precision, recall and F1 of every class, their averages, and the accuracy.
///
/// # Shapes
/// `y_true`, `y_pred`: (n_samples). `names`: the classes' names by their numbers; a class without one shows its
/// number.
///
/// # Errors
/// No samples, or `y_pred` of another length than `y_true`.
///
/// # Examples
/// ```
/// use axonal::metrics::classification_report;
/// use axonal::ndarray::array;
///
/// let report = classification_report(&array![0, 1, 1, 1], &array![0, 1, 1, 0], &["cat", "dog"])?;
/// assert_eq!(
///     report.to_string(),
///     "              precision    recall  f1-score   support\n\
///      \n\
///      \x20        cat      0.500     1.000     0.667         1\n\
///      \x20        dog      1.000     0.667     0.800         3\n\
///      \n\
///      \x20   accuracy                          0.750         4\n\
///      \x20  macro avg      0.750     0.833     0.733         4\n\
///      weighted avg      0.875     0.750     0.767         4"
/// );
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn classification_report(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    names: &[impl AsRef<str>],
) -> Result<ClassificationReport> {
    let matrix = ConfusionMatrix::new(y_true, y_pred)?;
    let names = matrix.labels().iter().map(|label| class_name(*label, names));
    Ok(ClassificationReport {
        classes: names.zip(matrix.class_scores()).collect(),
        accuracy: matrix.accuracy(),
        macro_avg: matrix.score(Average::Macro)?,
        weighted_avg: matrix.score(Average::Weighted)?,
    })
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.classes.iter().map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or(0).max("weighted avg".len());
        let row = |f: &mut fmt::Formatter<'_>, name: &str, score: &ClassScore| {
            let ClassScore { precision, recall, f1, support, .. } = score;
            write!(f, "\n{name:>width$} {precision:>10.3} {recall:>9.3} {f1:>9.3} {support:>9}")
        };
        writeln!(f, "{:>width$} {:>10} {:>9} {:>9} {:>9}", "", "precision", "recall", "f1-score", "support")?;
        for (name, score) in &self.classes {
            row(f, name, score)?;
        }
        let support = self.macro_avg.support;
        write!(f, "\n\n{:>width$} {:>10} {:>9} {:>9.3} {support:>9}", "accuracy", "", "", self.accuracy)?;
        row(f, "macro avg", &self.macro_avg)?;
        row(f, "weighted avg", &self.weighted_avg)
    }
}
