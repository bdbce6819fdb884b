//! The traits of estimators: fit, predict, transform, score.

use crate::error::{Error, Result};
use std::any::Any;

/// Fits an estimator to data.
///
/// `x` has a sample in each row; `y` are the targets, or `()` for unsupervised estimators.
///
/// # Examples
/// One function for every estimator:
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// fn fit_predict<X, Y, E: Fit<X, Y> + Predict<X>>(mut estimator: E, x: &X, y: Y) -> Result<E::Output> {
///     estimator.fit(x, y)?;
///     estimator.predict(x)
/// }
///
/// # fn main() -> Result<()> {
/// let x = array![[0.0], [0.1], [5.0], [5.1]];
/// let labels = fit_predict(KMeans::new(2).seed(0), &x, ())?;
/// assert_eq!(labels[0], labels[1]);
/// assert_ne!(labels[0], labels[2]);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be fitted to `{X}` with targets of type `{Y}`",
    label = "expected an estimator, samples of type `Array2`, and the targets that it learns from",
    note = "estimators without targets take `()`; check that the floats of samples and estimator have the same type"
)]
pub trait Fit<X: ?Sized, Y = ()> {
    /// The report of a fit: a network's history, a clustering's inertia.
    type Report;

    /// Fits the estimator to `x` and `y`. A second call continues or restarts, as the estimator documents: networks
    /// continue training, scalers and k-means restart.
    ///
    /// # Errors
    /// Data of an invalid shape or with invalid values, or hyperparameters out of range.
    fn fit(&mut self, x: &X, y: Y) -> Result<Self::Report>;

    /// Fits with a weight for each class, as pairs of class number and weight; other classes weigh 1. Networks do, and
    /// pipelines that end in one.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`Error::Misplaced`] for an estimator without class weights, which is the default.
    fn fit_class_weighted(&mut self, x: &X, y: Y, class_weight: &[(usize, f64)]) -> Result<Self::Report> {
        let _ = (x, y, class_weight);
        Err(Error::Misplaced {
            context: "fit",
            option: "class_weight of an estimator that takes none",
            hint: "remove it, or use an estimator that takes class weights, such as a network",
        })
    }
}

/// Predicts for new samples.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot predict for `{X}`",
    label = "expected a fitted estimator and samples of type `Array2`",
    note = "check that the floats of samples and estimator have the same type"
)]
pub trait Predict<X: ?Sized> {
    /// A prediction for each row of `x`.
    type Output;

    /// Predicts for each row of `x`.
    ///
    /// # Errors
    /// Data of another shape than the training data, NaN in the data, or an estimator that is not fitted.
    fn predict(&self, x: &X) -> Result<Self::Output>;
}

/// Transforms samples: scales them, encodes them, computes distances to centers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot transform `{X}`",
    label = "expected a transformer such as `StandardScaler` and samples of type `Array2`"
)]
pub trait Transform<X: ?Sized> {
    /// A row for each row of `x`.
    type Output;

    /// Transforms each row of `x`.
    ///
    /// # Errors
    /// Data of another shape than the training data, NaN in the data, or a transformer that is not fitted.
    fn transform(&self, x: &X) -> Result<Self::Output>;
}

/// Scores predictions; higher is better.
///
/// The score of a network is its first metric, or minus the loss without metrics; that of k-means is minus the inertia.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be scored on `{X}` with targets of type `{Y}`",
    label = "expected an estimator with a score",
    note = "wrap a model in `Classifier` or `Regressor` to score it by accuracy or R²"
)]
pub trait Score<X: ?Sized, Y = ()> {
    /// Computes the score over the rows of `x`.
    ///
    /// # Errors
    /// As [`Predict::predict`], and targets that do not match `x`.
    fn score(&self, x: &X, y: Y) -> Result<f64>;
}

/// An estimator that can be copied as it was before any `fit`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an estimator",
    label = "expected an estimator such as `KMeans`, a transformer, a `Pipeline`, or a `Classifier` of a model",
    note = "a custom estimator implements `Estimator` in addition to `Fit` and `Predict` or `Transform`"
)]
pub trait Estimator: Clone {
    /// Returns an unfitted copy with the same hyperparameters. A network's weights are initialized again from its seed.
    #[must_use]
    fn unfitted(&self) -> Self;

    /// The steps of a pipeline; empty for other estimators.
    fn steps(&self) -> Vec<&dyn AnyEstimator> {
        Vec::new()
    }
}

/// A type-erased estimator. Implemented for every [`Estimator`].
pub trait AnyEstimator {
    /// The estimator as [`Any`], for downcasting.
    fn as_any(&self) -> &dyn Any;

    /// The estimator as [`Any`], for downcasting to a type that is changed.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// The steps of a pipeline; see [`Estimator::steps`].
    fn steps(&self) -> Vec<&dyn AnyEstimator>;
}

impl<T: Estimator + 'static> AnyEstimator for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn steps(&self) -> Vec<&dyn AnyEstimator> {
        Estimator::steps(self)
    }
}

/// Adds the inherent `fit(&x)` of an estimator that is fitted without targets, beside the trait [`Fit`].
macro_rules! inherent_fit {
    ($estimator:ident<F>, $report:ty) => {
        impl<F: Float> $estimator<F> {
            /// Fits the estimator to the rows of `x`, shape (samples, features), replacing what an earlier fit learned. The
            /// trait [`Fit`](crate::estimator::Fit) does the same for generic code.
            ///
            /// # Errors
            /// Hyperparameters out of range, an empty array, or values that are not finite.
            pub fn fit<S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<$report> {
                crate::estimator::Fit::fit(self, x, ())
            }
        }
    };
    ($estimator:ident, $element:ident, $report:ty) => {
        impl $estimator {
            /// Fits the estimator to the rows of `x`, shape (samples, features), replacing what an earlier fit learned. The
            /// trait [`Fit`](crate::estimator::Fit) does the same for generic code.
            ///
            /// # Errors
            /// Hyperparameters out of range, an empty array, or values that are not finite.
            pub fn fit<T: $element, S: Data<Elem = T>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<$report> {
                crate::estimator::Fit::fit(self, x, ())
            }
        }
    };
}
pub(crate) use inherent_fit;
