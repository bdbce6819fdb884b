//! The kernel of greedy k-means++: scores rows against the candidates for the next center.
//!
//! Rows are packed in groups, one row per lane, and compared in registers by the direct formula Σ(x − c)², which is exact where
//! norms would cancel. For each candidate a line of [`MAX_LANES`] sums adds what the candidate would leave, min(D, Σ(x − c)²)·w.
//!
//! ```text
//!     rows ──> skip test (64 rows) ──> queue ──> group of R registers ──> tiles of up to TILE candidates
//!                  │                               packed (d, lanes)        TILE·R registers of squared distances
//!                  └─> sum of skipped rows                                  -> sums, closer_mask
//! ```
//! The same bits with every instruction set that has a fused multiply-add: the i-th row of the queue is added to sum
//! i mod [`MAX_LANES`], however many rows a group has. Scalar code rounds the products, too, so its sums differ in the last digits,
//! and it may choose another row where two candidates are equal up to that. Rounding them everywhere was tried: with AVX2 the
//! micro-kernel took 1.35 (three centers) to 1.7 times (five) as long.
//!
//! The queue makes full groups of the rows that are left, so that no lane is idle. For each row a mask records which candidates
//! are closer than its center: the one that is chosen then needs distances to these rows alone.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use crate::buffer::Buffer;
use crate::cluster::kmeans::assign::kernel::tile_shape;
use crate::cluster::kmeans::samples::Samples;
use crate::float::Float;
use crate::linalg::row_packing::transpose_group;
use crate::simd::{Simd, WithSimd, prefetch};
use std::ops::Range;

/// Rows whose skip tests run together.
const BLOCK: usize = 64;

/// Candidates for which closer rows are recorded: a sum of this many powers of two is exact in any [`Float`].
pub(crate) const MAX_RECORDED: usize = 24;

/// Candidates of a tile.
const TILE: usize = 4;

/// The most rows of a group, on any processor; a multiple of the rows of every group.
const MAX_LANES: usize = 32;

/// Bytes of a cache line.
const LINE: usize = 64;

/// One thread's scratch buffers for a group of rows.
#[derive(Debug)]
pub(crate) struct GroupScratch<F> {
    /// The rows, where they are not consecutive.
    gathered: Buffer<F>,
    /// A line of their lanes for each feature.
    packed: Buffer<F>,
    /// The mean that packing subtracts: nothing.
    zeros: Vec<F>,
    /// For each candidate [`MAX_LANES`] sums of what it would leave.
    sums: Buffer<F>,
    /// For each row a power of two for each candidate that is closer than its center.
    closer_mask: [F; MAX_LANES],
}

impl<F: Float> GroupScratch<F> {
    pub(crate) fn new(n_features: usize, n_trials: usize) -> Self {
        let lanes = tile_shape::<F>().lanes;
        Self {
            gathered: Buffer::new(lanes * n_features),
            packed: Buffer::new(lanes * n_features),
            zeros: vec![F::zero(); n_features],
            sums: Buffer::new(MAX_LANES * n_trials),
            closer_mask: [F::zero(); MAX_LANES],
        }
    }
}

/// Scores a chunk of the rows against the candidates.
pub(crate) struct CandidateKernel<'a, F> {
    pub(crate) candidates: &'a [&'a [F]],
    /// For each center the squared distance up to which its rows are skipped; empty where none are.
    pub(crate) skip_limits: &'a [F],
    /// A center that the distances do not include yet.
    pub(crate) last: Option<&'a [F]>,
    pub(crate) rows: Samples<'a, F>,
    /// A power of two that the weights, and so the sums, are multiplied with.
    pub(crate) scale: f64,
    /// The squared distances to the nearest centers, and which these are.
    pub(crate) distances: &'a mut [F],
    pub(crate) centers: &'a [u32],
    /// What each candidate would leave of the potential.
    pub(crate) sums: &'a mut [f64],
    /// A bit for each candidate that is closer than the center of the row.
    pub(crate) closer: &'a mut [u32],
    pub(crate) scratch: &'a mut GroupScratch<F>,
}

/// Rows that wait for a full group, and their distances to their centers.
struct Queue<F> {
    rows: [usize; BLOCK + 2 * MAX_LANES],
    distances: [F; BLOCK + 2 * MAX_LANES],
    len: usize,
    /// The sum that the first row of the next group is added to.
    next_sum: usize,
}

impl<F: Float> Queue<F> {
    fn new() -> Self {
        const LEN: usize = BLOCK + 2 * MAX_LANES;
        Self { rows: [0; LEN], distances: [F::zero(); LEN], len: 0, next_sum: 0 }
    }
}

impl<F: Float> WithSimd<F> for CandidateKernel<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        match S::LANES {
            1 => self.score_rows::<S, 8>(simd),
            _ => self.score_rows::<S, 2>(simd),
        }
    }
}

impl<'a, F: Float> CandidateKernel<'a, F> {
    /// Scores all rows in groups of `R` registers.
    #[inline(always)]
    fn score_rows<S: Simd<F>, const R: usize>(mut self, simd: S) {
        let lanes = R * S::LANES;
        self.closer.fill(if self.candidates.len() > MAX_RECORDED { u32::MAX } else { 0 });
        self.scratch.sums.fill(F::zero());
        let mut queue = Queue::new();
        let mut skipped = 0.0;
        let rows = self.distances.len();
        assert!(MAX_LANES.is_multiple_of(lanes));
        for first in (0..rows).step_by(BLOCK) {
            skipped += self.enqueue(&mut queue, first..rows.min(first + BLOCK));
            let mut scored = 0;
            // Two groups, so that the second is prefetched while the first is scored.
            while queue.len - scored >= 2 * lanes {
                self.score_group::<S, R>(simd, &mut queue, scored, lanes);
                scored += lanes;
            }
            queue.rows.copy_within(scored..queue.len, 0);
            queue.distances.copy_within(scored..queue.len, 0);
            queue.len -= scored;
        }
        for first in (0..queue.len).step_by(lanes) {
            // Unused lanes repeat the last row at a distance of 0 from its center: nothing is closer, nothing is added.
            let (end, count) = (first + lanes, lanes.min(queue.len - first));
            if count < lanes {
                let last = queue.rows[queue.len - 1];
                queue.rows[queue.len..end].fill(last);
                queue.distances[queue.len..end].fill(F::zero());
            }
            self.score_group::<S, R>(simd, &mut queue, first, count);
        }
        for (sum, own) in self.sums.iter_mut().zip(self.scratch.sums.chunks_exact(MAX_LANES)) {
            *sum = skipped + own.iter().map(|own| own.as_f64()).sum::<f64>() / self.scale;
        }
    }

    /// Adds rows of a block to the queue, unless they are skipped; returns the potential of the skipped rows.
    #[inline(always)]
    fn enqueue(&self, queue: &mut Queue<F>, rows: Range<usize>) -> f64 {
        let distances = &self.distances[rows.clone()];
        let (queued, count) = (queue.len, rows.len());
        if self.skip_limits.is_empty() {
            queue.rows[queued..][..count].iter_mut().zip(rows).for_each(|(place, row)| *place = row);
            queue.distances[queued..][..count].copy_from_slice(distances);
            queue.len += count;
            return 0.0;
        }
        // Short loops without branches: which rows are far from their centers is hard to predict.
        let centers = &self.centers[rows.clone()];
        let mut limits = [F::zero(); BLOCK];
        for (limit, &center) in limits.iter_mut().zip(centers) {
            debug_assert!(
                (center as usize) < self.skip_limits.len(),
                "the label {center} of a row has no center"
            );
            // SAFETY: there is a limit for each center.
            *limit = unsafe { *self.skip_limits.get_unchecked(center as usize) };
        }
        let mut left = [F::zero(); BLOCK];
        for (left, (distance, limit)) in left.iter_mut().zip(distances.iter().zip(&limits)) {
            *left = if distance > limit { F::zero() } else { *distance };
        }
        for (place, (&distance, limit)) in distances.iter().zip(&limits).enumerate() {
            debug_assert!(queue.len < queue.rows.len() && queue.len < queue.distances.len());
            // SAFETY: the queue held fewer rows than two groups, and these are no more than a block.
            unsafe {
                *queue.rows.get_unchecked_mut(queue.len) = rows.start + place;
                *queue.distances.get_unchecked_mut(queue.len) = distance;
            }
            queue.len += usize::from(distance > *limit);
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

    /// Scores a group of the queue, its rows from `first` on, against all candidates. The first `count` lanes are valid.
    #[inline(always)]
    fn score_group<S: Simd<F>, const R: usize>(
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
            for (own, &row) in self.scratch.gathered.chunks_exact_mut(d).zip(rows) {
                copy(simd, self.rows.row(row), own);
            }
            &self.scratch.gathered
        };
        let next = &queue.rows[first + lanes..queue.len.clamp(first + lanes, first + 2 * lanes)];
        let (while_packing, next) = self.split_prefetch(next);
        transpose_group(simd, (values, &self.scratch.zeros), lanes, &mut self.scratch.packed, while_packing);
        self.scratch.closer_mask = [F::zero(); MAX_LANES];
        let tiles = self.candidates.len().div_ceil(TILE);
        let mut candidate = 0;
        for tile in 0..tiles {
            // Tiles of about equal height; the first one includes the last center.
            let height = (self.candidates.len() - candidate).div_ceil(tiles - tile);
            let next = &next[next.len() * tile / tiles..next.len() * (tile + 1) / tiles];
            let group = (rows, &mut queue.distances[first..][..lanes], queue.next_sum, next);
            let last = self.last.filter(|_| tile == 0);
            match (height, last) {
                (1, None) => self.score_tile::<S, R, 1, false>(simd, candidate, last, group),
                (2, None) => self.score_tile::<S, R, 2, false>(simd, candidate, last, group),
                (3, None) => self.score_tile::<S, R, 3, false>(simd, candidate, last, group),
                (_, None) => self.score_tile::<S, R, TILE, false>(simd, candidate, last, group),
                (1, _) => self.score_tile::<S, R, 2, true>(simd, candidate, last, group),
                (2, _) => self.score_tile::<S, R, 3, true>(simd, candidate, last, group),
                (3, _) => self.score_tile::<S, R, 4, true>(simd, candidate, last, group),
                (_, _) => self.score_tile::<S, R, { TILE + 1 }, true>(simd, candidate, last, group),
            }
            candidate += height;
        }
        queue.next_sum = (queue.next_sum + lanes) % MAX_LANES;
        if self.last.is_some() {
            // Where the last center is still missing, no rows are skipped: the rows of a group are consecutive.
            self.distances[rows[0]..][..count].copy_from_slice(&queue.distances[first..][..count]);
        }
        if self.candidates.len() <= MAX_RECORDED && !self.closer.is_empty() {
            for (&row, mask) in rows[..count].iter().zip(&self.scratch.closer_mask) {
                // SAFETY: a sum of different powers of two below 2²⁴.
                self.closer[row] = unsafe { mask.as_f64().to_int_unchecked::<i32>() }.cast_unsigned();
            }
        }
    }

    /// The values of the next rows that are prefetched while a group is packed, a third of them where they are consecutive, and
    /// the other rows.
    #[inline(always)]
    fn split_prefetch<'n>(&self, next: &'n [usize]) -> (&'a [F], &'n [usize]) {
        let (Some(&first), Some(&last)) = (next.first(), next.last()) else { return (&[], next) };
        if last - first != next.len() - 1 {
            return (&[], next);
        }
        let third = next.len() / 3;
        let d = self.rows.n_features;
        (&self.rows.values[first * d..][..third * d], &next[third..])
    }

    /// Prefetches rows feature by feature: one cache line of a few rows with each feature, of all rows in the time of a line.
    #[inline(always)]
    fn prefetcher(&self, rows: &[usize]) -> impl Fn(usize) {
        let (d, values) = (self.rows.n_features, self.rows.values.as_ptr());
        let in_line = LINE / size_of::<F>();
        let per_feature = rows.len().div_ceil(in_line);
        move |feature| {
            let place = feature % in_line;
            for &row in rows.iter().skip(place * per_feature).take(per_feature) {
                prefetch(values.wrapping_add(row * d + feature - place), 1);
            }
        }
    }

    /// Scores the packed group against `P` centers: the candidates from `first` on and, with `LAST`, behind them the last
    /// center, which is merged into the distances first. `next` are rows to prefetch.
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    #[inline(always)]
    fn score_tile<S: Simd<F>, const R: usize, const P: usize, const LAST: bool>(
        &mut self,
        simd: S,
        first: usize,
        last: Option<&[F]>,
        (rows, distances, first_sum, next): (&[usize], &mut [F], usize, &[usize]),
    ) {
        let (lanes, n_candidates) = (R * S::LANES, P - usize::from(LAST));
        let candidates = &self.candidates[first..][..n_candidates];
        let centers: [&[F]; P] = std::array::from_fn(|p| candidates.get(p).copied().or(last).unwrap_or(&[]));
        assert!(distances.len() >= lanes && first_sum + lanes <= MAX_LANES);
        let mut weights = [F::of(self.scale); MAX_LANES];
        if let Some(all) = self.rows.weights {
            let scaled = rows.iter().map(|&row| F::of(all[row].as_f64() * self.scale));
            weights.iter_mut().zip(scaled).for_each(|(weight, scaled)| *weight = scaled);
        }
        // SAFETY: the arrays have a line each, as compared above and below; the instruction set is the one that `simd` names.
        unsafe {
            let packed = (&self.scratch.packed[..], self.rows.n_features);
            let squares = squared_distances::<F, S, R, P>(simd, packed, centers, self.prefetcher(next));
            if LAST {
                for (r, square) in squares[n_candidates].into_iter().enumerate() {
                    let own = distances.as_mut_ptr().add(r * S::LANES);
                    simd.storeu(own, simd.min(square, simd.loadu(own)));
                }
            }
            let sums = &mut self.scratch.sums[first * MAX_LANES..][..n_candidates * MAX_LANES];
            // Of more candidates than bits none is recorded.
            let mut bit = F::of(f64::from(1u32 << first.min(MAX_RECORDED)));
            for p in 0..n_candidates {
                for r in 0..R {
                    let place = r * S::LANES;
                    let own = simd.loadu(distances.as_ptr().add(place));
                    let mask = self.scratch.closer_mask.as_mut_ptr().add(place);
                    let closer = simd.select_lt(squares[p][r], own, simd.splat(bit), simd.zero());
                    simd.storeu(mask, simd.add(simd.loadu(mask), closer));
                    let sum = sums.as_mut_ptr().add(p * MAX_LANES + first_sum + place);
                    let left = simd.min(squares[p][r], own);
                    let weight = simd.loadu(weights.as_ptr().add(place));
                    simd.storeu(sum, simd.mul_add(left, weight, simd.loadu(sum)));
                }
                bit = bit + bit;
            }
        }
    }
}

/// The micro-kernel: Σ(x − c)² of a packed group of `d` features about `P` centers; `meanwhile` is called for every feature.
///
/// # Safety
/// The instruction set must be the one that `simd` names.
#[inline(always)]
unsafe fn squared_distances<F: Float, S: Simd<F>, const R: usize, const P: usize>(
    simd: S,
    (packed, d): (&[F], usize),
    centers: [&[F]; P],
    meanwhile: impl Fn(usize),
) -> [[S::Reg; R]; P] {
    let lanes = R * S::LANES;
    assert!(packed.len() >= lanes * d && centers.iter().all(|center| center.len() >= d));
    let x = packed.as_ptr();
    // SAFETY: `packed` has d lines of R registers and each center d values; the caller vouches for the rest.
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

/// Merges centers into the squared distances of consecutive rows: D = min(D, Σ(x − c)²), with the bits that
/// [`CandidateKernel`] computes.
pub(crate) struct MergeKernel<'a, F> {
    pub(crate) centers: &'a [&'a [F]],
    pub(crate) rows: Samples<'a, F>,
    pub(crate) distances: &'a mut [F],
    pub(crate) scratch: &'a mut GroupScratch<F>,
}

impl<F: Float> WithSimd<F> for MergeKernel<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        match S::LANES {
            1 => self.merge_rows::<S, 8>(simd),
            _ => self.merge_rows::<S, 2>(simd),
        }
    }
}

impl<F: Float> MergeKernel<'_, F> {
    #[inline(always)]
    fn merge_rows<S: Simd<F>, const R: usize>(mut self, simd: S) {
        let (d, lanes) = (self.rows.n_features, R * S::LANES);
        assert!(lanes <= MAX_LANES);
        let n = self.distances.len();
        for first in (0..n).step_by(lanes) {
            let count = lanes.min(n - first);
            let values = if count == lanes {
                &self.rows.values[first * d..][..lanes * d]
            } else {
                // Unused lanes repeat the last row.
                for (lane, own) in self.scratch.gathered.chunks_exact_mut(d).enumerate() {
                    copy(simd, self.rows.row(first + lane.min(count - 1)), own);
                }
                &self.scratch.gathered
            };
            transpose_group(simd, (values, &self.scratch.zeros), lanes, &mut self.scratch.packed, &[]);
            let mut own = [F::infinity(); MAX_LANES];
            own[..count].copy_from_slice(&self.distances[first..][..count]);
            for centers in self.centers.chunks(TILE) {
                match centers {
                    [a] => self.merge_tile::<S, R, 1>(simd, [a], &mut own),
                    [a, b] => self.merge_tile::<S, R, 2>(simd, [a, b], &mut own),
                    [a, b, c] => self.merge_tile::<S, R, 3>(simd, [a, b, c], &mut own),
                    [a, b, c, e, ..] => self.merge_tile::<S, R, TILE>(simd, [a, b, c, e], &mut own),
                    [] => {}
                }
            }
            self.distances[first..][..count].copy_from_slice(&own[..count]);
        }
    }

    #[inline(always)]
    fn merge_tile<S: Simd<F>, const R: usize, const P: usize>(
        &mut self,
        simd: S,
        centers: [&[F]; P],
        distances: &mut [F; MAX_LANES],
    ) {
        assert!(R * S::LANES <= MAX_LANES);
        // SAFETY: the distances have R registers; the instruction set is the one that `simd` names.
        unsafe {
            let packed = (&self.scratch.packed[..], self.rows.n_features);
            let squares = squared_distances::<F, S, R, P>(simd, packed, centers, |_| {});
            for squares in squares {
                for (r, square) in squares.into_iter().enumerate() {
                    let own = distances.as_mut_ptr().add(r * S::LANES);
                    simd.storeu(own, simd.min(square, simd.loadu(own)));
                }
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
