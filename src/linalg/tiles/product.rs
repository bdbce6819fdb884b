//! The operands of a matrix product, the panel that the tiles run over, and the sizes of the blocking.
#![allow(unsafe_code, reason = "operands are pointers with strides, so that one code serves all layouts")]

use crate::float::Float;
use crate::simd::Simd;
use std::any::TypeId;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Most bytes of a packed panel of `b` (kc × nr). It shares the first-level cache, 32 to 48 KiB, with the rows of `a`
/// that stream through it; longer k-blocks did not pay.
pub(super) const B_PANEL_BYTES: usize = 32 << 10;

/// Most bytes of a block of `a` (mc × kc), which every panel of `b` runs over again. It stays in the second-level
/// cache.
pub(super) const A_BLOCK_BYTES: usize = 192 << 10;

/// Bytes of the largest tile: 8 rows of three AVX-512 registers.
pub(super) const MAX_TILE_BYTES: usize = 8 * 3 * 64;

/// Steps of the inner dimension by which rows that are read with a stride are prefetched. The hardware prefetcher
/// does not follow strides beyond a page.
pub(super) const PREFETCH_STEPS: isize = 32;

/// Side of the largest square block that a backend transposes.
pub(super) const MAX_TRANSPOSE_DIM: usize = 8;

/// Most rows of a tile, BLIS's mr.
#[inline(always)]
pub(super) fn max_tile_rows<F: Float, S: Simd<F>>() -> usize {
    if S::REGISTERS == 32 { 8 } else { 6 }
}

/// A scratch buffer on the stack, aligned to a cache line: a register that straddles two lines takes two reads.
#[repr(align(64))]
pub(super) struct StackBuffer<const BYTES: usize>([MaybeUninit<u8>; BYTES]);

impl<const BYTES: usize> StackBuffer<BYTES> {
    pub(super) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; BYTES])
    }

    pub(super) fn as_mut_ptr<F>(&mut self) -> *mut F {
        self.0.as_mut_ptr().cast()
    }
}

/// The first index and the number of some rows, columns or steps.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) len: usize,
}

/// An operand with any strides, in elements.
#[derive(Clone, Copy)]
pub(super) struct Strided<F> {
    pub(super) ptr: *const F,
    pub(super) row_stride: isize,
    pub(super) col_stride: isize,
}

impl<F> Strided<F> {
    /// # Safety
    /// The element must be one of the operand's, or the one after the last.
    #[inline(always)]
    pub(super) unsafe fn at(self, row: usize, column: usize) -> *const F {
        let offset = row.cast_signed() * self.row_stride + column.cast_signed() * self.col_stride;
        // SAFETY: the caller's promise; the offset of an existing element fits an `isize`.
        unsafe { self.ptr.offset(offset) }
    }
}

/// The output, with any strides.
#[derive(Clone, Copy)]
pub(super) struct StridedMut<F> {
    pub(super) ptr: *mut F,
    pub(super) row_stride: isize,
    pub(super) col_stride: isize,
}

impl<F> StridedMut<F> {
    /// # Safety
    /// As [`Strided::at`].
    #[inline(always)]
    pub(super) unsafe fn at(self, row: usize, column: usize) -> *mut F {
        let offset = row.cast_signed() * self.row_stride + column.cast_signed() * self.col_stride;
        // SAFETY: the caller's promise; the offset of an existing element fits an `isize`.
        unsafe { self.ptr.offset(offset) }
    }
}

/// `c = alpha · a·b + beta · c + bias`, with shapes that have been checked. The pointers belong to views that outlive
/// it.
pub(super) struct Product<F> {
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) alpha: F,
    pub(super) beta: F,
    pub(super) a: Strided<F>,
    pub(super) b: Strided<F>,
    pub(super) c: StridedMut<F>,
    /// An element for each column.
    pub(super) bias: Option<*const F>,
    /// A buffer of [`A_BLOCK_BYTES`] for packed panels of `a`, if packing pays.
    pub(super) a_panels: Option<NonNull<F>>,
    /// `b` in [`panels`](super::super::panels), if the caller has packed it.
    pub(super) b_panels: Option<*const F>,
}

impl<F: Float> Product<F> {
    /// Casts to `G`, which must be the same type as `F`. The two scalars pass through `f64`, which holds both types.
    pub(super) fn cast<G: Float>(self) -> Product<G> {
        let Self { m, k, n, alpha, beta, a, b, c, bias, a_panels, b_panels } = self;
        debug_assert_eq!(TypeId::of::<F>(), TypeId::of::<G>());
        let operand = |from: Strided<F>| Strided {
            ptr: from.ptr.cast(),
            row_stride: from.row_stride,
            col_stride: from.col_stride,
        };
        Product {
            m,
            k,
            n,
            alpha: G::of(alpha.as_f64()),
            beta: G::of(beta.as_f64()),
            a: operand(a),
            b: operand(b),
            c: StridedMut { ptr: c.ptr.cast(), row_stride: c.row_stride, col_stride: c.col_stride },
            bias: bias.map(<*const F>::cast),
            a_panels: a_panels.map(NonNull::cast),
            b_panels: b_panels.map(<*const F>::cast),
        }
    }

    /// Whether a sum goes to the output as it is, or is added to it. Other products are scaled element by element.
    #[inline(always)]
    pub(super) fn is_unscaled(&self, beta: F) -> bool {
        self.alpha == F::one() && (beta == F::zero() || beta == F::one())
    }
}

/// A panel of `b`: the columns of one tile over the steps of one k-block, and what its tiles need to know.
#[derive(Clone, Copy)]
pub(super) struct Panel<F> {
    /// The first step. Each step is a row of [`columns`](Self::columns) elements, filled up to whole registers.
    pub(super) ptr: *const F,
    pub(super) step_stride: isize,
    pub(super) steps: Span,
    pub(super) columns: Span,
    /// The product's beta in the first k-block, later 1.
    pub(super) beta: F,
    /// The bias of these columns, in the last k-block.
    pub(super) bias: Option<*const F>,
    /// Whether tiles are stored to the output from registers. Other tiles pass through a scratch buffer.
    pub(super) stores_directly: bool,
    /// Where the first tile packs the panel for the other tiles, if packing pays.
    pub(super) pack_to: Option<*mut F>,
    /// Where packed panels of `a` lie, if packing pays. The tiles of the first panel of `b` pack them.
    pub(super) a_panels: Option<*mut F>,
}
