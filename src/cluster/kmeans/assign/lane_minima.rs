//! The running minimum of the scores of each row, in registers: what remains of a tile of scores after the micro-kernel.
//!
//! The minimum of a tile takes one instruction per score, and so does the masked addition of the codes of the centers within the
//! margin of the minimum. Where a second smallest score is needed for pruning, both are tracked with two more.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::labels::SEVERAL;
use super::margin::Margin;
use crate::float::Float;
use crate::simd::Simd;

/// The running minimum of each lane of a group.
pub(super) struct LaneMinima<F: Float, S: Simd<F>, const R: usize> {
    /// ‖x‖² of each lane.
    pub(super) squares: [S::Reg; R],
    pub(super) smallest: [S::Reg; R],
    /// The sum of the codes within the margin; with a second score, the code of the nearest.
    pub(super) nearest: [S::Reg; R],
    pub(super) second: [S::Reg; R],
}

/// # Safety of the methods
/// The instruction set that `simd` names is there, and enabled in the calling function; `codes` holds one for each score.
impl<F: Float, S: Simd<F>, const R: usize> LaneMinima<F, S, R> {
    #[inline(always)]
    pub(super) unsafe fn new(simd: S) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let (zeros, infinite) = ([simd.zero(); R], [simd.splat(F::infinity()); R]);
            Self { squares: zeros, smallest: infinite, nearest: zeros, second: infinite }
        }
    }

    /// Resumes after an earlier block of tiles; each slice has `R` registers from `lanes` on, the last one may be empty.
    #[inline(always)]
    pub(super) unsafe fn load(
        simd: S,
        lanes: usize,
        (smallest, nearest, second): (&[F], &[F], &[F]),
    ) -> Self {
        // SAFETY: the caller vouches for the instruction set and the lengths.
        unsafe {
            Self {
                squares: [simd.zero(); R],
                smallest: load(simd, smallest.as_ptr().add(lanes)),
                nearest: load(simd, nearest.as_ptr().add(lanes)),
                second: if second.is_empty() {
                    [simd.zero(); R]
                } else {
                    load(simd, second.as_ptr().add(lanes))
                },
            }
        }
    }

    /// M of each row of register `r`.
    #[inline(always)]
    unsafe fn margin(&self, simd: S, margin: Margin<F>, r: usize) -> S::Reg {
        // SAFETY: the caller vouches for the instruction set.
        unsafe { simd.mul_add(simd.splat(margin.per_square), self.squares[r], simd.splat(margin.base)) }
    }

    /// Merges a tile of scores, with or without a second smallest score.
    #[inline(always)]
    pub(super) unsafe fn merge<const P: usize, const SECOND: bool>(
        &mut self,
        simd: S,
        margin: Margin<F>,
        scores: [[S::Reg; R]; P],
        codes: *const F,
    ) {
        // SAFETY: the caller vouches for the instruction set and the codes.
        unsafe {
            if SECOND {
                self.track_two_smallest(simd, scores, codes);
            } else {
                self.sum_within_margin(simd, margin, scores, codes);
            }
        }
    }

    /// Merges a tile of scores: sums the codes of the centers within the margin of the smallest score.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "one index for scores, codes and limits")]
    unsafe fn sum_within_margin<const P: usize>(
        &mut self,
        simd: S,
        margin: Margin<F>,
        scores: [[S::Reg; R]; P],
        codes: *const F,
    ) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let mut limits = [simd.zero(); R];
            for (r, limit) in limits.iter_mut().enumerate() {
                let before = self.smallest[r];
                let mut smallest = scores[0][r];
                for scores in &scores[1..] {
                    smallest = simd.min(scores[r], smallest);
                }
                self.smallest[r] = simd.min(smallest, before);
                *limit = simd.add(self.smallest[r], self.margin(simd, margin, r));
                // Where the minimum fell by more than the margin, no center of an earlier tile is within it.
                self.nearest[r] = simd.select_lt(*limit, before, simd.zero(), self.nearest[r]);
            }
            for (p, scores) in scores.into_iter().enumerate() {
                let code = simd.splat(*codes.add(p));
                for r in 0..R {
                    let nearest = self.nearest[r];
                    self.nearest[r] = simd.select_lt(scores[r], limits[r], simd.add(nearest, code), nearest);
                }
            }
        }
    }

    /// Merges a tile of scores: keeps the nearest center, ties to the first, and the second smallest score.
    #[inline(always)]
    unsafe fn track_two_smallest<const P: usize>(
        &mut self,
        simd: S,
        scores: [[S::Reg; R]; P],
        codes: *const F,
    ) {
        // SAFETY: the caller vouches for the instruction set and the codes.
        unsafe {
            for (p, scores) in scores.into_iter().enumerate() {
                let code = simd.splat(*codes.add(p));
                for (r, score) in scores.into_iter().enumerate() {
                    let smallest = self.smallest[r];
                    let other = simd.select_lt(score, smallest, smallest, score);
                    self.second[r] = simd.min(other, self.second[r]);
                    self.nearest[r] = simd.select_lt(score, smallest, code, self.nearest[r]);
                    self.smallest[r] = simd.min(score, smallest);
                }
            }
        }
    }

    /// Marks the rows whose scores do not prove their labels.
    #[inline(always)]
    pub(super) unsafe fn mark_undecided<const SECOND: bool>(&mut self, simd: S, margin: Margin<F>) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let several = simd.splat(F::of(SEVERAL));
            for r in 0..R {
                if SECOND {
                    let limit = simd.add(self.smallest[r], self.margin(simd, margin, r));
                    self.nearest[r] = simd.select_lt(limit, self.second[r], self.nearest[r], several);
                }
                let in_range =
                    simd.select_lt(self.squares[r], simd.splat(margin.max_square), self.nearest[r], several);
                self.nearest[r] = simd.min(in_range, several);
            }
        }
    }
}

/// Loads `R` registers.
///
/// # Safety
/// `from` has `R` registers; the instruction set that `simd` names is there, and enabled in the calling function.
#[inline(always)]
pub(super) unsafe fn load<F: Float, S: Simd<F>, const R: usize>(simd: S, from: *const F) -> [S::Reg; R] {
    // SAFETY: by the contract above.
    unsafe {
        let mut registers = [simd.zero(); R];
        for (r, register) in registers.iter_mut().enumerate() {
            *register = simd.loadu(from.add(r * S::LANES));
        }
        registers
    }
}

/// Stores `R` registers.
///
/// # Safety
/// As [`load`], for writing.
#[inline(always)]
pub(super) unsafe fn store<F: Float, S: Simd<F>, const R: usize>(
    simd: S,
    registers: [S::Reg; R],
    to: *mut F,
) {
    for (r, register) in registers.into_iter().enumerate() {
        // SAFETY: by the contract above.
        unsafe { simd.storeu(to.add(r * S::LANES), register) };
    }
}
