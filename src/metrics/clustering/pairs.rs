//! Comparisons that count pairs of rows: together or apart in the classes, together or apart in the clusters.

use super::contingency::Contingency;
use super::label::Label;
use crate::error::Result;
use ndarray::{ArrayBase, Data, Ix1};

/// Ordered pairs of different rows.
struct Pairs {
    /// Apart in both.
    apart: i128,
    /// Together in the clusters alone.
    clusters_only: i128,
    /// Together in the classes alone.
    classes_only: i128,
    /// Together in both.
    together: i128,
}

impl Pairs {
    fn of(counted: &Contingency) -> Self {
        let squares =
            |counts: &mut dyn Iterator<Item = usize>| -> i128 { counts.map(|c| (c as i128).pow(2)).sum() };
        let n = counted.n_samples as i128;
        let cells = squares(&mut counted.cells.iter().map(|cell| cell.2));
        let classes = squares(&mut counted.classes.iter().copied());
        let clusters = squares(&mut counted.clusters.iter().copied());
        Self {
            apart: n * n - classes - clusters + cells,
            clusters_only: clusters - cells,
            classes_only: classes - cells,
            together: cells - n,
        }
    }
}

/// The share of the pairs of rows on which two labellings agree, in [0, 1].
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::rand_score;
/// use axonal::ndarray::array;
///
/// let score = rand_score(&array![0, 0, 0, 1, 1, 1], &array![0, 1, 0, 1, 2, 2])?;
/// assert_eq!(score, 20.0 / 30.0);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Rand, Objective criteria for the evaluation of clustering methods, 1971.
pub fn rand_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    let counted = Contingency::new(labels_true, labels_pred)?;
    let pairs = Pairs::of(&counted);
    let agreeing = pairs.apart + pairs.together;
    let all = agreeing + pairs.clusters_only + pairs.classes_only;
    Ok(if agreeing == all { 1.0 } else { agreeing as f64 / all as f64 })
}

/// The Rand index, corrected for chance: 1 for equal clusterings, about 0 for random ones, at least −0.5.
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::adjusted_rand_score;
/// use axonal::ndarray::array;
///
/// assert_eq!(adjusted_rand_score(&array![0, 0, 1, 1], &array![9u8, 9, 4, 4])?, 1.0);
/// assert_eq!(adjusted_rand_score(&array![0, 0, 1, 1], &array![0, 1, 0, 1])?, -0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Hubert and Arabie, Comparing partitions, 1985.
pub fn adjusted_rand_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    let counted = Contingency::new(labels_true, labels_pred)?;
    let pairs = Pairs::of(&counted);
    if pairs.clusters_only == 0 && pairs.classes_only == 0 {
        return Ok(1.0);
    }
    let [apart, clusters, classes, together] =
        [pairs.apart, pairs.clusters_only, pairs.classes_only, pairs.together].map(|count| count as f64);
    let numerator = 2.0 * (together * apart - classes * clusters);
    Ok(numerator / ((together + classes) * (classes + apart) + (together + clusters) * (clusters + apart)))
}

/// The geometric mean of the pairs' precision and recall, in [0, 1].
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::fowlkes_mallows_score;
/// use axonal::ndarray::array;
///
/// let score = fowlkes_mallows_score(&array![0, 0, 0, 1, 1, 1], &array![0, 0, 1, 1, 2, 2])?;
/// assert!((score - 4.0 / 72f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Fowlkes and Mallows, A method for comparing two hierarchical clusterings, 1983.
pub fn fowlkes_mallows_score<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<f64> {
    let counted = Contingency::new(labels_true, labels_pred)?;
    let pairs = Pairs::of(&counted);
    let together = pairs.together as f64;
    let (in_classes, in_clusters) =
        (together + pairs.classes_only as f64, together + pairs.clusters_only as f64);
    Ok(if together == 0.0 { 0.0 } else { (together / in_classes).sqrt() * (together / in_clusters).sqrt() })
}
