//! Which samples to learn from and which to judge by, and what that says about an estimator.
//!
//! [`train_test_split`] cuts once; [`Split`] does so with all options. A [`Splitter`] ([`KFold`],
//! [`StratifiedKFold`], [`GroupKFold`], [`ShuffleSplit`], [`StratifiedShuffleSplit`], [`RepeatedKFold`],
//! [`RepeatedStratifiedKFold`], [`TimeSeriesSplit`]) cuts several times, and [`cross_val_score`],
//! [`cross_validate`], [`cross_val_predict`], [`GridSearch`], [`RandomSearch`] and [`learning_curve`] fit an estimator anew for each cut.
//! They build on [`Estimator::unfitted`](crate::estimator::Estimator::unfitted) and [`Score`](crate::estimator::Score) alone, so a
//! network, a k-means, a pipeline and a custom estimator are compared alike, and what an estimator has seen
//! before changes no score.

mod answers;
mod class_labels;
mod class_targets;
mod classifier;
mod cross_val_predict;
mod cross_validation;
mod fold;
mod group_k_fold;
mod k_fold;
mod learning_curve;
mod regressor;
mod repeated;
mod samples;
mod search;
mod shuffle_split;
mod split;
mod stratified;
mod stratified_shuffle_split;
mod time_series_split;
mod train_test_split;

pub use answers::Answers;
pub use class_labels::ClassLabels;
pub use class_targets::ClassTargets;
pub use classifier::Classifier;
pub(crate) use classifier::ClassifierParts;
pub use cross_val_predict::{FoldPredictions, cross_val_predict};
pub use cross_validation::{CrossValidation, FoldEstimator, FoldReport, cross_val_score, cross_validate};
pub use fold::{Fold, Splitter};
pub use group_k_fold::GroupKFold;
pub use k_fold::KFold;
pub use learning_curve::{LearningCurve, learning_curve};
pub use regressor::Regressor;
pub use repeated::{RepeatedKFold, RepeatedStratifiedKFold};
pub use samples::{FoldTargets, Samples};
pub use search::{Candidate, GridSearch, RandomSearch, SearchReport};
pub use shuffle_split::ShuffleSplit;
pub use split::Split;
pub use stratified::StratifiedKFold;
pub use stratified_shuffle_split::StratifiedShuffleSplit;
pub use time_series_split::TimeSeriesSplit;
pub use train_test_split::train_test_split;
