//! General matrix product by tiles of sums in registers, for the small and flat matrices of a training step.
//!
//! # Blocking
//! The loops are BLIS's, without the outermost one over blocks of columns:
//!
//! ```text
//! for each k-block of kc steps
//!   for each block of mc rows         mc x kc of a, at most 192 KiB, stays in the second-level cache
//!     for each panel of nr columns    kc x nr of b, at most 32 KiB, stays in the first-level cache
//!       for each tile of mr rows      mr x nr of c, in registers
//!         micro-kernel                kc rank-one updates of the tile
//!
//!                                     nr          n
//!                                   +-----+---------------+
//!                                kc |panel|               |
//!                                   +-----+               |
//!                                k  |          b          |
//!          kc        k              +---------------------+
//!        +-----+-------------+      +-----+---------------+
//!     mr |panel|             |   mr |tile |               |
//!        +-----+             |      +-----+               |
//!     mc |block|             |      |                     |
//!        +-----+             |    m |          c          |
//!        |           a       |      |                     |
//!        +-------------------+      +---------------------+
//! ```
//!
//! | registers | mr × nr (in registers) | `f32` tile | sums + operands |
//! |---|---|---|---|
//! | 32 (AVX-512) | 8 × 3 | 8 × 48 | 24 + 3, factors from memory |
//! | 32 (NEON) | 8 × 3 | 8 × 12 | 24 + 3 + 1 |
//! | 16 (AVX2) | 6 × 2 | 6 × 16 | 12 + 2 + 1 |
//!
//! Each element of the output is accumulated in a fixed order: one chain of multiply-adds for each k-block, the
//! k-blocks added in order. The k-blocks depend on `k` alone, so an element does not depend on the other rows and
//! columns, on the layout of the operands, or on the thread that computes it. So a prediction does not depend on the
//! batch size, and `linalg::parallel` may split a product anywhere.
//!
//! # Why it is shaped so
//! Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008) pack both operands. In a
//! training step m is a batch of 32 to 128 rows, and a copy is not amortized by that few tiles. So:
//!
//! - `b` is packed by the first tile that runs over a panel, on the way, if four more tiles follow; else it is read
//!   where it lies. Only a panel that cannot be loaded in whole registers is packed before. Where many products share
//!   `b`, as the steps of a recurrent layer do, the caller packs it once, in [`panels`](super::panels).
//! - `a` is read where it lies, whatever its strides, below [`MIN_COLUMNS_TO_PACK_A`] columns of `b`.
//! - Tiles are of about equal height and panels of about equal width, because a small last tile has too few independent
//!   sums to hide the latency of a multiply-add.
//! - For few rows times a transposed `b`, the transposed product is computed: see [`transpose_few_rows`].
//! - Products of a row (m = 1) have tiles of 1 × 8 registers, those of a column and a row (k = 1) a loop without tiles.
//!
//! # What was tried
//! On Zen 5 with AVX-512 (`cargo bench --bench matmul`), products of 128 rows reach 92 % of the peak of the
//! multipliers. The micro-kernel reaches 99 % on operands in the first-level cache. The first tile of a panel, which
//! packs it, takes half as long again: 3 % of a product of 128 rows. Packing `a` takes 2 %, the start and end of
//! tiles 2 to 4 %.
//!
//! - Taller tiles, longer k-blocks, and prefetching the next panel during the current one did not pay.
//! - Transposing `a` while packing cost one or two percent of a product more than packing it as it lies.
//! - Without vector registers, tiles that stay in memory are at least as fast: the compiler vectorizes the loops over
//!   them.
//! - Operands that do not begin on a cache line cost a sixth; see [`Buffer`](crate::buffer::Buffer).
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

mod loops;
mod micro_kernel;
mod packing;
mod product;
mod rank_one;
mod store;

use super::panels::packed_len;
use super::views::{sizes, strides};
use crate::float::Float;
use crate::simd::SimdElement;
use ndarray::{ArrayView2, ArrayViewMut2};
use product::{A_BLOCK_BYTES, Product, StackBuffer, Strided, StridedMut};
use std::any::TypeId;
use std::ptr::NonNull;

/// Columns of `b` from which `a` is packed as well. Below, fewer than eight panels of 48 columns read the copy, and it
/// costs more than it saves.
const MIN_COLUMNS_TO_PACK_A: usize = 384;

/// The most rows for which [`transpose_few_rows`] applies: one panel of three AVX-512 registers of `f32`.
const MAX_FEW_ROWS: usize = 48;

/// Computes `c = alpha · a·b + beta · c`, with the bias added to every row. `b` comes with its panels, or with none; they change
/// no bit.
///
/// # Panics
/// Panics if the shapes do not agree, or the panels are too short.
pub(super) fn gemm<F: Float>(
    alpha: F,
    a: ArrayView2<'_, F>,
    (b, panels): (ArrayView2<'_, F>, &[F]),
    beta: F,
    mut c: ArrayViewMut2<'_, F>,
    bias: Option<&[F]>,
) {
    let (m, k, n) = sizes(&a, &b, &c);
    assert!(
        bias.is_none_or(|bias| bias.len() == n),
        "a bias needs an element for each column of the product"
    );
    let (mut a, mut b) = (a, b);
    let (c_row_stride, c_col_stride) = strides(c.strides());
    // A row alone is multiplied by wider tiles, from where `b` lies; a column and a row need no panels.
    let reads_panels = !panels.is_empty() && m > 1 && k > 1 && n > 1 && c_col_stride == 1;
    if reads_panels {
        assert!(panels.len() >= packed_len(k, n), "the panels of b are too short");
    } else {
        // Tiles are stored along rows, so an output with contiguous columns is computed as its transpose; so is a single
        // column.
        if bias.is_none() && (c_row_stride == 1 && c_col_stride != 1 || n == 1 && m > 1) {
            (a, b, c) = (b.reversed_axes(), a.reversed_axes(), c.reversed_axes());
        }
        if alpha == F::one() && bias.is_none() && transpose_few_rows(&a, &b, &c) {
            (a, b, c) = (b.reversed_axes(), a.reversed_axes(), c.reversed_axes());
        }
    }
    let (row_stride, col_stride) = strides(c.strides());
    run(Product {
        m: a.nrows(),
        k,
        n: b.ncols(),
        alpha,
        beta,
        a: operand(&a),
        b: operand(&b),
        c: StridedMut { ptr: c.as_mut_ptr(), row_stride, col_stride },
        bias: bias.map(<[F]>::as_ptr),
        a_panels: None,
        b_panels: reads_panels.then_some(panels.as_ptr()),
    });
}

fn operand<F>(view: &ArrayView2<'_, F>) -> Strided<F> {
    let (row_stride, col_stride) = strides(view.strides());
    Strided { ptr: view.as_ptr(), row_stride, col_stride }
}

/// Whether to compute `cᵀ = bᵀ·aᵀ` instead: for 16 to 48 rows and a much larger transposed `b`, as in `dy·wᵀ`.
///
/// A transposed `b` would be transposed panel by panel while packing. The transposed product reads it where it lies and
/// transposes the few rows of `a` and the tiles of the output instead, which are less.
fn transpose_few_rows<F>(a: &ArrayView2<'_, F>, b: &ArrayView2<'_, F>, c: &ArrayViewMut2<'_, F>) -> bool {
    let ((m, k), n) = (a.dim(), b.ncols());
    (MAX_FEW_ROWS / 3..=MAX_FEW_ROWS).contains(&m)
        && 3 * m <= k.min(n)
        && b.strides()[0] == 1
        && c.strides()[1] == 1
}

fn run<F: Float>(product: Product<F>) {
    if product.m > 1 && product.n >= MIN_COLUMNS_TO_PACK_A {
        return run_with_packed_a(product);
    }
    run_by_type(product);
}

/// Not inlined: small products would pay for touching the pages of the buffer on the stack.
#[inline(never)]
fn run_with_packed_a<F: Float>(mut product: Product<F>) {
    let mut panels = StackBuffer::<A_BLOCK_BYTES>::new();
    product.a_panels = NonNull::new(panels.as_mut_ptr());
    run_by_type(product);
}

/// Calls the code for the element type, which is compiled once, with this crate. It is large, and a generic function is
/// compiled again by every crate that names it.
fn run_by_type<F: Float>(product: Product<F>) {
    if TypeId::of::<F>() == TypeId::of::<f32>() {
        run_f32(product.cast());
    } else {
        run_f64(product.cast());
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
