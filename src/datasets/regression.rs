//! Random linear regression problems.

use super::{Dataset, check_deviation, check_size};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use ndarray::{Array1, Array2};

/// Standard normal features and a target that is a random linear function of them, plus noise.
///
/// y = x · w + noise · ε, with the entries of w uniform on [0, 100) and ε standard normal. With `noise` 0 the
/// target is exactly linear, up to rounding.
///
/// # Shapes
/// `data`: (n_samples, n_features), `target`: (n_samples).
///
/// # Parameters
/// * `noise`: the standard deviation of the noise, at least 0.
///
/// # Errors
/// No samples, no features, a negative or non-finite `noise`.
///
/// # Examples
/// ```
/// let line = axonal::datasets::make_regression::<f64>(50, 1, 0.0, 3)?;
/// let slope = line.target[0] / line.data[[0, 0]];
/// assert!(line.data.column(0).iter().zip(&line.target).all(|(x, y)| (y - slope * x).abs() < 1e-9));
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn make_regression<F: Float>(
    n_samples: usize,
    n_features: usize,
    noise: f64,
    seed: u64,
) -> Result<Dataset<F, F>> {
    if n_features == 0 {
        return Err(Error::invalid_parameter("make_regression", "n_features", 0, "at least 1"));
    }
    check_deviation("make_regression", "noise", noise)?;
    check_size::<f64>("make_regression", n_samples, n_features)?;

    let mut rng = Rng::new(seed, Purpose::Dataset, 3);
    let coefficients: Array1<f64> = (0..n_features).map(|_| 100.0 * rng.uniform()).collect();
    let data = Array2::from_shape_simple_fn((n_samples, n_features), || rng.normal());
    let target = data.dot(&coefficients).mapv(|y| F::of(y + noise * rng.normal()));
    Dataset::new(data.mapv(F::of), target)
}
