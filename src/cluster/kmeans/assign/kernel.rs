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
//! # Blocking
//! ```text
//!                P centers                    one row per lane
//!              +-----------+             +----+----+----+----+
//!    feature 0 | c c ... c |  feature 0  | x  | x  | .. | x  |    R registers a line
//!       ...    |  tile     |     ...     |     packed group  |
//!      d - 1   | (d, P)    |    d - 1    |  (d, R * LANES)   |
//!              +-----------+             +----+----+----+----+
//!                     \___ micro-kernel ___/
//!             P x R registers of scores, reduced to R registers of minima
//!
//!    for each block of tiles (CENTERS_IN_CACHE: first-level cache)
//!        for each group of rows (second-level cache, or memory where centers are few)
//!            for each tile of the block: micro-kernel, then minima
//! ```
//! A micro-kernel loads R registers of rows and broadcasts P center values for P·R multiply-adds; with R = 2 the P·R
//! accumulators, R row registers and the broadcast fill the register file (AVX-512: 12·2 + 2 + 1 of 32; AVX2: 6·2 + 2 + 1 of
//! 16). A row per lane, not a feature per lane: no horizontal sums, and rows of any length fill whole registers.
//!
//! # Exactness
//! The scores are a filter, not the result. The label of a row is the argmin of the distances that `transform` returns,
//! √Σ(x − v_j)² by [`squared_distance`](crate::linalg::distance::squared_distance) from the unshifted row and center, ties to the
//! lowest index. The kernel counts the centers whose score lies within a margin M of the smallest one. A count of one proves
//! the label; rows with a larger count are marked, and [`PackedCenters`](super::packed_centers::PackedCenters) compares them directly.
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
//! it is done only where pruning needs that score. Also tried: the minimum of a tile by a tree (it cannot start before the
//! last score is there), sums in several chains, the first and the last center within the margin by two blends.
//!
//! ‖x̄‖² is accumulated beside the first tile (a k-th of the multiply-adds), or known from an earlier pass, or bounded for all
//! rows where that does not widen the margin too much.
//!
//! Rows that come next are prefetched, one or two cache lines per feature of the first tile: a core has ten to twenty
//! outstanding misses, and a burst of prefetches before the loop would stall it.
//!
//! Written with the engine's register vocabulary: as loops over arrays the compiler reaches a third of the speed
//! (measured with AVX2 on 100,000 × 64 rows and 100 centers: 37 against 90 GFLOP/s and more).
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use super::lane_minima::{LaneMinima, load, store};
use super::margin::Margin;
use crate::float::Float;
use crate::simd::{Simd, WithSimd, prefetch};
use std::ops::Range;

/// Bytes of centers that pass over several groups before the next block: they stay in the first-level cache.
const CENTERS_IN_CACHE: usize = 1 << 14;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Centers packed in tiles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CenterTiles<'a, F> {
    pub(crate) n_features: usize,
    /// P, the centers of a tile.
    pub(crate) height: usize,
    /// For each tile P half norms ½‖c‖², P codes of the centers, and d lines of P values.
    pub(crate) values: &'a [F],
}

/// One pass over packed rows: the nearest center of each.
pub(crate) struct AssignKernel<'a, F> {
    pub(crate) centers: CenterTiles<'a, F>,
    /// The packed rows: for each group its features, for each feature a line of its lanes.
    pub(crate) features: &'a [F],
    /// Data to prefetch, an equal part with each group.
    pub(crate) ahead: &'a [F],
    /// How close scores may be before a row is compared directly.
    pub(crate) margin: Margin<F>,
    /// ‖x‖² of each lane, and whether the kernel computes it.
    pub(crate) squares: &'a mut [F],
    pub(crate) with_squares: bool,
    /// The smallest score of each lane.
    pub(crate) smallest: &'a mut [F],
    /// The nearest center of each lane, encoded as in [`labels`](super::labels).
    pub(crate) nearest: &'a mut [F],
    /// The second smallest score; empty where it is not needed.
    pub(crate) second: &'a mut [F],
}

/// The register blocking of the processor at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TileShape {
    /// Rows of a group.
    pub(crate) lanes: usize,
    /// Centers of a tile, the best choice first.
    pub(crate) heights: &'static [usize],
}

/// The register blocking of the processor at hand.
pub(crate) fn tile_shape<F: Float>() -> TileShape {
    struct Query;
    impl<F: Float> WithSimd<F> for Query {
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
    F::run_simd(Query)
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

    /// Searches groups of `R` registers in tiles of `P` centers.
    #[inline(always)]
    fn search<S: Simd<F>, const R: usize, const P: usize, const SECOND: bool>(mut self, simd: S) {
        let (d, width) = (self.centers.n_features, R * S::LANES);
        let groups = self.smallest.len() / width;
        assert!(self.features.len() >= groups * width * d && self.nearest.len() >= groups * width);
        assert!(self.squares.len() >= groups * width && (!SECOND || self.second.len() >= groups * width));
        assert!(self.centers.values.len().is_multiple_of(P * (d + 2)));
        let n_tiles = self.centers.values.len() / (P * (d + 2));
        let block = (CENTERS_IN_CACHE / (P * d * size_of::<F>())).max(1);
        // What is prefetched with a group, and with a feature of it.
        let per_group = self.ahead.len().div_ceil(groups.max(1));
        let per_feature = per_group.div_ceil(d);
        for first in (0..n_tiles).step_by(block) {
            let tiles = first..(first + block).min(n_tiles);
            for group in 0..groups {
                // SAFETY: the lengths were compared above: each group has d lines of R registers of features and a
                // line of R registers in each of the others, each tile d + 2 lines of P values. The
                // instruction set is the one that `simd` names.
                unsafe {
                    let ahead = (self.ahead.as_ptr().wrapping_add(group * per_group), per_feature);
                    self.search_group::<S, R, P, SECOND>(simd, group, (tiles.clone(), n_tiles), ahead);
                }
            }
        }
    }

    /// Searches one group in a range of all tiles; `ahead` is prefetched by `step` elements a feature.
    ///
    /// # Safety
    /// The buffers hold the group and the tiles, as `search` asserts; the instruction set that `simd` names is there, and
    /// enabled in the calling function.
    #[inline(always)]
    unsafe fn search_group<S: Simd<F>, const R: usize, const P: usize, const SECOND: bool>(
        &mut self,
        simd: S,
        group: usize,
        (tiles, n_tiles): (Range<usize>, usize),
        (ahead, step): (*const F, usize),
    ) {
        let (d, lanes) = (self.centers.n_features, group * R * S::LANES);
        let (first, last) = (tiles.start, tiles.end);
        // SAFETY: by the contract above.
        unsafe {
            let x = self.features.as_ptr().add(lanes * d);
            let mut minima = if first == 0 {
                LaneMinima::<F, S, R>::new(simd)
            } else {
                LaneMinima::load(simd, lanes, (self.smallest, self.nearest, self.second))
            };
            let squares_known = !self.with_squares || first > 0;
            if squares_known {
                minima.squares = load(simd, self.squares.as_ptr().add(lanes));
            }
            let table = |tile: usize| {
                let half_norms = self.centers.values.as_ptr().add(tile * P * (d + 2));
                (half_norms.add(2 * P), half_norms)
            };
            let (rows, mut plain_tiles) = ((d, x), tiles);
            // The first tile is apart from the loop, which the compiler then keeps in registers.
            if first == 0 && (step > 0 || !squares_known) {
                // Without rows ahead, the group itself is prefetched again, which costs nothing.
                let ahead = (if step > 0 { ahead } else { x }, step);
                let scores = if squares_known {
                    scores_and_prefetch::<F, S, R, P, false>(simd, rows, table(0), ahead).0
                } else {
                    let (scores, squares) =
                        scores_and_prefetch::<F, S, R, P, true>(simd, rows, table(0), ahead);
                    minima.squares = squares;
                    store(simd, squares, self.squares.as_mut_ptr().add(lanes));
                    scores
                };
                minima.merge::<P, SECOND>(simd, self.margin, scores, table(0).1.add(P));
                plain_tiles.start = 1;
            }
            for tile in plain_tiles {
                let scores = scores::<F, S, R, P, 0, false>(simd, rows, table(tile), (x, 0)).0;
                minima.merge::<P, SECOND>(simd, self.margin, scores, table(tile).1.add(P));
            }
            if last == n_tiles {
                minima.mark_undecided::<SECOND>(simd, self.margin);
            }
            store(simd, minima.smallest, self.smallest.as_mut_ptr().add(lanes));
            store(simd, minima.nearest, self.nearest.as_mut_ptr().add(lanes));
            if SECOND {
                store(simd, minima.second, self.second.as_mut_ptr().add(lanes));
            }
        }
    }
}

/// [`scores`], prefetching one cache line a feature, or two where the step is longer than a line.
///
/// # Safety
/// As [`scores`].
#[inline(always)]
#[allow(clippy::type_complexity, reason = "registers of scores and of squares")]
unsafe fn scores_and_prefetch<F: Float, S: Simd<F>, const R: usize, const P: usize, const SQUARES: bool>(
    simd: S,
    rows: (usize, *const F),
    table: (*const F, *const F),
    (ahead, step): (*const F, usize),
) -> ([[S::Reg; R]; P], [S::Reg; R]) {
    // SAFETY: by the contract of `scores`.
    unsafe {
        if step * size_of::<F>() <= LINE {
            scores::<F, S, R, P, 1, SQUARES>(simd, rows, table, (ahead, step))
        } else {
            scores::<F, S, R, P, 2, SQUARES>(simd, rows, table, (ahead, step))
        }
    }
}

/// The micro-kernel: the scores of a group against a tile of centers, and, with `SQUARES`, ‖x‖² of its rows.
/// With each feature `AHEAD` cache lines are prefetched, from `ahead` on in steps.
///
/// # Safety
/// `x` has d lines of `R` registers, `centers` d lines of `P` values, `half_norms` P values. The instruction set
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
