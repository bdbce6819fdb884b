//! A barrier between threads that a failing or an ending thread opens with an error.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Polls before a waiting thread yields its processor, and yields before it sleeps. Waking a thread takes longer than most
/// exchanges of a training step.
const POLLS: u32 = 4096;
const YIELDS: u32 = 64;

/// The barrier of a group of `size` threads.
#[derive(Debug)]
pub(super) struct Barrier {
    size: usize,
    state: Mutex<State>,
    opened: Condvar,
    /// The number of times that the barrier has opened; a copy of that in `state`, to poll.
    generation: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    arrived: usize,
    generation: usize,
    /// The rank that failed first, or that ended while others wait, and why.
    closed: Option<(usize, String)>,
}

impl Barrier {
    pub(super) fn new(size: usize) -> Self {
        Self { size, state: Mutex::default(), opened: Condvar::new(), generation: AtomicUsize::new(0) }
    }

    /// A panic while the lock is held leaves the counters whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all threads have called this.
    pub(super) fn wait(&self) -> Result<()> {
        let generation = {
            let mut state = self.lock();
            state.check()?;
            state.arrived += 1;
            if state.arrived == self.size {
                state.arrived = 0;
                state.generation = state.generation.wrapping_add(1);
                self.generation.store(state.generation, Ordering::Release);
                self.opened.notify_all();
                return Ok(());
            }
            state.generation
        };
        for poll in 0..POLLS + YIELDS {
            if self.generation.load(Ordering::Acquire) != generation {
                return Ok(());
            }
            if poll < POLLS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        let mut state = self.lock();
        while state.generation == generation {
            state.check()?;
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Lets every waiting and every further call return an error. The first reason stays.
    pub(super) fn close(&self, rank: usize, reason: &str) {
        self.lock().closed.get_or_insert_with(|| (rank, reason.to_owned()));
        self.opened.notify_all();
    }
}

impl State {
    fn check(&self) -> Result<()> {
        match &self.closed {
            Some((rank, problem)) => Err(Error::Distributed { rank: *rank, problem: problem.clone() }),
            None => Ok(()),
        }
    }
}
