//! Lloyd's iteration: every row to its nearest center, every center to the mean of its rows.
//!
//! The rows are cut into shards by the sizes of the problem and of the registers, and the sums of the clusters are exact: the
//! bits of a result do not depend on the number of threads. Nothing is allocated inside an iteration.

use super::distance::{squared_distance, sum_over};
use super::fixed_point::{ExactSums, FixedPoint};
use super::packed_centers::{Lengths, NO_LABEL, PackedCenters};
use super::pruning::{self, Bounds, Gathered, STRETCH};
use super::relocation::relocate_empty;
use super::samples::{Moments, Samples};
use super::scratch_pool::{Scratch, ScratchPool};
use super::sums::Sums;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel::thresholds::{MIN_ELEMENTS_TO_FORK, OPS_PER_ELEMENT};
use crate::parallel::{threads_for, with_hot_pool, zip_chunks};
use crate::simd::{prefetch, vectorize};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_iter: usize,
    /// The sum of the squared center moves at which an iteration is the last.
    pub(crate) tolerance: f64,
    /// Whether the centers are scaled to length 1.
    pub(crate) spherical: bool,
    /// Whether each iteration prints a line.
    pub(crate) verbose: bool,
}

/// What came out of one run.
#[derive(Debug, Clone)]
pub(crate) struct Run<F> {
    pub(crate) labels: Vec<u32>,
    /// (k, d)
    pub(crate) centers: Vec<F>,
    pub(crate) inertia: f64,
    pub(crate) n_iter: usize,
    pub(crate) converged: bool,
    /// The inertia after each iteration.
    pub(crate) history: Vec<f64>,
}

/// An inertia, and whether it has all digits that its type has.
#[derive(Debug, Clone, Copy)]
struct Inertia {
    value: f64,
    is_exact: bool,
}

/// Limit in bytes for per-thread sums.
const MAX_SUM_BYTES: usize = 4 << 20;

/// The most bytes of rows that are kept as the search reads them: they stay in the second-level cache.
const MAX_PACKED_BYTES: usize = 1 << 20;

/// A stretch of the rows, and what is known of it.
#[derive(Debug)]
struct Shard<F> {
    first_row: usize,
    /// The rows as the search reads them; empty where there are too many of them to keep.
    turned: Buffer<F>,
    /// ‖x − mean‖² of these rows, after the first pass.
    squares: Buffer<F>,
    squares_known: bool,
    /// How far each row's nearest center is from being another; empty where no bounds are kept.
    gaps: Vec<f32>,
    changed: usize,
    searched: usize,
    /// The largest ‖x − mean‖² that a pass has seen, if it has seen all rows.
    largest: f64,
    inertia: f64,
}

/// The sizes of a thread's scratch buffers.
#[derive(Debug, Clone, Copy)]
struct ScratchLayout {
    /// Rows of a shard.
    n_rows: usize,
    /// Whether the rows are packed already, rows are gathered by bounds, and each thread has separate sums.
    turned: bool,
    gathers: bool,
    own_sums: bool,
}

impl ScratchLayout {
    fn desk<F: Float>(self, centers: &PackedCenters<F>, steps: &FixedPoint) -> Scratch<F> {
        let room = match (self.gathers, self.turned) {
            (true, _) => centers.large_room(self.n_rows),
            (false, true) => centers.room_for_turned(self.n_rows),
            (false, false) => centers.room(self.n_rows),
        };
        let (stretch, gathered) = if self.gathers { (STRETCH.min(self.n_rows), room.rows()) } else { (0, 0) };
        Scratch {
            gathered: Gathered::new(stretch, gathered, centers.n_features()),
            moved: Vec::with_capacity(room.rows()),
            room,
            sums: self.own_sums.then(|| ExactSums::new(steps, centers.n_clusters())),
        }
    }
}

/// The place in which runs over one data set happen.
#[derive(Debug)]
pub(crate) struct Lloyd<'a, F> {
    samples: Samples<'a, F>,
    n_clusters: usize,
    mean: Vec<F>,
    spread: f64,
    /// What `spread` less what the centers explain may be off by.
    noise: f64,
    /// ‖x − mean‖² of the rows, the largest being known after the first pass.
    lengths: Lengths,
    nearest: PackedCenters<F>,
    bounds: Option<Bounds<F>>,
    shards: Vec<Shard<F>>,
    desks: ScratchPool<Scratch<F>>,
    furniture: ScratchLayout,
    steps: FixedPoint,
    exact: Mutex<ExactSums>,
    sums: Sums,
}

impl<'a, F: Float> Lloyd<'a, F> {
    pub(crate) fn new(samples: Samples<'a, F>, moments: &Moments<F>, n_clusters: usize) -> Self {
        let few = size_of_val(samples.values) <= MAX_PACKED_BYTES;
        let bounded = Bounds::<F>::pay(n_clusters, samples.n_features, few);
        Self::with_strategy(samples, moments, n_clusters, (bounded, few))
    }

    /// With bounds or without; with rows that are kept as the search reads them, or without.
    fn with_strategy(
        samples: Samples<'a, F>,
        moments: &Moments<F>,
        n_clusters: usize,
        (bounded, kept): (bool, bool),
    ) -> Self {
        let (n, d) = (samples.n_samples(), samples.n_features);
        let nearest = PackedCenters::new(n_clusters, d);
        let operations = samples.values.len().saturating_mul(n_clusters) / OPS_PER_ELEMENT;
        let n_shards = if operations < MIN_ELEMENTS_TO_FORK { 1 } else { n.div_ceil(256).min(64) };
        // Whole groups of rows: a part of one takes as long.
        let shard_rows = n.div_ceil(n_shards).next_multiple_of(nearest.lanes());
        let bounds = bounded.then(|| Bounds::new(&samples, &moments.mean, &nearest));
        let shard = |first_row| {
            let n_rows = shard_rows.min(n - first_row);
            let rows = samples.part(first_row, n_rows).values;
            let turned = if kept { nearest.turned(rows, &moments.mean) } else { Buffer::default() };
            let squares = Buffer::new(turned.len() / d);
            let gaps = vec![0.0; if bounded { n_rows } else { 0 }];
            Shard {
                first_row,
                turned,
                squares,
                squares_known: false,
                gaps,
                changed: 0,
                searched: 0,
                largest: f64::INFINITY,
                inertia: 0.0,
            }
        };
        let shards: Vec<_> = (0..n).step_by(shard_rows).map(shard).collect();
        let steps = FixedPoint::new(&samples, moments);
        let n_desks = threads_for(operations, shards.len());
        let own_sums = n_desks > 1 && n_desks.saturating_mul(steps.bytes(n_clusters)) <= MAX_SUM_BYTES;
        let furniture = ScratchLayout { n_rows: shard_rows, turned: kept, gathers: bounded, own_sums };
        let desks = ScratchPool::new(operations, shards.len(), || furniture.desk(&nearest, &steps));
        Self {
            samples,
            n_clusters,
            mean: moments.mean.clone(),
            spread: moments.spread,
            noise: moments.noise(&samples),
            lengths: Lengths { typical: moments.mean_variance * d as f64, largest: f64::INFINITY },
            bounds,
            shards,
            desks,
            furniture,
            exact: Mutex::new(ExactSums::new(&steps, n_clusters)),
            steps,
            sums: Sums::new(n_clusters, d),
            nearest,
        }
    }

    /// Iterates from the centers `start` (k, d).
    pub(crate) fn run(&mut self, start: Vec<F>, rules: Rules) -> Run<F> {
        with_hot_pool(self.operations(), || self.iterate(start, rules))
    }

    fn iterate(&mut self, start: Vec<F>, rules: Rules) -> Run<F> {
        let mut labels = vec![NO_LABEL; self.samples.n_samples()];
        let mut centers = start;
        let mut previous = centers.clone();
        let mut history = Vec::with_capacity(rules.max_iter.min(1 << 10));
        let (mut is_exact, mut relocated, mut strict, mut converged) = (false, false, false, false);
        self.bounds.iter_mut().for_each(Bounds::reset);
        // The sums are those of another run's labels.
        self.exact.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        while !converged && history.len() < rules.max_iter {
            self.follow(&previous, &centers);
            let changed = self.assign_and_sum(&mut labels);
            let moves = relocate_empty(&self.samples, &centers, &labels, (&mut self.sums, self.steps.scale));
            std::mem::swap(&mut previous, &mut centers);
            self.sums.average(&mut centers);
            if rules.spherical {
                normalize(&mut centers, self.samples.n_features);
            }
            let inertia = self.inertia_after(&mut centers, &mut labels, &moves);
            is_exact = inertia.is_exact;
            history.push(not_above(inertia.value, history.last().copied()));
            // Labels that a relocation left behind, now or in the iteration before, are not those of the new centers.
            relocated = !moves.is_empty();
            strict = changed == 0 && !relocated && previous == centers;
            let shift = if strict { 0.0 } else { moved(&previous, &centers) };
            converged = strict || shift <= rules.tolerance;
            if rules.verbose {
                print_iteration(&history, converged.then_some((strict, shift)), rules.tolerance);
            }
        }
        let mut settled = strict;
        if !strict {
            self.follow(&previous, &centers);
            settled = self.assign(&mut labels, false) == 0 && !relocated;
        }
        let inertia = match history.pop() {
            // That of these labels about these centers.
            Some(inertia) if settled => {
                let exact = if is_exact { inertia } else { self.inertia(&centers, &mut labels) };
                history.push(not_above(exact, history.last().copied()));
                exact
            }
            last => {
                history.extend(last);
                self.inertia(&centers, &mut labels)
            }
        };
        Run { labels, centers, inertia, n_iter: history.len(), converged, history }
    }

    /// Makes ready for centers that have moved.
    fn follow(&mut self, from: &[F], to: &[F]) {
        self.nearest.set(to, &self.mean, self.lengths);
        if let Some(bounds) = &mut self.bounds {
            bounds.follow(from, to, self.nearest.longest);
        }
    }

    /// The labels of all rows about these centers, and their inertia.
    pub(crate) fn label(mut self, centers: &[F]) -> (Vec<u32>, f64) {
        let mut labels = vec![NO_LABEL; self.samples.n_samples()];
        self.nearest.set(centers, &self.mean, self.lengths);
        self.assign(&mut labels, false);
        let inertia = self.inertia(centers, &mut labels);
        (labels, inertia)
    }

    /// Multiply-adds of a pass that compares every row with every center.
    fn operations(&self) -> usize {
        self.samples.values.len().saturating_mul(self.n_clusters)
    }

    /// One pass over the rows: their labels, and the sums of the clusters. Answers how many labels changed.
    fn assign_and_sum(&mut self, labels: &mut [u32]) -> usize {
        let changed = self.assign(labels, true);
        let exact = self.exact.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.desks.iter_mut().filter_map(|desk| desk.sums.as_mut()).for_each(|own| exact.gather(own));
        exact.write(&self.steps, &mut self.sums);
        changed
    }

    /// One pass over the rows: their labels, and, if asked for, what becomes of the exact sums. Answers how many labels
    /// changed.
    fn assign(&mut self, labels: &mut [u32], sum: bool) -> usize {
        let pass = Pass {
            samples: self.samples,
            mean: &self.mean,
            nearest: &self.nearest,
            bounds: self.bounds.as_ref().filter(|bounds| bounds.is_active()),
            sums: sum.then_some((&self.steps, &self.exact)),
        };
        let (desks, furniture, steps) = (&self.desks, self.furniture, &self.steps);
        zip_chunks(
            self.operations() / OPS_PER_ELEMENT,
            &mut self.shards,
            labels,
            furniture.n_rows,
            |shard, labels| {
                let make = || furniture.desk(pass.nearest, steps);
                desks.with(make, |desk| shard.assign(&pass, desk, labels));
            },
        );
        let changed = self.shards.iter().map(|shard| shard.changed).sum();
        let searched = self.shards.iter().map(|shard| shard.searched).sum();
        self.lengths.largest = self.shards.iter().map(|shard| shard.largest).fold(0.0, f64::max);
        self.bounds.iter_mut().for_each(|bounds| bounds.end(searched, &self.nearest));
        changed
    }

    /// The inertia of the labels about the centers made of them, a few rows having `moved` to other clusters since.
    ///
    /// The spread less what the centers explain costs nothing, but cancels where clusters are tight. There the rows are read
    /// again; then the center of a cluster of equal rows becomes that row, to the bit.
    fn inertia_after(&mut self, centers: &mut [F], labels: &mut [u32], moves: &[(usize, u32)]) -> Inertia {
        /// The relative error up to which an inertia in the history is right.
        const ACCURACY: f64 = 1e-9;
        let value = self.spread - self.sums.explained(centers, &self.mean) / self.steps.scale;
        let digits = F::epsilon().as_f64();
        if value * digits.max(ACCURACY) >= self.noise {
            return Inertia { value, is_exact: value * digits >= self.noise };
        }
        let before: Vec<u32> = moves.iter().map(|&(row, _)| labels[row]).collect();
        moves.iter().for_each(|&(row, cluster)| labels[row] = cluster);
        let mut value = self.inertia(centers, labels);
        if value > 0.0 && snap_to_equal_rows(&self.samples, labels, centers) {
            value = self.inertia(centers, labels);
        }
        moves.iter().zip(before).for_each(|(&(row, _), label)| labels[row] = label);
        Inertia { value, is_exact: true }
    }

    /// Σ wᵢ‖xᵢ − c‖² by the direct formula.
    fn inertia(&mut self, centers: &[F], labels: &mut [u32]) -> f64 {
        let samples = self.samples;
        zip_chunks(samples.values.len(), &mut self.shards, labels, self.furniture.n_rows, |shard, labels| {
            shard.inertia = inertia_of(&samples.part(shard.first_row, labels.len()), centers, labels);
        });
        self.shards.iter().map(|shard| shard.inertia).sum()
    }
}

/// Prints the inertia of the last iteration, and how the run converged, in the words of scikit-learn.
fn print_iteration(history: &[f64], converged: Option<(bool, f64)>, tolerance: f64) {
    let number = history.len().saturating_sub(1);
    let inertia = history.last().copied().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    // Ignore a closed pipe: the fit continues without output.
    let _ = writeln!(out, "Iteration {number}, inertia {inertia}.");
    let _ = match converged {
        None => Ok(()),
        Some((true, _)) => writeln!(out, "Converged at iteration {number}: strict convergence."),
        Some((false, shift)) => {
            writeln!(
                out,
                "Converged at iteration {number}: center shift {shift} within tolerance {tolerance}."
            )
        }
    };
}

/// What a pass over the rows needs to know.
struct Pass<'a, F> {
    samples: Samples<'a, F>,
    mean: &'a [F],
    nearest: &'a PackedCenters<F>,
    bounds: Option<&'a Bounds<F>>,
    /// How the rows are summed, and the shared sums of threads without separate ones; `None` when no sums are needed.
    sums: Option<(&'a FixedPoint, &'a Mutex<ExactSums>)>,
}

impl<F: Float> Shard<F> {
    fn assign(&mut self, pass: &Pass<'_, F>, desk: &mut Scratch<F>, labels: &mut [u32]) {
        let samples = pass.samples.part(self.first_row, labels.len());
        (self.changed, self.searched) = (0, 0);
        let mean = pass.mean;
        // Rows that are gathered, or turned, are many at once.
        let many = desk.room.rows();
        let together = pass.nearest.together().min(many);
        if let Some(bounds) = pass.bounds {
            for first in (0..labels.len()).step_by(STRETCH) {
                let end = (first + STRETCH).min(labels.len());
                bounds.seek(
                    first,
                    &mut self.gaps[first..end],
                    &labels[first..end],
                    &mut desk.gathered.undecided,
                );
                let undecided = desk.gathered.undecided.count();
                let many = if desk.gathered.undecided.is_in_a_row() { together } else { many };
                for place in (0..undecided).step_by(many) {
                    let places = place..(place + many).min(undecided);
                    let rows = (samples.values, &mut self.gaps[..], &mut *labels);
                    let room = (&mut desk.room, &mut desk.gathered);
                    pruning::label(rows, mean, (bounds, pass.nearest), room, places, &mut desk.moved);
                    self.changed += pass.follow(&samples, desk, labels);
                }
                self.searched += undecided;
            }
            return;
        }
        // Rows are labelled and summed up before the next ones: they are read from memory once.
        let together = if self.turned.is_empty() { together } else { many };
        let with_squares = self.turned.is_empty() && pass.nearest.needs_squares();
        let mut largest = F::zero();
        for (index, labels) in labels.chunks_mut(together).enumerate() {
            let first = index * together;
            let noted = (&mut desk.room, &mut desk.moved);
            if self.turned.is_empty() {
                let ahead = &samples.values[first * mean.len()..];
                pass.nearest.assign_and_record(ahead, mean, noted, labels);
                if with_squares {
                    let (squares, _) = desk.room.squares_and_scores();
                    largest = squares
                        .iter()
                        .fold(largest, |most, square| if *square > most { *square } else { most });
                }
            } else {
                let rows = (&samples.values[first * mean.len()..], &self.turned[first * mean.len()..]);
                let squares = (&mut self.squares[first..], self.squares_known);
                pass.nearest.assign_packed_and_record(rows, squares, noted, labels);
            }
            self.changed += pass.follow(&samples.part(first, labels.len()), desk, labels);
        }
        self.squares_known = !self.turned.is_empty();
        if with_squares {
            // Above what rounding, or underflow, may have taken from it.
            self.largest = 1.25 * largest.as_f64() + F::min_positive_value().as_f64();
        }
    }
}

impl<F: Float> Pass<'_, F> {
    /// Has the sums follow what was noted. Answers how many rows these are.
    fn follow(&self, samples: &Samples<'_, F>, desk: &mut Scratch<F>, labels: &[u32]) -> usize {
        let moved = &desk.moved[..];
        let n_moved = moved.len();
        if let Some((steps, shared)) = self.sums
            && n_moved > 0
        {
            if let Some(own) = &mut desk.sums {
                own.follow(steps, samples, moved, labels);
            } else {
                shared.lock().unwrap_or_else(PoisonError::into_inner).follow(steps, samples, moved, labels);
            }
        }
        desk.moved.clear();
        n_moved
    }
}

/// An inertia after the one before it, which it exceeds by rounding alone.
fn not_above(inertia: f64, before: Option<f64>) -> f64 {
    const ROUNDING: f64 = 1e-6;
    match before {
        Some(before) if inertia > before && inertia <= before * (1.0 + ROUNDING) => before,
        _ => inertia.max(0.0),
    }
}

/// Makes the center of each cluster whose rows are all equal that row. Returns whether a center changed.
fn snap_to_equal_rows<F: Float>(samples: &Samples<'_, F>, labels: &[u32], centers: &mut [F]) -> bool {
    let d = samples.n_features;
    /// What is known of the rows of a cluster.
    #[derive(Clone, Copy)]
    enum Rows {
        None,
        EqualTo(usize),
        Different,
    }
    let mut clusters = vec![Rows::None; centers.len() / d];
    let mut open = clusters.len();
    for (row, &label) in labels.iter().enumerate().filter(|&(row, _)| samples.weight(row) > 0.0) {
        let known = &mut clusters[label as usize];
        match *known {
            Rows::None => *known = Rows::EqualTo(row),
            Rows::EqualTo(first) if samples.row(first) != samples.row(row) => {
                *known = Rows::Different;
                open -= 1;
                if open == 0 {
                    return false;
                }
            }
            _ => {}
        }
    }
    let mut changed = false;
    for (center, known) in centers.chunks_exact_mut(d).zip(clusters) {
        if let Rows::EqualTo(row) = known {
            changed |= center != samples.row(row);
            center.copy_from_slice(samples.row(row));
        }
    }
    changed
}

/// Σ wᵢ‖xᵢ − c‖² over labelled rows.
pub(crate) fn inertia_of<F: Float>(samples: &Samples<'_, F>, centers: &[F], labels: &[u32]) -> f64 {
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
                inertia += samples.weight(row) * squared_distance(x, center).as_f64();
            }
            inertia
        },
    )
}

/// The labels of rows about centers. The lengths that these were packed for are those of the rows if `known`.
pub(crate) fn assign<F: Float>(
    (samples, mean): (&Samples<'_, F>, &[F]),
    nearest: &PackedCenters<F>,
    known: bool,
    labels: &mut [u32],
) {
    let n = samples.n_samples();
    if n <= 256 {
        // One shard.
        nearest.label((samples.values, mean), known, &mut nearest.room(n), labels);
        return;
    }
    let shard_rows = n.div_ceil(n.div_ceil(256).clamp(1, 64)).max(1);
    let mut first_rows: Vec<_> = (0..n).step_by(shard_rows).collect();
    let make = || nearest.room(shard_rows);
    let operations = samples.values.len().saturating_mul(nearest.n_clusters()) / OPS_PER_ELEMENT;
    let rooms = ScratchPool::new(operations, first_rows.len(), make);
    zip_chunks(operations, &mut first_rows, labels, shard_rows, |first_row, labels| {
        let rows = samples.part(*first_row, labels.len()).values;
        rooms.with(make, |room| nearest.label((rows, mean), known, room, labels));
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
        let start: Vec<F> = values[..k * d].to_vec();
        let rules = |max_iter| Rules { max_iter, tolerance: 0.0, spherical: false, verbose: false };
        let mut used = 0;
        let kinds = [(true, true), (true, false), (false, true), (false, false)];
        for (max_iter, (few, forced)) in
            [5, 30, 300].into_iter().flat_map(|max_iter| kinds.map(|kind| (max_iter, kind)))
        {
            let mut plain = Lloyd::with_strategy(samples, &moments, k, (false, few));
            let want = plain.run(start.clone(), rules(max_iter));
            let mut lloyd = Lloyd::with_strategy(samples, &moments, k, (true, few));
            lloyd.bounds.iter_mut().filter(|_| forced).for_each(Bounds::force);
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
                let start: Vec<f64> = values[..k * d].to_vec();
                let rules = Rules { max_iter: 40, tolerance: 0.0, spherical: false, verbose: false };
                let run =
                    |few| Lloyd::with_strategy(samples, &moments, k, (false, few)).run(start.clone(), rules);
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
            let start = |first: usize| -> Vec<f32> { values[first * 5..][..7 * 5].to_vec() };
            let rules = Rules { max_iter: 9, tolerance: 0.0, spherical: false, verbose: false };
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
        assert!(used >= 160, "the bounds were in use at the end of only {used} of 384 runs");
    }
}
