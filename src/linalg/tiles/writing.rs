//! Tiles, on their way from registers to the result.
#![allow(unsafe_code, reason = "registers are stored and numbers written through pointers")]

use super::{Product, SIDE_AT_MOST, Strip, Target};
use crate::float::Float;
use crate::simd::Simd;

impl<F: Float> Product<F> {
    /// Writes a tile, `width` numbers a row, that is cut off by the result's edge, or whose result is scaled or strided.
    ///
    /// # Safety
    /// Rows (first, number) and columns must be the result's, and the tile's.
    #[inline(always)]
    pub(super) unsafe fn write<S: Simd<F>>(
        &self,
        simd: S,
        (tile, width): (*mut F, usize),
        (row, rows): (usize, usize),
        strip: Strip<F>,
    ) {
        let (column, columns) = strip.columns;
        let plain = self.alpha == F::one() && (strip.beta == F::zero() || strip.beta == F::one());
        // Where the rows of the result are contiguous, squares are turned.
        let turns = plain && self.bias.is_none() && self.c.row == 1 && rows % S::TRANSPOSE_DIM == 0;
        let distance = usize::try_from(self.c.column).ok().filter(|_| turns);
        let none = [F::zero(); SIDE_AT_MOST];
        let mut square = [F::zero(); SIDE_AT_MOST * SIDE_AT_MOST];
        let done = distance.map_or(0, |_| columns - columns % S::TRANSPOSE_DIM);
        // SAFETY: the caller's promise; the bias has a number for each column.
        unsafe {
            let out = self.c.start.offset(row.cast_signed() * self.c.row);
            let out = out.offset(column.cast_signed() * self.c.column);
            for i in (0..done).step_by(S::TRANSPOSE_DIM) {
                for r in (0..rows).step_by(S::TRANSPOSE_DIM) {
                    let distance = distance.unwrap_or(0);
                    let from = (tile.add(r * width + i).cast_const(), width);
                    let to = out.add(i * distance + r);
                    if strip.beta == F::zero() {
                        simd.transpose(from, none.as_ptr(), (to, distance));
                        continue;
                    }
                    simd.transpose(from, none.as_ptr(), (square.as_mut_ptr(), S::TRANSPOSE_DIM));
                    for (j, line) in
                        square.chunks_exact_mut(S::TRANSPOSE_DIM).enumerate().take(S::TRANSPOSE_DIM)
                    {
                        let to = to.add(j * distance);
                        (0..S::TRANSPOSE_DIM).for_each(|r| line[r] += *to.add(r));
                        (0..S::TRANSPOSE_DIM).for_each(|r| *to.add(r) = line[r]);
                    }
                }
            }
            if done < columns {
                let bias = strip.bias.map(|bias| bias.add(done));
                let out = out.offset(done.cast_signed() * self.c.column);
                let size = (rows, columns - done);
                write_scaled((out, self.c), (tile.add(done), width), size, (self.alpha, strip.beta), bias);
            }
        }
    }
}

/// Writes what `finish` makes of each register, of what lies in its place and of its column.
///
/// # Safety
/// There must be room for `R` rows, a stride apart. The instruction set must be the one that `simd` names.
#[inline(always)]
pub(super) unsafe fn put<F: Float, S: Simd<F>, const R: usize, const C: usize>(
    simd: S,
    sums: &[[S::Reg; C]; R],
    (out, stride): (*mut F, isize),
    finish: impl Fn(S::Reg, *const F, usize) -> S::Reg,
) {
    for (r, line) in sums.iter().enumerate() {
        for (c, &sum) in line.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let place = out.offset(r.cast_signed() * stride).add(c * S::LANES);
                simd.storeu(place, finish(sum, place, c * S::LANES));
            }
        }
    }
}

/// Writes a tile, `width` numbers a row, element by element: to a place, with the strides of the result.
///
/// # Safety
/// So many rows and columns must be the tile's and the result's, and so many numbers the bias'.
#[inline(never)]
unsafe fn write_scaled<F: Float>(
    (out, c): (*mut F, Target<F>),
    (tile, width): (*const F, usize),
    (rows, columns): (usize, usize),
    (alpha, beta): (F, F),
    bias: Option<*const F>,
) {
    for r in 0..rows {
        for i in 0..columns {
            // SAFETY: the caller's promise.
            unsafe {
                let out = out.offset(r.cast_signed() * c.row + i.cast_signed() * c.column);
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
