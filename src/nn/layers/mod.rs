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
mod axes;
mod convolution;
mod defaults;
mod dense;
mod embedding;
mod kinds;
mod masking;
mod normalization;
mod output_values;
mod pooling;
mod recurrent;
mod regularization;
mod reshaping;
mod rows;
mod turned;
mod window;
mod wrappers;

pub use activations::{ActivationLayer, Axes, Elu, LeakyRelu, PRelu, Relu, Softmax};
pub use convolution::{Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D};
pub use dense::Dense;
pub use embedding::Embedding;
pub use masking::Masking;
pub use normalization::{
    BatchNormalization, GroupNormalization, LayerNormalization, Normalization, Rescaling, RmsNormalization,
    UnitNormalization,
};
pub use pooling::{
    AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, MaxPooling1D, MaxPooling2D,
};
pub use recurrent::{Gru, Lstm, SimpleRnn};
pub use regularization::{
    ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D,
    SpatialDropout2D,
};
pub use reshaping::{
    Cropping1D, Cropping2D, Flatten, Interpolation, Permute, RepeatVector, Reshape, UpSampling1D,
    UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
pub use window::{Padding, Size2D};
pub use wrappers::{Bidirectional, MergeMode, Residual, TimeDistributed};

pub(crate) use kinds::{KINDS, from_config};
pub(crate) use output_values::output_values;

use axes::{Runs, axis_of};
use defaults::{glorot_uniform, ones, yes, zeros};
use rows::{rows, rows_mut, whole_rows};
