//! What a thread works with while it labels rows: as many of them as there are threads, not as there are shards.

use super::fixed_point::ExactSums;
use super::packed_centers::Reassigned;
use super::packed_rows::PackedRows;
use super::pruning::Gathered;
use crate::parallel;
use std::sync::{Mutex, PoisonError};

/// One thread's scratch buffers: packed rows, and the rows whose label changed.
#[derive(Debug)]
pub(crate) struct Scratch<F> {
    pub(super) room: PackedRows<F>,
    pub(super) gathered: Gathered<F>,
    /// Rows whose label is not what it was.
    pub(super) moved: Vec<Reassigned>,
    /// What these do to the sums; absent where threads write to the same ones.
    pub(super) sums: Option<ExactSums>,
}

/// The scratch buffers that no thread uses at the moment.
#[derive(Debug)]
pub(crate) struct ScratchPool<D> {
    free: Mutex<Vec<D>>,
}

impl<D> ScratchPool<D> {
    /// Creates one set of buffers per thread that shares `operations` in `n_pieces` pieces.
    pub(crate) fn new(operations: usize, n_pieces: usize, make: impl Fn() -> D) -> Self {
        let mut free = Vec::with_capacity(n_pieces);
        free.extend((0..parallel::threads_for(operations, n_pieces)).map(|_| make()));
        Self { free: free.into() }
    }

    /// All scratch buffers, outside parallel work.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut D> {
        self.free.get_mut().unwrap_or_else(PoisonError::into_inner).iter_mut()
    }

    /// Calls `work` with a set of buffers; allocates one only if more threads arrive than the pool was made for.
    pub(crate) fn with<R>(&self, make: impl FnOnce() -> D, work: impl FnOnce(&mut D) -> R) -> R {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free().pop();
        let mut desk = taken.unwrap_or_else(make);
        let result = work(&mut desk);
        free().push(desk);
        result
    }
}
