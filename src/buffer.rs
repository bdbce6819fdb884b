//! A buffer that is aligned to a cache line.

use crate::error::Result;
use crate::float::zeros::zeros;
use crate::simd::SimdElement;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A slice of fixed length, aligned to a cache line. An AVX-512 register is as wide as a line, and a load that
/// straddles two lines takes two reads: matrix products of aligned operands take up to a sixth less time.
pub(crate) struct Buffer<F> {
    /// The elements, after as many unused ones as alignment needs.
    values: Vec<F>,
    start: usize,
}

/// Bytes of a cache line and of the widest register.
const CACHE_LINE: usize = 64;

impl<F: SimdElement + Copy + Default> Buffer<F> {
    /// Allocates zeros. The error says what the memory is for.
    pub(crate) fn zeros(what: &str, len: usize) -> Result<Self> {
        if len == 0 {
            return Ok(Self::default());
        }
        Ok(Self::aligned(zeros(what, len.saturating_add(CACHE_LINE / size_of::<F>()))?, len))
    }
}

impl<F: Copy + Default> Buffer<F> {
    /// Allocates zeros. Aborts if there is not enough memory, as [`Vec`] does.
    pub(crate) fn new(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        Self::aligned(vec![F::default(); len + CACHE_LINE / size_of::<F>()], len)
    }

    /// The elements of an allocation from its first aligned one on. It has as many as alignment may need before them.
    fn aligned(mut values: Vec<F>, len: usize) -> Self {
        let start = values.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE / size_of::<F>());
        values.truncate(start + len);
        Self { values, start }
    }
}

impl<F> Default for Buffer<F> {
    fn default() -> Self {
        Self { values: Vec::new(), start: 0 }
    }
}

impl<F> Deref for Buffer<F> {
    type Target = [F];

    #[inline]
    fn deref(&self) -> &[F] {
        &self.values[self.start..]
    }
}

impl<F> DerefMut for Buffer<F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [F] {
        &mut self.values[self.start..]
    }
}

impl<F: Clone> Clone for Buffer<F> {
    fn clone(&self) -> Self {
        let mut values: Vec<F> = Vec::with_capacity(self.len() + CACHE_LINE / size_of::<F>().max(1));
        let start = values.as_ptr().align_offset(CACHE_LINE).min(values.capacity() - self.len());
        // The padding is never read.
        if let Some(first) = self.first() {
            values.resize(start, first.clone());
            values.extend_from_slice(self);
            return Self { values, start };
        }
        Self::default()
    }
}

impl<F: fmt::Debug> fmt::Debug for Buffer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'a, F> IntoIterator for &'a Buffer<F> {
    type Item = &'a F;
    type IntoIter = std::slice::Iter<'a, F>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::float::Float;

    fn is_aligned<F: Float>(buffer: &Buffer<F>) -> bool {
        buffer.as_ptr().align_offset(CACHE_LINE) == 0
    }

    #[test]
    fn buffers_and_their_clones_are_aligned_to_a_cache_line() {
        for len in [1, 7, 64, 1000] {
            let mut singles = Buffer::<f32>::zeros("a test", len).unwrap();
            let doubles = Buffer::<f64>::zeros("a test", len).unwrap();
            assert!(is_aligned(&singles) && is_aligned(&doubles));
            assert!(singles.len() == len && doubles.iter().all(|&v| v == 0.0));
            singles[len - 1] = 3.0;
            let copy = singles.clone();
            assert!(is_aligned(&copy) && *copy == *singles);
        }
        assert!(is_aligned(&Buffer::<f32>::new(5)) && *Buffer::<f32>::new(5) == [0.0; 5]);
        assert!(Buffer::<f32>::new(0).is_empty());
        assert!(Buffer::<f32>::zeros("a test", 0).unwrap().clone().is_empty());
        for len in [usize::MAX / 16, usize::MAX / 8, usize::MAX] {
            let error = Buffer::<f64>::zeros("a test", len).unwrap_err();
            assert!(matches!(error, Error::OutOfMemory { .. }));
        }
    }
}
