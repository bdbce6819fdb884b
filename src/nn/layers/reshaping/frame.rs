//! The edges of images and sequences.

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

impl Frame {
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
