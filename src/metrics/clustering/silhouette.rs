//! Silhouettes: how much nearer a row is to its own cluster than to the next one.

mod distance_sums;

use super::label::{Encoded, Label};
use super::scale::measurable;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::parallel::zip_chunks;
use crate::rng::{Purpose, Rng};
use distance_sums::{DistanceSums, GROUP};
use ndarray::{Array1, ArrayBase, ArrayView2, Axis, Data, Ix1, Ix2};

/// The silhouette of each row, (b − a) / max(a, b) in [−1, 1]: a is the mean distance to the other rows of its
/// cluster, b the smallest mean distance to the rows of another one. A row alone in its cluster has 0.
///
/// All pairs of rows are compared, a few rows at a time, so memory is that of a copy of the rows and not n². Distances come
/// from differences of values, which are exact far from the origin, where scikit-learn's ‖x‖² − 2x·y + ‖y‖² cancels (`f32`
/// with mean 5e4 and spread 1).
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
        let x = x.as_standard_layout();
        let (n, d) = x.dim();
        let rows = x.as_slice().unwrap_or(&[]);
        let sizes = encoded.sizes();
        let by_cluster = in_order_of_clusters(rows, d, &encoded.labels);
        let mut silhouettes = vec![0.0; n];
        let mut groups: Vec<usize> = (0..n).step_by(GROUP).collect();
        zip_chunks(n.saturating_mul(n).saturating_mul(d), &mut groups, &mut silhouettes, GROUP, |first, out| {
            let group = &rows[*first * d..][..out.len() * d];
            let mut sums = vec![0.0; encoded.n_labels * GROUP];
            F::run_simd(DistanceSums { group, n_features: d, rows: &by_cluster, sizes: &sizes, sums: &mut sums });
            for (lane, out) in out.iter_mut().enumerate() {
                *out = silhouette(encoded.labels[*first + lane], &sizes, |label| sums[label * GROUP + lane]);
            }
        });
        silhouettes
    }
}

/// The rows of the first cluster, then those of the second, and so on.
fn in_order_of_clusters<F: Float>(rows: &[F], d: usize, labels: &[usize]) -> Vec<F> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&row| labels[row]);
    order.iter().map(|&row| &rows[row * d..][..d]).collect::<Vec<_>>().concat()
}

fn silhouette(own: usize, sizes: &[usize], sum: impl Fn(usize) -> f64) -> f64 {
    if sizes[own] < 2 {
        return 0.0;
    }
    let a = sum(own) / (sizes[own] - 1) as f64;
    let mean = |label: usize| sum(label) / sizes[label] as f64;
    let b = (0..sizes.len()).filter(|&label| label != own).map(mean).fold(f64::INFINITY, f64::min);
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
