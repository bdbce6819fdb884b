use super::Answers;
use crate::datasets::Record;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Predict, Score};
use crate::float::Float;
use crate::metrics::r2_score;
use crate::nn::{FitOptions, FitWith, History};
use crate::preprocessing::RecordInput;
use ndarray::{Array1, ArrayBase, Data, Ix1};
use serde::{Deserialize, Serialize};

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

    /// Predicts the value of a record; see [`RecordInput`].
    ///
    /// # Errors
    /// A record without a field that is needed, and those of the estimator.
    pub fn predict_record(&self, record: &Record) -> Result<f64>
    where
        E: RecordInput + Predict<<E as RecordInput>::Input, Output: Answers>,
    {
        let values = self.predict_records(std::slice::from_ref(record))?;
        values.first().copied().ok_or_else(|| Error::shape("predictions", "one value", "none"))
    }

    /// Predicts the values of records; see [`RecordInput`].
    ///
    /// # Errors
    /// As [`predict_record`](Self::predict_record).
    pub fn predict_records(&self, records: &[Record]) -> Result<Array1<f64>>
    where
        E: RecordInput + Predict<<E as RecordInput>::Input, Output: Answers>,
    {
        self.estimator.predict(&self.estimator.input_of(records)?)?.values()
    }

    /// Fits with the options of one run, and validation data that go through the steps of the estimator; see
    /// [`FitWith`].
    ///
    /// # Errors
    /// As [`Model::fit_with`](crate::models::Model::fit_with).
    pub fn fit_with<X: ?Sized, Y, F: Float>(
        &mut self,
        x: &X,
        y: Y,
        validation: Option<(&X, Y)>,
        options: FitOptions<'_, F>,
    ) -> Result<History>
    where
        E: FitWith<F, X, Y>,
    {
        self.estimator.fit_with_validation(x, y, validation, options)
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
