//! Lloyd's iteration: every row to its nearest center, every center to the mean of its rows.
//!
//! The rows are cut into shards by the sizes of the problem and of the registers, and the sums of the clusters are exact: the
//! bits of a result do not depend on the number of threads. Nothing is allocated inside an iteration. The rows may be those of
//! one rank of a group: then all ranks iterate in step, and have the same centers.

pub(crate) mod batched;
mod inertia;
mod shard;
mod strategy;
mod verbose;

pub(crate) use inertia::{inertia_of, inertia_over, inertias_of_clusters};

use super::assign::elements_of_pass;
use super::assign::labels::NO_LABEL;
use super::assign::packed_centers::{PackedCenters, SquaredNorms};
use super::moments::Moments;
use super::normalize::normalize;
use super::pruning::Pruning;
use super::ranks::Ranks;
use super::samples::Samples;
use super::scratch_pool::ScratchPool;
use super::sums::Sums;
use super::sums::exact_sums::ExactSums;
use super::sums::fixed_point::FixedPoint;
use super::sums::relocation::relocate_empty;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::distance::sum_over;
use crate::parallel::thresholds::{MIN_ELEMENTS_TO_FORK, OPS_PER_ELEMENT};
use crate::parallel::{threads_for, with_hot_pool, zip_chunks};
use crate::simd::vectorize;
use inertia::{InertiaSums, not_above};
use shard::{AssignPass, AssignScratch, ScratchLayout, Shard};
use std::sync::{Mutex, PoisonError};
use strategy::AssignStrategy;
use verbose::print_iteration;

/// When a run stops, and whether it is spherical.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoppingRules {
    pub(crate) max_iter: usize,
    /// The sum of the squared center shifts at which an iteration is the last.
    pub(crate) tolerance: f64,
    /// Whether the centers are scaled to length 1.
    pub(crate) spherical: bool,
    /// Whether each iteration prints a line.
    pub(crate) verbose: bool,
}

/// The result of one run.
#[derive(Debug, Clone)]
pub(crate) struct LloydRun<F> {
    pub(crate) labels: Vec<u32>,
    /// (k, d)
    pub(crate) centers: Vec<F>,
    pub(crate) inertia: f64,
    pub(crate) n_iter: usize,
    pub(crate) converged: bool,
    /// The inertia after each iteration.
    pub(crate) history: Vec<f64>,
}

/// Limit in bytes for per-thread sums.
const MAX_SUM_BYTES: usize = 4 << 20;

/// The buffers of runs over one data set.
#[derive(Debug)]
pub(crate) struct Lloyd<'a, F> {
    samples: Samples<'a, F>,
    ranks: &'a Ranks<'a>,
    n_clusters: usize,
    mean: Vec<F>,
    total_sum_of_squares: f64,
    /// The rounding error of the total sum of squares less the explained one.
    rounding_error: f64,
    /// ‖x − mean‖² of the rows; the largest is known after the first pass.
    norms: SquaredNorms,
    packed_centers: PackedCenters<F>,
    pruning: Option<Pruning<F>>,
    shards: Vec<Shard<F>>,
    pool: ScratchPool<AssignScratch<F>>,
    scratch_layout: ScratchLayout,
    grid: FixedPoint,
    exact_sums: Mutex<ExactSums>,
    /// The sums of all ranks, if there are several.
    sums_of_ranks: Option<ExactSums>,
    sums: Sums,
    inertia_sums: InertiaSums<'a>,
}

impl<'a, F: Float> Lloyd<'a, F> {
    pub(crate) fn new(
        samples: Samples<'a, F>,
        ranks: &'a Ranks<'a>,
        moments: &Moments<F>,
        n_clusters: usize,
    ) -> Result<Self> {
        let strategy = AssignStrategy::for_data(samples.values, n_clusters, samples.n_features);
        Self::with_strategy((samples, ranks), moments, n_clusters, strategy)
    }

    fn with_strategy(
        (samples, ranks): (Samples<'a, F>, &'a Ranks<'a>),
        moments: &Moments<F>,
        n_clusters: usize,
        strategy: AssignStrategy,
    ) -> Result<Self> {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let packed_centers = PackedCenters::new(n_clusters, d);
        let elements = elements_of_pass(samples.values.len(), n_clusters);
        let n_shards = if elements < MIN_ELEMENTS_TO_FORK { 1 } else { n.div_ceil(256).min(64) };
        // Whole groups of rows: a part of one takes as long.
        let shard_rows = n.div_ceil(n_shards).max(1).next_multiple_of(packed_centers.lanes());
        let prunes = strategy.prunes() && n > 0;
        let pruning = prunes.then(|| Pruning::new(&samples, &moments.mean, &packed_centers));
        let shard = |first_row| {
            let rows = samples.slice(first_row, shard_rows.min(n - first_row)).values;
            Shard::new(first_row, rows, &moments.mean, &packed_centers, strategy)
        };
        let shards: Vec<_> = (0..n).step_by(shard_rows).map(shard).collect();
        let grid = FixedPoint::new(&samples, ranks, moments)?;
        let n_threads = threads_for(elements, shards.len());
        let has_own_sums = n_threads > 1 && n_threads.saturating_mul(grid.bytes(n_clusters)) <= MAX_SUM_BYTES;
        let scratch_layout = ScratchLayout { shard_rows, strategy, has_own_sums };
        let pool =
            ScratchPool::new(elements, shards.len(), || scratch_layout.allocate(&packed_centers, &grid));
        let exact_sums = ExactSums::new(&grid, n_clusters);
        Ok(Self {
            samples,
            ranks,
            n_clusters,
            mean: moments.mean.clone(),
            total_sum_of_squares: moments.total_sum_of_squares,
            rounding_error: moments.rounding_error(),
            norms: SquaredNorms { typical: moments.mean_variance * d as f64, largest: f64::INFINITY },
            pruning,
            shards,
            pool,
            scratch_layout,
            sums_of_ranks: (ranks.size() > 1).then(|| exact_sums.clone()),
            exact_sums: Mutex::new(exact_sums),
            grid,
            sums: Sums::new(n_clusters, d),
            inertia_sums: InertiaSums::new(n, ranks),
            packed_centers,
        })
    }

    /// Iterates from the initial centers (k, d).
    pub(crate) fn run(&mut self, initial: Vec<F>, rules: StoppingRules) -> Result<LloydRun<F>> {
        with_hot_pool(self.elements().saturating_mul(OPS_PER_ELEMENT), || self.iterate(initial, rules))
    }

    fn iterate(&mut self, initial: Vec<F>, rules: StoppingRules) -> Result<LloydRun<F>> {
        let mut labels = vec![NO_LABEL; self.samples.n_samples()];
        let mut centers = initial;
        let mut previous = centers.clone();
        let mut history = Vec::with_capacity(rules.max_iter.min(1 << 10));
        let (mut is_exact, mut relocated, mut strict, mut converged) = (false, false, false, false);
        self.pruning.iter_mut().for_each(Pruning::reset);
        // The sums are those of another run's labels.
        self.exact_sums.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        while !converged && history.len() < rules.max_iter {
            self.set_centers(&previous, &centers);
            let changed = self.assign_and_sum(&mut labels)?;
            let rows = (&self.samples, self.ranks);
            let moves = relocate_empty(rows, &centers, &labels, (&mut self.sums, self.grid.scale))?;
            std::mem::swap(&mut previous, &mut centers);
            self.sums.write_means(&mut centers);
            if rules.spherical {
                normalize(&mut centers, self.samples.n_features);
            }
            let inertia = self.inertia_after(&mut centers, &mut labels, &moves)?;
            is_exact = inertia.is_exact;
            history.push(not_above(inertia.value, history.last().copied()));
            // Labels that a relocation left behind, now or in the iteration before, are not those of the new centers.
            relocated = !moves.is_empty();
            strict = changed == 0 && !relocated && previous == centers;
            let shift = if strict { 0.0 } else { total_shift(&previous, &centers) };
            converged = strict || shift <= rules.tolerance;
            if rules.verbose {
                print_iteration(&history, converged.then_some((strict, shift)), rules.tolerance);
            }
        }
        let mut settled = strict;
        if !strict {
            self.set_centers(&previous, &centers);
            settled = self.assign_all(&mut labels)? == 0 && !relocated;
        }
        let inertia = match history.pop() {
            // That of these labels about these centers.
            Some(inertia) if settled => {
                let exact = if is_exact { inertia } else { self.inertia(&centers, &mut labels)? };
                history.push(not_above(exact, history.last().copied()));
                exact
            }
            last => {
                history.extend(last);
                self.inertia(&centers, &mut labels)?
            }
        };
        Ok(LloydRun { labels, centers, inertia, n_iter: history.len(), converged, history })
    }

    /// Packs centers that have moved, and updates the bounds.
    fn set_centers(&mut self, from: &[F], to: &[F]) {
        self.packed_centers.set(to, &self.mean, self.norms);
        if let Some(pruning) = &mut self.pruning {
            pruning.update((from, to), self.packed_centers.max_half_norm, (&self.mean, self.norms));
        }
    }

    /// The labels of all rows about these centers, and their inertia.
    pub(crate) fn label(mut self, centers: &[F]) -> Result<(Vec<u32>, f64)> {
        let mut labels = vec![NO_LABEL; self.samples.n_samples()];
        self.packed_centers.set(centers, &self.mean, self.norms);
        self.assign(&mut labels, false);
        let inertia = self.inertia(centers, &mut labels)?;
        Ok((labels, inertia))
    }

    /// Elements of a pass that compares every row with every center.
    fn elements(&self) -> usize {
        elements_of_pass(self.samples.values.len(), self.n_clusters)
    }

    /// Labels all rows, and computes the sums of the clusters. Returns the number of changed labels, of all ranks.
    fn assign_and_sum(&mut self, labels: &mut [u32]) -> Result<usize> {
        let mut changed = self.assign(labels, true);
        let exact = self.exact_sums.get_mut().unwrap_or_else(PoisonError::into_inner);
        let of_threads = self.pool.iter_mut().filter_map(|scratch| scratch.sums.as_mut());
        of_threads.for_each(|own| exact.merge(own));
        if let Some(of_all) = &mut self.sums_of_ranks {
            changed = of_all.sum_over(self.ranks, exact, changed)?;
            of_all.write_to(&self.grid, &mut self.sums);
        } else {
            exact.write_to(&self.grid, &mut self.sums);
        }
        Ok(changed)
    }

    /// Labels all rows. Returns the number of changed labels, of all ranks.
    fn assign_all(&mut self, labels: &mut [u32]) -> Result<usize> {
        let mut changed = [self.assign(labels, false) as i64];
        self.ranks.sum(&mut changed)?;
        Ok(changed[0] as usize)
    }

    /// Labels all rows, and updates the exact sums if `with_sums`. Returns the number of changed labels.
    fn assign(&mut self, labels: &mut [u32], with_sums: bool) -> usize {
        let pass = AssignPass {
            samples: self.samples,
            mean: &self.mean,
            centers: &self.packed_centers,
            pruning: self.pruning.as_ref().filter(|pruning| pruning.is_active()),
            sums: with_sums.then_some((&self.grid, &self.exact_sums)),
        };
        let (pool, layout, grid) = (&self.pool, self.scratch_layout, &self.grid);
        zip_chunks(self.elements(), &mut self.shards, labels, layout.shard_rows, |shard, labels| {
            let allocate = || layout.allocate(pass.centers, grid);
            pool.with(allocate, |scratch| shard.assign(&pass, scratch, labels));
        });
        let changed = self.shards.iter().map(|shard| shard.changed).sum();
        let searched = self.shards.iter().map(|shard| shard.searched).sum();
        let compared = self.shards.iter().map(|shard| shard.compared).sum();
        self.norms.largest = self.shards.iter().map(|shard| shard.max_square).fold(0.0, f64::max);
        self.pruning
            .iter_mut()
            .for_each(|pruning| pruning.end_pass(searched, compared, &self.packed_centers));
        changed
    }
}

/// Σ‖to − from‖² over the centers.
fn total_shift<F: Float>(from: &[F], to: &[F]) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::AssignStrategy::{Prune, StayPacked, StayPackedOrPrune, Stream};
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

    /// Compares runs with and without pruning; returns how many pruned at the end, and how many then compared rows with the
    /// centers that moved.
    fn count_pruned_runs<F: Float>(n: usize, d: usize, k: usize, seed: u64) -> [usize; 2] {
        let values = points::<F>(n, d, seed);
        let samples = Samples { values: &values, n_features: d, weights: None };
        let ranks = Ranks::alone(samples.n_samples());
        let moments = Moments::of(&samples, &ranks).unwrap();
        let start: Vec<F> = values[..k * d].to_vec();
        let rules = |max_iter| StoppingRules { max_iter, tolerance: 0.0, spherical: false, verbose: false };
        let (mut used, mut compared) = (0, 0);
        let cases = [(StayPacked, StayPackedOrPrune, true), (StayPacked, StayPackedOrPrune, false)];
        let cases = cases.into_iter().chain([(Stream, Prune, true), (Stream, Prune, false)]);
        for (max_iter, (plain, pruned, forced)) in
            [5, 30, 300].into_iter().flat_map(|max_iter| cases.clone().map(move |case| (max_iter, case)))
        {
            let mut plain = Lloyd::with_strategy((samples, &ranks), &moments, k, plain).unwrap();
            let want = plain.run(start.clone(), rules(max_iter)).unwrap();
            let mut lloyd = Lloyd::with_strategy((samples, &ranks), &moments, k, pruned).unwrap();
            lloyd.pruning.iter_mut().filter(|_| forced).for_each(Pruning::force);
            let got = lloyd.run(start.clone(), rules(max_iter)).unwrap();
            assert_eq!(got.labels, want.labels, "n = {n}, d = {d}, k = {k}, seed {seed}, {pruned:?}");
            assert_eq!((got.centers, got.n_iter), (want.centers, want.n_iter));
            assert_eq!((got.history, got.inertia), (want.history, want.inertia));
            let searched: usize = lloyd.shards.iter().map(|shard| shard.searched).sum();
            used += usize::from(searched < n && lloyd.pruning.as_ref().is_some_and(Pruning::is_active));
            compared += usize::from(lloyd.shards.iter().any(|shard| shard.compared > 0));
        }
        [used, compared]
    }

    #[test]
    fn rows_that_stay_packed_get_the_same_clusters() {
        for (n, d, k) in [(700, 5, 7), (900, 40, 70), (1500, 3, 4)] {
            let values = points::<f64>(n, d, 6);
            let weights: Vec<f64> = (0..n).map(|row| (row % 4) as f64 / 3.0).collect();
            for weights in [None, Some(&weights[..])] {
                let samples = Samples { values: &values, n_features: d, weights };
                let ranks = Ranks::alone(samples.n_samples());
                let moments = Moments::of(&samples, &ranks).unwrap();
                let start: Vec<f64> = values[..k * d].to_vec();
                let rules = StoppingRules { max_iter: 40, tolerance: 0.0, spherical: false, verbose: false };
                let run = |strategy| {
                    let mut lloyd = Lloyd::with_strategy((samples, &ranks), &moments, k, strategy).unwrap();
                    lloyd.run(start.clone(), rules).unwrap()
                };
                let (packed, streamed) = (run(StayPacked), run(Stream));
                assert_eq!((packed.labels, packed.n_iter), (streamed.labels, streamed.n_iter));
                let near = packed.centers.iter().zip(&streamed.centers).all(|(a, b)| (a - b).abs() < 1e-11);
                assert!(near, "n = {n}, d = {d}, k = {k}");
            }
        }
    }

    /// Rows that stay packed, in two runs of one `Lloyd`.
    #[test]
    fn a_run_does_not_affect_the_next_one() {
        let values = points::<f32>(700, 5, 3);
        let weights: Vec<f32> = (0..700).map(|row| (row % 4) as f32).collect();
        for weights in [None, Some(&weights[..])] {
            let samples = Samples { values: &values, n_features: 5, weights };
            let ranks = Ranks::alone(samples.n_samples());
            let moments = Moments::of(&samples, &ranks).unwrap();
            let start = |first: usize| -> Vec<f32> { values[first * 5..][..7 * 5].to_vec() };
            let rules = StoppingRules { max_iter: 9, tolerance: 0.0, spherical: false, verbose: false };
            let new = || Lloyd::new(samples, &ranks, &moments, 7).unwrap();
            let mut lloyd = new();
            lloyd.run(start(0), rules).unwrap();
            let (again, fresh) =
                (lloyd.run(start(300), rules).unwrap(), new().run(start(300), rules).unwrap());
            assert_eq!((again.labels, again.history), (fresh.labels, fresh.history));
            assert_eq!(again.centers, fresh.centers);
        }
    }

    #[test]
    fn pruning_changes_no_bit_of_a_run() {
        let (mut used, mut compared) = (0, 0);
        for seed in 0..8 {
            for [used_here, compared_here] in [
                count_pruned_runs::<f32>(700, 2, 17, seed),
                count_pruned_runs::<f32>(900, 9, 40, seed),
                count_pruned_runs::<f64>(700, 3, 25, seed),
                count_pruned_runs::<f64>(600, 16, 16, seed),
            ] {
                used += used_here;
                compared += compared_here;
            }
        }
        assert!(used >= 160, "only {used} of 384 runs pruned at the end");
        assert!(compared >= 20, "only {compared} of 384 runs compared rows with the centers that moved");
    }
}
