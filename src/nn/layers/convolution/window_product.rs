//! The product of the windows of images with a kernel: the output of a convolution, or its gradient with respect to the input.

use super::padded_images::PaddedImages;
use crate::float::Float;
use crate::linalg::panels::{self, Columns};
use crate::linalg::patches;
use crate::linalg::winograd::Winograd;
use crate::nn::layers::window::Window;
use std::ops::Range;

/// Images, the filters of a kernel (window, channels / groups, filters), and how they are multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowProduct {
    pub(super) images: PaddedImages,
    filters: usize,
    groups: usize,
    /// With fewer multiplications, where that pays; else as [`patches`].
    winograd: Option<Winograd>,
}

/// A kernel that [`WindowProduct::prepare`] has written, and the bias.
#[derive(Clone, Copy)]
pub(super) struct PreparedKernel<'a, F> {
    pub(super) values: &'a [F],
    pub(super) bias: Option<&'a [F]>,
}

impl WindowProduct {
    pub(super) fn new(images: PaddedImages, filters: usize, groups: usize) -> Self {
        let Window { size, strides, dilation_rate, output, .. } = images.window;
        let is_plain = groups == 1 && strides == [1, 1] && dilation_rate == [1, 1];
        let winograd = if is_plain { Winograd::new(size, images.channels, output, filters) } else { None };
        Self { images, filters, groups, winograd }
    }

    /// Channels of a group.
    pub(super) fn channels_of(&self, group: usize) -> Range<usize> {
        let len = self.images.channels / self.groups;
        group * len..(group + 1) * len
    }

    /// Filters of a group.
    pub(super) fn filters_of(&self, group: usize) -> Columns {
        let len = self.filters / self.groups;
        Columns { first: group * len, len }
    }

    /// Length of a prepared kernel.
    pub(super) fn kernel_len(&self) -> usize {
        match self.winograd {
            Some(winograd) => winograd.kernel_len(),
            None => self.group_len().saturating_mul(self.groups),
        }
    }

    /// Length of the panels of a group.
    fn group_len(&self) -> usize {
        let rows = self.images.window.taps().saturating_mul(self.images.channels / self.groups);
        panels::packed_len(rows, self.filters / self.groups).max(1)
    }

    /// Length of the scratch space of [`compute`](Self::compute).
    pub(super) fn scratch_len(&self) -> usize {
        self.winograd.map_or(0, |winograd| winograd.scratch_len())
    }

    /// Writes a kernel in the form that [`compute`](Self::compute) reads.
    pub(super) fn prepare<F: Float>(&self, kernel: &[F], to: &mut [F]) {
        if let Some(winograd) = self.winograd {
            return winograd.transform_kernel(kernel, to);
        }
        for (group, to) in (0..self.groups).zip(to.chunks_exact_mut(self.group_len())) {
            panels::pack(kernel, self.filters, self.filters_of(group), to);
        }
    }

    /// Computes rows and columns of the outputs of padded images. The rows begin and end at even ones, or at the end.
    pub(super) fn compute<F: Float>(
        &self,
        images: &[F],
        positions: [Range<usize>; 2],
        kernel: PreparedKernel<'_, F>,
        y: &mut [F],
        scratch: &mut [F],
    ) {
        if let Some(winograd) = self.winograd {
            let layout = self.images.taps(self.images.all_positions(), 0..self.images.channels);
            let [rows, _] = positions;
            return winograd.product((images, &layout), rows, kernel.values, kernel.bias, y, scratch);
        }
        for (group, panels) in (0..self.groups).zip(kernel.values.chunks_exact(self.group_len())) {
            let columns = self.filters_of(group);
            let bias = kernel.bias.map(|bias| &bias[columns.first..columns.first + columns.len]);
            let layout = self.images.patches(positions.clone(), self.channels_of(group));
            patches::product((images, &layout), panels, bias, (y, self.filters, columns));
        }
    }
}
