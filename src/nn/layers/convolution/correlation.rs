//! Cross-correlation, the "convolution" of neural networks, as a matrix product of im2col patches and the kernel.
//!
//! ```text
//!    patches                                kernel                    y
//!           taps · channels                      filters                  filters
//!          +-----------------+                  +---------+              +---------+
//!          | sample 0, (0,0) |                  |         |              |         |
//!   block  | sample 0, (0,1) |        ·         |         |      =       |         |
//!          |       ...       |  taps · channels |         |              |         |
//!          +-----------------+                  +---------+              +---------+
//! ```
//!
//! With groups there is one such product per group, of its channels and its filters. A 1 × 1 window needs no patches:
//! the input itself is the matrix.
//!
//! Two levels of blocking:
//!
//! - *Chunks of the batch.* The batch is split into [`BATCH_CHUNKS`] chunks, each with separate patches and parameter
//!   gradients, which threads compute in parallel. The number depends on the layer alone, not on the number of
//!   threads, and the gradients of the chunks are added in order, so results do not depend on the number of threads
//!   either. A layer with large patches or gradients uses a single chunk, because each chunk needs a copy of both.
//! - *Blocks of samples within a chunk.* Patches are gathered for up to [`MAX_BLOCK_SAMPLES`] samples at a time, as
//!   many as stay in the cache between im2col and the product. With one sample at a time, which was tried first, an
//!   epoch of Fashion-MNIST (batch size 64) took 1.1 times as long on one core.
//!
//! The backward pass transposes the kernel once per batch, because a product with a transposed operand is slower than
//! one with a contiguous operand.

use super::im2col::Im2col;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Forward, Plan, Shape};
use crate::nn::layers::kernel_and_bias::KernelAndBias;
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::rows::{rows, rows_mut};
use crate::nn::layers::window::{Grid, Window, WindowSpec};
use crate::parallel;
use ndarray::{ArrayView2, s};

/// Geometry of a convolution: a window, the filters, and the groups that channels and filters are divided into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation<'a> {
    grid: Grid,
    window: Window,
    channels: usize,
    filters: usize,
    groups: usize,
    weights: &'a KernelAndBias,
}

/// Largest number of patch elements in a block of several samples; as many stay in the cache.
const MAX_BLOCK_LEN: usize = 1 << 16;

/// Largest number of samples in a block.
const MAX_BLOCK_SAMPLES: usize = 16;

/// Number of chunks that a batch is split into, unless patches or gradients are too large to be copied.
const BATCH_CHUNKS: usize = 4;

/// Largest length of the patches and of the gradients of one chunk with which a batch is split.
const MAX_CHUNK_LEN: usize = 2 * MAX_BLOCK_LEN;

/// A chunk of the batch and the buffers that one thread needs to compute it.
struct BatchChunk<'a, F> {
    x: &'a [F],
    /// The output, or in the backward pass the gradient with respect to the input.
    out: &'a mut [F],
    dy: &'a [F],
    grads: &'a mut [F],
    patches: &'a mut [F],
}

impl<'a> Correlation<'a> {
    /// Computes the geometry of `owner` for an input shape.
    pub(super) fn new(
        owner: &'static str,
        spec: WindowSpec,
        filters: usize,
        groups: usize,
        weights: &'a KernelAndBias,
        input: &Shape,
    ) -> Result<Self> {
        let (dims, channels) = spec.grid.split(owner, input)?;
        require_positive(owner, &[("filters", filters), ("groups", groups)])?;
        if !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            let expected = format!("a divisor of the {channels} channels and of the {filters} filters");
            return Err(Error::invalid_parameter(owner, "groups", groups, expected));
        }
        let window = spec.for_input(owner, dims)?;
        Ok(Self { grid: spec.grid, window, channels, filters, groups, weights })
    }

    /// Declares the output shape, the parameters and the cache.
    pub(super) fn plan(&self, input: &Shape) -> Plan {
        let kernel = self.grid.shape(self.window.size, self.channels / self.groups);
        let kernel: Vec<usize> = kernel.dims().iter().copied().chain([self.filters]).collect();
        let plan = Plan::output(self.grid.shape(self.window.output, self.filters)).input(input);
        let plan = self.weights.kernel(plan, "kernel", kernel);
        self.weights.bias_and_activation(plan, self.filters).batch_cache(self.batch_cache())
    }

    /// Returns the im2col of the channels of a group.
    fn im2col(&self, group: usize) -> Im2col {
        let size = self.channels / self.groups;
        let channel_range = group * size..(group + 1) * size;
        Im2col { window: self.window, channels: self.channels, channel_range }
    }

    fn kernel_len(&self) -> usize {
        // Saturates, so that an absurd number of filters overflows nothing before the container refuses the plan.
        self.window.taps().saturating_mul(self.channels / self.groups).saturating_mul(self.filters)
    }

    /// Returns the length of the patches of one sample and group.
    fn patches_len(&self) -> usize {
        self.window.positions().saturating_mul(self.im2col(0).patch_len())
    }

    /// Returns the number of samples in a block.
    fn block_samples(&self) -> usize {
        (MAX_BLOCK_LEN / self.patches_len().max(1)).clamp(1, MAX_BLOCK_SAMPLES)
    }

    /// Returns the length of the patches of a block.
    fn block_len(&self) -> usize {
        self.patches_len().saturating_mul(self.block_samples())
    }

    fn grads_len(&self) -> usize {
        self.kernel_len().saturating_add(if self.weights.use_bias { self.filters } else { 0 })
    }

    /// Returns the number of chunks of the batch. It depends on the layer alone, so that sums over the batch are
    /// added in the same order for any number of threads.
    fn batch_chunks(&self) -> usize {
        if self.block_len().max(self.grads_len()) <= MAX_CHUNK_LEN { BATCH_CHUNKS } else { 1 }
    }

    /// Returns the length of the cache: the patches of each chunk, the transposed kernel, and the gradients of all
    /// chunks but the first, which adds to the layer's gradients directly.
    fn batch_cache(&self) -> usize {
        let (patches, partial) =
            (self.block_len().saturating_mul(self.batch_chunks()), self.batch_chunks() - 1);
        patches.saturating_add(self.kernel_len()).saturating_add(self.grads_len().saturating_mul(partial))
    }

    fn input_len(&self) -> usize {
        self.window.input_positions().saturating_mul(self.channels)
    }

    fn output_len(&self) -> usize {
        self.window.positions().saturating_mul(self.filters)
    }

    pub(super) fn forward<F: Float>(&self, Forward { x, mut y, params, cache, .. }: Forward<'_, F>) {
        let (kernel, bias) = params.split_at(self.kernel_len());
        let bias = self.weights.use_bias.then_some(bias);
        let kernel = rows(kernel, self.filters);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        if self.window.is_pointwise() && self.groups == 1 {
            // Each position is a row of the product.
            return linalg::affine(rows(x, self.channels), kernel, bias, rows_mut(y, self.filters));
        }
        let samples = (x.len() / self.input_len()).div_ceil(self.batch_chunks()).max(1);
        let mut patches = cache.chunks_exact_mut(self.block_len());
        let mut xs = x.chunks(samples * self.input_len());
        let mut ys = y.chunks_mut(samples * self.output_len());
        let mut chunks: [Option<BatchChunk<'_, F>>; BATCH_CHUNKS] = std::array::from_fn(|_| {
            let (x, out) = (xs.next()?, ys.next()?);
            Some(BatchChunk { x, out, dy: &[], grads: &mut [], patches: patches.next()? })
        });
        parallel::for_each_split(self.multiply_adds(x.len()), &mut chunks, &|chunk| {
            if let Some(chunk) = chunk {
                self.forward_chunk(chunk, kernel, bias);
            }
        });
    }

    /// Returns the multiply-adds of a forward pass over samples of `len` elements in total.
    fn multiply_adds(&self, len: usize) -> usize {
        (len / self.input_len()).saturating_mul(self.window.positions()).saturating_mul(self.kernel_len())
    }

    fn forward_chunk<F: Float>(
        &self,
        chunk: &mut BatchChunk<'_, F>,
        kernel: ArrayView2<'_, F>,
        bias: Option<&[F]>,
    ) {
        let (samples, per_group) = (self.block_samples(), self.filters / self.groups);
        let xs = chunk.x.chunks(samples * self.input_len());
        for (x, y) in xs.zip(chunk.out.chunks_mut(samples * self.output_len())) {
            let mut y = rows_mut(y, self.filters);
            for group in 0..self.groups {
                let im2col = self.im2col(group);
                let patches = self.gather(&im2col, x, chunk.patches);
                let filters = group * per_group..(group + 1) * per_group;
                let bias = bias.map(|bias| &bias[filters.clone()]);
                linalg::affine(
                    rows(patches, im2col.patch_len()),
                    kernel.slice(s![.., filters.clone()]),
                    bias,
                    y.slice_mut(s![.., filters]),
                );
            }
        }
    }

    /// Gathers the patches of the samples `x` at the front of `patches`, and returns that part.
    fn gather<'p, F: Float>(&self, im2col: &Im2col, x: &[F], patches: &'p mut [F]) -> &'p mut [F] {
        let len = self.patches_len();
        let patches = &mut patches[..x.len() / self.input_len() * len];
        for (x, patches) in x.chunks_exact(self.input_len()).zip(patches.chunks_exact_mut(len)) {
            im2col.gather(x, patches);
        }
        patches
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
        let (patches, rest) = cache.split_at_mut(self.block_len() * self.batch_chunks());
        let (transposed, partial) = rest.split_at_mut(self.kernel_len());
        rows_mut(transposed, kernel.nrows()).assign(&kernel.t());
        let transposed = dx_needed.then(|| rows(transposed, kernel.nrows()));
        let samples = (x.len() / self.input_len()).div_ceil(self.batch_chunks()).max(1);
        let mut xs = x.chunks(samples * self.input_len());
        let mut dxs = dx.chunks_mut(samples * self.input_len());
        let mut dys = dy.chunks(samples * self.output_len());
        let mut patches = patches.chunks_exact_mut(self.block_len());
        let mut partial = partial.chunks_exact_mut(self.grads_len());
        let mut first = Some(grads);
        let mut chunks: [Option<BatchChunk<'_, F>>; BATCH_CHUNKS] = std::array::from_fn(|_| {
            let (x, out, dy) = (xs.next()?, dxs.next()?, dys.next()?);
            let grads = match first.take() {
                Some(grads) => grads,
                None => {
                    let grads = partial.next()?;
                    grads.fill(F::zero());
                    grads
                }
            };
            Some(BatchChunk { x, out, dy, grads, patches: patches.next()? })
        });
        parallel::for_each_split(self.multiply_adds(x.len()).saturating_mul(2), &mut chunks, &|chunk| {
            if let Some(chunk) = chunk {
                self.backward_chunk(chunk, transposed);
            }
        });
        let mut chunks = chunks.into_iter().flatten();
        if let Some(BatchChunk { grads, .. }) = chunks.next() {
            for chunk in chunks {
                grads.iter_mut().zip(chunk.grads).for_each(|(sum, &mut g)| *sum += g);
            }
        }
    }

    /// Computes a chunk's gradients. `transposed` is the transposed kernel, (filters, taps · channels), if the
    /// gradient with respect to the input is needed.
    fn backward_chunk<F: Float>(&self, chunk: &mut BatchChunk<'_, F>, transposed: Option<ArrayView2<'_, F>>) {
        let (samples, per_group) = (self.block_samples(), self.filters / self.groups);
        let (input_len, output_len) = (self.input_len(), self.output_len());
        let (dkernel, dbias) = chunk.grads.split_at_mut(self.kernel_len());
        let mut dkernel = rows_mut(dkernel, self.filters);
        linalg::add_rows(rows(chunk.dy, self.filters), dbias);
        let blocks = chunk.x.chunks(samples * input_len).zip(chunk.out.chunks_mut(samples * input_len));
        for ((x, dx), dy) in blocks.zip(chunk.dy.chunks(samples * output_len)) {
            let dy = rows(dy, self.filters);
            if transposed.is_some() {
                dx.fill(F::zero());
            }
            for group in 0..self.groups {
                let im2col = self.im2col(group);
                let filters = group * per_group..(group + 1) * per_group;
                let dy = dy.slice(s![.., filters.clone()]);
                // y = patches · kernel  =>  dkernel += patchesᵀ · dy, dpatches = dy · kernelᵀ
                let patches = self.gather(&im2col, x, chunk.patches);
                let matrix = rows(patches, im2col.patch_len());
                linalg::gemm(F::one(), matrix.t(), dy, F::one(), dkernel.slice_mut(s![.., filters.clone()]));
                if let Some(transposed) = transposed {
                    // The gradient of the patches overwrites the patches.
                    let kernel = transposed.slice(s![filters, ..]);
                    linalg::gemm(F::one(), dy, kernel, F::zero(), rows_mut(patches, im2col.patch_len()));
                    let dpatches = patches.chunks_exact(self.patches_len());
                    dpatches
                        .zip(dx.chunks_exact_mut(input_len))
                        .for_each(|(dpatches, dx)| im2col.scatter_add(dpatches, dx));
                }
            }
        }
    }
}
