//! The input shapes of a merge layer.

use super::Shape;
use crate::error::{Error, Result};
use std::fmt;
use std::ops::Range;

/// The shapes of the inputs of a [`Merge`](crate::custom::Merge) layer, and the columns that each takes in `x` and `dx`.
///
/// # Examples
/// ```
/// use axonal::custom::{MergeInputs, Shape};
///
/// let shapes = [Shape::from([2, 3]), Shape::from([5])];
/// let inputs = MergeInputs::new(&shapes);
/// assert_eq!((inputs.len(), inputs.columns(0), inputs.columns(1)), (2, 0..6, 6..11));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MergeInputs<'a> {
    shapes: &'a [Shape],
}

impl<'a> MergeInputs<'a> {
    /// Creates the inputs from their sample shapes.
    #[must_use]
    pub fn new(shapes: &'a [Shape]) -> Self {
        Self { shapes }
    }

    /// The number of inputs.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a merge layer has at least one input")]
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// The shapes of a sample of each input.
    #[must_use]
    pub fn shapes(&self) -> &'a [Shape] {
        self.shapes
    }

    /// The columns of an input in `x`; empty for an index without an input.
    #[must_use]
    pub fn columns(&self, index: usize) -> Range<usize> {
        let start =
            self.shapes.iter().take(index).fold(0_usize, |sum, shape| sum.saturating_add(shape.size()));
        start..start.saturating_add(self.shapes.get(index).map_or(0, Shape::size))
    }

    /// The columns of all inputs together.
    #[must_use]
    pub fn total_len(&self) -> usize {
        self.columns(self.len()).start
    }

    /// The positions of an input in the joined mask: all axes of its samples but the last.
    #[must_use]
    pub fn positions(&self, index: usize) -> Range<usize> {
        let positions = |shape: &Shape| shape.size() / shape.last().max(1);
        let start =
            self.shapes.iter().take(index).fold(0_usize, |sum, shape| sum.saturating_add(positions(shape)));
        start..start.saturating_add(self.shapes.get(index).map_or(0, positions))
    }

    /// The one shape of all inputs.
    ///
    /// # Errors
    /// Inputs of different shapes.
    pub fn same_shape(&self, owner: &str) -> Result<&'a Shape> {
        let different = || Error::shape(owner, "inputs of one shape", self.to_string());
        let first = self.shapes.first().ok_or_else(different)?;
        if self.shapes.iter().all(|shape| shape == first) { Ok(first) } else { Err(different()) }
    }
}

impl fmt::Display for MergeInputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, shape) in self.shapes.iter().enumerate() {
            write!(f, "{}{shape}", if index > 0 { " and " } else { "" })?;
        }
        Ok(())
    }
}
