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

/// Runs `work` while the other threads of the pool that the caller is in stay awake for what it forks.
///
/// A thread that sleeps takes longer to wake than most of the work of a training step takes. The others are asked, not
/// waited for: one that is busy elsewhere does not come, and nobody depends on it.
pub(crate) fn attended<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rayon")]
    if let (Some(leader), 2..) = (rayon::current_thread_index(), rayon::current_num_threads()) {
        let _attendance = attendance::Attendance::begin(leader);
        return work();
    }
    work()
}

#[cfg(feature = "rayon")]
mod attendance {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The most threads that are kept awake: more do not find enough to share in a step.
    const MOST: usize = 7;

    /// How often a thread looks for work before it lets others have its processor.
    const LOOKS: u32 = 256;

    thread_local! {
        static ATTENDED: Cell<bool> = const { Cell::new(false) };
        static ALONE: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether the threads that what the caller forks is meant for are awake.
    pub(super) fn holds() -> bool {
        ATTENDED.get()
    }

    /// Whether the caller has its part of work that is shared already.
    pub(super) fn alone() -> bool {
        ALONE.get()
    }

    /// Until it is dropped, the thread shares nothing.
    pub(super) struct Alone {
        before: bool,
    }

    impl Alone {
        pub(super) fn begin() -> Self {
            Self { before: ALONE.replace(true) }
        }
    }

    impl Drop for Alone {
        fn drop(&mut self) {
            ALONE.set(self.before);
        }
    }

    /// Ends when it is dropped, also by a panic.
    pub(super) struct Attendance {
        over: Arc<AtomicBool>,
        before: bool,
    }

    impl Attendance {
        pub(super) fn begin(leader: usize) -> Self {
            let over = Arc::new(AtomicBool::new(false));
            for _ in 1..rayon::current_num_threads().min(MOST + 1) {
                let over = over.clone();
                rayon::spawn(move || attend(leader, &over));
            }
            Self { over, before: ATTENDED.replace(true) }
        }
    }

    impl Drop for Attendance {
        fn drop(&mut self) {
            self.over.store(true, Ordering::Release);
            ATTENDED.set(self.before);
        }
    }

    /// Does whatever there is to do in the pool until it is over.
    fn attend(leader: usize, over: &AtomicBool) {
        // The leader would wait for itself.
        if rayon::current_thread_index() == Some(leader) {
            return;
        }
        let before = ATTENDED.replace(true);
        let mut looks = 0;
        while !over.load(Ordering::Acquire) {
            if rayon::yield_now() == Some(rayon::Yield::Executed) {
                looks = 0;
            } else if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        ATTENDED.set(before);
    }
}

/// Whether `operations` are enough for two threads of the pool that the caller is in to share them.
pub(crate) fn worth_forking(operations: usize) -> bool {
    #[cfg(feature = "rayon")]
    if rayon::current_thread_index().is_some() && operations >= worth() {
        return rayon::current_num_threads() > 1;
    }
    let _ = operations;
    false
}

/// Multiply-adds, or numbers moved, from which a fork inside of the pool pays.
#[cfg(feature = "rayon")]
pub(crate) fn worth() -> usize {
    /// Some 200 µs of one core. On a virtual machine, where a thread that sleeps is slow to wake, half of that gets
    /// slower by it.
    const ASLEEP: usize = 1 << 23;
    /// The same for threads that are [`attended`].
    const AWAKE: usize = 1 << 22;
    match (attendance::alone(), attendance::holds()) {
        (true, _) => usize::MAX,
        (_, true) => AWAKE,
        _ => ASLEEP,
    }
}

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

/// Calls `work` for every item: by the threads of the pool that the caller is in, where `operations` make that worth
/// while; what they then do is not shared again. Allocates nothing.
pub(crate) fn share<T: Send>(operations: usize, items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    if items.len() > 1 && worth_forking(operations) {
        let (left, right) = items.split_at_mut(items.len().div_ceil(2));
        let part = operations / 2;
        return join(|| share_part(part, left, work), || share_part(part, right, work));
    }
    items.iter_mut().for_each(work);
}

fn share_part<T: Send>(operations: usize, items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    if items.len() > 1 && threads() > 2 {
        return share(operations, items, work);
    }
    #[cfg(feature = "rayon")]
    let _alone = attendance::Alone::begin();
    items.iter_mut().for_each(work);
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
