//! The assignment kernel: finds the nearest center of every row, where k-means spends its time.
//!
//! Rows are packed in groups of a few registers, one row per lane, less a reference point m (the mean of the data). A tile of
//! P centers, packed less m as well, is scored against a group with all P scores
//!
//! ```text
//!     s_j = ½‖c_j‖² − x·c_j        (‖x − c_j‖² = ‖x‖² + 2 s_j)
//! ```
//!
//! in registers, by one chain of d fused multiply-adds per score, in the order of the features; then the tile updates the
//! running minimum of each lane. Scores are never stored.
//!
//! # Exactness
//! The scores are a filter, not the result. The label of a row is the argmin of the distances that `transform` returns,
//! √Σ(x − v_j)² by [`squared_distance`](super::distance::squared_distance) from the unshifted row and center, ties to the
//! lowest index. The kernel counts the centers whose score lies within a margin M of the smallest one. A count of one proves
//! the label; rows with a larger count are marked, and [`PackedCenters`] compares them directly.
//! So labels depend neither on m, nor on the tile height, the instruction set, the number of threads, or whether pruning
//! skipped a row.
//!
//! The bound behind M, with unit roundoff u and γ_n = n·u / (1 − n·u) (Higham, Accuracy and Stability of Numerical
//! Algorithms, 2nd ed., chapter 3). Let x̄ = x − m and c̄_j = v_j − m in exact arithmetic, σ_j = ½‖c̄_j‖² − x̄·c̄_j, and
//! d_j = ‖x − v_j‖.
//!
//! 1. *Scores.* Packing rounds each x̄_f and c̄_jf once, so that products carry a factor (1 + θ_2). The half norm, summed in
//!    `f64` by 8 accumulators, carries θ_{d/8+17} (`f32`: θ_2, its rounding). The chain starts from the half norm and has d
//!    steps; a product is rounded too where the target has no fused multiply-add: θ_{d+1}. Together, by the Cauchy-Schwarz
//!    inequality on Σ|x̄_f||c̄_jf|,
//!
//! ```text
//!        |s_j − σ_j| ≤ E_j = γ_{1.125 d + 20} (½‖c̄_j‖² + ‖x̄‖‖c̄_j‖).
//! ```
//!
//! 2. *Direct distances.* A difference, a square, d/8 additions in each of 8 accumulators and at most 15 to join them:
//!    Σ(x − v_j)² has relative error γ_{d/8+18}. Two squares that differ by a factor above 1 + 4u have different roots.
//!    So if `transform` prefers J to another center B, then d_J² ≤ d_B² (1 + δ), δ = γ_{d/4+40}.
//! 3. Let B have the smallest computed score and J the smallest computed distance. Then
//!    s_J ≤ σ_J + E_J ≤ σ_B + ½δ d_B² + E_J ≤ s_B + E_B + E_J + ½δ d_B²: J is within M = E_B + E_J + ½δ d_B² of the minimum.
//! 4. *Norms.* With C the largest and C₀ the smallest ‖c̄_j‖, both centers have ‖c̄‖ ≤ ĉ = min(C, 2‖x̄‖ + C₀): the center
//!    nearest to m is no farther from x than ‖x̄‖ + C₀, and J and B are no farther than that, up to factors 1 + O(γ). And
//!    d_B ≤ ‖x̄‖ + ĉ. Hence, with Γ = γ_{2.5 d + 82}, which includes the addition of M to the minimum,
//!
//! ```text
//!        M ≤ Γ (½ĉ² + ‖x̄‖ĉ) + ½δ‖x̄‖².
//! ```
//!
//!    Two forms need no root: ‖x̄‖C ≤ ½(t‖x̄‖² + C²/t) for any t > 0 gives the coefficients (½C²(1 + 1/t), ½t); the second
//!    bound on ĉ gives (2C₀², 5½), which far centers do not enlarge. [`Margin`] takes the smaller and multiplies it by 1¼
//!    for the second-order terms; n·u ≤ 1/64 is required, else every row is compared directly. (The code counts the
//!    roundings for d < 8 and for `f32` one by one; there are fewer.)
//! 5. *Range.* Underflow adds at most d·η to any of these sums (η: the smallest subnormal number), which an absolute term of
//!    4(d + 8) times the smallest normal number exceeds. Where ‖x̄‖² or C² is not below a sixteenth of the largest number, a
//!    score might overflow, and the row is compared directly; comparisons are arranged such that NaN leads there too.
//!
//! # Cost
//! The margin costs no instruction per score: the minimum and its index took three (compare, blend, minimum), and so do the
//! minimum of a tile and one masked addition, which puts 2²³ + j into a lane's sum for each center j within the margin; a sum
//! from 2²³ to 2²⁴ is a single center, and names it. Measured on the kernel alone with AVX-512: 1 % for 64 features, 3 % for
//! 16, 10 % for 3. Tracking the second smallest score instead takes two more instructions per score and costs twice as much;
//! it is done only where the bounds need that score. Also tried: the minimum of a tile by a tree (it cannot start before the
//! last score is there), sums in several chains, the first and the last center within the margin by two blends.
//!
//! ‖x̄‖² is accumulated beside the first tile (a k-th of the multiply-adds), or known from an earlier pass, or bounded for all
//! rows where that does not widen the margin too much.
//!
//! Written with the engine's register vocabulary: as loops over arrays the compiler reaches a third of the speed
//! (measured with AVX2 on 100,000 × 64 rows and 100 centers: 37 against 90 GFLOP/s and more).
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use super::labels::SEVERAL;
use super::margin::Margin;
use super::packed_centers::PackedCenters;
use crate::float::Float;
use crate::simd::{Simd, WithSimd, prefetch};

/// Bytes of centers that pass over several groups before the next ones come: they stay in the first-level cache.
const CENTERS_IN_CACHE: usize = 1 << 14;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Groups of rows in search of their centers.
pub(super) struct AssignKernel<'a, F> {
    pub(super) centers: &'a PackedCenters<F>,
    /// For each group its features, for each feature a line of its lanes.
    pub(super) features: &'a [F],
    /// What comes next, and is fetched into the cache meanwhile, for each group a share of it.
    pub(super) ahead: &'a [F],
    /// How close scores may be before a row is compared directly.
    pub(super) margin: Margin<F>,
    /// ‖x‖² of each lane, and whether it is computed here.
    pub(super) squares: &'a mut [F],
    pub(super) with_squares: bool,
    /// The smallest score of each lane.
    pub(super) smallest: &'a mut [F],
    /// The nearest center of each lane, encoded as in [`labels`](super::labels).
    pub(super) nearest: &'a mut [F],
    /// The second smallest score; empty where it is not needed.
    pub(super) second: &'a mut [F],
}

/// How the registers of the processor at hand are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TileShape {
    /// Rows of a group.
    pub(crate) lanes: usize,
    /// Centers of a tile, the best choice first.
    pub(crate) heights: &'static [usize],
}

/// The shape for the processor at hand.
pub(crate) fn shape<F: Float>() -> TileShape {
    struct Ask;
    impl<F: Float> WithSimd<F> for Ask {
        type Output = TileShape;

        #[inline(always)]
        fn with_simd<S: Simd<F>>(self, _: S) -> TileShape {
            match (S::LANES, S::REGISTERS) {
                (1, _) => TileShape { lanes: 8, heights: &[4] },
                (lanes, 32..) => TileShape { lanes: 2 * lanes, heights: &[12, 10, 8] },
                (lanes, _) => TileShape { lanes: 2 * lanes, heights: &[6, 5, 4] },
            }
        }
    }
    F::run_simd(Ask)
}

impl<F: Float> WithSimd<F> for AssignKernel<'_, F> {
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

impl<F: Float> AssignKernel<'_, F> {
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
        let centers = &self.centers.tiles;
        let groups = self.smallest.len() / width;
        assert!(self.features.len() >= groups * width * d && self.nearest.len() >= groups * width);
        assert!(self.squares.len() >= groups * width && (!SECOND || self.second.len() >= groups * width));
        assert!(centers.len().is_multiple_of(P * (d + 2)));
        let tiles = centers.len() / (P * (d + 2));
        let block = (CENTERS_IN_CACHE / (P * d * size_of::<F>())).max(1);
        // What is fetched with a group, and with a feature of it.
        let share = self.ahead.len().div_ceil(groups.max(1));
        let step = share.div_ceil(d);
        for first in (0..tiles).step_by(block) {
            let last = (first + block).min(tiles);
            for group in 0..groups {
                let lanes = group * width;
                // SAFETY: the lengths were compared above: each group has d lines of R registers of features and a
                // line of R registers in each of the others, each tile d + 2 lines of P numbers. The
                // instruction set is the one that `simd` names.
                unsafe {
                    let x = self.features.as_ptr().add(lanes * d);
                    let mut running = if first == 0 {
                        Running::<F, S, R>::new(simd)
                    } else {
                        Running::load(simd, lanes, (self.smallest, self.nearest, self.second))
                    };
                    let known = !self.with_squares || first > 0;
                    if known {
                        running.squares = load(simd, self.squares.as_ptr().add(lanes));
                    }
                    for tile in first..last {
                        let half_norms = centers.as_ptr().add(tile * P * (d + 2));
                        let numbers = half_norms.add(P);
                        let centers = numbers.add(P);
                        let (rows, tables) = ((d, x), (centers, half_norms));
                        let near = step * size_of::<F>() <= LINE;
                        let scores = if !known && tile == 0 {
                            // Nothing ahead: what is here already is fetched again.
                            let from =
                                if step > 0 { self.ahead.as_ptr().wrapping_add(group * share) } else { x };
                            let (scores, squares) = if near {
                                scores::<F, S, R, P, 1, true>(simd, rows, tables, (from, step))
                            } else {
                                scores::<F, S, R, P, 2, true>(simd, rows, tables, (from, step))
                            };
                            running.squares = squares;
                            store(simd, squares, self.squares.as_mut_ptr().add(lanes));
                            scores
                        } else if tile > 0 || step == 0 {
                            scores::<F, S, R, P, 0, false>(simd, rows, tables, (x, 0)).0
                        } else {
                            let ahead = (self.ahead.as_ptr().wrapping_add(group * share), step);
                            if near {
                                scores::<F, S, R, P, 1, false>(simd, rows, tables, ahead).0
                            } else {
                                scores::<F, S, R, P, 2, false>(simd, rows, tables, ahead).0
                            }
                        };
                        if SECOND {
                            running.rank(simd, scores, numbers);
                        } else {
                            running.count(simd, self.margin, scores, numbers);
                        }
                    }
                    if last == tiles {
                        running.decide::<SECOND>(simd, self.margin);
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

/// What the lanes of a group have found so far.
struct Running<F: Float, S: Simd<F>, const R: usize> {
    squares: [S::Reg; R],
    smallest: [S::Reg; R],
    /// While centers are counted, the sum over those within the margin; while they are ranked, the nearest.
    nearest: [S::Reg; R],
    second: [S::Reg; R],
}

/// # Safety of the methods
/// The instruction set that `simd` names is there, and enabled in the calling function; `numbers` are one for each score.
impl<F: Float, S: Simd<F>, const R: usize> Running<F, S, R> {
    #[inline(always)]
    unsafe fn new(simd: S) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let (zeros, infinite) = ([simd.zero(); R], [simd.splat(F::infinity()); R]);
            Self { squares: zeros, smallest: infinite, nearest: zeros, second: infinite }
        }
    }

    /// Resumes after other centers; each slice has `R` registers from `lanes` on, the last one maybe none at all.
    #[inline(always)]
    unsafe fn load(simd: S, lanes: usize, (smallest, nearest, second): (&[F], &[F], &[F])) -> Self {
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

    /// Takes a tile of scores into account: adds up the centers within the margin of the smallest score.
    #[inline(always)]
    unsafe fn count<const P: usize>(
        &mut self,
        simd: S,
        margin: Margin<F>,
        scores: [[S::Reg; R]; P],
        numbers: *const F,
    ) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let before = self.smallest;
            for scores in scores {
                for (smallest, score) in self.smallest.iter_mut().zip(scores) {
                    *smallest = simd.min(score, *smallest);
                }
            }
            let (mut limits, mut sums) = ([simd.zero(); R], [simd.zero(); R]);
            for (r, limit) in limits.iter_mut().enumerate() {
                *limit = simd.add(self.smallest[r], self.margin(simd, margin, r));
            }
            for (p, scores) in scores.into_iter().enumerate() {
                let number = simd.splat(*numbers.add(p));
                for ((sum, score), limit) in sums.iter_mut().zip(scores).zip(limits) {
                    *sum = simd.select_lt(score, limit, simd.add(*sum, number), *sum);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                // Centers of earlier tiles are out where even the smallest score there is.
                self.nearest[r] = simd.select_lt(limits[r], before[r], sum, simd.add(self.nearest[r], sum));
            }
        }
    }

    /// Takes a tile of scores into account: keeps the nearest center, of equal ones the first, and the second smallest
    /// score.
    #[inline(always)]
    unsafe fn rank<const P: usize>(&mut self, simd: S, scores: [[S::Reg; R]; P], numbers: *const F) {
        // SAFETY: the caller vouches for the instruction set and the numbers.
        unsafe {
            for (p, scores) in scores.into_iter().enumerate() {
                let number = simd.splat(*numbers.add(p));
                for (r, score) in scores.into_iter().enumerate() {
                    let smallest = self.smallest[r];
                    let other = simd.select_lt(score, smallest, smallest, score);
                    self.second[r] = simd.min(other, self.second[r]);
                    self.nearest[r] = simd.select_lt(score, smallest, number, self.nearest[r]);
                    self.smallest[r] = simd.min(score, smallest);
                }
            }
        }
    }

    /// Marks the rows whose scores do not prove their labels.
    #[inline(always)]
    unsafe fn decide<const SECOND: bool>(&mut self, simd: S, margin: Margin<F>) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let several = simd.splat(F::of(SEVERAL));
            for r in 0..R {
                if SECOND {
                    let limit = simd.add(self.smallest[r], self.margin(simd, margin, r));
                    self.nearest[r] = simd.select_lt(limit, self.second[r], self.nearest[r], several);
                }
                let in_range =
                    simd.select_lt(self.squares[r], simd.splat(margin.most), self.nearest[r], several);
                self.nearest[r] = simd.min(in_range, several);
            }
        }
    }
}

/// The scores of a group about a tile of centers, and, with `SQUARES`, ‖x‖² of its rows.
/// With each feature as many lines are fetched into the cache as `AHEAD` says, from `ahead` on in steps.
///
/// # Safety
/// `x` has d lines of `R` registers, `centers` d lines of `P` numbers, `half_norms` P numbers. The instruction set
/// that `simd` names is there, and enabled in the calling function.
#[inline(always)]
#[allow(clippy::type_complexity, reason = "registers of scores and of squares")]
unsafe fn scores<
    F: Float,
    S: Simd<F>,
    const R: usize,
    const P: usize,
    const AHEAD: usize,
    const SQUARES: bool,
>(
    simd: S,
    (d, x): (usize, *const F),
    (centers, half_norms): (*const F, *const F),
    (ahead, step): (*const F, usize),
) -> ([[S::Reg; R]; P], [S::Reg; R]) {
    // SAFETY: by the contract above, every line that is read is there.
    unsafe {
        let (mut scores, mut squares) = ([[simd.zero(); R]; P], [simd.zero(); R]);
        for (p, scores) in scores.iter_mut().enumerate() {
            *scores = [simd.splat(*half_norms.add(p)); R];
        }
        for feature in 0..d {
            let line: [S::Reg; R] = load(simd, x.add(feature * R * S::LANES));
            prefetch(ahead.wrapping_add(feature * step), AHEAD * LINE / size_of::<F>());
            if SQUARES {
                for r in 0..R {
                    squares[r] = simd.mul_add(line[r], line[r], squares[r]);
                }
            }
            for (p, scores) in scores.iter_mut().enumerate() {
                let center = simd.splat(*centers.add(feature * P + p));
                for r in 0..R {
                    scores[r] = simd.neg_mul_add(center, line[r], scores[r]);
                }
            }
        }
        (scores, squares)
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
