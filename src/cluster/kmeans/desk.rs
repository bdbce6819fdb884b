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

/// The desks that nobody works at.
#[derive(Debug)]
pub(crate) struct Desks<F> {
    free: Mutex<Vec<Desk<F>>>,
    n_rows: usize,
    bounded: bool,
}

impl<F: Float> Desks<F> {
    /// Desks for shards of so many rows, with room for what is gathered where bounds are kept.
    pub(crate) fn new(centers: &Centers<F>, n_shards: usize, n_rows: usize, bounded: bool) -> Self {
        let desks = Self { free: Mutex::default(), n_rows, bounded };
        let mut free = Vec::with_capacity(n_shards);
        // A single shard does not wake the pool to ask how large it is.
        let threads = if n_shards > 1 { parallel::threads().min(n_shards) } else { 1 };
        free.extend((0..threads).map(|_| desks.desk(centers)));
        Self { free: free.into(), ..desks }
    }

    fn desk(&self, centers: &Centers<F>) -> Desk<F> {
        let room = centers.room(self.n_rows);
        let gathered = Gathered::new(if self.bounded { room.rows() } else { 0 }, centers.n_features);
        Desk { room, gathered }
    }

    /// Calls `work` with a desk. Allocates only where more threads come than there were when the desks were made.
    pub(crate) fn with<R>(&self, centers: &Centers<F>, work: impl FnOnce(&mut Desk<F>) -> R) -> R {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free().pop();
        let mut desk = taken.unwrap_or_else(|| self.desk(centers));
        let result = work(&mut desk);
        free().push(desk);
        result
    }
}
