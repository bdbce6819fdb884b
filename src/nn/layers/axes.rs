//! Axis numbers as Keras counts them, and the memory layout of one axis.

use crate::error::{Error, Result};
use crate::nn::layer::Shape;

/// Resolves an axis counted as Keras does (0 is the batch, -1 the last) to its index among the sample's axes.
pub(crate) fn axis_of(owner: &str, axis: isize, input: &Shape) -> Result<usize> {
    let rank = input.rank();
    let index = if axis < 0 { axis + rank.cast_signed() } else { axis - 1 };
    usize::try_from(index).ok().filter(|&index| index < rank).ok_or_else(|| {
        let expected = format!(
            "an axis of the sample {input}: 1 to {rank}, or -1 to -{rank} from the end (0 is the batch)"
        );
        Error::invalid_parameter(owner, "axis", axis, expected)
    })
}

/// Memory layout of one axis of a sample: `length` runs of `inner` contiguous elements, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) length: usize,
    pub(crate) inner: usize,
}

impl Runs {
    /// Returns the runs along an axis, given as an index among the sample's axes.
    pub(crate) fn along(axis: usize, input: &Shape) -> Self {
        let length = input.dims().get(axis).copied().unwrap_or(1);
        let inner = input.dims().iter().skip(axis + 1).product();
        Self { length, inner }
    }
}
