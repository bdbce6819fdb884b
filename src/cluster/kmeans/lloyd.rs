//! Lloyd's iteration: every row to its nearest center, every center to the mean of its rows.
//!
//! The rows are cut into shards by the sizes of the problem and of the registers, and what the shards add up is folded in
//! their order: the bits of a result do not depend on the number of threads. Nothing is allocated inside an iteration.

use super::bounds::{self, Bounds};
use super::desk::{Desk, Desks, Tasks};
use super::distance::{squared_distance_about, sum_over};
use super::exact::ExactSums;
use super::nearest::{Centers, NO_LABEL};
use super::relocation::relocate_empty;
use super::samples::{Moments, Samples};
use super::sums::{Sums, add_clusters, width};
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel::{attended, zip_chunks};
use crate::simd::{prefetch, vectorize};

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_iter: usize,
    /// The sum of the squared center moves at which an iteration is the last.
    pub(crate) tolerance: f64,
    /// Whether the centers are scaled to length 1.
    pub(crate) spherical: bool,
}

/// What came out of one run.
#[derive(Debug, Clone)]
pub(crate) struct Run<F> {
    pub(crate) labels: Vec<u32>,
    /// (k, d), less the mean of the data.
    pub(crate) centers: Vec<F>,
    pub(crate) inertia: f64,
    pub(crate) n_iter: usize,
    pub(crate) converged: bool,
    /// The inertia after each iteration.
    pub(crate) history: Vec<f64>,
}

/// The most room for the shards' own sums, in bytes.
const ROOM_FOR_SUMS: usize = 4 << 20;

/// The most bytes of rows that are kept as the search reads them: they stay in the second-level cache.
const KEPT_BYTES: usize = 1 << 20;

/// Multiply-adds of the search that take as long as an operation elsewhere.
const MULTIPLY_ADDS: usize = 16;

/// Ranges of clusters, where the sums are added up cluster by cluster.
const RANGES: usize = 16;

/// A stretch of the rows, and what is known of it.
#[derive(Debug)]
struct Shard<F> {
    first_row: usize,
    /// The rows as the search reads them; empty where there are too many of them to keep.
    turned: Buffer<F>,
    /// Absent where the sums are added up cluster by cluster, or kept.
    sums: Sums,
    /// How far each row's nearest center is from being another; empty where no bounds are kept.
    gaps: Vec<f32>,
    changed: usize,
    searched: usize,
    inertia: f64,
}

/// The place in which runs over one data set happen.
#[derive(Debug)]
pub(crate) struct Lloyd<'a, F> {
    samples: Samples<'a, F>,
    n_clusters: usize,
    mean: Vec<F>,
    spread: f64,
    nearest: Centers<F>,
    bounds: Option<Bounds>,
    shards: Vec<Shard<F>>,
    desks: Desks<Desk<F>>,
    tasks: Tasks,
    shard_rows: usize,
    sums: Sums,
    /// Where the rows are kept as the search reads them, so are the sums from one iteration to the next, and the labels
    /// that they are the sums of.
    exact: Option<ExactSums>,
    previous: Vec<u32>,
    ranges: Vec<usize>,
}

impl<'a, F: Float> Lloyd<'a, F> {
    pub(crate) fn new(samples: Samples<'a, F>, moments: &Moments<F>, n_clusters: usize) -> Self {
        let bounded = Bounds::pay(n_clusters, samples.n_features);
        let few = size_of_val(samples.values) <= KEPT_BYTES;
        Self::in_ways(samples, moments, n_clusters, (bounded, few))
    }

    /// With bounds or without; with rows that are kept as the search reads them, or without.
    fn in_ways(
        samples: Samples<'a, F>,
        moments: &Moments<F>,
        n_clusters: usize,
        (bounded, few): (bool, bool),
    ) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let exact = few.then(|| ExactSums::new(&samples, moments, n_clusters)).flatten();
        let kept = exact.is_some();
        let by_rows =
            (n / (4 * n_clusters).max(1024)).min(ROOM_FOR_SUMS / (8 * n_clusters * width(d))).clamp(1, 64);
        // Sums of its own for each shard pay while there are few clusters.
        let own_sums = !kept && (by_rows >= 16 || n_clusters < 64);
        let nearest = Centers::new(n_clusters, d);
        // Whole groups of rows: a part of one takes as long.
        let shard_rows = n
            .div_ceil(if own_sums { by_rows } else { n.div_ceil(256).min(64) })
            .next_multiple_of(nearest.lanes());
        let bounds = bounded.then(|| Bounds::new::<F>(n, n_clusters, d));
        let shard = |first_row| {
            let n_rows = shard_rows.min(n - first_row);
            let rows = samples.part(first_row, n_rows).values;
            let turned = if kept { nearest.turned(rows, &moments.mean) } else { Buffer::default() };
            let gaps = vec![0.0; if bounded { n_rows } else { 0 }];
            let sums = if own_sums { Sums::new(n_clusters, d) } else { Sums::default() };
            Shard { first_row, turned, sums, gaps, changed: 0, searched: 0, inertia: 0.0 }
        };
        let shards: Vec<_> = (0..n).step_by(shard_rows).map(shard).collect();
        let tasks = Tasks { gather: bounded, turned: kept };
        let operations = samples.values.len().saturating_mul(n_clusters) / MULTIPLY_ADDS;
        let desks = Desks::new(operations, shards.len(), || Desk::new(&nearest, shard_rows, tasks));
        Self {
            samples,
            n_clusters,
            mean: moments.mean.clone(),
            spread: moments.spread,
            nearest,
            bounds,
            shards,
            desks,
            tasks,
            shard_rows,
            sums: Sums::new(n_clusters, d),
            exact,
            previous: vec![NO_LABEL; if kept { n } else { 0 }],
            ranges: (0..n_clusters).step_by(n_clusters.div_ceil(RANGES)).collect(),
        }
    }

    /// Iterates from the centers `start` (k, d), from which the mean of the data was taken.
    pub(crate) fn run(&mut self, start: Vec<F>, rules: Rules) -> Run<F> {
        attended(self.operations(), || self.iterate(start, rules))
    }

    fn iterate(&mut self, start: Vec<F>, rules: Rules) -> Run<F> {
        let mut labels = vec![NO_LABEL; self.samples.n_samples()];
        let mut centers = start;
        let mut previous = centers.clone();
        let mut history = Vec::with_capacity(rules.max_iter.min(1 << 10));
        let (mut relocated, mut strict, mut converged) = (false, false, false);
        self.bounds.iter_mut().for_each(Bounds::reset);
        // The sums are those of another run's labels.
        self.exact.iter_mut().for_each(ExactSums::clear);
        while !converged && history.len() < rules.max_iter {
            self.follow(&previous, &centers);
            let changed = self.assign_and_sum(&mut labels);
            relocated = relocate_empty(&self.samples, &self.mean, &centers, &labels, &mut self.sums);
            std::mem::swap(&mut previous, &mut centers);
            self.sums.average(&mut centers);
            if rules.spherical {
                normalize(&mut centers, self.samples.n_features);
            }
            history.push((self.spread - self.sums.explained(&centers)).max(0.0));
            // Labels that a relocation left behind are not those of the new centers.
            strict = changed == 0 && !relocated;
            converged = strict || moved(&previous, &centers) <= rules.tolerance;
        }
        let mut settled = strict;
        if !strict {
            self.follow(&previous, &centers);
            settled = self.assign(&mut labels, false) == 0 && !relocated;
        }
        let inertia = match history.last() {
            // The sums are those of these labels, and tell what a pass over the rows would.
            Some(&inertia) if settled && self.is_exact(inertia) => inertia,
            _ => self.inertia(&centers, &mut labels),
        };
        Run { labels, centers, inertia, n_iter: history.len(), converged, history }
    }

    /// Makes ready for centers that have moved.
    fn follow(&mut self, from: &[F], to: &[F]) {
        self.nearest.set(to);
        if let Some(bounds) = &mut self.bounds {
            bounds.follow(from, to, &self.nearest.half_norms);
        }
    }

    /// The labels of all rows about these centers, and their inertia.
    pub(crate) fn label(mut self, centers: &[F]) -> (Vec<u32>, f64) {
        let mut labels = vec![NO_LABEL; self.samples.n_samples()];
        self.nearest.set(centers);
        self.assign(&mut labels, false);
        let inertia = self.inertia(centers, &mut labels);
        (labels, inertia)
    }

    /// Multiply-adds of a pass in which every row meets every center.
    fn operations(&self) -> usize {
        self.samples.values.len().saturating_mul(self.n_clusters)
    }

    /// One pass over the rows: their labels, and the sums of the clusters. Answers how many labels changed.
    fn assign_and_sum(&mut self, labels: &mut [u32]) -> usize {
        self.previous.copy_from_slice(if self.exact.is_some() { labels } else { &[] });
        let changed = self.assign(labels, true);
        if let Some(exact) = &mut self.exact {
            exact.follow(&self.samples, &self.mean, &self.previous, labels);
            exact.write(&mut self.sums);
            return changed;
        }
        self.sums.clear();
        if self.shards.iter().any(|shard| shard.sums.is_absent()) {
            let (samples, d) = (self.samples, self.samples.n_features);
            let clusters = self.n_clusters.div_ceil(RANGES);
            let (mean, labels) = (&self.mean, &*labels);
            zip_chunks(
                samples.values.len() * 4,
                &mut self.ranges,
                &mut self.sums.lines,
                clusters * width(d),
                |first, lines| {
                    vectorize(
                        #[inline(always)]
                        || add_clusters(*first, lines, &samples, mean, labels),
                    );
                },
            );
        } else {
            self.shards.iter().for_each(|shard| self.sums.add(&shard.sums));
        }
        changed
    }

    /// One pass over the rows: their labels, and, if asked for, the shards' own sums, where there are any. Answers how
    /// many labels changed.
    fn assign(&mut self, labels: &mut [u32], sum: bool) -> usize {
        let pass = Pass {
            samples: self.samples,
            mean: &self.mean,
            nearest: &self.nearest,
            bounds: self.bounds.as_ref().filter(|bounds| bounds.is_active()),
            sum,
        };
        let (desks, shard_rows, tasks) = (&self.desks, self.shard_rows, self.tasks);
        zip_chunks(
            self.operations() / MULTIPLY_ADDS,
            &mut self.shards,
            labels,
            self.shard_rows,
            |shard, labels| {
                let make = || Desk::new(pass.nearest, shard_rows, tasks);
                desks.with(make, |desk| shard.assign(&pass, desk, labels));
            },
        );
        let changed = self.shards.iter().map(|shard| shard.changed).sum();
        let searched = self.shards.iter().map(|shard| shard.searched).sum();
        self.bounds.iter_mut().for_each(|bounds| bounds.decide(changed, searched));
        changed
    }

    /// Whether an inertia that is the spread less what the centers explain has all digits that `F` has.
    fn is_exact(&self, inertia: f64) -> bool {
        /// What sums of `f64` are off by, in parts of the spread.
        const ROUNDING: f64 = 1e-12;
        inertia * F::epsilon().as_f64() >= self.spread * ROUNDING
    }

    /// Σ wᵢ‖xᵢ − c‖² by the direct formula.
    fn inertia(&mut self, centers: &[F], labels: &mut [u32]) -> f64 {
        let (samples, mean) = (self.samples, &self.mean);
        zip_chunks(samples.values.len(), &mut self.shards, labels, self.shard_rows, |shard, labels| {
            shard.inertia = inertia_of(&samples.part(shard.first_row, labels.len()), mean, centers, labels);
        });
        self.shards.iter().map(|shard| shard.inertia).sum()
    }
}

/// What a pass over the rows needs to know.
struct Pass<'a, F> {
    samples: Samples<'a, F>,
    mean: &'a [F],
    nearest: &'a Centers<F>,
    bounds: Option<&'a Bounds>,
    /// Whether the rows are summed up, too.
    sum: bool,
}

impl<F: Float> Shard<F> {
    fn assign(&mut self, pass: &Pass<'_, F>, desk: &mut Desk<F>, labels: &mut [u32]) {
        let samples = pass.samples.part(self.first_row, labels.len());
        (self.changed, self.searched) = (0, 0);
        if pass.bounds.is_none() && !self.turned.is_empty() {
            self.changed = pass.nearest.label_turned(&self.turned, &mut desk.room, labels);
            return;
        }
        self.sums.clear();
        // Rows are labelled and summed up before the next ones: they are read from memory once.
        let together = desk.room.rows();
        for (index, labels) in labels.chunks_mut(together).enumerate() {
            let part = samples.part(index * together, labels.len());
            if let Some(bounds) = pass.bounds {
                let gaps = &mut self.gaps[index * together..][..labels.len()];
                let (changed, searched) =
                    bounds::label(part.values, gaps, pass.mean, (bounds, pass.nearest), desk, labels);
                self.changed += changed;
                self.searched += searched;
            } else {
                let ahead = &samples.values[index * together * samples.n_features..];
                self.changed += pass.nearest.label(ahead, pass.mean, &mut desk.room, labels);
            }
            if pass.sum {
                let next = &samples.values[(index * together + labels.len()) * samples.n_features..];
                let [.., ahead] = pass.nearest.ahead(next, together);
                self.sums.add_rows(&part, pass.mean, labels, ahead);
            }
        }
    }
}

/// Σ wᵢ‖xᵢ − c‖² over labelled rows, the mean taken from them as from the centers.
pub(crate) fn inertia_of<F: Float>(
    samples: &Samples<'_, F>,
    mean: &[F],
    centers: &[F],
    labels: &[u32],
) -> f64 {
    /// Numbers that are fetched before they are needed.
    const AHEAD: usize = 1024;
    let d = samples.n_features;
    vectorize(
        #[inline(always)]
        || {
            let mut inertia = 0.0;
            for (row, (x, &label)) in samples.values.chunks_exact(d).zip(labels).enumerate() {
                prefetch(x.as_ptr().wrapping_add(AHEAD.max(d)), d);
                let center = &centers[label as usize * d..][..d];
                inertia += samples.weight(row) * squared_distance_about(x, mean, center).as_f64();
            }
            inertia
        },
    )
}

/// The labels of rows about centers.
pub(crate) fn assign<F: Float>(
    samples: &Samples<'_, F>,
    mean: &[F],
    nearest: &Centers<F>,
    labels: &mut [u32],
) {
    let n = samples.n_samples();
    if n <= 256 {
        // One shard.
        nearest.label(samples.values, mean, &mut nearest.room(n), labels);
        return;
    }
    let shard_rows = n.div_ceil(n.div_ceil(256).clamp(1, 64)).max(1);
    let mut first_rows: Vec<_> = (0..n).step_by(shard_rows).collect();
    let make = || Desk::new(nearest, shard_rows, Tasks::default());
    let operations = samples.values.len().saturating_mul(nearest.n_clusters()) / MULTIPLY_ADDS;
    let desks = Desks::new(operations, first_rows.len(), make);
    zip_chunks(operations, &mut first_rows, labels, shard_rows, |first_row, labels| {
        let rows = samples.part(*first_row, labels.len()).values;
        desks.with(make, |desk| nearest.label(rows, mean, &mut desk.room, labels));
    });
}

/// Σ‖move‖² over the centers.
fn moved<F: Float>(from: &[F], to: &[F]) -> f64 {
    vectorize(
        #[inline(always)]
        || {
            sum_over(from, to, |from, to| {
                let step = (to - from).as_f64();
                step * step
            })
        },
    )
}

/// Scales every row to length 1; a row of zeros, which has no direction, stays as it is.
pub(crate) fn normalize<F: Float>(rows: &mut [F], n_features: usize) {
    for row in rows.chunks_exact_mut(n_features) {
        // By the largest number first: the squares of small ones are lost, even in `f64`.
        let largest = row.iter().fold(0.0, |largest: f64, x| largest.max(x.as_f64().abs()));
        if largest > 0.0 {
            let norm = row.iter().map(|x| (x.as_f64() / largest).powi(2)).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x = F::of(x.as_f64() / largest / norm));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    /// Blobs of all degrees of overlap, far from the origin, with points that lie twice.
    fn points<F: Float>(n: usize, d: usize, seed: u64) -> Vec<F> {
        let mut rng = Rng::new(seed, Purpose::Other, 0);
        let centers: Vec<f64> = (0..12 * d).map(|_| 4.0 * rng.normal()).collect();
        let mut points = Vec::with_capacity(n * d);
        for row in 0..n {
            let blob = row % 12;
            if row % 10 == 9 {
                points.extend_from_within((row - 1) * d..);
                continue;
            }
            let spread = 0.1 + 0.2 * blob as f64;
            points.extend((0..d).map(|f| F::of(50.0 + centers[blob * d + f] + spread * rng.normal())));
        }
        points
    }

    /// The same runs with bounds and without; answers how many iterations used them.
    fn with_and_without<F: Float>(n: usize, d: usize, k: usize, seed: u64) -> usize {
        let values = points::<F>(n, d, seed);
        let samples = Samples { values: &values, n_features: d, weights: None };
        let moments = Moments::of(&samples).unwrap();
        let start: Vec<F> =
            values[..k * d].iter().zip(moments.mean.iter().cycle()).map(|(x, mean)| *x - *mean).collect();
        let rules = |max_iter| Rules { max_iter, tolerance: 0.0, spherical: false };
        let mut used = 0;
        for (max_iter, few) in [(5, true), (30, true), (300, true), (5, false), (30, false), (300, false)] {
            let mut plain = Lloyd::in_ways(samples, &moments, k, (false, few));
            let want = plain.run(start.clone(), rules(max_iter));
            let mut lloyd = Lloyd::in_ways(samples, &moments, k, (true, few));
            let got = lloyd.run(start.clone(), rules(max_iter));
            assert_eq!(got.labels, want.labels, "n = {n}, d = {d}, k = {k}, seed {seed}, few: {few}");
            assert_eq!((got.centers, got.n_iter), (want.centers, want.n_iter));
            assert_eq!((got.history, got.inertia), (want.history, want.inertia));
            let searched: usize = lloyd.shards.iter().map(|shard| shard.searched).sum();
            used += usize::from(searched < n && lloyd.bounds.as_ref().is_some_and(Bounds::is_active));
        }
        used
    }

    #[test]
    fn rows_of_any_length_get_length_1() {
        let mut rows = [3e-170, 4e-170, 0.0, 0.0, -6e150, 8e150];
        normalize(&mut rows, 2);
        let near = |(got, want): (&f64, &f64)| (got - want).abs() < 1e-15;
        assert!(rows.iter().zip(&[0.6, 0.8, 0.0, 0.0, -0.6, 0.8]).all(near), "{rows:?}");
    }

    /// Sums that are kept and sums that are made anew differ by their rounding alone.
    #[test]
    fn rows_that_are_kept_lead_where_others_do() {
        for (n, d, k) in [(700, 5, 7), (900, 40, 70), (1500, 3, 4)] {
            let values = points::<f64>(n, d, 6);
            let weights: Vec<f64> = (0..n).map(|row| (row % 4) as f64 / 3.0).collect();
            for weights in [None, Some(&weights[..])] {
                let samples = Samples { values: &values, n_features: d, weights };
                let moments = Moments::of(&samples).unwrap();
                let start: Vec<f64> = values[..k * d]
                    .iter()
                    .zip(moments.mean.iter().cycle())
                    .map(|(x, mean)| x - mean)
                    .collect();
                let rules = Rules { max_iter: 40, tolerance: 0.0, spherical: false };
                let run = |few| Lloyd::in_ways(samples, &moments, k, (false, few)).run(start.clone(), rules);
                let (kept, anew) = (run(true), run(false));
                assert_eq!((kept.labels, kept.n_iter), (anew.labels, anew.n_iter));
                let near = kept.centers.iter().zip(&anew.centers).all(|(a, b)| (a - b).abs() < 1e-11);
                assert!(near, "n = {n}, d = {d}, k = {k}");
            }
        }
    }

    /// Rows few enough to be kept as the search reads them, twice in the same place.
    #[test]
    fn a_run_leaves_nothing_behind_for_the_next_one() {
        let values = points::<f32>(700, 5, 3);
        let weights: Vec<f32> = (0..700).map(|row| (row % 4) as f32).collect();
        for weights in [None, Some(&weights[..])] {
            let samples = Samples { values: &values, n_features: 5, weights };
            let moments = Moments::of(&samples).unwrap();
            let start = |first: usize| -> Vec<f32> {
                let rows = values[first * 5..][..7 * 5].iter();
                rows.zip(moments.mean.iter().cycle()).map(|(x, mean)| *x - *mean).collect()
            };
            let rules = Rules { max_iter: 9, tolerance: 0.0, spherical: false };
            let mut lloyd = Lloyd::new(samples, &moments, 7);
            lloyd.run(start(0), rules);
            let (again, fresh) =
                (lloyd.run(start(300), rules), Lloyd::new(samples, &moments, 7).run(start(300), rules));
            assert_eq!((again.labels, again.history), (fresh.labels, fresh.history));
            assert_eq!(again.centers, fresh.centers);
        }
    }

    #[test]
    fn bounds_change_no_bit_of_a_run() {
        let mut used = 0;
        for seed in 0..8 {
            used += with_and_without::<f32>(700, 2, 17, seed);
            used += with_and_without::<f32>(900, 9, 40, seed);
            used += with_and_without::<f64>(700, 3, 25, seed);
            used += with_and_without::<f64>(600, 16, 16, seed);
        }
        assert!(used >= 80, "the bounds were in use at the end of only {used} of 192 runs");
    }
}
