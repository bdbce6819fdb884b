//! The sizes of work from which it is split among threads: all thresholds of the crate in one place.
//!
//! There are two units. One *op* is a multiply-add of a matrix product; a core with AVX-512 does about 130 of them in
//! a nanosecond for `f32`, with AVX2 about 60. One *element* is an element that a plain loop visits, at a cost of
//! [`OPS_PER_ELEMENT`] ops. The thresholds are powers of two, because the optimum is flat: half or twice the value
//! changes a run by a few percent.
//!
//! | constant | value | unit | decides |
//! |---|---|---|---|
//! | [`MIN_ELEMENTS_TO_FORK`] | 2¹⁹ | elements | loops over rows: k-means, silhouette |
//! | `MIN_OPS_TO_FORK_HOT` | 2²¹ | ops | forks while the pool is hot: products, updates, batch chunks |
//! | `MIN_OPS_TO_FORK_COLD` | 2²³ | ops | the same forks while the pool sleeps |
//! | `MIN_OPS_TO_FORK_FROM_OUTSIDE` | 2²⁵ | ops | a product whose caller is not a thread of the pool |
//! | `MIN_OPS_TO_KEEP_POOL_HOT` | 2²² | ops a batch | whether an epoch keeps the pool awake |
//! | [`MIN_OPS_TO_ENTER_POOL`] | 2²⁴ | ops a step | whether a single training step enters the pool |
//! | [`MIN_OPS_TO_SPLIT_BATCH`] | 2²² | ops a pass | whether a layer's pass runs in chunks of the batch |
//! | [`MIN_OPS_PER_PREDICT_THREAD`] | 2²³ | ops a thread | how many threads `predict` uses |
//! | [`MIN_SCAN_ROWS`] | 8 | rows | how many threads share the scan of a recurrent layer |
//! | [`MAX_UPDATE_THREADS`] | 8 | threads | how many scratch buffers the fused update has |
//! | `MAX_HOT_THREADS` | 7 | threads | how many other threads an epoch keeps awake |

/// Ops of an element that an activation, a pooling or a dropout reads, computes and writes.
pub(crate) const OPS_PER_MOVE: usize = 32;

/// Ops of an element that is only read, to see whether it is finite.
pub(crate) const OPS_PER_CHECK: usize = 4;

/// Ops that take as long as a multiply-add of a depthwise convolution, which loads its operands.
pub(crate) const OPS_PER_DEPTHWISE_STEP: usize = 4;

/// Ops that take as long as a plain loop takes for an element. Converts the multiply-adds of k-means to elements.
pub(crate) const OPS_PER_ELEMENT: usize = 16;

/// Elements below which a second thread costs more than it gains. As many ops as [`MIN_OPS_TO_FORK_COLD`]: the loops
/// that use it run in a pool that may sleep.
pub(crate) const MIN_ELEMENTS_TO_FORK: usize = 1 << 19;

/// Ops from which a fork pays while the threads of the pool are [hot](super::with_hot_pool): some 20 µs of one core.
/// On a quiet machine a quarter of it pays as well.
#[cfg(feature = "rayon")]
pub(super) const MIN_OPS_TO_FORK_HOT: usize = 1 << 21;

/// Ops from which a fork within a sleeping pool pays: 60 to 150 µs of one core. Waking a thread takes tens of
/// microseconds, longer on a virtual machine, where work of half this size becomes slower when it is split.
#[cfg(feature = "rayon")]
pub(super) const MIN_OPS_TO_FORK_COLD: usize = 1 << 23;

/// Ops from which a product pays to split whose caller is outside the pool: the caller wakes a thread of the pool,
/// which wakes others, and sleeps until they are done.
#[cfg(feature = "rayon")]
pub(crate) const MIN_OPS_TO_FORK_FROM_OUTSIDE: usize = 1 << 25;

/// Ops a batch below which no part of a batch is large enough to fork, so that hot threads would only burn power.
#[cfg(feature = "rayon")]
pub(super) const MIN_OPS_TO_KEEP_POOL_HOT: usize = 2 * MIN_OPS_TO_FORK_HOT;

/// Ops from which a single training step gains more from the pool than entering it costs.
pub(crate) const MIN_OPS_TO_ENTER_POOL: usize = 1 << 24;

/// Ops from which a layer's pass over a batch runs in chunks. Twice the threshold of a hot fork: each of two threads
/// then has as much work as a fork must have. It does not depend on the pool, because the chunks must be the same in
/// any pool.
pub(crate) const MIN_OPS_TO_SPLIT_BATCH: usize = 1 << 22;

/// Ops that each thread of `predict` must have. Threads start cold; they take batches from a shared queue.
pub(crate) const MIN_OPS_PER_PREDICT_THREAD: usize = 1 << 23;

/// Rows of a batch that each thread of a recurrent scan must have: a tile of rows of the product of each step.
pub(crate) const MIN_SCAN_ROWS: usize = 8;

/// Threads that update the parameters of one layer together. Each needs a scratch buffer, and more threads would have
/// too few chunks each.
pub(crate) const MAX_UPDATE_THREADS: usize = 8;

/// Threads besides the caller's that are kept awake: more do not find enough work in a training step.
#[cfg(feature = "rayon")]
pub(super) const MAX_HOT_THREADS: usize = 7;
