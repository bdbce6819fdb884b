//! A pool of scratch buffers: one set per thread, not one per shard.

use crate::parallel;
use std::sync::{Mutex, PoisonError};

/// The scratch buffers that no thread uses at the moment.
#[derive(Debug)]
pub(crate) struct ScratchPool<S> {
    free: Mutex<Vec<S>>,
}

impl<S> ScratchPool<S> {
    /// Creates one set of buffers per thread that shares `operations` in `n_chunks` chunks.
    pub(crate) fn new(operations: usize, n_chunks: usize, make: impl Fn() -> S) -> Self {
        let mut free = Vec::with_capacity(n_chunks);
        free.extend((0..parallel::threads_for(operations, n_chunks)).map(|_| make()));
        Self { free: free.into() }
    }

    /// All scratch buffers, outside parallel work.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.free.get_mut().unwrap_or_else(PoisonError::into_inner).iter_mut()
    }

    /// Calls `work` with a set of buffers; allocates one only if more threads arrive than the pool was made for.
    pub(crate) fn with<R>(&self, make: impl FnOnce() -> S, work: impl FnOnce(&mut S) -> R) -> R {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free().pop();
        let mut scratch = taken.unwrap_or_else(make);
        let result = work(&mut scratch);
        free().push(scratch);
        result
    }
}
