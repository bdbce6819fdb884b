//! Stores tiles to the output: from registers, or from a scratch buffer if the tile is cut off, scaled or transposed.
#![allow(unsafe_code, reason = "registers are stored and elements written through pointers")]

use super::product::{MAX_TRANSPOSE_DIM, Panel, Product, Span, StridedMut};
use crate::float::Float;
use crate::simd::Simd;

/// Stores a tile of registers: what `finish` makes of each sum, its place in the output and its first column in the
/// tile.
///
/// `finish` must not branch. The compiler keeps the sums in registers only if it unrolls both loops, and gives up on
/// loops with branches.
///
/// # Safety
/// `out` must hold `R` rows, `stride` apart. The instruction set must be the one that `simd` names.
#[inline(always)]
pub(super) unsafe fn store_tile<F: Float, S: Simd<F>, const R: usize, const C: usize>(
    simd: S,
    sums: &[[S::Reg; C]; R],
    (out, stride): (*mut F, isize),
    finish: impl Fn(S::Reg, *const F, usize) -> S::Reg,
) {
    for (r, row) in sums.iter().enumerate() {
        for (c, &sum) in row.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let place = out.offset(r.cast_signed() * stride).add(c * S::LANES);
                simd.storeu(place, finish(sum, place, c * S::LANES));
            }
        }
    }
}

impl<F: Float> Product<F> {
    /// Stores a tile of `width` elements a row from a scratch buffer. Where the rows of the output are adjacent, as
    /// in a transposed product, square blocks are transposed; the rest is stored element by element.
    ///
    /// # Safety
    /// The rows and the panel's columns must be the output's and the tile's.
    #[inline(always)]
    pub(super) unsafe fn store_from_scratch<S: Simd<F>>(
        &self,
        simd: S,
        (tile, width): (*mut F, usize),
        rows: Span,
        panel: Panel<F>,
    ) {
        let Span { first: column, len: columns } = panel.columns;
        let dim = S::TRANSPOSE_DIM;
        let transposes = self.is_unscaled(panel.beta)
            && self.bias.is_none()
            && self.c.row_stride == 1
            && rows.len.is_multiple_of(dim);
        let col_stride = usize::try_from(self.c.col_stride).ok().filter(|_| transposes);
        let no_mean = [F::zero(); MAX_TRANSPOSE_DIM];
        let mut block = [F::zero(); MAX_TRANSPOSE_DIM * MAX_TRANSPOSE_DIM];
        let in_blocks = col_stride.map_or(0, |_| columns - columns % dim);
        // SAFETY: the caller's promise; the bias has an element for each column.
        unsafe {
            let out = self.c.at(rows.first, column);
            for i in (0..in_blocks).step_by(dim) {
                for r in (0..rows.len).step_by(dim) {
                    let col_stride = col_stride.unwrap_or(0);
                    let from = (tile.add(r * width + i).cast_const(), width);
                    let to = out.add(i * col_stride + r);
                    if panel.beta == F::zero() {
                        simd.transpose(from, no_mean.as_ptr(), (to, col_stride));
                        continue;
                    }
                    simd.transpose(from, no_mean.as_ptr(), (block.as_mut_ptr(), dim));
                    for (j, line) in block.chunks_exact_mut(dim).enumerate().take(dim) {
                        let to = to.add(j * col_stride);
                        (0..dim).for_each(|r| line[r] += *to.add(r));
                        (0..dim).for_each(|r| *to.add(r) = line[r]);
                    }
                }
            }
            if in_blocks < columns {
                let bias = panel.bias.map(|bias| bias.add(in_blocks));
                let out = out.offset(in_blocks.cast_signed() * self.c.col_stride);
                let size = (rows.len, columns - in_blocks);
                let to = StridedMut { ptr: out, ..self.c };
                store_scaled(to, (tile.add(in_blocks), width), size, (self.alpha, panel.beta), bias);
            }
        }
    }
}

/// Stores `alpha · tile + beta · out + bias`, element by element. Not inlined: it is the rare case of every tile size.
///
/// # Safety
/// `out`, the tile (of `width` elements a row) and the bias must have these rows and columns.
#[inline(never)]
unsafe fn store_scaled<F: Float>(
    out: StridedMut<F>,
    (tile, width): (*const F, usize),
    (rows, columns): (usize, usize),
    (alpha, beta): (F, F),
    bias: Option<*const F>,
) {
    for r in 0..rows {
        for i in 0..columns {
            // SAFETY: the caller's promise.
            unsafe {
                let out = out.at(r, i);
                let mut sum = alpha * *tile.add(r * width + i);
                if beta != F::zero() {
                    sum += beta * *out;
                }
                if let Some(bias) = bias {
                    sum += *bias.add(i);
                }
                *out = sum;
            }
        }
    }
}
