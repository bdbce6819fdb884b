//! A step: a batch's rows to their centers, each center to the mean of all rows that it has won; and when a fit ends.

use super::super::kmeans::fitted::Fitted;
use super::super::kmeans::init::sample_without_replacement;
use super::super::kmeans::samples::Samples;
use crate::float::Float;
use crate::rng::Rng;

/// Where the centers are between two steps.
pub(super) struct Progress<F> {
    /// (k, d), less the reference point.
    pub(super) centers: Vec<F>,
    /// The point that is taken from all rows: near the data, so that little is lost in rounding.
    pub(super) reference: Vec<F>,
    pub(super) standing: Standing,
}

/// How far the centers have come.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The weight of the rows that each center has won.
    pub(super) counts: Vec<f64>,
    /// Rows since centers were last moved onto rows.
    pub(super) since_reassignment: usize,
    pub(super) steps: usize,
}

/// What a step came to.
pub(super) struct Step {
    /// Of the batch, about the centers before the step.
    pub(super) inertia: f64,
    /// Σ‖move‖² over the centers.
    pub(super) moved: f64,
}

impl<F: Float> Progress<F> {
    pub(super) fn step(&mut self, batch: &Samples<'_, F>, ratio: f64, rng: &mut Rng) -> Step {
        let before = Fitted::new(self.centers.clone(), self.reference.clone());
        let (labels, inertia) = before.label_all(batch);
        self.follow(batch, &labels);
        self.reassign(batch, ratio, rng);
        let moved = before.centered.iter().zip(&self.centers).map(|(a, b)| (*b - *a).as_f64().powi(2)).sum();
        self.standing.steps += 1;
        Step { inertia, moved }
    }

    /// Moves each center to the mean of all rows that it has won.
    fn follow(&mut self, batch: &Samples<'_, F>, labels: &[u32]) {
        let d = batch.n_features;
        // Σ w(x − c): rows that are their center do not move it, whatever the rounding.
        let mut sums = vec![0.0; self.centers.len()];
        let mut weights = vec![0.0; self.standing.counts.len()];
        for (row, &label) in labels.iter().enumerate() {
            let cluster = label as usize;
            let weight = batch.weight(row);
            weights[cluster] += weight;
            let offsets = batch.row(row).iter().zip(&self.reference).map(|(x, point)| (*x - *point).as_f64());
            let center = &self.centers[cluster * d..][..d];
            let sums = &mut sums[cluster * d..][..d];
            for ((sum, x), center) in sums.iter_mut().zip(offsets).zip(center) {
                *sum += weight * (x - center.as_f64());
            }
        }
        let clusters = self.standing.counts.iter_mut().zip(&weights).zip(self.centers.chunks_exact_mut(d));
        for (((count, weight), center), sums) in clusters.zip(sums.chunks_exact(d)) {
            if *weight > 0.0 {
                *count += weight;
                for (center, sum) in center.iter_mut().zip(sums) {
                    *center = F::of(center.as_f64() + sum / *count);
                }
            }
        }
    }

    /// From time to time, moves the centers that win too little onto random rows.
    fn reassign(&mut self, batch: &Samples<'_, F>, ratio: f64, rng: &mut Rng) {
        let (n, d) = (batch.n_samples(), batch.n_features);
        self.standing.since_reassignment += n;
        let due = self.standing.counts.contains(&0.0)
            || self.standing.since_reassignment >= 10 * self.standing.counts.len();
        if !due || ratio == 0.0 {
            return;
        }
        self.standing.since_reassignment = 0;
        let bound = ratio * self.standing.counts.iter().copied().fold(0.0, f64::max);
        let mut poor: Vec<usize> =
            (0..self.standing.counts.len()).filter(|&c| self.standing.counts[c] < bound).collect();
        poor.sort_by(|&a, &b| self.standing.counts[a].total_cmp(&self.standing.counts[b]));
        // Rows without weight are no places to move to.
        let places: Vec<usize> = (0..n).filter(|&row| batch.weight(row) > 0.0).collect();
        poor.truncate((n / 2).min(places.len()));
        let rich = (0..self.standing.counts.len()).filter(|cluster| !poor.contains(cluster));
        let least = rich.map(|cluster| self.standing.counts[cluster]).fold(f64::INFINITY, f64::min);
        for (cluster, row) in
            poor.iter().copied().zip(sample_without_replacement(places.len(), poor.len(), rng))
        {
            let center = &mut self.centers[cluster * d..][..d];
            for ((center, x), point) in center.iter_mut().zip(batch.row(places[row])).zip(&self.reference) {
                *center = *x - *point;
            }
            self.standing.counts[cluster] = if least.is_finite() { least } else { 0.0 };
        }
    }
}

/// When a fit has come to its end.
pub(super) struct Patience {
    alpha: f64,
    limit: Option<usize>,
    tolerance: f64,
    /// The smoothed inertia a row, after each step but the first, which reflects the initialization only.
    pub(super) history: Vec<f64>,
    least: f64,
    without_improvement: usize,
    begun: bool,
}

impl Patience {
    pub(super) fn new(batch_size: usize, n_samples: usize, limit: Option<usize>, tolerance: f64) -> Self {
        let alpha = (2.0 * batch_size as f64 / (n_samples as f64 + 1.0)).min(1.0);
        let (history, least) = (Vec::new(), f64::INFINITY);
        Self { alpha, limit, tolerance, history, least, without_improvement: 0, begun: false }
    }

    pub(super) fn ends(&mut self, inertia: f64, moved: f64) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            return false;
        }
        let smoothed =
            self.history.last().map_or(inertia, |last| last * (1.0 - self.alpha) + inertia * self.alpha);
        self.history.push(smoothed);
        if self.tolerance > 0.0 && moved <= self.tolerance {
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
        let standing = Standing { counts: vec![0.0; 3], since_reassignment: 0, steps: 0 };
        let mut progress = Progress { centers: centers.clone(), reference: vec![0.0], standing };
        progress.step(&samples, ratio, &mut rng);
        let inertia = |centers: &[f64]| Fitted::new(centers.to_vec(), vec![0.0]).label_all(&samples).1;
        let moved = progress.centers.iter().zip(&centers).map(|(a, b)| (a - b).abs()).collect();
        (inertia(&centers), inertia(&progress.centers), moved)
    }

    #[test]
    fn centers_move_onto_rows_by_the_ratio_of_what_they_won() {
        let (before, after, moved) = step(1.0);
        assert!(after > before, "perfect centers were moved, and the inertia went from {before} to {after}");
        assert!(moved.iter().any(|moved| *moved > 1e-6));
        let (before, after, moved) = step(1e-15);
        assert!((after - before).abs() < 1e-9 && moved.iter().all(|moved| *moved < 1e-9), "{moved:?}");
    }
}
