//! Which queries and keys of a batch are valid.

use crate::nn::layer::Mask;
use std::ops::Range;

/// The positions of queries and keys in a padding mask; without a mask all are valid.
#[derive(Debug, Clone)]
pub(super) struct Validity<'a> {
    pub(super) mask: Option<Mask<'a>>,
    pub(super) queries: Range<usize>,
    /// The positions of keys and of values; a key counts if both are valid.
    pub(super) keys: [Range<usize>; 2],
    /// Whether the output of a padded query is 0, not the mean of the values.
    pub(super) zeroes_padding: bool,
}

impl Validity<'_> {
    pub(super) fn query(&self, sample: usize, query: usize) -> bool {
        self.mask.is_none_or(|mask| mask.is_valid(sample, self.queries.start + query))
    }

    pub(super) fn key(&self, sample: usize, key: usize) -> bool {
        self.mask.is_none_or(|mask| self.keys.iter().all(|keys| mask.is_valid(sample, keys.start + key)))
    }

    /// Whether the output of a query is 0 as that of padding.
    pub(super) fn has_zero_output(&self, sample: usize, query: usize) -> bool {
        self.zeroes_padding && !self.query(sample, query)
    }
}
