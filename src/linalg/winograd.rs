//! The convolution with a 3 × 3 window by Winograd's minimal filtering F(2 × 2, 3 × 3): 16 multiplications for 4 outputs, where
//! the sums of the window take 36.
//!
//! ```text
//!    image           input transform     16 products             output transform     output
//!   +---------+
//!   | 4 x 4   |  →   v = Bᵀ d B     →    m[ξ] = v[ξ] · u[ξ]  →   y = Aᵀ m A      →    2 x 2
//!   +---------+      16 numbers          (tiles, channels) ·     4 numbers
//!                    a channel           (channels, filters)     a filter
//! ```
//!
//! ```text
//!        1  0 −1  0          1    0    0             1  1  1  0
//!   Bᵀ = 0  1  1  0      G = 1/2  1/2  1/2      Aᵀ = 0  1 −1 −1          u = G g Gᵀ of the kernel g
//!        0 −1  1  0          1/2 −1/2  1/2
//!        0  1  0 −1          0    0    1
//! ```
//!
//! Lavin and Gray 2016, "Fast algorithms for convolutional neural networks". The transforms add, subtract and halve, so the error
//! stays near that of the plain sums. Tiles of 4 × 4 outputs would save 1.8 times as many multiplications more, but multiply by
//! numbers up to 8, and lose a digit.
//!
//! # Blocking
//! The tiles of all images are taken [`BLOCK_TILES`] at a time: transformed, multiplied by [`patches`] with 16 packed
//! matrices, and transformed back, while they are in the second-level cache. The tiles of an image begin at even rows and columns.
//! If the output has an odd row at its end, the last tile begins a row earlier, and only its second row is written: so an output
//! depends on its place in the image alone, not on how images and rows are split among threads.
#![allow(
    unsafe_code,
    reason = "registers are loaded and stored through pointers, 1.5 times as fast as loops over slices"
)]

use super::panels::{Columns, MAX_LANES, packed_len, panel_registers};
use super::patches::{self, PatchLayout};
use crate::float::Float;
use crate::simd::{Simd, WithSimd};
use std::ops::Range;

/// Tiles that are transformed together: whole register tiles of the product, with 6 or 8 rows.
const BLOCK_TILES: usize = 24;

/// Numbers of a transformed tile.
const POINTS: usize = 16;

/// Fewest channels and filters: those of the widest register, and enough products to pay for the transforms.
const MIN_CHANNELS: usize = 16;

/// Fewest outputs of an image in a channel: with fewer, the transform of the kernel takes longer than it saves for one image.
const MIN_POSITIONS: usize = 64;

/// A convolution that is computed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winograd {
    channels: usize,
    filters: usize,
    outputs: [usize; 2],
}

impl Winograd {
    /// The convolution with a window of this size, strides and dilation 1, from images with `channels` to `outputs`, (rows,
    /// columns), with `filters`; `None` where the plain sums take less time.
    pub(crate) fn new(
        size: [usize; 2],
        channels: usize,
        outputs: [usize; 2],
        filters: usize,
    ) -> Option<Self> {
        let pays = size == [3, 3]
            && channels.min(filters) >= MIN_CHANNELS
            && outputs[0].min(outputs[1]) >= 2
            && outputs[0].saturating_mul(outputs[1]) >= MIN_POSITIONS;
        pays.then_some(Self { channels, filters, outputs })
    }

    /// Length of a transformed kernel.
    pub(crate) fn kernel_len(&self) -> usize {
        packed_len(self.channels, self.filters).saturating_mul(POINTS)
    }

    /// Length of the scratch space of [`product`](Self::product).
    pub(crate) fn scratch_len(&self) -> usize {
        self.channels.saturating_add(self.filters).saturating_mul(POINTS * BLOCK_TILES)
    }

    /// Transforms a kernel, (3, 3, channels, filters), and packs it into the first [`kernel_len`](Self::kernel_len) elements.
    ///
    /// # Panics
    /// Panics if a length does not agree.
    pub(crate) fn transform_kernel<F: Float>(&self, kernel: &[F], to: &mut [F]) {
        assert!(kernel.len() == 9 * self.channels * self.filters, "a kernel is (3, 3, channels, filters)");
        assert!(to.len() >= self.kernel_len(), "the transformed kernel is too short");
        F::run_simd(KernelTransform { winograd: *self, kernel, to });
    }

    /// Computes `rows` of the outputs of whole images: the sums of the windows, and the bias. `layout` has the distances between
    /// rows and between columns. They are those of whole tiles: from an even row to
    /// an even one or to the end.
    ///
    /// # Panics
    /// Panics if a window does not lie within its image, or a length does not agree.
    pub(crate) fn product<F: Float>(
        &self,
        (images, layout): (&[F], &PatchLayout),
        rows: Range<usize>,
        kernel: &[F],
        bias: Option<&[F]>,
        y: &mut [F],
        scratch: &mut [F],
    ) {
        let (tiles, n_images) = (Tiles::new(self, layout, rows), images.len() / layout.image_len.max(1));
        assert!(
            layout.is_within_image() && layout.positions == self.outputs,
            "windows must lie in the image"
        );
        assert!(
            layout.run_len == self.channels && layout.runs == [3, 3],
            "a run must be a tap of all channels"
        );
        assert!(y.len() == n_images * tiles.output_len(), "the output needs all filters for each position");
        assert!(
            bias.is_none_or(|bias| bias.len() == self.filters),
            "the bias needs an element for each filter"
        );
        let n = n_images * tiles.len();
        // Blocks of about equal size: a product of few rows takes longer for each.
        let size = n.div_ceil(n.div_ceil(BLOCK_TILES).max(1)).max(1);
        for first in (0..n).step_by(size) {
            let block = first..(first + size).min(n);
            let (v, rest) = scratch.split_at_mut(POINTS * block.len() * self.channels);
            let m = &mut rest[..POINTS * block.len() * self.filters];
            F::run_simd(InputTransform { images, tiles: &tiles, block: block.clone(), to: v });
            self.multiply(block.len(), v, kernel, m);
            F::run_simd(OutputTransform { m, tiles: &tiles, block, bias, y });
        }
    }

    /// Multiplies each of the 16 matrices of transformed tiles, (tiles, channels), by its part of the kernel.
    fn multiply<F: Float>(&self, tiles: usize, v: &[F], kernel: &[F], m: &mut [F]) {
        let rows = PatchLayout {
            image_len: tiles * self.channels,
            positions: [1, tiles],
            steps: [0, self.channels],
            offset: 0,
            runs: [1, 1],
            run_steps: [0, 0],
            run_len: self.channels,
        };
        let points = v.chunks_exact(rows.image_len).zip(m.chunks_exact_mut(tiles * self.filters));
        let columns = Columns { first: 0, len: self.filters };
        for ((v, m), kernel) in points.zip(kernel.chunks_exact(packed_len(self.channels, self.filters))) {
            patches::product((v, &rows), kernel, None, (m, self.filters, columns));
        }
    }
}

/// The tiles of some rows of the output of every image.
struct Tiles {
    winograd: Winograd,
    image_len: usize,
    offset: usize,
    /// Distances between the rows and columns of an image.
    steps: [usize; 2],
    rows: Range<usize>,
    /// Numbers of tiles along the axes, and the first one of the rows.
    counts: [usize; 2],
    first: usize,
}

/// A tile: its image, its first output, and its first row and column that are written.
struct Tile {
    image: usize,
    origin: [usize; 2],
    written: [usize; 2],
}

impl Tiles {
    fn new(winograd: &Winograd, layout: &PatchLayout, rows: Range<usize>) -> Self {
        let first = rows.start / 2;
        let counts = [rows.end.div_ceil(2) - first, winograd.outputs[1].div_ceil(2)];
        let ends_tile = rows.end.is_multiple_of(2) || rows.end == winograd.outputs[0];
        assert!(rows.start.is_multiple_of(2) && ends_tile && rows.end <= winograd.outputs[0], "whole tiles");
        let (image_len, offset, steps) = (layout.image_len, layout.offset, layout.steps);
        Self { winograd: *winograd, image_len, offset, steps, rows, counts, first }
    }

    /// Tiles of an image.
    fn len(&self) -> usize {
        self.counts[0] * self.counts[1]
    }

    /// Elements of the rows of an image's output.
    fn output_len(&self) -> usize {
        self.rows.len() * self.winograd.outputs[1] * self.winograd.filters
    }

    #[inline(always)]
    fn get(&self, index: usize) -> Tile {
        let (image, tile) = (index / self.len(), index % self.len());
        let first = [2 * (self.first + tile / self.counts[1]), 2 * (tile % self.counts[1])];
        let [rows, columns] = self.winograd.outputs;
        let origin = [first[0].min(rows - 2), first[1].min(columns - 2)];
        Tile { image, origin, written: [first[0] - origin[0], first[1] - origin[1]] }
    }
}

/// The first element of each register of `len` elements, by its index; the last register may overlap the one before.
#[inline(always)]
fn register_start(index: usize, len: usize, lanes: usize) -> usize {
    (index * lanes).min(len - lanes)
}

/// v = Bᵀ d B for each channel of a block of tiles: (16, tiles, channels).
struct InputTransform<'a, F> {
    images: &'a [F],
    tiles: &'a Tiles,
    block: Range<usize>,
    to: &'a mut [F],
}

impl<F: Float> WithSimd<F> for InputTransform<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let Self { images, tiles, block, to } = self;
        let channels = tiles.winograd.channels;
        let point = block.len() * channels;
        assert!(to.len() == POINTS * point && channels >= S::LANES, "16 numbers a channel");
        for (place, index) in block.enumerate() {
            let Tile { image, origin, .. } = tiles.get(index);
            let window = image * tiles.image_len + tiles.offset + origin[0] * tiles.steps[0];
            let window = &images[window + origin[1] * tiles.steps[1]..];
            assert!(window.len() >= 3 * tiles.steps[0] + 3 * tiles.steps[1] + channels, "a window of 4 x 4");
            let to = to[place * channels..].as_mut_ptr();
            for register in 0..channels.div_ceil(S::LANES) {
                let channel = register_start(register, channels, S::LANES);
                // SAFETY: the window has 4 x 4 elements of `channels` each, which has been checked; so has the length of `to`.
                unsafe {
                    let from = window.as_ptr().add(channel);
                    for row in 0..4 {
                        let mut rows = [simd.zero(); 4];
                        for (column, sum) in rows.iter_mut().enumerate() {
                            // The rows of Bᵀ: 0 − 2, 1 + 2, 2 − 1, 1 − 3.
                            let (a, b) = [(0, 2), (1, 2), (2, 1), (1, 3)][row];
                            let a = simd.loadu(from.add(a * tiles.steps[0] + column * tiles.steps[1]));
                            let b = simd.loadu(from.add(b * tiles.steps[0] + column * tiles.steps[1]));
                            *sum = if row == 1 { simd.add(a, b) } else { simd.sub(a, b) };
                        }
                        let to = to.add(4 * row * point + channel);
                        simd.storeu(to, simd.sub(rows[0], rows[2]));
                        simd.storeu(to.add(point), simd.add(rows[1], rows[2]));
                        simd.storeu(to.add(2 * point), simd.sub(rows[2], rows[1]));
                        simd.storeu(to.add(3 * point), simd.sub(rows[1], rows[3]));
                    }
                }
            }
        }
    }
}

/// y = Aᵀ m A and the bias, for each filter of a block of tiles.
struct OutputTransform<'a, F> {
    m: &'a [F],
    tiles: &'a Tiles,
    block: Range<usize>,
    bias: Option<&'a [F]>,
    y: &'a mut [F],
}

impl<F: Float> WithSimd<F> for OutputTransform<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let Self { m, tiles, block, bias, y } = self;
        let Winograd { filters, outputs, .. } = tiles.winograd;
        let point = block.len() * filters;
        assert!(m.len() == POINTS * point && filters >= S::LANES, "16 numbers a filter");
        assert!(bias.is_none_or(|bias| bias.len() == filters), "a bias for each filter");
        for (place, index) in block.enumerate() {
            let Tile { image, origin, written } = tiles.get(index);
            let m = m[place * filters..].as_ptr();
            for row in written[0]..2 {
                let line = image * tiles.rows.len() + origin[0] + row - tiles.rows.start;
                let y = &mut y[(line * outputs[1] + origin[1]) * filters..][..2 * filters];
                let y = y.as_mut_ptr();
                for register in 0..filters.div_ceil(S::LANES) {
                    let filter = register_start(register, filters, S::LANES);
                    // SAFETY: `m` has 16 numbers for each filter, `y` two columns of filters; both have been checked.
                    unsafe {
                        let mut sums = [simd.zero(); 4];
                        for (column, sum) in sums.iter_mut().enumerate() {
                            // A row of Aᵀ: 0 + 1 + 2, or 1 − 2 − 3.
                            let from = m.add((4 * row + column) * point + filter);
                            let a = simd.loadu(from);
                            let b = simd.loadu(from.add(4 * point));
                            let c = simd.loadu(from.add(8 * point));
                            *sum = match row {
                                0 => simd.add(simd.add(a, b), c),
                                _ => simd.sub(simd.sub(a, b), c),
                            };
                        }
                        let bias = match bias {
                            Some(bias) => simd.loadu(bias.as_ptr().add(filter)),
                            None => simd.zero(),
                        };
                        if written[1] == 0 {
                            let first = simd.add(simd.add(sums[0], sums[1]), sums[2]);
                            simd.storeu(y.add(filter), simd.add(first, bias));
                        }
                        let second = simd.sub(simd.sub(sums[1], sums[2]), sums[3]);
                        simd.storeu(y.add(filters + filter), simd.add(second, bias));
                    }
                }
            }
        }
    }
}

/// u = G g Gᵀ for each channel and filter, in 16 packed matrices (channels, filters).
struct KernelTransform<'a, F> {
    winograd: Winograd,
    kernel: &'a [F],
    to: &'a mut [F],
}

impl<F: Float> WithSimd<F> for KernelTransform<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let Winograd { channels, filters, .. } = self.winograd;
        let (point, tap_len) = (packed_len(channels, filters), channels * filters);
        let (mut first, mut start) = (0, 0);
        // Panel by panel, as `panels::pack`.
        while first < filters {
            let width = panel_registers::<F, S>(filters, first) * S::LANES;
            for channel in 0..channels {
                for lane in (0..width).step_by(S::LANES) {
                    let len = filters.saturating_sub(first + lane).min(S::LANES);
                    let from = &self.kernel[channel * filters + first + lane..];
                    assert!(from.len() >= 8 * tap_len + len, "nine taps");
                    let to = &mut self.to[start + channel * width + lane..];
                    assert!(to.len() >= (POINTS - 1) * point + S::LANES, "16 matrices");
                    let to = to.as_mut_ptr();
                    // SAFETY: the lengths of `from` and `to` have been checked, and `columns` holds any register.
                    unsafe {
                        let mut g = [simd.zero(); 9];
                        for (tap, register) in g.iter_mut().enumerate() {
                            let tap = from.as_ptr().add(tap * tap_len);
                            *register = if len == S::LANES {
                                simd.loadu(tap)
                            } else {
                                // Columns beyond the matrix are zero.
                                let mut columns = [F::zero(); MAX_LANES];
                                for (column, value) in columns.iter_mut().take(len).enumerate() {
                                    *value = *tap.add(column);
                                }
                                simd.loadu(columns.as_ptr())
                            };
                        }
                        for row in 0..4 {
                            let mut rows = [simd.zero(); 3];
                            for column in 0..3 {
                                rows[column] = combine(simd, row, g[column], g[3 + column], g[6 + column]);
                            }
                            for column in 0..4 {
                                let u = combine(simd, column, rows[0], rows[1], rows[2]);
                                simd.storeu(to.add((4 * row + column) * point), u);
                            }
                        }
                    }
                }
            }
            start += channels * width;
            first += width;
        }
    }
}

/// A row of G times three registers.
///
/// # Safety
/// The instruction set must be the one that `simd` names.
#[inline(always)]
unsafe fn combine<F: Float, S: Simd<F>>(simd: S, row: usize, a: S::Reg, b: S::Reg, c: S::Reg) -> S::Reg {
    // SAFETY: the caller's promise.
    unsafe {
        match row {
            0 => a,
            1 => simd.mul(simd.splat(F::of(0.5)), simd.add(simd.add(a, c), b)),
            2 => simd.mul(simd.splat(F::of(0.5)), simd.sub(simd.add(a, c), b)),
            _ => c,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::patches::tests::random;
    use super::*;

    /// Images with a border, so that every window lies inside.
    fn layout([rows, columns]: [usize; 2], channels: usize) -> PatchLayout {
        let line = (columns + 2) * channels;
        PatchLayout {
            image_len: (rows + 2) * line,
            positions: [rows, columns],
            steps: [line, channels],
            offset: 0,
            runs: [3, 3],
            run_steps: [line, channels],
            run_len: channels,
        }
    }

    fn outputs<F: Float>(
        winograd: &Winograd,
        (images, layout): (&[F], &PatchLayout),
        rows: Range<usize>,
        kernel: &[F],
        bias: Option<&[F]>,
    ) -> Vec<F> {
        let mut transformed = vec![F::nan(); winograd.kernel_len()];
        winograd.transform_kernel(kernel, &mut transformed);
        let n_images = images.len() / layout.image_len;
        let mut y = vec![F::nan(); n_images * rows.len() * winograd.outputs[1] * winograd.filters];
        let mut scratch = vec![F::nan(); winograd.scratch_len()];
        winograd.product((images, layout), rows, &transformed, bias, &mut y, &mut scratch);
        y
    }

    fn equals_the_plain_sums<F: Float>(tolerance: f64) {
        for (positions, channels, filters) in
            [([8, 8], 16, 16), ([7, 10], 19, 33), ([9, 9], 40, 17), ([2, 33], 32, 64), ([13, 5], 16, 49)]
        {
            let (layout, images) = (layout(positions, channels), 3);
            let x: Vec<F> = random(images * layout.image_len, 1);
            let (kernel, bias): (Vec<F>, Vec<F>) = (random(9 * channels * filters, 2), random(filters, 3));
            let winograd = Winograd::new([3, 3], channels, positions, filters).expect("a size that pays");
            for bias in [Some(&bias[..]), None] {
                let y = outputs(&winograd, (&x, &layout), 0..positions[0], &kernel, bias);
                let mut worst = 0.0_f64;
                for (place, y) in y.iter().enumerate() {
                    let (position, filter) = (place / filters, place % filters);
                    let (row, column) = (position / positions[1], position % positions[1]);
                    let (image, row) = (row / positions[0], row % positions[0]);
                    let mut want = bias.map_or(0.0, |bias| bias[filter].as_f64());
                    for tap in 0..9 {
                        let at = image * layout.image_len
                            + (row + tap / 3) * layout.steps[0]
                            + (column + tap % 3) * channels;
                        for channel in 0..channels {
                            let w = kernel[(tap * channels + channel) * filters + filter];
                            want += x[at + channel].as_f64() * w.as_f64();
                        }
                    }
                    worst = worst.max((y.as_f64() - want).abs());
                }
                assert!(worst <= tolerance * (9.0 * channels as f64).sqrt(), "{winograd:?}: {worst}");
            }
        }
    }

    #[test]
    fn outputs_equal_the_plain_sums() {
        equals_the_plain_sums::<f32>(3e-6);
        equals_the_plain_sums::<f64>(2e-14);
    }

    #[test]
    fn an_output_depends_on_its_place_in_the_image_alone() {
        for positions in [[9, 11], [8, 8], [11, 6]] {
            let layout = layout(positions, 16);
            let winograd = Winograd::new([3, 3], 16, positions, 24).expect("a size that pays");
            let x: Vec<f32> = random(5 * layout.image_len, 1);
            let kernel: Vec<f32> = random(9 * 16 * 24, 2);
            let whole = outputs(&winograd, (&x, &layout), 0..positions[0], &kernel, None);
            let line = positions[1] * 24;
            for image in 0..5 {
                let x = &x[image * layout.image_len..][..layout.image_len];
                for start in (0..positions[0]).step_by(2) {
                    for end in (start + 2..positions[0]).step_by(2).chain([positions[0]]) {
                        let part = outputs(&winograd, (x, &layout), start..end, &kernel, None);
                        let whole = &whole[(image * positions[0] + start) * line..][..part.len()];
                        assert!(part == whole, "rows {start}..{end} of {positions:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_that_do_not_pay_are_left_to_the_plain_sums() {
        let winograd = |size, channels, outputs, filters| Winograd::new(size, channels, outputs, filters);
        assert!(winograd([3, 3], 16, [8, 8], 16).is_some());
        for (size, channels, outputs, filters) in [
            ([3, 1], 16, [8, 8], 16),
            ([5, 5], 16, [8, 8], 16),
            ([3, 3], 15, [8, 8], 16),
            ([3, 3], 16, [8, 8], 15),
            ([3, 3], 16, [7, 8], 16),
            ([3, 3], 16, [1, 200], 16),
        ] {
            assert!(winograd(size, channels, outputs, filters).is_none());
        }
    }
}
