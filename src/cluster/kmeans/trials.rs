//! The candidates for the next center of greedy k-means++, compared with all rows.
//!
//! A row whose nearest center lies less than half as far as that center from every candidate cannot be nearer to
//! one of them (the triangle inequality), and is passed over (Raff, Exact acceleration of k-means++, 2021,
//! arXiv:2105.02936). The others are compared in registers, a candidate a lane, by the direct formula Σ(x − c)²;
//! for each row it is noted which candidates are nearer than its center, so that the one that is chosen needs to
//! meet no other rows again.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::distance::squared_distance;
use super::plus_plus::{Closest, PIECE, Piece};
use super::samples::Samples;
use crate::float::Float;
use crate::parallel::zip_chunks;
use crate::simd::{Lanes, Wide, prefetch, vectorize};

/// Rows that meet the candidates at once.
const ROWS: usize = 6;

/// Rows among which those to pass over are sought at once.
const BLOCK: usize = 64;

/// Features from which on a distance costs more than finding out whether it is needed.
const WORTH_SKIPPING: usize = 12;

/// Candidates about which it is noted which rows are nearer to them.
const NOTED: usize = 32;

/// The candidates for the next center.
#[derive(Debug)]
pub(super) struct Candidates<F> {
    pub(super) rows: Vec<usize>,
    /// For each register of candidates a line of their values of each feature, negated: adding is subtracting.
    lines: Vec<F>,
    n_lanes: usize,
    /// For each center a quarter of the squared distance to the nearest candidate.
    near: Vec<F>,
}

/// How many numbers a register has.
fn lanes<F: Float>() -> usize {
    struct Ask;
    impl<F: Float> Wide<F> for Ask {
        type Output = usize;

        #[inline(always)]
        fn run<S: Lanes<F>>(self, _: S) -> usize {
            S::LANES
        }
    }
    F::run_wide(Ask)
}

#[inline(always)]
fn quarter<F: Float>(a: &[F], b: &[F]) -> F {
    F::of(0.25) * squared_distance(a, b)
}

impl<F: Float> Candidates<F> {
    pub(super) fn new(n_features: usize, n_trials: usize) -> Self {
        let n_lanes = n_trials.next_multiple_of(lanes::<F>());
        let lines = vec![F::zero(); n_features * n_lanes];
        Self { rows: Vec::with_capacity(n_lanes), lines, n_lanes, near: Vec::new() }
    }

    pub(super) fn n_lanes(&self) -> usize {
        self.n_lanes
    }

    /// The bit by which [`compare`](Self::compare) names the rows nearer to a candidate; all bits, where the
    /// candidates are so many that nothing is noted of this one.
    pub(super) fn bit(&self, candidate: usize) -> u32 {
        if candidate < NOTED { 1 << candidate } else { u32::MAX }
    }

    /// Takes over the rows that were drawn.
    pub(super) fn pack(&mut self, samples: &Samples<'_, F>, chosen: &[usize]) {
        let (d, lanes) = (samples.n_features, lanes::<F>());
        for lane in 0..self.n_lanes {
            // Lanes to spare repeat the first candidate.
            let candidate = samples.row(self.rows.get(lane).copied().unwrap_or(self.rows[0]));
            let lines = self.lines[lane / lanes * lanes * d..].iter_mut();
            lines.skip(lane % lanes).step_by(lanes).zip(candidate).for_each(|(line, x)| *line = -*x);
        }
        self.near.clear();
        if d >= WORTH_SKIPPING {
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

    /// The sums that each candidate would leave, and for each row the candidates that are nearer than its center.
    pub(super) fn compare(
        &self,
        samples: &Samples<'_, F>,
        pieces: &mut [Piece],
        closest: &[Closest<F>],
        nearer: &mut [u32],
    ) {
        let operations = samples.values.len().saturating_mul(self.n_lanes);
        zip_chunks(operations, pieces, nearer, PIECE, |piece, nearer| {
            piece.candidates.fill(0.0);
            F::run_wide(Compare {
                candidates: self,
                rows: samples.part(piece.first_row, nearer.len()),
                closest: &closest[piece.first_row..][..nearer.len()],
                sums: &mut piece.candidates,
                nearer,
            });
        });
    }
}

/// The comparison of a piece of the rows with the candidates.
struct Compare<'a, F> {
    candidates: &'a Candidates<F>,
    rows: Samples<'a, F>,
    closest: &'a [Closest<F>],
    sums: &'a mut [f64],
    nearer: &'a mut [u32],
}

impl<F: Float> Wide<F> for Compare<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Lanes<F>>(mut self, simd: S) {
        let mut active = [0; BLOCK + ROWS];
        let mut settled = 0.0;
        self.nearer.fill(if self.candidates.n_lanes > NOTED { u32::MAX } else { 0 });
        for first in (0..self.closest.len()).step_by(BLOCK) {
            let mut count = 0;
            for (row, closest) in self.closest.iter().enumerate().skip(first).take(BLOCK) {
                let near = self.candidates.near.get(closest.center as usize);
                let far = near.is_none_or(|near| closest.distance > *near);
                active[count] = row;
                count += usize::from(far);
                settled += if far { 0.0 } else { self.rows.weight(row) * closest.distance.as_f64() };
            }
            // Places to spare repeat the last row, without a weight.
            let last = active[count.saturating_sub(1)];
            active[count..count + ROWS].fill(last);
            for place in (0..count).step_by(ROWS) {
                let rows = std::array::from_fn(
                    #[inline(always)]
                    |row| active[place + row],
                );
                // The rows after these, or the beginning of the next block.
                let ahead = if place + ROWS < count { active[place + ROWS] } else { first + BLOCK };
                self.meet(simd, rows, (count - place).min(ROWS), ahead);
            }
        }
        self.sums.iter_mut().for_each(|sum| *sum += settled);
    }
}

impl<F: Float> Compare<'_, F> {
    /// Adds up what a few rows, the first `count` of them real, would leave with each candidate.
    #[inline(always)]
    fn meet<S: Lanes<F>>(&mut self, simd: S, rows: [usize; ROWS], count: usize, ahead: usize) {
        let d = self.rows.n_features;
        let values = self.rows.values;
        assert!(rows.iter().all(|row| (row + 1) * d <= values.len()));
        let ahead = values.as_ptr().wrapping_add(ahead * d);
        let registers =
            self.candidates.lines.chunks_exact(S::LANES * d).zip(self.sums.chunks_exact_mut(S::LANES));
        for (register, (lines, sums)) in registers.enumerate() {
            let first_lane = register * S::LANES;
            // SAFETY: `lines` has d registers, each row d numbers, as compared above; the instruction set is the
            // one that `simd` names.
            unsafe {
                let starts = rows.map(
                    #[inline(always)]
                    |row| values.as_ptr().add(row * d),
                );
                let mut distances = [simd.zero(); ROWS];
                for feature in 0..d {
                    let line = simd.loadu(lines.as_ptr().add(feature * S::LANES));
                    for row in 0..ROWS {
                        let difference = simd.add(simd.splat(*starts[row].add(feature)), line);
                        distances[row] = simd.mul_add(difference, difference, distances[row]);
                    }
                    if register == 0 {
                        prefetch(ahead.wrapping_add(feature * ROWS), ROWS);
                    }
                }
                let mut less = [F::zero(); MOST_LANES];
                let mut bit = F::one();
                let bits: [F; MOST_LANES] = std::array::from_fn(
                    #[inline(always)]
                    |_| {
                        let own = bit;
                        bit = bit + bit;
                        own
                    },
                );
                let bits = simd.loadu(bits.as_ptr());
                for row in 0..count {
                    let own = simd.splat(self.closest[rows[row]].distance);
                    let noted = simd.reduce_sum(simd.less(distances[row], own, bits, simd.zero()));
                    if first_lane < NOTED {
                        // A sum of different powers of two below 2¹⁶.
                        let noted = noted.as_f64().to_int_unchecked::<i32>().cast_unsigned();
                        self.nearer[rows[row]] |= noted << first_lane;
                    }
                    simd.storeu(less.as_mut_ptr(), simd.min(distances[row], own));
                    let weight = self.rows.weight(rows[row]);
                    for (sum, less) in sums.iter_mut().zip(&less) {
                        *sum += weight * less.as_f64();
                    }
                }
            }
        }
    }
}

/// The most numbers of a register, on any processor.
const MOST_LANES: usize = 16;
