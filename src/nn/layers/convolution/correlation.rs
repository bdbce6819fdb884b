//! The convolution of networks (a cross-correlation), some samples at a time, through the matrix product.

use super::super::window::Window;
use super::super::{rows, rows_mut};
use super::patches::Patches;
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Forward};
use crate::parallel;
use ndarray::s;

/// A window, its filters, and the groups that channels and filters are divided into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation {
    pub(super) window: Window,
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) groups: usize,
    pub(super) use_bias: bool,
}

/// The numbers of patches that are made at a time, where that is more than one sample: so many stay in the cache, and
/// make a product that several threads can share.
const AT_ONCE: usize = 1 << 18;

/// What it costs to take a number of a patch from an image or to add it there, in multiply-adds.
const COPY: usize = 32;

impl Correlation {
    /// What group `group` sees.
    fn patches(&self, group: usize) -> Patches {
        let size = self.channels / self.groups;
        Patches { window: self.window, channels: self.channels, seen: group * size..(group + 1) * size }
    }

    fn kernel_len(&self) -> usize {
        // Filters without bound must not overflow before the container has refused the plan.
        (self.window.taps() * (self.channels / self.groups)).saturating_mul(self.filters)
    }

    fn patches_len(&self) -> usize {
        self.window.positions().saturating_mul(self.patches(0).width())
    }

    /// Samples whose patches are made at a time. It depends on the layer alone, so that sums over them have one order.
    fn samples_at_once(&self) -> usize {
        (AT_ONCE / self.patches_len().max(1)).clamp(1, 16)
    }

    /// Space for the patches of some samples and for the transposed kernel.
    pub(super) fn batch_cache(&self) -> usize {
        self.patches_len().saturating_mul(self.samples_at_once()).saturating_add(self.kernel_len())
    }

    fn inputs(&self) -> usize {
        self.window.input[0] * self.window.input[1] * self.channels
    }

    pub(super) fn forward<F: Float>(&self, Forward { x, mut y, params, cache, .. }: Forward<'_, F>) {
        let (kernel, bias) = params.split_at(self.kernel_len());
        let bias = self.use_bias.then_some(bias);
        let kernel = rows(kernel, self.filters);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        if self.window.is_pointwise() && self.groups == 1 {
            // Every place is a row as it is.
            return linalg::affine(rows(x, self.channels), kernel, bias, rows_mut(y, self.filters));
        }
        let per_group = self.filters / self.groups;
        let outputs = self.window.positions() * self.filters;
        let at_once = self.samples_at_once();
        for (x, y) in x.chunks(at_once * self.inputs()).zip(y.chunks_mut(at_once * outputs)) {
            let len = self.patches_len() * (x.len() / self.inputs());
            let mut y = rows_mut(y, self.filters);
            for group in 0..self.groups {
                let patches = self.patches(group);
                let matrix = &mut cache[..len];
                self.gather(&patches, x, matrix);
                let filters = group * per_group..(group + 1) * per_group;
                let bias = bias.map(|bias| &bias[filters.clone()]);
                linalg::affine(
                    rows(matrix, patches.width()),
                    kernel.slice(s![.., filters.clone()]),
                    bias,
                    y.slice_mut(s![.., filters]),
                );
            }
        }
    }

    /// The patches of some samples.
    fn gather<F: Float>(&self, patches: &Patches, x: &[F], matrix: &mut [F]) {
        let operations = matrix.len();
        let (inputs, len) = (self.inputs(), self.patches_len());
        parallel::pairs(operations * COPY, (x, inputs), (matrix, len), &|x, matrix| {
            patches.gather(x, matrix)
        });
    }

    pub(super) fn backward<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, .. } = pass;
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (dkernel, dbias) = grads.split_at_mut(self.kernel_len());
        linalg::add_rows(rows(dy, self.filters), dbias);
        let mut dkernel = rows_mut(dkernel, self.filters);
        let kernel = rows(&params[..self.kernel_len()], self.filters);
        if self.window.is_pointwise() && self.groups == 1 {
            let (x, dy) = (rows(x, self.channels), rows(dy, self.filters));
            linalg::gemm(F::one(), x.t(), dy, F::one(), dkernel);
            if dx_needed {
                linalg::gemm(F::one(), dy, kernel.t(), F::zero(), rows_mut(dx, self.channels));
            }
            return;
        }
        let (matrix, transposed) = cache.split_at_mut(cache.len() - self.kernel_len());
        // Transposed once a step: a product with a transposed matrix is slower than one with a plain one.
        rows_mut(transposed, kernel.nrows()).assign(&kernel.t());
        let transposed = rows(transposed, kernel.nrows());
        let per_group = self.filters / self.groups;
        let outputs = self.window.positions() * self.filters;
        let (at_once, inputs) = (self.samples_at_once(), self.inputs());
        let samples = x.chunks(at_once * inputs).zip(dx.chunks_mut(at_once * inputs));
        for ((x, dx), dy) in samples.zip(dy.chunks(at_once * outputs)) {
            let dy = rows(dy, self.filters);
            let len = self.patches_len() * (x.len() / inputs);
            dx.fill(F::zero());
            for group in 0..self.groups {
                let patches = self.patches(group);
                let matrix = &mut matrix[..len];
                let filters = group * per_group..(group + 1) * per_group;
                let dy = dy.slice(s![.., filters.clone()]);
                // y = patches · kernel  =>  dkernel += patchesᵀ · dy, dpatches = dy · kernelᵀ
                self.gather(&patches, x, matrix);
                let seen = rows(matrix, patches.width());
                linalg::gemm(F::one(), seen.t(), dy, F::one(), dkernel.slice_mut(s![.., filters.clone()]));
                if dx_needed {
                    let kernel = transposed.slice(s![filters, ..]);
                    linalg::gemm(F::one(), dy, kernel, F::zero(), rows_mut(matrix, patches.width()));
                    let from = (&*matrix, self.patches_len());
                    parallel::pairs(len * COPY, from, (dx, inputs), &|matrix, dx| {
                        patches.scatter(matrix, dx)
                    });
                }
            }
        }
    }
}
