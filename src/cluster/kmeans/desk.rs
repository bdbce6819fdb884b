//! What a thread works with while it labels rows: as many of them as there are threads, not as there are shards.

use super::bounds::Gathered;
use super::exact::ExactSums;
use super::group::Room;
use super::nearest::Moved;
use crate::parallel;
use std::sync::{Mutex, PoisonError};

/// A thread's room for the rows that it searches, and what it notes of them.
#[derive(Debug)]
pub(crate) struct Desk<F> {
    pub(super) room: Room<F>,
    pub(super) gathered: Gathered<F>,
    /// Rows whose label is not what it was.
    pub(super) moved: Vec<Moved>,
    /// What these do to the sums; absent where threads write to the same ones.
    pub(super) sums: Option<ExactSums>,
}

/// The desks that nobody works at.
#[derive(Debug)]
pub(crate) struct Desks<D> {
    free: Mutex<Vec<D>>,
}

impl<D> Desks<D> {
    /// Desks for as many threads as share so many operations in so many pieces.
    pub(crate) fn new(operations: usize, n_pieces: usize, make: impl Fn() -> D) -> Self {
        let mut free = Vec::with_capacity(n_pieces);
        free.extend((0..parallel::threads_for(operations, n_pieces)).map(|_| make()));
        Self { free: free.into() }
    }

    /// The desks, nobody being at work.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut D> {
        self.free.get_mut().unwrap_or_else(PoisonError::into_inner).iter_mut()
    }

    /// Calls `work` with a desk. Makes one only where more threads come than there were when the desks were made.
    pub(crate) fn with<R>(&self, make: impl FnOnce() -> D, work: impl FnOnce(&mut D) -> R) -> R {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free().pop();
        let mut desk = taken.unwrap_or_else(make);
        let result = work(&mut desk);
        free().push(desk);
        result
    }
}
