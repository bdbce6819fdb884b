//! Two interleaving half circles.

use super::{Dataset, check_deviation, check_size, plane};
use crate::error::Result;
use crate::float::Float;
use crate::rng::{Purpose, Rng};
use std::f64::consts::PI;

/// Two interleaved half circles in the plane: not to be separated by a line, nor by k-means.
///
/// Class 0 is (cos t, sin t), class 1 is (1 − cos t, ½ − sin t), for evenly spaced t in 0 ≤ t ≤ π; in random order.
///
/// # Shapes
/// `data`: (n_samples, 2); half of the samples, rounded down, are of class 0.
///
/// # Parameters
/// * `noise`: the standard deviation of the normal noise added to each coordinate, at least 0.
///
/// # Errors
/// No samples, a negative or non-finite `noise`.
///
/// # Examples
/// ```
/// let moons = axonal::datasets::make_moons::<f32>(200, 0.1, 7)?;
/// assert_eq!(moons.data.dim(), (200, 2));
/// # Ok::<(), axonal::Error>(())
/// ```
pub fn make_moons<F: Float>(n_samples: usize, noise: f64, seed: u64) -> Result<Dataset<F>> {
    check_deviation("make_moons", "noise", noise)?;
    check_size::<[f64; 2]>("make_moons", n_samples, 2)?;

    let mut rng = Rng::new(seed, Purpose::Dataset, 1);
    let n_outer = n_samples / 2;
    let outer = arc(n_outer).map(|t| ([t.cos(), t.sin()], 0));
    let inner = arc(n_samples - n_outer).map(|t| ([1.0 - t.cos(), 0.5 - t.sin()], 1));
    plane(outer.chain(inner).collect(), ["outer", "inner"], noise, &mut rng)
}

/// `n` evenly spaced angles from 0 to π, both included.
#[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
fn arc(n: usize) -> impl Iterator<Item = f64> {
    let step = PI / n.saturating_sub(1).max(1) as f64;
    (0..n).map(move |i| i as f64 * step)
}
