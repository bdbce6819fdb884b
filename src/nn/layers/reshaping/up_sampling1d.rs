//! Larger sequences by repetition.

use super::super::window::{image, output_shape};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Repeats every step: each number becomes a block of its copies (nearest-neighbour interpolation).
///
/// # Shapes
/// (steps, channels) comes out as (steps · size, channels).
///
/// # Errors
/// In `compile`: samples of another rank; a size of 0.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([3, 4])
///     .add(UpSampling1D::new(2))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([6, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpSampling1D {
    size: usize,
}

impl UpSampling1D {
    /// So many copies.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { size }
    }

    /// Rows, columns and channels of the input, and the copies along both.
    fn geometry(&self, input: &Shape) -> Result<([usize; 2], usize, [usize; 2])> {
        let (dims, channels) = image("up_sampling1d", true, input)?;
        let size = [1, self.size];
        if size.contains(&0) {
            return Err(Error::invalid_parameter("up_sampling1d", "size", 0, "at least 1"));
        }
        Ok((dims, channels, size))
    }
}

/// Calls `each` with a place of the large image and the place of the small one that it is a copy of.
fn each_copy([rows, columns]: [usize; 2], size: [usize; 2], mut each: impl FnMut(usize, usize)) {
    for row in 0..rows * size[0] {
        for column in 0..columns * size[1] {
            each(row * columns * size[1] + column, row / size[0] * columns + column / size[1]);
        }
    }
}

impl<F: Float> Layer<F> for UpSampling1D {
    fn kind(&self) -> &'static str {
        "up_sampling1d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let ([rows, columns], channels, size) = self.geometry(input)?;
        let dims = [rows.saturating_mul(size[0]), columns.saturating_mul(size[1])];
        Ok(Plan::output(output_shape(true, dims, channels)).input(input).rearranges())
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        let Some((dims, channels, size)) = plan.and_then(|plan| self.geometry(plan.input_shape()).ok())
        else {
            return y.fill(F::nan());
        };
        let (width, large) = (x.ncols(), y.ncols());
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(large)) {
            each_copy(dims, size, |to, from| {
                y[to * channels..][..channels].copy_from_slice(&x[from * channels..][..channels]);
            });
        }
    }

    fn backward(&self, Backward { dy, mut dx, plan, .. }: Backward<'_, F>) {
        let Some((dims, channels, size)) = plan.and_then(|plan| self.geometry(plan.input_shape()).ok())
        else {
            return dx.fill(F::nan());
        };
        let (width, large) = (dx.ncols(), dy.ncols());
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        // y = copies of x  =>  dx = Σ dy over the copies
        dx.fill(F::zero());
        for (dx, dy) in dx.chunks_exact_mut(width).zip(dy.chunks_exact(large)) {
            each_copy(dims, size, |from, to| {
                let dx = &mut dx[to * channels..][..channels];
                dx.iter_mut().zip(&dy[from * channels..][..channels]).for_each(|(dx, &dy)| *dx += dy);
            });
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
