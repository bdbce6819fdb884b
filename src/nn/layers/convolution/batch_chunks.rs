//! The chunks of a batch that threads compute side by side, and their gradients.

use crate::float::Float;

/// Number of chunks that a batch is split into. It does not depend on the number of threads, so that sums over the batch
/// are added in the same order for any number.
pub(super) const BATCH_CHUNKS: usize = 4;

/// Returns the gradients of each chunk: those of the layer, which the first chunk adds to, then parts of `partial`, set to
/// zero.
pub(super) fn gradients_of_chunks<'a, F: Float>(
    grads: &'a mut [F],
    partial: &'a mut [F],
) -> impl Iterator<Item = &'a mut [F]> {
    let len = grads.len().max(1);
    std::iter::once(grads).chain(partial.chunks_exact_mut(len).map(zeroed))
}

fn zeroed<F: Float>(values: &mut [F]) -> &mut [F] {
    values.fill(F::zero());
    values
}

/// Adds the gradients of the other chunks to those of the first, in order.
pub(super) fn add_to_first<'a, F: Float>(mut chunks: impl Iterator<Item = &'a mut [F]>) {
    let Some(sums) = chunks.next() else { return };
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &mut g)| *sum += g);
    }
}
