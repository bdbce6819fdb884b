//! Two concentric circles.

use super::{Dataset, check_deviation, check_size, plane};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use std::f64::consts::TAU;

/// A large circle (class 0) around a small one (class 1), in the plane.
///
/// The large one has radius 1; points are evenly spaced on both, in random order.
///
/// # Shapes
/// `data`: (n_samples, 2); half of the samples, rounded down, are of class 0.
///
/// # Parameters
/// * `factor`: the radius of the small circle, from 0 to below 1.
/// * `noise`: the standard deviation of the normal noise added to each coordinate, at least 0.
///
/// # Errors
/// No samples, `factor` or `noise` out of range.
///
/// # Examples
/// ```
/// let circles = axonal::datasets::make_circles::<f32>(200, 0.5, 0.0, 7)?;
/// let radius = circles.data.row(0).mapv(|v| v * v).sum().sqrt();
/// assert!((radius - if circles.target[0] == 0 { 1.0 } else { 0.5 }).abs() < 1e-6);
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn make_circles<F: Float>(n_samples: usize, factor: f64, noise: f64, seed: u64) -> Result<Dataset<F>> {
    if !(0.0..1.0).contains(&factor) {
        return Err(Error::invalid_parameter("make_circles", "factor", factor, "0 <= factor < 1"));
    }
    check_deviation("make_circles", "noise", noise)?;
    check_size::<[f64; 2]>("make_circles", n_samples, 2)?;

    let mut rng = Rng::new(seed, Purpose::Dataset, 2);
    let n_outer = n_samples / 2;
    let outer = circle(n_outer, 1.0).map(|point| (point, 0));
    let inner = circle(n_samples - n_outer, factor).map(|point| (point, 1));
    plane(outer.chain(inner).collect(), ["outer", "inner"], noise, &mut rng)
}

/// `n` evenly spaced points on a circle.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn circle(n: usize, radius: f64) -> impl Iterator<Item = [f64; 2]> {
    (0..n).map(move |i| {
        let t = TAU * i as f64 / n as f64;
        [radius * t.cos(), radius * t.sin()]
    })
}
