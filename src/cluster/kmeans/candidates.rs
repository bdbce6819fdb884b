//! The candidates for the next center of greedy k-means++, compared with all rows.
//!
//! A row whose nearest center lies less than half as far as that center from every candidate cannot be nearer to
//! one of them (the triangle inequality), and is passed over (Raff, Exact acceleration of k-means++, 2021,
//! arXiv:2105.02936). The others are transposed, one row per lane, and compared in registers by the direct formula Σ(x − c)²;
//! for each row it is noted which candidates are nearer than its center, so that the one that is chosen needs to
//! are compared with no other rows again.
//!
//! Where that costs more than it saves, all rows are compared, one group after the other, and each group is compared with the last
//! center when it is in registers for the next candidates: no row is read from memory twice.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::assign_kernel::shape;
use super::distance::squared_distance;
use super::packed_rows::transpose_group;
use super::plus_plus::{Chunk, PIECE};
use super::samples::Samples;
use super::scratch_pool::ScratchPool;
use crate::buffer::Buffer;
use crate::float::Float;
use crate::parallel;
use crate::simd::{Simd, WithSimd, prefetch, vectorize};
use std::ops::Range;

/// Rows among which those to pass over are sought at once.
const BLOCK: usize = 64;

/// Features from which on a distance costs more than finding out whether it is needed, and numbers of centers from which on
/// most distances are not.
const MIN_SIZES_TO_SKIP: [usize; 2] = [24, 1 << 15];

/// Candidates for which closer rows are recorded: a sum of this many powers of two is exact in any
/// [`Float`].
const MAX_RECORDED: usize = 24;

/// Candidates that are compared with a group of rows together.
const TOGETHER: usize = 4;

/// The most rows of a group, on any processor.
const MOST_LANES: usize = 32;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// The candidates for the next center.
#[derive(Debug)]
pub(super) struct Candidates<F> {
    pub(super) rows: Vec<usize>,
    /// Whether rows are passed over.
    pass_over: bool,
    /// For each center a quarter of the squared distance to the nearest candidate; empty where rows are not passed over.
    near: Vec<F>,
    /// The largest weight.
    heaviest: f64,
    desks: ScratchPool<Scratch<F>>,
}

/// One thread's scratch buffers for a group of rows.
#[derive(Debug)]
struct Scratch<F> {
    /// The rows, where they do not lie together;
    gathered: Buffer<F>,
    /// for each feature a line of them;
    turned: Buffer<F>,
    /// what is taken from the features: nothing.
    zeros: Vec<F>,
    /// For each candidate a line of what it would leave;
    sums: Buffer<F>,
    /// for each row the candidates that are nearer than its center.
    noted: [F; MOST_LANES],
}

impl<F: Float> Scratch<F> {
    fn new(n_features: usize, n_trials: usize) -> Self {
        let lanes = shape::<F>().lanes;
        Self {
            gathered: Buffer::new(lanes * n_features),
            turned: Buffer::new(lanes * n_features),
            zeros: vec![F::zero(); n_features],
            sums: Buffer::new(lanes * n_trials),
            noted: [F::zero(); MOST_LANES],
        }
    }
}

/// Whether it pays to find out which rows to pass over.
pub(super) fn worth_passing_over(n_clusters: usize, n_features: usize) -> bool {
    let [features, numbers] = MIN_SIZES_TO_SKIP;
    n_features >= features && n_clusters.saturating_mul(n_features) >= numbers
}

#[inline(always)]
fn quarter<F: Float>(a: &[F], b: &[F]) -> F {
    F::of(0.25) * squared_distance(a, b)
}

impl<F: Float> Candidates<F> {
    pub(super) fn new(samples: &Samples<'_, F>, n_trials: usize, pass_over: bool) -> Self {
        let (operations, pieces) =
            (samples.values.len().saturating_mul(n_trials), samples.n_samples().div_ceil(PIECE));
        let desks = ScratchPool::new(operations, pieces, || Scratch::new(samples.n_features, n_trials));
        let heaviest = samples.weights.map_or(1.0, |weights| {
            weights.iter().fold(0.0, |heaviest: f64, weight| heaviest.max(weight.as_f64()))
        });
        Self { rows: Vec::with_capacity(n_trials), pass_over, near: Vec::new(), heaviest, desks }
    }

    /// The bit by which [`compare`](Self::compare) names the rows nearer to a candidate; all bits, where the
    /// there are too many candidates to record this one.
    pub(super) fn bit(&self, candidate: usize) -> u32 {
        if candidate < MAX_RECORDED { 1 << candidate } else { u32::MAX }
    }

    /// Looks how near the rows that were drawn are to the centers.
    pub(super) fn approach(&mut self, samples: &Samples<'_, F>, chosen: &[usize]) {
        self.near.clear();
        if self.pass_over {
            let (near, rows) = (&mut self.near, &self.rows);
            vectorize(
                #[inline(always)]
                || {
                    for &center in chosen {
                        let mut nearest = F::infinity();
                        for &row in rows {
                            let distance = quarter(samples.row(row), samples.row(center));
                            nearest = if distance < nearest { distance } else { nearest };
                        }
                        near.push(nearest);
                    }
                },
            );
        }
    }

    /// The sums that each candidate would leave of `potential`, and for each row the candidates that are nearer than its
    /// center, where rows are passed over. The last center is taken into the distances, if it is not yet.
    pub(super) fn compare(
        &self,
        samples: &Samples<'_, F>,
        potential: f64,
        last: Option<&[F]>,
        pieces: &mut [Chunk<'_, F>],
    ) {
        let operations = samples.values.len().saturating_mul(self.rows.len());
        let rows: Vec<&[F]> = self.rows.iter().map(|&row| samples.row(row)).collect();
        parallel::for_each(operations, pieces, |piece| {
            let work = |desk: &mut Scratch<F>| {
                F::run_simd(CandidateKernel {
                    candidates: &rows,
                    near: &self.near,
                    last,
                    rows: samples.part(piece.first_row, piece.distances.len()),
                    scale: scale::<F>(potential, self.heaviest),
                    distances: piece.distances,
                    centers: piece.centers,
                    sums: &mut piece.candidates,
                    nearer: piece.nearer,
                    desk,
                });
            };
            self.desks.with(|| Scratch::new(samples.n_features, rows.len()), work);
        });
    }
}

/// A power of two times which the potential is in the range of `F` and no weight is above 1: products of tiny weights and
/// distances would underflow.
fn scale<F: Float>(potential: f64, heaviest: f64) -> f64 {
    let times = (potential / (F::max_value().as_f64() / 4.0)).max(heaviest);
    if times > 0.0 { (-times.log2().ceil()).min(1000.0).exp2() } else { 1.0 }
}

/// The comparison of a piece of the rows with the candidates.
struct CandidateKernel<'a, F> {
    candidates: &'a [&'a [F]],
    near: &'a [F],
    last: Option<&'a [F]>,
    rows: Samples<'a, F>,
    /// A power of two that the weights, and so the sums, are multiplied with.
    scale: f64,
    /// The distances to the nearest centers, and which these are.
    distances: &'a mut [F],
    centers: &'a [u32],
    sums: &'a mut [f64],
    nearer: &'a mut [u32],
    desk: &'a mut Scratch<F>,
}

/// Rows that wait until they are enough for a group, and their distances to their centers.
struct Queue<F> {
    rows: [usize; BLOCK + 2 * MOST_LANES],
    distances: [F; BLOCK + 2 * MOST_LANES],
    len: usize,
}

impl<F: Float> WithSimd<F> for CandidateKernel<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        match S::LANES {
            1 => self.all::<S, 8>(simd),
            _ => self.all::<S, 2>(simd),
        }
    }
}

impl<'a, F: Float> CandidateKernel<'a, F> {
    /// Groups of `R` registers.
    #[inline(always)]
    fn all<S: Simd<F>, const R: usize>(mut self, simd: S) {
        let lanes = R * S::LANES;
        self.nearer.fill(if self.candidates.len() > MAX_RECORDED { u32::MAX } else { 0 });
        self.desk.sums.fill(F::zero());
        let mut queue = Queue {
            rows: [0; BLOCK + 2 * MOST_LANES],
            distances: [F::zero(); BLOCK + 2 * MOST_LANES],
            len: 0,
        };
        let mut settled = 0.0;
        let rows = self.distances.len();
        assert!(lanes <= MOST_LANES);
        for first in (0..rows).step_by(BLOCK) {
            settled += self.enqueue(&mut queue, first..rows.min(first + BLOCK));
            let mut met = 0;
            // While a group is compared, the next one is fetched.
            while queue.len - met >= 2 * lanes {
                self.meet::<S, R>(simd, &mut queue, met, lanes);
                met += lanes;
            }
            queue.rows.copy_within(met..queue.len, 0);
            queue.distances.copy_within(met..queue.len, 0);
            queue.len -= met;
        }
        for met in (0..queue.len).step_by(lanes) {
            // Unused positions repeat the last row, at no distance from its center: nothing is nearer, nothing is added.
            let (end, count) = (met + lanes, lanes.min(queue.len - met));
            if count < lanes {
                let last = queue.rows[queue.len - 1];
                queue.rows[queue.len..end].fill(last);
                queue.distances[queue.len..end].fill(F::zero());
            }
            self.meet::<S, R>(simd, &mut queue, met, count);
        }
        for (sum, own) in self.sums.iter_mut().zip(self.desk.sums.chunks_exact(lanes)) {
            *sum = settled + own.iter().map(|own| own.as_f64()).sum::<f64>() / self.scale;
        }
    }

    /// Takes rows of a block into the queue, unless they are passed over; answers what these leave in any case.
    #[inline(always)]
    fn enqueue(&self, queue: &mut Queue<F>, rows: Range<usize>) -> f64 {
        let distances = &self.distances[rows.clone()];
        let (begun, count) = (queue.len, rows.len());
        if self.near.is_empty() {
            queue.rows[begun..][..count].iter_mut().zip(rows).for_each(|(place, row)| *place = row);
            queue.distances[begun..][..count].copy_from_slice(distances);
            queue.len += count;
            return 0.0;
        }
        // Short loops without branches: which rows are far from their centers cannot be foreseen.
        let centers = &self.centers[rows.clone()];
        let mut near = [F::zero(); BLOCK];
        for (near, &center) in near.iter_mut().zip(centers) {
            debug_assert!((center as usize) < self.near.len(), "the label {center} of a row has no center");
            // SAFETY: there is a number for each center.
            *near = unsafe { *self.near.get_unchecked(center as usize) };
        }
        let mut left = [F::zero(); BLOCK];
        for (left, (distance, near)) in left.iter_mut().zip(distances.iter().zip(&near)) {
            *left = if distance > near { F::zero() } else { *distance };
        }
        for (place, (&distance, near)) in distances.iter().zip(&near).enumerate() {
            debug_assert!(queue.len < queue.rows.len() && queue.len < queue.distances.len());
            // SAFETY: fewer rows than two groups have were left in the queue, and these are no more than a block.
            unsafe {
                *queue.rows.get_unchecked_mut(queue.len) = rows.start + place;
                *queue.distances.get_unchecked_mut(queue.len) = distance;
            }
            queue.len += usize::from(distance > *near);
        }
        let mut sums = [0.0; 8];
        match self.rows.weights {
            Some(weights) => {
                let weights = &weights[rows];
                sums[0] =
                    weights.iter().zip(&left).map(|(weight, left)| weight.as_f64() * left.as_f64()).sum();
            }
            None => {
                for left in left.as_chunks::<8>().0 {
                    sums.iter_mut().zip(left).for_each(|(sum, left)| *sum += left.as_f64());
                }
            }
        }
        sums.iter().sum()
    }

    /// Compares a group of rows, those in the queue from `first` on, of which `count` are real, with all candidates.
    #[inline(always)]
    fn meet<S: Simd<F>, const R: usize>(
        &mut self,
        simd: S,
        queue: &mut Queue<F>,
        first: usize,
        count: usize,
    ) {
        let (d, lanes) = (self.rows.n_features, R * S::LANES);
        let rows = &queue.rows[first..][..lanes];
        let values = if count == lanes && rows[lanes - 1] - rows[0] == lanes - 1 {
            &self.rows.values[rows[0] * d..][..lanes * d]
        } else {
            for (own, &row) in self.desk.gathered.chunks_exact_mut(d).zip(rows) {
                copy(simd, self.rows.row(row), own);
            }
            &self.desk.gathered
        };
        let next = &queue.rows[first + lanes..queue.len.clamp(first + lanes, first + 2 * lanes)];
        let (turning, next) = self.ahead(next);
        transpose_group(simd, (values, &self.desk.zeros), lanes, &mut self.desk.turned, turning);
        self.desk.noted = [F::zero(); MOST_LANES];
        let tiles = self.candidates.len().div_ceil(TOGETHER);
        let mut candidate = 0;
        for tile in 0..tiles {
            // Tiles of about equal height; the first one also compares with the last center.
            let height = (self.candidates.len() - candidate).div_ceil(tiles - tile);
            let next = &next[next.len() * tile / tiles..next.len() * (tile + 1) / tiles];
            let group = (rows, &mut queue.distances[first..][..lanes], next);
            let last = self.last.filter(|_| tile == 0);
            match (height, last) {
                (1, None) => self.tile::<S, R, 1, false>(simd, candidate, last, group),
                (2, None) => self.tile::<S, R, 2, false>(simd, candidate, last, group),
                (3, None) => self.tile::<S, R, 3, false>(simd, candidate, last, group),
                (_, None) => self.tile::<S, R, TOGETHER, false>(simd, candidate, last, group),
                (1, _) => self.tile::<S, R, 2, true>(simd, candidate, last, group),
                (2, _) => self.tile::<S, R, 3, true>(simd, candidate, last, group),
                (3, _) => self.tile::<S, R, 4, true>(simd, candidate, last, group),
                (_, _) => self.tile::<S, R, { TOGETHER + 1 }, true>(simd, candidate, last, group),
            }
            candidate += height;
        }
        if self.last.is_some() {
            // Where the last center is still to come, none is passed over: the rows lie together.
            self.distances[rows[0]..][..count].copy_from_slice(&queue.distances[first..][..count]);
        }
        if self.candidates.len() <= MAX_RECORDED && !self.nearer.is_empty() {
            for (&row, noted) in rows[..count].iter().zip(&self.desk.noted) {
                // SAFETY: a sum of different powers of two below 2²⁴.
                self.nearer[row] = unsafe { noted.as_f64().to_int_unchecked::<i32>() }.cast_unsigned();
            }
        }
    }

    /// Σ(x − c)² of the group that was turned about `P` centers; `meanwhile` is called for every feature.
    ///
    /// # Safety
    /// The instruction set must be the one that `simd` names.
    #[inline(always)]
    unsafe fn squares<S: Simd<F>, const R: usize, const P: usize>(
        &self,
        simd: S,
        centers: [&[F]; P],
        meanwhile: impl Fn(usize),
    ) -> [[S::Reg; R]; P] {
        let (d, lanes) = (self.rows.n_features, R * S::LANES);
        assert!(self.desk.turned.len() >= lanes * d && centers.iter().all(|center| center.len() >= d));
        let x = self.desk.turned.as_ptr();
        // SAFETY: `turned` has d lines of R registers and each center d numbers; the rest is the caller's promise.
        unsafe {
            let mut squares = [[simd.zero(); R]; P];
            for feature in 0..d {
                meanwhile(feature);
                let mut line = [simd.zero(); R];
                for (r, line) in line.iter_mut().enumerate() {
                    *line = simd.loadu(x.add(feature * lanes + r * S::LANES));
                }
                for (center, squares) in centers.iter().zip(&mut squares) {
                    let center = simd.splat(*center.as_ptr().add(feature));
                    for (x, square) in line.iter().zip(squares) {
                        let difference = simd.sub(*x, center);
                        *square = simd.mul_add(difference, difference, *square);
                    }
                }
            }
            squares
        }
    }

    /// The part of the next rows that is prefetched while a group is transposed, the first third of them where they lie together,
    /// and the others.
    #[inline(always)]
    fn ahead<'n>(&self, next: &'n [usize]) -> (&'a [F], &'n [usize]) {
        let (Some(&first), Some(&last)) = (next.first(), next.last()) else { return (&[], next) };
        if last - first != next.len() - 1 {
            return (&[], next);
        }
        let third = next.len() / 3;
        let d = self.rows.n_features;
        (&self.rows.values[first * d..][..third * d], &next[third..])
    }

    /// Fetches rows feature by feature: the same line of some of them; of all of them, when the features of a line are through.
    #[inline(always)]
    fn fetch(&self, rows: &[usize]) -> impl Fn(usize) {
        let (d, values) = (self.rows.n_features, self.rows.values.as_ptr());
        let in_line = LINE / size_of::<F>();
        let at_once = rows.len().div_ceil(in_line);
        move |feature| {
            let place = feature % in_line;
            for &row in rows.iter().skip(place * at_once).take(at_once) {
                prefetch(values.wrapping_add(row * d + feature - place), 1);
            }
        }
    }

    /// Compares the group that was turned with `P` centers: the candidates from `first` on, and, where it is there, behind them
    /// the last center, which is taken into the distances first. `next` are rows to be fetched meanwhile.
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    #[inline(always)]
    fn tile<S: Simd<F>, const R: usize, const P: usize, const LAST: bool>(
        &mut self,
        simd: S,
        first: usize,
        last: Option<&[F]>,
        (rows, distances, next): (&[usize], &mut [F], &[usize]),
    ) {
        let (lanes, n_candidates) = (R * S::LANES, P - usize::from(LAST));
        let candidates = &self.candidates[first..][..n_candidates];
        let centers: [&[F]; P] = std::array::from_fn(|p| candidates.get(p).copied().or(last).unwrap_or(&[]));
        assert!(distances.len() >= lanes && lanes <= MOST_LANES);
        let mut weights = [F::of(self.scale); MOST_LANES];
        if let Some(all) = self.rows.weights {
            let scaled = rows.iter().map(|&row| F::of(all[row].as_f64() * self.scale));
            weights.iter_mut().zip(scaled).for_each(|(weight, scaled)| *weight = scaled);
        }
        // SAFETY: the arrays have a line each, as compared above and below; the instruction set is the one that `simd` names.
        unsafe {
            let squares = self.squares::<S, R, P>(simd, centers, self.fetch(next));
            if LAST {
                for (r, square) in squares[n_candidates].into_iter().enumerate() {
                    let own = distances.as_mut_ptr().add(r * S::LANES);
                    simd.storeu(own, simd.min(square, simd.loadu(own)));
                }
            }
            let sums = &mut self.desk.sums[first * lanes..][..n_candidates * lanes];
            // A candidate too many has no bit: then nothing is noted at all.
            let mut bit = F::of(f64::from(1u32 << first.min(MAX_RECORDED)));
            for p in 0..n_candidates {
                for r in 0..R {
                    let place = r * S::LANES;
                    let own = simd.loadu(distances.as_ptr().add(place));
                    let noted = self.desk.noted.as_mut_ptr().add(place);
                    let nearer = simd.select_lt(squares[p][r], own, simd.splat(bit), simd.zero());
                    simd.storeu(noted, simd.add(simd.loadu(noted), nearer));
                    let sum = sums.as_mut_ptr().add(p * lanes + place);
                    let left = simd.min(squares[p][r], own);
                    let weight = simd.loadu(weights.as_ptr().add(place));
                    simd.storeu(sum, simd.mul_add(left, weight, simd.loadu(sum)));
                }
                bit = bit + bit;
            }
        }
    }
}

/// Copies a row to another, register by register.
#[inline(always)]
fn copy<F: Float, S: Simd<F>>(simd: S, from: &[F], to: &mut [F]) {
    assert!(from.len() == to.len());
    let Some(last) = from.len().checked_sub(S::LANES) else {
        return to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    };
    for place in (0..last).step_by(S::LANES).chain([last]) {
        // SAFETY: a register ends where the rows end, or before; the instruction set is the one that `simd` names.
        unsafe { simd.storeu(to.as_mut_ptr().add(place), simd.loadu(from.as_ptr().add(place))) };
    }
}
