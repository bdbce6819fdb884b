//! Everything a program needs, in one line: `use axonal::prelude::*;`.

pub use crate::activation::Activation;
pub use crate::error::{Error, Result};
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::float::Float;
pub use crate::initializer::Initializer;
pub use crate::model_selection::train_test_split;
pub use crate::nn::{
    Accuracy, ActivationLayer, ActivityRegularization, Adam, AlphaDropout, AveragePooling1D,
    AveragePooling2D, Backward, BatchNormalization, BinaryAccuracy, BinaryCrossentropy, Callback,
    CategoricalAccuracy, CategoricalCrossentropy, Config, Constraint, Conv1D, Conv2D, Conv2DTranspose,
    Cropping1D, Cropping2D, Dense, DepthwiseConv2D, Dropout, Elu, Embedding, EvaluateOptions, Evaluation,
    FitOptions, Flatten, Forward, GaussianDropout, GaussianNoise, GlobalAveragePooling1D,
    GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, History, Layer,
    LayerNormalization, LeakyRelu, Loss, MaxPooling1D, MaxPooling2D, MeanAbsoluteError, MeanSquaredError,
    Metric, Mode, Model, Normalization, Optimizer, PRelu, Padding, Permute, Plan, PredictOptions,
    Regularizer, Relu, RepeatVector, Rescaling, Reshape, RmsNormalization, RmsProp, Run, SeparableConv2D,
    Sequential, Sgd, Shape, Softmax, SparseCategoricalAccuracy, SparseCategoricalCrossentropy,
    SpatialDropout1D, SpatialDropout2D, UnitNormalization, UpSampling1D, UpSampling2D, Verbose,
    ZeroPadding1D, ZeroPadding2D,
};
pub use crate::preprocessing::StandardScaler;
