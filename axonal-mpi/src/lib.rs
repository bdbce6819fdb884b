#![doc = include_str!("../README.md")]

use axonal::distributed::{Collective, Reduction, Values};
use axonal::{Error, Result};
use mpi::collective::{CommunicatorCollectives, SystemOperation};
use mpi::datatype::{Equivalence, PartitionMut};
use mpi::environment::Threading;
use mpi::topology::{Communicator, SimpleCommunicator};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// The processes of an MPI job.
///
/// [`Mpi::run`] makes it; see the [crate](crate) for a program.
#[derive(Debug)]
pub struct Mpi {
    rank: usize,
    size: usize,
    world: Mutex<World>,
}

/// The communicator of all processes, with buffers to receive in, because the binding has no sums in place.
struct World {
    communicator: SimpleCommunicator,
    f32: Vec<f32>,
    f64: Vec<f64>,
    i64: Vec<i64>,
    u64: Vec<u64>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

// SAFETY: a communicator is a handle of an object of the whole process. MPI is initialized for calls from several threads that
// are not concurrent (`MPI_THREAD_SERIALIZED`), and the mutex around this type serializes them.
#[allow(unsafe_code, reason = "the handle may be used from any thread, one at a time")]
unsafe impl Send for World {}

/// The elements of one call. What a call sums stays in the cache for the copy that follows: of ten million `f32` on two ranks
/// calls of 65,536 took 14 ms, one call 36 ms. MPI counts elements by an `int`.
const MAX_COUNT: usize = 1 << 16;

impl Mpi {
    /// Initializes MPI, runs `work` as one rank of the job, and finalizes MPI. Returns the result of this rank.
    ///
    /// A rank whose `work` returns an error or panics prints the message and aborts the whole job with exit code 1 or 101, so
    /// that no rank waits for it. MPI can be initialized once in a process.
    ///
    /// # Panics
    /// If MPI is initialized already or does not support calls from several threads one at a time.
    #[allow(clippy::panic, reason = "without MPI there is nothing to return to")]
    pub fn run<T>(work: impl FnOnce(&Mpi) -> Result<T>) -> T {
        let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Serialized) else {
            panic!("MPI is already initialized in this process");
        };
        let world = universe.world();
        assert!(
            threading >= Threading::Serialized,
            "the MPI library supports {threading:?} only; axonal-mpi needs Threading::Serialized"
        );
        let (rank, size) = (world.rank(), world.size());
        let group = Self {
            rank: usize::try_from(rank).unwrap_or(0),
            size: usize::try_from(size).unwrap_or(1),
            world: Mutex::new(World {
                communicator: universe.world(),
                f32: Vec::new(),
                f64: Vec::new(),
                i64: Vec::new(),
                u64: Vec::new(),
            }),
        };
        match catch_unwind(AssertUnwindSafe(|| work(&group))) {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => group.abort(&error.to_string(), 1),
            // The hook has printed the message.
            Err(_) => group.abort("panicked", 101),
        }
    }

    /// Ends the processes of all ranks.
    fn abort(&self, message: &str, code: i32) -> ! {
        eprintln!("rank {}: {message}", self.rank);
        self.world().communicator.abort(code)
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reduces numbers of which no value is special.
    fn reduce<T: Equivalence + Copy + Default>(
        communicator: &SimpleCommunicator,
        values: &mut [T],
        received: &mut Vec<T>,
        reduction: Reduction,
    ) -> Result<()> {
        let operation = match reduction {
            Reduction::Sum => SystemOperation::sum(),
            Reduction::Min => SystemOperation::min(),
            Reduction::Max => SystemOperation::max(),
            other => {
                let expected = "Sum, Min or Max";
                return Err(Error::invalid_parameter(
                    "all_reduce",
                    "reduction",
                    format!("{other:?}"),
                    expected,
                ));
            }
        };
        received.resize(values.len().min(MAX_COUNT), T::default());
        for values in values.chunks_mut(MAX_COUNT) {
            let received = &mut received[..values.len()];
            communicator.all_reduce_into(&*values, received, operation);
            values.copy_from_slice(received);
        }
        Ok(())
    }

    /// Replaces values by the least or the greatest of all ranks; NaN where any is NaN, which MPI does not promise.
    fn extremes(&self, values: &mut [f64], reduction: Reduction) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let all = self.all_gather(&bytes)?;
        for (index, value) in values.iter_mut().enumerate() {
            let of_ranks = all.iter().filter_map(|bytes| bytes.as_chunks::<8>().0.get(index));
            let of_ranks = of_ranks.map(|bytes| f64::from_le_bytes(*bytes));
            *value = of_ranks.fold(*value, |extreme, other| match reduction {
                _ if extreme.is_nan() || other.is_nan() => f64::NAN,
                Reduction::Min => extreme.min(other),
                _ => extreme.max(other),
            });
        }
        Ok(())
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_reduce(&self, values: Values<'_>, reduction: Reduction) -> Result<()> {
        let extremes = reduction != Reduction::Sum;
        match values {
            Values::F32(values) if extremes => {
                let mut wide: Vec<f64> = values.iter().copied().map(f64::from).collect();
                self.extremes(&mut wide, reduction)?;
                #[allow(clippy::cast_possible_truncation, reason = "each is the f32 of a rank")]
                values.iter_mut().zip(wide).for_each(|(value, wide)| *value = wide as f32);
                return Ok(());
            }
            Values::F64(values) if extremes => return self.extremes(values, reduction),
            _ => {}
        }
        let World { communicator, f32, f64, i64, u64 } = &mut *self.world();
        match values {
            Values::F32(values) => Self::reduce(communicator, values, f32, reduction),
            Values::F64(values) => Self::reduce(communicator, values, f64, reduction),
            Values::I64(values) => Self::reduce(communicator, values, i64, reduction),
            Values::U64(values) => Self::reduce(communicator, values, u64, reduction),
            other => Err(Error::invalid_parameter("all_reduce", "values", format!("{other:?}"), "numbers")),
        }
    }

    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let too_large = |len: usize| {
            Error::invalid_parameter("all_gather", "bytes", len, "at most 2147483647 of all ranks together")
        };
        let count = i32::try_from(bytes.len()).map_err(|_| too_large(bytes.len()))?;
        let world = self.world();
        let mut counts = vec![0_i32; self.size];
        world.communicator.all_gather_into(&count, &mut counts[..]);
        let mut starts = Vec::with_capacity(self.size);
        let mut total = 0_i32;
        for count in &counts {
            starts.push(total);
            total = total.checked_add(*count).ok_or_else(|| too_large(bytes.len()))?;
        }
        if total == 0 {
            // The exchange of the counts was a barrier already.
            return Ok(vec![Vec::new(); self.size]);
        }
        let mut all = vec![0_u8; usize::try_from(total).unwrap_or(0)];
        let mut parts = PartitionMut::new(&mut all[..], &counts[..], &starts[..]);
        world.communicator.all_gather_varcount_into(bytes, &mut parts);
        let mut rest = all.as_slice();
        let parts = counts.iter().map(|count| {
            let (part, tail) = rest.split_at(usize::try_from(*count).unwrap_or(0));
            rest = tail;
            part.to_vec()
        });
        Ok(parts.collect())
    }

    fn fail(&self, message: &str) {
        self.abort(message, 1)
    }
}
