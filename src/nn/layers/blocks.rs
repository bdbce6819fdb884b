//! Blocks of neighboring values that are computed in registers.
//!
//! A loop over slices that are written and read side by side is not vectorized, as the compiler would have to compare all their
//! addresses; and a copy of a length that it does not know is a call. A block is copied into an array, computed there, and
//! copied back.

use crate::float::Float;
use std::ops::Range;

/// Values of a block: two registers of `f32` with AVX2.
pub(crate) const BLOCK: usize = 16;

/// The blocks of `N` values of a range; the last one may be shorter.
#[inline(always)]
pub(crate) fn blocks<const N: usize>(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(N).map(move |first| first..end.min(first + N))
}

/// Copies any number of values, block by block.
#[inline(always)]
pub(crate) fn copy<F: Float>(from: &[F], to: &mut [F]) {
    let (from_blocks, from_rest) = from.as_chunks::<BLOCK>();
    let (to_blocks, to_rest) = to.as_chunks_mut::<BLOCK>();
    to_blocks.iter_mut().zip(from_blocks).for_each(|(to, from)| *to = *from);
    to_rest.iter_mut().zip(from_rest).for_each(|(to, &from)| *to = from);
}
