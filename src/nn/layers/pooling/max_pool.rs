//! The largest number that a window sees.

use super::super::window::Window;
use crate::float::Float;
use crate::nn::layer::{Backward, Forward};
use crate::simd::vectorize;

/// A window over images with so many channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxPool {
    pub(super) window: Window,
    pub(super) channels: usize,
}

impl MaxPool {
    fn inputs(&self) -> usize {
        self.window.input[0] * self.window.input[1] * self.channels
    }

    /// Leaves in the cache which tap had the largest number.
    pub(super) fn forward<F: Float>(&self, Forward { x, mut y, cache, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let channels = self.channels;
        let outputs = self.window.positions() * channels;
        let samples = x.chunks_exact(self.inputs()).zip(y.chunks_exact_mut(outputs));
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), taps) in samples.zip(cache.chunks_exact_mut(outputs)) {
                    y.fill(F::neg_infinity());
                    taps.fill(F::zero());
                    self.window.each(|at, tap, place| {
                        let tap = F::of(tap as f64);
                        let x = &x[place * channels..][..channels];
                        let (y, taps) =
                            (&mut y[at * channels..][..channels], &mut taps[at * channels..][..channels]);
                        for ((y, taps), &x) in y.iter_mut().zip(taps).zip(x) {
                            *taps = if x > *y { tap } else { *taps };
                            *y = if x > *y { x } else { *y };
                        }
                    });
                }
            },
        );
    }

    pub(super) fn backward<F: Float>(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let channels = self.channels;
        let outputs = self.window.positions() * channels;
        let samples = dy.chunks_exact(outputs).zip(dx.chunks_exact_mut(self.inputs()));
        vectorize(
            #[inline(always)]
            || {
                for ((dy, dx), taps) in samples.zip(cache.chunks_exact(outputs)) {
                    dx.fill(F::zero());
                    // y = the x of a tap  =>  that x gets dy
                    self.window.each(|at, tap, place| {
                        let tap = F::of(tap as f64);
                        let (dy, taps) =
                            (&dy[at * channels..][..channels], &taps[at * channels..][..channels]);
                        for ((dx, &dy), &largest) in
                            dx[place * channels..][..channels].iter_mut().zip(dy).zip(taps)
                        {
                            *dx += if largest == tap { dy } else { F::zero() };
                        }
                    });
                }
            },
        );
    }
}
