//! Losses: the value that training minimizes.
//!
//! | task | last layer | loss |
//! |---|---|---|
//! | one of several classes, labels 0, 1, 2 … | `Dense(classes)`, softmax | [`SparseCategoricalCrossentropy`] |
//! | one of several classes, one-hot or probabilities | `Dense(classes)`, softmax | [`CategoricalCrossentropy`] |
//! | yes or no; several independent labels | `Dense(labels)`, sigmoid | [`BinaryCrossentropy`] |
//! | rare positives, easy negatives | as above | [`BinaryFocalCrossentropy`], [`CategoricalFocalCrossentropy`] |
//! | segmentation masks | sigmoid or softmax | [`Dice`], [`Tversky`] |
//! | a real number | `Dense(1)` | [`MeanSquaredError`] |
//! | a real number, outliers | `Dense(1)` | [`MeanAbsoluteError`], [`Huber`], [`LogCosh`] |
//! | a positive number over several magnitudes | `Dense(1)` | [`MeanSquaredLogarithmicError`], [`MeanAbsolutePercentageError`] |
//! | a count | `Dense(1)`, exponential | [`Poisson`] |
//! | a distribution | softmax | [`KlDivergence`] |
//! | a direction | `Dense(n)` | [`CosineSimilarity`] |
//! | margins | `Dense(1)` or `Dense(classes)` | [`Hinge`], [`SquaredHinge`], [`CategoricalHinge`] |
//!
//! Softmax and sigmoid before a cross-entropy are fused with it, so the loss is exact for logits of any size. [`LossFn`] makes a
//! loss of two closures, [`AnyLoss`] one of a name, [`Loss`] is the trait of custom losses.

pub use crate::nn::loss::{
    AnyLoss, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
    CategoricalFocalCrossentropy, CategoricalHinge, CosineSimilarity, Crossentropy, Dice, Hinge, Huber,
    KlDivergence, LogCosh, Loss, LossFn, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, Poisson, Reduction, SparseCategoricalCrossentropy, SquaredHinge, Tversky,
};
