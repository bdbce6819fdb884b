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
    /// Of each cluster, whether its rows are others than they were; where the rows are turned already.
    pub(crate) marks: Vec<bool>,
}

/// The desks that nobody works at.
#[derive(Debug)]
pub(crate) struct Desks<F> {
    free: Mutex<Vec<Desk<F>>>,
    n_rows: usize,
    what_for: Tasks,
}

/// What there is to be done at a desk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tasks {
    /// Rows are gathered from a block: bounds are kept.
    pub(crate) gather: bool,
    /// The rows are turned already.
    pub(crate) turned: bool,
}

impl<F: Float> Desks<F> {
    /// Desks for shards of so many rows.
    pub(crate) fn new(centers: &Centers<F>, n_shards: usize, n_rows: usize, what_for: Tasks) -> Self {
        let desks = Self { free: Mutex::default(), n_rows, what_for };
        let mut free = Vec::with_capacity(n_shards);
        // A single shard does not wake the pool to ask how large it is.
        let threads = if n_shards > 1 { parallel::threads().min(n_shards) } else { 1 };
        free.extend((0..threads).map(|_| desks.desk(centers)));
        Self { free: free.into(), ..desks }
    }

    fn desk(&self, centers: &Centers<F>) -> Desk<F> {
        let Tasks { gather, turned } = self.what_for;
        let room = if turned { centers.room_for_turned(self.n_rows) } else { centers.room(self.n_rows) };
        let gathered = Gathered::new(if gather { room.rows() } else { 0 }, centers.n_features);
        let marks = vec![false; if turned { centers.n_clusters() } else { 0 }];
        Desk { room, gathered, marks }
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
