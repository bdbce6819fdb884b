//! Global average pooling: the mean of each channel of a sequence or an image.

use super::global_pooling::{global_pooling, plan};
use crate::error::Result;
use crate::float::Float;
use crate::linalg;
use crate::nn::layer::{Backward, Config, Forward, Layer, Mask, Plan, Shape};
use crate::nn::layers::rows::rows;
use crate::nn::layers::window::Grid;
use serde::{Deserialize, Serialize};

global_pooling! {
    /// Mean of each channel of a sequence, over its valid steps if an earlier layer makes a padding mask (see
    /// [`Masking`](crate::layers::Masking)). The mean of a sequence without valid steps is 0; in Keras it is NaN.
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
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([10, 4])
    ///     .add(GlobalAveragePooling1D::new())
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from(4));
    /// # Ok(())
    /// # }
    /// ```
    GlobalAveragePooling1D: "global_average_pooling1d", Grid::Sequence, GlobalAverage
}

global_pooling! {
    /// Mean of each channel of an image.
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
    /// use axonal::prelude::*;
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> = Sequential::new([5, 5, 4])
    ///     .add(GlobalAveragePooling2D::new())
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// assert_eq!(model.output_shape(), &Shape::from(4));
    /// # Ok(())
    /// # }
    /// ```
    GlobalAveragePooling2D: "global_average_pooling2d", Grid::Image, GlobalAverage
}

/// The passes of global average pooling.
struct GlobalAverage;

impl GlobalAverage {
    /// Requests the mask of a sequence's steps; masks of images are ignored.
    fn declare(grid: Grid, plan: Plan) -> Plan {
        match grid {
            Grid::Sequence => plan.uses_mask(),
            Grid::Image => plan,
        }
    }

    fn forward<F: Float>(grid: Grid, Forward { x, mut y, mask, .. }: Forward<'_, F>) {
        let mask = mask.filter(|_| grid == Grid::Sequence);
        let channels = y.ncols().max(1);
        let scale = F::one() / F::of((x.ncols() / channels) as f64);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let samples = x.chunks_exact((x.len() / y.len().max(1) * channels).max(1));
        for (sample, (x, y)) in samples.zip(y.chunks_exact_mut(channels)).enumerate() {
            y.fill(F::zero());
            let scale = match mask {
                None => {
                    linalg::add_rows(rows(x, channels), y);
                    scale
                }
                Some(mask) => {
                    for (step, x) in x.chunks_exact(channels).enumerate() {
                        if mask.is_valid(sample, step) {
                            y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
                        }
                    }
                    reciprocal_valid_steps(mask, sample)
                }
            };
            y.iter_mut().for_each(|y| *y *= scale);
        }
    }

    fn backward<F: Float>(grid: Grid, Backward { dy, mut dx, mask, .. }: Backward<'_, F>) {
        // y = Σ x / n  =>  dx = dy / n, and 0 where x is padding
        let mask = mask.filter(|_| grid == Grid::Sequence);
        let channels = dy.ncols().max(1);
        let scale = F::one() / F::of((dx.ncols() / channels) as f64);
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        let input_len = (dx.len() / dy.len().max(1) * channels).max(1);
        for (sample, (dy, dx)) in dy.chunks_exact(channels).zip(dx.chunks_exact_mut(input_len)).enumerate() {
            let scale = mask.map_or(scale, |mask| reciprocal_valid_steps(mask, sample));
            for (step, dx) in dx.chunks_exact_mut(channels).enumerate() {
                let valid = mask.is_none_or(|mask| mask.is_valid(sample, step));
                let scale = if valid { scale } else { F::zero() };
                dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy * scale);
            }
        }
    }
}

/// Returns 1 over the number of a sample's valid steps, or 0 if all are padding.
fn reciprocal_valid_steps<F: Float>(mask: Mask<'_>, sample: usize) -> F {
    match (0..mask.positions()).filter(|&step| mask.is_valid(sample, step)).count() {
        0 => F::zero(),
        count => F::one() / F::of(count as f64),
    }
}
