//! Groups of workers that train a network or cluster data together.
//!
//! Each worker, a *rank*, runs the same program on its own rows. [`Collective`] is what the ranks exchange data by: sums of
//! gradients, bytes, barriers. [`Threads`] is a group of threads of this process.
//!
//! | to distribute | use |
//! |---|---|
//! | the training of a network | [`FitOptions::distributed`](crate::models::FitOptions::distributed) |
//! | k-means | [`KMeans::fit_distributed`](crate::cluster::KMeans::fit_distributed) |
//! | mini-batch k-means | [`MiniBatchKMeans::fit_distributed`](crate::cluster::MiniBatchKMeans::fit_distributed) |
//!
//! A rank reads its own rows: [`Shard`] says which rows or files these are. The crate `axonal-mpi` has a group over MPI, for
//! clusters; `docs/distributed.md` says how such jobs are started, and how they scale.
//!
//! Every rank must make the same calls in the same order; a rank that fails or ends early ends the group with an error on
//! every rank, so that none waits forever.

mod agreement;
mod barrier;
mod exchange;
mod shard;
mod threads;

pub(crate) use agreement::{agree, agree_on, require_equal};
pub use shard::Shard;
pub use threads::Threads;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::Operation;

/// How the values of the ranks are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// The sum, added in the order of the ranks. Integers wrap on overflow.
    Sum,
    /// The least value; NaN if any value is NaN.
    Min,
    /// The greatest value; NaN if any value is NaN.
    Max,
}

/// The values of one [`all_reduce`](Collective::all_reduce).
#[derive(Debug)]
#[non_exhaustive]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a mut [f32]),
    /// Double precision.
    F64(&'a mut [f64]),
    /// Signed integers.
    I64(&'a mut [i64]),
    /// Unsigned integers.
    U64(&'a mut [u64]),
}

macro_rules! from_slices {
    ($($type:ty => $variant:ident),*) => {$(
        impl<'a> From<&'a mut [$type]> for Values<'a> {
            fn from(values: &'a mut [$type]) -> Self {
                Self::$variant(values)
            }
        }

        impl<'a, const N: usize> From<&'a mut [$type; N]> for Values<'a> {
            fn from(values: &'a mut [$type; N]) -> Self {
                Self::$variant(values)
            }
        }

        impl<'a> From<&'a mut Vec<$type>> for Values<'a> {
            fn from(values: &'a mut Vec<$type>) -> Self {
                Self::$variant(values)
            }
        }
    )*};
}

from_slices!(f32 => F32, f64 => F64, i64 => I64, u64 => U64);

/// A group of workers, as one of them sees it.
///
/// The ranks are numbered from 0 to `size - 1`. Every rank must make the same calls in the same order, with as many values.
/// An implementation within one process must give each rank a separate thread pool, as [`Threads`] does: a rank waits
/// within its calls, and work that another rank has queued in the same pool would wait with it.
///
/// # Examples
/// ```
/// use axonal::distributed::{Collective, Reduction, Threads};
///
/// # fn main() -> axonal::Result<()> {
/// let sums = Threads::run(3, |group| {
///     let mut values = [1.0, group.rank() as f64];
///     group.all_reduce((&mut values).into(), Reduction::Sum)?;
///     Ok(values)
/// })?;
/// assert_eq!(sums, [[3.0, 3.0]; 3]);
/// # Ok(())
/// # }
/// ```
pub trait Collective: Sync {
    /// The number of this rank.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Replaces each value by the reduction of the values of all ranks at its place. Every rank receives the same bits.
    ///
    /// # Errors
    /// A rank that failed, and ranks whose calls differ.
    fn all_reduce(&self, values: Values<'_>, reduction: Reduction) -> Result<()>;

    /// Returns the bytes of every rank, in the order of the ranks. They may have different lengths.
    ///
    /// # Errors
    /// As [`all_reduce`](Self::all_reduce).
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Ends the group because of an error of this rank: the calls of every rank return an error with this message from now on.
    fn fail(&self, message: &str);

    /// Replaces the bytes by those of the rank `root`.
    ///
    /// # Errors
    /// As [`all_reduce`](Self::all_reduce), and a root that is not a rank.
    fn broadcast(&self, bytes: &mut Vec<u8>, root: usize) -> Result<()> {
        if root >= self.size() {
            let expected = format!("a rank from 0 to {}", self.size().saturating_sub(1));
            return Err(Error::invalid_parameter("broadcast", "root", root, expected));
        }
        let own: &[u8] = if self.rank() == root { bytes } else { &[] };
        let mut all = self.all_gather(own)?;
        *bytes = all.swap_remove(root);
        Ok(())
    }

    /// Waits until every rank has called this.
    ///
    /// # Errors
    /// As [`all_reduce`](Self::all_reduce).
    fn barrier(&self) -> Result<()> {
        self.all_gather(&[]).map(|_| ())
    }
}

/// The conversion of slices of either float type.
struct ToValues;

impl Operation for ToValues {
    type Input<'a, 'b, F: Float> = &'a mut [F];
    type Output<'a, 'b, F: Float> = Values<'a>;

    fn run_f32<'a, 'b>(input: Self::Input<'a, 'b, f32>) -> Self::Output<'a, 'b, f32> {
        Values::F32(input)
    }

    fn run_f64<'a, 'b>(input: Self::Input<'a, 'b, f64>) -> Self::Output<'a, 'b, f64> {
        Values::F64(input)
    }
}

/// Sums values of either float type over the ranks.
pub(crate) fn sum<F: Float>(group: &dyn Collective, values: &mut [F]) -> Result<()> {
    group.all_reduce(F::run::<ToValues>(values), Reduction::Sum)
}

/// Gathers one integer of each rank.
pub(crate) fn gather_u64(group: &dyn Collective, value: u64) -> Result<Vec<u64>> {
    let mut values = vec![0; group.size()];
    if let Some(own) = values.get_mut(group.rank()) {
        *own = value;
    }
    group.all_reduce((&mut values).into(), Reduction::Sum)?;
    Ok(values)
}

impl std::fmt::Debug for dyn Collective + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}
