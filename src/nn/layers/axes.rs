//! Axes, counted as Keras does.

use crate::error::{Error, Result};
use crate::nn::layer::Shape;

/// The index among the sample's axes of an axis counted as Keras does.
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

/// How the numbers of one axis lie in a sample: `outer` times `length` times `inner`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) length: usize,
    pub(crate) inner: usize,
}

impl Runs {
    /// The runs along an axis of a sample.
    pub(crate) fn along(axis: usize, input: &Shape) -> Self {
        let length = input.dims().get(axis).copied().unwrap_or(1);
        let inner = input.dims().iter().skip(axis + 1).product();
        Self { length, inner }
    }
}
