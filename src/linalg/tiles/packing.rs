//! Operands, packed as tiles read them.
#![allow(unsafe_code, reason = "squares are turned and numbers copied through pointers")]

use super::{AHEAD, Product, SIDE_AT_MOST, Strip, tallest};
use crate::float::Float;
use crate::simd::{Simd, prefetch};

impl<F: Float> Product<F> {
    /// Copies a strip of `b` that cannot be read in whole registers where it lies, step after step, filled up with
    /// zeros.
    ///
    /// # Safety
    /// The strip's steps and columns must be `b`'s; there must be room for the steps of the widest strip.
    #[inline(always)]
    pub(super) unsafe fn packed<S: Simd<F>>(&self, simd: S, strip: Strip<F>, out: *mut F) -> Strip<F> {
        let ((first, steps), (column, columns)) = (strip.steps, strip.columns);
        let width = columns.next_multiple_of(S::LANES);
        // SAFETY: the caller's promise.
        unsafe {
            if columns < width {
                for step in 0..steps {
                    simd.storeu(out.add((step + 1) * width - S::LANES), simd.zero());
                }
            }
            if self.b.column == 1 {
                for step in 0..steps {
                    let from = self.b.at(first + step, column);
                    let to = out.add(step * width);
                    for i in 0..columns {
                        *to.add(i) = *from.add(i);
                    }
                }
            } else {
                let side = S::TRANSPOSE_DIM;
                let none = [F::zero(); SIDE_AT_MOST];
                let distance =
                    usize::try_from(self.b.column).ok().filter(|_| self.b.row == 1 && side <= columns);
                let turned = if distance.is_some() { steps - steps % side } else { 0 };
                for i in (0..columns).step_by(side) {
                    // The last square overlaps the one before it rather than the edge.
                    let i = i.min(columns.saturating_sub(side));
                    let from = self.b.at(first, column + i);
                    for step in (0..turned).step_by(side) {
                        let from = (from.add(step), distance.unwrap_or(0));
                        simd.transpose(from, none.as_ptr(), (out.add(step * width + i), width));
                    }
                    for i in i..(i + side).min(columns) {
                        let mut from = self.b.at(first + turned, column + i);
                        for step in turned..steps {
                            *out.add(step * width + i) = *from;
                            from = from.wrapping_offset(self.b.row);
                        }
                    }
                }
            }
        }
        Strip { start: out, step: width.cast_signed(), keep: None, ..strip }
    }

    /// Packs rows of `a` (first, number) for some steps (first, number): one step after the other where the numbers of a
    /// step are neighbours in `a`, else one row after the other.
    ///
    /// # Safety
    /// Rows and steps must be `a`'s, and there must be room for them.
    #[inline(always)]
    pub(super) unsafe fn panel<S: Simd<F>>(
        &self,
        (row, rows): (usize, usize),
        (first, steps): (usize, usize),
        out: *mut F,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match (self.a.row, self.a.column) {
                (1, column) => {
                    let (mut from, mut to) = (self.a.at(row, first), out);
                    for _ in 0..steps {
                        prefetch(from.wrapping_offset(AHEAD * column), 1);
                        if rows == tallest::<F, S>() {
                            // A copy of a size that the compiler knows.
                            std::ptr::copy_nonoverlapping(from, to, tallest::<F, S>());
                        } else {
                            (0..rows).for_each(|r| *to.add(r) = *from.add(r));
                        }
                        from = from.wrapping_offset(column);
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
