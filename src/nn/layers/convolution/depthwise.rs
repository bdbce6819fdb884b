//! Depthwise convolution: each channel is convolved with separate filters.
//!
//! There is no matrix product over channels. With one filter per channel, and channels for a register, the kernels of
//! [`linalg::depthwise`] compute it; else plain loops: for each output position and tap, one multiply-add over the
//! contiguous channels, which the compiler vectorizes.
//!
//! The batch is split into chunks with separate gradients of the kernel, as in [`correlation`](super::correlation).

use super::batch_chunks::{BATCH_CHUNKS, add_to_first, gradients_of_chunks};
use super::padded_images::PaddedImages;
use crate::error::Result;
use crate::float::Float;
use crate::linalg::{self, depthwise::has_kernel_for};
use crate::nn::layer::Shape;
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::window::{Window, WindowSpec};
use crate::parallel::{self, thresholds::OPS_PER_DEPTHWISE_STEP};
use crate::simd::vectorize;

/// A window over each channel, with `multiplier` filters per channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depthwise {
    pub(super) window: Window,
    pub(super) channels: usize,
    pub(super) multiplier: usize,
}

impl Depthwise {
    /// Computes the geometry of `owner` for an input shape, and validates its other `counts`.
    pub(super) fn new(
        owner: &'static str,
        spec: WindowSpec,
        multiplier: usize,
        counts: &[(&'static str, usize)],
        input: &Shape,
    ) -> Result<Self> {
        let (dims, channels) = spec.grid.split(owner, input)?;
        require_positive(owner, counts)?;
        require_positive(owner, &[("depth_multiplier", multiplier)])?;
        Ok(Self { window: spec.for_input(owner, dims)?, channels, multiplier })
    }

    /// Returns the shape of the output with this number of channels.
    pub(super) fn output_shape(&self, channels: usize) -> [usize; 3] {
        [self.window.output[0], self.window.output[1], channels]
    }

    /// Returns the shape of the kernel.
    pub(super) fn kernel_shape(&self) -> [usize; 4] {
        [self.window.size[0], self.window.size[1], self.channels, self.multiplier]
    }

    pub(super) fn kernel_len(&self) -> usize {
        self.window.taps().saturating_mul(self.output_channels())
    }

    /// Returns the number of output channels.
    pub(super) fn output_channels(&self) -> usize {
        self.channels.saturating_mul(self.multiplier)
    }

    pub(super) fn input_len(&self) -> usize {
        self.window.input_positions().saturating_mul(self.channels)
    }

    pub(super) fn output_len(&self) -> usize {
        self.window.positions().saturating_mul(self.output_channels())
    }

    /// Returns whether the kernels of [`linalg::depthwise`] apply.
    fn has_kernel<F: Float>(&self) -> bool {
        self.multiplier == 1 && has_kernel_for::<F>(self.channels)
    }

    /// Returns the images that the window slides over.
    fn images(&self) -> PaddedImages {
        PaddedImages::new(self.window, self.channels)
    }

    /// Returns the length of the padded images of a chunk of the batch.
    fn chunk_len(&self) -> usize {
        let gradients =
            PaddedImages::of_gradients(self.window, self.channels).map_or(0, |images| images.copy_len());
        self.images().copy_len().max(gradients)
    }

    /// Returns the length of the cache: padded images of each chunk, the reversed kernel, and the gradients of the kernel
    /// of all chunks but the first.
    pub(super) fn batch_cache(&self) -> usize {
        self.chunk_len().saturating_add(self.kernel_len()).saturating_mul(BATCH_CHUNKS)
    }

    fn multiply_adds(&self, samples: usize) -> usize {
        samples
            .saturating_mul(self.output_len())
            .saturating_mul(self.window.taps())
            .saturating_mul(OPS_PER_DEPTHWISE_STEP)
    }

    /// Computes the convolution of a batch. `kernel`: (taps, channels, multiplier), `bias`: (channels · multiplier).
    pub(super) fn forward<F: Float>(
        &self,
        x: &[F],
        kernel: &[F],
        bias: Option<&[F]>,
        y: &mut [F],
        cache: &mut [F],
    ) {
        let samples = x.len() / self.input_len();
        let chunk = samples.div_ceil(BATCH_CHUNKS).max(1);
        let (mut xs, mut ys) = (x.chunks(chunk * self.input_len()), y.chunks_mut(chunk * self.output_len()));
        let mut caches = cache.chunks_exact_mut((cache.len() / BATCH_CHUNKS).max(1));
        let mut chunks: [_; BATCH_CHUNKS] =
            std::array::from_fn(|_| Some((xs.next()?, ys.next()?, caches.next().unwrap_or_default())));
        parallel::for_each_split(self.multiply_adds(samples), &mut chunks, &|chunk| {
            let Some((x, y, cache)) = chunk else { return };
            for (x, y) in x.chunks_exact(self.input_len()).zip(y.chunks_exact_mut(self.output_len())) {
                self.forward_sample(x, kernel, bias, y, cache);
            }
        });
    }

    fn forward_sample<F: Float>(
        &self,
        x: &[F],
        kernel: &[F],
        bias: Option<&[F]>,
        y: &mut [F],
        cache: &mut [F],
    ) {
        if self.has_kernel::<F>() {
            let images = self.images();
            let layout = images.taps(images.all_positions(), 0..self.channels);
            return linalg::depthwise::forward((images.of(x, cache), &layout), kernel, bias, y);
        }
        match bias {
            Some(bias) => y.chunks_exact_mut(self.output_channels()).for_each(|y| y.copy_from_slice(bias)),
            None => y.fill(F::zero()),
        }
        let (channels, outputs, multiplier) = (self.channels, self.output_channels(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.for_each_tap(|position, tap, index| {
                    let x = &x[index * channels..][..channels];
                    let (kernel, y) =
                        (&kernel[tap * outputs..][..outputs], &mut y[position * outputs..][..outputs]);
                    let per_channel = y.chunks_exact_mut(multiplier).zip(kernel.chunks_exact(multiplier));
                    for ((y, kernel), &x) in per_channel.zip(x) {
                        y.iter_mut().zip(kernel).for_each(|(y, &w)| *y += x * w);
                    }
                });
            },
        );
    }

    /// Adds the gradient with respect to the kernel to `dkernel` and computes that with respect to the input, if `dx` is
    /// needed.
    pub(super) fn backward<F: Float>(&self, pass: DepthwiseBackward<'_, F>) {
        let DepthwiseBackward { x, dy, kernel, dkernel, dx, dx_needed, cache } = pass;
        let samples = x.len() / self.input_len();
        let chunk = samples.div_ceil(BATCH_CHUNKS).max(1);
        let (mut xs, mut dys) = (x.chunks(chunk * self.input_len()), dy.chunks(chunk * self.output_len()));
        let mut dxs = dx.chunks_mut(chunk * self.input_len());
        let (images, rest) = cache.split_at_mut(self.chunk_len() * BATCH_CHUNKS);
        let (reversed, partial) = rest.split_at_mut(self.kernel_len());
        let outputs = self.output_channels();
        let taps = reversed.chunks_exact_mut(outputs).zip(kernel.chunks_exact(outputs).rev());
        taps.for_each(|(to, from)| to.copy_from_slice(from));
        let kernels = (kernel, &*reversed);
        let mut images = images.chunks_exact_mut(self.chunk_len().max(1));
        let mut dkernels = gradients_of_chunks(dkernel, partial);
        let mut chunks: [_; BATCH_CHUNKS] = std::array::from_fn(|_| {
            let (x, dy, dx) = (xs.next()?, dys.next()?, dxs.next()?);
            Some((x, dy, dx, dkernels.next()?, images.next().unwrap_or_default()))
        });
        parallel::for_each_split(self.multiply_adds(samples).saturating_mul(2), &mut chunks, &|chunk| {
            let Some((x, dy, dx, dkernel, images)) = chunk else { return };
            let samples = x.chunks_exact(self.input_len()).zip(dx.chunks_exact_mut(self.input_len()));
            for ((x, dx), dy) in samples.zip(dy.chunks_exact(self.output_len())) {
                self.add_kernel_gradient(x, dy, dkernel, images);
                if dx_needed {
                    self.input_gradient(dy, kernels, dx, images);
                }
            }
        });
        add_to_first(chunks.into_iter().flatten().map(|(_, _, _, dkernel, _)| dkernel));
    }

    /// Adds the gradient with respect to the kernel of one sample.
    fn add_kernel_gradient<F: Float>(&self, x: &[F], dy: &[F], dkernel: &mut [F], copies: &mut [F]) {
        if self.has_kernel::<F>() {
            let images = self.images();
            let layout = images.taps(images.all_positions(), 0..self.channels);
            return linalg::depthwise::add_kernel_gradient((images.of(x, copies), &layout), dy, dkernel);
        }
        let (channels, outputs, multiplier) = (self.channels, self.output_channels(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.for_each_tap(|position, tap, index| {
                    let x = &x[index * channels..][..channels];
                    let dy = &dy[position * outputs..][..outputs];
                    let dkernel = &mut dkernel[tap * outputs..][..outputs];
                    // y += x w  =>  dw += x dy
                    let per_channel = dkernel.chunks_exact_mut(multiplier).zip(dy.chunks_exact(multiplier));
                    for ((dw, dy), &x) in per_channel.zip(x) {
                        dw.iter_mut().zip(dy).for_each(|(dw, &dy)| *dw += x * dy);
                    }
                });
            },
        );
    }

    /// Computes the gradient with respect to one sample. `kernels`: the kernel, and with its taps in reverse.
    fn input_gradient<F: Float>(
        &self,
        dy: &[F],
        (kernel, reversed): (&[F], &[F]),
        dx: &mut [F],
        copies: &mut [F],
    ) {
        let images = PaddedImages::of_gradients(self.window, self.channels);
        if let Some(images) = images.filter(|_| self.has_kernel::<F>()) {
            let layout = images.taps(images.all_positions(), 0..self.channels);
            return linalg::depthwise::forward((images.of(dy, copies), &layout), reversed, None, dx);
        }
        dx.fill(F::zero());
        let (channels, outputs, multiplier) = (self.channels, self.output_channels(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.for_each_tap(|position, tap, index| {
                    let dy = &dy[position * outputs..][..outputs];
                    let kernel = &kernel[tap * outputs..][..outputs];
                    // y += x w  =>  dx += w dy
                    let per_channel = kernel.chunks_exact(multiplier).zip(dy.chunks_exact(multiplier));
                    for (dx, (kernel, dy)) in dx[index * channels..][..channels].iter_mut().zip(per_channel) {
                        kernel.iter().zip(dy).for_each(|(&w, &dy)| *dx += w * dy);
                    }
                });
            },
        );
    }
}

/// The arguments of [`Depthwise::backward`].
pub(super) struct DepthwiseBackward<'a, F> {
    pub(super) x: &'a [F],
    pub(super) dy: &'a [F],
    pub(super) kernel: &'a [F],
    pub(super) dkernel: &'a mut [F],
    pub(super) dx: &'a mut [F],
    pub(super) dx_needed: bool,
    pub(super) cache: &'a mut [F],
}
