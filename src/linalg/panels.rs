//! Panels: the right operand of a product, a matrix of k rows, packed into the order in which the micro-kernels read it.
//!
//! ```text
//!      nr    nr    nr             panel 0, then panel 1, ...: each k rows of nr columns, one row after the other;
//!    +-----+-----+-----+          columns beyond the matrix are zero, so that every row fills whole registers
//!    |  0  |  1  | 2 00|
//!  k |     |     |   00|
//!    |     |     |   00|
//!    +-----+-----+-----+
//! ```
//!
//! A matrix that many products share is packed once: the kernel of a convolution, the recurrent kernel over all steps.

use crate::float::Float;
use crate::simd::{Simd, WithSimd};

/// Lanes of the widest register of the smallest element: AVX-512 and `f32`.
pub(super) const MAX_LANES: usize = 16;

/// Most registers in a row of a tile, for any instruction set.
pub(super) const MAX_TILE_REGISTERS: usize = 3;

/// Upper bound of the length of [`pack`]ed panels of a (`rows`, `columns`) matrix, for any instruction set.
pub(crate) fn packed_len(rows: usize, columns: usize) -> usize {
    rows.saturating_mul(columns.saturating_add(MAX_LANES - 1))
}

/// Columns of the output of a product: the first and the number of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) first: usize,
    pub(crate) len: usize,
}

/// Packs columns of a matrix with rows of `stride` elements into panels, filled with zeros to whole registers.
pub(crate) fn pack<F: Float>(matrix: &[F], stride: usize, columns: Columns, packed: &mut [F]) {
    F::run_simd(Pack { matrix, stride, columns, packed });
}

/// Most registers in a row of a tile; BLIS's nr is as many times the lanes. Wider tiles load fewer elements of `a`
/// for a multiply-add. 8 × 3 or 6 × 2 sums leave registers for the operands: 24 + 3 + 1 of 32, 12 + 2 + 1 of 16.
#[inline(always)]
pub(super) fn max_tile_registers<F: Float, S: Simd<F>>() -> usize {
    if S::REGISTERS == 32 { MAX_TILE_REGISTERS } else { 2 }
}

/// Registers of the panel that begins at column `first` of `columns`. The panels are of about equal width: 4 registers are 2 + 2
/// rather than 3 + 1.
#[inline(always)]
pub(super) fn panel_registers<F: Float, S: Simd<F>>(columns: usize, first: usize) -> usize {
    let left = (columns - first).div_ceil(S::LANES);
    left.div_ceil(left.div_ceil(max_tile_registers::<F, S>()))
}

/// The arguments of [`pack`].
struct Pack<'a, F> {
    matrix: &'a [F],
    stride: usize,
    columns: Columns,
    packed: &'a mut [F],
}

impl<F: Float> WithSimd<F> for Pack<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, _: S) {
        let rows = self.matrix.chunks_exact(self.stride);
        let (mut first, mut start) = (0, 0);
        while first < self.columns.len {
            let width = panel_registers::<F, S>(self.columns.len, first) * S::LANES;
            let len = width.min(self.columns.len - first);
            let panel = &mut self.packed[start..start + rows.len() * width];
            for (row, to) in rows.clone().zip(panel.chunks_exact_mut(width)) {
                let (values, zeros) = to.split_at_mut(len);
                let from = self.columns.first + first;
                values.copy_from_slice(&row[from..from + len]);
                zeros.fill(F::zero());
            }
            start += panel.len();
            first += width;
        }
    }
}
