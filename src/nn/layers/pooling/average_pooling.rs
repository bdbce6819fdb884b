//! Average pooling over sliding windows of sequences and images.

use super::window_pooling::{PoolingWindow, window_pooling};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::window::{Padding, Size2D};
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

window_pooling! {
    /// Average of each channel over windows of a sequence. Padding does not count.
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
    /// use axonal::layers::AveragePooling1D;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([10, 4])
    ///     .add(AveragePooling1D::new(2))
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from([5, 4]));
    /// # Ok(())
    /// # }
    /// ```
    AveragePooling1D: "average_pooling1d", usize, usize, AveragePool
}

window_pooling! {
    /// Average of each channel over windows of an image. Padding does not count.
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
    /// use axonal::layers::AveragePooling2D;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([28, 28, 3])
    ///     .add(AveragePooling2D::new(2))
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from([14, 14, 3]));
    /// # Ok(())
    /// # }
    /// ```
    AveragePooling2D: "average_pooling2d", Size2D, impl Into<Size2D>, AveragePool
}

/// The passes of average pooling.
#[derive(Debug, Clone, Copy)]
struct AveragePool(PoolingWindow);

impl AveragePool {
    /// Declares the output shape.
    fn plan(&self, input: &Shape) -> Plan {
        self.0.plan(input)
    }

    /// Returns 1 over the number of input positions under the window at an output position.
    fn reciprocal_count<F: Float>(&self, position: usize) -> F {
        let window = &self.0.window;
        let columns = window.output[1];
        let count =
            window.valid_taps(0, position / columns).len() * window.valid_taps(1, position % columns).len();
        F::one() / F::of(count.max(1) as f64)
    }

    fn forward<F: Float>(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let PoolingWindow { window, channels, .. } = self.0;
        let samples = x.chunks_exact(self.0.input_len()).zip(y.chunks_exact_mut(self.0.output_len()));
        vectorize(
            #[inline(always)]
            || {
                for (x, y) in samples {
                    y.fill(F::zero());
                    window.for_each_tap(|position, _, index| {
                        let x = &x[index * channels..][..channels];
                        let y = &mut y[position * channels..][..channels];
                        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
                    });
                    for (position, y) in y.chunks_exact_mut(channels).enumerate() {
                        let scale = self.reciprocal_count(position);
                        y.iter_mut().for_each(|y: &mut F| *y *= scale);
                    }
                }
            },
        );
    }

    fn backward<F: Float>(&self, Backward { mut dy, mut dx, .. }: Backward<'_, F>) {
        let (Some(dy), Some(dx)) = (dy.as_slice_mut(), dx.as_slice_mut()) else { return };
        let PoolingWindow { window, channels, .. } = self.0;
        let samples = dy.chunks_exact_mut(self.0.output_len()).zip(dx.chunks_exact_mut(self.0.input_len()));
        vectorize(
            #[inline(always)]
            || {
                for (dy, dx) in samples {
                    // y = Σ x / n  =>  dx += dy / n
                    for (position, dy) in dy.chunks_exact_mut(channels).enumerate() {
                        let scale = self.reciprocal_count(position);
                        dy.iter_mut().for_each(|dy: &mut F| *dy *= scale);
                    }
                    dx.fill(F::zero());
                    window.for_each_tap(|position, _, index| {
                        let dy = &dy[position * channels..][..channels];
                        let dx = &mut dx[index * channels..][..channels];
                        dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy);
                    });
                }
            },
        );
    }
}
