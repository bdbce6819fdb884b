//! The contingency matrix: how many samples of each class are in each cluster. All comparisons with known classes use it.

use super::label::{Encoded, Label};
use crate::error::{Error, Result};
use ndarray::{Array2, ArrayBase, Data, Ix1};

/// The pairs of labels that occur, and how often.
#[derive(Debug, Clone)]
pub(super) struct Contingency {
    pub(super) n_samples: usize,
    /// Rows in each class.
    pub(super) classes: Vec<usize>,
    /// Rows in each cluster.
    pub(super) clusters: Vec<usize>,
    /// (class, cluster, count), of the counts above 0.
    pub(super) cells: Vec<(usize, usize, usize)>,
}

impl Contingency {
    pub(super) fn new<A: Label, B: Label>(
        labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
        labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
    ) -> Result<Self> {
        let n_samples = labels_true.len();
        if labels_pred.len() != n_samples {
            let expected = format!("({n_samples}), as many as labels_true");
            return Err(Error::shape("labels_pred", expected, format!("({})", labels_pred.len())));
        }
        let (classes, clusters) = (Encoded::new(labels_true), Encoded::new(labels_pred));
        let mut pairs: Vec<(usize, usize)> =
            classes.labels.iter().copied().zip(clusters.labels.iter().copied()).collect();
        pairs.sort_unstable();
        let cells = pairs.chunk_by(|a, b| a == b).map(|cell| (cell[0].0, cell[0].1, cell.len())).collect();
        Ok(Self { n_samples, classes: classes.sizes(), clusters: clusters.sizes(), cells })
    }
}

/// How many rows have each pair of a class and a cluster, (classes, clusters), each in the order of its values.
///
/// # Errors
/// Labels of different lengths.
///
/// # Examples
/// ```
/// use axonal::metrics::contingency_matrix;
/// use axonal::ndarray::array;
///
/// let matrix = contingency_matrix(&array![0, 0, 1, 1], &array![5, 7, 7, 7])?;
/// assert_eq!(matrix, array![[1, 1], [0, 2]]);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn contingency_matrix<A: Label, B: Label>(
    labels_true: &ArrayBase<impl Data<Elem = A>, Ix1>,
    labels_pred: &ArrayBase<impl Data<Elem = B>, Ix1>,
) -> Result<Array2<usize>> {
    let counted = Contingency::new(labels_true, labels_pred)?;
    let mut matrix = Array2::zeros((counted.classes.len(), counted.clusters.len()));
    counted.cells.into_iter().for_each(|(class, cluster, count)| matrix[[class, cluster]] = count);
    Ok(matrix)
}
