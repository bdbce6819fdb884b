//! The shared traits: what a network, a k-means, a scaler and a pipeline have in common.

use crate::error::Result;
use std::any::Any;

/// Learns from data.
///
/// `x` holds one sample a row; `y` is what to learn, or `()` where there is nothing to be told.
///
/// # Examples
/// One function for every estimator:
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// fn learn<X, Y, E: Fit<X, Y> + Predict<X>>(mut estimator: E, x: &X, y: Y) -> Result<E::Output> {
///     estimator.fit(x, y)?;
///     estimator.predict(x)
/// }
///
/// # fn main() -> Result<()> {
/// let x = array![[0.0], [0.1], [5.0], [5.1]];
/// let labels = learn(KMeans::new(2).seed(0), &x, ())?;
/// assert_eq!(labels[0], labels[1]);
/// assert_ne!(labels[0], labels[2]);
/// # Ok(())
/// # }
/// ```
pub trait Fit<X: ?Sized, Y = ()> {
    /// What there is to say about the run: a network's history, a clustering's inertia.
    type Report;

    /// Learns from `x` and `y`; a second call starts from what the estimator documents (networks go on
    /// training, scalers and k-means start anew).
    ///
    /// # Errors
    /// Data that does not fit the estimator, or hyperparameters outside of their ranges.
    fn fit(&mut self, x: &X, y: Y) -> Result<Self::Report>;
}

/// Answers for new data, without changing.
pub trait Predict<X: ?Sized> {
    /// One answer for each row of `x`.
    type Output;

    /// The answers for the rows of `x`.
    ///
    /// # Errors
    /// Data of another shape than was learned from, NaN in it, or an estimator that is not fitted.
    fn predict(&self, x: &X) -> Result<Self::Output>;
}

/// Re-expresses data: scaled, encoded, as distances to centers.
pub trait Transform<X: ?Sized> {
    /// One row for each row of `x`.
    type Output;

    /// The rows of `x`, re-expressed.
    ///
    /// # Errors
    /// Data of another shape than was learned from, NaN in it, or a transformer that is not fitted.
    fn transform(&self, x: &X) -> Result<Self::Output>;
}

/// How good the answers are; higher is better.
///
/// Networks answer with their first metric, else with minus the loss; k-means with minus the inertia.
pub trait Score<X: ?Sized, Y = ()> {
    /// The score over the rows of `x`.
    ///
    /// # Errors
    /// As [`Predict::predict`], and targets that do not match `x`.
    fn score(&self, x: &X, y: Y) -> Result<f64>;
}

/// Can be copied as it was before any `fit`.
pub trait Estimator: Clone {
    /// A copy with the same hyperparameters that has learned nothing: networks start again from their seed,
    /// scalers and k-means drop what they learned.
    #[must_use]
    fn unfitted(&self) -> Self;

    /// The estimators that this one is a row of, as a pipeline is; for most none.
    fn steps(&self) -> Vec<&dyn AnyEstimator> {
        Vec::new()
    }
}

/// An estimator of whatever type, to be looked into. Nothing to implement: every estimator is one.
pub trait AnyEstimator {
    /// The estimator, to be asked for its type.
    fn as_any(&self) -> &dyn Any;

    /// As [`Estimator::steps`].
    fn steps(&self) -> Vec<&dyn AnyEstimator>;
}

impl<T: Estimator + 'static> AnyEstimator for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn steps(&self) -> Vec<&dyn AnyEstimator> {
        Estimator::steps(self)
    }
}
