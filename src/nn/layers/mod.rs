//! Layers: dense, convolution, pooling, recurrence, normalization, dropout, reshaping, embedding, masking and wrappers.
//!
//! Axes are counted as in Keras: 0 is the batch, 1 the first axis of a sample, and -1 the last. Layers over
//! several axes use Keras's order, channels last: a sequence is (steps, features), an image (rows, columns,
//! channels).
//!
//! Layers read the sample shape from the plan that a container passes to [`forward`](crate::layers::Layer::forward) and
//! [`backward`](crate::layers::Layer::backward). Without a plan, normalizations and activations treat a sample as one axis;
//! convolutions, pooling and recurrent layers return NaN. None of them panics.

mod activations;
mod attention;
mod axes;
mod axis_permutation;
mod blocks;
mod convolution;
mod defaults;
mod dense;
mod embedding;
mod kernel_and_bias;
mod masking;
mod merging;
mod normalization;
mod output_values;
mod passes;
mod pooling;
mod positive;
mod recurrent;
pub(crate) mod registry;
mod regularization;
mod reshaping;
mod rows;
mod window;
mod wrappers;

pub use activations::{ActivationLayer, Axes, Elu, LeakyRelu, PRelu, Relu, Softmax};
pub use attention::{
    AdditiveAttention, Attention, GroupQueryAttention, MultiHeadAttention, PositionEmbedding, ScoreMode,
};
pub use convolution::{Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D};
pub use dense::Dense;
pub use embedding::Embedding;
pub use masking::Masking;
pub use merging::{Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract};
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

pub(crate) use merging::{MERGE_KINDS, merge_from_config};
pub(crate) use output_values::output_values;
pub(crate) use registry::{KINDS, from_config};

use axes::{Runs, axis_of};
use defaults::{glorot_uniform, ones, yes, zeros};
use rows::{rows, rows_mut, whole_rows};
