//! Isotropic Gaussian blobs.

use super::{Dataset, check_deviation, check_size};
use crate::error::Result;
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use crate::validate;
use ndarray::{Array2, ArrayBase, Data, Ix2};

/// Normally distributed points around given centers; the class is the center's row.
///
/// The samples are shared out evenly (the first classes get one more where that does not come out even) and put
/// into random order. f32 and f64 give the same points, up to rounding.
///
/// # Shapes
/// `centers`: (n_classes, n_features). `data`: (n_samples, n_features).
///
/// # Parameters
/// * `cluster_std`: the standard deviation in every direction, at least 0.
///
/// # Errors
/// No samples, no centers, centers that are not finite, a negative or non-finite `cluster_std`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
///
/// let blobs = axonal::datasets::make_blobs::<f64>(100, &array![[0.0, 0.0], [9.0, 9.0]], 0.5, 1)?;
/// assert_eq!(blobs.data.dim(), (100, 2));
/// assert_eq!(blobs.target.iter().filter(|label| **label == 1).count(), 50);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn make_blobs<F: Float>(
    n_samples: usize,
    centers: &ArrayBase<impl Data<Elem = F>, Ix2>,
    cluster_std: f64,
    seed: u64,
) -> Result<Dataset<F>> {
    validate::not_empty("centers", centers)?;
    validate::finite("centers", centers)?;
    check_deviation("make_blobs", "cluster_std", cluster_std)?;
    check_size::<F>("make_blobs", n_samples, centers.ncols())?;

    let mut rng = Rng::new(seed, Purpose::Dataset, 0);
    let mut target: Vec<usize> = (0..n_samples).map(|sample| sample % centers.nrows()).collect();
    rng.shuffle(&mut target);
    let data = Array2::from_shape_fn((n_samples, centers.ncols()), |(row, column)| {
        F::of(centers[[target[row], column]].as_f64() + cluster_std * rng.normal())
    });
    let names = (0..centers.nrows()).map(|class| class.to_string());
    Ok(Dataset::new(data, target.into())?.with_target_names(names))
}
