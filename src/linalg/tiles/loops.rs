//! The loops around the micro-kernel: k-blocks, blocks of rows, panels, tiles. See the module's figure.
#![allow(
    unsafe_code,
    reason = "panels and tiles are addressed by pointers; shapes are checked by the caller"
)]

use super::super::panels::{max_tile_registers, panel_registers};
use super::product::{
    A_BLOCK_BYTES, B_PANEL_BYTES, MAX_TILE_BYTES, Panel, Product, Span, StackBuffer, Strided, max_tile_rows,
};
use crate::float::Float;
use crate::simd::{Simd, WithSimd};
use std::ptr::NonNull;

/// Registers of the single tile that a product with one row of `a` uses. A multiply-add takes four cycles and two
/// start in each, so that fewer than eight independent sums would wait for one another.
const SINGLE_ROW_REGISTERS: usize = 8;

/// Tiles of rows from which the first one packs the panel of `b`. With fewer, the copy costs more than it saves.
const MIN_TILES_TO_PACK_B: usize = 5;

impl<F: Float> WithSimd<F> for Product<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        if self.is_rank_one::<S>() {
            // SAFETY: the shapes have been checked, and the columns fill whole registers.
            return unsafe { self.rank_one::<S>(simd) };
        }
        let Blocking { k_blocks, kc, mc } = Blocking::of::<F, S>(self.m, self.k);
        let a_panels =
            self.a_panels.filter(|_| mc * kc * size_of::<F>() <= A_BLOCK_BYTES).map(NonNull::as_ptr);
        let mut panel_buffer = StackBuffer::<B_PANEL_BYTES>::new();
        let mut tile_buffer = StackBuffer::<MAX_TILE_BYTES>::new();
        let (panel_buffer, tile) = (panel_buffer.as_mut_ptr::<F>(), tile_buffer.as_mut_ptr::<F>());
        for k_block in 0..k_blocks {
            let first = k_block * kc;
            let steps = Span { first, len: kc.min(self.k - first) };
            let beta = if k_block == 0 { self.beta } else { F::one() };
            let bias = self.bias.filter(|_| k_block + 1 == k_blocks);
            for first in (0..self.m).step_by(mc) {
                let rows = Span { first, len: mc.min(self.m - first) };
                let mut column = 0;
                while column < self.n {
                    let (columns, registers) = self.panel_columns::<S>(column);
                    let fills_registers = columns.len == registers * S::LANES;
                    let panel = Panel {
                        ptr: self.b.ptr,
                        step_stride: self.b.row_stride,
                        steps,
                        columns,
                        beta,
                        bias: bias.map(|bias| bias.wrapping_add(column)),
                        stores_directly: S::LANES > 1
                            && self.is_unscaled(self.beta)
                            && fills_registers
                            && self.c.col_stride == 1,
                        pack_to: (rows.len > (MIN_TILES_TO_PACK_B - 1) * max_tile_rows::<F, S>())
                            .then_some(panel_buffer),
                        a_panels,
                    };
                    // SAFETY: steps and columns are `b`'s, and those of its panels. A panel that is read in place is as wide as
                    // it is loaded.
                    unsafe {
                        let panel = if let Some(panels) = self.b_panels {
                            let width = registers * S::LANES;
                            let ptr = panels.add(column * self.k + steps.first * width);
                            Panel { ptr, step_stride: width.cast_signed(), pack_to: None, ..panel }
                        } else if fills_registers && self.b.col_stride == 1 {
                            Panel { ptr: self.b.at(steps.first, column), ..panel }
                        } else {
                            self.pack_b::<S>(simd, panel, panel_buffer)
                        };
                        self.row_tiles::<S>(simd, rows, panel, tile);
                    }
                    column += columns.len;
                }
            }
        }
    }
}

/// The number of k-blocks, and the sizes kc and mc of the blocking.
struct Blocking {
    k_blocks: usize,
    kc: usize,
    mc: usize,
}

impl Blocking {
    /// Divides the inner dimension into k-blocks of about equal length whose panels fit [`B_PANEL_BYTES`]. That depends
    /// on `k` alone, so each element of the output is summed in the same order in every product with this `k`. Divides
    /// the rows into blocks of about equal height that fit [`A_BLOCK_BYTES`].
    #[inline(always)]
    fn of<F: Float, S: Simd<F>>(m: usize, k: usize) -> Self {
        let (mr, nr) = (max_tile_rows::<F, S>(), max_tile_registers::<F, S>() * S::LANES);
        let k_blocks = k.div_ceil(B_PANEL_BYTES / (nr * size_of::<F>())).max(1);
        let kc = k.div_ceil(k_blocks);
        let mc = if m <= 4 * mr {
            m
        } else {
            let most = (A_BLOCK_BYTES / (kc.max(1) * size_of::<F>()) / mr).max(4) * mr;
            m.div_ceil(m.div_ceil(most)).next_multiple_of(mr)
        };
        Self { k_blocks, kc, mc }
    }
}

impl<F: Float> Product<F> {
    /// The columns of the panel that begins at `column`, and the registers that hold a row of it.
    #[inline(always)]
    fn panel_columns<S: Simd<F>>(&self, column: usize) -> (Span, usize) {
        let single_row = self.m == 1 && self.b.col_stride == 1;
        let registers = if single_row && self.n - column >= SINGLE_ROW_REGISTERS * S::LANES {
            SINGLE_ROW_REGISTERS
        } else {
            panel_registers::<F, S>(self.n, column)
        };
        (Span { first: column, len: (registers * S::LANES).min(self.n - column) }, registers)
    }

    /// Multiplies `rows` of `a` by a panel, in tiles of about equal height: 32 rows are 6 + 6 + 5 + 5 + 5 + 5 rather
    /// than five times 6 and a tile of 2, whose four sums would not keep the multipliers busy.
    ///
    /// # Safety
    /// Rows, steps and columns must be the product's. The panel must be readable in whole registers. `tile` must hold a
    /// tile, and the panels of `a` the rows.
    #[inline(always)]
    unsafe fn row_tiles<S: Simd<F>>(&self, simd: S, rows: Span, mut panel: Panel<F>, tile: *mut F) {
        let tiles = rows.len.div_ceil(max_tile_rows::<F, S>());
        let (height, taller_tiles) = (rows.len / tiles, rows.len % tiles);
        let registers = panel.columns.len.div_ceil(S::LANES);
        let mut row = rows.first;
        for index in 0..tiles {
            let tile_rows = Span { first: row, len: height + usize::from(index < taller_tiles) };
            // SAFETY: the caller's promise.
            unsafe {
                let a = match panel.a_panels {
                    Some(panels) => {
                        let a_panel = panels.add((row - rows.first) * panel.steps.len);
                        if panel.columns.first == 0 {
                            self.pack_a::<S>(tile_rows, panel.steps, a_panel);
                        }
                        let (row_stride, col_stride) = if self.a.row_stride == 1 {
                            (1, tile_rows.len.cast_signed())
                        } else {
                            (panel.steps.len.cast_signed(), 1)
                        };
                        Strided { ptr: a_panel, row_stride, col_stride }
                    }
                    None => Strided { ptr: self.a.at(row, panel.steps.first), ..self.a },
                };
                match registers {
                    1 => self.tile_of_height::<S, 1>(simd, a, tile_rows, panel, tile),
                    2 => self.tile_of_height::<S, 2>(simd, a, tile_rows, panel, tile),
                    3 => {
                        // A constant: these tiles are not compiled where there are too few registers for them.
                        if const { S::REGISTERS == 32 } {
                            self.tile_of_height::<S, 3>(simd, a, tile_rows, panel, tile);
                        }
                    }
                    _ => self.tile::<S, 1, SINGLE_ROW_REGISTERS, false>(simd, a, row, panel, tile),
                }
                if !panel.stores_directly {
                    self.store_from_scratch::<S>(simd, (tile, registers * S::LANES), tile_rows, panel);
                }
            }
            row += tile_rows.len;
            if let Some(packed) = panel.pack_to.take() {
                panel = Panel { ptr: packed, step_stride: panel.columns.len.cast_signed(), ..panel };
            }
        }
    }
}
