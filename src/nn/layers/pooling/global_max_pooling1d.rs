//! The maximum over whole sequences.

use super::super::window::image;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keeps the largest number of each channel.
///
/// # Shapes
/// (steps, channels) comes out as (channels); with `keepdims(true)` as (1, channels).
///
/// # Parameters
/// None.
///
/// # Errors
/// In `compile`: samples of another rank.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 4])
///     .add(GlobalMaxPooling1D::default())
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from(4));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalMaxPooling1D {
    keepdims: bool,
}

impl GlobalMaxPooling1D {
    /// Whether the axes that are pooled over stay, with a length of 1; no by default.
    #[must_use]
    pub fn keepdims(mut self, keepdims: bool) -> Self {
        self.keepdims = keepdims;
        self
    }
}

impl<F: Float> Layer<F> for GlobalMaxPooling1D {
    fn kind(&self) -> &'static str {
        "global_max_pooling1d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let (_, channels) = image("global_max_pooling1d", true, input)?;
        let output: Shape = if self.keepdims { [1, channels].into() } else { channels.into() };
        Ok(Plan::output(output).input(input).cache(channels))
    }

    fn forward(&self, Forward { x, mut y, cache, .. }: Forward<'_, F>) {
        let channels = y.ncols().max(1);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let samples = x.chunks_exact((x.len() / y.len().max(1) * channels).max(1));
        for ((x, y), largest) in
            samples.zip(y.chunks_exact_mut(channels)).zip(cache.chunks_exact_mut(channels))
        {
            y.fill(F::neg_infinity());
            largest.fill(F::zero());
            for (place, x) in x.chunks_exact(channels).enumerate() {
                for ((y, &x), largest) in y.iter_mut().zip(x).zip(&mut *largest) {
                    if x > *y {
                        (*y, *largest) = (x, F::of(place as f64));
                    }
                }
            }
        }
    }

    fn backward(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        // The gradient goes to the place of the largest.
        let channels = dy.ncols().max(1);
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let sample = (dx.len() / dy.len().max(1) * channels).max(1);
        let samples = dx.chunks_exact_mut(sample).zip(dy.chunks_exact(channels));
        for ((dx, dy), largest) in samples.zip(cache.chunks_exact(channels)) {
            dx.fill(F::zero());
            for (channel, (&dy, &largest)) in dy.iter().zip(largest).enumerate() {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a place, as stored"
                )]
                let place = largest.as_f64() as usize;
                dx[place * channels + channel] = dy;
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
