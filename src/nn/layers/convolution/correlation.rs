//! The convolution of networks (a cross-correlation), some samples at a time, through the matrix product.

use super::super::window::Window;
use super::super::{rows, rows_mut};
use super::patches::Patches;
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Forward};
use crate::parallel;
use ndarray::{ArrayView2, s};

/// A window, its filters, and the groups that channels and filters are divided into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation {
    pub(super) window: Window,
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) groups: usize,
    pub(super) use_bias: bool,
}

/// The numbers of patches that are made at a time, where that is more than one sample: so many stay in the cache.
const AT_ONCE: usize = 1 << 16;

/// The parts of a batch that threads can share, where a sample is small: each has patches and gradients of its own.
const PARTS: usize = 4;

/// Some samples of a batch, and what one thread needs to work on them.
struct Part<'a, F> {
    x: &'a [F],
    /// The output, or in the backward pass the gradient toward the input.
    out: &'a mut [F],
    dy: &'a [F],
    grads: &'a mut [F],
    matrix: &'a mut [F],
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

    fn patches_len(&self) -> usize {
        self.window.positions().saturating_mul(self.patches(0).width())
    }

    /// Samples whose patches are made at a time.
    fn samples_at_once(&self) -> usize {
        (AT_ONCE / self.patches_len().max(1)).clamp(1, 16)
    }

    fn matrix_len(&self) -> usize {
        self.patches_len().saturating_mul(self.samples_at_once())
    }

    fn grads_len(&self) -> usize {
        self.kernel_len().saturating_add(if self.use_bias { self.filters } else { 0 })
    }

    /// In how many parts a batch is worked on. That depends on the layer alone, so that sums over the batch have one
    /// order however many threads there are.
    fn parts(&self) -> usize {
        if self.matrix_len().max(self.grads_len()) <= 2 * AT_ONCE { PARTS } else { 1 }
    }

    /// Space for each part's patches, for the transposed kernel, and for the gradients of all parts but the first.
    pub(super) fn batch_cache(&self) -> usize {
        let (matrices, partial) = (self.matrix_len().saturating_mul(self.parts()), self.parts() - 1);
        matrices.saturating_add(self.kernel_len()).saturating_add(self.grads_len().saturating_mul(partial))
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
        let outputs = self.window.positions() * self.filters;
        let samples = (x.len() / self.inputs()).div_ceil(self.parts()).max(1);
        let mut matrices = cache.chunks_exact_mut(self.matrix_len());
        let mut xs = x.chunks(samples * self.inputs());
        let mut ys = y.chunks_mut(samples * outputs);
        let mut parts: [Option<Part<'_, F>>; PARTS] = std::array::from_fn(|_| {
            let (x, out) = (xs.next()?, ys.next()?);
            Some(Part { x, out, dy: &[], grads: &mut [], matrix: matrices.next()? })
        });
        parallel::for_each_split(self.operations(x.len()), &mut parts, &|part| {
            if let Some(part) = part {
                self.forward_part(part, kernel, bias);
            }
        });
    }

    /// The multiply-adds of a pass over so many numbers of input.
    fn operations(&self, inputs: usize) -> usize {
        (inputs / self.inputs()).saturating_mul(self.window.positions()).saturating_mul(self.kernel_len())
    }

    fn forward_part<F: Float>(&self, part: &mut Part<'_, F>, kernel: ArrayView2<'_, F>, bias: Option<&[F]>) {
        let (at_once, per_group) = (self.samples_at_once(), self.filters / self.groups);
        let outputs = self.window.positions() * self.filters;
        for (x, y) in part.x.chunks(at_once * self.inputs()).zip(part.out.chunks_mut(at_once * outputs)) {
            let mut y = rows_mut(y, self.filters);
            for group in 0..self.groups {
                let patches = self.patches(group);
                let matrix = self.gather(&patches, x, part.matrix);
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
    fn gather<'a, F: Float>(&self, patches: &Patches, x: &[F], matrix: &'a mut [F]) -> &'a mut [F] {
        let len = self.patches_len();
        let matrix = &mut matrix[..x.len() / self.inputs() * len];
        for (x, matrix) in x.chunks_exact(self.inputs()).zip(matrix.chunks_exact_mut(len)) {
            patches.gather(x, matrix);
        }
        matrix
    }

    pub(super) fn backward<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, .. } = pass;
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let kernel = rows(&params[..self.kernel_len()], self.filters);
        if self.window.is_pointwise() && self.groups == 1 {
            let (x, dy) = (rows(x, self.channels), rows(dy, self.filters));
            let (dkernel, dbias) = grads.split_at_mut(self.kernel_len());
            linalg::add_rows(dy, dbias);
            linalg::gemm(F::one(), x.t(), dy, F::one(), rows_mut(dkernel, self.filters));
            if dx_needed {
                linalg::gemm(F::one(), dy, kernel.t(), F::zero(), rows_mut(dx, self.channels));
            }
            return;
        }
        let (matrices, rest) = cache.split_at_mut(self.matrix_len() * self.parts());
        let (transposed, partial) = rest.split_at_mut(self.kernel_len());
        // Transposed once a step: a product with a transposed matrix is slower than one with a plain one.
        rows_mut(transposed, kernel.nrows()).assign(&kernel.t());
        let transposed = dx_needed.then(|| rows(transposed, kernel.nrows()));
        let (inputs, outputs) = (self.inputs(), self.window.positions() * self.filters);
        let samples = (x.len() / inputs).div_ceil(self.parts()).max(1);
        let mut xs = x.chunks(samples * inputs);
        let mut dxs = dx.chunks_mut(samples * inputs);
        let mut dys = dy.chunks(samples * outputs);
        let mut matrices = matrices.chunks_exact_mut(self.matrix_len());
        let mut partial = partial.chunks_exact_mut(self.grads_len());
        let mut first = Some(grads);
        let mut parts: [Option<Part<'_, F>>; PARTS] = std::array::from_fn(|_| {
            let (x, out, dy) = (xs.next()?, dxs.next()?, dys.next()?);
            let grads = match first.take() {
                Some(grads) => grads,
                None => {
                    let grads = partial.next()?;
                    grads.fill(F::zero());
                    grads
                }
            };
            Some(Part { x, out, dy, grads, matrix: matrices.next()? })
        });
        parallel::for_each_split(self.operations(x.len()).saturating_mul(2), &mut parts, &|part| {
            if let Some(part) = part {
                self.backward_part(part, transposed);
            }
        });
        let mut parts = parts.into_iter().flatten();
        if let Some(Part { grads, .. }) = parts.next() {
            for part in parts {
                grads.iter_mut().zip(part.grads).for_each(|(sum, &mut g)| *sum += g);
            }
        }
    }

    /// `transposed` is the kernel, (filters, taps · channels), where the gradient toward the input is needed.
    fn backward_part<F: Float>(&self, part: &mut Part<'_, F>, transposed: Option<ArrayView2<'_, F>>) {
        let (at_once, per_group) = (self.samples_at_once(), self.filters / self.groups);
        let (inputs, outputs) = (self.inputs(), self.window.positions() * self.filters);
        let (dkernel, dbias) = part.grads.split_at_mut(self.kernel_len());
        let mut dkernel = rows_mut(dkernel, self.filters);
        linalg::add_rows(rows(part.dy, self.filters), dbias);
        let samples = part.x.chunks(at_once * inputs).zip(part.out.chunks_mut(at_once * inputs));
        for ((x, dx), dy) in samples.zip(part.dy.chunks(at_once * outputs)) {
            let dy = rows(dy, self.filters);
            if transposed.is_some() {
                dx.fill(F::zero());
            }
            for group in 0..self.groups {
                let patches = self.patches(group);
                let filters = group * per_group..(group + 1) * per_group;
                let dy = dy.slice(s![.., filters.clone()]);
                // y = patches · kernel  =>  dkernel += patchesᵀ · dy, dpatches = dy · kernelᵀ
                let matrix = self.gather(&patches, x, part.matrix);
                let seen = rows(matrix, patches.width());
                linalg::gemm(F::one(), seen.t(), dy, F::one(), dkernel.slice_mut(s![.., filters.clone()]));
                if let Some(transposed) = transposed {
                    let kernel = transposed.slice(s![filters, ..]);
                    linalg::gemm(F::one(), dy, kernel, F::zero(), rows_mut(matrix, patches.width()));
                    let seen = matrix.chunks_exact(self.patches_len());
                    seen.zip(dx.chunks_exact_mut(inputs)).for_each(|(seen, dx)| patches.scatter(seen, dx));
                }
            }
        }
    }
}
