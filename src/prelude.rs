//! What most programs need, in one line: `use axonal::prelude::*;`.
//!
//! Everything else has one path by family: [`layers`](crate::layers), [`losses`](crate::losses),
//! [`optimizers`](crate::optimizers), [`schedules`](crate::schedules), [`metrics`](crate::metrics),
//! [`callbacks`](crate::callbacks), [`models`](crate::models), [`cluster`](crate::cluster),
//! [`preprocessing`](crate::preprocessing), [`model_selection`](crate::model_selection),
//! [`datasets`](crate::datasets), [`custom`](crate::custom).

#[cfg(feature = "progress")]
pub use crate::callbacks::ProgressBar;
pub use crate::callbacks::{
    BackupAndRestore, Callback, CsvLogger, EarlyStopping, ModelCheckpoint, ReduceLrOnPlateau, StopToken,
};
pub use crate::class_weight::ClassWeight;
pub use crate::cluster::{KMeans, KMeansInit, MiniBatchKMeans};
pub use crate::custom::Merge;
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::layers::{
    Activation, Add, BatchNormalization, Bidirectional, Concatenate, Conv1D, Conv2D, Dense, Dropout,
    Embedding, Flatten, GlobalAveragePooling1D, GlobalAveragePooling2D, Gru, Initializer, Layer,
    LayerNormalization, Lstm, MaxPooling2D, MultiHeadAttention, Padding, PositionEmbedding, Regularizer,
    Rescaling, Reshape, Residual, Subtract,
};
pub use crate::losses::{
    BinaryCrossentropy, CategoricalCrossentropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError,
    SparseCategoricalCrossentropy,
};
pub use crate::metrics::{Accuracy, Auc, Metric, Precision, Recall, RootMeanSquaredError};
pub use crate::model_selection::{
    Classifier, GridSearch, KFold, Regressor, StratifiedKFold, cross_val_score, cross_validate,
    train_test_split,
};
pub use crate::models::{
    EvaluateOptions, Evaluation, FitOptions, Graph, History, Input, Model, PredictOptions, Sequential,
    Shared, Verbose,
};
pub use crate::optimizers::{Adam, AdamW, Optimizer, RmsProp, Sgd};
pub use crate::pipeline::Pipeline;
#[cfg(feature = "pca")]
pub use crate::preprocessing::Pca;
pub use crate::preprocessing::{
    ColumnTransformer, FitTransform, HandleUnknown, LabelEncoder, MinMaxScaler, OneHotEncoder, SimpleImputer,
    StandardScaler, to_categorical,
};
pub use crate::schedules::CosineDecay;
pub use crate::{Error, Float, Result};
