//! Work shared by threads, with results that do not depend on how many there are.
//!
//! The work is cut into pieces by its size alone; each piece has its own place to write to, and whoever asked
//! folds the pieces in their order. The pool is the caller's (or rayon's default); it is never configured here.

/// Operations below which a second thread costs more than it brings.
#[cfg(any(feature = "rayon", test))]
pub(crate) const WORTH_THREADS: usize = 1 << 19;

/// Hands every item its stretch of `chunk` elements of `data`: by several threads where `operations` make that
/// worth while, and without them in order.
///
/// There must be an item for every stretch; the last stretch may be shorter.
pub(crate) fn zip_chunks<T: Send, U: Send>(
    operations: usize,
    items: &mut [T],
    data: &mut [U],
    chunk: usize,
    work: impl Fn(&mut T, &mut [U]) + Sync + Send,
) {
    debug_assert!(items.len() * chunk >= data.len(), "every stretch needs an item");
    #[cfg(feature = "rayon")]
    if operations >= WORTH_THREADS && items.len() > 1 {
        use rayon::prelude::*;
        items.par_iter_mut().zip(data.par_chunks_mut(chunk)).for_each(|(item, stretch)| work(item, stretch));
        return;
    }
    let _ = operations;
    items.iter_mut().zip(data.chunks_mut(chunk)).for_each(|(item, stretch)| work(item, stretch));
}

/// Calls `work` for every item: by several threads where `operations` make that worth while.
pub(crate) fn for_each<T: Send>(operations: usize, items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if operations >= WORTH_THREADS && items.len() > 1 {
        use rayon::prelude::*;
        items.par_iter_mut().for_each(work);
        return;
    }
    let _ = operations;
    items.iter_mut().for_each(work);
}

/// Runs `work` on a thread of the pool, where `operations` make it worth while that what it does there is shared.
pub(crate) fn inside<R: Send>(operations: usize, work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    if operations >= WORTH_THREADS && rayon::current_num_threads() > 1 {
        return rayon::scope(|_| work());
    }
    let _ = operations;
    work()
}

/// Whether `operations` are enough for two threads of the pool that the caller is in to share them.
pub(crate) fn worth_forking(operations: usize) -> bool {
    #[cfg(feature = "rayon")]
    if operations >= WORTH_FORKING && rayon::current_thread_index().is_some() {
        return rayon::current_num_threads() > 1;
    }
    let _ = operations;
    false
}

/// Multiply-adds, or numbers moved, from which a fork inside of the pool pays: some 200 µs of one core. On a virtual
/// machine, where a thread that sleeps is slow to wake, half of that gets slower by it.
#[cfg(feature = "rayon")]
const WORTH_FORKING: usize = 1 << 23;

/// Both, at the same time where a thread of the pool has nothing else to do.
pub(crate) fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    rayon::join(left, right);
    #[cfg(not(feature = "rayon"))]
    {
        left();
        right();
    }
}

/// Hands every stretch of `from` (of `from_len`) and the one of `to` (of `to_len`) in its place to `work`: by the threads
/// of the pool that the caller is in, where `operations` make that worth while. Allocates nothing.
pub(crate) fn pairs<A: Sync, B: Send>(
    operations: usize,
    (from, from_len): (&[A], usize),
    (to, to_len): (&mut [B], usize),
    work: &(impl Fn(&[A], &mut [B]) + Sync),
) {
    let count = to.len() / to_len.max(1);
    if count > 1 && worth_forking(operations) {
        let (left_from, right_from) = from.split_at(count / 2 * from_len);
        let (left_to, right_to) = to.split_at_mut(count / 2 * to_len);
        return join(
            || pairs(operations / 2, (left_from, from_len), (left_to, to_len), work),
            || pairs(operations / 2, (right_from, from_len), (right_to, to_len), work),
        );
    }
    from.chunks_exact(from_len).zip(to.chunks_exact_mut(to_len)).for_each(|(from, to)| work(from, to));
}

/// How many threads there are to share work.
pub(crate) fn threads() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_meets_its_own_stretch_with_and_without_threads() {
        for operations in [0, WORTH_THREADS] {
            let mut items: Vec<usize> = (0..5).collect();
            let mut data = vec![0; 18];
            zip_chunks(operations, &mut items, &mut data, 4, |item, stretch| {
                stretch.fill(*item);
                *item = stretch.len();
            });
            assert_eq!(items, [4, 4, 4, 4, 2]);
            assert_eq!(data, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4]);
            for_each(operations, &mut items, |item| *item *= 10);
            assert_eq!(items, [40, 40, 40, 40, 20]);
        }
    }
}
