//! The product of a batch with a narrow matrix, kept in registers.
//!
//! A tile of rows × columns of the result is accumulated over the whole inner dimension in one chain of
//! multiply-adds for each element (for a single column, in one chain a lane), and the bias is added last. The chain
//! is the same wherever the row lies, so a row's result does not depend on the batch around it. The matrix is read as it is, without packing; where
//! its width is no multiple of a register, the last tile overlaps the one before it and computes a few elements
//! twice, to the same bits.
//!
//! Written with the engine's register vocabulary, because the compiler keeps a tile in registers only sometimes
//! when it is written as loops over arrays: measured with AVX2, (32, 20) × (20, 64) runs at 23 GFLOP/s as loops
//! and at two to three times that here.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use crate::float::Float;
use crate::simd::{Simd, WithSimd};
use ndarray::ArrayView2;

/// The widest matrix that comes here: its rows fill a few registers.
pub(super) const WIDEST: usize = 64;

/// Rows of contiguous numbers, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, F> {
    values: &'a [F],
    rows: usize,
    width: usize,
}

impl<'a, F: Float> Rows<'a, F> {
    /// The rows of a matrix in standard layout.
    pub(super) fn of(matrix: &'a ArrayView2<'_, F>) -> Option<Self> {
        let (rows, width) = matrix.dim();
        matrix.as_slice().map(|values| Self { values, rows, width })
    }

    /// How many they are.
    #[cfg(feature = "rayon")]
    pub(super) fn rows(self) -> usize {
        self.rows
    }

    /// The first so many, and the others.
    #[cfg(feature = "rayon")]
    pub(super) fn split_at(self, rows: usize) -> (Self, Self) {
        let (above, below) = self.values.split_at(rows * self.width);
        (Self { values: above, rows, ..self }, Self { values: below, rows: self.rows - rows, ..self })
    }
}

/// `c = a.b + bias` for `b` (k, n) and `c` (m, n) in standard layout, n being up to [`WIDEST`].
pub(super) fn affine<F: Float>(a: Rows<'_, F>, b: &[F], bias: Option<&[F]>, c: &mut [F]) {
    if a.rows == 0 || c.is_empty() {
        return;
    }
    let n = c.len() / a.rows;
    assert!(c.len() == a.rows * n, "the result is ragged");
    assert!(a.values.len() == a.rows * a.width, "the rows do not have their width");
    assert!(b.len() == a.width * n && bias.is_none_or(|bias| bias.len() == n), "the shapes do not agree");
    F::run_simd(Affine { a, b, bias, c, n });
}

/// A product whose shapes have been checked: `b` has `a.width` rows of `n`, `c` has `a.rows` rows of `n`.
struct Affine<'a, F> {
    a: Rows<'a, F>,
    b: &'a [F],
    bias: Option<&'a [F]>,
    c: &'a mut [F],
    n: usize,
}

impl<F: Float> WithSimd<F> for Affine<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(mut self, simd: S) {
        const TILE: usize = 6;
        let mut row = 0;
        while row + TILE <= self.a.rows {
            self.columns::<S, TILE>(simd, row);
            row += TILE;
        }
        while row + 2 <= self.a.rows {
            self.columns::<S, 2>(simd, row);
            row += 2;
        }
        if row < self.a.rows {
            self.columns::<S, 1>(simd, row);
        }
    }
}

#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
impl<F: Float> Affine<'_, F> {
    /// `R` rows of the result, in tiles of two registers of columns, then of one.
    #[inline(always)]
    fn columns<S: Simd<F>, const R: usize>(&mut self, simd: S, row: usize) {
        if self.n == 1 {
            return self.dot::<S, R>(simd, row);
        }
        if self.n < S::LANES {
            return self.slim::<S, R>(simd, row);
        }
        let mut column = 0;
        // A single row needs more registers side by side, or it waits for each multiply-add to end.
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

    /// `R` rows × `C` registers of the result; the registers begin at `columns`, each at most `n - LANES`.
    #[inline(always)]
    fn tile<S: Simd<F>, const R: usize, const C: usize>(&mut self, simd: S, row: usize, columns: [usize; C]) {
        let (k, n) = (self.a.width, self.n);
        // SAFETY: `affine` has checked the lengths: `a` has k numbers from each of the rows `row..row + R` on,
        // `b` has k rows of n, `c` n numbers from each row on and the bias n. Every register begins at a column
        // of at most n - LANES, so it ends within its row. The instruction set is the one that `simd` names.
        unsafe {
            let a = self.a.values.as_ptr().add(row * k);
            let b = self.b.as_ptr();
            let mut sums = [[simd.zero(); C]; R];
            for i in 0..k {
                let mut line = [simd.zero(); C];
                for c in 0..C {
                    line[c] = simd.loadu(b.add(i * n + columns[c]));
                }
                for r in 0..R {
                    let factor = simd.splat(*a.add(r * k + i));
                    for c in 0..C {
                        sums[r][c] = simd.mul_add(factor, line[c], sums[r][c]);
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

    /// `R` rows of a result that is narrower than a register: one chain for each element, side by side.
    #[inline(always)]
    fn slim<S: Simd<F>, const R: usize>(&mut self, simd: S, row: usize) {
        let (k, n) = (self.a.width, self.n);
        let mut padded = [F::zero(); LANES_AT_MOST];
        let mut sums = [simd_zero::<F, S>(simd); R];
        for i in 0..k {
            // SAFETY: `padded` holds at least LANES numbers, and so does `b` where that is checked; `a` has k
            // numbers from each of the R rows on. The instruction set is the one that `simd` names.
            unsafe {
                let line = if i * n + S::LANES <= self.b.len() {
                    simd.loadu(self.b.as_ptr().add(i * n))
                } else {
                    padded[..n].copy_from_slice(&self.b[i * n..][..n]);
                    simd.loadu(padded.as_ptr())
                };
                for (r, sum) in sums.iter_mut().enumerate() {
                    let factor = simd.splat(*self.a.values.as_ptr().add((row + r) * k + i));
                    *sum = simd.mul_add(factor, line, *sum);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            // SAFETY: `padded` holds at least LANES numbers.
            unsafe { simd.storeu(padded.as_mut_ptr(), *sum) };
            let out = &mut self.c[(row + r) * n..][..n];
            out.copy_from_slice(&padded[..n]);
            if let Some(bias) = self.bias {
                out.iter_mut().zip(bias).for_each(|(c, bias)| *c += *bias);
            }
        }
    }

    /// `R` rows of a result of one column: the lanes run along the inner dimension.
    #[inline(always)]
    fn dot<S: Simd<F>, const R: usize>(&mut self, simd: S, row: usize) {
        let k = self.a.width;
        let whole = k - k % S::LANES;
        let mut sums = [simd_zero::<F, S>(simd); R];
        for i in (0..whole).step_by(S::LANES) {
            // SAFETY: `b` has k numbers and `a` k from each of the R rows on, and i + LANES is at most k. The
            // instruction set is the one that `simd` names.
            unsafe {
                let line = simd.loadu(self.b.as_ptr().add(i));
                for (r, sum) in sums.iter_mut().enumerate() {
                    let factors = simd.loadu(self.a.values.as_ptr().add((row + r) * k + i));
                    *sum = simd.mul_add(factors, line, *sum);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            // SAFETY: only registers are touched.
            let mut total = unsafe { simd.reduce_sum(*sum) };
            for i in whole..k {
                total += self.a.values[(row + r) * k + i] * self.b[i];
            }
            self.c[row + r] = match self.bias {
                Some(bias) => total + bias[0],
                None => total,
            };
        }
    }
}

/// The lanes of the widest register there is, of the smallest number: AVX-512 and `f32`.
const LANES_AT_MOST: usize = 16;

#[inline(always)]
fn simd_zero<F: Float, S: Simd<F>>(simd: S) -> S::Reg {
    // SAFETY: a zero needs no memory; the instruction set is the one that `simd` names.
    unsafe { simd.zero() }
}
