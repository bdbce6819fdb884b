//! Cross-correlation, the "convolution" of neural networks, as a matrix product of patches and the kernel.
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
//! # Passes
//! | | computed as | scratch space |
//! |---|---|---|
//! | y | patches · kernel, the patches read where they lie ([`WindowProduct`]) | padded images |
//! | gradient of the kernel | patchesᵀ · dy, the same way | padded images |
//! | gradient with respect to the input | patches of dy · reversed kernel, if the strides are 1 and the padding adds few positions | padded images of dy |
//! | | else dy · kernelᵀ, added to the input elements that the patches are copies of (col2im) | patches |
//!
//! im2col and one product, which was here first, copied each element once a tap: with AVX2, a network of two 3 × 3
//! convolutions trained at 0.83 of the speed.
//!
//! # Chunks of the batch
//! The batch is split into [`BATCH_CHUNKS`] chunks, each with separate scratch space and parameter gradients, which threads
//! compute in parallel; the gradients of the chunks are added in order. A backward pass with large patches
//! or gradients uses a single chunk, because each chunk needs a copy of both.

use super::batch_chunks::{BATCH_CHUNKS, add_to_first, gradients_of_chunks};
use super::im2col::Im2col;
use super::padded_images::PaddedImages;
use super::window_product::{PreparedKernel, WindowProduct};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::linalg;
use crate::linalg::patches::{self, MIN_BLOCK_POSITIONS};
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
    /// The windows of the input and the kernel.
    product: WindowProduct,
    /// The windows of the output's gradient and the reversed kernel, if the gradient with respect to the input is that.
    gradient_product: Option<WindowProduct>,
}

/// Largest number of patch elements in a block of several samples; as many stay in the cache.
const MAX_BLOCK_LEN: usize = 1 << 16;

/// Largest number of samples in a block.
const MAX_BLOCK_SAMPLES: usize = 16;

/// Largest length of the patches and of the gradients of one chunk with which a batch is split.
const MAX_CHUNK_LEN: usize = 2 * MAX_BLOCK_LEN;

/// A chunk of the batch and the buffers that one thread needs for its backward pass.
struct BatchChunk<'a, F> {
    x: &'a [F],
    dx: &'a mut [F],
    dy: &'a [F],
    grads: &'a mut [F],
    scratch: &'a mut [F],
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
        let product = WindowProduct::new(PaddedImages::new(window, channels), filters, groups);
        // That convolution multiplies the zeros of the padding, too. Where these are many, patches take less time.
        let few_zeros = window.input_positions() <= window.positions().saturating_add(window.positions() / 8);
        let gradient_images =
            if few_zeros && groups == 1 { PaddedImages::of_gradients(window, filters) } else { None };
        let gradient_product = gradient_images.map(|images| WindowProduct::new(images, channels, 1));
        Ok(Self { grid: spec.grid, window, channels, filters, groups, weights, product, gradient_product })
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
        let channel_range = self.product.channels_of(group);
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
        let patches = if self.gradient_product.is_some() { 0 } else { self.block_len() };
        if patches.max(self.grads_len()) <= MAX_CHUNK_LEN { BATCH_CHUNKS } else { 1 }
    }

    /// Returns the length of the cache. The forward pass needs the padded images of each chunk and the packed kernel; the
    /// backward pass the scratch space of each chunk, the kernel of the gradient with respect to the input, and the
    /// gradients of all chunks but the first, which adds to the layer's gradients directly.
    fn batch_cache(&self) -> usize {
        let scratch = self.backward_scratch_len().saturating_mul(self.batch_chunks());
        let partial = self.grads_len().saturating_mul(self.batch_chunks() - 1);
        let backward = scratch.saturating_add(self.gradient_kernel_len()).saturating_add(partial);
        let forward =
            self.scratch_len().saturating_mul(BATCH_CHUNKS).saturating_add(self.product.kernel_len());
        backward.max(forward)
    }

    /// Returns the length of a chunk's scratch space in the backward pass: padded images or patches, and that of the product.
    fn backward_scratch_len(&self) -> usize {
        let product = self.gradient_product.map_or(0, |product| product.scratch_len());
        self.backward_images_len().saturating_add(product)
    }

    /// Returns the length of a chunk's padded images or patches in the backward pass.
    fn backward_images_len(&self) -> usize {
        let gradients = match self.gradient_product {
            Some(product) => self.copies_len(&product),
            None => self.block_len(),
        };
        gradients.max(self.copies_len(&self.product))
    }

    /// Returns the length of what [`prepare_gradient_kernel`](Self::prepare_gradient_kernel) writes.
    fn gradient_kernel_len(&self) -> usize {
        let prepared = self.gradient_product.map_or(0, |product| product.kernel_len());
        self.kernel_len().saturating_add(prepared)
    }

    /// Returns the length of a chunk's scratch space in the forward pass: padded images, and that of the product.
    fn scratch_len(&self) -> usize {
        self.copies_len(&self.product).saturating_add(self.product.scratch_len())
    }

    /// Returns the length of a chunk's padded images.
    fn copies_len(&self, product: &WindowProduct) -> usize {
        product.images.copy_len().saturating_mul(self.padded_samples())
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
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        if self.window.is_pointwise() && self.groups == 1 {
            // Each position is a row of the product.
            let kernel = rows(kernel, self.filters);
            return linalg::affine(rows(x, self.channels), kernel, bias, rows_mut(y, self.filters));
        }
        let (scratch, prepared) = cache.split_at_mut(self.scratch_len() * BATCH_CHUNKS);
        self.product.prepare(kernel, prepared);
        let kernel = PreparedKernel { values: prepared, bias };
        let ops = self.multiply_adds(x.len());
        let samples = x.len() / self.input_len();
        if samples < BATCH_CHUNKS {
            // Too few samples to share: threads share the rows of each sample's output.
            let each = x.chunks_exact(self.input_len()).zip(y.chunks_exact_mut(self.output_len()));
            return each.for_each(|(x, y)| self.forward_sample(ops / samples, x, y, scratch, kernel));
        }
        let samples = samples.div_ceil(BATCH_CHUNKS);
        let mut xs = x.chunks(samples * self.input_len());
        let mut ys = y.chunks_mut(samples * self.output_len());
        let mut scratch = scratch.chunks_exact_mut(self.scratch_len().max(1));
        let mut chunks: [_; BATCH_CHUNKS] =
            std::array::from_fn(|_| Some((xs.next()?, ys.next()?, scratch.next().unwrap_or_default())));
        parallel::for_each_split(ops, &mut chunks, &|chunk| {
            if let Some((x, y, scratch)) = chunk {
                self.forward_chunk(x, y, scratch, kernel);
            }
        });
    }

    /// Returns the multiply-adds of a forward pass over samples of `len` elements in total.
    fn multiply_adds(&self, len: usize) -> usize {
        (len / self.input_len()).saturating_mul(self.window.positions()).saturating_mul(self.kernel_len())
    }

    /// Computes the outputs of a chunk of the batch.
    fn forward_chunk<F: Float>(
        &self,
        x: &[F],
        y: &mut [F],
        scratch: &mut [F],
        kernel: PreparedKernel<'_, F>,
    ) {
        let (samples, images) = (self.padded_samples(), &self.product.images);
        let (copies, scratch) = scratch.split_at_mut(self.copies_len(&self.product));
        let blocks = x.chunks(samples * self.input_len()).zip(y.chunks_mut(samples * self.output_len()));
        for (x, y) in blocks {
            self.product.compute(images.of(x, copies), images.all_positions(), kernel, y, scratch);
        }
    }

    /// Computes the output of one sample, which threads share.
    fn forward_sample<F: Float>(
        &self,
        ops: usize,
        x: &[F],
        y: &mut [F],
        scratch: &mut [F],
        kernel: PreparedKernel<'_, F>,
    ) {
        let (copies, scratch) = scratch.split_at_mut(self.copies_len(&self.product));
        let image = self.product.images.of(x, copies);
        // The output is split along its rows; that of a sequence, which has one row, along its columns.
        let axis = usize::from(self.window.output[0] == 1);
        let len = self.window.output[axis];
        // Bands begin at even rows, as the product requires.
        let band = len.div_ceil(BATCH_CHUNKS).max(1).next_multiple_of(2);
        let mut ys = y.chunks_mut(self.output_len() / len.max(1) * band);
        let mut scratch = scratch.chunks_exact_mut(self.product.scratch_len().max(1));
        let mut bands: [_; BATCH_CHUNKS] = std::array::from_fn(|index| {
            let range = index * band..((index + 1) * band).min(len);
            Some((range, ys.next()?, scratch.next().unwrap_or_default()))
        });
        parallel::for_each_split(ops, &mut bands, &|part| {
            if let Some((range, y, scratch)) = part {
                let mut positions = self.product.images.all_positions();
                positions[axis] = range.clone();
                self.product.compute(image, positions, kernel, y, scratch);
            }
        });
    }

    /// Returns the number of padded samples whose product is computed together.
    fn padded_samples(&self) -> usize {
        MIN_BLOCK_POSITIONS.div_ceil(self.window.positions().max(1))
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
        let (scratch, rest) =
            cache.split_at_mut(self.backward_scratch_len().saturating_mul(self.batch_chunks()));
        let (kernels, partial) = rest.split_at_mut(self.gradient_kernel_len());
        if dx_needed {
            self.prepare_gradient_kernel(kernel, kernels);
        }
        let kernels = dx_needed.then_some(&*kernels);
        let samples = (x.len() / self.input_len()).div_ceil(self.batch_chunks()).max(1);
        let mut xs = x.chunks(samples * self.input_len());
        let mut dxs = dx.chunks_mut(samples * self.input_len());
        let mut dys = dy.chunks(samples * self.output_len());
        let mut scratch = scratch.chunks_exact_mut(self.backward_scratch_len().max(1));
        let mut grads = gradients_of_chunks(grads, partial);
        let mut chunks: [Option<BatchChunk<'_, F>>; BATCH_CHUNKS] = std::array::from_fn(|_| {
            let (x, dx, dy) = (xs.next()?, dxs.next()?, dys.next()?);
            Some(BatchChunk { x, dx, dy, grads: grads.next()?, scratch: scratch.next().unwrap_or_default() })
        });
        parallel::for_each_split(self.multiply_adds(x.len()).saturating_mul(2), &mut chunks, &|chunk| {
            if let Some(chunk) = chunk {
                self.backward_chunk(chunk, kernels);
            }
        });
        add_to_first(chunks.into_iter().flatten().map(|chunk| chunk.grads));
    }

    /// Computes a chunk's gradients; that with respect to the input if `kernels` are given, by
    /// [`prepare_gradient_kernel`](Self::prepare_gradient_kernel).
    fn backward_chunk<F: Float>(&self, chunk: &mut BatchChunk<'_, F>, kernels: Option<&[F]>) {
        let (input_len, output_len) = (self.input_len(), self.output_len());
        let (dkernel, dbias) = chunk.grads.split_at_mut(self.kernel_len());
        linalg::add_rows(rows(chunk.dy, self.filters), dbias);
        let samples = self.padded_samples();
        let (copies, scratch) = chunk.scratch.split_at_mut(self.backward_images_len());
        let blocks = chunk.x.chunks(samples * input_len).zip(chunk.dy.chunks(samples * output_len));
        for ((x, dy), dx) in blocks.zip(chunk.dx.chunks_mut(samples * input_len)) {
            let images = self.product.images.of(x, copies);
            for group in 0..self.groups {
                // y = patches · kernel  =>  dkernel += patchesᵀ · dy
                let (channels, columns) = (self.product.channels_of(group), self.product.filters_of(group));
                let layout = self.product.images.patches(self.product.images.all_positions(), channels);
                patches::add_matrix_gradient((images, &layout), dy, dkernel, self.filters, columns);
            }
            match (kernels, &self.gradient_product) {
                (Some(kernels), Some(product)) => {
                    // dx = the windows of dy · the reversed kernel
                    let kernel = PreparedKernel { values: &kernels[self.kernel_len()..], bias: None };
                    let (dy, positions) = (product.images.of(dy, copies), product.images.all_positions());
                    product.compute(dy, positions, kernel, dx, scratch);
                }
                (Some(kernels), None) => self.scatter_input_gradient(dy, kernels, dx, copies),
                (None, _) => {}
            }
        }
    }

    /// Computes the gradient with respect to the input by the gradient of the patches: dpatches = dy · kernelᵀ, each added
    /// to the elements that the patches are copies of. `transposed`: the transposed kernel.
    fn scatter_input_gradient<F: Float>(&self, dy: &[F], transposed: &[F], dx: &mut [F], dpatches: &mut [F]) {
        let transposed = rows(transposed, self.kernel_len() / self.filters);
        let (samples, per_group) = (self.block_samples(), self.filters / self.groups);
        dx.fill(F::zero());
        let blocks = dx.chunks_mut(samples * self.input_len()).zip(dy.chunks(samples * self.output_len()));
        for (dx, dy) in blocks {
            let dy = rows(dy, self.filters);
            for group in 0..self.groups {
                let im2col = self.im2col(group);
                let filters = group * per_group..(group + 1) * per_group;
                let dpatches = &mut dpatches[..dx.len() / self.input_len() * self.patches_len()];
                let kernel = transposed.slice(s![filters.clone(), ..]);
                let product = rows_mut(dpatches, im2col.patch_len());
                linalg::gemm(F::one(), dy.slice(s![.., filters]), kernel, F::zero(), product);
                let dpatches = dpatches.chunks_exact(self.patches_len());
                dpatches
                    .zip(dx.chunks_exact_mut(self.input_len()))
                    .for_each(|(dpatches, dx)| im2col.scatter_add(dpatches, dx));
            }
        }
    }

    /// Writes what the gradient with respect to the input is multiplied by: the transposed kernel, (filters, taps ·
    /// channels); or the kernel with its taps in reverse, (taps · filters, channels), and that kernel prepared.
    fn prepare_gradient_kernel<F: Float>(&self, kernel: ArrayView2<'_, F>, to: &mut [F]) {
        let (reversed, prepared) = to.split_at_mut(self.kernel_len());
        let Some(product) = self.gradient_product else {
            return rows_mut(reversed, kernel.nrows()).assign(&kernel.t());
        };
        let taps = reversed.chunks_exact_mut(self.filters * self.channels);
        for (to, tap) in taps.zip((0..self.window.taps()).rev()) {
            let tap = kernel.slice(s![tap * self.channels..(tap + 1) * self.channels, ..]);
            rows_mut(to, self.channels).assign(&tap.t());
        }
        product.prepare(reversed, prepared);
    }
}
