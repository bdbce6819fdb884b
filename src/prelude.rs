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
#[cfg(feature = "progress")]
pub use crate::nn::ProgressBar;
pub use crate::nn::layers::*;
pub use crate::nn::{
    Accuracy, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, AnyLoss, AnyMetric, AnyOptimizer, Auc,
    Backward, BinaryAccuracy, BinaryCrossentropy, BinaryFocalCrossentropy, Callback, CategoricalAccuracy,
    CategoricalCrossentropy, CategoricalFocalCrossentropy, CategoricalHinge, Checkpoint, Config, Constraint,
    CosineDecay, CosineDecayRestarts, CosineSimilarity, CsvLogger, Curve, Dice, Direction, EarlyStopping,
    EvaluateOptions, Evaluation, ExponentialDecay, FBeta, FalseNegatives, FalsePositives, FitOptions,
    Forward, Ftrl, Hinge, History, Huber, InverseTimeDecay, JsonLogger, KlDivergence, Lamb, LambdaCallback,
    Layer, LearningRate, LearningRateScheduler, Lion, LogCosh, Loss, LossFn, LossMetric, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanIou, MeanSquaredError, MeanSquaredLogarithmicError, Metric, MetricFn,
    Mode, Model, Nadam, OnDivergence, Optimizer, PiecewiseConstantDecay, Plan, Poisson, PolynomialDecay,
    Precision, PredictOptions, R2Score, Recall, ReduceLrOnPlateau, Reduction, Regularizer, RmsProp,
    RootMeanSquaredError, Run, SensitivityAtSpecificity, Sequential, Sgd, Shape, SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SquaredHinge, StopToken,
    TopKCategoricalAccuracy, TrueNegatives, TruePositives, Tversky, Verbose,
};
pub use crate::persistence::{BackupAndRestore, LoadOptions, ModelCheckpoint, Registry};
pub use crate::pipeline::Pipeline;
#[cfg(feature = "pca")]
pub use crate::preprocessing::Pca;
pub use crate::preprocessing::{
    ColumnTransformer, FitTransform, LabelEncoder, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
    OrdinalEncoder, PolynomialFeatures, RobustScaler, SimpleImputer, StandardScaler, to_categorical,
};
