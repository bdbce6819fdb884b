//! What a window sees of an image, as the rows of a matrix, and the way back.

use super::super::window::Window;
use crate::float::Float;
use crate::simd::vectorize;
use std::ops::Range;

/// What a window sees of some channels of an image.
///
/// The matrix has a row for each position of the window and a column for each tap and channel, so that its
/// product with the kernel (taps · channels, filters) is the convolution.
#[derive(Debug, Clone)]
pub(super) struct Patches {
    pub(super) window: Window,
    /// The channels that the image has.
    pub(super) channels: usize,
    /// Those of them that are seen.
    pub(super) seen: Range<usize>,
}

impl Patches {
    /// The columns of the matrix.
    pub(super) fn width(&self) -> usize {
        self.window.taps() * self.seen.len()
    }

    /// Whether neighbouring taps of a row lie side by side in the image too.
    fn contiguous(&self) -> bool {
        self.window.dilation[1] == 1 && self.seen.len() == self.channels
    }

    /// Calls `each` with a range of the matrix and the beginning of the equally long range of the image, for all
    /// that lies inside.
    #[inline(always)]
    fn each_run(&self, mut each: impl FnMut(Range<usize>, usize)) {
        let Window { output, input, size, .. } = self.window;
        let (seen, contiguous) = (self.seen.len(), self.contiguous());
        for row in 0..output[0] {
            for column in 0..output[1] {
                let start = (row * output[1] + column) * self.width();
                let columns = self.window.inside(1, column);
                for tap_row in self.window.inside(0, row) {
                    let y = self.window.place(0, row, tap_row);
                    let runs = if contiguous {
                        columns.start..columns.end.min(columns.start + 1)
                    } else {
                        columns.clone()
                    };
                    for tap in runs {
                        let x = self.window.place(1, column, tap);
                        let taps = if contiguous { columns.len() } else { 1 };
                        let from = start + (tap_row * size[1] + tap) * seen;
                        each(from..from + taps * seen, (y * input[1] + x) * self.channels + self.seen.start);
                    }
                }
            }
        }
    }

    /// Whether no position of the window reaches beyond an edge.
    fn all_inside(&self) -> bool {
        let Window { output, size, .. } = self.window;
        (0..2).all(|axis| (0..output[axis]).all(|at| self.window.inside(axis, at) == (0..size[axis])))
    }

    /// Fills the matrix from an image.
    pub(super) fn gather<F: Float>(&self, image: &[F], matrix: &mut [F]) {
        if !self.all_inside() {
            matrix.fill(F::zero());
        }
        vectorize(
            #[inline(always)]
            || {
                self.each_run(|run, place| {
                    let (to, from) = (&mut matrix[run.clone()], &image[place..place + run.len()]);
                    // A call to copy costs more than a few numbers do.
                    if to.len() < 16 {
                        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                    } else {
                        to.copy_from_slice(from);
                    }
                });
            },
        );
    }

    /// Adds every number of the matrix to the place of the image that it was taken from.
    pub(super) fn scatter<F: Float>(&self, matrix: &[F], image: &mut [F]) {
        vectorize(
            #[inline(always)]
            || {
                self.each_run(|run, place| {
                    let to = &mut image[place..place + run.len()];
                    to.iter_mut().zip(&matrix[run]).for_each(|(to, &from)| *to += from);
                });
            },
        );
    }
}
