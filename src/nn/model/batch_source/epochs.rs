//! Sources of training batches: one pass over an iterator, or an iterator for each epoch.

use super::Batch;
use crate::error::Result;
use std::fmt;

/// What [`fit_batches`](crate::models::Model::fit_batches) trains on: any iterator of batches, or a source that begins anew
/// with each epoch ([`each_epoch`]).
pub trait BatchSource<F> {
    /// The batches by epoch.
    type Epochs: EpochBatches<F>;

    /// Begins training.
    fn into_epochs(self) -> Self::Epochs;
}

/// The batches of a run, epoch by epoch.
pub trait EpochBatches<F> {
    /// A batch.
    type Batch: Batch<F>;
    /// Whether each epoch is a separate pass, so that the epoch ends with the batches. Otherwise all epochs share one pass.
    const REPEATS: bool;

    /// Begins an epoch, counted from 0.
    ///
    /// # Errors
    /// What keeps the source from supplying batches.
    fn begin(&mut self, epoch: usize) -> Result<()>;

    /// The next batch of the epoch.
    fn next_batch(&mut self) -> Option<Self::Batch>;

    /// The least and the greatest number of batches left, as of [`Iterator::size_hint`].
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

/// One pass over an iterator, which all epochs share.
#[derive(Debug)]
pub struct OnePass<I>(I);

impl<F, I: Iterator<Item: Batch<F>>> EpochBatches<F> for OnePass<I> {
    type Batch = I::Item;
    const REPEATS: bool = false;

    fn begin(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn next_batch(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<F, I: IntoIterator<Item: Batch<F>>> BatchSource<F> for I {
    type Epochs = OnePass<I::IntoIter>;

    fn into_epochs(self) -> OnePass<I::IntoIter> {
        OnePass(self.into_iter())
    }
}

/// A source that returns the batches of each epoch; see [`each_epoch`].
pub struct EachEpoch<C>(C);

/// Makes a source of training batches that begins anew with each epoch: `open` receives the number of the epoch, counted
/// from 0, and returns its batches. For files that are read from the start in each epoch.
///
/// # Examples
/// ```
/// use axonal::models::each_epoch;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let batches = each_epoch(|_| Ok((0..4).map(|i| (array![[i as f64]], array![2.0 * i as f64 + 1.0]))));
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.05), MeanSquaredError::default())?;
/// let history = model.fit_batches(batches, FitOptions::new().epochs(30))?;
/// assert_eq!(history.epochs(), 30);
/// # Ok(())
/// # }
/// ```
pub fn each_epoch<I, C: FnMut(usize) -> Result<I>>(open: C) -> EachEpoch<C> {
    EachEpoch(open)
}

impl<C> fmt::Debug for EachEpoch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EachEpoch")
    }
}

/// The open epoch of an [`EachEpoch`].
pub struct OpenEpoch<C, I> {
    open: C,
    current: Option<I>,
}

impl<C, I> fmt::Debug for OpenEpoch<C, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenEpoch")
    }
}

impl<F, I: IntoIterator<Item: Batch<F>>, C: FnMut(usize) -> Result<I>> EpochBatches<F>
    for OpenEpoch<C, I::IntoIter>
{
    type Batch = I::Item;
    const REPEATS: bool = true;

    fn begin(&mut self, epoch: usize) -> Result<()> {
        // Closes the files of the epoch before.
        self.current = None;
        self.current = Some((self.open)(epoch)?.into_iter());
        Ok(())
    }

    fn next_batch(&mut self) -> Option<I::Item> {
        self.current.as_mut()?.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.current.as_ref().map_or((0, None), Iterator::size_hint)
    }
}

impl<F, I: IntoIterator<Item: Batch<F>>, C: FnMut(usize) -> Result<I>> BatchSource<F> for EachEpoch<C> {
    type Epochs = OpenEpoch<C, I::IntoIter>;

    fn into_epochs(self) -> OpenEpoch<C, I::IntoIter> {
        OpenEpoch { open: self.0, current: None }
    }
}
