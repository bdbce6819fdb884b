//! Comparisons by what a cluster tells about the class, in natural units of information.

use super::contingency::Contingency;
use super::label::{Encoded, Label};
use crate::error::{Error, Result};
use ndarray::{ArrayBase, Data, Ix1};

/// How the entropies of the two labellings become one normalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AverageMethod {
    /// The smaller of the two.
    Min,
    /// The square root of their product.
    Geometric,
    /// Half of their sum, the default.
    #[default]
    Arithmetic,
    /// The larger of the two.
    Max,
}

impl AverageMethod {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Min => a.min(b),
            Self::Geometric => (a * b).sqrt(),
            Self::Arithmetic => f64::midpoint(a, b),
            Self::Max => a.max(b),
        }
    }
}

/// −Σ p·ln p over the shares of the labels; 0 without labels.
///
/// # Examples
/// ```
/// use axonal::metrics::entropy;
/// use axonal::ndarray::array;
///
/// assert!((entropy(&array![0, 0, 42]) - 0.6365141).abs() < 1e-7);
/// ```
pub fn entropy<L: Label>(labels: &ArrayBase<impl Data<Elem = L>, Ix1>) -> f64 {
    entropy_of(&Encoded::new(labels).sizes())
}

fn entropy_of(sizes: &[usize]) -> f64 {
    if sizes.len() < 2 {
        return 0.0;
    }
    let n = sizes.iter().sum::<usize>() as f64;
    let term = |&size: &usize| {
        let share = size as f64 / n;
        -share * share.ln()
    };
    sizes.iter().map(term).sum()
}

fn information_of(counted: &Contingency) -> f64 {
    if counted.classes.len() < 2 || counted.clusters.len() < 2 {
        return 0.0;
    }
    let n = counted.n_samples as f64;
    let term = |&(class, cluster, count): &(usize, usize, usize)| {
        let count = count as f64;
        count / n * (count * n / (counted.classes[class] as f64 * counted.clusters[cluster] as f64)).ln()
    };
    counted.cells.iter().map(term).sum::<f64>().max(0.0)
}

/// Whether both labellings have one label, or none at all.
fn trivial(counted: &Contingency) -> bool {
    counted.classes.len() < 2 && counted.clusters.len() < 2
}

/// Σ p(a, b)·ln(p(a, b) / (p(a)·p(b))) of two labellings, at least 0.
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::mutual_info_score;
/// use axonal::ndarray::array;
///
/// assert!((mutual_info_score(&array![0, 0, 1, 1], &array![3, 3, 2, 2])? - 2f64.ln()).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn mutual_info_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    Ok(information_of(&Contingency::new(labels_true, labels_pred)?))
}

/// The mutual information over the arithmetic mean of the entropies, in [0, 1].
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::normalized_mutual_info_score;
/// use axonal::ndarray::array;
///
/// assert_eq!(normalized_mutual_info_score(&array![0, 0, 1, 1], &array![0, 0, 0, 0])?, 0.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn normalized_mutual_info_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    normalized_mutual_info_score_by(AverageMethod::Arithmetic, labels_true, labels_pred)
}

/// [`normalized_mutual_info_score`] over another mean of the entropies.
///
/// # Errors
/// Labels of different lengths.
pub fn normalized_mutual_info_score_by<A: Label, B: Label>(
    average: AverageMethod,
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    let counted = Contingency::new(labels_true, labels_pred)?;
    if trivial(&counted) {
        return Ok(1.0);
    }
    let information = information_of(&counted);
    if information <= f64::EPSILON {
        return Ok(0.0);
    }
    Ok(information / average.of(entropy_of(&counted.classes), entropy_of(&counted.clusters)))
}

/// The mutual information beyond what chance explains: 1 for equal clusterings, about 0 for random ones.
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::adjusted_mutual_info_score;
/// use axonal::ndarray::array;
///
/// assert_eq!(adjusted_mutual_info_score(&array![0, 0, 1, 1], &array![1, 1, 0, 0])?, 1.0);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Vinh, Epps and Bailey, Information theoretic measures for clusterings comparison, 2010.
pub fn adjusted_mutual_info_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    let counted = Contingency::new(labels_true, labels_pred)?;
    if trivial(&counted) {
        return Ok(1.0);
    }
    let expected = expected_information(&counted);
    let mean = AverageMethod::Arithmetic.of(entropy_of(&counted.classes), entropy_of(&counted.clusters));
    // The rounding of two numbers that are equal must not decide about the sign, nor divide by zero.
    let at_least_epsilon = |v: f64| if v < 0.0 { v.min(-f64::EPSILON) } else { v.max(f64::EPSILON) };
    Ok(at_least_epsilon(information_of(&counted) - expected) / at_least_epsilon(mean - expected))
}

/// The mean mutual information of labellings with the same sizes, the rows drawn at random.
fn expected_information(counted: &Contingency) -> f64 {
    let n = counted.n_samples;
    // ln(m!) for every m that occurs.
    let mut log_factorials = vec![0.0; n + 1];
    for m in 1..=n {
        log_factorials[m] = log_factorials[m - 1] + (m as f64).ln();
    }
    let log = |m: usize| log_factorials[m];
    let mut expected = 0.0;
    for &a in &counted.classes {
        for &b in &counted.clusters {
            let fixed = log(a) + log(b) + log(n - a) + log(n - b) - log(n);
            for count in 1.max((a + b).saturating_sub(n))..=a.min(b) {
                let share = count as f64 / n as f64;
                let information = (n as f64 * count as f64 / (a as f64 * b as f64)).ln();
                let chance = fixed - log(count) - log(a - count) - log(b - count) - log(n + count - a - b);
                expected += share * information * chance.exp();
            }
        }
    }
    expected
}

/// Homogeneity (each cluster has members of one class), completeness (each class lies in one cluster), and their
/// weighted harmonic mean (1 + β)·h·c / (β·h + c).
///
/// # Errors
/// Labels of different lengths; a β that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::metrics::homogeneity_completeness_v_measure;
/// use axonal::ndarray::array;
///
/// let (h, c, v) = homogeneity_completeness_v_measure(&array![0, 0, 1, 1], &array![0, 0, 1, 2], 1.0)?;
/// assert!(h == 1.0 && (c - 2.0 / 3.0).abs() < 1e-12 && (v - 0.8).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Rosenberg and Hirschberg, V-measure, 2007.
pub fn homogeneity_completeness_v_measure<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
    beta: f64,
) -> Result<(f64, f64, f64)> {
    if !(beta >= 0.0 && beta.is_finite()) {
        return Err(Error::invalid_parameter("v_measure", "beta", beta, "a finite number of at least 0"));
    }
    let counted = Contingency::new(labels_true, labels_pred)?;
    let information = information_of(&counted);
    let share = |entropy: f64| if entropy > 0.0 { information / entropy } else { 1.0 };
    let (h, c) = (share(entropy_of(&counted.classes)), share(entropy_of(&counted.clusters)));
    let v = if beta * h + c > 0.0 { (1.0 + beta) * h * c / (beta * h + c) } else { 0.0 };
    Ok((h, c, v))
}

/// How much each cluster holds members of one class alone, in [0, 1].
///
/// # Errors
/// Labels of different lengths.
pub fn homogeneity_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    Ok(homogeneity_completeness_v_measure(labels_true, labels_pred, 1.0)?.0)
}

/// How much each class lies in one cluster alone, in [0, 1].
///
/// # Errors
/// Labels of different lengths.
pub fn completeness_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    Ok(homogeneity_completeness_v_measure(labels_true, labels_pred, 1.0)?.1)
}

/// The harmonic mean of homogeneity and completeness, in [0, 1].
///
/// # Errors
/// Labels of different lengths.
pub fn v_measure_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    Ok(homogeneity_completeness_v_measure(labels_true, labels_pred, 1.0)?.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_expected_information_is_that_of_the_reference_example() {
        let a = array![1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3];
        let b = array![1, 1, 1, 1, 2, 1, 2, 2, 2, 2, 3, 1, 3, 3, 3, 2, 2];
        let expected = expected_information(&Contingency::new(&a, &b).unwrap());
        assert!((expected - 0.15042).abs() < 5e-6, "{expected}");
    }
}
