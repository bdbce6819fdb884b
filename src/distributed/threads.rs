//! A group of threads of one process.

use super::barrier::Barrier;
use super::exchange::{Element, Exchange};
use super::{Collective, Reduction, Values};
use crate::error::{Error, Result};
use crate::parallel;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder, ScopedJoinHandle};

/// One rank of a group of threads of this process, for tests and for machines with many cores.
///
/// # Examples
/// ```
/// use axonal::distributed::{Collective, Threads};
///
/// # fn main() -> axonal::Result<()> {
/// let greetings = Threads::run(2, |group| {
///     let all = group.all_gather(format!("from rank {}", group.rank()).as_bytes())?;
///     Ok(String::from_utf8_lossy(&all.concat()).into_owned())
/// })?;
/// assert_eq!(greetings[1], "from rank 0from rank 1");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Threads<'g> {
    rank: usize,
    shared: &'g Shared,
    /// The number of calls of this rank, which the sets of slots alternate by.
    calls: AtomicUsize,
}

/// What the ranks of a group share.
#[derive(Debug)]
struct Shared {
    size: usize,
    barrier: Barrier,
    /// What each rank calls: element type, reduction and number of values, to detect ranks whose calls differ.
    calls: Exchange<u64>,
    f32: Exchange<f32>,
    f64: Exchange<f64>,
    i64: Exchange<i64>,
    u64: Exchange<u64>,
    bytes: Exchange<u8>,
}

/// The outcome of a rank: its result, or its panic.
type Outcome<T> = std::result::Result<Result<T>, Box<dyn Any + Send>>;

impl Threads<'_> {
    /// Runs `work` on `n` threads, each one rank of a group, and returns their results in the order of the ranks. The threads
    /// of the program are divided among the ranks.
    ///
    /// # Errors
    /// `n` of 0, threads that the system refuses (WebAssembly has none), and the error of the rank that failed first: it ends the group, and the calls of the other ranks return
    /// [`Error::Distributed`].
    ///
    /// # Panics
    /// With the panic of a rank, after the other ranks have ended.
    pub fn run<T: Send>(n: usize, work: impl Fn(&Threads<'_>) -> Result<T> + Sync) -> Result<Vec<T>> {
        if n == 0 {
            return Err(Error::invalid_parameter("Threads::run", "n", 0, "at least 1"));
        }
        let shared = Shared::new(n);
        let threads = (parallel::threads() / n).max(1);
        let run_rank = |rank| -> Outcome<T> {
            let group = Threads { rank, shared: &shared, calls: AtomicUsize::new(0) };
            let outcome =
                catch_unwind(AssertUnwindSafe(|| parallel::with_own_pool(threads, || work(&group))));
            let end = match &outcome {
                Ok(Ok(_)) => "has ended while other ranks wait for it".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panicked: {}", message_of(&**panic)),
            };
            shared.barrier.close(rank, &end);
            outcome
        };
        let run_rank = &run_rank;
        let outcomes: Vec<Outcome<T>> = thread::scope(|scope| {
            let spawn = |rank| {
                let worker = Builder::new().spawn_scoped(scope, move || run_rank(rank));
                worker.map_err(|cause| {
                    let problem = format!("cannot start its thread: {cause}; use fewer ranks");
                    shared.barrier.close(rank, &problem);
                    Error::Distributed { rank, problem }
                })
            };
            let workers: Vec<_> = (0..n).map(spawn).collect();
            let join = |worker: ScopedJoinHandle<'_, Outcome<T>>| worker.join().unwrap_or_else(Err);
            workers.into_iter().map(|worker| worker.map_or_else(|error| Ok(Err(error)), join)).collect()
        });
        results_of(outcomes)
    }

    /// Begins a call: makes sure that all ranks make the same, and returns the set of slots to use. `put` writes the values.
    fn begin(&self, call: [u64; 3], put: impl FnOnce(usize)) -> Result<usize> {
        let set = self.calls.fetch_add(1, Ordering::Relaxed) % 2;
        self.shared.calls.put(set, self.rank, &call);
        put(set);
        self.shared.barrier.wait()?;
        match self.shared.calls.first_difference(set) {
            None => Ok(set),
            Some(rank) => {
                let problem = "makes another call, or one with another number of values, than rank 0; let every rank make \
                               the same calls in the same order";
                Err(Error::Distributed { rank, problem: problem.into() })
            }
        }
    }

    fn reduce<T: Element>(
        &self,
        kind: u64,
        exchange: &Exchange<T>,
        values: &mut [T],
        reduction: Reduction,
    ) -> Result<()> {
        let call = [kind, reduction as u64, values.len() as u64];
        let set = self.begin(call, |set| exchange.put(set, self.rank, values))?;
        exchange.reduce(set, self.rank, &self.shared.barrier, reduction, values)
    }
}

impl Shared {
    fn new(size: usize) -> Self {
        Self {
            barrier: Barrier::new(size),
            calls: Exchange::new(size),
            f32: Exchange::new(size),
            f64: Exchange::new(size),
            i64: Exchange::new(size),
            u64: Exchange::new(size),
            bytes: Exchange::new(size),
            size,
        }
    }
}

impl Collective for Threads<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size
    }

    fn all_reduce(&self, values: Values<'_>, reduction: Reduction) -> Result<()> {
        match values {
            Values::F32(values) => self.reduce(1, &self.shared.f32, values, reduction),
            Values::F64(values) => self.reduce(2, &self.shared.f64, values, reduction),
            Values::I64(values) => self.reduce(3, &self.shared.i64, values, reduction),
            Values::U64(values) => self.reduce(4, &self.shared.u64, values, reduction),
        }
    }

    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let shared = &self.shared;
        let set = self.begin([0, 0, 0], |set| shared.bytes.put(set, self.rank, bytes))?;
        Ok(shared.bytes.all(set))
    }

    fn fail(&self, message: &str) {
        self.shared.barrier.close(self.rank, message);
    }
}

/// The text of a panic.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("with a value that is no text")
}

/// The results of all ranks, or the error that others follow from.
fn results_of<T>(outcomes: Vec<Outcome<T>>) -> Result<Vec<T>> {
    let mut results = Vec::with_capacity(outcomes.len());
    let (mut cause, mut consequence) = (None, None);
    for outcome in outcomes {
        match outcome {
            Ok(Ok(result)) => results.push(result),
            Ok(Err(error @ Error::Distributed { .. })) => {
                consequence.get_or_insert(error);
            }
            Ok(Err(error)) => {
                cause.get_or_insert(error);
            }
            Err(panic) => resume_unwind(panic),
        }
    }
    match cause.or(consequence) {
        Some(error) => Err(error),
        None => Ok(results),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_family = "wasm")]
    #[test]
    fn without_threads_a_group_is_an_error() {
        let message = Threads::run(2, |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("rank 0") && message.contains("cannot start its thread"), "{message}");
    }

    #[test]
    fn reductions_are_those_of_the_ranks_in_order() {
        for n in 1..=4 {
            // Below and above the number of values from which ranks reduce parts, and not divisible by the ranks.
            for len in [0, 1, 7, 5003] {
                let value = |rank: usize, i: usize| 0.1f32 * (i % 17) as f32 - rank as f32 / 3.0;
                let results = Threads::run(n, |group| {
                    let own: Vec<f32> = (0..len).map(|i| value(group.rank(), i)).collect();
                    let [mut sum, mut min, mut max] = [own.clone(), own.clone(), own];
                    group.all_reduce((&mut sum).into(), Reduction::Sum)?;
                    group.all_reduce((&mut min).into(), Reduction::Min)?;
                    group.all_reduce((&mut max).into(), Reduction::Max)?;
                    Ok([sum, min, max])
                })
                .unwrap();
                for [sum, min, max] in results {
                    for i in 0..len {
                        let all = || (0..n).map(|rank| value(rank, i));
                        let in_order = all().skip(1).fold(value(0, i), |sum, v| sum + v);
                        assert_eq!(sum[i].to_bits(), in_order.to_bits());
                        assert_eq!(min[i], all().fold(f32::INFINITY, f32::min));
                        assert_eq!(max[i], all().fold(f32::NEG_INFINITY, f32::max));
                    }
                }
            }
        }
    }

    #[test]
    fn integers_and_nan_are_reduced() {
        let results = Threads::run(3, |group| {
            let rank = group.rank();
            let (mut signed, mut unsigned) = ([rank as i64 - 1, i64::MIN], [rank as u64, u64::MAX]);
            let mut doubles = [if rank == 1 { f64::NAN } else { 1.0 }];
            group.all_reduce((&mut signed).into(), Reduction::Min)?;
            group.all_reduce((&mut unsigned).into(), Reduction::Max)?;
            group.all_reduce((&mut doubles).into(), Reduction::Max)?;
            Ok((signed, unsigned, doubles[0].is_nan()))
        });
        assert_eq!(results.unwrap(), [([-1, i64::MIN], [2, u64::MAX], true); 3]);
    }

    #[test]
    fn bytes_of_different_lengths_are_gathered_and_broadcast() {
        let results = Threads::run(3, |group| {
            let own = vec![group.rank() as u8; group.rank()];
            let all = group.all_gather(&own)?;
            let mut broadcast = own;
            group.broadcast(&mut broadcast, 2)?;
            group.barrier()?;
            assert!(group.broadcast(&mut Vec::new(), 3).is_err());
            Ok((all, broadcast))
        });
        for (all, broadcast) in results.unwrap() {
            assert_eq!(all, [vec![], vec![1], vec![2, 2]]);
            assert_eq!(broadcast, [2, 2]);
        }
    }

    #[test]
    fn a_rank_that_fails_or_ends_early_ends_the_group() {
        let failed = Threads::run(3, |group| match group.rank() {
            1 => Err(Error::invalid_parameter("here", "rate", 2, "1")),
            _ => group.barrier(),
        });
        assert_eq!(failed.unwrap_err().to_string(), "here: rate is 2, expected 1");
        let ended = Threads::run(2, |group| if group.rank() == 0 { Ok(()) } else { group.barrier() });
        let message = ended.unwrap_err().to_string();
        assert!(message.contains("rank 0") && message.contains("has ended"), "{message}");
        let closed = Threads::run(2, |group| {
            if group.rank() == 0 {
                group.fail("the disk is full");
            }
            group.barrier()
        });
        assert!(closed.unwrap_err().to_string().contains("the disk is full"));
        assert!(Threads::run(0, |_| Ok(())).is_err());
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "needs threads")]
    fn ranks_whose_calls_differ_get_an_error() {
        let differ = Threads::run(2, |group| {
            let mut values = vec![1.0; 1 + group.rank()];
            group.all_reduce((&mut values).into(), Reduction::Sum)
        });
        assert!(differ.unwrap_err().to_string().contains("number of values"));
        let kinds = Threads::run(2, |group| match group.rank() {
            0 => group.barrier(),
            _ => group.all_reduce((&mut [1.0f32]).into(), Reduction::Sum),
        });
        assert!(kinds.is_err());
    }

    #[test]
    #[should_panic(expected = "rank 1 gives up")]
    fn a_panic_reaches_the_caller_after_all_ranks_have_ended() {
        let _ = Threads::run(2, |group| {
            assert!(group.rank() == 0, "rank 1 gives up");
            group.barrier()
        });
    }
}
