//! Everything a program needs, in one line: `use axonal::prelude::*;`.

pub use crate::activation::Activation;
pub use crate::error::{Error, Result};
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::float::Float;
pub use crate::initializer::Initializer;
pub use crate::model_selection::train_test_split;
pub use crate::nn::{
    Accuracy, ActivationLayer, Adam, Backward, BinaryAccuracy, BinaryCrossentropy, Callback,
    CategoricalAccuracy, CategoricalCrossentropy, Config, Constraint, Dense, Dropout, EvaluateOptions,
    Evaluation, FitOptions, Flatten, Forward, History, Layer, Loss, MeanAbsoluteError, MeanSquaredError,
    Metric, Mode, Model, Optimizer, Plan, PredictOptions, Regularizer, Reshape, RmsProp, Run, Sequential,
    Sgd, Shape, SparseCategoricalAccuracy, SparseCategoricalCrossentropy, Verbose,
};
pub use crate::persistence::{LoadOptions, Registry};
pub use crate::preprocessing::StandardScaler;
