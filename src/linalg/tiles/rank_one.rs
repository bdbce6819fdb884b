//! The product of a column and a row, `c = a·b` or `c += a·b`: the gradient of a batch of one.
//!
//! Nothing is summed, so tiles gain nothing; the output is written once from a row of `b` that stays in registers.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::product::Product;
use crate::float::Float;
use crate::simd::Simd;

#[allow(clippy::needless_range_loop, reason = "a register's column reads best as an index")]
impl<F: Float> Product<F> {
    /// Whether [`rank_one`](Self::rank_one) applies.
    #[inline(always)]
    pub(super) fn is_rank_one<S: Simd<F>>(&self) -> bool {
        self.k == 1
            && self.is_unscaled(self.beta)
            && self.bias.is_none()
            && self.b.col_stride == 1
            && self.c.col_stride == 1
            && self.n.is_multiple_of(S::LANES)
    }

    /// Multiplies a column by a row.
    ///
    /// # Safety
    /// [`is_rank_one`](Self::is_rank_one) must hold, and the instruction set must be the one that `simd` names.
    #[inline(always)]
    pub(super) unsafe fn rank_one<S: Simd<F>>(&self, simd: S) {
        let mut column = 0;
        while column < self.n {
            // SAFETY: the caller's promise; the match leaves at least the registers of its arm.
            unsafe {
                column += match (self.n - column) / S::LANES {
                    8.. => self.rank_one_columns::<S, 8>(simd, column),
                    4.. => self.rank_one_columns::<S, 4>(simd, column),
                    _ => self.rank_one_columns::<S, 1>(simd, column),
                }
            }
        }
    }

    /// Computes `C` registers of each row, from `column` on. Returns the number of columns.
    ///
    /// # Safety
    /// As [`rank_one`](Self::rank_one); the columns must exist.
    #[inline(always)]
    unsafe fn rank_one_columns<S: Simd<F>, const C: usize>(&self, simd: S, column: usize) -> usize {
        let adds = self.beta == F::one();
        // SAFETY: the caller's promise.
        unsafe {
            let mut b_row = [simd.zero(); C];
            for c in 0..C {
                b_row[c] = simd.loadu(self.b.at(0, column + c * S::LANES));
            }
            let mut out = self.c.ptr.add(column);
            for row in 0..self.m {
                let factor = simd.splat(*self.a.at(row, 0));
                for c in 0..C {
                    let place = out.add(c * S::LANES);
                    let before = if adds { simd.loadu(place) } else { simd.zero() };
                    simd.storeu(place, simd.mul_add(factor, b_row[c], before));
                }
                out = out.wrapping_offset(self.c.row_stride);
            }
        }
        C * S::LANES
    }
}
