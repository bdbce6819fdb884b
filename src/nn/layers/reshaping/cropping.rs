//! Cropping of sequences and images.

use super::pad_crop::Crop;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::window::{Grid, Size2D};
use serde::{Deserialize, Serialize};

/// Removes steps at the beginning and at the end of a sequence.
///
/// # Shapes
/// (steps, channels) becomes (steps - both edges, channels).
///
/// # Parameters
/// No trainable parameters. `cropping`: the steps at the beginning and at the end.
///
/// # Errors
/// In `compile`: samples of another rank; edges that leave nothing.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::Cropping1D;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 4])
///     .add(Cropping1D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([8, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cropping1D {
    cropping: [[usize; 2]; 1],
}

impl Cropping1D {
    /// Removes `cropping` steps at the beginning and at the end; [`edges`](Self::edges) sets them separately.
    #[must_use]
    pub fn new(cropping: usize) -> Self {
        Self { cropping: [[cropping; 2]] }
    }

    /// Removes `first` steps at the beginning and `last` steps at the end.
    #[must_use]
    pub fn edges(first: usize, last: usize) -> Self {
        Self { cropping: [[first, last]] }
    }

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<Crop> {
        Crop::new(kind, Grid::Sequence, [[0, 0], self.cropping[0]], input)
    }
}

/// Removes the edges of an image.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows - both edges, columns - both edges, channels).
///
/// # Parameters
/// No trainable parameters. `cropping`: the rows at the top and at the bottom, and the columns on the left and on the
/// right.
///
/// # Errors
/// In `compile`: samples of another rank; edges that leave nothing.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::layers::Cropping2D;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 8, 4])
///     .add(Cropping2D::new(1))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([8, 6, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cropping2D {
    cropping: [[usize; 2]; 2],
}

impl Cropping2D {
    /// Removes `cropping` rows and columns on each side; [`edges`](Self::edges) sets all four sides separately.
    pub fn new(cropping: impl Into<Size2D>) -> Self {
        let [rows, columns] = cropping.into().dims();
        Self { cropping: [[rows; 2], [columns; 2]] }
    }

    /// Removes these numbers of rows at the top and bottom, and of columns on the left and right.
    #[must_use]
    pub fn edges(top_bottom: [usize; 2], left_right: [usize; 2]) -> Self {
        Self { cropping: [top_bottom, left_right] }
    }

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<Crop> {
        Crop::new(kind, Grid::Image, self.cropping, input)
    }
}

geometry_layer!(Cropping1D: "cropping1d");
geometry_layer!(Cropping2D: "cropping2d");
