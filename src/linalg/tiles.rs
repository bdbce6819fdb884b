//! Products of strided matrices, one tile of the result in registers at a time.
//!
//! The inner dimension is cut into stretches of about equal length. For each of them and for each strip of two or
//! three registers of columns, the strip of `b` is packed into a buffer on the stack that stays in the first-level
//! cache, and every tile of rows runs over it; `a` is read where it lies, whatever its strides.
//! An element of the result is one chain of multiply-adds for each stretch, the stretches added in order, so it
//! does not depend on the rows and columns around it, nor on who computes which of them.
//!
//! The row tiles are of about equal height too: 32 rows are 6 + 6 + 5 + 5 + 5 + 5 rather than five times 6 and a
//! rest of 2 that leaves the multipliers waiting. After Goto and van de Geijn, "Anatomy of High-Performance
//! Matrix Multiplication" (2008), without its packing of `a`: the matrices of a training step are small, and
//! the copy does not pay.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use super::{sizes, strides};
use crate::float::Float;
use crate::simd::{Lanes, Registers, Wide, prefetch};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::any::TypeId;
use std::mem::MaybeUninit;

/// Bytes of the strip that every tile of rows runs over; it shares the first-level cache with the rows of `a`.
const STRIP_BYTES: usize = 32 << 10;

/// Bytes of `a` that every strip runs over again; they should stay in the second-level cache.
const BLOCK_BYTES: usize = 192 << 10;

/// The buffer of a strip. A register that straddles two cache lines takes two reads.
#[repr(align(64))]
struct Buffer([MaybeUninit<u8>; STRIP_BYTES]);

/// `c = alpha * a.b + beta * c`, and the bias added to every row.
pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    mut c: ArrayViewMut2<'_, F>,
    bias: Option<&[F]>,
) {
    let (m, k, n) = sizes(&a, &b, &c);
    assert!(bias.is_none_or(|bias| bias.len() == n), "a bias has one number for each column of the product");
    let (c_row, c_col) = strides(c.strides());
    // A result whose rows are the contiguous axis is computed as its transpose; so is a single column.
    if bias.is_none() && (c_row == 1 && c_col != 1 || n == 1 && m > 1) {
        return gemm(alpha, b.reversed_axes(), a.reversed_axes(), beta, c.reversed_axes(), None);
    }
    let (a_row, a_step) = strides(a.strides());
    let (b_step, b_col) = strides(b.strides());
    run(Product {
        size: [m, k, n],
        alpha,
        beta,
        a: Strided { start: a.as_ptr(), row: a_row, column: a_step },
        b: Strided { start: b.as_ptr(), row: b_step, column: b_col },
        c: Target { start: c.as_mut_ptr(), row: c_row, column: c_col },
        bias: bias.map(<[F]>::as_ptr),
    });
}

/// Hands the product to the code for its type, which is compiled once with this crate: it is large, and every
/// crate that names a generic function compiles it anew.
fn run<F: Float>(product: Product<F>) {
    if TypeId::of::<F>() == TypeId::of::<f32>() {
        run_f32(product.retyped());
    } else {
        run_f64(product.retyped());
    }
}

#[inline(never)]
fn run_f32(product: Product<f32>) {
    f32::run_wide(product);
}

#[inline(never)]
fn run_f64(product: Product<f64>) {
    f64::run_wide(product);
}

/// Where the elements of an operand lie.
#[derive(Clone, Copy)]
struct Strided<F> {
    start: *const F,
    row: isize,
    column: isize,
}

impl<F> Strided<F> {
    /// # Safety
    /// The element must be one of the operand's, or the one after the last.
    #[inline(always)]
    unsafe fn at(self, row: usize, column: usize) -> *const F {
        // SAFETY: the caller's promise; indices of elements that exist fit an `isize`.
        unsafe { self.start.offset(row.cast_signed() * self.row + column.cast_signed() * self.column) }
    }
}

/// Where the elements of the result lie.
#[derive(Clone, Copy)]
struct Target<F> {
    start: *mut F,
    row: isize,
    column: isize,
}

/// A product whose shapes have been checked; the pointers are those of views that outlive it.
struct Product<F> {
    /// Rows of `a`, the inner dimension, columns of `b`.
    size: [usize; 3],
    alpha: F,
    beta: F,
    a: Strided<F>,
    b: Strided<F>,
    c: Target<F>,
    bias: Option<*const F>,
}

/// One stretch of the inner dimension against one strip of columns.
#[derive(Clone, Copy)]
struct Strip<F> {
    start: *const F,
    step: isize,
    /// First and number of the steps, first and number of the columns.
    steps: (usize, usize),
    columns: (usize, usize),
    beta: F,
    /// Whether the bias is due: with the last stretch.
    bias: bool,
}

impl<F: Float> Product<F> {
    /// The same product where `F` is `G`; the two scalars pass through `f64`, which holds both types' numbers.
    fn retyped<G: Float>(self) -> Product<G> {
        let Self { size, alpha, beta, a, b, c, bias } = self;
        debug_assert_eq!(TypeId::of::<F>(), TypeId::of::<G>());
        let operand =
            |from: Strided<F>| Strided { start: from.start.cast(), row: from.row, column: from.column };
        Product {
            size,
            alpha: G::of(alpha.as_f64()),
            beta: G::of(beta.as_f64()),
            a: operand(a),
            b: operand(b),
            c: Target { start: c.start.cast(), row: c.row, column: c.column },
            bias: bias.map(<*const F>::cast),
        }
    }
}

impl<F: Float> Wide<F> for Product<F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Lanes<F>>(self, simd: S) {
        let [m, k, n] = self.size;
        if m == 0 || n == 0 {
            return;
        }
        let plain = self.alpha == F::one() && (self.beta == F::zero() || self.beta == F::one());
        if k == 1
            && plain
            && self.bias.is_none()
            && self.b.column == 1
            && self.c.column == 1
            && n % S::LANES == 0
        {
            // SAFETY: the shapes have been checked; the columns are whole registers.
            return unsafe { self.rank_one::<S>(simd) };
        }
        let (tallest, widest) = (tallest::<F, S>(), widest::<F, S>());
        let stretches = k.div_ceil(STRIP_BYTES / (widest * S::LANES * size_of::<F>())).max(1);
        let depth = k.div_ceil(stretches);
        let block = (BLOCK_BYTES / (depth.max(1) * size_of::<F>())).max(4 * tallest);
        // A lone row waits for each multiply-add to end, unless more of them stand side by side.
        let lone = m == 1 && self.b.column == 1;
        let mut buffer = Buffer([const { MaybeUninit::uninit() }; STRIP_BYTES]);
        for stretch in 0..stretches {
            let first = stretch * depth;
            let steps = (first, depth.min(k - first));
            let beta = if stretch == 0 { self.beta } else { F::one() };
            let bias = stretch + 1 == stretches;
            for top in (0..m).step_by(block) {
                let rows = (top, block.min(m - top));
                let mut column = 0;
                while column < n {
                    let left = (n - column).div_ceil(S::LANES);
                    let registers = if lone && n - column >= 8 * S::LANES {
                        8
                    } else {
                        left.div_ceil(left.div_ceil(widest))
                    };
                    let columns = (column, (registers * S::LANES).min(n - column));
                    let whole = columns.1 == registers * S::LANES;
                    let strip = Strip { start: self.b.start, step: self.b.row, steps, columns, beta, bias };
                    // SAFETY: the steps and columns are `b`'s; a strip read in place is as wide as it is loaded.
                    unsafe {
                        let in_place = whole && self.b.column == 1 && rows.1 <= 4 * tallest;
                        let strip = if in_place {
                            Strip { start: self.b.at(first, column), ..strip }
                        } else {
                            self.packed::<S>(simd, strip, &mut buffer)
                        };
                        self.rows::<S>(simd, rows, strip);
                    }
                    column += columns.1;
                }
            }
        }
    }
}

/// The most rows of a tile.
#[inline(always)]
fn tallest<F: Float, S: Lanes<F>>() -> usize {
    if S::REGISTERS == 32 { 8 } else { 6 }
}

/// The most registers of a tile's row: the more of them, the fewer numbers of `a` are read for a multiply-add. With
/// the tallest tile they leave room for the operands.
#[inline(always)]
fn widest<F: Float, S: Lanes<F>>() -> usize {
    if S::REGISTERS == 32 { 3 } else { 2 }
}

#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
impl<F: Float> Product<F> {
    /// A column times a row: the gradient of a batch of one. Nothing is summed up, so tiles have nothing to gain.
    ///
    /// # Safety
    /// The inner dimension must be 1, rows of `b` and of the result contiguous and of whole registers.
    #[inline(always)]
    unsafe fn rank_one<S: Lanes<F>>(&self, simd: S) {
        let mut column = 0;
        while column < self.size[2] {
            // SAFETY: the caller's promise; so many registers are left from this column on.
            unsafe {
                column += match (self.size[2] - column) / S::LANES {
                    8.. => self.rank_one_strip::<S, 8>(simd, column),
                    4.. => self.rank_one_strip::<S, 4>(simd, column),
                    _ => self.rank_one_strip::<S, 1>(simd, column),
                }
            }
        }
    }

    /// `C` registers of each row from a column on; answers how many columns these are.
    ///
    /// # Safety
    /// As [`rank_one`](Self::rank_one), with the columns being there.
    #[inline(always)]
    unsafe fn rank_one_strip<S: Lanes<F>, const C: usize>(&self, simd: S, column: usize) -> usize {
        let add = self.beta == F::one();
        let (a, stride) = (self.a, self.c.row);
        // SAFETY: the caller's promise.
        unsafe {
            let mut line = [simd.zero(); C];
            for c in 0..C {
                line[c] = simd.loadu(self.b.at(0, column + c * S::LANES));
            }
            let mut out = self.c.start.add(column);
            for row in 0..self.size[0] {
                let factor = simd.splat(*a.at(row, 0));
                for c in 0..C {
                    let place = out.add(c * S::LANES);
                    let before = if add { simd.loadu(place) } else { simd.zero() };
                    simd.storeu(place, simd.mul_add(factor, line[c], before));
                }
                out = out.wrapping_offset(stride);
            }
        }
        C * S::LANES
    }

    /// Copies a strip of `b` into the buffer, step after step, filled up with zeros to whole registers.
    ///
    /// # Safety
    /// The strip's steps and columns must be `b`'s.
    #[inline(always)]
    unsafe fn packed<S: Lanes<F>>(&self, simd: S, strip: Strip<F>, buffer: &mut Buffer) -> Strip<F> {
        let ((first, steps), (column, columns)) = (strip.steps, strip.columns);
        let width = columns.next_multiple_of(S::LANES);
        let out = buffer.0.as_mut_ptr().cast::<F>();
        // SAFETY: the buffer holds the steps of the widest strip; the elements read are `b`'s.
        unsafe {
            if self.b.column == 1 && columns == width {
                let (mut from, mut to) = (self.b.at(first, column), out);
                for _ in 0..steps {
                    for c in (0..width).step_by(S::LANES) {
                        simd.storeu(to.add(c), simd.loadu(from.add(c)));
                    }
                    from = from.wrapping_offset(self.b.row);
                    to = to.add(width);
                }
            } else if self.b.column == 1 {
                for step in 0..steps {
                    let from = self.b.at(first + step, column);
                    let to = out.add(step * width);
                    for i in 0..columns {
                        *to.add(i) = *from.add(i);
                    }
                    for i in columns..width {
                        *to.add(i) = F::zero();
                    }
                }
            } else {
                let side = S::SIDE;
                let none = [F::zero(); SIDE_AT_MOST];
                let distance = usize::try_from(self.b.column).ok().filter(|_| self.b.row == 1);
                for i in (0..width).step_by(side) {
                    let mut turned = 0;
                    if let Some(distance) = distance.filter(|_| i + side <= columns) {
                        turned = steps - steps % side;
                        for step in (0..turned).step_by(side) {
                            let from = self.b.at(first + step, column + i);
                            simd.transpose(
                                (from, distance),
                                none.as_ptr(),
                                (out.add(step * width + i), width),
                            );
                        }
                    }
                    for i in i..(i + side).min(width) {
                        let mut from = self.b.at(first + turned, column + i.min(columns - 1));
                        for step in turned..steps {
                            *out.add(step * width + i) = if i < columns { *from } else { F::zero() };
                            from = from.wrapping_offset(self.b.row);
                        }
                    }
                }
            }
        }
        Strip { start: out, step: width.cast_signed(), ..strip }
    }

    /// A strip against `rows` (first, number), in tiles of about equal height.
    ///
    /// # Safety
    /// Rows, steps and columns must be the product's; the strip must be readable in whole registers.
    #[inline(always)]
    unsafe fn rows<S: Lanes<F>>(&self, simd: S, (top, rows): (usize, usize), strip: Strip<F>) {
        let tiles = rows.div_ceil(tallest::<F, S>());
        let (height, higher) = (rows / tiles, rows % tiles);
        let mut row = top;
        for tile in 0..tiles {
            let height = height + usize::from(tile < higher);
            // SAFETY: the caller's promise.
            unsafe {
                if strip.columns.1 > 3 * S::LANES {
                    self.tile::<S, 1, 8>(simd, row, strip);
                } else if strip.columns.1 > 2 * S::LANES {
                    // A constant: these tiles are not compiled where there are too few registers for them.
                    if const { S::REGISTERS == 32 } {
                        self.tile_of::<S, 3>(simd, row, height, strip);
                    }
                } else if strip.columns.1 > S::LANES {
                    self.tile_of::<S, 2>(simd, row, height, strip);
                } else {
                    self.tile_of::<S, 1>(simd, row, height, strip);
                }
            }
            row += height;
        }
    }

    /// # Safety
    /// As [`rows`](Self::rows), for `height` rows from `row` on.
    #[inline(always)]
    unsafe fn tile_of<S: Lanes<F>, const C: usize>(
        &self,
        simd: S,
        row: usize,
        height: usize,
        strip: Strip<F>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match height {
                1 => return self.tile::<S, 1, C>(simd, row, strip),
                2 => return self.tile::<S, 2, C>(simd, row, strip),
                3 => return self.tile::<S, 3, C>(simd, row, strip),
                4 => return self.tile::<S, 4, C>(simd, row, strip),
                5 => return self.tile::<S, 5, C>(simd, row, strip),
                6 => return self.tile::<S, 6, C>(simd, row, strip),
                _ => {}
            }
            if const { S::REGISTERS == 32 } {
                match height {
                    7 => self.tile::<S, 7, C>(simd, row, strip),
                    _ => self.tile::<S, 8, C>(simd, row, strip),
                }
            }
        }
    }

    /// `R` rows × `C` registers of the result.
    ///
    /// # Safety
    /// As [`rows`](Self::rows), for `R` rows from `row` on.
    #[inline(always)]
    unsafe fn tile<S: Lanes<F>, const R: usize, const C: usize>(&self, simd: S, row: usize, strip: Strip<F>) {
        let (first, steps) = strip.steps;
        let (column, columns) = strip.columns;
        let [c_row, c_col] = [self.c.row, self.c.column];
        // SAFETY: rows `row..row + R` and steps `first..first + steps` are `a`'s; the strip holds `steps` lines of
        // C registers; the columns written are the result's. The instruction set is the one that `simd` names.
        unsafe {
            let out = self.c.start.offset(row.cast_signed() * c_row + column.cast_signed() * c_col);
            for r in 0..R {
                prefetch(out.wrapping_offset(r.cast_signed() * c_row).cast_const(), 1);
            }
            let sums = accumulate::<F, S, R, C>(
                simd,
                steps,
                (self.a.at(row, first), self.a.row, self.a.column),
                (strip.start, strip.step),
            );
            let add = strip.beta == F::one();
            let plain = self.alpha == F::one() && c_col == 1 && (add || strip.beta == F::zero());
            if !plain || columns < C * S::LANES {
                let mut rest = [F::zero(); TILE_AT_MOST];
                for r in 0..R {
                    for c in 0..C {
                        simd.storeu(rest.as_mut_ptr().add((r * C + c) * S::LANES), sums[r][c]);
                    }
                }
                return self.write(&rest, C * S::LANES, (row, R), strip);
            }
            let bias = self.bias.filter(|_| strip.bias);
            for c in 0..C {
                let out = out.add(c * S::LANES);
                let bias = match bias {
                    Some(bias) => simd.loadu(bias.add(column + c * S::LANES)),
                    None => simd.zero(),
                };
                for r in 0..R {
                    let out = out.offset(r.cast_signed() * c_row);
                    let sum = if add { simd.add(simd.loadu(out), sums[r][c]) } else { sums[r][c] };
                    simd.storeu(out, simd.add(sum, bias));
                }
            }
        }
    }

    /// Writes a tile, `width` numbers a row, element by element: where it is cut off by the result's edge, or where
    /// the result is scaled or strided.
    ///
    /// # Safety
    /// Rows (first, number) and columns must be the result's.
    #[inline(never)]
    unsafe fn write(&self, tile: &[F], width: usize, (row, rows): (usize, usize), strip: Strip<F>) {
        let (column, columns) = strip.columns;
        for (r, sums) in tile.chunks_exact(width).enumerate().take(rows) {
            for (i, &sum) in sums.iter().enumerate().take(columns) {
                let (r, i) = ((row + r).cast_signed(), (column + i).cast_signed());
                // SAFETY: the caller's promise; the bias has a number for each column.
                unsafe {
                    let out = self.c.start.offset(r * self.c.row + i * self.c.column);
                    let mut sum = self.alpha * sum;
                    if strip.beta != F::zero() {
                        sum += strip.beta * *out;
                    }
                    if let (true, Some(bias)) = (strip.bias, self.bias) {
                        sum += *bias.offset(i);
                    }
                    *out = sum;
                }
            }
        }
    }
}

/// `R` rows of `a` (start, stride of the rows, stride of the steps) against a strip (start, stride of the steps).
///
/// # Safety
/// The steps must exist in both; the instruction set must be the one that `simd` names.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
unsafe fn accumulate<F: Float, S: Lanes<F>, const R: usize, const C: usize>(
    simd: S,
    steps: usize,
    (a, a_row, a_step): (*const F, isize, isize),
    (mut b, b_step): (*const F, isize),
) -> [[S::Reg; C]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[simd.zero(); C]; R];
        let rows: [*const F; R] =
            std::array::from_fn(|r| std::hint::black_box(a.wrapping_offset(r.cast_signed() * a_row)));
        let mut step = 0;
        for _ in 0..steps {
            let mut line = [simd.zero(); C];
            for c in 0..C {
                line[c] = simd.loadu(b.add(c * S::LANES));
            }
            for r in 0..R {
                let factor = simd.splat(*rows[r].offset(step));
                for c in 0..C {
                    sums[r][c] = simd.mul_add(factor, line[c], sums[r][c]);
                }
            }
            step += a_step;
            b = b.wrapping_offset(b_step);
        }
        sums
    }
}

/// The side of the largest squares that are turned over.
const SIDE_AT_MOST: usize = 8;

/// The numbers of the largest tile: 8 rows of three AVX-512 registers of `f32`.
const TILE_AT_MOST: usize = 8 * 48;
