//! Depthwise convolution of images whose channels are contiguous, and the gradient of its kernel.
//!
//! ```text
//!    y[p, c] = bias[c] + Σ_t x[p + t, c] · w[t, c]           dw[t, c] += Σ_p x[p + t, c] · dy[p, c]
//! ```
//!
//! There is no sum over channels, so a channel is a lane, and the arithmetic is two loads for a multiply-add unless
//! values stay in registers:
//!
//! | pass | in registers | loads a multiply-add |
//! |---|---|---|
//! | forward | the sums of [`TILE_COLUMNS`] neighboring outputs × two registers of channels | 1.25 |
//! | gradient of the kernel | the sums of up to [`MAX_TAPS`] taps × one register of channels | 1.1 |
//!
//! Loops over a sum in memory, which were here first, load and store it for each tap: with AVX2, the network of a 3 × 3
//! depthwise and a 1 × 1 convolution trained at 0.3 of the speed.
//!
//! If the channels do not fill whole registers, the last register overlaps the one before it and computes a few channels
//! twice, to the same bits; the caller uses plain loops for fewer channels than lanes ([`has_kernel_for`]).
//!
//! Each output is accumulated in the order of its taps, each gradient in the order of the patches and images.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers; see the module's docs")]

use super::panels::MAX_LANES;
use super::patches::PatchLayout;
use crate::float::Float;
use crate::simd::{Simd, WithSimd};

/// Neighboring outputs of a tile of the forward pass.
const TILE_COLUMNS: usize = 4;

/// Taps whose gradients are accumulated together: with the register of `dy` they leave five of 16 registers.
const MAX_TAPS: usize = 9;

/// Whether the kernels here take images with this number of channels.
pub(crate) fn has_kernel_for<F: Float>(channels: usize) -> bool {
    struct Lanes;
    impl<F: Float> WithSimd<F> for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd<F>>(self, _: S) -> usize {
            S::LANES
        }
    }
    channels >= F::run_simd(Lanes)
}

/// Computes `y` from the patches of whole images. A run of a patch is a tap, one element for each channel.
///
/// # Shapes
/// `kernel`: (taps, channels), `bias`: (channels), `y`: (images, positions, channels).
///
/// # Panics
/// Panics if a patch does not lie within its image, or a length does not agree.
pub(crate) fn forward<F: Float>(
    (images, layout): (&[F], &PatchLayout),
    kernel: &[F],
    bias: Option<&[F]>,
    y: &mut [F],
) {
    let channels = layout.run_len;
    check(images, layout, kernel.len(), y.len());
    assert!(bias.is_none_or(|bias| bias.len() == channels), "the bias needs an element for each channel");
    F::run_simd(DepthwiseForward { images, layout: *layout, kernel, bias, y: y.as_mut_ptr() });
}

/// Adds the gradient of the kernel, (taps, channels), to `dkernel`.
///
/// # Panics
/// As [`forward`].
pub(crate) fn add_kernel_gradient<F: Float>(
    (images, layout): (&[F], &PatchLayout),
    dy: &[F],
    dkernel: &mut [F],
) {
    check(images, layout, dkernel.len(), dy.len());
    F::run_simd(KernelGradient { images, layout: *layout, dy, dkernel: dkernel.as_mut_ptr() });
}

fn check<F: Float>(images: &[F], layout: &PatchLayout, kernel_len: usize, y_len: usize) {
    let n_images = images.len() / layout.image_len.max(1);
    assert!(layout.is_within_image(), "a patch must lie within its image");
    assert!(kernel_len == layout.patch_len(), "the kernel needs an element for each tap and channel");
    assert!(
        y_len == n_images * layout.n_positions() * layout.run_len,
        "the output needs a row for each patch"
    );
    assert!(has_kernel_for::<F>(layout.run_len), "the channels must fill a register");
}

/// First channels of the blocks of `registers` registers that cover the channels; the last ones may overlap.
#[inline(always)]
fn channel_blocks(channels: usize, width: usize) -> impl Iterator<Item = usize> {
    (0..channels.div_ceil(width)).map(move |block| (block * width).min(channels - width))
}

/// The arguments of [`forward`].
struct DepthwiseForward<'a, F> {
    images: &'a [F],
    layout: PatchLayout,
    kernel: &'a [F],
    bias: Option<&'a [F]>,
    y: *mut F,
}

impl<F: Float> WithSimd<F> for DepthwiseForward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let PatchLayout { image_len, positions, steps, offset, run_len: channels, .. } = self.layout;
        let [height, width] = positions;
        for image in 0..self.images.len() / image_len.max(1) {
            for row in 0..height {
                let x = self.images.as_ptr().wrapping_add(image * image_len + offset + row * steps[0]);
                let y = self.y.wrapping_add((image * height + row) * width * channels);
                // SAFETY: the lengths and the layout have been checked.
                unsafe {
                    if channels >= 2 * S::LANES {
                        for first in channel_blocks(channels, 2 * S::LANES) {
                            self.row::<S, 2>(simd, x, y, first);
                        }
                    } else {
                        for first in channel_blocks(channels, S::LANES) {
                            self.row::<S, 1>(simd, x, y, first);
                        }
                    }
                }
            }
        }
    }
}

impl<F: Float> DepthwiseForward<'_, F> {
    /// Computes `C` registers of channels of a row of outputs.
    ///
    /// # Safety
    /// The row's patches and outputs must exist, from channel `first`. The instruction set must be the one that `simd`
    /// names.
    #[inline(always)]
    unsafe fn row<S: Simd<F>, const C: usize>(&self, simd: S, x: *const F, y: *mut F, first: usize) {
        let (width, step) = (self.layout.positions[1], self.layout.steps[1]);
        let channels = self.layout.run_len;
        let at = |column: usize| {
            (x.wrapping_add(column * step + first), y.wrapping_add(column * channels + first))
        };
        let whole = width - width % TILE_COLUMNS;
        // SAFETY: the caller's promise.
        unsafe {
            for column in (0..whole).step_by(TILE_COLUMNS) {
                self.tile::<S, TILE_COLUMNS, C>(simd, at(column), first);
            }
            for column in whole..width {
                self.tile::<S, 1, C>(simd, at(column), first);
            }
        }
    }

    /// Computes `R` neighboring outputs.
    ///
    /// # Safety
    /// As [`row`](Self::row), for the outputs that begin at `x` and `y`.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "row and column of a register tile read best as indices")]
    unsafe fn tile<S: Simd<F>, const R: usize, const C: usize>(
        &self,
        simd: S,
        (x, y): (*const F, *mut F),
        first: usize,
    ) {
        let PatchLayout { steps, runs, run_steps, run_len: channels, .. } = self.layout;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[simd.zero(); C]; R];
            if let Some(bias) = self.bias {
                for r in 0..R {
                    for c in 0..C {
                        sums[r][c] = simd.loadu(bias.as_ptr().add(first + c * S::LANES));
                    }
                }
            }
            let mut w = self.kernel.as_ptr().add(first);
            for tap_row in 0..runs[0] {
                for tap_column in 0..runs[1] {
                    let x = x.add(tap_row * run_steps[0] + tap_column * run_steps[1]);
                    for c in 0..C {
                        let factor = simd.loadu(w.add(c * S::LANES));
                        for r in 0..R {
                            let x = simd.loadu(x.add(r * steps[1] + c * S::LANES));
                            sums[r][c] = simd.mul_add(x, factor, sums[r][c]);
                        }
                    }
                    w = w.wrapping_add(channels);
                }
            }
            for r in 0..R {
                for c in 0..C {
                    simd.storeu(y.add(r * channels + c * S::LANES), sums[r][c]);
                }
            }
        }
    }
}

/// The arguments of [`add_kernel_gradient`].
struct KernelGradient<'a, F> {
    images: &'a [F],
    layout: PatchLayout,
    dy: &'a [F],
    dkernel: *mut F,
}

impl<F: Float> WithSimd<F> for KernelGradient<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let PatchLayout { image_len, runs, run_len: channels, .. } = self.layout;
        let taps = runs[0] * runs[1];
        // Image by image: each is read once for every register of channels, and stays in the cache.
        for image in 0..self.images.len() / image_len.max(1) {
            let mut tap = 0;
            while tap < taps {
                for first in channel_blocks(channels, S::LANES) {
                    // SAFETY: the lengths and the layout have been checked; image, taps and channels exist.
                    unsafe {
                        match taps - tap {
                            MAX_TAPS.. => self.taps::<S, MAX_TAPS>(simd, image, tap, first),
                            5..MAX_TAPS => self.taps::<S, 5>(simd, image, tap, first),
                            3 | 4 => self.taps::<S, 3>(simd, image, tap, first),
                            _ => self.taps::<S, 1>(simd, image, tap, first),
                        }
                    }
                }
                tap += match taps - tap {
                    MAX_TAPS.. => MAX_TAPS,
                    5..MAX_TAPS => 5,
                    3 | 4 => 3,
                    _ => 1,
                };
            }
        }
    }
}

impl<F: Float> KernelGradient<'_, F> {
    /// Adds the gradients of `T` taps for a register of channels, from one image.
    ///
    /// # Safety
    /// The image, the taps and the channels must exist. The instruction set must be the one that `simd` names.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "one index for offsets and sums")]
    unsafe fn taps<S: Simd<F>, const T: usize>(&self, simd: S, image: usize, tap: usize, first: usize) {
        let PatchLayout { image_len, positions, steps, offset, runs, run_steps, run_len: channels } =
            self.layout;
        let [height, width] = positions;
        let offsets: [usize; T] = std::array::from_fn(|t| {
            let (row, column) = ((tap + t) / runs[1], (tap + t) % runs[1]);
            row * run_steps[0] + column * run_steps[1]
        });
        // SAFETY: the caller's promise; a register has at most MAX_LANES lanes.
        unsafe {
            let to = self.dkernel.add(tap * channels + first);
            let mut sums = [simd.zero(); T];
            for t in 0..T {
                sums[t] = simd.loadu(to.add(t * channels));
            }
            let mut dy = self.dy.as_ptr().add(image * height * width * channels + first);
            for row in 0..height {
                let mut x = self.images.as_ptr().add(image * image_len + offset + row * steps[0] + first);
                for _ in 0..width {
                    let gradient = simd.loadu(dy);
                    for t in 0..T {
                        sums[t] = simd.mul_add(simd.loadu(x.wrapping_add(offsets[t])), gradient, sums[t]);
                    }
                    x = x.wrapping_add(steps[1]);
                    dy = dy.wrapping_add(channels);
                }
            }
            // The register before has added to the channels that both have.
            let shared = first.next_multiple_of(S::LANES) - first;
            let mut lanes = [F::zero(); MAX_LANES];
            for t in 0..T {
                if shared == 0 {
                    simd.storeu(to.add(t * channels), sums[t]);
                } else {
                    simd.storeu(lanes.as_mut_ptr(), sums[t]);
                    for lane in shared..S::LANES {
                        *to.add(t * channels + lane) = lanes[lane];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::patches::tests::random;

    /// Windows of 3 × 3, 1 × 2 (with strides), 5 × 5 and 2 × 3 (dilated) taps over images (8, 11, `channels`).
    fn layouts(channels: usize) -> Vec<PatchLayout> {
        let line = 11 * channels;
        let layout = PatchLayout {
            image_len: 8 * line,
            positions: [6, 9],
            steps: [line, channels],
            offset: 0,
            runs: [3, 3],
            run_steps: [line, channels],
            run_len: channels,
        };
        vec![
            layout,
            PatchLayout { positions: [4, 5], steps: [2 * line, 2 * channels], runs: [1, 2], ..layout },
            PatchLayout { positions: [4, 7], runs: [5, 5], ..layout },
            PatchLayout { positions: [6, 5], runs: [2, 3], run_steps: [2 * line, 3 * channels], ..layout },
        ]
    }

    fn passes_equal_the_plain_loops<F: Float>(tolerance: f64) {
        for channels in [16, 17, 24, 33, 50] {
            for layout in layouts(channels) {
                let PatchLayout { image_len, positions: [height, width], steps, runs, run_steps, .. } =
                    layout;
                let (images, taps) = (2, runs[0] * runs[1]);
                let x: Vec<F> = random(images * image_len, 1);
                let (kernel, bias): (Vec<F>, Vec<F>) = (random(taps * channels, 2), random(channels, 3));
                let dy: Vec<F> = random(images * height * width * channels, 4);
                let mut y = vec![F::nan(); dy.len()];
                let mut dkernel: Vec<F> = random(kernel.len(), 5);
                let mut want_dkernel: Vec<f64> = dkernel.iter().map(|v| v.as_f64()).collect();
                forward((&x, &layout), &kernel, Some(&bias), &mut y);
                add_kernel_gradient((&x, &layout), &dy, &mut dkernel);
                for (position, y) in y.chunks_exact(channels).enumerate() {
                    let (image, row, column) =
                        (position / (height * width), position / width % height, position % width);
                    let start = image * image_len + row * steps[0] + column * steps[1];
                    for (channel, y) in y.iter().enumerate() {
                        let mut want = bias[channel].as_f64();
                        for tap in 0..taps {
                            let run = tap / runs[1] * run_steps[0] + tap % runs[1] * run_steps[1];
                            let x = x[start + run + channel].as_f64();
                            want += x * kernel[tap * channels + channel].as_f64();
                            want_dkernel[tap * channels + channel] +=
                                x * dy[position * channels + channel].as_f64();
                        }
                        assert!((y.as_f64() - want).abs() <= tolerance * 10.0, "{layout:?}");
                    }
                }
                for (got, want) in dkernel.iter().zip(&want_dkernel) {
                    assert!((got.as_f64() - want).abs() <= tolerance * 100.0, "{layout:?}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn both_passes_equal_the_plain_loops() {
        passes_equal_the_plain_loops::<f32>(1e-6);
        passes_equal_the_plain_loops::<f64>(1e-14);
    }
}
