//! Global max pooling: the maximum of each channel of a sequence or an image.

use super::global_pooling::{global_pooling, plan};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::window::Grid;
use serde::{Deserialize, Serialize};

global_pooling! {
    /// Maximum of each channel of a sequence. The gradient goes to the first maximum.
    ///
    /// # Shapes
    /// (steps, channels) becomes (channels), or (1, channels) with `keepdims(true)`.
    ///
    /// # Parameters
    /// No trainable parameters.
    ///
    /// # Errors
    /// In `compile`: samples of another rank.
    ///
    /// # Examples
    /// ```
    /// use axonal::custom::Shape;
    /// use axonal::layers::GlobalMaxPooling1D;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([10, 4])
    ///     .add(GlobalMaxPooling1D::new())
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from(4));
    /// # Ok(())
    /// # }
    /// ```
    GlobalMaxPooling1D: "global_max_pooling1d", Grid::Sequence, GlobalMax
}

global_pooling! {
    /// Maximum of each channel of an image. The gradient goes to the first maximum.
    ///
    /// # Shapes
    /// (rows, columns, channels) becomes (channels), or (1, 1, channels) with `keepdims(true)`.
    ///
    /// # Parameters
    /// No trainable parameters.
    ///
    /// # Errors
    /// In `compile`: samples of another rank.
    ///
    /// # Examples
    /// ```
    /// use axonal::custom::Shape;
    /// use axonal::layers::GlobalMaxPooling2D;
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([5, 5, 4])
    ///     .add(GlobalMaxPooling2D::new())
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from(4));
    /// # Ok(())
    /// # }
    /// ```
    GlobalMaxPooling2D: "global_max_pooling2d", Grid::Image, GlobalMax
}

/// The passes of global max pooling.
struct GlobalMax;

impl GlobalMax {
    /// Declares a cache for the position of each channel's maximum.
    fn declare(_: Grid, plan: Plan) -> Plan {
        let channels = plan.output_shape().last();
        plan.cache(channels)
    }

    fn forward<F: Float>(_: Grid, Forward { x, mut y, cache, .. }: Forward<'_, F>) {
        let channels = y.ncols().max(1);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let samples = x.chunks_exact((x.len() / y.len().max(1) * channels).max(1));
        for ((x, y), maxima) in
            samples.zip(y.chunks_exact_mut(channels)).zip(cache.chunks_exact_mut(channels))
        {
            y.fill(F::neg_infinity());
            maxima.fill(F::zero());
            for (position, x) in x.chunks_exact(channels).enumerate() {
                for ((y, &x), maximum) in y.iter_mut().zip(x).zip(&mut *maxima) {
                    if x > *y {
                        (*y, *maximum) = (x, F::of(position as f64));
                    }
                }
            }
        }
    }

    fn backward<F: Float>(_: Grid, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        // y = x at the position of the maximum  =>  dx there = dy
        let channels = dy.ncols().max(1);
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let input_len = (dx.len() / dy.len().max(1) * channels).max(1);
        let samples = dx.chunks_exact_mut(input_len).zip(dy.chunks_exact(channels));
        for ((dx, dy), maxima) in samples.zip(cache.chunks_exact(channels)) {
            dx.fill(F::zero());
            for (channel, (&dy, &maximum)) in dy.iter().zip(maxima).enumerate() {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a position, as the forward pass stored it"
                )]
                let position = maximum.as_f64() as usize;
                dx[position * channels + channel] = dy;
            }
        }
    }
}
