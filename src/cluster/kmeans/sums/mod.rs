//! Sums: the weighted sum of each cluster's points and its weight, of which the centers are made.

pub(crate) mod exact_sums;
pub(crate) mod fixed_point;
pub(crate) mod relocation;

use crate::buffer::Buffer;
use crate::float::Float;
use crate::linalg::distance::sum_over_pairs;
use crate::simd::vectorize;

/// A line for each cluster: the sum of its points, in `f64` for any data, its weight, and padding to whole registers.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    n_features: usize,
    pub(crate) lines: Buffer<f64>,
}

/// The length of a line: whole registers, so that none straddles two cache lines.
pub(crate) fn width(n_features: usize) -> usize {
    (n_features + 1).next_multiple_of(8)
}

/// Adds a point to its cluster's line.
#[inline(always)]
pub(crate) fn add_point<F: Float>(line: &mut [f64], point: &[F], weight: f64) {
    line[point.len()] += weight;
    line.iter_mut().zip(point).for_each(|(sum, x)| *sum += weight * x.as_f64());
}

impl Sums {
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self { n_features, lines: Buffer::new(n_clusters * width(n_features)) }
    }

    pub(crate) fn line(&mut self, cluster: usize) -> &mut [f64] {
        let width = width(self.n_features);
        &mut self.lines[cluster * width..][..width]
    }

    /// The weight of each cluster.
    pub(crate) fn weights(&self) -> impl Iterator<Item = f64> {
        self.lines.chunks_exact(width(self.n_features)).map(|line| line[self.n_features])
    }

    /// The mean of each cluster; a cluster without weight shares the center of the heaviest one.
    pub(crate) fn write_means<F: Float>(&self, centers: &mut [F]) {
        let d = self.n_features;
        let mut heaviest = (0, 0.0);
        vectorize(
            #[inline(always)]
            || {
                let lines = centers.chunks_exact_mut(d).zip(self.lines.chunks_exact(width(d)));
                for (cluster, (center, line)) in lines.enumerate() {
                    let weight = line[d];
                    if weight > 0.0 {
                        center.iter_mut().zip(line).for_each(|(center, sum)| *center = F::of(sum / weight));
                    }
                    if weight > heaviest.1 {
                        heaviest = (cluster, weight);
                    }
                }
            },
        );
        // After the loop, when the heaviest cluster has its mean too.
        for (cluster, weight) in self.weights().enumerate() {
            if weight <= 0.0 {
                centers.copy_within(heaviest.0 * d..(heaviest.0 + 1) * d, cluster * d);
            }
        }
    }

    /// The explained sum of squares, Σ w(‖x − mean‖² − ‖x − c‖²).
    pub(crate) fn explained<F: Float>(&self, centers: &[F], mean: &[F]) -> f64 {
        let d = self.n_features;
        vectorize(
            #[inline(always)]
            || {
                let mut explained = 0.0;
                for (line, center) in self.lines.chunks_exact(width(d)).zip(centers.chunks_exact(d)) {
                    let weight = line[d];
                    // (c − m)(2 Σwx − W(c + m)), where the sums about the mean are small.
                    let term = |sum: f64, (c, mean): (F, F)| {
                        let (c, mean) = (c.as_f64(), mean.as_f64());
                        let offset = c - mean;
                        offset * (2.0 * (sum - weight * mean) - weight * offset)
                    };
                    explained += sum_over_pairs(&line[..d], center, mean, term);
                }
                explained
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_weight_shares_the_mean_of_the_heaviest() {
        let mut sums = Sums::new(3, 1);
        sums.line(1)[1] = 2.0;
        sums.line(2)[..2].copy_from_slice(&[12.0, 3.0]);
        let mut centers = [100.0, 0.0, 4.0];
        sums.write_means(&mut centers);
        assert_eq!(centers, [4.0, 0.0, 4.0]);
        assert_eq!(sums.explained(&centers, &[0.0]), 48.0);
        // About 1: 2·1² + 3·3², and nothing is left of it about 0 and 4.
        assert_eq!(sums.explained(&centers, &[1.0]), 29.0);
    }
}
