//! Silhouettes: how much nearer a row is to its own cluster than to the next one.

mod block_pairs;
mod distances;

use super::label::{Encoded, Label};
use super::scale::measurable;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::rng::{Purpose, Rng};
use block_pairs::{ClusterDistances, SortedRows, cluster_distances};
use distances::{Rows, use_products};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, ArrayViewMut1, Axis, Data, Ix1, Ix2};

/// The silhouette of each row, (b − a) / max(a, b) in [−1, 1]: a is the mean distance to the other rows of its
/// cluster, b the smallest mean distance to the rows of another one. A row alone in its cluster has 0.
///
/// The distance of each pair of rows is computed once. Memory is that of two copies of the rows and some values a row, not
/// n². Distances far from the origin are exact, where scikit-learn's ‖x‖² − 2x·y + ‖y‖² cancels (`f32` with mean 5e4 and
/// spread 1): they come from differences of values or, for rows of many features, from products of centered rows where those
/// do not cancel.
///
/// # Errors
/// No data, NaN or infinities, not one label for each row, or not 2 to n − 1 distinct labels.
///
/// # Examples
/// ```
/// use axonal::metrics::silhouette_samples;
/// use axonal::ndarray::array;
///
/// let x = array![[0.0], [1.0], [1.0], [2.0], [3.0], [3.0]];
/// let silhouettes = silhouette_samples(&x, &array![0, 1, 1, 1, 2, 2])?;
/// assert_eq!(silhouettes, array![0.0, 0.5, 0.5, 0.0, 1.0, 1.0]);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Rousseeuw, Silhouettes, 1987, doi:10.1016/0377-0427(87)90125-7.
pub fn silhouette_samples<F: Float, L: Label>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
) -> Result<Array1<f64>> {
    let encoded = Encoded::of_rows("silhouette", x.view(), labels)?;
    Ok(Array1::from_vec(of_clusters(x.view(), &encoded)))
}

precompiled! {
    /// The silhouette of each row.
    fn of_clusters<'a, 'b, F>(x: ArrayView2<'a, F>, encoded: &'b Encoded) -> Vec<f64> {
        let x = measurable(x.view()).rows;
        let (n, d) = x.dim();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&row| encoded.labels[row]);
        let rows = x.select(Axis(0), &order);
        let (centered, squared_norms) = if use_products(d) { centered(&rows) } else { Default::default() };
        let clusters: Vec<usize> = order.iter().map(|&row| encoded.labels[row]).collect();
        let sizes = encoded.sizes();
        let sorted = SortedRows {
            rows: Rows {
                rows: rows.as_slice().unwrap_or(&[]),
                centered: centered.as_slice().unwrap_or(&[]),
                squared_norms: &squared_norms,
            },
            n_features: d,
            clusters: &clusters,
            sizes: &sizes,
        };
        let mut silhouettes = vec![0.0; n];
        for ((row, cluster), distances) in order.iter().zip(&clusters).zip(cluster_distances(&sorted)) {
            silhouettes[*row] = silhouette(sizes[*cluster], distances);
        }
        silhouettes
    }
}

/// The rows minus the mean of all, and the squared norms of the results.
fn centered<F: Float>(rows: &Array2<F>) -> (Array2<F>, Vec<F>) {
    let mut means = vec![0.0; rows.ncols()];
    for row in rows.rows() {
        means.iter_mut().zip(row).for_each(|(mean, x)| *mean += x.as_f64());
    }
    means.iter_mut().for_each(|mean| *mean /= rows.nrows() as f64);
    let mut centered = rows.clone();
    let center = |mut row: ArrayViewMut1<'_, F>| {
        row.iter_mut().zip(&means).for_each(|(x, mean)| *x = F::of(x.as_f64() - mean));
        F::of(row.iter().map(|x| x.as_f64() * x.as_f64()).sum())
    };
    let squared_norms = centered.rows_mut().into_iter().map(center).collect();
    (centered, squared_norms)
}

fn silhouette(size: usize, distances: ClusterDistances) -> f64 {
    if size < 2 {
        return 0.0;
    }
    let (a, b) = (distances.within / (size - 1) as f64, distances.nearest);
    let larger = a.max(b);
    if larger == 0.0 { 0.0 } else { (b - a) / larger }
}

/// The mean of the [`silhouette_samples`].
///
/// # Errors
/// As [`silhouette_samples`].
///
/// # Examples
/// ```
/// use axonal::metrics::silhouette_score;
/// use axonal::ndarray::array;
///
/// let x = array![[0.0], [1.0], [1.0], [2.0], [3.0], [3.0]];
/// assert_eq!(silhouette_score(&x, &array![0, 1, 1, 1, 2, 2])?, 0.5);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn silhouette_score<F: Float, L: Label>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
) -> Result<f64> {
    Ok(silhouette_samples(x, labels)?.mean().unwrap_or(0.0))
}

/// [`silhouette_score`] among `sample_size` rows drawn at random: for data whose n² pairs would take too long.
///
/// # Errors
/// As [`silhouette_samples`], of the rows that were drawn; `sample_size` of 0 or more than there are rows.
///
/// # Examples
/// ```
/// use axonal::metrics::silhouette_score_sampled;
/// use axonal::ndarray::{Array1, Array2};
///
/// let x = Array2::from_shape_fn((1000, 1), |(row, _)| (row % 2) as f32 * 10.0 + (row % 7) as f32 / 7.0);
/// let labels: Array1<usize> = (0..1000).map(|row| row % 2).collect();
/// assert!(silhouette_score_sampled(&x, &labels, 100, 0)? > 0.9);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn silhouette_score_sampled<F: Float, L: Label>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
    sample_size: usize,
    seed: u64,
) -> Result<f64> {
    let n = x.nrows();
    crate::validate::length("labels", labels.len(), n)?;
    if sample_size == 0 || sample_size > n {
        let expected = format!("1 to n_samples = {n}");
        return Err(Error::invalid_parameter("silhouette_score", "sample_size", sample_size, expected));
    }
    let mut rows = Rng::new(seed, Purpose::Other, 0).permutation(n);
    rows.truncate(sample_size);
    let x: ArrayView2<'_, F> = x.view();
    silhouette_score(&x.select(Axis(0), &rows), &labels.select(Axis(0), &rows))
}
