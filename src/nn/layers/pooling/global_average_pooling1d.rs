//! The average over whole sequences.

use super::super::rows;
use super::super::window::image;
use crate::error::Result;
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mask, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keeps the mean of each channel: over the steps that are real, where a layer before makes a mask (see
/// [`Masking`](crate::nn::Masking)). A sequence without any is 0, where Keras answers NaN.
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
        Ok(Plan::output(output).input(input).uses_mask())
    }

    fn forward(&self, Forward { x, mut y, mask, .. }: Forward<'_, F>) {
        let channels = y.ncols().max(1);
        let share = F::one() / F::of((x.ncols() / channels) as f64);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let samples = x.chunks_exact((x.len() / y.len().max(1) * channels).max(1));
        for (sample, (x, y)) in samples.zip(y.chunks_exact_mut(channels)).enumerate() {
            y.fill(F::zero());
            let Some(mask) = mask else {
                linalg::add_rows(rows(x, channels), y);
                y.iter_mut().for_each(|y| *y *= share);
                continue;
            };
            let share = share_of_real(mask, sample);
            for (_, x) in x.chunks_exact(channels).enumerate().filter(|(step, _)| mask.is_real(sample, *step))
            {
                y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
            }
            y.iter_mut().for_each(|y| *y *= share);
        }
    }

    fn backward(&self, Backward { dy, mut dx, mask, .. }: Backward<'_, F>) {
        // y = Σ x / n  =>  dx = dy / n, and 0 where x is padding
        let channels = dy.ncols().max(1);
        let share = F::one() / F::of((dx.ncols() / channels) as f64);
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let width = (dx.len() / dy.len().max(1) * channels).max(1);
        for (sample, (dy, dx)) in dy.chunks_exact(channels).zip(dx.chunks_exact_mut(width)).enumerate() {
            let share = mask.map_or(share, |mask| share_of_real(mask, sample));
            for (step, dx) in dx.chunks_exact_mut(channels).enumerate() {
                let real = mask.is_none_or(|mask| mask.is_real(sample, step));
                let share = if real { share } else { F::zero() };
                dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy * share);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// 1 over the number of a sample's steps that are real; 0 where none is.
fn share_of_real<F: Float>(mask: Mask<'_>, sample: usize) -> F {
    match (0..mask.positions()).filter(|&step| mask.is_real(sample, step)).count() {
        0 => F::zero(),
        count => F::one() / F::of(count as f64),
    }
}
