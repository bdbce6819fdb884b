//! Larger images by repetition.

use super::super::window::{Size2D, image, output_shape};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Repeats rows and columns: each number becomes a block of its copies, or numbers in between are interpolated.
///
/// With [`Interpolation::Bilinear`], the place of the output's row i among the input's rows is
/// `(i + ½) / size - ½`, kept inside of the image; the rows on its two sides count by how near they are, and so do
/// columns.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows · size, columns · size, channels).
///
/// # Errors
/// In `compile`: samples of another rank; a size of 0.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([3, 5, 4])
///     .add(UpSampling2D::new(2))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([6, 10, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpSampling2D {
    size: Size2D,
    #[serde(default)]
    interpolation: Interpolation,
}

/// Where the numbers of a larger image come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// Each is a copy of the nearest one.
    #[default]
    Nearest,
    /// Each is a weighted mean of the four around its place.
    Bilinear,
}

impl UpSampling2D {
    /// So many copies along the rows and the columns.
    pub fn new(size: impl Into<Size2D>) -> Self {
        Self { size: size.into(), interpolation: Interpolation::Nearest }
    }

    /// Where the numbers come from; copies of the nearest by default.
    #[must_use]
    pub fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.interpolation = interpolation;
        self
    }

    /// Rows, columns and channels of the input, and the copies along both.
    fn geometry(&self, input: &Shape) -> Result<([usize; 2], usize, [usize; 2])> {
        let (dims, channels) = image("up_sampling2d", false, input)?;
        let size = self.size.dims();
        if size.contains(&0) {
            return Err(Error::invalid_parameter("up_sampling2d", "size", 0, "at least 1"));
        }
        Ok((dims, channels, size))
    }
}

/// The two places of `length` between which the place `index` of the enlarged axis lies, and how much each counts.
fn sides(index: usize, length: usize, size: usize) -> [(usize, f64); 2] {
    #[allow(clippy::cast_precision_loss, reason = "the length of an image's axis")]
    let place = ((index as f64 + 0.5) / size as f64 - 0.5).clamp(0.0, (length - 1) as f64);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the length of the axis")]
    let before = place as usize;
    [(before, 1.0 - place.fract()), ((before + 1).min(length - 1), place.fract())]
}

impl UpSampling2D {
    /// Calls `each` with a place of the large image, a place of the small one that it is made from, and how much that
    /// counts.
    fn each_source(
        self,
        [rows, columns]: [usize; 2],
        size: [usize; 2],
        mut each: impl FnMut(usize, usize, f64),
    ) {
        for row in 0..rows * size[0] {
            for column in 0..columns * size[1] {
                let to = row * columns * size[1] + column;
                if self.interpolation == Interpolation::Nearest {
                    each(to, row / size[0] * columns + column / size[1], 1.0);
                    continue;
                }
                for (row, by_row) in sides(row, rows, size[0]) {
                    for (column, by_column) in sides(column, columns, size[1]) {
                        each(to, row * columns + column, by_row * by_column);
                    }
                }
            }
        }
    }
}

impl<F: Float> Layer<F> for UpSampling2D {
    fn kind(&self) -> &'static str {
        "up_sampling2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let ([rows, columns], channels, size) = self.geometry(input)?;
        let dims = [rows.saturating_mul(size[0]), columns.saturating_mul(size[1])];
        let plan = Plan::output(output_shape(false, dims, channels)).input(input);
        Ok(if self.interpolation == Interpolation::Nearest { plan.rearranges() } else { plan })
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        let Some((dims, channels, size)) = plan.and_then(|plan| self.geometry(plan.input_shape()).ok())
        else {
            return y.fill(F::nan());
        };
        let (width, large) = (x.ncols(), y.ncols());
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        y.fill(F::zero());
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(large)) {
            self.each_source(dims, size, |to, from, weight| {
                let (y, weight) = (&mut y[to * channels..][..channels], F::of(weight));
                y.iter_mut().zip(&x[from * channels..][..channels]).for_each(|(y, &x)| *y += weight * x);
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
        // y = Σ weight x  =>  dx = Σ weight dy
        dx.fill(F::zero());
        for (dx, dy) in dx.chunks_exact_mut(width).zip(dy.chunks_exact(large)) {
            self.each_source(dims, size, |to, from, weight| {
                let (dx, weight) = (&mut dx[from * channels..][..channels], F::of(weight));
                dx.iter_mut().zip(&dy[to * channels..][..channels]).for_each(|(dx, &dy)| *dx += weight * dy);
            });
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
