//! The average over whole sequences.

use super::super::rows;
use super::super::window::image;
use crate::error::Result;
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keeps the mean of each channel.
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
///     .add(GlobalAveragePooling1D::default())
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from(4));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalAveragePooling1D {
    keepdims: bool,
}

impl GlobalAveragePooling1D {
    /// Whether the axes that are pooled over stay, with a length of 1; no by default.
    #[must_use]
    pub fn keepdims(mut self, keepdims: bool) -> Self {
        self.keepdims = keepdims;
        self
    }
}

impl<F: Float> Layer<F> for GlobalAveragePooling1D {
    fn kind(&self) -> &'static str {
        "global_average_pooling1d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let (_, channels) = image("global_average_pooling1d", true, input)?;
        let output: Shape = if self.keepdims { [1, channels].into() } else { channels.into() };
        Ok(Plan::output(output).input(input))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let channels = y.ncols().max(1);
        let share = F::one() / F::of((x.ncols() / channels) as f64);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let samples = x.chunks_exact((x.len() / y.len().max(1) * channels).max(1));
        for (x, y) in samples.zip(y.chunks_exact_mut(channels)) {
            y.fill(F::zero());
            linalg::add_rows(rows(x, channels), y);
            y.iter_mut().for_each(|y| *y *= share);
        }
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        // y = Σ x / n  =>  dx = dy / n
        let channels = dy.ncols().max(1);
        let share = F::one() / F::of((dx.ncols() / channels) as f64);
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let sample = (dx.len() / dy.len().max(1) * channels).max(1);
        for (dy, dx) in dy.chunks_exact(channels).zip(dx.chunks_exact_mut(sample)) {
            for dx in dx.chunks_exact_mut(channels) {
                dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy * share);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
