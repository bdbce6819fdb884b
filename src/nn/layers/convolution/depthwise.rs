//! Depthwise convolution: each channel is convolved with separate filters.
//!
//! There is no matrix product over channels, so it is computed directly: for each output position and tap, one
//! multiply-add over the contiguous channels, which the compiler vectorizes.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::window::{Window, WindowSpec};
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

    /// Adds the convolution of a sample to `y`. `kernel`: (taps, channels, multiplier).
    pub(super) fn forward<F: Float>(&self, x: &[F], kernel: &[F], y: &mut [F]) {
        let (channels, outputs, multiplier) = (self.channels, self.output_channels(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.for_each_tap(|position, tap, index| {
                    let x = &x[index * channels..][..channels];
                    let (kernel, y) =
                        (&kernel[tap * outputs..][..outputs], &mut y[position * outputs..][..outputs]);
                    if multiplier == 1 {
                        y.iter_mut().zip(x.iter().zip(kernel)).for_each(|(y, (&x, &w))| *y += x * w);
                    } else {
                        let per_channel = y.chunks_exact_mut(multiplier).zip(kernel.chunks_exact(multiplier));
                        for ((y, kernel), &x) in per_channel.zip(x) {
                            y.iter_mut().zip(kernel).for_each(|(y, &w)| *y += x * w);
                        }
                    }
                });
            },
        );
    }

    /// Adds to the gradients with respect to the kernel and, if `dx` is given, a sample.
    pub(super) fn backward<F: Float>(
        &self,
        x: &[F],
        dy: &[F],
        kernel: &[F],
        dkernel: &mut [F],
        mut dx: Option<&mut [F]>,
    ) {
        let (channels, outputs, multiplier) = (self.channels, self.output_channels(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.for_each_tap(|position, tap, index| {
                    let x = &x[index * channels..][..channels];
                    let dy = &dy[position * outputs..][..outputs];
                    let range = tap * outputs..(tap + 1) * outputs;
                    // y += x w  =>  dw += x dy, dx += w dy
                    for ((dw, dy), &x) in dkernel[range.clone()]
                        .chunks_exact_mut(multiplier)
                        .zip(dy.chunks_exact(multiplier))
                        .zip(x)
                    {
                        dw.iter_mut().zip(dy).for_each(|(dw, &dy)| *dw += x * dy);
                    }
                    let Some(dx) = &mut dx else { return };
                    let per_channel = kernel[range].chunks_exact(multiplier).zip(dy.chunks_exact(multiplier));
                    for (dx, (kernel, dy)) in dx[index * channels..][..channels].iter_mut().zip(per_channel) {
                        kernel.iter().zip(dy).for_each(|(&w, &dy)| *dx += w * dy);
                    }
                });
            },
        );
    }
}
