//! The correlation and the agreement of true and predicted classes beyond chance, from sums of products without cancellation.

use ndarray::ArrayView2;

/// Sums over a matrix of class counts or weights, from which Matthews's correlation and Cohen's κ follow.
///
/// With s the sum of all entries, t and p those of rows and columns, the textbook forms are `s · Σ Cₖₖ − Σ tₖ pₖ`,
/// `s² − Σ tₖ²` and the like: differences of nearly equal numbers, of which rounding is left where the value is 0. Here the
/// terms that cancel are left out before summing.
pub(super) struct Agreement {
    /// `s · Σ Cₖₖ − Σ tₖ pₖ = Σₖ (TPₖ TNₖ − FPₖ FNₖ)`.
    covariance: f64,
    /// `s² − Σ tₖ² = Σₖ tₖ · (sum of the other rows)`: 0 exactly where one class is true.
    truth_variance: f64,
    /// The same of the columns.
    prediction_variance: f64,
    /// `s² − Σ tₖ pₖ = Σₖ tₖ · (sum of the other columns)`: 0 exactly where chance alone agrees everywhere.
    disagreement_by_chance: f64,
}

impl Agreement {
    pub(super) fn of(matrix: ArrayView2<'_, f64>) -> Self {
        let truths: Vec<f64> = matrix.rows().into_iter().map(|row| row.iter().sum()).collect();
        let predictions: Vec<f64> = matrix.columns().into_iter().map(|column| column.iter().sum()).collect();
        let (other_truths, other_predictions) = (sums_of_others(&truths), sums_of_others(&predictions));
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let misses = |class: usize, line: ndarray::ArrayView1<'_, f64>| -> f64 {
            line.iter().enumerate().filter(|(other, _)| *other != class).map(|(_, weight)| weight).sum()
        };
        let true_negatives = true_negatives(matrix);
        let covariance = (0..truths.len())
            .map(|class| {
                let (false_negatives, false_positives) =
                    (misses(class, matrix.row(class)), misses(class, matrix.column(class)));
                let hits = matrix[[class, class]];
                difference_of_products([hits, true_negatives[class]], [false_positives, false_negatives])
            })
            .sum();
        Self {
            covariance,
            truth_variance: dot(&truths, &other_truths),
            prediction_variance: dot(&predictions, &other_predictions),
            disagreement_by_chance: dot(&truths, &other_predictions),
        }
    }

    /// From −1 to 1; 0 where either has one class only.
    pub(super) fn matthews(&self) -> f64 {
        let denominator = (self.truth_variance * self.prediction_variance).sqrt();
        if denominator > 0.0 { (self.covariance / denominator).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// At most 1; NaN where chance alone agrees everywhere.
    pub(super) fn kappa(&self) -> f64 {
        if self.disagreement_by_chance == 0.0 {
            return f64::NAN;
        }
        (self.covariance / self.disagreement_by_chance).min(1.0)
    }
}

/// For each value the sum of all others.
fn sums_of_others(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; values.len()];
    for (index, value) in values.iter().enumerate() {
        sums.iter_mut().enumerate().filter(|(other, _)| *other != index).for_each(|(_, sum)| *sum += value);
    }
    sums
}

/// For each class the sum of the entries outside its row and its column.
fn true_negatives(matrix: ArrayView2<'_, f64>) -> Vec<f64> {
    let n_classes = matrix.nrows();
    let mut sums = vec![0.0; n_classes];
    let mut behind = vec![0.0; n_classes + 1];
    for (truth, row) in matrix.rows().into_iter().enumerate() {
        for (class, weight) in row.iter().enumerate().rev() {
            behind[class] = behind[class + 1] + weight;
        }
        let mut before = 0.0;
        for (class, weight) in row.iter().enumerate() {
            if class != truth {
                sums[class] += before + behind[class + 1];
            }
            before += weight;
        }
    }
    sums
}

/// `a·b − c·d` with an error of one or two roundings (Kahan's method).
fn difference_of_products([a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
    let product = c * d;
    let error = f64::mul_add(-c, d, product);
    f64::mul_add(a, b, -product) + error
}
