//! Splits work among the threads of the caller's pool, with results that do not depend on their number.
//!
//! Work is cut into pieces by its size alone. Each piece writes to separate memory, and the caller combines the
//! pieces in their order. The pool is the caller's, or rayon's global one; this crate never configures it. Without
//! the feature `rayon` all work runs on the calling thread.
//!
//! | function | for |
//! |---|---|
//! | [`zip_chunks`], [`for_each`] | loops over many rows, from anywhere |
//! | [`for_each_split`], [`join`] | parts of a training step, within the pool, without allocation |
//! | [`on_each_worker`] | `predict`: as many workers as threads, which take batches from a queue |
//! | [`with_hot_pool`] | an epoch or a fit, whose forks are short: keeps the other threads awake |
//! | [`sequentially`] | a piece of split work |
//!
//! A piece of split work is not split again: nested forks took a third of the time of training 784-128-10 in batches
//! of 32 (`cargo bench --bench training`, B1). [`thresholds`] lists the sizes from which each kind of work is split.

#[cfg(feature = "rayon")]
mod hot_pool;
pub(crate) mod thresholds;

#[cfg(feature = "rayon")]
use crate::host::HAS_CLOCK;
#[cfg(feature = "rayon")]
use hot_pool::{FlagGuard, HAS_OWN_WORK, HotPool, IN_FORK, POOL_IS_HOT};
use thresholds::MIN_ELEMENTS_TO_FORK;
#[cfg(feature = "rayon")]
use thresholds::{MIN_OPS_TO_FORK_COLD, MIN_OPS_TO_FORK_HOT, MIN_OPS_TO_KEEP_POOL_HOT};

/// Calls `work` for each item and its chunk of `chunk` elements of `data`: on several threads if there are enough
/// `elements` to visit, else in order.
///
/// There must be an item for every chunk. The last chunk may be shorter.
pub(crate) fn zip_chunks<T: Send, U: Send>(
    elements: usize,
    items: &mut [T],
    data: &mut [U],
    chunk: usize,
    work: impl Fn(&mut T, &mut [U]) + Sync + Send,
) {
    debug_assert!(items.len() * chunk >= data.len(), "every chunk needs an item");
    #[cfg(feature = "rayon")]
    if threads_for(elements, items.len()) > 1 {
        return halve_chunks(items, data, chunk, &work);
    }
    let _ = elements;
    items.iter_mut().zip(data.chunks_mut(chunk)).for_each(|(item, chunk)| work(item, chunk));
}

/// Calls `work` for each item: on several threads if there are enough `elements` to visit, else in order.
pub(crate) fn for_each<T: Send>(elements: usize, items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
    // Units take no memory.
    let mut units = vec![(); items.len()];
    zip_chunks(elements, items, &mut units, 1, |item, _| work(item));
}

/// Calls `work` for each item and its chunk; other threads take halves of them, down to a single one.
#[cfg(feature = "rayon")]
fn halve_chunks<T: Send, U: Send>(
    items: &mut [T],
    data: &mut [U],
    chunk: usize,
    work: &(dyn Fn(&mut T, &mut [U]) + Sync),
) {
    if items.len() < 2 {
        return items.iter_mut().zip(data.chunks_mut(chunk)).for_each(|(item, chunk)| work(item, chunk));
    }
    let middle = items.len() / 2;
    let (left, right) = items.split_at_mut(middle);
    let (left_data, right_data) = data.split_at_mut(middle.saturating_mul(chunk).min(data.len()));
    fork(|| halve_chunks(left, left_data, chunk, work), || halve_chunks(right, right_data, chunk, work));
}

/// Number of threads that share `elements` in `n_pieces`. It is 1 for little work, without a look at the pool, which
/// would start the global one.
pub(crate) fn threads_for(elements: usize, n_pieces: usize) -> usize {
    if elements < MIN_ELEMENTS_TO_FORK || n_pieces < 2 { 1 } else { threads().min(n_pieces) }
}

/// Number of threads of the current pool.
pub(crate) fn threads() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

/// Work that one thread passes to another. It is a trait object, so that rayon's side of a fork is compiled once and not for
/// every piece of work, which took 50 KB of a small program.
#[cfg(feature = "rayon")]
type Job<'a> = &'a mut (dyn FnMut() + Send);

/// Passes `work` as a job to `run`, which must call it, and returns its result.
#[cfg(feature = "rayon")]
#[allow(clippy::expect_used, reason = "the functions of this module call their jobs, or panic")]
fn as_job<R: Send>(work: impl FnOnce() -> R + Send, run: impl FnOnce(Job<'_>)) -> R {
    let (mut work, mut result) = (Some(work), None);
    run(&mut || result = work.take().map(|work| work()));
    result.expect("the job has run")
}

/// Runs a job on a thread of the pool, whose other threads stay awake meanwhile if `hot`.
#[cfg(feature = "rayon")]
fn run_in_pool(job: Job<'_>, hot: bool) {
    rayon::scope(|_| {
        let _hot = hot.then(HotPool::start);
        job();
    });
}

/// Calls both functions, the second on another thread of the pool if one is idle. From a thread outside the pool both run in it.
#[cfg(feature = "rayon")]
fn fork(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    as_job(left, |left| {
        as_job(right, |right| {
            rayon::join(left, right);
        });
    });
}

/// Runs `work` on a thread of the pool, so that its forks do not have to enter the pool each.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    if threads() > 1 {
        return as_job(work, |job| run_in_pool(job, false));
    }
    work()
}

/// Runs `work` in a separate pool with this number of threads, apart from the global pool; in the current one if the
/// system refuses threads.
pub(crate) fn with_own_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    if let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        return pool.install(work);
    }
    let _ = threads;
    work()
}

/// Runs `work`, a loop over batches of `ops` each, on a thread of the pool and keeps the other threads awake for its
/// forks. Runs it on the calling thread if a batch has too few ops to split, or without a clock, by which the polling
/// threads return to their own work.
pub(crate) fn with_hot_pool<R: Send>(ops: usize, work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    if ops >= MIN_OPS_TO_KEEP_POOL_HOT && HAS_CLOCK && rayon::current_num_threads() > 1 {
        return as_job(work, |job| run_in_pool(job, true));
    }
    let _ = ops;
    work()
}

/// Whether `ops` are enough to split between two threads of the pool. False on a thread outside the pool.
pub(crate) fn should_fork(ops: usize) -> bool {
    #[cfg(feature = "rayon")]
    if rayon::current_thread_index().is_some() && ops >= min_ops_to_fork() {
        return rayon::current_num_threads() > 1;
    }
    let _ = ops;
    false
}

/// Ops from which a fork of this thread pays; see [`thresholds`].
#[cfg(feature = "rayon")]
pub(crate) fn min_ops_to_fork() -> usize {
    match (IN_FORK.get(), POOL_IS_HOT.get()) {
        (true, _) => usize::MAX,
        (_, true) => MIN_OPS_TO_FORK_HOT,
        _ => MIN_OPS_TO_FORK_COLD,
    }
}

/// Calls both functions, the second on another thread of the pool if one is idle.
pub(crate) fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    {
        let _own_work = FlagGuard::set(&HAS_OWN_WORK, true);
        let hot = POOL_IS_HOT.get();
        fork(left, move || {
            let _hot = FlagGuard::set(&POOL_IS_HOT, hot);
            right();
        });
    }
    #[cfg(not(feature = "rayon"))]
    {
        left();
        right();
    }
}

/// Calls `work` for each item, halving the items between threads of the pool while there are enough `ops`. The pieces
/// are not split again. Allocates nothing.
pub(crate) fn for_each_split<T: Send>(ops: usize, items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    if items.len() > 1 && should_fork(ops) {
        let (left, right) = items.split_at_mut(items.len().div_ceil(2));
        let half = ops / 2;
        return join(|| for_each_in_fork(half, left, work), || for_each_in_fork(half, right, work));
    }
    items.iter_mut().for_each(work);
}

/// One side of a fork: halves its items again if the pool has more than two threads.
fn for_each_in_fork<T: Send>(ops: usize, items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    if items.len() > 1 && threads() > 2 {
        return for_each_split(ops, items, work);
    }
    sequentially(|| items.iter_mut().for_each(work));
}

/// Calls `work` for each item on a separate thread; the caller's thread takes the first. `work` must take its pieces
/// from a queue that all share: a thread that wakes late then finds less to do instead of delaying the others.
pub(crate) fn on_each_worker<T: Send>(items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    let Some((first, others)) = items.split_first_mut() else { return };
    #[cfg(feature = "rayon")]
    rayon::scope(|scope| {
        for other in others {
            scope.spawn(move |_| sequentially(|| work(other)));
        }
        sequentially(|| work(first));
    });
    #[cfg(not(feature = "rayon"))]
    {
        work(first);
        others.iter_mut().for_each(work);
    }
}

/// Runs a piece of split work, whose own forks run on this thread.
pub(crate) fn sequentially<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rayon")]
    let _in_fork = FlagGuard::set(&IN_FORK, true);
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_gets_its_chunk_on_one_thread_and_on_several() {
        for elements in [0, MIN_ELEMENTS_TO_FORK] {
            let mut items: Vec<usize> = (0..5).collect();
            let mut data = vec![0; 18];
            zip_chunks(elements, &mut items, &mut data, 4, |item, chunk| {
                chunk.fill(*item);
                *item = chunk.len();
            });
            assert_eq!(items, [4, 4, 4, 4, 2]);
            assert_eq!(data, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4]);
            for_each(elements, &mut items, |item| *item *= 10);
            assert_eq!(items, [40, 40, 40, 40, 20]);
        }
    }
}
