//! The product of contiguous matrices with a small n: up to 64 columns, nothing packed, `c = a·b + bias`.
//!
//! ```text
//!              n <= 64                      n
//!            +-----------+            +-----+-----+
//!          k |     b     |          6 |tile |tile |   6 rows x 2 registers of sums in registers,
//!            |           |            +-----+-----+   over the whole inner dimension (one k-block)
//!            +-----------+            |     c     |
//! ```
//!
//! The rows of `b` are contiguous and fill a few registers, so a packed copy would lie in much the same order. Each
//! element of the output is accumulated in one chain of multiply-adds (for a single column, one chain a lane), and
//! the bias is added last. The chain is the same in every row, so a row does not depend on the batch around it. If n
//! is not a multiple of the lanes, the last tile overlaps the one before it and computes a few elements twice, to the
//! same bits.
//!
//! It is written with the registers of [`Simd`] because the compiler keeps a tile that is written as loops over
//! arrays in registers only sometimes: with AVX2, (32, 20) × (20, 64) runs at 23 GFLOP/s as loops, and two to three
//! times as fast here.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use crate::float::Float;
use crate::simd::{Simd, WithSimd};
use ndarray::ArrayView2;

/// Most columns of the output. A row of `b` then fills a few registers.
pub(super) const MAX_N: usize = 64;

/// Rows of a tile: 6 × 2 sums fit 16 registers with their operands.
const TILE_ROWS: usize = 6;

/// Lanes of the widest register of the smallest element: AVX-512 and `f32`.
const MAX_LANES: usize = 16;

/// A matrix in standard layout, to be split by rows.
#[derive(Clone, Copy)]
pub(super) struct RowMajor<'a, F> {
    values: &'a [F],
    rows: usize,
    columns: usize,
}

impl<'a, F: Float> RowMajor<'a, F> {
    /// The matrix, if it is in standard layout.
    pub(super) fn of(matrix: &'a ArrayView2<'_, F>) -> Option<Self> {
        let (rows, columns) = matrix.dim();
        matrix.as_slice().map(|values| Self { values, rows, columns })
    }

    /// Number of rows.
    #[cfg(feature = "rayon")]
    pub(super) fn rows(self) -> usize {
        self.rows
    }

    /// Splits off the first `rows` rows.
    #[cfg(feature = "rayon")]
    pub(super) fn split_at(self, rows: usize) -> (Self, Self) {
        let (above, below) = self.values.split_at(rows * self.columns);
        (Self { values: above, rows, ..self }, Self { values: below, rows: self.rows - rows, ..self })
    }
}

/// Computes `c = a·b + bias` for `b` (k, n) and `c` (m, n) in standard layout, n being at most [`MAX_N`].
pub(super) fn affine<F: Float>(a: RowMajor<'_, F>, b: &[F], bias: Option<&[F]>, c: &mut [F]) {
    if a.rows == 0 || c.is_empty() {
        return;
    }
    let n = c.len() / a.rows;
    assert!(c.len() == a.rows * n, "the length of the output is not a multiple of the rows");
    assert!(a.values.len() == a.rows * a.columns, "the left operand is not rows × columns");
    assert!(b.len() == a.columns * n && bias.is_none_or(|bias| bias.len() == n), "the shapes do not agree");
    F::run_simd(AffineKernel { a, b, bias, c, n });
}

/// A product whose shapes have been checked: `b` has `a.columns` rows of `n`, `c` has `a.rows` rows of `n`.
struct AffineKernel<'a, F> {
    a: RowMajor<'a, F>,
    b: &'a [F],
    bias: Option<&'a [F]>,
    c: &'a mut [F],
    n: usize,
}

impl<F: Float> WithSimd<F> for AffineKernel<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(mut self, simd: S) {
        let mut row = 0;
        while row + TILE_ROWS <= self.a.rows {
            self.rows::<S, TILE_ROWS>(simd, row);
            row += TILE_ROWS;
        }
        while row + 2 <= self.a.rows {
            self.rows::<S, 2>(simd, row);
            row += 2;
        }
        if row < self.a.rows {
            self.rows::<S, 1>(simd, row);
        }
    }
}

#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
impl<F: Float> AffineKernel<'_, F> {
    /// Computes `R` rows of the output, in tiles of two registers a row, then of one.
    #[inline(always)]
    fn rows<S: Simd<F>, const R: usize>(&mut self, simd: S, row: usize) {
        if self.n == 1 {
            return self.dot_products::<S, R>(simd, row);
        }
        if self.n < S::LANES {
            return self.partial_register::<S, R>(simd, row);
        }
        let mut column = 0;
        // A single row needs eight independent sums to hide the latency of a multiply-add.
        while R == 1 && column + 8 * S::LANES <= self.n {
            self.tile::<S, R, 8>(simd, row, std::array::from_fn(|c| column + c * S::LANES));
            column += 8 * S::LANES;
        }
        while column + S::LANES < self.n {
            self.tile::<S, R, 2>(simd, row, [column, (column + S::LANES).min(self.n - S::LANES)]);
            column += 2 * S::LANES;
        }
        if column < self.n {
            self.tile::<S, R, 1>(simd, row, [self.n - S::LANES]);
        }
    }

    /// Computes a tile of `R` rows × `C` registers. The registers begin at `columns`, each at most `n - LANES`.
    #[inline(always)]
    fn tile<S: Simd<F>, const R: usize, const C: usize>(&mut self, simd: S, row: usize, columns: [usize; C]) {
        let (k, n) = (self.a.columns, self.n);
        // SAFETY: `affine` has checked the lengths: `a` has k elements from the start of each of the rows
        // `row..row + R`, `b` has k rows of n, `c` has n elements from the start of each row, and the bias has n.
        // Every register begins at a column of at most n - LANES, so it ends within its row. The instruction set is
        // the one `simd` names.
        unsafe {
            let a = self.a.values.as_ptr().add(row * k);
            let b = self.b.as_ptr();
            let mut sums = [[simd.zero(); C]; R];
            for i in 0..k {
                let mut b_row = [simd.zero(); C];
                for c in 0..C {
                    b_row[c] = simd.loadu(b.add(i * n + columns[c]));
                }
                for r in 0..R {
                    let factor = simd.splat(*a.add(r * k + i));
                    for c in 0..C {
                        sums[r][c] = simd.mul_add(factor, b_row[c], sums[r][c]);
                    }
                }
            }
            let out = self.c.as_mut_ptr().add(row * n);
            for r in 0..R {
                for c in 0..C {
                    let sum = match self.bias {
                        Some(bias) => simd.add(sums[r][c], simd.loadu(bias.as_ptr().add(columns[c]))),
                        None => sums[r][c],
                    };
                    simd.storeu(out.add(r * n + columns[c]), sum);
                }
            }
        }
    }

    /// Computes `R` rows of an output that is narrower than a register. The lanes beyond n compute the products with
    /// whatever follows in `b`, and are not stored. Only near the end of `b` is a row copied, so that the load stays
    /// within.
    #[inline(always)]
    fn partial_register<S: Simd<F>, const R: usize>(&mut self, simd: S, row: usize) {
        let (k, n) = (self.a.columns, self.n);
        let mut padded = [F::zero(); MAX_LANES];
        let mut sums = [simd_zero::<F, S>(simd); R];
        for i in 0..k {
            // SAFETY: `padded` holds at least LANES elements, and so does the rest of `b` where that is checked; `a`
            // has k elements from the start of each of the R rows. The instruction set is the one that `simd` names.
            unsafe {
                let b_row = if i * n + S::LANES <= self.b.len() {
                    simd.loadu(self.b.as_ptr().add(i * n))
                } else {
                    padded[..n].copy_from_slice(&self.b[i * n..][..n]);
                    simd.loadu(padded.as_ptr())
                };
                for (r, sum) in sums.iter_mut().enumerate() {
                    let factor = simd.splat(*self.a.values.as_ptr().add((row + r) * k + i));
                    *sum = simd.mul_add(factor, b_row, *sum);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            // SAFETY: `padded` holds at least LANES elements.
            unsafe { simd.storeu(padded.as_mut_ptr(), *sum) };
            let out = &mut self.c[(row + r) * n..][..n];
            out.copy_from_slice(&padded[..n]);
            if let Some(bias) = self.bias {
                out.iter_mut().zip(bias).for_each(|(c, bias)| *c += *bias);
            }
        }
    }

    /// Computes `R` rows of an output of one column: dot products whose lanes run along the inner dimension.
    #[inline(always)]
    fn dot_products<S: Simd<F>, const R: usize>(&mut self, simd: S, row: usize) {
        let k = self.a.columns;
        let in_registers = k - k % S::LANES;
        let mut sums = [simd_zero::<F, S>(simd); R];
        for i in (0..in_registers).step_by(S::LANES) {
            // SAFETY: `b` has k elements and `a` k from the start of each of the R rows, and i + LANES is at most k.
            // The instruction set is the one that `simd` names.
            unsafe {
                let b_column = simd.loadu(self.b.as_ptr().add(i));
                for (r, sum) in sums.iter_mut().enumerate() {
                    let a_row = simd.loadu(self.a.values.as_ptr().add((row + r) * k + i));
                    *sum = simd.mul_add(a_row, b_column, *sum);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            // SAFETY: only registers are touched.
            let mut total = unsafe { simd.reduce_sum(*sum) };
            for i in in_registers..k {
                total += self.a.values[(row + r) * k + i] * self.b[i];
            }
            self.c[row + r] = match self.bias {
                Some(bias) => total + bias[0],
                None => total,
            };
        }
    }
}

#[inline(always)]
fn simd_zero<F: Float, S: Simd<F>>(simd: S) -> S::Reg {
    // SAFETY: a zero needs no memory; the instruction set is the one that `simd` names.
    unsafe { simd.zero() }
}
