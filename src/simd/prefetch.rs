//! Software prefetching.
#![allow(unsafe_code, reason = "the prefetch intrinsic takes a raw pointer")]

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

/// Prefetches `len` elements into the first-level cache. The memory is neither read nor written, so the address may be
/// invalid. A no-op on processors other than x86-64.
#[inline(always)]
pub(crate) fn prefetch<F>(from: *const F, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..len * size_of::<F>()).step_by(CACHE_LINE) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint without an effect on the program, ignored where the address is not valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast::<i8>().wrapping_add(offset)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, len, CACHE_LINE);
}

/// Prefetches chunk `index` of the `n_chunks` chunks of about equal length that `ahead` is divided into.
///
/// A loop calls this once in each iteration. A core can have only one or two dozen cache misses outstanding; prefetches
/// beyond that number stall the loop that issues them, so they are spread over the work.
#[inline(always)]
pub(crate) fn prefetch_chunk<F>(ahead: &[F], index: usize, n_chunks: usize) {
    let len = ahead.len().div_ceil(n_chunks);
    let first = (index * len).min(ahead.len());
    prefetch(ahead.as_ptr().wrapping_add(first), len.min(ahead.len() - first));
}
