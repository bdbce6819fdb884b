//! Work shared by threads, with results that do not depend on how many there are.
//!
//! The work is cut into pieces by its size alone; each piece has its own place to write to, and whoever asked
//! folds the pieces in their order. The pool is the caller's (or rayon's default); it is never configured here.

/// What it costs to move a number through an activation, a pooling or a dropout, in multiply-adds of a product.
pub(crate) const MOVE: usize = 32;

/// Operations below which a second thread costs more than it brings.
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
    if threads_for(operations, items.len()) > 1 {
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
    if threads_for(operations, items.len()) > 1 {
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
    if threads_for(operations, 2) > 1 {
        return rayon::scope(|_| work());
    }
    let _ = operations;
    work()
}

/// Runs `work`, which goes through batches of so many `operations`, on a thread of the pool whose other threads stay awake
/// for what it forks; where it stays, if a batch has too little to share.
///
/// A thread that sleeps takes longer to wake than most of the work of a training step takes. The others are asked, not
/// waited for: one that is busy elsewhere does not come, and nobody depends on it.
pub(crate) fn attended<R: Send>(operations: usize, work: impl FnOnce() -> R + Send) -> R {
    /// Below, no step of a batch is worth a fork.
    #[cfg(feature = "rayon")]
    const WORTH_ATTENDING: usize = 2 * AWAKE;
    #[cfg(feature = "rayon")]
    if operations >= WORTH_ATTENDING && rayon::current_num_threads() > 1 {
        return rayon::scope(|_| {
            let _attendance = attendance::Attendance::begin();
            work()
        });
    }
    let _ = operations;
    work()
}

#[cfg(feature = "rayon")]
mod attendance {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::LocalKey;
    use std::time::{Duration, Instant};

    /// The most threads that are kept awake: more do not find enough to share in a step.
    const MOST: usize = 7;

    /// How often a thread looks for work before it lets others have its processor.
    const LOOKS: u32 = 256;

    /// How long a thread attends before it looks whether what it was waiting for, if anything, is there.
    const SHIFT: Duration = Duration::from_millis(1);

    thread_local! {
        /// Whether the threads that what is forked here is meant for are awake.
        pub(super) static AWAKE: Cell<bool> = const { Cell::new(false) };
        /// Whether the thread has its part of work that is shared already.
        pub(super) static ALONE: Cell<bool> = const { Cell::new(false) };
        /// Whether the thread has something of its own to go on with.
        pub(super) static ENGAGED: Cell<bool> = const { Cell::new(false) };
    }

    /// A mark of the thread, until it is dropped; also by a panic.
    pub(super) struct Marked(&'static LocalKey<Cell<bool>>, bool);

    impl Marked {
        pub(super) fn with(mark: &'static LocalKey<Cell<bool>>, value: bool) -> Self {
            Self(mark, mark.replace(value))
        }
    }

    impl Drop for Marked {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }

    pub(super) struct Attendance {
        over: Arc<AtomicBool>,
        _marks: [Marked; 2],
    }

    impl Attendance {
        pub(super) fn begin() -> Self {
            let over = Arc::new(AtomicBool::new(false));
            for _ in 1..rayon::current_num_threads().min(MOST + 1) {
                let over = over.clone();
                rayon::spawn(move || attend(over));
            }
            Self { over, _marks: [Marked::with(&AWAKE, true), Marked::with(&ENGAGED, true)] }
        }
    }

    impl Drop for Attendance {
        fn drop(&mut self) {
            self.over.store(true, Ordering::Release);
        }
    }

    /// Does whatever there is to do in the pool until it is over. A thread that comes here while it waits for another
    /// goes back to that: to its own work at once, to that of a caller of this crate after a shift.
    fn attend(over: Arc<AtomicBool>) {
        if ENGAGED.get() {
            return;
        }
        let _awake = Marked::with(&AWAKE, true);
        let (begun, mut looks) = (Instant::now(), 0);
        while !over.load(Ordering::Acquire) {
            if rayon::yield_now() == Some(rayon::Yield::Executed) {
                looks = 0;
            } else if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else if begun.elapsed() < SHIFT {
                std::thread::yield_now();
            } else {
                return rayon::spawn(|| attend(over));
            }
        }
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

/// Multiply-adds from which a fork pays whose threads are [awake](attended): some 20 µs of one core. On a quiet machine a
/// quarter of that pays as well.
#[cfg(feature = "rayon")]
const AWAKE: usize = 1 << 21;

/// Multiply-adds, or numbers moved, from which a fork inside of the pool pays.
#[cfg(feature = "rayon")]
pub(crate) fn worth() -> usize {
    /// Some 200 µs of one core. On a virtual machine, where a thread that sleeps is slow to wake, half of that gets
    /// slower by it.
    const ASLEEP: usize = 1 << 23;
    match (attendance::ALONE.get(), attendance::AWAKE.get()) {
        (true, _) => usize::MAX,
        (_, true) => AWAKE,
        _ => ASLEEP,
    }
}

/// Both, at the same time where a thread of the pool has nothing else to do.
pub(crate) fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    {
        let _engaged = attendance::Marked::with(&attendance::ENGAGED, true);
        let awake = attendance::AWAKE.get();
        rayon::join(left, move || {
            let _awake = attendance::Marked::with(&attendance::AWAKE, awake);
            right();
        });
    }
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
    alone(|| items.iter_mut().for_each(work));
}

/// Calls `work` for every item, for each on a thread of its own, the caller's among them. A thread that comes late finds
/// what the others have left: `work` is to take pieces from where all of them do.
pub(crate) fn together<T: Send>(items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    let Some((own, others)) = items.split_first_mut() else { return };
    #[cfg(feature = "rayon")]
    rayon::scope(|scope| {
        for other in others {
            scope.spawn(move |_| alone(|| work(other)));
        }
        alone(|| work(own));
    });
    #[cfg(not(feature = "rayon"))]
    {
        work(own);
        others.iter_mut().for_each(work);
    }
}

/// Work whose parts are not to be shared again.
pub(crate) fn alone<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rayon")]
    let _alone = attendance::Marked::with(&attendance::ALONE, true);
    work()
}

/// How many threads share so many operations that are cut in so many pieces. Where one is enough, a pool that sleeps is not
/// woken, nor made, to ask it.
pub(crate) fn threads_for(operations: usize, pieces: usize) -> usize {
    if operations < WORTH_THREADS || pieces < 2 { 1 } else { threads().min(pieces) }
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
