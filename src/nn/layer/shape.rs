//! The shape of one sample.

use crate::validate::shape_text;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of one sample, without the batch axis.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
///
/// let image = Shape::from([28, 28, 1]);
/// assert_eq!((image.size(), image.rank(), image.last()), (784, 3, 1));
/// assert_eq!(image.to_string(), "(28, 28, 1)");
/// assert_eq!(Shape::from(4), Shape::from([4]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The length of each axis.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of values of a sample, saturating at `usize::MAX`.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.iter().fold(1, |size: usize, &dim| size.saturating_mul(dim))
    }

    /// The number of axes of a sample.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The length of the last axis, along which dense layers, normalizations and softmax operate; 1 for a scalar.
    #[must_use]
    pub fn last(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// The shape with the last axis replaced by `dim`.
    #[must_use]
    pub fn with_last(&self, dim: usize) -> Self {
        let mut dims = self.0.clone();
        match dims.last_mut() {
            Some(last) => *last = dim,
            None => dims.push(dim),
        }
        Self(dims)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shape_text(&self.0))
    }
}

impl From<usize> for Shape {
    fn from(dim: usize) -> Self {
        Self(vec![dim])
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self(dims)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<(usize,)> for Shape {
    fn from(dims: (usize,)) -> Self {
        Self(vec![dims.0])
    }
}

impl From<(usize, usize)> for Shape {
    fn from(dims: (usize, usize)) -> Self {
        Self(vec![dims.0, dims.1])
    }
}

impl From<(usize, usize, usize)> for Shape {
    fn from(dims: (usize, usize, usize)) -> Self {
        Self(vec![dims.0, dims.1, dims.2])
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}
