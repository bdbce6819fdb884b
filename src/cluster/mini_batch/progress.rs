//! A mini-batch step: the rows of a batch are assigned to their nearest centers, and each center moves to the mean of all rows
//! that were ever assigned to it; and the test for convergence.

use crate::cluster::kmeans::fitted::FittedCenters;
use crate::cluster::kmeans::ranks::Ranks;
use crate::cluster::kmeans::samples::Samples;
use crate::cluster::kmeans::seeding::random_rows::sample_without_replacement;
use crate::distributed::Shard;
use crate::error::Result;
use crate::float::Float;
use crate::rng::Rng;
use crate::simd::vectorize;

/// The state between two steps.
pub(super) struct Progress<F> {
    /// (k, d), less the reference point.
    pub(super) centers: Vec<F>,
    /// The point that is subtracted from all rows: near the data, so that little is lost in rounding.
    pub(super) reference: Vec<F>,
    pub(super) counters: Counters,
}

/// The counters of the steps so far.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    /// The total weight of the rows that were assigned to each center.
    pub(super) counts: Vec<f64>,
    /// Rows since centers were last reassigned to rows.
    pub(super) since_reassignment: usize,
    pub(super) steps: usize,
}

/// The outcome of a step.
pub(super) struct StepReport {
    /// The inertia of the batch about the centers before the step.
    pub(super) inertia: f64,
    /// Σ‖shift‖² over the centers.
    pub(super) total_shift: f64,
}

impl<F: Float> Progress<F> {
    /// Moves the centers by a batch, which every rank has; all ranks get the same centers.
    pub(super) fn step(
        &mut self,
        (batch, ranks): (&Samples<'_, F>, &Ranks<'_>),
        ratio: f64,
        rng: &mut Rng,
    ) -> Result<StepReport> {
        let before = FittedCenters::new(self.centers.clone(), self.reference.clone());
        let labels = label_together(&before, batch, ranks)?;
        let inertia = self.move_centers(batch, &labels);
        self.reassign(batch, ratio, rng);
        let shifts = before.centered.iter().zip(&self.centers).map(|(a, b)| (*b - *a).as_f64().powi(2));
        self.counters.steps += 1;
        Ok(StepReport { inertia, total_shift: shifts.sum() })
    }

    /// Moves each center to the mean of all rows that were assigned to it. Returns the inertia of the batch about the
    /// centers before.
    fn move_centers(&mut self, batch: &Samples<'_, F>, labels: &[u32]) -> f64 {
        let d = batch.n_features;
        // Σ w(x − c): rows that coincide with their center do not move it by rounding.
        let mut sums = vec![0.0; self.centers.len()];
        let mut weights = vec![0.0; self.counters.counts.len()];
        let mut inertia = 0.0;
        vectorize(
            #[inline(always)]
            || {
                for (row, (x, &label)) in batch.values.chunks_exact(d).zip(labels).enumerate() {
                    let (cluster, weight) = (label as usize, batch.weight(row));
                    let center = &self.centers[cluster * d..][..d];
                    let sums = &mut sums[cluster * d..][..d];
                    weights[cluster] += weight;
                    inertia += weight * add_offsets(weight, [x, &self.reference, center], sums);
                }
            },
        );
        let clusters = self.counters.counts.iter_mut().zip(&weights).zip(self.centers.chunks_exact_mut(d));
        for (((count, weight), center), sums) in clusters.zip(sums.chunks_exact(d)) {
            if *weight > 0.0 {
                *count += weight;
                for (center, sum) in center.iter_mut().zip(sums) {
                    *center = F::of(center.as_f64() + sum / *count);
                }
            }
        }
        inertia
    }

    /// Periodically moves the centers with small counts onto random rows.
    fn reassign(&mut self, batch: &Samples<'_, F>, ratio: f64, rng: &mut Rng) {
        let (n, d) = (batch.n_samples(), batch.n_features);
        self.counters.since_reassignment += n;
        let due = self.counters.counts.contains(&0.0)
            || self.counters.since_reassignment >= 10 * self.counters.counts.len();
        if !due || ratio == 0.0 {
            return;
        }
        self.counters.since_reassignment = 0;
        let bound = ratio * self.counters.counts.iter().copied().fold(0.0, f64::max);
        let mut small: Vec<usize> =
            (0..self.counters.counts.len()).filter(|&c| self.counters.counts[c] < bound).collect();
        small.sort_by(|&a, &b| self.counters.counts[a].total_cmp(&self.counters.counts[b]));
        // Centers do not move onto rows without weight.
        let weighted: Vec<usize> = (0..n).filter(|&row| batch.weight(row) > 0.0).collect();
        small.truncate((n / 2).min(weighted.len()));
        let others = (0..self.counters.counts.len()).filter(|cluster| !small.contains(cluster));
        let least = others.map(|cluster| self.counters.counts[cluster]).fold(f64::INFINITY, f64::min);
        let drawn = sample_without_replacement(weighted.len(), small.len(), rng);
        for (cluster, row) in small.iter().copied().zip(drawn) {
            let center = &mut self.centers[cluster * d..][..d];
            for ((center, x), point) in center.iter_mut().zip(batch.row(weighted[row])).zip(&self.reference) {
                *center = *x - *point;
            }
            self.counters.counts[cluster] = if least.is_finite() { least } else { 0.0 };
        }
    }
}

/// Adds the weighted offsets of a row from its center to `sums`; both are less the reference point. Returns the sum of their
/// squares.
#[inline(always)]
fn add_offsets<F: Float>(weight: f64, [x, reference, center]: [&[F]; 3], sums: &mut [f64]) -> f64 {
    const PARTIAL_SUMS: usize = 8;
    let ((x, x_tail), (reference, reference_tail), (center, center_tail), (sums, sums_tail)) = (
        x.as_chunks::<PARTIAL_SUMS>(),
        reference.as_chunks::<PARTIAL_SUMS>(),
        center.as_chunks::<PARTIAL_SUMS>(),
        sums.as_chunks_mut::<PARTIAL_SUMS>(),
    );
    let mut squares = [0.0; PARTIAL_SUMS];
    for (((x, reference), center), sums) in x.iter().zip(reference).zip(center).zip(sums) {
        // All loads before the first store: the compiler cannot rule out that they overlap.
        let offsets: [f64; PARTIAL_SUMS] = std::array::from_fn(
            #[inline(always)]
            |at| (x[at] - reference[at]).as_f64() - center[at].as_f64(),
        );
        for ((sum, square), offset) in sums.iter_mut().zip(&mut squares).zip(offsets) {
            *sum += weight * offset;
            *square += offset * offset;
        }
    }
    let tails = x_tail.iter().zip(reference_tail).zip(center_tail).zip(sums_tail);
    for ((((x, reference), center), sum), square) in tails.zip(&mut squares) {
        let offset = (*x - *reference).as_f64() - center.as_f64();
        *sum += weight * offset;
        *square += offset * offset;
    }
    squares.iter().sum()
}

/// The labels of a batch that every rank has: each rank computes those of its share, where that takes longer than the exchange.
fn label_together<F: Float>(
    centers: &FittedCenters<F>,
    batch: &Samples<'_, F>,
    ranks: &Ranks<'_>,
) -> Result<Vec<u32>> {
    /// Multiply-adds of about 50 µs.
    const MIN_OPERATIONS: usize = 1 << 20;
    let operations = batch.values.len().saturating_mul(centers.n_clusters);
    if ranks.size() == 1 || operations < MIN_OPERATIONS {
        return Ok(centers.labels_of(batch));
    }
    let own = Shard::of(ranks.rank(), ranks.size()).rows(batch.n_samples());
    let mut labels = vec![0; batch.n_samples()];
    let own_labels = centers.labels_of(&batch.slice(own.start, own.len()));
    labels[own].iter_mut().zip(own_labels).for_each(|(label, own)| *label = own as usize);
    ranks.combine_rows(&mut labels)?;
    Ok(labels.into_iter().map(|label| label as u32).collect())
}

/// The test for convergence.
pub(super) struct Convergence {
    alpha: f64,
    limit: Option<usize>,
    tolerance: f64,
    /// The smoothed inertia per row after each step but the first, which reflects the initialization only.
    pub(super) history: Vec<f64>,
    least: f64,
    without_improvement: usize,
    has_started: bool,
}

impl Convergence {
    pub(super) fn new(batch_size: usize, n_samples: usize, limit: Option<usize>, tolerance: f64) -> Self {
        let alpha = (2.0 * batch_size as f64 / (n_samples as f64 + 1.0)).min(1.0);
        let (history, least) = (Vec::new(), f64::INFINITY);
        Self { alpha, limit, tolerance, history, least, without_improvement: 0, has_started: false }
    }

    /// Adds a step; returns whether the fit has converged.
    pub(super) fn is_reached(&mut self, inertia: f64, total_shift: f64) -> bool {
        if !std::mem::replace(&mut self.has_started, true) {
            return false;
        }
        let smoothed =
            self.history.last().map_or(inertia, |last| last * (1.0 - self.alpha) + inertia * self.alpha);
        self.history.push(smoothed);
        if self.tolerance > 0.0 && total_shift <= self.tolerance {
            return true;
        }
        self.without_improvement = if smoothed < self.least { 0 } else { self.without_improvement + 1 };
        self.least = self.least.min(smoothed);
        self.limit.is_some_and(|limit| self.without_improvement >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    /// Three groups, their centers, and the inertia before and after a step with this ratio.
    fn step(ratio: f64) -> (f64, f64, Vec<f64>) {
        let mut rng = Rng::new(3, Purpose::Other, 0);
        let x: Vec<f64> = (0..101).map(|row| 100.0 * f64::from(row % 3) + rng.normal()).collect();
        let samples = Samples { values: &x, n_features: 1, weights: None };
        let mean = |group: usize| {
            let of: Vec<f64> = x.iter().skip(group).step_by(3).copied().collect();
            of.iter().sum::<f64>() / of.len() as f64
        };
        let centers: Vec<f64> = (0..3).map(mean).collect();
        let counters = Counters { counts: vec![0.0; 3], since_reassignment: 0, steps: 0 };
        let mut progress = Progress { centers: centers.clone(), reference: vec![0.0], counters };
        progress.step((&samples, &Ranks::alone(101)), ratio, &mut rng).unwrap();
        let inertia = |centers: &[f64]| FittedCenters::new(centers.to_vec(), vec![0.0]).label_all(&samples).1;
        let moved = progress.centers.iter().zip(&centers).map(|(a, b)| (a - b).abs()).collect();
        (inertia(&centers), inertia(&progress.centers), moved)
    }

    #[test]
    fn centers_with_small_counts_move_onto_rows() {
        let (before, after, moved) = step(1.0);
        assert!(after > before, "perfect centers were moved, and the inertia went from {before} to {after}");
        assert!(moved.iter().any(|moved| *moved > 1e-6));
        let (before, after, moved) = step(1e-15);
        assert!((after - before).abs() < 1e-9 && moved.iter().all(|moved| *moved < 1e-9), "{moved:?}");
    }
}
