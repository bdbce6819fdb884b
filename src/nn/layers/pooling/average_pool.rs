//! The mean of what a window sees.

use super::super::window::Window;
use crate::float::Float;
use crate::nn::layer::{Backward, Forward};
use crate::simd::vectorize;

/// A window over images with so many channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct AveragePool {
    pub(super) window: Window,
    pub(super) channels: usize,
}

impl AveragePool {
    fn inputs(&self) -> usize {
        self.window.input[0] * self.window.input[1] * self.channels
    }

    /// One over the number of places inside of the image that the window covers at position `at`.
    fn share<F: Float>(&self, at: usize) -> F {
        let columns = self.window.output[1];
        let count = self.window.inside(0, at / columns).len() * self.window.inside(1, at % columns).len();
        F::one() / F::of(count.max(1) as f64)
    }

    pub(super) fn forward<F: Float>(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let channels = self.channels;
        let outputs = self.window.positions() * channels;
        vectorize(
            #[inline(always)]
            || {
                for (x, y) in x.chunks_exact(self.inputs()).zip(y.chunks_exact_mut(outputs)) {
                    y.fill(F::zero());
                    self.window.each(|at, _, place| {
                        let (x, y) =
                            (&x[place * channels..][..channels], &mut y[at * channels..][..channels]);
                        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
                    });
                    for (at, y) in y.chunks_exact_mut(channels).enumerate() {
                        let share = self.share(at);
                        y.iter_mut().for_each(|y: &mut F| *y *= share);
                    }
                }
            },
        );
    }

    pub(super) fn backward<F: Float>(&self, Backward { mut dy, mut dx, .. }: Backward<'_, F>) {
        let (Some(dy), Some(dx)) = (dy.as_slice_mut(), dx.as_slice_mut()) else { return };
        let channels = self.channels;
        let outputs = self.window.positions() * channels;
        vectorize(
            #[inline(always)]
            || {
                for (dy, dx) in dy.chunks_exact_mut(outputs).zip(dx.chunks_exact_mut(self.inputs())) {
                    // y = Σ x / n  =>  each x gets dy / n
                    for (at, dy) in dy.chunks_exact_mut(channels).enumerate() {
                        let share = self.share(at);
                        dy.iter_mut().for_each(|dy: &mut F| *dy *= share);
                    }
                    dx.fill(F::zero());
                    self.window.each(|at, _, place| {
                        let dx = &mut dx[place * channels..][..channels];
                        dx.iter_mut().zip(&dy[at * channels..][..channels]).for_each(|(dx, &dy)| *dx += dy);
                    });
                }
            },
        );
    }
}
