//! The edges of bins: quantiles, and the limits between the centers of a one-dimensional k-means.

use crate::cluster::{KMeans, KMeansInit};
use crate::error::Result;
use ndarray::{ArrayView1, Axis};
use serde::{Deserialize, Serialize};

/// The definition of a quantile that falls between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuantileMethod {
    /// The mean of the two neighboring samples where the inverse of the distribution function jumps (Hyndman and Fan's
    /// type 2), scikit-learn's default since 1.9.
    #[default]
    AveragedInvertedCdf,
    /// The inverse of the empirical distribution function (type 1).
    InvertedCdf,
    /// Linear between neighbors (type 7), scikit-learn's default before 1.9.
    Linear,
}

impl QuantileMethod {
    /// The quantile of ascending values at a level from 0 to 1, as NumPy's `percentile` computes it.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        reason = "a position among values in memory"
    )]
    pub(super) fn of(self, sorted: &[f64], level: f64) -> f64 {
        let n = sorted.len() as f64;
        let at = |place: f64| sorted[(place.max(0.0) as usize).min(sorted.len() - 1)];
        match self {
            Self::Linear => crate::preprocessing::quantile(sorted, level),
            Self::InvertedCdf => at((level * n).ceil() - 1.0),
            Self::AveragedInvertedCdf => {
                let place = level * n;
                if place == place.floor() {
                    let (below, above) = (at(place - 1.0), at(place));
                    below + (above - below) * 0.5
                } else {
                    at(place.floor())
                }
            }
        }
    }
}

/// The edges between the centers of a one-dimensional k-means that starts from the centers of equal bins.
pub(super) fn k_means_edges(sorted: &[f64], uniform: Vec<f64>) -> Result<Vec<f64>> {
    let middles =
        |edges: &[f64]| -> Vec<f64> { edges.windows(2).map(|pair| (pair[0] + pair[1]) * 0.5).collect() };
    let start = ArrayView1::from(&middles(&uniform)).insert_axis(Axis(1)).to_owned();
    let column = ArrayView1::from(sorted).insert_axis(Axis(1));
    let mut kmeans = KMeans::new(start.nrows()).init(KMeansInit::Centers(start)).n_init(1);
    kmeans.fit(&column)?;
    let mut centers: Vec<f64> = kmeans.cluster_centers()?.iter().copied().collect();
    centers.sort_unstable_by(f64::total_cmp);
    let mut edges = vec![uniform[0]];
    edges.extend(middles(&centers));
    edges.extend(uniform.last());
    Ok(edges)
}

/// `n` equal steps from `from` to `to`, as NumPy's `linspace` computes them.
#[allow(clippy::cast_precision_loss, reason = "a number of bins")]
pub(super) fn linspace(from: f64, to: f64, n: usize) -> Vec<f64> {
    let step = to / n as f64 - from / n as f64;
    let step = if (to - from).is_finite() { (to - from) / n as f64 } else { step };
    let mut points: Vec<f64> = (0..n).map(|index| index as f64 * step + from).collect();
    points.push(to);
    points
}
