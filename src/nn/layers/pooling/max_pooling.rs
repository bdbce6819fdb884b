//! Max pooling over sliding windows of sequences and images.

use super::window_pooling::{PoolingWindow, window_pooling};
use crate::error::Result;
use crate::float::Float;
use crate::float::lanes::Lanes;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::blocks::BLOCK;
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

/// Replaces each maximum by `x` if that is larger.
#[inline(always)]
fn update_maxima<F: Float>(maxima: &mut [F; BLOCK], x: &[F]) {
    let larger = |(maximum, &x): (&mut F, &F)| *maximum = if x > *maximum { x } else { *maximum };
    match <&[F; BLOCK]>::try_from(x) {
        // The compiler unrolls a loop of known length.
        Ok(x) => maxima.iter_mut().zip(x).for_each(larger),
        Err(_) => maxima.iter_mut().zip(x).for_each(larger),
    }
}

/// The passes of max pooling.
#[derive(Debug, Clone, Copy)]
struct MaxPool(PoolingWindow);

impl MaxPool {
    /// Declares the output shape.
    fn plan(&self, input: &Shape) -> Plan {
        self.0.plan(input)
    }

    fn forward<F: Float>(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let PoolingWindow { window, channels, .. } = self.0;
        let samples = x.chunks_exact(self.0.input_len()).zip(y.chunks_exact_mut(self.0.output_len()));
        vectorize(
            #[inline(always)]
            || {
                for (x, y) in samples {
                    for row in 0..window.output[0] {
                        let tap_rows = window.valid_taps(0, row);
                        for column in 0..window.output[1] {
                            let taps = window.valid_taps(1, column);
                            let y = &mut y[(row * window.output[1] + column) * channels..][..channels];
                            // The maxima of some channels stay in registers while the taps are read.
                            for (block, y) in y.chunks_mut(BLOCK).enumerate() {
                                let mut maxima = [F::neg_infinity(); BLOCK];
                                for tap_row in tap_rows.clone() {
                                    let line = window.input_index(0, row, tap_row) * window.input[1];
                                    for tap in taps.clone() {
                                        let index = line + window.input_index(1, column, tap);
                                        let x = &x[index * channels + block * BLOCK..][..y.len()];
                                        update_maxima(&mut maxima, x);
                                    }
                                }
                                Lanes(maxima).store(y);
                            }
                        }
                    }
                }
            },
        );
    }

    fn backward<F: Float>(&self, Backward { x, y, mut dy, mut dx, .. }: Backward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice()) else { return };
        let (Some(dy), Some(dx)) = (dy.as_slice_mut(), dx.as_slice_mut()) else { return };
        let PoolingWindow { window, channels, .. } = self.0;
        let (input_len, output_len) = (self.0.input_len(), self.0.output_len());
        let inputs = x.chunks_exact(input_len).zip(dx.chunks_exact_mut(input_len));
        let outputs = y.chunks_exact(output_len).zip(dy.chunks_exact_mut(output_len));
        vectorize(
            #[inline(always)]
            || {
                for ((x, dx), (y, dy)) in inputs.zip(outputs) {
                    dx.fill(F::zero());
                    // y = x at the first tap with the maximum  =>  dx at that tap += dy. A gradient that has been added is
                    // set to zero, so that later taps with the same value add nothing.
                    window.for_each_tap(|position, _, index| {
                        let inputs = index * channels..(index + 1) * channels;
                        let outputs = position * channels..(position + 1) * channels;
                        let inputs = dx[inputs.clone()].iter_mut().zip(&x[inputs]);
                        let outputs = dy[outputs.clone()].iter_mut().zip(&y[outputs]);
                        for ((dx, &x), (dy, &y)) in inputs.zip(outputs) {
                            let (added, left) = if x == y { (*dy, F::zero()) } else { (F::zero(), *dy) };
                            *dx += added;
                            *dy = left;
                        }
                    });
                }
            },
        );
    }
}
