//! im2col and col2im: copies the patches under a sliding window into the rows of a matrix, and adds them back.
//!
//! ```text
//!               taps · channels
//!             +-----------------+
//!             | patch at (0, 0) |      A row is one output position; its elements are ordered by tap row,
//!   positions | patch at (0, 1) |      tap column, channel, as the rows of the kernel are.
//!             |       ...       |
//!             +-----------------+
//! ```
//!
//! The product of this matrix with the kernel, (taps · channels, filters), is the convolution. Neighboring taps of an
//! undilated window over all channels are contiguous in the image, so a patch is then copied one tap row at a time.

use crate::float::Float;
use crate::nn::layers::window::Window;
use crate::simd::vectorize;
use std::ops::Range;

/// Runs shorter than this are copied by a loop: a call of `memcpy` costs more than the copy.
const MIN_MEMCPY_LEN: usize = 16;

/// The patches of a range of an image's channels.
#[derive(Debug, Clone)]
pub(super) struct Im2col {
    pub(super) window: Window,
    /// The number of channels of the image.
    pub(super) channels: usize,
    /// The channels in the patches: those of one group.
    pub(super) channel_range: Range<usize>,
}

impl Im2col {
    /// Returns the length of a patch, which is a row of the matrix.
    pub(super) fn patch_len(&self) -> usize {
        self.window.taps().saturating_mul(self.channel_range.len())
    }

    /// Returns whether the taps of one row of the window are contiguous in the image.
    fn taps_are_contiguous(&self) -> bool {
        self.window.dilation_rate[1] == 1 && self.channel_range.len() == self.channels
    }

    /// Calls `visit` with each range of the matrix and the start of the equally long contiguous range of the image
    /// that it copies. Taps in the padding are skipped.
    #[inline(always)]
    fn for_each_run(&self, mut visit: impl FnMut(Range<usize>, usize)) {
        let Window { output, input, size, .. } = self.window;
        let (channels, contiguous) = (self.channel_range.len(), self.taps_are_contiguous());
        for row in 0..output[0] {
            for column in 0..output[1] {
                let patch = (row * output[1] + column) * self.patch_len();
                let taps = self.window.valid_taps(1, column);
                for tap_row in self.window.valid_taps(0, row) {
                    let y = self.window.input_index(0, row, tap_row);
                    // The first tap of each run; contiguous taps form a single run.
                    let starts =
                        if contiguous { taps.start..taps.end.min(taps.start + 1) } else { taps.clone() };
                    for tap in starts {
                        let x = self.window.input_index(1, column, tap);
                        let taps = if contiguous { taps.len() } else { 1 };
                        let start = patch + (tap_row * size[1] + tap) * channels;
                        let image = (y * input[1] + x) * self.channels + self.channel_range.start;
                        visit(start..start + taps * channels, image);
                    }
                }
            }
        }
    }

    /// Returns whether no window overlaps the padding.
    fn is_unpadded(&self) -> bool {
        let Window { output, size, .. } = self.window;
        (0..2).all(|axis| (0..output[axis]).all(|at| self.window.valid_taps(axis, at) == (0..size[axis])))
    }

    /// Copies the patches of an image into the rows of `matrix` (im2col), with zeros for padding.
    pub(super) fn gather<F: Float>(&self, image: &[F], matrix: &mut [F]) {
        if !self.is_unpadded() {
            matrix.fill(F::zero());
        }
        vectorize(
            #[inline(always)]
            || {
                self.for_each_run(|run, start| {
                    let (to, from) = (&mut matrix[run.clone()], &image[start..start + run.len()]);
                    if to.len() < MIN_MEMCPY_LEN {
                        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                    } else {
                        to.copy_from_slice(from);
                    }
                });
            },
        );
    }

    /// Adds each element of the patches in `matrix` to the image element that it is a copy of (col2im).
    pub(super) fn scatter_add<F: Float>(&self, matrix: &[F], image: &mut [F]) {
        vectorize(
            #[inline(always)]
            || {
                self.for_each_run(|run, start| {
                    let to = &mut image[start..start + run.len()];
                    to.iter_mut().zip(&matrix[run]).for_each(|(to, &from)| *to += from);
                });
            },
        );
    }
}
