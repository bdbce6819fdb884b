//! The edges of images and sequences.

use crate::error::{Error, Result};
use crate::float::Float;

/// A picture that lies inside of a larger one; a sequence has one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Rows and columns of the larger one.
    pub(super) outer: [usize; 2],
    /// Rows and columns of the one inside.
    pub(super) inner: [usize; 2],
    /// Where the one inside begins.
    pub(super) at: [usize; 2],
    pub(super) channels: usize,
}

/// The most rows × columns × channels of a padded image: as many `f64` as one allocation holds, and at most 2^40.
const MOST_NUMBERS: u64 = {
    let addressable = isize::MAX as u64 / size_of::<f64>() as u64;
    if addressable < 1 << 40 { addressable } else { 1 << 40 }
};

impl Frame {
    /// Frame around an image of `inner` rows and columns, with `padding` before and after the rows and the columns.
    ///
    /// # Errors
    /// Padding that `owner` has too much of for any memory.
    pub(super) fn around(
        owner: &'static str,
        inner: [usize; 2],
        padding: [[usize; 2]; 2],
        channels: usize,
    ) -> Result<Self> {
        let padded = |axis: usize| {
            let [before, after] = padding[axis];
            inner[axis].checked_add(before)?.checked_add(after)
        };
        let fits = |outer: &[usize; 2]| {
            let values = outer[0].checked_mul(outer[1]).and_then(|pixels| pixels.checked_mul(channels));
            values.is_some_and(|values| values as u64 <= MOST_NUMBERS)
        };
        let outer = padded(0).zip(padded(1)).map(|(rows, columns)| [rows, columns]).filter(fits);
        let Some(outer) = outer else {
            let expected =
                format!("at most {MOST_NUMBERS} values in the padded sample of {channels} channels");
            return Err(Error::invalid_parameter(owner, "padding", format!("{padding:?}"), expected));
        };
        Ok(Self { outer, inner, at: [padding[0][0], padding[1][0]], channels })
    }

    /// Numbers in a larger and in a smaller picture.
    fn sizes(&self) -> [usize; 2] {
        [self.outer, self.inner].map(|dims| (dims[0] * dims[1] * self.channels).max(1))
    }

    /// Calls `each` with a row of the larger picture, cut to what lies inside, and that of the smaller one.
    fn rows(&self) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>)> {
        let Self { outer, inner, at, channels } = *self;
        (0..inner[0]).map(move |row| {
            let from = ((row + at[0]) * outer[1] + at[1]) * channels;
            let (len, start) = (inner[1] * channels, row * inner[1] * channels);
            (from..from + len, start..start + len)
        })
    }

    /// Larger pictures of smaller ones, with zeros around.
    pub(super) fn pad<F: Float>(&self, inner: Option<&[F]>, outer: Option<&mut [F]>) {
        let [large, small] = self.sizes();
        let (inner, outer) = (inner.unwrap_or_default(), outer.unwrap_or_default());
        outer.fill(F::zero());
        for (outer, inner) in outer.chunks_exact_mut(large).zip(inner.chunks_exact(small)) {
            self.rows().for_each(|(to, from)| outer[to].copy_from_slice(&inner[from]));
        }
    }

    /// Smaller pictures of larger ones.
    pub(super) fn crop<F: Float>(&self, outer: Option<&[F]>, inner: Option<&mut [F]>) {
        let [large, small] = self.sizes();
        let (inner, outer) = (inner.unwrap_or_default(), outer.unwrap_or_default());
        for (outer, inner) in outer.chunks_exact(large).zip(inner.chunks_exact_mut(small)) {
            self.rows().for_each(|(from, to)| inner[to].copy_from_slice(&outer[from]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On both sides of the limit, and beyond the range of `usize` in each step of the product.
    #[test]
    fn padding_beyond_any_memory_is_an_error() {
        let side = MOST_NUMBERS.isqrt() as usize;
        let most = Frame::around("zero_padding2d", [1, 1], [[side - 1, 0], [0, side - 1]], 1).unwrap();
        assert_eq!((most.outer, most.at), ([side, side], [side - 1, 0]));
        for (padding, channels) in [
            ([[side, side], [side, side]], 1),
            ([[side - 1, 0], [side - 1, 0]], 2),
            ([[usize::MAX, 1], [0, 0]], 1),
            ([[usize::MAX / 2; 2], [0, 0]], 1),
            ([[usize::MAX / 4; 2], [usize::MAX / 4; 2]], 1),
            ([[1, 0], [0, 0]], usize::MAX),
        ] {
            let error = Frame::around("zero_padding2d", [1, 1], padding, channels).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter { name: "padding", .. }), "{padding:?}: {error}");
        }
    }
}
