//! Memory filled with zeros.
//!
//! The allocator returns the zeros: those of a large piece are pages that the system provides with their first use. Where no
//! backward pass follows, a scan uses few pages of its cache for all steps; writing zeros to the others took a quarter of the time
//! of predictions of two LSTM on two threads.
#![allow(
    unsafe_code,
    reason = "only the allocator itself returns zeros without an abort where memory is short"
)]

use crate::error::{Error, Result};
use crate::simd::SimdElement;
use std::alloc::{Layout, alloc_zeroed};

/// Allocates zeros. The error says what the memory is for.
pub(crate) fn zeros<F: SimdElement>(what: &str, len: usize) -> Result<Vec<F>> {
    try_zeros(len)
        .ok_or_else(|| Error::OutOfMemory { what: what.into(), bytes: len.saturating_mul(size_of::<F>()) })
}

/// Allocates zeros; `None` if there is not enough memory.
fn try_zeros<F: SimdElement>(len: usize) -> Option<Vec<F>> {
    let layout = Layout::array::<F>(len).ok()?;
    if layout.size() == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the size is not 0.
    let values = unsafe { alloc_zeroed(layout) }.cast::<F>();
    // SAFETY: the global allocator returned memory for `len` elements, and zero bytes are the 0 of `f32` and of `f64`, which alone
    // are elements of registers.
    (!values.is_null()).then(|| unsafe { Vec::from_raw_parts(values, len, len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_zeros_and_too_many_are_an_error() {
        assert_eq!(zeros::<f32>("a test", 3).unwrap(), [0.0; 3]);
        assert!(zeros::<f32>("a test", 0).unwrap().is_empty());
        for len in [usize::MAX / 16, usize::MAX / 8, usize::MAX] {
            let error = zeros::<f64>("a test", len).unwrap_err();
            assert!(matches!(error, Error::OutOfMemory { .. }));
        }
    }
}
