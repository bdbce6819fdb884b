//! The micro-kernel: a tile of sums in registers, accumulated over the steps of a k-block.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use super::product::{PREFETCH_STEPS, Panel, Product, Span, Strided};
use super::store::store_tile;
use crate::float::Float;
use crate::simd::{Simd, prefetch};

#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
impl<F: Float> Product<F> {
    /// Computes a tile of `C` registers a row, with the code for its height.
    ///
    /// # Safety
    /// As [`tile`](Self::tile), for `rows`, which begin at `a`.
    #[inline(always)]
    pub(super) unsafe fn tile_of_height<S: Simd<F>, const C: usize>(
        &self,
        simd: S,
        a: Strided<F>,
        rows: Span,
        panel: Panel<F>,
        scratch: *mut F,
    ) {
        let row = rows.first;
        // SAFETY: the caller's promise.
        unsafe {
            // A panel is packed only for five tiles or more; the first of them then has one of the two largest heights.
            if panel.pack_to.is_some() {
                if const { S::REGISTERS == 32 } {
                    match rows.len {
                        7 => self.tile::<S, 7, C, true>(simd, a, row, panel, scratch),
                        _ => self.tile::<S, 8, C, true>(simd, a, row, panel, scratch),
                    }
                } else {
                    match rows.len {
                        5 => self.tile::<S, 5, C, true>(simd, a, row, panel, scratch),
                        _ => self.tile::<S, 6, C, true>(simd, a, row, panel, scratch),
                    }
                }
                return;
            }
            match rows.len {
                1 => return self.tile::<S, 1, C, false>(simd, a, row, panel, scratch),
                2 => return self.tile::<S, 2, C, false>(simd, a, row, panel, scratch),
                3 => return self.tile::<S, 3, C, false>(simd, a, row, panel, scratch),
                4 => return self.tile::<S, 4, C, false>(simd, a, row, panel, scratch),
                5 => return self.tile::<S, 5, C, false>(simd, a, row, panel, scratch),
                6 => return self.tile::<S, 6, C, false>(simd, a, row, panel, scratch),
                _ => {}
            }
            if const { S::REGISTERS == 32 } {
                match rows.len {
                    7 => self.tile::<S, 7, C, false>(simd, a, row, panel, scratch),
                    _ => self.tile::<S, 8, C, false>(simd, a, row, panel, scratch),
                }
            }
        }
    }

    /// Computes a tile of `R` rows × `C` registers and stores it to the output or to `scratch`. With `PACK` it packs
    /// the panel on the way.
    ///
    /// # Safety
    /// `a` must begin at row `row` of the product's `a` and have `R` rows and the steps of the panel. The panel must
    /// have `C` registers a step. The columns must be the output's, or `scratch` must hold the tile. The instruction
    /// set must be the one that `simd` names.
    #[inline(always)]
    pub(super) unsafe fn tile<S: Simd<F>, const R: usize, const C: usize, const PACK: bool>(
        &self,
        simd: S,
        a: Strided<F>,
        row: usize,
        panel: Panel<F>,
        scratch: *mut F,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            // The scalar backend leaves its tile in memory, where the compiler finds loops to vectorize for the
            // baseline.
            let directly = S::LANES > 1 && panel.stores_directly;
            let (out, stride) = if directly {
                let row_start = self.c.ptr.offset(row.cast_signed() * self.c.row_stride);
                (row_start.add(panel.columns.first), self.c.row_stride)
            } else {
                (scratch, (C * S::LANES).cast_signed())
            };
            for r in 0..R {
                prefetch(out.wrapping_offset(r.cast_signed() * stride).cast_const(), 1);
            }
            let pack_to = panel.pack_to.unwrap_or(std::ptr::null_mut());
            let b = (panel.ptr, panel.step_stride);
            let sums = micro_kernel::<F, S, R, C, PACK>(simd, panel.steps.len, a, b, pack_to);
            let adds = directly && panel.beta == F::one();
            let bias = panel.bias.filter(|_| directly);
            let to = (out, stride);
            // One loop for each case: with branches inside, the compiler does not unroll the loop, and the sums leave
            // the registers through memory.
            match (adds, bias) {
                (false, None) => store_tile::<F, S, R, C>(simd, &sums, to, |sum, _, _| sum),
                (true, None) => {
                    store_tile::<F, S, R, C>(simd, &sums, to, |sum, out, _| simd.add(simd.loadu(out), sum))
                }
                (false, Some(bias)) => store_tile::<F, S, R, C>(simd, &sums, to, |sum, _, c| {
                    simd.add(sum, simd.loadu(bias.add(c)))
                }),
                (true, Some(bias)) => store_tile::<F, S, R, C>(simd, &sums, to, |sum, out, c| {
                    simd.add(simd.add(simd.loadu(out), sum), simd.loadu(bias.add(c)))
                }),
            }
        }
    }
}

/// Accumulates `R` rows of `a` times a panel (first step, stride of the steps) of `C` registers a step. With `PACK` it
/// copies the panel to `pack_to`, one step after the other.
///
/// Each step loads `C` registers of `b`, broadcasts `R` elements of `a` and issues `R · C` multiply-adds. On a tile
/// in the first-level cache that reaches 99 % of the peak of the multipliers.
///
/// # Safety
/// The steps must exist in both operands, and with `PACK` `pack_to` must hold the panel. The instruction set must be
/// the one that `simd` names.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
unsafe fn micro_kernel<F: Float, S: Simd<F>, const R: usize, const C: usize, const PACK: bool>(
    simd: S,
    steps: usize,
    a: Strided<F>,
    (mut b, b_stride): (*const F, isize),
    mut pack_to: *mut F,
) -> [[S::Reg; C]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[simd.zero(); C]; R];
        // The black box hides that the row pointers are multiples of one stride apart. Otherwise the compiler keeps one
        // pointer and computes the others in every step, on the ports that multiply.
        let rows: [*const F; R] = std::array::from_fn(|r| {
            std::hint::black_box(a.ptr.wrapping_offset(r.cast_signed() * a.row_stride))
        });
        let mut a_offset = 0;
        for _ in 0..steps {
            let mut b_row = [simd.zero(); C];
            for c in 0..C {
                b_row[c] = simd.loadu(b.add(c * S::LANES));
            }
            if PACK {
                prefetch(b.wrapping_offset(PREFETCH_STEPS * b_stride), C * S::LANES);
                for c in 0..C {
                    simd.storeu(pack_to.add(c * S::LANES), b_row[c]);
                }
                pack_to = pack_to.add(C * S::LANES);
            }
            for r in 0..R {
                let factor = simd.splat(*rows[r].offset(a_offset));
                for c in 0..C {
                    sums[r][c] = simd.mul_add(factor, b_row[c], sums[r][c]);
                }
            }
            a_offset += a.col_stride;
            b = b.wrapping_offset(b_stride);
        }
        sums
    }
}
