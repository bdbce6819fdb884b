//! Each channel by itself.

use super::super::window::Window;
use crate::float::Float;
use crate::simd::vectorize;

/// A window over each channel, which makes `multiplier` channels of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depthwise {
    pub(super) window: Window,
    pub(super) channels: usize,
    pub(super) multiplier: usize,
}

impl Depthwise {
    pub(super) fn kernel_len(&self) -> usize {
        self.window.taps().saturating_mul(self.outputs())
    }

    /// The channels that come out.
    pub(super) fn outputs(&self) -> usize {
        self.channels.saturating_mul(self.multiplier)
    }

    pub(super) fn input_len(&self) -> usize {
        self.window.input[0] * self.window.input[1] * self.channels
    }

    pub(super) fn output_len(&self) -> usize {
        self.window.positions().saturating_mul(self.outputs())
    }

    /// Adds the convolution of a sample to `y`; `kernel`: (taps, channels, multiplier).
    pub(super) fn forward<F: Float>(&self, x: &[F], kernel: &[F], y: &mut [F]) {
        let (channels, outputs, multiplier) = (self.channels, self.outputs(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.each(|at, tap, place| {
                    let x = &x[place * channels..][..channels];
                    let (kernel, y) =
                        (&kernel[tap * outputs..][..outputs], &mut y[at * outputs..][..outputs]);
                    if multiplier == 1 {
                        y.iter_mut().zip(x.iter().zip(kernel)).for_each(|(y, (&x, &w))| *y += x * w);
                    } else {
                        let parts = y.chunks_exact_mut(multiplier).zip(kernel.chunks_exact(multiplier));
                        for ((y, kernel), &x) in parts.zip(x) {
                            y.iter_mut().zip(kernel).for_each(|(y, &w)| *y += x * w);
                        }
                    }
                });
            },
        );
    }

    /// Adds to the gradients toward a sample and toward the kernel.
    pub(super) fn backward<F: Float>(
        &self,
        x: &[F],
        dy: &[F],
        kernel: &[F],
        dkernel: &mut [F],
        mut dx: Option<&mut [F]>,
    ) {
        let (channels, outputs, multiplier) = (self.channels, self.outputs(), self.multiplier);
        vectorize(
            #[inline(always)]
            || {
                self.window.each(|at, tap, place| {
                    let x = &x[place * channels..][..channels];
                    let dy = &dy[at * outputs..][..outputs];
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
                    let parts = kernel[range].chunks_exact(multiplier).zip(dy.chunks_exact(multiplier));
                    for (dx, (kernel, dy)) in dx[place * channels..][..channels].iter_mut().zip(parts) {
                        kernel.iter().zip(dy).for_each(|(&w, &dy)| *dx += w * dy);
                    }
                });
            },
        );
    }
}
