//! The layers, one a file, in families.
//!
//! Axes are counted as in Keras: 0 is the batch, 1 the first axis of a sample, and -1 the last. Layers over
//! several axes keep Keras's order, channels last: a sequence is (steps, features), an image (rows, columns,
//! channels).
//!
//! Layers read their geometry from the plan that a container hands them with every pass. A caller of one's own
//! that leaves the plan away gets the answer of a sample without axes where there is one (normalizations,
//! activations) and NaN where there is none (convolutions, pooling, recurrence), never a panic.

mod activations;
mod convolution;
mod dense;
mod embedding;
mod normalization;
mod pooling;
mod regularization;
mod reshaping;
mod window;

pub use activations::{ActivationLayer, Elu, LeakyRelu, PRelu, Relu, Softmax};
pub use convolution::{Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D};
pub use dense::Dense;
pub use embedding::Embedding;
pub use normalization::{
    BatchNormalization, GroupNormalization, LayerNormalization, Normalization, Rescaling, RmsNormalization,
    UnitNormalization,
};
pub use pooling::{
    AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, MaxPooling1D, MaxPooling2D,
};
pub use regularization::{
    ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D,
    SpatialDropout2D,
};
pub use reshaping::{
    Cropping1D, Cropping2D, Flatten, Permute, RepeatVector, Reshape, UpSampling1D, UpSampling2D,
    ZeroPadding1D, ZeroPadding2D,
};
pub use window::{Padding, Size2D};

use crate::error::{Error, Result};
use crate::initializer::Initializer;
use crate::nn::layer::Shape;
use ndarray::{ArrayView2, ArrayViewMut2};

/// For serde: a flag that is on by default.
pub(crate) fn yes() -> bool {
    true
}

/// For serde: zeros by default.
pub(crate) fn zeros() -> Initializer {
    Initializer::Zeros
}

/// For serde: ones by default.
pub(crate) fn ones() -> Initializer {
    Initializer::Ones
}

/// For serde: Glorot's uniform by default.
pub(crate) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform
}

/// A slice as rows of `columns` numbers.
#[allow(clippy::expect_used, reason = "the rows are cut to whole ones")]
pub(crate) fn rows<F>(values: &[F], columns: usize) -> ArrayView2<'_, F> {
    let rows = values.len() / columns.max(1);
    ArrayView2::from_shape((rows, columns), &values[..rows * columns]).expect("whole rows")
}

/// As [`rows`], to be written to.
#[allow(clippy::expect_used, reason = "the rows are cut to whole ones")]
pub(crate) fn rows_mut<F>(values: &mut [F], columns: usize) -> ArrayViewMut2<'_, F> {
    let rows = values.len() / columns.max(1);
    ArrayViewMut2::from_shape((rows, columns), &mut values[..rows * columns]).expect("whole rows")
}

/// The rows of an input and of an output of one width, together.
pub(crate) fn whole_rows<'a, F>(
    x: Option<&'a [F]>,
    y: Option<&'a mut [F]>,
    width: usize,
) -> impl Iterator<Item = (&'a [F], &'a mut [F])> {
    let (x, y) = (x.unwrap_or_default(), y.unwrap_or_default());
    x.chunks_exact(width.max(1)).zip(y.chunks_exact_mut(width.max(1)))
}

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
