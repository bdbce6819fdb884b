//! Zero padding of sequences and images.

use super::pad_crop::Pad;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::window::{Grid, Size2D};
use serde::{Deserialize, Serialize};

/// Adds zeros at the beginning and at the end of a sequence.
///
/// # Shapes
/// (steps, channels) becomes (steps + both edges, channels).
///
/// # Parameters
/// No trainable parameters. `padding`: the steps at the beginning and at the end.
///
/// # Errors
/// In `compile`: samples of another rank; an output that fits in no memory.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::ZeroPadding1D;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 4])
///     .add(ZeroPadding1D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([12, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPadding1D {
    padding: [[usize; 2]; 1],
}

impl ZeroPadding1D {
    /// Adds `padding` steps at the beginning and at the end; [`edges`](Self::edges) sets them separately.
    #[must_use]
    pub fn new(padding: usize) -> Self {
        Self { padding: [[padding; 2]] }
    }

    /// Adds `first` steps at the beginning and `last` steps at the end.
    #[must_use]
    pub fn edges(first: usize, last: usize) -> Self {
        Self { padding: [[first, last]] }
    }

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<Pad> {
        Pad::new(kind, Grid::Sequence, [[0, 0], self.padding[0]], input)
    }
}

/// Adds zeros around an image.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows + both edges, columns + both edges, channels).
///
/// # Parameters
/// No trainable parameters. `padding`: the rows at the top and at the bottom, and the columns on the left and on the
/// right.
///
/// # Errors
/// In `compile`: samples of another rank; an output that fits in no memory.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::ZeroPadding2D;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 8, 4])
///     .add(ZeroPadding2D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([12, 10, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPadding2D {
    padding: [[usize; 2]; 2],
}

impl ZeroPadding2D {
    /// Adds `padding` rows and columns on each side; [`edges`](Self::edges) sets all four sides separately.
    pub fn new(padding: impl Into<Size2D>) -> Self {
        let [rows, columns] = padding.into().dims();
        Self { padding: [[rows; 2], [columns; 2]] }
    }

    /// Adds these numbers of rows at the top and bottom, and of columns on the left and right.
    #[must_use]
    pub fn edges(top_bottom: [usize; 2], left_right: [usize; 2]) -> Self {
        Self { padding: [top_bottom, left_right] }
    }

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<Pad> {
        Pad::new(kind, Grid::Image, self.padding, input)
    }
}

geometry_layer!(ZeroPadding1D: "zero_padding1d");
geometry_layer!(ZeroPadding2D: "zero_padding2d");
