//! Layers, and what their constructors take: activations, initializers, regularizers, constraints.
//!
//! | family | layers |
//! |---|---|
//! | core | [`Dense`], [`Embedding`], [`Masking`], [`ActivationLayer`] |
//! | activations with parameters | [`Relu`], [`LeakyRelu`], [`PRelu`], [`Elu`], [`Softmax`] |
//! | convolution | [`Conv1D`], [`Conv2D`], [`Conv2DTranspose`], [`DepthwiseConv2D`], [`SeparableConv2D`] |
//! | pooling | [`MaxPooling1D`], [`MaxPooling2D`], [`AveragePooling1D`], [`AveragePooling2D`] and their global forms |
//! | attention | [`MultiHeadAttention`], [`GroupQueryAttention`], [`PositionEmbedding`]; in a graph also [`Attention`], [`AdditiveAttention`] |
//! | recurrent | [`Lstm`], [`Gru`], [`SimpleRnn`] |
//! | normalization | [`BatchNormalization`], [`LayerNormalization`], [`RmsNormalization`], [`GroupNormalization`], [`UnitNormalization`]; [`Normalization`] and [`Rescaling`] of inputs |
//! | regularization | [`Dropout`], [`SpatialDropout1D`], [`SpatialDropout2D`], [`AlphaDropout`], [`GaussianDropout`], [`GaussianNoise`], [`ActivityRegularization`] |
//! | reshaping | [`Flatten`], [`Reshape`], [`Permute`], [`RepeatVector`], [`ZeroPadding1D`], [`ZeroPadding2D`], [`Cropping1D`], [`Cropping2D`], [`UpSampling1D`], [`UpSampling2D`] |
//! | merging, in a [`Graph`](crate::models::Graph) | [`Concatenate`], [`Add`], [`Subtract`], [`Multiply`], [`Average`], [`Maximum`], [`Minimum`], [`Dot`] |
//! | wrappers | [`Bidirectional`], [`TimeDistributed`], [`Residual`] |
//!
//! Which to choose: a table of numbers wants `Dense` behind a scaler; images `Conv2D` with pooling; sequences `Gru` or
//! `Lstm`, or `Embedding` with pooling when order matters little. `Dropout` against overfitting; `BatchNormalization` for deep
//! convolutional networks, `LayerNormalization` for small batches and sequences.
//!
//! Channels come last, as in Keras: a sequence is (steps, features), an image (rows, columns, channels). Axis 0 is the batch, 1 the first
//! axis of a sample, −1 the last. Write your own by implementing [`Layer`] with the types of [`custom`](crate::custom).

pub use crate::activation::Activation;
pub use crate::initializer::Initializer;
pub use crate::nn::constraint::Constraint;
pub use crate::nn::layer::Layer;
pub use crate::nn::layers::{
    ActivationLayer, ActivityRegularization, Add, AdditiveAttention, AlphaDropout, Attention, Average,
    AveragePooling1D, AveragePooling2D, Axes, BatchNormalization, Bidirectional, Concatenate, Conv1D, Conv2D,
    Conv2DTranspose, Cropping1D, Cropping2D, Dense, DepthwiseConv2D, Dot, Dropout, Elu, Embedding, Flatten,
    GaussianDropout, GaussianNoise, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, GroupNormalization, GroupQueryAttention, Gru, Interpolation, LayerNormalization,
    LeakyRelu, Lstm, Masking, MaxPooling1D, MaxPooling2D, Maximum, MergeMode, Minimum, MultiHeadAttention,
    Multiply, Normalization, PRelu, Padding, Permute, PositionEmbedding, Relu, RepeatVector, Rescaling,
    Reshape, Residual, RmsNormalization, ScoreMode, SeparableConv2D, SimpleRnn, Size2D, Softmax,
    SpatialDropout1D, SpatialDropout2D, Subtract, TimeDistributed, UnitNormalization, UpSampling1D,
    UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
pub use crate::nn::regularizer::Regularizer;
