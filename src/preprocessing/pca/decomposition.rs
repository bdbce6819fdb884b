//! The directions of most variance of centered data, exact or from random projections.

use crate::error::{Error, Result};
use crate::linalg::gemm;
use crate::rng::{Purpose, Rng};
use nalgebra::{DMatrix, QR, SVD, SymmetricEigen};
use ndarray::{Array2, ArrayView2};

/// Variances, descending, and the directions as rows.
pub(super) type Directions = (Vec<f64>, Array2<f64>);

/// The decomposition did not come to an end; happens to numbers near the limits of f64 alone.
pub(super) fn no_convergence() -> Error {
    Error::invalid_parameter(
        "Pca",
        "x",
        "too badly scaled to decompose",
        "features of comparable size; scale them first",
    )
}

fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    gemm(1.0, a, b, 0.0, c.view_mut());
    c
}

/// By the eigenvectors of the covariance.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
pub(super) fn by_covariance(centered: &Array2<f64>) -> Result<Directions> {
    let (n_samples, n_features) = centered.dim();
    let mut covariance = Array2::zeros((n_features, n_features));
    gemm(1.0 / (n_samples as f64 - 1.0), centered.t(), centered.view(), 0.0, covariance.view_mut());
    let matrix = DMatrix::from_fn(n_features, n_features, |row, column| covariance[[row, column]]);
    let eigen =
        SymmetricEigen::try_new(matrix, f64::EPSILON, 1_000 * n_features).ok_or_else(no_convergence)?;
    let mut order: Vec<usize> = (0..n_features).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let variances = order.iter().map(|&index| eigen.eigenvalues[index].max(0.0)).collect();
    let directions = Array2::from_shape_fn((n_features, n_features), |(row, column)| {
        eigen.eigenvectors[(column, order[row])]
    });
    Ok((variances, directions))
}

/// By a singular value decomposition, which is exact for small variances too.
pub(super) fn by_svd(centered: &Array2<f64>) -> Result<Directions> {
    singular(centered.view(), centered.nrows())
}

/// The variances and directions of a matrix with the right singular vectors of `n_samples` centered rows.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn singular(matrix: ArrayView2<'_, f64>, n_samples: usize) -> Result<Directions> {
    let (rows, columns) = matrix.dim();
    let most = 1_000 * rows.max(columns);
    let matrix = DMatrix::from_fn(rows, columns, |row, column| matrix[[row, column]]);
    let svd = SVD::try_new(matrix, false, true, f64::EPSILON, most).ok_or_else(no_convergence)?;
    let transposed = svd.v_t.ok_or_else(no_convergence)?;
    let scale = n_samples as f64 - 1.0;
    let variances = svd.singular_values.iter().map(|value| value * value / scale).collect();
    let directions = Array2::from_shape_fn(transposed.shape(), |(row, column)| transposed[(row, column)]);
    Ok((variances, directions))
}

/// Projections beyond those asked for; Halko et al. §4.3 advise 5 to 10.
const OVERSAMPLES: usize = 10;

/// The first `count` directions, from the range of random projections (Halko, Martinsson and Tropp, algorithm 4.4
/// with an orthonormal basis after every product, then 5.1).
pub(super) fn by_projections(centered: &Array2<f64>, count: usize, seed: u64) -> Result<Directions> {
    let (n_samples, n_features) = centered.dim();
    let least = n_samples.min(n_features);
    let size = (count + OVERSAMPLES).min(least);
    // Few of many directions are less far apart from the next ones.
    let n_iter = if count * 10 < least { 7 } else { 4 };
    let mut rng = Rng::new(seed, Purpose::Other, 0);
    let random = Array2::from_shape_simple_fn((n_features, size), || rng.normal());
    let mut range = orthonormal(&product(centered.view(), random.view()));
    for _ in 0..n_iter {
        let across = orthonormal(&product(centered.t(), range.view()));
        range = orthonormal(&product(centered.view(), across.view()));
    }
    let (mut variances, directions) = singular(product(range.t(), centered.view()).view(), n_samples)?;
    variances.truncate(count);
    Ok((variances, directions.slice_move(ndarray::s![..count, ..])))
}

/// An orthonormal basis of the range of a matrix that is higher than wide.
fn orthonormal(matrix: &Array2<f64>) -> Array2<f64> {
    let (rows, columns) = matrix.dim();
    let q = QR::new(DMatrix::from_fn(rows, columns, |row, column| matrix[[row, column]])).q();
    Array2::from_shape_fn((rows, columns), |(row, column)| q[(row, column)])
}
