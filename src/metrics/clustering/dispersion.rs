//! How tight the clusters are and how far apart, by the means of their rows.

use super::label::{Encoded, Label};
use super::scale::measurable;
use super::shifted::Shifted;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix1, Ix2};

/// The largest magnitude of each cluster's values, feature by feature.
fn magnitudes<F: Float>(x: ArrayView2<'_, F>, encoded: &Encoded) -> Array2<f64> {
    let mut magnitudes = Array2::<f64>::zeros((encoded.n_labels, x.ncols()));
    for (row, &label) in x.rows().into_iter().zip(&encoded.labels) {
        let columns = magnitudes.row_mut(label).into_iter().zip(row);
        columns.for_each(|(magnitude, x)| *magnitude = magnitude.max(x.as_f64().abs()));
    }
    magnitudes
}

fn squared_distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Σ‖x − mean of its cluster‖², of any labelling; lower is tighter.
///
/// # Errors
/// No data, NaN or infinities, values whose squares have no sum in `f64`, or not one label for each row.
///
/// # Examples
/// ```
/// use axonal::metrics::inertia;
/// use axonal::ndarray::array;
///
/// assert_eq!(inertia(&array![[0.0], [2.0], [7.0]], &array![0, 0, 1])?, 2.0);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn inertia<F: Float, L: Label>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
) -> Result<f64> {
    validate::not_empty("x", x)?;
    validate::length("labels", labels.len(), x.nrows())?;
    validate::finite("x", x)?;
    let encoded = Encoded::new(labels);
    let rows = Shifted::new(x.view());
    let means = rows.means(&encoded.labels, encoded.n_labels);
    let inertia: f64 = rows.squares(&encoded.labels, &means).map(|(square, _)| square).sum();
    if inertia.is_finite() {
        return Ok(inertia);
    }
    let expected = "values whose squared distances have a sum in the range of f64; scale them down";
    Err(Error::invalid_parameter("inertia", "x", "too large", expected))
}

/// The variance between the clusters over the variance within, (B / (k − 1)) / (W / (n − k)); higher is better.
///
/// # Errors
/// No data, NaN or infinities, not one label for each row, or not 2 to n − 1 distinct labels.
///
/// # Examples
/// ```
/// use axonal::metrics::calinski_harabasz_score;
/// use axonal::ndarray::array;
///
/// let x = array![[0.0], [1.0], [10.0], [11.0]];
/// assert_eq!(calinski_harabasz_score(&x, &array![0, 0, 1, 1])?, 200.0);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Caliński and Harabasz, A dendrite method for cluster analysis, 1974.
pub fn calinski_harabasz_score<F: Float, L: Label>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
) -> Result<f64> {
    let encoded = Encoded::of_rows("calinski_harabasz_score", x.view(), labels)?;
    let x = measurable(x.view()).rows;
    let rows = Shifted::new(x.view());
    let means = rows.means(&encoded.labels, encoded.n_labels);
    let mean_of_all = rows.means(&vec![0; x.nrows()], 1);
    let (n, k) = (x.nrows() as f64, encoded.n_labels as f64);
    let clusters = means.rows().into_iter().zip(encoded.sizes());
    let between: f64 =
        clusters.map(|(mean, size)| size as f64 * squared_distance(mean, mean_of_all.row(0))).sum();
    let within: f64 = rows.squares(&encoded.labels, &means).map(|(square, _)| square).sum();
    Ok(if within == 0.0 { 1.0 } else { between * (n - k) / (within * (k - 1.0)) })
}

/// The mean over the clusters of how much each resembles its most similar one, maxⱼ (sᵢ + sⱼ) / d(i, j), with s
/// the mean distance to the cluster's mean; lower is better.
///
/// Clusters whose means coincide count as infinitely far apart, as in scikit-learn. Means coincide if rounding of the values
/// explains their difference: if it is at most `F::EPSILON` times the largest magnitude among the values, feature by
/// feature (for `f64`, whose means are rounded too, twice that). scikit-learn compares with 1e-8, whatever the unit, and if
/// all means are that near; far from the origin (`f32` with mean 5e4 and spread 1) its distances cancel.
///
/// # Errors
/// As [`calinski_harabasz_score`].
///
/// # Examples
/// ```
/// use axonal::metrics::davies_bouldin_score;
/// use axonal::ndarray::array;
///
/// let x = array![[0.0, 0.0], [2.0, 2.0], [3.0, 3.0], [5.0, 5.0]];
/// let score = davies_bouldin_score(&x, &array![0, 0, 1, 2])?;
/// assert!((score - 5.0 / 12.0).abs() < 1e-12);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Davies and Bouldin, A cluster separation measure, 1979, doi:10.1109/TPAMI.1979.4766909.
pub fn davies_bouldin_score<F: Float, L: Label>(
    x: &ArrayBase<impl Data<Elem = F>, Ix2>,
    labels: &ArrayBase<impl Data<Elem = L>, Ix1>,
) -> Result<f64> {
    let encoded = Encoded::of_rows("davies_bouldin_score", x.view(), labels)?;
    let (measured, magnitudes) = (measurable(x.view()), magnitudes(x.view(), &encoded));
    let rows = Shifted::new(measured.rows.view());
    let means = rows.means(&encoded.labels, encoded.n_labels);
    let tolerance = F::epsilon().as_f64() + f64::EPSILON;
    let coincide = |i: usize, j: usize| {
        let near = |feature: usize| {
            let magnitude = measured.length(magnitudes[[i, feature]].max(magnitudes[[j, feature]]));
            (means[[i, feature]] - means[[j, feature]]).abs() <= tolerance * magnitude
        };
        (0..means.ncols()).all(near)
    };
    let mut spreads = vec![0.0; encoded.n_labels];
    rows.squares(&encoded.labels, &means).for_each(|(square, label)| spreads[label] += square.sqrt());
    spreads.iter_mut().zip(encoded.sizes()).for_each(|(spread, size)| *spread /= size as f64);
    let likeness = |i: usize, j: usize| {
        if i == j || coincide(i, j) {
            return 0.0;
        }
        (spreads[i] + spreads[j]) / squared_distance(means.row(i), means.row(j)).sqrt()
    };
    let k = encoded.n_labels;
    let worst = |i: usize| (0..k).map(|j| likeness(i, j)).fold(0.0, f64::max);
    Ok((0..k).map(worst).sum::<f64>() / k as f64)
}
