//! Max pooling over sliding windows of sequences and images.

use super::window_pooling::{PoolingWindow, window_pooling};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::window::{Padding, Size2D};
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

window_pooling! {
    /// Maximum of each channel over windows of a sequence. The gradient goes to the first maximum of a window.
    ///
    /// # Shapes
    /// (steps, channels), with the same channels. An axis of length `n` becomes `(n - size) / stride + 1` with
    /// [`Padding::Valid`] and `⌈n / stride⌉` with [`Padding::Same`].
    ///
    /// # Parameters
    /// No trainable parameters. `pool_size`: the window size; `strides`: the window size by default.
    ///
    /// # Errors
    /// In `compile`: samples of another rank; a size or strides of 0; an input smaller than the window; causal padding.
    ///
    /// # Examples
    /// ```
    /// use axonal::custom::Shape;
    /// use axonal::layers::MaxPooling1D;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([10, 4])
    ///     .add(MaxPooling1D::new(2))
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from([5, 4]));
    /// # Ok(())
    /// # }
    /// ```
    MaxPooling1D: "max_pooling1d", usize, usize, MaxPool
}

window_pooling! {
    /// Maximum of each channel over windows of an image. The gradient goes to the first maximum of a window.
    ///
    /// # Shapes
    /// (rows, columns, channels), with the same channels. An axis of length `n` becomes `(n - size) / stride + 1` with
    /// [`Padding::Valid`] and `⌈n / stride⌉` with [`Padding::Same`].
    ///
    /// # Parameters
    /// No trainable parameters. `pool_size`: the window size; `strides`: the window size by default.
    ///
    /// # Errors
    /// In `compile`: samples of another rank; a size or strides of 0; an input smaller than the window; causal padding.
    ///
    /// # Examples
    /// ```
    /// use axonal::custom::Shape;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([28, 28, 3])
    ///     .add(MaxPooling2D::new(2))
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from([14, 14, 3]));
    /// # Ok(())
    /// # }
    /// ```
    MaxPooling2D: "max_pooling2d", Size2D, impl Into<Size2D>, MaxPool
}

/// The passes of max pooling.
#[derive(Debug, Clone, Copy)]
struct MaxPool(PoolingWindow);

impl MaxPool {
    /// Declares the output shape, and a cache for the tap of each maximum.
    fn plan(&self, input: &Shape) -> Plan {
        self.0.plan(input).cache(self.0.output_len())
    }

    fn forward<F: Float>(&self, Forward { x, mut y, cache, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let PoolingWindow { window, channels, .. } = self.0;
        let samples = x.chunks_exact(self.0.input_len()).zip(y.chunks_exact_mut(self.0.output_len()));
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), taps) in samples.zip(cache.chunks_exact_mut(self.0.output_len())) {
                    y.fill(F::neg_infinity());
                    taps.fill(F::zero());
                    window.for_each_tap(|position, tap, index| {
                        let tap = F::of(tap as f64);
                        let x = &x[index * channels..][..channels];
                        let y = &mut y[position * channels..][..channels];
                        let taps = &mut taps[position * channels..][..channels];
                        for ((y, taps), &x) in y.iter_mut().zip(taps).zip(x) {
                            *taps = if x > *y { tap } else { *taps };
                            *y = if x > *y { x } else { *y };
                        }
                    });
                }
            },
        );
    }

    fn backward<F: Float>(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let PoolingWindow { window, channels, .. } = self.0;
        let samples = dy.chunks_exact(self.0.output_len()).zip(dx.chunks_exact_mut(self.0.input_len()));
        vectorize(
            #[inline(always)]
            || {
                for ((dy, dx), taps) in samples.zip(cache.chunks_exact(self.0.output_len())) {
                    dx.fill(F::zero());
                    // y = x at the tap of the maximum  =>  dx at that tap += dy
                    window.for_each_tap(|position, tap, index| {
                        let tap = F::of(tap as f64);
                        let dy = &dy[position * channels..][..channels];
                        let taps = &taps[position * channels..][..channels];
                        let dx = &mut dx[index * channels..][..channels];
                        for ((dx, &dy), &maximum) in dx.iter_mut().zip(dy).zip(taps) {
                            *dx += if maximum == tap { dy } else { F::zero() };
                        }
                    });
                }
            },
        );
    }
}
