//! Products of strided matrices, one tile of the result in registers at a time.
//!
//! The inner dimension is cut into stretches of about equal length. For each of them and for each strip of two or
//! three registers of columns, the strip of `b` is packed into a buffer on the stack that stays in the first-level
//! cache, and every tile of rows runs over it. Where the strip can be read in whole registers, the first tile packs it
//! on its way. `a` is read where it lies, whatever its strides, unless there are so many strips that it pays to put its
//! rows in panels of a tile each. Where `b` lies turned and `a` has few rows, the transposed product is computed.
//! An element of the result is one chain of multiply-adds for each stretch, the stretches added in order, so it
//! does not depend on the rows and columns around it, nor on who computes which of them.
//!
//! The row tiles are of about equal height too: 32 rows are 6 + 6 + 5 + 5 + 5 + 5 rather than five times 6 and a
//! rest of 2 that leaves the multipliers waiting. After Goto and van de Geijn, "Anatomy of High-Performance
//! Matrix Multiplication" (2008), which packs `a` always: the matrices of a training step are small, and the copy
//! pays only where many strips run over it.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

mod packing;
mod writing;

use super::{sizes, strides};
use crate::float::Float;
use crate::simd::{Simd, SimdElement, WithSimd, prefetch};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::any::TypeId;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use writing::put;

/// Bytes of the strip that every tile of rows runs over; it shares the first-level cache with the rows of `a`.
const STRIP_BYTES: usize = 32 << 10;

/// Bytes of `a` that every strip runs over again; they should stay in the second-level cache.
const BLOCK_BYTES: usize = 192 << 10;

/// Columns of `b` from which `a` is packed as well. Below, the copy costs more than its order saves.
const WORTH_PANELS: usize = 384;

/// The most rows that count as few: they fill one strip of the widest registers.
const FEW_ROWS: usize = 48;

/// A buffer on the stack. A register that straddles two cache lines takes two reads.
#[repr(align(64))]
struct Buffer<const BYTES: usize>([MaybeUninit<u8>; BYTES]);

impl<const BYTES: usize> Buffer<BYTES> {
    const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; BYTES])
    }

    fn start<F>(&mut self) -> *mut F {
        self.0.as_mut_ptr().cast()
    }
}

/// `c = alpha * a.b + beta * c`, and the bias added to every row.
pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    b: ArrayView2<'_, F>,
    beta: F,
    mut c: ArrayViewMut2<'_, F>,
    bias: Option<&[F]>,
) {
    let (m, _, n) = sizes(&a, &b, &c);
    assert!(bias.is_none_or(|bias| bias.len() == n), "a bias has one number for each column of the product");
    let (c_row, c_col) = strides(c.strides());
    // A result whose rows are the contiguous axis is computed as its transpose; so is a single column.
    let (mut a, mut b) = (a, b);
    if bias.is_none() && (c_row == 1 && c_col != 1 || n == 1 && m > 1) {
        (a, b, c) = (b.reversed_axes(), a.reversed_axes(), c.reversed_axes());
    }
    // Where `b` would have to be turned for the sake of few rows, so is the product: then these rows are turned, and
    // the tiles of the result on their way out, which is less.
    let ((m, k), n) = (a.dim(), b.ncols());
    let few = (FEW_ROWS / 3..=FEW_ROWS).contains(&m) && 3 * m <= k.min(n);
    if few && alpha == F::one() && bias.is_none() && b.strides()[0] == 1 && c.strides()[1] == 1 {
        (a, b, c) = (b.reversed_axes(), a.reversed_axes(), c.reversed_axes());
    }
    let ((m, k), n) = (a.dim(), b.ncols());
    let (a_row, a_step) = strides(a.strides());
    let (b_step, b_col) = strides(b.strides());
    let (c_row, c_col) = strides(c.strides());
    run(Product {
        size: [m, k, n],
        alpha,
        beta,
        a: Strided { start: a.as_ptr(), row: a_row, column: a_step },
        b: Strided { start: b.as_ptr(), row: b_step, column: b_col },
        c: Target { start: c.as_mut_ptr(), row: c_row, column: c_col },
        bias: bias.map(<[F]>::as_ptr),
        panels: None,
    });
}

/// Hands the product to the code for its type, which is compiled once with this crate: it is large, and every
/// crate that names a generic function compiles it anew.
fn run<F: Float>(product: Product<F>) {
    if product.size[0] > 1 && product.size[2] >= WORTH_PANELS {
        return run_with_panels(product);
    }
    run_by_type(product);
}

/// Not inlined: small products would pay for the pages of the buffer on the stack.
#[inline(never)]
fn run_with_panels<F: Float>(mut product: Product<F>) {
    let mut panels = Buffer::<BLOCK_BYTES>::new();
    product.panels = NonNull::new(panels.start());
    run_by_type(product);
}

fn run_by_type<F: Float>(product: Product<F>) {
    if TypeId::of::<F>() == TypeId::of::<f32>() {
        run_f32(product.retyped());
    } else {
        run_f64(product.retyped());
    }
}

#[inline(never)]
fn run_f32(product: Product<f32>) {
    f32::run_simd(product);
}

#[inline(never)]
fn run_f64(product: Product<f64>) {
    f64::run_simd(product);
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
    /// Room for the panels of a block of `a`, [`BLOCK_BYTES`] large, where that pays.
    panels: Option<NonNull<F>>,
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
    /// The bias of these columns where it is due: with the last stretch.
    bias: Option<*const F>,
    /// Whether tiles go to the result from registers. Others are left in a buffer.
    direct: bool,
    /// Where the first tile leaves the strip packed for the others, where that pays.
    keep: Option<*mut F>,
    /// Where panels of `a` lie, where they pay. The first strip packs them.
    panels: Option<*mut F>,
}

impl<F: Float> Product<F> {
    /// The same product where `F` is `G`; the two scalars pass through `f64`, which holds both types' numbers.
    fn retyped<G: Float>(self) -> Product<G> {
        let Self { size, alpha, beta, a, b, c, bias, panels } = self;
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
            panels: panels.map(NonNull::cast),
        }
    }
}

impl<F: Float> WithSimd<F> for Product<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
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
        let block = if m <= 4 * tallest { m } else { block::<F>(m, depth, tallest) };
        let panels =
            self.panels.filter(|_| block * depth * size_of::<F>() <= BLOCK_BYTES).map(NonNull::as_ptr);
        // A lone row waits for each multiply-add to end, unless more of them stand side by side.
        let lone = m == 1 && self.b.column == 1;
        let (mut buffer, mut tile) = (Buffer::<STRIP_BYTES>::new(), Buffer::<TILE_BYTES>::new());
        let (buffer, tile) = (buffer.start::<F>(), tile.start::<F>());
        for stretch in 0..stretches {
            let first = stretch * depth;
            let steps = (first, depth.min(k - first));
            let beta = if stretch == 0 { self.beta } else { F::one() };
            let bias = self.bias.filter(|_| stretch + 1 == stretches);
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
                    let strip = Strip {
                        start: self.b.start,
                        step: self.b.row,
                        steps,
                        columns,
                        beta,
                        bias: bias.map(|bias| bias.wrapping_add(column)),
                        direct: S::LANES > 1 && plain && whole && self.c.column == 1,
                        keep: (rows.1 > 4 * tallest).then_some(buffer),
                        panels,
                    };
                    // SAFETY: the steps and columns are `b`'s; a strip read in place is as wide as it is loaded.
                    unsafe {
                        let strip = if whole && self.b.column == 1 {
                            Strip { start: self.b.at(first, column), ..strip }
                        } else {
                            self.packed::<S>(simd, strip, buffer)
                        };
                        self.rows::<S>(simd, rows, strip, tile);
                    }
                    column += columns.1;
                }
            }
        }
    }
}

/// So many rows that they stay in the cache while every strip runs over them, in blocks of about equal height.
#[inline(always)]
fn block<F>(rows: usize, depth: usize, tallest: usize) -> usize {
    let most = (BLOCK_BYTES / (depth.max(1) * size_of::<F>()) / tallest).max(4) * tallest;
    rows.div_ceil(rows.div_ceil(most)).next_multiple_of(tallest)
}

/// The most rows of a tile.
#[inline(always)]
fn tallest<F: Float, S: Simd<F>>() -> usize {
    if S::REGISTERS == 32 { 8 } else { 6 }
}

/// The most registers of a tile's row: the more of them, the fewer numbers of `a` are read for a multiply-add. With
/// the tallest tile they leave room for the operands.
#[inline(always)]
fn widest<F: Float, S: Simd<F>>() -> usize {
    if S::REGISTERS == 32 { 3 } else { 2 }
}

#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
impl<F: Float> Product<F> {
    /// A column times a row: the gradient of a batch of one. Nothing is summed up, so tiles have nothing to gain.
    ///
    /// # Safety
    /// The inner dimension must be 1, rows of `b` and of the result contiguous and of whole registers.
    #[inline(always)]
    unsafe fn rank_one<S: Simd<F>>(&self, simd: S) {
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
    unsafe fn rank_one_strip<S: Simd<F>, const C: usize>(&self, simd: S, column: usize) -> usize {
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

    /// A strip against `rows` (first, number), in tiles of about equal height.
    ///
    /// # Safety
    /// Rows, steps and columns must be the product's; the strip must be readable in whole registers; there must be room
    /// for a tile, and in the panels for the rows.
    #[inline(always)]
    unsafe fn rows<S: Simd<F>>(
        &self,
        simd: S,
        (top, rows): (usize, usize),
        mut strip: Strip<F>,
        left: *mut F,
    ) {
        let tiles = rows.div_ceil(tallest::<F, S>());
        let (height, higher) = (rows / tiles, rows % tiles);
        let registers = strip.columns.1.div_ceil(S::LANES);
        let mut row = top;
        for tile in 0..tiles {
            let height = height + usize::from(tile < higher);
            // SAFETY: the caller's promise.
            unsafe {
                let a = match strip.panels {
                    Some(panels) => {
                        let panel = panels.add((row - top) * strip.steps.1);
                        if strip.columns.0 == 0 {
                            self.panel::<S>((row, height), strip.steps, panel);
                        }
                        let (row, column) = if self.a.row == 1 { (1, height) } else { (strip.steps.1, 1) };
                        Strided { start: panel, row: row.cast_signed(), column: column.cast_signed() }
                    }
                    None => Strided { start: self.a.at(row, strip.steps.0), ..self.a },
                };
                match registers {
                    1 => self.tile_of::<S, 1>(simd, a, (row, height), strip, left),
                    2 => self.tile_of::<S, 2>(simd, a, (row, height), strip, left),
                    3 => {
                        // A constant: these tiles are not compiled where there are too few registers for them.
                        if const { S::REGISTERS == 32 } {
                            self.tile_of::<S, 3>(simd, a, (row, height), strip, left);
                        }
                    }
                    _ => self.tile::<S, 1, 8, false>(simd, a, row, strip, left),
                }
                if !strip.direct {
                    self.write::<S>(simd, (left, registers * S::LANES), (row, height), strip);
                }
            }
            row += height;
            if let Some(kept) = strip.keep.take() {
                strip = Strip { start: kept, step: strip.columns.1.cast_signed(), ..strip };
            }
        }
    }

    /// # Safety
    /// As [`rows`](Self::rows), for rows (first, number) that begin where `a` does.
    #[inline(always)]
    unsafe fn tile_of<S: Simd<F>, const C: usize>(
        &self,
        simd: S,
        a: Strided<F>,
        (row, height): (usize, usize),
        strip: Strip<F>,
        left: *mut F,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            // With so many rows that a strip is kept, tiles have these heights.
            if strip.keep.is_some() {
                if const { S::REGISTERS == 32 } {
                    match height {
                        7 => self.tile::<S, 7, C, true>(simd, a, row, strip, left),
                        _ => self.tile::<S, 8, C, true>(simd, a, row, strip, left),
                    }
                } else {
                    match height {
                        5 => self.tile::<S, 5, C, true>(simd, a, row, strip, left),
                        _ => self.tile::<S, 6, C, true>(simd, a, row, strip, left),
                    }
                }
                return;
            }
            match height {
                1 => return self.tile::<S, 1, C, false>(simd, a, row, strip, left),
                2 => return self.tile::<S, 2, C, false>(simd, a, row, strip, left),
                3 => return self.tile::<S, 3, C, false>(simd, a, row, strip, left),
                4 => return self.tile::<S, 4, C, false>(simd, a, row, strip, left),
                5 => return self.tile::<S, 5, C, false>(simd, a, row, strip, left),
                6 => return self.tile::<S, 6, C, false>(simd, a, row, strip, left),
                _ => {}
            }
            if const { S::REGISTERS == 32 } {
                match height {
                    7 => self.tile::<S, 7, C, false>(simd, a, row, strip, left),
                    _ => self.tile::<S, 8, C, false>(simd, a, row, strip, left),
                }
            }
        }
    }

    /// `R` rows × `C` registers of the result; with `KEEP` the strip is packed on the way.
    ///
    /// # Safety
    /// As [`rows`](Self::rows), for `R` rows from `row` on, which begin where `a` does.
    #[inline(always)]
    unsafe fn tile<S: Simd<F>, const R: usize, const C: usize, const KEEP: bool>(
        &self,
        simd: S,
        a: Strided<F>,
        row: usize,
        strip: Strip<F>,
        left: *mut F,
    ) {
        let column = strip.columns.0;
        // SAFETY: rows `row..row + R` and the steps are `a`'s; the strip holds as many lines of C registers; the columns
        // written are the result's, or there is room for the tile. The instruction set is the one that `simd` names.
        unsafe {
            // Single numbers are left side by side, which is what the compiler makes vectors of for the processor at hand.
            let direct = S::LANES > 1 && strip.direct;
            let (out, stride) = if direct {
                (self.c.start.offset(row.cast_signed() * self.c.row).add(column), self.c.row)
            } else {
                (left, (C * S::LANES).cast_signed())
            };
            for r in 0..R {
                prefetch(out.wrapping_offset(r.cast_signed() * stride).cast_const(), 1);
            }
            let keep = strip.keep.unwrap_or(std::ptr::null_mut());
            let b = (strip.start, strip.step);
            let sums = accumulate::<F, S, R, C, KEEP>(simd, strip.steps.1, a, b, keep);
            let add = direct && strip.beta == F::one();
            let bias = strip.bias.filter(|_| direct);
            let to = (out, stride);
            // One loop for each case: with branches inside, the compiler does not unroll it and leaves the sums in memory.
            match (add, bias) {
                (false, None) => put::<F, S, R, C>(simd, &sums, to, |sum, _, _| sum),
                (true, None) => {
                    put::<F, S, R, C>(simd, &sums, to, |sum, out, _| simd.add(simd.loadu(out), sum))
                }
                (false, Some(bias)) => {
                    put::<F, S, R, C>(simd, &sums, to, |sum, _, c| simd.add(sum, simd.loadu(bias.add(c))))
                }
                (true, Some(bias)) => put::<F, S, R, C>(simd, &sums, to, |sum, out, c| {
                    simd.add(simd.add(simd.loadu(out), sum), simd.loadu(bias.add(c)))
                }),
            }
        }
    }
}

/// `R` rows of `a` against a strip (start, stride of the steps), whose lines are left one after the other in `keep` with
/// `KEEP`.
///
/// # Safety
/// The steps must exist in both, and with `KEEP` there must be room for the strip; the instruction set must be the one
/// that `simd` names.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
unsafe fn accumulate<F: Float, S: Simd<F>, const R: usize, const C: usize, const KEEP: bool>(
    simd: S,
    steps: usize,
    a: Strided<F>,
    (mut b, b_step): (*const F, isize),
    mut keep: *mut F,
) -> [[S::Reg; C]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[simd.zero(); C]; R];
        let rows: [*const F; R] =
            std::array::from_fn(|r| std::hint::black_box(a.start.wrapping_offset(r.cast_signed() * a.row)));
        let mut step = 0;
        for _ in 0..steps {
            let mut line = [simd.zero(); C];
            for c in 0..C {
                line[c] = simd.loadu(b.add(c * S::LANES));
            }
            if KEEP {
                prefetch(b.wrapping_offset(AHEAD * b_step), C * S::LANES);
                for c in 0..C {
                    simd.storeu(keep.add(c * S::LANES), line[c]);
                }
                keep = keep.add(C * S::LANES);
            }
            for r in 0..R {
                let factor = simd.splat(*rows[r].offset(step));
                for c in 0..C {
                    sums[r][c] = simd.mul_add(factor, line[c], sums[r][c]);
                }
            }
            step += a.column;
            b = b.wrapping_offset(b_step);
        }
        sums
    }
}

/// How many steps before its turn a line that lies alone is asked for.
const AHEAD: isize = 32;

/// The side of the largest squares that are turned over.
const SIDE_AT_MOST: usize = 8;

/// Bytes of the largest tile: 8 rows of three AVX-512 registers.
const TILE_BYTES: usize = 8 * 3 * 64;
