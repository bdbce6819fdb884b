//! The confusion matrix, and the scores computed from it alone.

use super::agreement::Agreement;
use super::{Average, ClassScore, check_lengths};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::metrics::sample_weights;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Axis, Data, Ix1};
use std::fmt;
use std::fmt::Write as _;

/// How often each class was taken for each: entry (i, j) counts samples of class i that were predicted as class j.
///
/// Rows and columns are the classes that occur among the true and the predicted labels, ascending. Every score of
/// predicted classes follows from it: compute it once, ask for as many as wanted.
///
/// # Examples
/// ```
/// use axonal::metrics::{Average, ConfusionMatrix};
/// use axonal::ndarray::array;
///
/// let matrix = ConfusionMatrix::new(&array![0, 1, 1, 1], &array![0, 1, 0, 1])?;
/// assert_eq!(matrix.counts(), array![[1, 0], [1, 2]]);
/// assert_eq!(matrix.accuracy(), 0.75);
/// assert_eq!(matrix.score(Average::Binary)?.recall, 2.0 / 3.0);
/// println!("{matrix}");
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusionMatrix {
    labels: Vec<usize>,
    counts: Array2<usize>,
    /// The sums of the samples' weights; the counts, where all count alike.
    weights: Array2<f64>,
}

/// What the entries of a confusion matrix are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalize {
    /// The number of samples of the true class: rows sum to 1.
    True,
    /// The number of samples of the predicted class: columns sum to 1.
    Pred,
    /// The number of samples.
    All,
}

#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
impl ConfusionMatrix {
    /// Counts the pairs of true and predicted classes.
    ///
    /// # Errors
    /// No samples, `y_pred` of another length than `y_true`, or more classes than a matrix fits into memory for.
    pub fn new(
        y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    ) -> Result<Self> {
        let mut matrix = Self::zeros(y_true, y_pred)?;
        for (truth, predicted) in y_true.iter().zip(y_pred) {
            let cell = [matrix.place(*truth), matrix.place(*predicted)];
            matrix.counts[cell] += 1;
        }
        matrix.weights = matrix.counts.mapv(|count| count as f64);
        Ok(matrix)
    }

    /// As [`new`](Self::new), with a weight for each sample: every score is that of samples which count as much as
    /// their weights say.
    ///
    /// # Errors
    /// As [`new`](Self::new), and weights that are negative, not finite, all zero, or not one for each sample.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::ConfusionMatrix;
    /// use axonal::ndarray::array;
    ///
    /// let matrix = ConfusionMatrix::weighted(&array![0, 1], &array![0, 0], &array![3.0, 1.0])?;
    /// assert_eq!(matrix.accuracy(), 0.75);
    /// # Ok::<(), axonal::Error>(())
    /// ```
    pub fn weighted<W: Float>(
        y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        sample_weight: &ArrayBase<impl Data<Elem = W>, Ix1>,
    ) -> Result<Self> {
        let weights = sample_weights(sample_weight, y_true.len())?;
        let mut matrix = Self::zeros(y_true, y_pred)?;
        for ((truth, predicted), weight) in y_true.iter().zip(y_pred).zip(weights) {
            let cell = [matrix.place(*truth), matrix.place(*predicted)];
            matrix.counts[cell] += 1;
            matrix.weights[cell] += weight;
        }
        Ok(matrix)
    }

    /// The place of a label among those that occur.
    fn place(&self, label: usize) -> usize {
        self.labels.partition_point(|known| *known < label)
    }

    /// Nothing counted yet.
    fn zeros(
        y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
        y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    ) -> Result<Self> {
        check_lengths(y_true.len(), y_pred.len())?;
        let mut labels: Vec<usize> = y_true.iter().chain(y_pred).copied().collect();
        labels.sort_unstable();
        labels.dedup();
        let n_cells = labels.len().checked_mul(labels.len());
        if n_cells.is_none_or(|n| Vec::<usize>::new().try_reserve_exact(n).is_err()) {
            let (got, expected) = (labels.len(), "so few classes that their square fits into memory");
            return Err(Error::invalid_parameter("ConfusionMatrix", "n_classes", got, expected));
        }
        let shape = (labels.len(), labels.len());
        Ok(Self { labels, counts: Array2::zeros(shape), weights: Array2::zeros(shape) })
    }

    /// The classes, ascending: what rows and columns denote.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The counts: (true class, predicted class).
    #[must_use]
    pub fn counts(&self) -> ArrayView2<'_, usize> {
        self.counts.view()
    }

    /// The counts, or the sums of weights, as shares; 0 where a class has no samples.
    #[must_use]
    pub fn normalized(&self, by: Normalize) -> Array2<f64> {
        let counts = self.weights.clone();
        let divisor = match by {
            Normalize::True => counts.sum_axis(Axis(1)).insert_axis(Axis(1)),
            Normalize::Pred => counts.sum_axis(Axis(0)).insert_axis(Axis(0)),
            Normalize::All => Array2::from_elem((1, 1), counts.sum()),
        };
        counts / divisor.mapv(|sum| if sum > 0.0 { sum } else { 1.0 })
    }

    /// The share of samples predicted as what they are.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.hits().sum() / self.total()
    }

    /// Precision, recall and F1 of each class, in the order of [`labels`](Self::labels).
    #[must_use]
    pub fn class_scores(&self) -> Vec<ClassScore> {
        let (hits, truths, predictions) = (self.hits(), self.truths(), self.predictions());
        let supports = self.counts.sum_axis(Axis(1));
        (0..self.labels.len())
            .map(|class| ClassScore::of(hits[class], predictions[class], truths[class], supports[class]))
            .collect()
    }

    /// Precision, recall and F1, averaged over the classes.
    ///
    /// # Errors
    /// [`Average::Binary`] with a label other than 0 and 1.
    pub fn score(&self, average: Average) -> Result<ClassScore> {
        average.of(self)
    }

    /// The weighted harmonic mean of precision and recall, `beta` times as much weight on recall, averaged.
    ///
    /// # Errors
    /// As [`score`](Self::score), and a negative or NaN `beta`.
    pub fn f_beta(&self, beta: f64, average: Average) -> Result<f64> {
        average.f_beta(self, beta)
    }

    /// The number of samples.
    pub(super) fn n_samples(&self) -> usize {
        self.counts.sum()
    }

    /// The mean of the recalls of the classes that occur among the true labels.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        let scores = self.class_scores();
        let occurring: Array1<f64> = (scores.iter().zip(self.truths()))
            .filter(|(_, truths)| *truths > 0.0)
            .map(|(score, _)| score.recall)
            .collect();
        occurring.mean().unwrap_or(0.0)
    }

    /// Matthews's correlation of true and predicted classes, from −1 to 1; 0 where either has one class only.
    #[must_use]
    pub fn matthews(&self) -> f64 {
        Agreement::of(self.weights.view()).matthews()
    }

    /// The sums of the samples' weights.
    pub(super) fn weights(&self) -> ArrayView2<'_, f64> {
        self.weights.view()
    }

    /// Cohen's κ: the agreement beyond what chance gives, at most 1; NaN where chance alone agrees everywhere.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        Agreement::of(self.weights.view()).kappa()
    }

    /// Predicted correctly, by class.
    pub(super) fn hits(&self) -> Array1<f64> {
        self.weights.diag().to_owned()
    }

    /// Samples of each class.
    pub(super) fn truths(&self) -> Array1<f64> {
        self.weights.sum_axis(Axis(1))
    }

    /// Predictions of each class.
    pub(super) fn predictions(&self) -> Array1<f64> {
        self.weights.sum_axis(Axis(0))
    }

    /// All samples: the hits, then the rest, so that hits alone are exactly all.
    pub(super) fn total(&self) -> f64 {
        let misses = self.weights.indexed_iter().filter(|((truth, predicted), _)| truth != predicted);
        self.hits().sum() + misses.map(|(_, weight)| weight).sum::<f64>()
    }

    /// A picture of the matrix as SVG text: darker where a share of the true class is larger.
    ///
    /// `names` are the classes' names by their numbers; a class without one shows its number.
    #[must_use]
    pub fn to_svg(&self, names: &[impl AsRef<str>]) -> String {
        const CELL: usize = 56;
        const MARGIN: usize = 120;
        let shares = self.normalized(Normalize::True);
        let side = MARGIN + CELL * self.labels.len() + 16;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<rect width=\"{side}\" height=\"{side}\" fill=\"white\"/>\n"
        );
        let mut text = |x: usize, y: usize, anchor: &str, fill: &str, content: &str| {
            // Writing into a string cannot fail.
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{}</text>",
                escape(content)
            );
        };
        text(MARGIN + CELL * self.labels.len() / 2, 24, "middle", "black", "predicted");
        text(8, MARGIN - 12, "start", "black", "true");
        let mut cells = String::new();
        for (row, &label) in self.labels.iter().enumerate() {
            let (name, middle) = (class_name(label, names), MARGIN + CELL * row + CELL / 2);
            text(MARGIN - 10, middle + 5, "end", "black", &name);
            text(middle, MARGIN - 12, "middle", "black", &name);
            for column in 0..self.labels.len() {
                let (x, share) = (MARGIN + CELL * column, shares[[row, column]]);
                let light = 97.0 - 60.0 * share;
                let _ = writeln!(
                    cells,
                    "<rect x=\"{x}\" y=\"{}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"hsl(212,70%,{light:.0}%)\" \
                     stroke=\"white\"/>\n<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{}\">{}</text>",
                    middle - CELL / 2,
                    x + CELL / 2,
                    middle + 5,
                    if share > 0.6 { "white" } else { "black" },
                    self.counts[[row, column]],
                );
            }
        }
        svg + &cells + "</svg>\n"
    }
}

/// A class's name by its number, else the number.
pub(crate) fn class_name(label: usize, names: &[impl AsRef<str>]) -> String {
    names.get(label).map_or_else(|| label.to_string(), |name| name.as_ref().to_owned())
}

/// The characters that mean something in XML, written so that they do not.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Rows are true classes, columns predicted ones.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.labels.iter().chain(self.counts.iter()).map(|number| number.to_string().len());
        let width = numbers.max().unwrap_or(1) + 2;
        write!(f, "{:>width$}", "")?;
        for label in &self.labels {
            write!(f, "{label:>width$}")?;
        }
        for (label, row) in self.labels.iter().zip(self.counts.rows()) {
            write!(f, "\n{label:>width$}")?;
            for count in row {
                write!(f, "{count:>width$}")?;
            }
        }
        Ok(())
    }
}

/// The [`ConfusionMatrix`] of true and predicted classes.
///
/// # Errors
/// As [`ConfusionMatrix::new`].
///
/// # Examples
/// ```
/// use axonal::metrics::confusion_matrix;
/// use axonal::ndarray::array;
///
/// let matrix = confusion_matrix(&array![2, 0, 2, 2, 0, 1], &array![0, 0, 2, 2, 0, 2])?;
/// assert_eq!(matrix.counts(), array![[2, 0, 0], [0, 0, 1], [1, 0, 2]]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn confusion_matrix(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<ConfusionMatrix> {
    ConfusionMatrix::new(y_true, y_pred)
}

/// The share of samples predicted as what they are.
///
/// # Errors
/// As [`ConfusionMatrix::new`].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let accuracy = axonal::metrics::accuracy_score(&array![0, 1, 2, 3], &array![0, 2, 1, 3])?;
/// assert_eq!(accuracy, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
pub fn accuracy_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<f64> {
    check_lengths(y_true.len(), y_pred.len())?;
    let hits = y_true.iter().zip(y_pred).filter(|(truth, predicted)| truth == predicted).count();
    Ok(hits as f64 / y_true.len() as f64)
}

/// The mean of the classes' recalls: accuracy that a frequent class cannot buy.
///
/// # Errors
/// As [`ConfusionMatrix::new`].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let score = axonal::metrics::balanced_accuracy_score(&array![0, 0, 0, 1], &array![0, 0, 0, 0])?;
/// assert_eq!(score, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn balanced_accuracy_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.balanced_accuracy())
}

/// Matthews's correlation of true and predicted classes, from −1 to 1; 0 where either has one class only.
///
/// Weighted sums are taken without cancellation, so a constant predictor scores exactly 0 under any weights; scikit-learn leaves
/// about 1e-9.
///
/// # Errors
/// As [`ConfusionMatrix::new`].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let score = axonal::metrics::matthews_corrcoef(&array![1, 1, 1, 0], &array![1, 0, 1, 1])?;
/// assert!((score + 1.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// J. Gorodkin, *Comparing two K-category assignments by a K-category correlation coefficient*, 2004.
pub fn matthews_corrcoef(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.matthews())
}

/// Cohen's κ: the agreement of two labellings beyond what chance gives.
///
/// # Errors
/// As [`ConfusionMatrix::new`].
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// let kappa = axonal::metrics::cohen_kappa_score(&array![0, 0, 1, 1], &array![0, 1, 1, 1])?;
/// assert_eq!(kappa, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// J. Cohen, *A coefficient of agreement for nominal scales*, 1960.
pub fn cohen_kappa_score(
    y_true: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    y_pred: &ArrayBase<impl Data<Elem = usize>, Ix1>,
) -> Result<f64> {
    Ok(ConfusionMatrix::new(y_true, y_pred)?.kappa())
}
