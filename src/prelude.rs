//! Everything a program needs, in one line: `use axonal::prelude::*;`.

pub use crate::error::{Error, Result};
pub use crate::estimator::{Estimator, Fit, Predict, Score, Transform};
pub use crate::float::Float;
pub use crate::model_selection::{
    Classifier, GridSearch, KFold, RandomSearch, Regressor, StratifiedKFold, cross_val_score, cross_validate,
    train_test_split,
};
pub use crate::pipeline::Pipeline;
#[cfg(feature = "pca")]
pub use crate::preprocessing::Pca;
pub use crate::preprocessing::{
    ColumnTransformer, FitTransform, LabelEncoder, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
    OrdinalEncoder, PolynomialFeatures, RobustScaler, SimpleImputer, StandardScaler, to_categorical,
};
