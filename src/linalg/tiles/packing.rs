//! Packing: copies a panel of `b` or of `a` to the order in which the micro-kernel reads it.
#![allow(unsafe_code, reason = "blocks are transposed and elements copied through pointers")]

use super::product::{MAX_TRANSPOSE_DIM, PREFETCH_STEPS, Panel, Product, Span, max_tile_rows};
use crate::float::Float;
use crate::simd::{Simd, prefetch};

impl<F: Float> Product<F> {
    /// Packs a panel of `b` that cannot be read in whole registers: its last columns do not fill a register, or its
    /// columns are not contiguous. Steps follow each other, each filled up with zeros. A transposed `b` (contiguous
    /// steps) is transposed in square blocks, at a quarter of a cycle an element.
    ///
    /// # Safety
    /// The panel's steps and columns must be `b`'s. `out` must hold the steps of the widest panel.
    #[inline(always)]
    pub(super) unsafe fn pack_b<S: Simd<F>>(&self, simd: S, panel: Panel<F>, out: *mut F) -> Panel<F> {
        let (Span { first, len: steps }, Span { first: column, len: columns }) = (panel.steps, panel.columns);
        let width = columns.next_multiple_of(S::LANES);
        // SAFETY: the caller's promise.
        unsafe {
            if columns < width {
                for step in 0..steps {
                    simd.storeu(out.add((step + 1) * width - S::LANES), simd.zero());
                }
            }
            if self.b.col_stride == 1 {
                for step in 0..steps {
                    let from = self.b.at(first + step, column);
                    let to = out.add(step * width);
                    for i in 0..columns {
                        *to.add(i) = *from.add(i);
                    }
                }
            } else {
                self.pack_b_transposed::<S>(simd, panel, out, width);
            }
        }
        Panel { ptr: out, step_stride: width.cast_signed(), pack_to: None, ..panel }
    }

    /// The part of [`pack_b`](Self::pack_b) for columns that are not contiguous.
    ///
    /// # Safety
    /// As [`pack_b`](Self::pack_b).
    #[inline(always)]
    unsafe fn pack_b_transposed<S: Simd<F>>(&self, simd: S, panel: Panel<F>, out: *mut F, width: usize) {
        let (Span { first, len: steps }, Span { first: column, len: columns }) = (panel.steps, panel.columns);
        let dim = S::TRANSPOSE_DIM;
        let no_mean = [F::zero(); MAX_TRANSPOSE_DIM];
        let col_stride =
            usize::try_from(self.b.col_stride).ok().filter(|_| self.b.row_stride == 1 && dim <= columns);
        let in_blocks = if col_stride.is_some() { steps - steps % dim } else { 0 };
        // SAFETY: the caller's promise; a block lies within the columns and the steps.
        unsafe {
            for i in (0..columns).step_by(dim) {
                // The last block overlaps the one before it instead of the edge.
                let i = i.min(columns.saturating_sub(dim));
                let from = self.b.at(first, column + i);
                for step in (0..in_blocks).step_by(dim) {
                    let from = (from.add(step), col_stride.unwrap_or(0));
                    simd.transpose(from, no_mean.as_ptr(), (out.add(step * width + i), width));
                }
                for i in i..(i + dim).min(columns) {
                    let mut from = self.b.at(first + in_blocks, column + i);
                    for step in in_blocks..steps {
                        *out.add(step * width + i) = *from;
                        from = from.wrapping_offset(self.b.row_stride);
                    }
                }
            }
        }
    }

    /// Packs a panel of `a`: the rows of one tile over the steps of a k-block. The order is that of the source, so that
    /// nothing is transposed: step after step if the rows of a step are adjacent in `a`, else row after row.
    ///
    /// # Safety
    /// Rows and steps must be `a`'s, and `out` must hold them.
    #[inline(always)]
    pub(super) unsafe fn pack_a<S: Simd<F>>(&self, rows: Span, steps: Span, out: *mut F) {
        let (Span { first: row, len: rows }, Span { first, len: steps }) = (rows, steps);
        // SAFETY: the caller's promise.
        unsafe {
            match (self.a.row_stride, self.a.col_stride) {
                (1, col_stride) => {
                    let (mut from, mut to) = (self.a.at(row, first), out);
                    for _ in 0..steps {
                        prefetch(from.wrapping_offset(PREFETCH_STEPS * col_stride), 1);
                        if rows == max_tile_rows::<F, S>() {
                            // A length that the compiler knows becomes one load and store instead of a call.
                            std::ptr::copy_nonoverlapping(from, to, max_tile_rows::<F, S>());
                        } else {
                            (0..rows).for_each(|r| *to.add(r) = *from.add(r));
                        }
                        from = from.wrapping_offset(col_stride);
                        to = to.add(rows);
                    }
                }
                (_, 1) => {
                    for r in 0..rows {
                        std::ptr::copy_nonoverlapping(self.a.at(row + r, first), out.add(r * steps), steps);
                    }
                }
                _ => {
                    for r in 0..rows {
                        for step in 0..steps {
                            *out.add(r * steps + step) = *self.a.at(row + r, first + step);
                        }
                    }
                }
            }
        }
    }
}
