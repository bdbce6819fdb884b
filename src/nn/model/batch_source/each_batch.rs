//! Batches of a pass that can be repeated, type-erased for options.

use super::Batch;
use crate::error::Result;
use crate::float::inputs::Inputs;
use crate::float::targets::Targets;
use crate::nn::sample_weights::SampleWeights;
use std::fmt;

/// One batch: samples, targets, weights.
pub(crate) type BatchParts<'x, 'y, F> = (Inputs<'x, F>, Targets<'y, F>, Option<SampleWeights<F>>);

/// A source of batches that can be read several times.
pub(crate) trait RepeatableBatches<F> {
    /// Calls `visit` with each batch of a pass, until it returns false.
    fn for_each(&self, visit: &mut dyn FnMut(BatchParts<'_, '_, F>) -> Result<bool>) -> Result<()>;
}

/// A boxed source of batches.
pub(crate) type BatchFactory<'a, F> = Box<dyn RepeatableBatches<F> + 'a>;

/// A closure that returns the batches of one pass.
pub(crate) struct EachBatch<C>(pub(crate) C);

impl<F: crate::float::Float, I: IntoIterator<Item: Batch<F>>, C: Fn() -> I> RepeatableBatches<F>
    for EachBatch<C>
{
    fn for_each(&self, visit: &mut dyn FnMut(BatchParts<'_, '_, F>) -> Result<bool>) -> Result<()> {
        for batch in (self.0)() {
            let weights = batch.weights().map(|weights| SampleWeights::of(&weights));
            if !batch.view(|x, y| visit((x, y, weights)))? {
                break;
            }
        }
        Ok(())
    }
}

impl<F> fmt::Debug for dyn RepeatableBatches<F> + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("batches")
    }
}
