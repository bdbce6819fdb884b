//! Upsampling of sequences and images by repetition or bilinear interpolation.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::window::{Extent, Grid, Size2D};
use serde::{Deserialize, Serialize};

/// Repeats each step of a sequence `size` times (nearest-neighbor interpolation).
///
/// # Shapes
/// (steps, channels) becomes (steps · size, channels).
///
/// # Parameters
/// No trainable parameters. `size`: the number of repetitions.
///
/// # Errors
/// In `compile`: samples of another rank; a size of 0.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::UpSampling1D;
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
    /// Repeats each step `size` times.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { size }
    }

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<UpSample> {
        UpSample::new(kind, self.size, Interpolation::Nearest, input)
    }
}

/// Enlarges an image by integer factors: by repetition of rows and columns, or by interpolation.
///
/// With [`Interpolation::Bilinear`], output row `i` lies at `(i + ½) / size - ½` among the input rows, clamped to the
/// image. The two nearest rows are weighted linearly by their distance. Columns are interpolated likewise.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows · size, columns · size, channels).
///
/// # Parameters
/// No trainable parameters. `size`: the factors of rows and columns; `interpolation`: nearest by default.
///
/// # Errors
/// In `compile`: samples of another rank; a size of 0.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::UpSampling2D;
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

/// Interpolation method of [`UpSampling2D`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// Copies the nearest input position.
    #[default]
    Nearest,
    /// Averages the four nearest input positions, weighted linearly by distance.
    Bilinear,
}

impl UpSampling2D {
    /// Enlarges rows and columns `size` times.
    pub fn new(size: impl Into<Size2D>) -> Self {
        Self { size: size.into(), interpolation: Interpolation::Nearest }
    }

    /// Sets the interpolation method; [`Interpolation::Nearest`] by default.
    #[must_use]
    pub fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.interpolation = interpolation;
        self
    }

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<UpSample> {
        UpSample::new(kind, self.size, self.interpolation, input)
    }
}

/// Geometry of upsampling.
#[derive(Debug, Clone, Copy)]
struct UpSample {
    grid: Grid,
    /// Rows and columns of the input.
    input: [usize; 2],
    channels: usize,
    /// Factors of rows and columns.
    size: [usize; 2],
    interpolation: Interpolation,
}

impl UpSample {
    /// Computes the geometry of `owner` for an input shape.
    fn new<S: Extent>(
        owner: &'static str,
        size: S,
        interpolation: Interpolation,
        input: &Shape,
    ) -> Result<Self> {
        let (input, channels) = S::GRID.split(owner, input)?;
        let size = size.rows_columns();
        require_positive(owner, &size.map(|size| ("size", size)))?;
        Ok(Self { grid: S::GRID, input, channels, size, interpolation })
    }

    fn plan(&self, input: &Shape) -> Plan {
        let output = [0, 1].map(|axis| self.input[axis].saturating_mul(self.size[axis]));
        let plan = Plan::output(self.grid.shape(output, self.channels)).input(input);
        if self.interpolation == Interpolation::Nearest { plan.rearranges() } else { plan }
    }

    /// Calls `visit` with each output position, the input positions that it is computed from, and their weights.
    fn for_each_source(&self, mut visit: impl FnMut(usize, usize, f64)) {
        let Self { input: [rows, columns], size, .. } = *self;
        for row in 0..rows * size[0] {
            for column in 0..columns * size[1] {
                let to = row * columns * size[1] + column;
                if self.interpolation == Interpolation::Nearest {
                    visit(to, row / size[0] * columns + column / size[1], 1.0);
                    continue;
                }
                for (row, row_weight) in linear_sources(row, rows, size[0]) {
                    for (column, column_weight) in linear_sources(column, columns, size[1]) {
                        visit(to, row * columns + column, row_weight * column_weight);
                    }
                }
            }
        }
    }

    fn forward<F: Float>(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let channels = self.channels;
        let (input_len, output_len) = (x.ncols(), y.ncols());
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        for (x, y) in x.chunks_exact(input_len).zip(y.chunks_exact_mut(output_len)) {
            match self.grid {
                Grid::Sequence => self.for_each_source(|to, from, _| {
                    y[to * channels..][..channels].copy_from_slice(&x[from * channels..][..channels]);
                }),
                Grid::Image => {
                    y.fill(F::zero());
                    self.for_each_source(|to, from, weight| {
                        let (y, weight) = (&mut y[to * channels..][..channels], F::of(weight));
                        let x = &x[from * channels..][..channels];
                        y.iter_mut().zip(x).for_each(|(y, &x)| *y += weight * x);
                    });
                }
            }
        }
    }

    fn backward<F: Float>(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        let channels = self.channels;
        let (input_len, output_len) = (dx.ncols(), dy.ncols());
        let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) else { return };
        // y = Σ weight x  =>  dx = Σ weight dy
        dx.fill(F::zero());
        for (dx, dy) in dx.chunks_exact_mut(input_len).zip(dy.chunks_exact(output_len)) {
            self.for_each_source(|to, from, weight| {
                let (dx, weight) = (&mut dx[from * channels..][..channels], F::of(weight));
                dx.iter_mut().zip(&dy[to * channels..][..channels]).for_each(|(dx, &dy)| *dx += weight * dy);
            });
        }
    }
}

/// Returns the two input indices between which index `index` of the enlarged axis lies, and their weights.
fn linear_sources(index: usize, length: usize, size: usize) -> [(usize, f64); 2] {
    #[allow(clippy::cast_precision_loss, reason = "the length of an image's axis")]
    let position = ((index as f64 + 0.5) / size as f64 - 0.5).clamp(0.0, (length - 1) as f64);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the length of the axis")]
    let before = position as usize;
    [(before, 1.0 - position.fract()), ((before + 1).min(length - 1), position.fract())]
}

geometry_layer!(UpSampling1D: "up_sampling1d");
geometry_layer!(UpSampling2D: "up_sampling2d");
