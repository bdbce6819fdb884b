//! The convolution of networks (a cross-correlation), sample by sample, through the matrix product.

use super::super::window::Window;
use super::super::{rows, rows_mut};
use super::patches::Patches;
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Forward};
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

    /// Space for the patches of one sample and for the transposed kernel.
    pub(super) fn batch_cache(&self) -> usize {
        let patches = self.window.positions().saturating_mul(self.patches(0).width());
        patches.saturating_add(self.kernel_len())
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
        for (x, y) in x.chunks_exact(self.inputs()).zip(y.chunks_exact_mut(outputs)) {
            let mut y = rows_mut(y, self.filters);
            for group in 0..self.groups {
                let patches = self.patches(group);
                let matrix = &mut cache[..self.window.positions() * patches.width()];
                patches.gather(x, matrix);
                let filters = group * per_group..(group + 1) * per_group;
                let bias = bias.map(|bias| &bias[filters.clone()]);
                let matrix = rows(matrix, patches.width());
                linalg::affine(
                    matrix,
                    kernel.slice(s![.., filters.clone()]),
                    bias,
                    y.slice_mut(s![.., filters]),
                );
            }
        }
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
        let samples = x.chunks_exact(self.inputs()).zip(dx.chunks_exact_mut(self.inputs()));
        for ((x, dx), dy) in samples.zip(dy.chunks_exact(outputs)) {
            let dy = rows(dy, self.filters);
            dx.fill(F::zero());
            for group in 0..self.groups {
                let patches = self.patches(group);
                let matrix = &mut matrix[..self.window.positions() * patches.width()];
                let filters = group * per_group..(group + 1) * per_group;
                let dy = dy.slice(s![.., filters.clone()]);
                // y = patches · kernel  =>  dkernel += patchesᵀ · dy, dpatches = dy · kernelᵀ
                patches.gather(x, matrix);
                let seen = rows(matrix, patches.width());
                linalg::gemm(F::one(), seen.t(), dy, F::one(), dkernel.slice_mut(s![.., filters.clone()]));
                if dx_needed {
                    let kernel = transposed.slice(s![filters, ..]);
                    linalg::gemm(F::one(), dy, kernel, F::zero(), rows_mut(matrix, patches.width()));
                    patches.scatter(matrix, dx);
                }
            }
        }
    }
}
