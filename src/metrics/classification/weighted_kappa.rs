//! Cohen's κ with disagreements weighted by the distance between classes.

use super::ConfusionMatrix;
use crate::error::Result;
use ndarray::{ArrayBase, Data, Ix1};

/// How much a disagreement counts in Cohen's κ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KappaWeights {
    /// All disagreements alike.
    #[default]
    None,
    /// |i − j|, the distance between the classes.
    Linear,
    /// (i − j)², as in ratings on a scale.
    Quadratic,
}

#[allow(clippy::cast_precision_loss, reason = "a number of classes")]
impl ConfusionMatrix {
    /// Cohen's κ with disagreements weighted by the distance between classes, for ordered classes: grades, say.
    ///
    /// κ = 1 − Σ wᵢⱼ Oᵢⱼ / Σ wᵢⱼ Eᵢⱼ, with O the matrix, E what its sums of rows and columns give by chance, and w by `weights`.
    /// As in scikit-learn, the distance is that of positions in [`labels`](Self::labels): the labels 0, 1 and 4 alone are at
    /// distances of 1. NaN where chance alone agrees everywhere.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::{ConfusionMatrix, KappaWeights};
    /// use axonal::ndarray::array;
    ///
    /// let matrix = ConfusionMatrix::new(&array![0, 1, 2, 2], &array![0, 1, 1, 2])?;
    /// assert!(matrix.weighted_kappa(KappaWeights::Quadratic) > matrix.kappa());
    /// # Ok::<(), axonal::Error>(())
    /// ```
    #[must_use]
    pub fn weighted_kappa(&self, weights: KappaWeights) -> f64 {
        let distance = |truth: usize, predicted: usize| truth.abs_diff(predicted) as f64;
        let weight = |truth, predicted| match weights {
            KappaWeights::None => 1.0,
            KappaWeights::Linear => distance(truth, predicted),
            KappaWeights::Quadratic => distance(truth, predicted).powi(2),
        };
        if weights == KappaWeights::None {
            return self.kappa();
        }
        let (truths, predictions) = (self.truths(), self.predictions());
        let observed: f64 = self.weights().indexed_iter().map(|((i, j), count)| weight(i, j) * count).sum();
        let by_chance: f64 =
            self.weights().indexed_iter().map(|((i, j), _)| weight(i, j) * truths[i] * predictions[j]).sum();
        if by_chance == 0.0 { f64::NAN } else { 1.0 - observed * self.weights().sum() / by_chance }
    }
}

/// [`cohen_kappa_score`](super::cohen_kappa_score) with disagreements weighted by the distance between ordered classes; see
/// [`ConfusionMatrix::weighted_kappa`].
///
/// # Errors
/// As [`ConfusionMatrix::new`].
///
/// # Examples
/// ```
/// use axonal::metrics::{KappaWeights, cohen_kappa_score_with};
/// use axonal::ndarray::array;
/// let (first, second) = (array![0, 1, 2, 2], array![0, 1, 1, 2]);
/// assert_eq!(cohen_kappa_score_with(&first, &second, KappaWeights::Quadratic)?, 0.8);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// J. Cohen, *Weighted kappa*, 1968.
pub fn cohen_kappa_score_with(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    weights: KappaWeights,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.weighted_kappa(weights))
}
