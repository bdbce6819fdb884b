//! Everything a program needs, in one line: `use axonal::prelude::*;`.

pub use crate::activation::Activation;
pub use crate::cluster::{BisectingKMeans, KMeans, KMeansInit, MiniBatchKMeans};
pub use crate::error::{Error, Result};
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::float::Float;
pub use crate::initializer::Initializer;
pub use crate::model_selection::{
    Classifier, GridSearch, KFold, RandomSearch, Regressor, StratifiedKFold, cross_val_score, cross_validate,
    train_test_split,
};
pub use crate::nn::{
    Accuracy, ActivationLayer, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, AnyOptimizer, Backward,
    BinaryAccuracy, BinaryCrossentropy, Callback, CategoricalAccuracy, CategoricalCrossentropy, Config,
    Constraint, CosineDecay, CosineDecayRestarts, Dense, Dropout, EvaluateOptions, Evaluation,
    ExponentialDecay, FitOptions, Flatten, Forward, Ftrl, History, InverseTimeDecay, Lamb, Layer,
    LearningRate, Lion, Loss, MeanAbsoluteError, MeanSquaredError, Metric, Mode, Model, Nadam, Optimizer,
    PiecewiseConstantDecay, Plan, PolynomialDecay, PredictOptions, Regularizer, Reshape, RmsProp, Run,
    Sequential, Sgd, Shape, SparseCategoricalAccuracy, SparseCategoricalCrossentropy, Verbose,
};
pub use crate::persistence::{LoadOptions, Registry};
pub use crate::pipeline::Pipeline;
#[cfg(feature = "pca")]
pub use crate::preprocessing::Pca;
pub use crate::preprocessing::{
    ColumnTransformer, FitTransform, LabelEncoder, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
    OrdinalEncoder, PolynomialFeatures, RobustScaler, SimpleImputer, StandardScaler, to_categorical,
};
