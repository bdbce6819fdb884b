//! Images with zeros around them, so that every window of a convolution lies inside.

use crate::float::Float;
use crate::linalg::patches::PatchLayout;
use crate::nn::layers::window::Window;
use std::ops::Range;

/// The images that a window slides over: the samples themselves, or copies with padding.
#[derive(Debug, Clone, Copy)]
pub(super) struct PaddedImages {
    pub(super) window: Window,
    pub(super) channels: usize,
    /// Rows and columns of a padded copy, as far as the windows reach; absent if they do not overlap the padding.
    size: Option<[usize; 2]>,
}

impl PaddedImages {
    /// Computes the size of the padded images of a window.
    pub(super) fn new(window: Window, channels: usize) -> Self {
        let Window { input, output, size, strides, dilation_rate, padding_before } = window;
        let reach = [0, 1].map(|axis| {
            let last = output[axis].saturating_sub(1).saturating_mul(strides[axis]);
            last.saturating_add((size[axis] - 1).saturating_mul(dilation_rate[axis])).saturating_add(1)
        });
        let inside = (0..2).all(|axis| padding_before[axis] == 0 && reach[axis] <= input[axis]);
        Self { window, channels, size: (!inside).then_some(reach) }
    }

    /// The images of output gradients that the kernel in reverse slides over: with strides of 1, the gradient with respect
    /// to the input is a convolution of the gradient of the output. `None` with other strides.
    pub(super) fn of_gradients(window: Window, channels: usize) -> Option<Self> {
        let Window { input, output, size, strides, dilation_rate, padding_before } = window;
        let before = |axis: usize| ((size[axis] - 1) * dilation_rate[axis]).checked_sub(padding_before[axis]);
        let padding_before = [before(0)?, before(1)?];
        let reversed = Window { input: output, output: input, padding_before, ..window };
        (strides == [1, 1]).then(|| Self::new(reversed, channels))
    }

    /// Returns the length of a padded copy; 0 if samples are read in place.
    pub(super) fn copy_len(&self) -> usize {
        self.size.map_or(0, |[height, width]| height.saturating_mul(width).saturating_mul(self.channels))
    }

    /// Returns all positions of the output.
    pub(super) fn all_positions(&self) -> [Range<usize>; 2] {
        self.window.output.map(|len| 0..len)
    }

    fn sample_len(&self) -> usize {
        self.window.input_positions() * self.channels
    }

    /// Returns whole samples with their padding, in copies at the front of `copies` if they need any.
    pub(super) fn of<'a, F: Float>(&self, x: &'a [F], copies: &'a mut [F]) -> &'a [F] {
        let Some([_, width]) = self.size else { return x };
        let Window { input, padding_before, .. } = self.window;
        let copies = &mut copies[..x.len() / self.sample_len() * self.copy_len()];
        let (line, copied_line) = (input[1] * self.channels, width * self.channels);
        let before = (padding_before[1] * self.channels).min(copied_line);
        let copied = line.min(copied_line - before);
        for (x, image) in x.chunks_exact(self.sample_len()).zip(copies.chunks_exact_mut(self.copy_len())) {
            for (row, to) in image.chunks_exact_mut(copied_line).enumerate() {
                match row.checked_sub(padding_before[0]).filter(|&row| row < input[0]) {
                    Some(row) => {
                        to[..before].fill(F::zero());
                        to[before..before + copied].copy_from_slice(&x[row * line..][..copied]);
                        to[before + copied..].fill(F::zero());
                    }
                    None => to.fill(F::zero()),
                }
            }
        }
        copies
    }

    /// Returns where the patches of some channels lie, for rows and columns of the output. A run is a row of the window
    /// if its taps are contiguous, else a tap.
    pub(super) fn patches(&self, positions: [Range<usize>; 2], channels: Range<usize>) -> PatchLayout {
        let contiguous = channels.len() == self.channels && self.window.dilation_rate[1] == 1;
        let Window { size, .. } = self.window;
        let layout = self.taps(positions, channels);
        if !contiguous {
            return layout;
        }
        PatchLayout { runs: [size[0], 1], run_len: size[1] * layout.run_len, ..layout }
    }

    /// Returns where the patches of some channels lie, for rows and columns of the output; a run is a tap.
    pub(super) fn taps(&self, positions: [Range<usize>; 2], channels: Range<usize>) -> PatchLayout {
        let Window { input, size, strides, dilation_rate, .. } = self.window;
        let [height, width] = self.size.unwrap_or(input);
        let line = width * self.channels;
        let [rows, columns] = positions;
        let steps = [strides[0] * line, strides[1] * self.channels];
        PatchLayout {
            image_len: height * line,
            positions: [rows.len(), columns.len()],
            steps,
            offset: rows.start * steps[0] + columns.start * steps[1] + channels.start,
            runs: size,
            run_steps: [dilation_rate[0] * line, dilation_rate[1] * self.channels],
            run_len: channels.len(),
        }
    }
}
