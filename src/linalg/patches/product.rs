//! The kernel of the product of patches with a packed matrix.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the docs of `patches`")]

use super::super::panels::{Columns, MAX_LANES, MAX_TILE_REGISTERS, panel_registers};
use super::{MAX_RESIDENT_BYTES, MAX_STEPS, MAX_TILE_ROWS, MIN_BLOCK_POSITIONS, PatchLayout};
use crate::float::Float;
use crate::simd::{Simd, WithSimd};
use std::mem::MaybeUninit;

/// The arguments of [`product`].
pub(super) struct PatchProduct<'a, F> {
    pub(super) images: &'a [F],
    pub(super) layout: PatchLayout,
    pub(super) packed: &'a [F],
    pub(super) bias: Option<&'a [F]>,
    pub(super) y: *mut F,
    pub(super) stride: usize,
    pub(super) columns: Columns,
}

/// Consecutive runs of every patch: a k-block.
#[derive(Clone, Copy)]
struct RunBlock {
    first: usize,
    len: usize,
    /// The distance of the first run, and its index along the second axis.
    start: usize,
    column: usize,
}

impl RunBlock {
    #[inline(always)]
    fn new(layout: &PatchLayout, first: usize, len: usize) -> Self {
        let per_row = layout.runs[1].max(1);
        let (row, column) = (first / per_row, first % per_row);
        Self { first, len, start: row * layout.run_steps[0] + column * layout.run_steps[1], column }
    }
}

/// A panel of a k-block.
#[derive(Clone, Copy)]
struct PatchPanel<F> {
    /// The panel's row of the first element of the k-block.
    ptr: *const F,
    /// The first column, counted from the first that is computed.
    column: usize,
    registers: usize,
    /// Whether the sums start from the output, not from the bias.
    adds: bool,
}

/// A tile: its patches, and its rows of the output.
struct Tile<F> {
    patches: [*const F; MAX_TILE_ROWS],
    rows: usize,
    y: *mut F,
}

/// Visits patches in order, over the rows, columns and images.
struct Patches {
    row: usize,
    column: usize,
    image: usize,
}

impl Patches {
    /// The offset of the next patch.
    #[inline(always)]
    fn next(&mut self, layout: &PatchLayout) -> usize {
        let offset = self.image * layout.image_len
            + layout.offset
            + self.row * layout.steps[0]
            + self.column * layout.steps[1];
        self.column += 1;
        if self.column == layout.positions[1] {
            (self.row, self.column) = (self.row + 1, 0);
            if self.row == layout.positions[0] {
                (self.image, self.row) = (self.image + 1, 0);
            }
        }
        offset
    }
}

impl<F: Float> WithSimd<F> for PatchProduct<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let (positions, n) = (self.layout.n_positions(), self.columns.len);
        if positions == 0 || n == 0 || self.images.is_empty() {
            return;
        }
        let width = n.next_multiple_of(S::LANES);
        assert!(self.packed.len() >= self.layout.patch_len() * width, "the packed matrix is too short");
        let images = self.images.len() / self.layout.image_len;
        let block = MIN_BLOCK_POSITIONS.div_ceil(positions);
        let n_runs = self.layout.runs[0] * self.layout.runs[1];
        let block_runs = (MAX_STEPS / self.layout.run_len.max(1)).clamp(1, n_runs.max(1));
        let resident =
            self.packed.len().min(self.layout.patch_len() * width) * size_of::<F>() <= MAX_RESIDENT_BYTES;
        for image in (0..images).step_by(block) {
            let images = image..(image + block).min(images);
            let mut first = 0;
            // A patch without elements has the sums of no runs: the bias.
            loop {
                let runs = RunBlock::new(&self.layout, first, block_runs.min(n_runs - first));
                if resident {
                    self.tiles::<S>(simd, images.clone(), runs, 0..n);
                } else {
                    let mut column = 0;
                    while column < n {
                        let next = column + panel_registers::<F, S>(n, column) * S::LANES;
                        self.tiles::<S>(simd, images.clone(), runs, column..next.min(n));
                        column = next;
                    }
                }
                first += runs.len;
                if first >= n_runs {
                    break;
                }
            }
        }
    }
}

impl<F: Float> PatchProduct<'_, F> {
    /// Computes `columns`, which are whole panels, for the patches of some images.
    #[inline(always)]
    fn tiles<S: Simd<F>>(
        &self,
        simd: S,
        images: std::ops::Range<usize>,
        runs: RunBlock,
        columns: std::ops::Range<usize>,
    ) {
        let max_rows = if S::REGISTERS == 32 { 8 } else { 6 };
        let positions = self.layout.n_positions();
        let (first, m) = (images.start * positions, images.len() * positions);
        let tiles = m.div_ceil(max_rows);
        let (height, taller) = (m / tiles, m % tiles);
        let mut patches = Patches { row: 0, column: 0, image: images.start };
        let mut row = first;
        let (patch_len, steps) = (self.layout.patch_len(), runs.first * self.layout.run_len);
        for index in 0..tiles {
            let rows = height + usize::from(index < taller);
            let mut tile = Tile { patches: [std::ptr::null(); MAX_TILE_ROWS], rows, y: std::ptr::null_mut() };
            for patch in tile.patches.iter_mut().take(rows) {
                *patch = self.images.as_ptr().wrapping_add(patches.next(&self.layout));
            }
            let y = self.y.wrapping_add(row * self.stride + self.columns.first);
            let mut column = columns.start;
            while column < columns.end {
                let registers = panel_registers::<F, S>(self.columns.len, column);
                let width = registers * S::LANES;
                let ptr = self.packed.as_ptr().wrapping_add(column * patch_len + steps * width);
                let panel = PatchPanel { ptr, column, registers, adds: runs.first > 0 };
                tile.y = y.wrapping_add(column);
                // SAFETY: `product` and `with_simd` have checked that patches, panels, bias and rows exist.
                unsafe { self.tile_of_width::<S>(simd, &tile, runs, panel) };
                column += width;
            }
            row += rows;
        }
    }

    /// # Safety
    /// The tile's patches and rows, the runs and the panel must exist; the instruction set must be the one that `simd`
    /// names.
    #[inline(always)]
    unsafe fn tile_of_width<S: Simd<F>>(
        &self,
        simd: S,
        tile: &Tile<F>,
        runs: RunBlock,
        panel: PatchPanel<F>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match panel.registers {
                1 => self.tile_of_height::<S, 1>(simd, tile, runs, panel),
                2 => self.tile_of_height::<S, 2>(simd, tile, runs, panel),
                _ => {
                    // A constant: these tiles are not compiled where there are too few registers for them.
                    if const { S::REGISTERS == 32 } {
                        self.tile_of_height::<S, MAX_TILE_REGISTERS>(simd, tile, runs, panel);
                    }
                }
            }
        }
    }

    /// # Safety
    /// As [`tile_of_width`](Self::tile_of_width).
    #[inline(always)]
    unsafe fn tile_of_height<S: Simd<F>, const C: usize>(
        &self,
        simd: S,
        tile: &Tile<F>,
        runs: RunBlock,
        panel: PatchPanel<F>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match tile.rows {
                1 => return self.tile::<S, 1, C>(simd, tile, runs, panel),
                2 => return self.tile::<S, 2, C>(simd, tile, runs, panel),
                3 => return self.tile::<S, 3, C>(simd, tile, runs, panel),
                4 => return self.tile::<S, 4, C>(simd, tile, runs, panel),
                5 => return self.tile::<S, 5, C>(simd, tile, runs, panel),
                6 => return self.tile::<S, 6, C>(simd, tile, runs, panel),
                _ => {}
            }
            if const { S::REGISTERS == 32 } {
                match tile.rows {
                    7 => self.tile::<S, 7, C>(simd, tile, runs, panel),
                    _ => self.tile::<S, 8, C>(simd, tile, runs, panel),
                }
            }
        }
    }

    /// Computes a tile of `R` patches × `C` registers.
    ///
    /// # Safety
    /// As [`tile_of_width`](Self::tile_of_width); the tile has `R` rows, the panel `C` registers.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    unsafe fn tile<S: Simd<F>, const R: usize, const C: usize>(
        &self,
        simd: S,
        tile: &Tile<F>,
        runs: RunBlock,
        panel: PatchPanel<F>,
    ) {
        let len = (C * S::LANES).min(self.columns.len - panel.column);
        let whole = len == C * S::LANES;
        // A panel that is cut off is computed in a scratch buffer, whose columns beyond the output are zero. Other tiles do not
        // touch it: setting it to zero took a third of the time of a tile with 32 steps.
        let mut scratch = [MaybeUninit::<F>::uninit(); MAX_TILE_ROWS * MAX_TILE_REGISTERS * MAX_LANES];
        if !whole {
            scratch.fill(MaybeUninit::new(F::zero()));
        }
        let scratch = scratch.as_mut_ptr().cast::<F>();
        // SAFETY: the caller's promise; the scratch buffers hold any tile.
        unsafe {
            let start: Option<(*const F, usize)> = match (panel.adds, self.bias) {
                (true, _) if whole => Some((tile.y.cast_const(), self.stride)),
                (true, _) => {
                    for r in 0..R {
                        for i in 0..len {
                            *scratch.add(r * C * S::LANES + i) = *tile.y.add(r * self.stride + i);
                        }
                    }
                    Some((scratch.cast_const(), C * S::LANES))
                }
                (false, Some(values)) if whole => Some((values.as_ptr().add(panel.column), 0)),
                (false, Some(values)) => {
                    for (i, &value) in values[panel.column..panel.column + len].iter().enumerate() {
                        *scratch.add(i) = value;
                    }
                    Some((scratch.cast_const(), 0))
                }
                (false, None) => None,
            };
            let sums = self.micro_kernel::<S, R, C>(simd, tile, runs, panel.ptr, start);
            let (to, stride) = if whole { (tile.y, self.stride) } else { (scratch, C * S::LANES) };
            for r in 0..R {
                for c in 0..C {
                    simd.storeu(to.add(r * stride + c * S::LANES), sums[r][c]);
                }
            }
            if !whole {
                for r in 0..R {
                    for i in 0..len {
                        *tile.y.add(r * self.stride + i) = *to.add(r * stride + i);
                    }
                }
            }
        }
    }

    /// Adds the products of the runs of `R` patches with a panel of `C` registers to sums that start from memory, in
    /// rows of a stride, or from zero.
    ///
    /// # Safety
    /// As [`tile`](Self::tile); the start of the sums must be readable.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    unsafe fn micro_kernel<S: Simd<F>, const R: usize, const C: usize>(
        &self,
        simd: S,
        tile: &Tile<F>,
        runs: RunBlock,
        mut b: *const F,
        start: Option<(*const F, usize)>,
    ) -> [[S::Reg; C]; R] {
        let PatchLayout { runs: [_, per_row], run_steps, run_len, .. } = self.layout;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[simd.zero(); C]; R];
            if let Some((start, stride)) = start {
                for r in 0..R {
                    for c in 0..C {
                        sums[r][c] = simd.loadu(start.add(r * stride + c * S::LANES));
                    }
                }
            }
            // As in the micro-kernel of `tiles`: the compiler must not compute the pointers from one another.
            let rows: [*const F; R] = std::array::from_fn(|r| std::hint::black_box(tile.patches[r]));
            let (mut run_start, mut column) = (runs.start, runs.column);
            for _ in 0..runs.len {
                for offset in run_start..run_start + run_len {
                    let mut b_row = [simd.zero(); C];
                    for c in 0..C {
                        b_row[c] = simd.loadu(b.add(c * S::LANES));
                    }
                    for r in 0..R {
                        let factor = simd.splat(*rows[r].add(offset));
                        for c in 0..C {
                            sums[r][c] = simd.mul_add(factor, b_row[c], sums[r][c]);
                        }
                    }
                    b = b.add(C * S::LANES);
                }
                column += 1;
                run_start += run_steps[1];
                if column == per_row {
                    column = 0;
                    run_start = run_start + run_steps[0] - per_row * run_steps[1];
                }
            }
            sums
        }
    }
}
