//! Keeps the threads of a pool awake for the work that one of them is about to fork.
//!
//! A rayon thread that finds no work soon sleeps, and waking it takes longer than most of the work of a training
//! step. [`HotPool`] therefore gives the other threads a job that polls for work until the pool cools down. A thread
//! executes other jobs from within that job, on top of its stack, so the job must not hold back a thread that waits
//! for something:
//!
//! - A thread that waits for its own half of a [`join`](super::join) steals the polling job like any other. It has
//!   [`HAS_OWN_WORK`] and returns immediately.
//! - A thread that waits in a `join` of the program that calls this crate cannot be recognized. So every polling job
//!   ends after [`REQUEUE_AFTER`] and queues itself again, which lets the thread look whether its work is done.
//!
//! Nothing depends on a polling thread: a thread that is busy elsewhere simply does not poll.

use super::thresholds::MAX_HOT_THREADS;
use crate::host::Timer;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::LocalKey;
use std::time::Duration;

/// Unsuccessful polls after which a thread yields its processor to other processes.
const POLLS_BEFORE_YIELD: u32 = 256;

/// Time after which a polling job queues itself again.
const REQUEUE_AFTER: Duration = Duration::from_millis(1);

thread_local! {
    /// Whether the threads that would execute a fork of this thread are awake.
    pub(super) static POOL_IS_HOT: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread executes a piece of split work, which is not split again.
    pub(super) static IN_FORK: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread has work of this crate to return to.
    pub(super) static HAS_OWN_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Sets a flag of the thread and restores it on drop, also during a panic.
pub(super) struct FlagGuard {
    flag: &'static LocalKey<Cell<bool>>,
    previous: bool,
}

impl FlagGuard {
    pub(super) fn set(flag: &'static LocalKey<Cell<bool>>, value: bool) -> Self {
        Self { flag, previous: flag.replace(value) }
    }
}

impl Drop for FlagGuard {
    fn drop(&mut self) {
        self.flag.set(self.previous);
    }
}

/// Keeps the other threads of the pool polling for work until it is dropped.
pub(super) struct HotPool {
    cooled: Arc<AtomicBool>,
    _flags: [FlagGuard; 2],
}

impl HotPool {
    /// Starts the polling jobs. Must be called on a thread of the pool.
    pub(super) fn start() -> Self {
        let cooled = Arc::new(AtomicBool::new(false));
        for _ in 1..rayon::current_num_threads().min(MAX_HOT_THREADS + 1) {
            let cooled = cooled.clone();
            rayon::spawn(move || poll(cooled));
        }
        Self { cooled, _flags: [FlagGuard::set(&POOL_IS_HOT, true), FlagGuard::set(&HAS_OWN_WORK, true)] }
    }
}

impl Drop for HotPool {
    fn drop(&mut self) {
        self.cooled.store(true, Ordering::Release);
    }
}

/// Executes the jobs of the pool until it has cooled down.
fn poll(cooled: Arc<AtomicBool>) {
    if HAS_OWN_WORK.get() {
        return;
    }
    let _hot = FlagGuard::set(&POOL_IS_HOT, true);
    let (start, mut polls) = (Timer::start(), 0);
    while !cooled.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            polls = 0;
        } else if polls < POLLS_BEFORE_YIELD {
            polls += 1;
            std::hint::spin_loop();
        } else if start.elapsed() < REQUEUE_AFTER {
            std::thread::yield_now();
        } else {
            return rayon::spawn(|| poll(cooled));
        }
    }
}
