//! What a thread works with while it labels rows: as many of them as there are threads, not as there are shards.

use super::bounds::Gathered;
use super::group::Room;
use super::nearest::Centers;
use crate::float::Float;
use crate::parallel;
use std::sync::{Mutex, PoisonError};

/// A thread's room for the rows that it searches, and for those that are gathered from a block.
#[derive(Debug)]
pub(crate) struct Desk<F> {
    pub(crate) room: Room<F>,
    pub(crate) gathered: Gathered<F>,
}

/// What there is to be done at a desk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tasks {
    /// Rows are gathered from a block: bounds are kept.
    pub(crate) gather: bool,
    /// The rows are turned already.
    pub(crate) turned: bool,
}

impl<F: Float> Desk<F> {
    /// A desk for a shard of so many rows.
    pub(crate) fn new(centers: &Centers<F>, n_rows: usize, Tasks { gather, turned }: Tasks) -> Self {
        let room = if turned { centers.room_for_turned(n_rows) } else { centers.room(n_rows) };
        let gathered = Gathered::new(if gather { room.rows() } else { 0 }, centers.n_features);
        Self { room, gathered }
    }
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
