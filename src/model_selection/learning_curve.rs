use super::cross_validation::{FoldData, FoldEstimator, mean_and_std};
use super::fold::checked_folds;
use super::{Fold, FoldTargets, Samples, Splitter};
use crate::error::{Error, Result};
use ndarray::Array2;
use std::fmt;

/// How an estimator's scores grow with the number of samples that it learns from.
///
/// For each share the first samples of every training part are learned from; sort no data by class, or let the
/// splitter shuffle.
///
/// # Shapes
/// As [`cross_val_score`](super::cross_val_score).
///
/// # Parameters
/// * `shares`: shares of the first training part, above 0 and up to 1, rounded down to whole samples; equal numbers
///   count once.
///
/// # Errors
/// Shares outside their range or too small for one sample, and those of
/// [`cross_val_score`](super::cross_val_score).
///
/// # Examples
/// ```
/// use axonal::model_selection::{ShuffleSplit, learning_curve};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let blobs = axonal::datasets::make_blobs::<f64>(100, &axonal::ndarray::array![[0.0], [9.0]], 0.5, 1)?;
/// let splitter = ShuffleSplit::new(3).test_size(0.2);
/// let curve = learning_curve(&KMeans::new(2).seed(0), &blobs.data, (), &[0.1, 0.5, 1.0], splitter)?;
/// assert_eq!(curve.train_counts, [8, 40, 80]);
/// assert_eq!(curve.test_scores.dim(), (3, 3));
/// # Ok(())
/// # }
/// ```
pub fn learning_curve<X: Samples + ?Sized, Y: FoldTargets>(
    estimator: &impl FoldEstimator<X, Y>,
    x: &X,
    y: Y,
    shares: &[f64],
    splitter: impl Splitter<Y>,
) -> Result<LearningCurve> {
    y.check(x.n_samples())?;
    let folds = checked_folds(&splitter, x.n_samples(), y)?;
    let counts = train_counts(shares, folds.first().map_or(0, |fold| fold.train.len()))?;
    let shape = (counts.len(), folds.len());
    let (mut train_scores, mut test_scores) = (Array2::zeros(shape), Array2::zeros(shape));
    for (row, &count) in counts.iter().enumerate() {
        for (column, fold) in folds.iter().enumerate() {
            let count = count.min(fold.train.len());
            let data = FoldData::<X, Y>::of(x, y, &Fold::new(&fold.train[..count], fold.test.as_slice()));
            let fitted = data.fit(estimator)?;
            train_scores[[row, column]] = data.train_score(&fitted)?;
            test_scores[[row, column]] = data.test_score(&fitted)?;
        }
    }
    Ok(LearningCurve { train_counts: counts, train_scores, test_scores })
}

/// Shares as ascending numbers of samples, each once.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "2^53 samples fit no memory, and the product lies between 0 and n_train"
)]
fn train_counts(shares: &[f64], n_train: usize) -> Result<Vec<usize>> {
    let count = |&share: &f64| match (share * n_train as f64) as usize {
        count if share > 0.0 && share <= 1.0 && count > 0 => Ok(count),
        _ => {
            let expected =
                format!("0 < share <= 1, and at least 1 of the {n_train} samples of a training part");
            Err(Error::invalid_parameter("learning_curve", "shares", share, expected))
        }
    };
    let mut counts = shares.iter().map(count).collect::<Result<Vec<usize>>>()?;
    counts.sort_unstable();
    counts.dedup();
    Ok(counts)
}

/// What [`learning_curve`] found: a row for each number of samples, a column for each fold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LearningCurve {
    /// How many samples were learned from, ascending.
    pub train_counts: Vec<usize>,
    /// The scores on the samples learned from: (counts, folds).
    pub train_scores: Array2<f64>,
    /// The scores on the samples kept back: (counts, folds).
    pub test_scores: Array2<f64>,
}

impl fmt::Display for LearningCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "samples  train score  test score")?;
        for (row, count) in self.train_counts.iter().enumerate() {
            let mean = |scores: &Array2<f64>| mean_and_std(&scores.row(row).to_vec()).0;
            write!(f, "\n{count:>7}  {:>11.4}  {:>10.4}", mean(&self.train_scores), mean(&self.test_scores))?;
        }
        Ok(())
    }
}
