//! The arrays that attention reads and writes, for a batch and for one sample.

use ndarray::ArrayView2;

/// One matrix for each sample: that of sample `i` begins at element `i · stride + start`.
#[derive(Clone, Copy)]
pub(super) struct Samples<'a, F> {
    pub(super) elements: &'a [F],
    pub(super) stride: usize,
    pub(super) start: usize,
}

impl<'a, F> Samples<'a, F> {
    /// Matrices of `len` elements, one behind the other.
    pub(super) fn contiguous(elements: &'a [F], len: usize) -> Self {
        Self { elements, stride: len, start: 0 }
    }

    /// The `len` elements of a sample.
    pub(super) fn get(self, sample: usize, len: usize) -> &'a [F] {
        &self.elements[sample * self.stride + self.start..][..len]
    }
}

/// The queries, keys and values of a batch, and what else a pass reads.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a, F> {
    pub(super) queries: Samples<'a, F>,
    pub(super) keys: Samples<'a, F>,
    pub(super) values: Samples<'a, F>,
    /// The weights of additive scores, `key_dim`; empty for dot products.
    pub(super) score_weights: &'a [F],
    /// The factors of dropout on the weights; empty without dropout.
    pub(super) dropout: &'a [F],
}

/// The gradients of queries, keys and values.
pub(super) struct Gradients<'a, F> {
    pub(super) queries: &'a mut [F],
    pub(super) keys: &'a mut [F],
    pub(super) values: &'a mut [F],
    /// Those of the weights of additive scores, `key_dim` for each sample; empty for dot products.
    pub(super) score_weights: &'a mut [F],
}

impl<F> Gradients<'_, F> {
    pub(super) fn reborrow(&mut self) -> Gradients<'_, F> {
        Gradients {
            queries: &mut *self.queries,
            keys: &mut *self.keys,
            values: &mut *self.values,
            score_weights: &mut *self.score_weights,
        }
    }
}

/// The matrices of one sample.
pub(super) struct Sample<'a, F> {
    pub(super) queries: ArrayView2<'a, F>,
    pub(super) keys: ArrayView2<'a, F>,
    pub(super) values: ArrayView2<'a, F>,
    pub(super) score_weights: &'a [F],
    pub(super) dropout: &'a [F],
}
