//! Zero padding and cropping of sequences and images: each is the backward pass of the other.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Forward, Plan, Shape};
use crate::nn::layers::window::Grid;
use std::ops::Range;

/// Number of positions before and after the rows, and before and after the columns.
type Edges = [[usize; 2]; 2];

/// Largest number of elements of a padded sample: as many `f64` as one allocation can hold, and at most 2^40.
const MAX_PADDED_LEN: u64 = {
    let addressable = isize::MAX as u64 / size_of::<f64>() as u64;
    if addressable < 1 << 40 { addressable } else { 1 << 40 }
};

/// An inner image and the outer image that adds edges to it.
#[derive(Debug, Clone, Copy)]
struct Frame {
    grid: Grid,
    /// Rows and columns of the outer image.
    outer: [usize; 2],
    /// Rows and columns of the inner image.
    inner: [usize; 2],
    /// The position of the inner image's first row and column in the outer one.
    offset: [usize; 2],
    channels: usize,
}

impl Frame {
    /// Adds padding to an input shape.
    ///
    /// # Errors
    /// Samples of another rank than `grid`; padding with which `owner`'s output fits in no memory.
    fn padded(owner: &'static str, grid: Grid, padding: Edges, input: &Shape) -> Result<Self> {
        let (inner, channels) = grid.split(owner, input)?;
        let padded = |axis: usize| {
            let [before, after] = padding[axis];
            inner[axis].checked_add(before)?.checked_add(after)
        };
        let fits = |outer: &[usize; 2]| {
            let len = outer[0].checked_mul(outer[1]).and_then(|positions| positions.checked_mul(channels));
            len.is_some_and(|len| len as u64 <= MAX_PADDED_LEN)
        };
        let outer = padded(0).zip(padded(1)).map(|(rows, columns)| [rows, columns]).filter(fits);
        let Some(outer) = outer else {
            let expected =
                format!("at most {MAX_PADDED_LEN} elements in the padded sample of {channels} channels");
            return Err(Error::invalid_parameter(owner, "padding", edges_text(grid, padding), expected));
        };
        Ok(Self { grid, outer, inner, offset: [padding[0][0], padding[1][0]], channels })
    }

    /// Removes edges from an input shape.
    ///
    /// # Errors
    /// Samples of another rank than `grid`; edges that leave no row or no column.
    fn cropped(owner: &'static str, grid: Grid, cropping: Edges, input: &Shape) -> Result<Self> {
        let (outer, channels) = grid.split(owner, input)?;
        let edges = cropping.map(|[before, after]| before.saturating_add(after));
        if edges[0] >= outer[0] || edges[1] >= outer[1] {
            let expected = format!("fewer positions along each axis than the sample {input} has");
            return Err(Error::invalid_parameter(owner, "cropping", edges_text(grid, cropping), expected));
        }
        let inner = [outer[0] - edges[0], outer[1] - edges[1]];
        Ok(Self { grid, outer, inner, offset: [cropping[0][0], cropping[1][0]], channels })
    }

    /// Returns the lengths of an outer and of an inner sample.
    fn lens(&self) -> [usize; 2] {
        [self.outer, self.inner].map(|dims| (dims[0] * dims[1] * self.channels).max(1))
    }

    /// Iterates over the rows of the inner image: their ranges in the outer and in the inner sample.
    fn rows(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let Self { outer, inner, offset, channels, .. } = *self;
        (0..inner[0]).map(move |row| {
            let in_outer = ((row + offset[0]) * outer[1] + offset[1]) * channels;
            let (len, in_inner) = (inner[1] * channels, row * inner[1] * channels);
            (in_outer..in_outer + len, in_inner..in_inner + len)
        })
    }

    /// Copies inner samples into outer ones, with zeros at the edges.
    fn pad<F: Float>(&self, inner: Option<&[F]>, outer: Option<&mut [F]>) {
        let [outer_len, inner_len] = self.lens();
        let (inner, outer) = (inner.unwrap_or_default(), outer.unwrap_or_default());
        outer.fill(F::zero());
        for (outer, inner) in outer.chunks_exact_mut(outer_len).zip(inner.chunks_exact(inner_len)) {
            self.rows().for_each(|(to, from)| outer[to].copy_from_slice(&inner[from]));
        }
    }

    /// Copies the inner part of outer samples.
    fn crop<F: Float>(&self, outer: Option<&[F]>, inner: Option<&mut [F]>) {
        let [outer_len, inner_len] = self.lens();
        let (inner, outer) = (inner.unwrap_or_default(), outer.unwrap_or_default());
        for (outer, inner) in outer.chunks_exact(outer_len).zip(inner.chunks_exact_mut(inner_len)) {
            self.rows().for_each(|(from, to)| inner[to].copy_from_slice(&outer[from]));
        }
    }
}

/// Formats edges as the layer's hyperparameter has them: a sequence has no rows.
fn edges_text(grid: Grid, edges: Edges) -> String {
    match grid {
        Grid::Sequence => format!("{:?}", &edges[1..]),
        Grid::Image => format!("{edges:?}"),
    }
}

/// The passes of zero padding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pad(Frame);

impl Pad {
    /// Computes the geometry of `owner` for an input shape.
    pub(super) fn new(owner: &'static str, grid: Grid, padding: Edges, input: &Shape) -> Result<Self> {
        Frame::padded(owner, grid, padding, input).map(Self)
    }

    /// Declares the output shape.
    pub(super) fn plan(&self, input: &Shape) -> Plan {
        Plan::output(self.0.grid.shape(self.0.outer, self.0.channels)).input(input).rearranges()
    }

    pub(super) fn forward<F: Float>(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        self.0.pad(x.as_slice(), y.as_slice_mut());
    }

    pub(super) fn backward<F: Float>(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        // y = x with zeros around it  =>  dx = dy without its edges
        self.0.crop(dy.as_slice(), dx.as_slice_mut());
    }
}

/// The passes of cropping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crop(Frame);

impl Crop {
    /// Computes the geometry of `owner` for an input shape.
    pub(super) fn new(owner: &'static str, grid: Grid, cropping: Edges, input: &Shape) -> Result<Self> {
        Frame::cropped(owner, grid, cropping, input).map(Self)
    }

    /// Declares the output shape.
    pub(super) fn plan(&self, input: &Shape) -> Plan {
        Plan::output(self.0.grid.shape(self.0.inner, self.0.channels)).input(input)
    }

    pub(super) fn forward<F: Float>(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        self.0.crop(x.as_slice(), y.as_slice_mut());
    }

    pub(super) fn backward<F: Float>(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        // y = x without its edges  =>  dx = dy with zeros around it
        self.0.pad(dy.as_slice(), dx.as_slice_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On both sides of the limit, and beyond the range of `usize` in each step of the product.
    #[test]
    fn padding_beyond_any_memory_is_an_error() {
        let side = MAX_PADDED_LEN.isqrt() as usize;
        let pad = |padding, channels| {
            Pad::new("zero_padding2d", Grid::Image, padding, &Shape::from([1, 1, channels]))
        };
        let Pad(largest) = pad([[side - 1, 0], [0, side - 1]], 1).unwrap();
        assert_eq!((largest.outer, largest.offset), ([side, side], [side - 1, 0]));
        for (padding, channels) in [
            ([[side, side], [side, side]], 1),
            ([[side - 1, 0], [side - 1, 0]], 2),
            ([[usize::MAX, 1], [0, 0]], 1),
            ([[usize::MAX / 2; 2], [0, 0]], 1),
            ([[usize::MAX / 4; 2], [usize::MAX / 4; 2]], 1),
            ([[1, 0], [0, 0]], usize::MAX),
        ] {
            let error = pad(padding, channels).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter { name: "padding", .. }), "{padding:?}: {error}");
        }
    }
}
