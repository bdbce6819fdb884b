use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Predict, Score};
use crate::float::Float;
use crate::metrics::{accuracy_score, r2_score};
use ndarray::{Array, Array1, ArrayBase, Axis, Data, Dimension, Ix1};
use serde::{Deserialize, Serialize};

/// What an estimator's `predict` answers with, read as classes or as values.
pub trait Answers {
    /// The class of each sample: numbers as they are; of several columns the one with the highest number (the first
    /// of equals); of one column, whether it is above ½.
    ///
    /// # Errors
    /// Answers of more than two axes.
    fn classes(&self) -> Result<Array1<usize>>;

    /// How many classes [`classes`](Self::classes) chooses from, where the answers say so: one for each of several
    /// columns, 2 for one column.
    fn n_classes(&self) -> Option<usize> {
        None
    }

    /// The value for each sample.
    ///
    /// # Errors
    /// Answers with more than one number for a sample.
    fn values(&self) -> Result<Array1<f64>>;
}

impl<F: Float, D: Dimension> Answers for Array<F, D> {
    fn classes(&self) -> Result<Array1<usize>> {
        let answers = self.view().into_dyn();
        match self.shape() {
            &[_] | &[_, 1] => Ok(answers.iter().map(|value| usize::from(value.as_f64() > 0.5)).collect()),
            [_, _] => Ok(answers.axis_iter(Axis(0)).map(|row| argmax(row.iter().copied())).collect()),
            shape => {
                Err(Error::shape("predictions", "one row for each sample", format!("{} axes", shape.len())))
            }
        }
    }

    fn n_classes(&self) -> Option<usize> {
        match *self.shape() {
            [_] | [_, 1] => Some(2),
            [_, columns] => Some(columns),
            _ => None,
        }
    }

    fn values(&self) -> Result<Array1<f64>> {
        let n_samples = self.shape().first().copied().unwrap_or(1);
        if self.len() != n_samples {
            let got = format!("{} for {n_samples}", self.len());
            return Err(Error::shape("predictions", "one value for each sample", got));
        }
        Ok(self.iter().map(|value| value.as_f64()).collect())
    }
}

impl<D: Dimension> Answers for Array<usize, D> {
    fn classes(&self) -> Result<Array1<usize>> {
        Ok(self.iter().copied().collect())
    }

    #[allow(clippy::cast_precision_loss, reason = "a class number")]
    fn values(&self) -> Result<Array1<f64>> {
        Ok(self.iter().map(|&class| class as f64).collect())
    }
}

/// The index of the highest number, the first of equals.
fn argmax<F: Float>(row: impl Iterator<Item = F>) -> usize {
    let better = |best: (usize, F), (column, value)| if value > best.1 { (column, value) } else { best };
    row.enumerate().fold((0, F::neg_infinity()), better).0
}

/// An estimator whose answers are read as classes and scored by accuracy.
///
/// Networks with a softmax or a sigmoid, pipelines that end in one, and estimators that answer with class numbers
/// are compared alike. Labels are class numbers from 0 on: an estimator of one column has the classes 0 and 1, one of
/// several columns a class for each.
///
/// # Errors
/// Those of the estimator, predictions that cannot be read as classes, and labels in `score` that none of the classes has.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
/// let y = array![0, 0, 1, 1];
/// let network = Sequential::new(2)
///     .add(Dense::new(8).activation(Activation::Tanh))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .compile(Adam::new(0.1), BinaryCrossentropy::default())?
///     .with_fit_options(FitOptions::new().epochs(200));
/// let mut classifier = Classifier::new(network);
/// classifier.fit(&x, &y)?;
/// assert_eq!(classifier.predict(&x)?, y);
/// assert_eq!(classifier.score(&x, &y)?, 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classifier<E> {
    estimator: E,
}

impl<E> Classifier<E> {
    /// Reads the answers of `estimator` as classes.
    #[must_use]
    pub fn new(estimator: E) -> Self {
        Self { estimator }
    }

    /// The estimator inside.
    pub fn estimator(&self) -> &E {
        &self.estimator
    }
}

impl<X: ?Sized, Y, E: Fit<X, Y>> Fit<X, Y> for Classifier<E> {
    type Report = E::Report;

    fn fit(&mut self, x: &X, y: Y) -> Result<E::Report> {
        self.estimator.fit(x, y)
    }
}

impl<X: ?Sized, E: Predict<X, Output: Answers>> Predict<X> for Classifier<E> {
    type Output = Array1<usize>;

    fn predict(&self, x: &X) -> Result<Array1<usize>> {
        self.estimator.predict(x)?.classes()
    }
}

impl<X, E, S> Score<X, &ArrayBase<S, Ix1>> for Classifier<E>
where
    X: ?Sized,
    E: Predict<X, Output: Answers>,
    S: Data<Elem = usize>,
{
    fn score(&self, x: &X, y: &ArrayBase<S, Ix1>) -> Result<f64> {
        let answers = self.estimator.predict(x)?;
        if let Some(n_classes) = answers.n_classes()
            && let Some(row) = y.iter().position(|&label| label >= n_classes)
        {
            return Err(Error::Label { row, label: y[row].to_string(), n_classes });
        }
        accuracy_score(y, &answers.classes()?)
    }
}

impl<E: Estimator> Estimator for Classifier<E> {
    fn unfitted(&self) -> Self {
        Self::new(self.estimator.unfitted())
    }
}

/// An estimator whose answers are read as values, one for each sample, and scored by R².
///
/// # Errors
/// Those of the estimator, and predictions with more than one number for a sample.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (x, y) = (array![[0.0], [1.0], [2.0], [3.0]], array![1.0, 3.0, 5.0, 7.0]);
/// let network = Sequential::new(1)
///     .add(Dense::new(1))
///     .compile(Sgd::new(0.1), MeanSquaredError::default())?
///     .with_fit_options(FitOptions::new().epochs(200));
/// let mut regressor = Regressor::new(network);
/// regressor.fit(&x, &y)?;
/// assert!(regressor.score(&x, &y)? > 0.999);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regressor<E> {
    estimator: E,
}

impl<E> Regressor<E> {
    /// Reads the answers of `estimator` as values.
    #[must_use]
    pub fn new(estimator: E) -> Self {
        Self { estimator }
    }

    /// The estimator inside.
    pub fn estimator(&self) -> &E {
        &self.estimator
    }
}

impl<X: ?Sized, Y, E: Fit<X, Y>> Fit<X, Y> for Regressor<E> {
    type Report = E::Report;

    fn fit(&mut self, x: &X, y: Y) -> Result<E::Report> {
        self.estimator.fit(x, y)
    }
}

impl<X: ?Sized, E: Predict<X, Output: Answers>> Predict<X> for Regressor<E> {
    type Output = Array1<f64>;

    fn predict(&self, x: &X) -> Result<Array1<f64>> {
        self.estimator.predict(x)?.values()
    }
}

impl<X, E, S> Score<X, &ArrayBase<S, Ix1>> for Regressor<E>
where
    X: ?Sized,
    E: Predict<X, Output: Answers>,
    S: Data<Elem: Float>,
{
    fn score(&self, x: &X, y: &ArrayBase<S, Ix1>) -> Result<f64> {
        let y: Array1<f64> = y.iter().map(|value| value.as_f64()).collect();
        r2_score(&y, &self.predict(x)?)
    }
}

impl<E: Estimator> Estimator for Regressor<E> {
    fn unfitted(&self) -> Self {
        Self::new(self.estimator.unfitted())
    }
}
