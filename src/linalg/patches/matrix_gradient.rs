//! The kernel of the gradient of the matrix that patches are multiplied by.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the docs of `patches`")]

use super::super::panels::{Columns, MAX_LANES, MAX_TILE_REGISTERS, panel_registers};
use super::{MAX_TILE_ROWS, PatchLayout};
use crate::float::Float;
use crate::simd::{Simd, WithSimd};

/// The arguments of [`add_matrix_gradient`].
///
/// The micro-kernel has the elements of a patch as rows, and the patches as steps:
///
/// ```text
///                   patches                     nr
///             +------------------+           +-----+
///    elements | mr rows: images  |   patches | dy  |      tile of dmatrix: mr elements x nr columns of sums
///             | at mr offsets    |           |     |
///             +------------------+           +-----+
/// ```
pub(super) struct MatrixGradient<'a, F> {
    pub(super) images: &'a [F],
    pub(super) layout: PatchLayout,
    pub(super) dy: &'a [F],
    pub(super) dmatrix: *mut F,
    pub(super) stride: usize,
    pub(super) columns: Columns,
}

impl<F: Float> WithSimd<F> for MatrixGradient<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let n = self.columns.len;
        let max_rows = if S::REGISTERS == 32 { 8 } else { 6 };
        let elements = self.layout.patch_len();
        let tiles = elements.div_ceil(max_rows);
        let mut column = 0;
        while column < n {
            let registers = panel_registers::<F, S>(n, column);
            let width = registers * S::LANES;
            // A block that would end beyond the columns begins earlier; its first columns are computed twice, stored once.
            let first = column.min(n.saturating_sub(width));
            let mut element = 0;
            for tile in 0..tiles {
                let rows = elements / tiles + usize::from(tile < elements % tiles);
                let block = GradientTile { element, first, stored_from: column - first };
                // SAFETY: `add_matrix_gradient` has checked that patches, gradients and the matrix exist.
                unsafe {
                    match registers {
                        1 => self.tile_of_height::<S, 1>(simd, rows, block),
                        2 => self.tile_of_height::<S, 2>(simd, rows, block),
                        _ => {
                            if const { S::REGISTERS == 32 } {
                                self.tile_of_height::<S, MAX_TILE_REGISTERS>(simd, rows, block);
                            }
                        }
                    }
                }
                element += rows;
            }
            column += width;
        }
    }
}

/// A tile of the gradient of a matrix.
#[derive(Clone, Copy)]
struct GradientTile {
    /// The first element of a patch.
    element: usize,
    /// The first column, counted from the first that is computed.
    first: usize,
    /// Columns of the tile that another tile stores.
    stored_from: usize,
}

impl<F: Float> MatrixGradient<'_, F> {
    /// # Safety
    /// The tile's elements and columns must exist; the instruction set must be the one that `simd` names.
    #[inline(always)]
    unsafe fn tile_of_height<S: Simd<F>, const C: usize>(&self, simd: S, rows: usize, tile: GradientTile) {
        // SAFETY: the caller's promise.
        unsafe {
            match rows {
                1 => return self.tile::<S, 1, C>(simd, tile),
                2 => return self.tile::<S, 2, C>(simd, tile),
                3 => return self.tile::<S, 3, C>(simd, tile),
                4 => return self.tile::<S, 4, C>(simd, tile),
                5 => return self.tile::<S, 5, C>(simd, tile),
                6 => return self.tile::<S, 6, C>(simd, tile),
                _ => {}
            }
            if const { S::REGISTERS == 32 } {
                match rows {
                    7 => self.tile::<S, 7, C>(simd, tile),
                    _ => self.tile::<S, 8, C>(simd, tile),
                }
            }
        }
    }

    /// Adds the gradients of `R` elements × `C` registers.
    ///
    /// # Safety
    /// As [`tile_of_height`](Self::tile_of_height).
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    unsafe fn tile<S: Simd<F>, const R: usize, const C: usize>(&self, simd: S, tile: GradientTile) {
        let len = (C * S::LANES).min(self.columns.len - tile.first);
        let whole = len == C * S::LANES && tile.stored_from == 0;
        // SAFETY: the caller's promise; the scratch buffer holds any tile.
        unsafe {
            let to = self.dmatrix.add(tile.element * self.stride + self.columns.first + tile.first);
            if whole {
                let sums = self.micro_kernel::<S, R, C, true>(simd, tile, (to, self.stride), len);
                for r in 0..R {
                    for c in 0..C {
                        simd.storeu(to.add(r * self.stride + c * S::LANES), sums[r][c]);
                    }
                }
                return;
            }
            let mut scratch = [F::zero(); MAX_TILE_ROWS * MAX_TILE_REGISTERS * MAX_LANES];
            let width = C * S::LANES;
            for r in 0..R {
                for i in 0..len {
                    scratch[r * width + i] = *to.add(r * self.stride + i);
                }
            }
            let start = (scratch.as_mut_ptr(), width);
            let sums = if len == width {
                self.micro_kernel::<S, R, C, true>(simd, tile, start, len)
            } else {
                self.micro_kernel::<S, R, C, false>(simd, tile, start, len)
            };
            for r in 0..R {
                for c in 0..C {
                    simd.storeu(start.0.add(r * width + c * S::LANES), sums[r][c]);
                }
                for i in tile.stored_from..len {
                    *to.add(r * self.stride + i) = scratch[r * width + i];
                }
            }
        }
    }

    /// The sums of a tile, which start from memory. Without `WHOLE`, rows of `dy` have fewer than `C` registers.
    ///
    /// # Safety
    /// As [`tile`](Self::tile); the start of the sums must be readable.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    unsafe fn micro_kernel<S: Simd<F>, const R: usize, const C: usize, const WHOLE: bool>(
        &self,
        simd: S,
        tile: GradientTile,
        (start, stride): (*mut F, usize),
        len: usize,
    ) -> [[S::Reg; C]; R] {
        let PatchLayout { image_len, positions, steps, offset, runs, run_steps, run_len } = self.layout;
        let offsets: [usize; R] = std::array::from_fn(|r| {
            let (run, at) = ((tile.element + r) / run_len, (tile.element + r) % run_len);
            run / runs[1] * run_steps[0] + run % runs[1] * run_steps[1] + at
        });
        let mut line = [F::zero(); MAX_TILE_REGISTERS * MAX_LANES];
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[simd.zero(); C]; R];
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = simd.loadu(start.add(r * stride + c * S::LANES));
                }
            }
            let mut dy = self.dy.as_ptr().add(self.columns.first + tile.first);
            for image in 0..self.images.len() / image_len {
                for row in 0..positions[0] {
                    let first = self.images.as_ptr().add(image * image_len + offset + row * steps[0]);
                    let rows: [*const F; R] =
                        std::array::from_fn(|r| std::hint::black_box(first.add(offsets[r])));
                    let mut at = 0;
                    for _ in 0..positions[1] {
                        let mut b_row = [simd.zero(); C];
                        if WHOLE {
                            for c in 0..C {
                                b_row[c] = simd.loadu(dy.add(c * S::LANES));
                            }
                        } else {
                            for i in 0..len {
                                line[i] = *dy.add(i);
                            }
                            for c in 0..C {
                                b_row[c] = simd.loadu(line.as_ptr().add(c * S::LANES));
                            }
                        }
                        for r in 0..R {
                            let factor = simd.splat(*rows[r].add(at));
                            for c in 0..C {
                                sums[r][c] = simd.mul_add(factor, b_row[c], sums[r][c]);
                            }
                        }
                        at += steps[1];
                        dy = dy.wrapping_add(self.stride);
                    }
                }
            }
            sums
        }
    }
}
