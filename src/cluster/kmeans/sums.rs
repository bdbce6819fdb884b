//! What the centers are made of: the weighted sum of each cluster's points, and its weight.

use super::distance::sum_over;
use super::samples::Samples;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::simd::{prefetch_part, vectorize};

/// A line for each cluster: the sum of its points, in `f64` whatever the data, its weight, and what is left of the last
/// register.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    n_features: usize,
    pub(crate) lines: Buffer<f64>,
}

/// How long a line is: whole registers, so that none of them straddles two lines of the cache.
pub(crate) fn width(n_features: usize) -> usize {
    (n_features + 1).next_multiple_of(8)
}

/// Adds a point, less the mean, to its cluster's line.
#[inline(always)]
pub(crate) fn add_point<F: Float>(line: &mut [f64], point: &[F], mean: &[F], weight: f64) {
    line[point.len()] += weight;
    for ((sum, x), mean) in line.iter_mut().zip(point).zip(mean) {
        *sum += weight * (*x - *mean).as_f64();
    }
}

/// The same for a point of weight 1.
#[inline(always)]
fn add_one<F: Float>(line: &mut [f64], point: &[F], mean: &[F]) {
    line[point.len()] += 1.0;
    for ((sum, x), mean) in line.iter_mut().zip(point).zip(mean) {
        *sum += (*x - *mean).as_f64();
    }
}

/// As [`Sums::add_rows`], for rows of `D` numbers and lines of `WIDTH`.
#[inline(always)]
fn add_short<F: Float, const D: usize, const WIDTH: usize>(
    lines: &mut [f64],
    values: &[F],
    mean: &[F],
    labels: &[u32],
) {
    let (lines, (rows, _)) = (lines.as_chunks_mut::<WIDTH>().0, values.as_chunks::<D>());
    let Some(mean) = mean.first_chunk::<D>() else { return };
    for (x, &label) in rows.iter().zip(labels) {
        let line = &mut lines[label as usize];
        line[D] += 1.0;
        for feature in 0..D {
            line[feature] += (x[feature] - mean[feature]).as_f64();
        }
    }
}

impl Sums {
    pub(crate) fn new(n_clusters: usize, n_features: usize) -> Self {
        Self { n_features, lines: Buffer::new(n_clusters * width(n_features)) }
    }

    /// Whether there is room for no cluster at all.
    pub(crate) fn is_absent(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn line(&mut self, cluster: usize) -> &mut [f64] {
        let width = width(self.n_features);
        &mut self.lines[cluster * width..][..width]
    }

    pub(crate) fn clear(&mut self) {
        self.lines.fill(0.0);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.lines.iter_mut().zip(&other.lines).for_each(|(own, other)| *own += other);
    }

    /// Adds labelled rows, less their mean, if there is room for clusters.
    /// `ahead` is fetched into the cache meanwhile.
    pub(crate) fn add_rows<F: Float>(
        &mut self,
        samples: &Samples<'_, F>,
        mean: &[F],
        labels: &[u32],
        ahead: &[F],
    ) {
        if self.is_absent() {
            return;
        }
        vectorize(
            #[inline(always)]
            || self.add_lines(samples, mean, labels, ahead),
        );
    }

    #[inline(always)]
    fn add_lines<F: Float>(&mut self, samples: &Samples<'_, F>, mean: &[F], labels: &[u32], ahead: &[F]) {
        let (d, width) = (self.n_features, width(self.n_features));
        if samples.weights.is_none() {
            // With a length that the compiler knows, the few sums of a line are a register or two.
            match d {
                1 => return add_short::<F, 1, 8>(&mut self.lines, samples.values, mean, labels),
                2 => return add_short::<F, 2, 8>(&mut self.lines, samples.values, mean, labels),
                3 => return add_short::<F, 3, 8>(&mut self.lines, samples.values, mean, labels),
                4 => return add_short::<F, 4, 8>(&mut self.lines, samples.values, mean, labels),
                8 => return add_short::<F, 8, 16>(&mut self.lines, samples.values, mean, labels),
                _ => {}
            }
            for (row, (x, &label)) in samples.values.chunks_exact(d).zip(labels).enumerate() {
                if !ahead.is_empty() {
                    prefetch_part(ahead, row, labels.len());
                }
                add_one(&mut self.lines[label as usize * width..][..width], x, mean);
            }
            return;
        }
        for (row, (x, &label)) in samples.values.chunks_exact(d).zip(labels).enumerate() {
            add_point(&mut self.lines[label as usize * width..][..width], x, mean, samples.weight(row));
        }
    }

    /// The weight of each cluster.
    pub(crate) fn weights(&self) -> impl Iterator<Item = f64> {
        self.lines.chunks_exact(width(self.n_features)).map(|line| line[self.n_features])
    }

    /// The mean of each cluster; a cluster without weight shares the center of the heaviest one.
    pub(crate) fn average<F: Float>(&self, centers: &mut [F]) {
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
        // Only now, when the heaviest cluster's sum is a mean too.
        for (cluster, weight) in self.weights().enumerate() {
            if weight <= 0.0 {
                centers.copy_within(heaviest.0 * d..(heaviest.0 + 1) * d, cluster * d);
            }
        }
    }

    /// Σ w(‖x‖² − ‖x − c‖²): how much less than about the origin the inertia is about the centers.
    pub(crate) fn explained<F: Float>(&self, centers: &[F]) -> f64 {
        let d = self.n_features;
        vectorize(
            #[inline(always)]
            || {
                let mut less = 0.0;
                for (line, center) in self.lines.chunks_exact(width(d)).zip(centers.chunks_exact(d)) {
                    let weight = line[d];
                    let term = |sum: f64, c: F| c.as_f64() * (2.0 * sum - weight * c.as_f64());
                    less += sum_over(&line[..d], center, term);
                }
                less
            },
        )
    }
}

/// A stretch of clusters whose sums one thread adds up.
#[inline(always)]
pub(crate) fn add_clusters<F: Float>(
    first: usize,
    lines: &mut [f64],
    samples: &Samples<'_, F>,
    mean: &[F],
    labels: &[u32],
) {
    let width = width(samples.n_features);
    let clusters = lines.len() / width;
    for (row, &label) in labels.iter().enumerate() {
        let Some(own) = (label as usize).checked_sub(first).filter(|own| *own < clusters) else { continue };
        add_point(&mut lines[own * width..][..width], samples.row(row), mean, samples.weight(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_weight_shares_the_mean_of_the_heaviest() {
        let mut sums = Sums::new(3, 1);
        let samples = Samples { values: &[0.0, 0.0, 4.0, 4.0, 4.0], n_features: 1, weights: None };
        sums.add_rows(&samples, &[0.0], &[1, 1, 2, 2, 2], &[]);
        let mut centers = [100.0, 0.0, 4.0];
        sums.average(&mut centers);
        assert_eq!(centers, [4.0, 0.0, 4.0]);
        assert_eq!(sums.explained(&centers), 48.0);
    }

    #[test]
    fn by_clusters_or_by_rows_the_sums_are_the_same() {
        let x = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let samples = Samples { values: &x, n_features: 2, weights: Some(&[1.0, 2.0, 0.5]) };
        let labels = [2, 0, 2];
        let mut by_rows = Sums::new(3, 2);
        by_rows.add_rows(&samples, &[0.0; 2], &labels, &[]);
        let mut by_clusters = Sums::new(3, 2);
        add_clusters(0, &mut by_clusters.lines[..8], &samples, &[0.0; 2], &labels);
        add_clusters(1, &mut by_clusters.lines[8..], &samples, &[0.0; 2], &labels);
        let lines: Vec<_> = by_rows.lines.chunks(8).map(|line| &line[..3]).collect();
        assert_eq!(lines, [[6.0, 8.0, 2.0], [0.0; 3], [3.5, 5.0, 1.5]]);
        assert_eq!(*by_clusters.lines, *by_rows.lines);
    }
}
