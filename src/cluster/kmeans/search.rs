//! The search among the centers, in registers: where k-means spends its time.
//!
//! A group of rows fills a few registers, one row a lane. Tiles of centers pass over it with all their scores
//! ‖c‖²/2 − x·c in registers, and each lane keeps its smallest score so far and whose it is. No score is ever
//! stored. A score is one chain of multiply-adds over the features in their order, whatever the width of the
//! registers, the height of the tile, and the rows beside it.
//!
//! Written with the engine's register vocabulary: as loops over arrays the compiler reaches a third of the speed
//! (measured with AVX2 on 100,000 × 64 rows and 100 centers: 37 against 90 GFLOP/s and more).
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use super::nearest::{Centers, Moved};
use crate::float::Float;
use crate::simd::{Simd, WithSimd, prefetch, vectorize};

/// Bytes of centers that pass over several groups before the next ones come: they stay in the first-level cache.
const CENTERS_IN_CACHE: usize = 1 << 14;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Groups of rows in search of their centers.
pub(super) struct Search<'a, F> {
    pub(super) centers: &'a Centers<F>,
    /// For each group its features, for each feature a line of its lanes.
    pub(super) features: &'a [F],
    /// What comes next, and is fetched into the cache meanwhile, for each group a share of it.
    pub(super) ahead: &'a [F],
    /// A line for each group: the smallest score of each lane,
    pub(super) smallest: &'a mut [F],
    /// whose it is,
    pub(super) nearest: &'a mut [F],
    /// and the smallest of the others; empty where nobody asks.
    pub(super) second: &'a mut [F],
}

/// How the registers of the processor at hand are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Rows of a group.
    pub(crate) lanes: usize,
    /// Centers of a tile, the best choice first.
    pub(crate) heights: &'static [usize],
}

/// The shape for the processor at hand.
pub(crate) fn shape<F: Float>() -> Shape {
    struct Ask;
    impl<F: Float> WithSimd<F> for Ask {
        type Output = Shape;

        #[inline(always)]
        fn with_simd<S: Simd<F>>(self, _: S) -> Shape {
            match (S::LANES, S::REGISTERS) {
                (1, _) => Shape { lanes: 8, heights: &[4] },
                (lanes, 32..) => Shape { lanes: 2 * lanes, heights: &[12, 10, 8] },
                (lanes, _) => Shape { lanes: 2 * lanes, heights: &[6, 5, 4] },
            }
        }
    }
    F::run_simd(Ask)
}

impl<F: Float> WithSimd<F> for Search<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        match (S::LANES, self.centers.height) {
            (1, _) => self.by_height::<S, 8, 4>(simd),
            (_, 12) if S::REGISTERS >= 32 => self.by_height::<S, 2, 12>(simd),
            (_, 10) if S::REGISTERS >= 32 => self.by_height::<S, 2, 10>(simd),
            (_, 8) if S::REGISTERS >= 32 => self.by_height::<S, 2, 8>(simd),
            (_, 6) => self.by_height::<S, 2, 6>(simd),
            (_, 5) => self.by_height::<S, 2, 5>(simd),
            _ => self.by_height::<S, 2, 4>(simd),
        }
    }
}

impl<F: Float> Search<'_, F> {
    #[inline(always)]
    fn by_height<S: Simd<F>, const R: usize, const P: usize>(self, simd: S) {
        if self.second.is_empty() {
            self.search::<S, R, P, false>(simd);
        } else {
            self.search::<S, R, P, true>(simd);
        }
    }

    /// Groups of `R` registers and tiles of `P` centers.
    #[inline(always)]
    fn search<S: Simd<F>, const R: usize, const P: usize, const SECOND: bool>(self, simd: S) {
        let (d, width) = (self.centers.n_features, R * S::LANES);
        let (panels, half_norms) = (&self.centers.panels, &self.centers.half_norms);
        let groups = self.smallest.len() / width;
        assert!(self.features.len() >= groups * width * d && self.nearest.len() >= groups * width);
        assert!(!SECOND || self.second.len() >= groups * width);
        assert!(panels.len() >= half_norms.len() * d && half_norms.len().is_multiple_of(P));
        let tiles = half_norms.len() / P;
        let block = (CENTERS_IN_CACHE / (P * d * size_of::<F>())).max(1);
        // What is fetched with a group, and with a feature of it.
        let share = self.ahead.len().div_ceil(groups.max(1));
        let step = share.div_ceil(d);
        for first in (0..tiles).step_by(block) {
            for group in 0..groups {
                let lanes = group * width;
                // SAFETY: the lengths were compared above: each group has d lines of R registers of features and a
                // line of R registers in each of the others, each tile P half norms and d lines of P numbers. The
                // instruction set is the one that `simd` names.
                unsafe {
                    let mut running = Running::<F, S, R> {
                        smallest: load(simd, self.smallest.as_ptr().add(lanes)),
                        nearest: load(simd, self.nearest.as_ptr().add(lanes)),
                        second: if SECOND {
                            load(simd, self.second.as_ptr().add(lanes))
                        } else {
                            [simd.zero(); R]
                        },
                    };
                    let mut cluster = simd.splat(F::of((first * P) as f64));
                    let x = self.features.as_ptr().add(lanes * d);
                    for tile in first..(first + block).min(tiles) {
                        let centers = panels.as_ptr().add(tile * P * d);
                        let half_norms = half_norms.as_ptr().add(tile * P);
                        let ahead = (self.ahead.as_ptr().wrapping_add(group * share), step);
                        let scores = if tile > 0 || step == 0 {
                            scores::<F, S, R, P, 0>(simd, d, x, centers, half_norms, ahead)
                        } else if step * size_of::<F>() <= LINE {
                            scores::<F, S, R, P, 1>(simd, d, x, centers, half_norms, ahead)
                        } else {
                            scores::<F, S, R, P, 2>(simd, d, x, centers, half_norms, ahead)
                        };
                        for scores in scores {
                            running.meet::<SECOND>(simd, scores, cluster);
                            cluster = simd.add(cluster, simd.splat(F::one()));
                        }
                    }
                    store(simd, running.smallest, self.smallest.as_mut_ptr().add(lanes));
                    store(simd, running.nearest, self.nearest.as_mut_ptr().add(lanes));
                    if SECOND {
                        store(simd, running.second, self.second.as_mut_ptr().add(lanes));
                    }
                }
            }
        }
    }
}

/// Takes over the numbers of the nearest centers.
pub(super) fn relabel<F: Float>(labels: &mut [u32], nearest: &[F]) {
    vectorize(
        #[inline(always)]
        || labels.iter_mut().zip(nearest).for_each(|(label, nearest)| *label = cluster(*nearest)),
    );
}

/// The same for the rows from `first` on, and notes the labels that are not what they were.
pub(super) fn relabel_and_note<F: Float>(
    labels: &mut [u32],
    nearest: &[F],
    first: u32,
    moved: &mut Vec<Moved>,
) {
    /// Labels that are compared at once.
    const LABELS: usize = 32;
    vectorize(
        #[inline(always)]
        || {
            let (many, few) = labels.as_chunks_mut::<LABELS>();
            let (many_nearest, few_nearest) =
                nearest[..many.len() * LABELS + few.len()].as_chunks::<LABELS>();
            let first_of_few = first + (many.len() * LABELS) as u32;
            for (first, (labels, nearest)) in (first..).step_by(LABELS).zip(many.iter_mut().zip(many_nearest))
            {
                let (mut found, mut differ) = ([0; LABELS], [0; LABELS]);
                for place in 0..LABELS {
                    found[place] = cluster(nearest[place]);
                    differ[place] = u8::from(found[place] != labels[place]);
                }
                if differ == [0; LABELS] {
                    continue;
                }
                for (index, eight) in differ.as_chunks::<8>().0.iter().enumerate() {
                    let mut eight = u64::from_le_bytes(*eight);
                    while eight != 0 {
                        let place = 8 * index as u32 + eight.trailing_zeros() / 8;
                        moved.push(Moved { row: first + place, from: labels[place as usize] });
                        eight &= eight - 1;
                    }
                }
                *labels = found;
            }
            for (row, (label, nearest)) in (first_of_few..).zip(few.iter_mut().zip(few_nearest)) {
                let from = std::mem::replace(label, cluster(*nearest));
                if from != *label {
                    moved.push(Moved { row, from });
                }
            }
        },
    );
}

/// The number of a cluster that the search has written.
#[inline(always)]
pub(super) fn cluster<F: Float>(found: F) -> u32 {
    // SAFETY: a whole number below 2²⁴: the search writes no other, and room begins as zeros.
    unsafe { found.as_f64().to_int_unchecked::<i32>() }.cast_unsigned()
}

/// What the lanes of a group have found so far.
struct Running<F: Float, S: Simd<F>, const R: usize> {
    smallest: [S::Reg; R],
    nearest: [S::Reg; R],
    second: [S::Reg; R],
}

impl<F: Float, S: Simd<F>, const R: usize> Running<F, S, R> {
    /// Takes the scores of a center into account; of equal ones the earlier stays.
    ///
    /// # Safety
    /// The instruction set that `simd` names is there, and enabled in the calling function.
    #[inline(always)]
    unsafe fn meet<const SECOND: bool>(&mut self, simd: S, scores: [S::Reg; R], cluster: S::Reg) {
        for (r, score) in scores.into_iter().enumerate() {
            // SAFETY: the caller vouches for the instruction set.
            unsafe {
                let smallest = self.smallest[r];
                if SECOND {
                    let other = simd.select_lt(score, smallest, smallest, score);
                    self.second[r] = simd.min(other, self.second[r]);
                }
                self.nearest[r] = simd.select_lt(score, smallest, cluster, self.nearest[r]);
                self.smallest[r] = simd.min(score, smallest);
            }
        }
    }
}

/// The scores of a group about a tile of centers.
/// With each feature as many lines are fetched into the cache as `AHEAD` says, from `ahead` on in steps.
///
/// # Safety
/// `x` has d lines of `R` registers, `centers` d lines of `P` numbers, `half_norms` P numbers. The instruction set
/// that `simd` names is there, and enabled in the calling function.
#[inline(always)]
unsafe fn scores<F: Float, S: Simd<F>, const R: usize, const P: usize, const AHEAD: usize>(
    simd: S,
    d: usize,
    x: *const F,
    centers: *const F,
    half_norms: *const F,
    (ahead, step): (*const F, usize),
) -> [[S::Reg; R]; P] {
    // SAFETY: by the contract above, every line that is read is there.
    unsafe {
        let mut scores = [[simd.zero(); R]; P];
        for (p, scores) in scores.iter_mut().enumerate() {
            *scores = [simd.splat(*half_norms.add(p)); R];
        }
        for feature in 0..d {
            let line: [S::Reg; R] = load(simd, x.add(feature * R * S::LANES));
            prefetch(ahead.wrapping_add(feature * step), AHEAD * LINE / size_of::<F>());
            for (p, scores) in scores.iter_mut().enumerate() {
                let center = simd.splat(*centers.add(feature * P + p));
                for r in 0..R {
                    scores[r] = simd.neg_mul_add(center, line[r], scores[r]);
                }
            }
        }
        scores
    }
}

/// # Safety
/// `from` has `R` registers; the instruction set that `simd` names is there, and enabled in the calling function.
#[inline(always)]
unsafe fn load<F: Float, S: Simd<F>, const R: usize>(simd: S, from: *const F) -> [S::Reg; R] {
    // SAFETY: by the contract above.
    unsafe {
        let mut registers = [simd.zero(); R];
        for (r, register) in registers.iter_mut().enumerate() {
            *register = simd.loadu(from.add(r * S::LANES));
        }
        registers
    }
}

/// # Safety
/// As [`load`], for writing.
#[inline(always)]
unsafe fn store<F: Float, S: Simd<F>, const R: usize>(simd: S, registers: [S::Reg; R], to: *mut F) {
    for (r, register) in registers.into_iter().enumerate() {
        // SAFETY: by the contract above.
        unsafe { simd.storeu(to.add(r * S::LANES), register) };
    }
}
