//! Transformers and an estimator in a row, as one estimator.
//!
//! # From a table to a service
//! A file with columns of numbers and texts becomes a classifier that a service loads as one file and asks about single
//! records:
//!
//! | step | type |
//! |---|---|
//! | read a table, split the target off | `CsvReader` (feature `csv`) or [`Table`](crate::datasets::Table), [`Labels`](crate::datasets::Labels) |
//! | impute, scale and encode columns by name | [`ColumnTransformer::columns`](crate::preprocessing::ColumnTransformer::columns) |
//! | a network whose input width follows from the categories | [`Sequential::deferred`](crate::models::Sequential::deferred) |
//! | early stopping in every fit | [`with_fit_options`](crate::models::Model::with_fit_options), which keeps callbacks of plain settings |
//! | classes by name, balanced weights | [`Classifier`](crate::model_selection::Classifier), [`ClassWeight`](crate::class_weight::ClassWeight) |
//! | compare on folds | [`cross_val_score`](crate::model_selection::cross_val_score) |
//! | save, load | `save` and `load` of the classifier: categories, statistics, weights and class names in one file |
//! | predict for a JSON record | [`Record::from_json`](crate::datasets::Record::from_json), [`predict_record`](crate::model_selection::Classifier::predict_record), [`predict_proba_record`](crate::model_selection::Classifier::predict_proba_record) |
//!
//! ```
//! use axonal::datasets::{Labels, Record, Table};
//! use axonal::prelude::*;
//!
//! # fn main() -> Result<()> {
//! let n = 60;
//! let x = Table::<f32>::new()
//!     .with_numbers("age", (0..n).map(|i| if i % 9 == 4 { f32::NAN } else { (20 + i) as f32 }))?
//!     .with_texts("plan", (0..n).map(|i| ["basic", "pro"][i % 2]))?;
//! let y = Labels::new((0..n).map(|i| ["leaves", "stays"][i % 2]))?;
//!
//! let columns = ColumnTransformer::new()
//!     .columns(["age"], (SimpleImputer::median(), StandardScaler::new()))
//!     .columns(["plan"], OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore));
//! let network = Sequential::deferred()
//!     .add(Dense::new(8).activation(Activation::Relu))
//!     .add(Dense::new(1).activation(Activation::Sigmoid))
//!     .compile(Adam::new(0.05), BinaryCrossentropy::default())?
//!     .with_fit_options(FitOptions::new().epochs(40).callback(EarlyStopping::new("loss").patience(5)));
//! let mut classifier = Classifier::new(Pipeline::new(columns, network)).class_weight(ClassWeight::Balanced);
//! assert!(cross_val_score(&classifier, &x, &y, StratifiedKFold::new(3).shuffle(1))?.iter().all(|score| *score > 0.9));
//! classifier.fit(&x, &y)?;
//! let bytes = classifier.to_bytes()?;
//!
//! // In the service.
//! let service = Classifier::<Pipeline<ColumnTransformer<f32>, Model<f32>>>::from_bytes(&bytes)?;
//! let record = Record::from_json(r#"{"plan": "pro", "age": null}"#)?;
//! assert_eq!(service.predict_record(&record)?, "stays");
//! assert!(service.predict_proba_record(&record)?["stays"] > 0.5);
//! # Ok(())
//! # }
//! ```
//!
//! A loaded classifier is `Sync`: threads share it behind an [`Arc`](std::sync::Arc). The examples `churn` and `serve` are a
//! whole program of each half. What a service receives never panics: a record without a needed field, or with a text in
//! place of a number, is an error that names the field; an unknown category is one that `handle_unknown` decides on.

use crate::datasets::Record;
use crate::error::{Error, Result};
use crate::estimator::{AnyEstimator, Estimator, Fit, Predict, Score, Transform};
use crate::float::Float;
use crate::nn::{FitOptions, FitWith, History};
use crate::preprocessing::RecordInput;
use serde::{Deserialize, Serialize};

/// A transformer, and whatever comes after it: fitted, asked, scored and copied as one.
///
/// `fit` fits the transformer to `x`, transforms `x`, and fits what follows to the result and `y`; `predict`,
/// `transform` and `score` transform first. What the transformer learns, it learns from the training data alone:
/// inside [`cross_val_score`](crate::model_selection::cross_val_score) nothing of a test fold leaks into the scaling.
///
/// Any number of steps is a pipeline of pipelines: [`then`](Self::then) appends one. A pipeline of transformers
/// alone is a transformer.
///
/// `save` and `load` keep the whole of it, with a network or a k-means at the end, as one file.
///
/// # Errors
/// Those of its steps.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 400.0], [2.0, 100.0], [9.0, 200.0], [10.0, 500.0]];
/// let mut scale_twice = Pipeline::new(StandardScaler::new(), StandardScaler::new());
/// scale_twice.fit(&x, ())?;
/// assert_eq!(scale_twice.transform(&x)?.dim(), (4, 2));
///
/// let three_steps = Pipeline::new(StandardScaler::new(), StandardScaler::new()).then(StandardScaler::new());
/// assert!(three_steps.transform(&x).is_err(), "not fitted");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline<T, E> {
    transformer: T,
    estimator: E,
}

impl<T, E> Pipeline<T, E> {
    /// First `transformer`, then `estimator`, which may be another transformer or a pipeline.
    #[must_use]
    pub fn new(transformer: T, estimator: E) -> Self {
        Self { transformer, estimator }
    }

    /// One more step at the end; what was the last one must be a transformer for that.
    #[must_use]
    pub fn then<N>(self, next: N) -> Pipeline<Self, N> {
        Pipeline::new(self, next)
    }

    /// The first step.
    pub fn transformer(&self) -> &T {
        &self.transformer
    }

    /// What comes after the first step.
    pub fn estimator(&self) -> &E {
        &self.estimator
    }

    /// Fits with the options of one run (epochs, callbacks, sample weights), and validation data that go through the steps
    /// as `x` does. The last step is a network; see [`FitWith`].
    ///
    /// # Errors
    /// Those of the steps; `validation_data` among the options, which no step would transform.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (x, y) = (array![[0.0], [100.0], [200.0], [300.0]], array![1.0, 2.0, 3.0, 4.0]);
    /// let network = Sequential::new(1).add(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError::default())?;
    /// let mut pipeline = Pipeline::new(StandardScaler::new(), network);
    /// let options = FitOptions::new().epochs(500).callback(EarlyStopping::new("val_loss").patience(20));
    /// let history = pipeline.fit_with(&x, &y, Some((&array![[150.0]], &array![2.5])), options)?;
    /// assert!(history.get("val_loss").is_some_and(|losses| losses[losses.len() - 1] < 0.1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_with<X: ?Sized, Y, F: Float>(
        &mut self,
        x: &X,
        y: Y,
        validation: Option<(&X, Y)>,
        options: FitOptions<'_, F>,
    ) -> Result<History>
    where
        Self: FitWith<F, X, Y>,
    {
        self.fit_with_validation(x, y, validation, options)
    }

    /// Both steps, by value.
    pub fn into_parts(self) -> (T, E) {
        (self.transformer, self.estimator)
    }
}

impl<X: ?Sized, Y, T, E> Fit<X, Y> for Pipeline<T, E>
where
    T: Fit<X> + Transform<X>,
    E: Fit<T::Output, Y>,
{
    type Report = E::Report;

    fn fit(&mut self, x: &X, y: Y) -> Result<E::Report> {
        self.transformer.fit(x, ())?;
        self.estimator.fit(&self.transformer.transform(x)?, y)
    }

    fn fit_class_weighted(&mut self, x: &X, y: Y, class_weight: &[(usize, f64)]) -> Result<E::Report> {
        self.transformer.fit(x, ())?;
        self.estimator.fit_class_weighted(&self.transformer.transform(x)?, y, class_weight)
    }
}

/// Validation data go through the transformer, as `x` does.
impl<F: Float, X: ?Sized, Y, T, E> FitWith<F, X, Y> for Pipeline<T, E>
where
    T: Fit<X> + Transform<X>,
    E: FitWith<F, T::Output, Y>,
{
    fn fit_with_validation(
        &mut self,
        x: &X,
        y: Y,
        validation: Option<(&X, Y)>,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        if options.validation.is_some() {
            return Err(Error::Misplaced {
                context: "fit_with of a pipeline",
                option: "validation_data among the options, which no step transforms",
                hint: "pass validation data as the argument `validation`",
            });
        }
        self.transformer.fit(x, ())?;
        let validation =
            validation.map(|(x, y)| Ok::<_, Error>((self.transformer.transform(x)?, y))).transpose()?;
        let x = self.transformer.transform(x)?;
        match validation {
            Some((x_validation, y_validation)) => {
                self.estimator.fit_with_validation(&x, y, Some((&x_validation, y_validation)), options)
            }
            None => self.estimator.fit_with_validation(&x, y, None, options),
        }
    }
}

impl<T: RecordInput, E> RecordInput for Pipeline<T, E> {
    type Input = T::Input;

    fn input_of(&self, records: &[Record]) -> Result<T::Input> {
        self.transformer.input_of(records)
    }
}

impl<X: ?Sized, T: Transform<X>, E: Predict<T::Output>> Predict<X> for Pipeline<T, E> {
    type Output = E::Output;

    fn predict(&self, x: &X) -> Result<E::Output> {
        self.estimator.predict(&self.transformer.transform(x)?)
    }
}

impl<X: ?Sized, T: Transform<X>, E: Transform<T::Output>> Transform<X> for Pipeline<T, E> {
    type Output = E::Output;

    fn transform(&self, x: &X) -> Result<E::Output> {
        self.estimator.transform(&self.transformer.transform(x)?)
    }
}

impl<X: ?Sized, Y, T: Transform<X>, E: Score<T::Output, Y>> Score<X, Y> for Pipeline<T, E> {
    fn score(&self, x: &X, y: Y) -> Result<f64> {
        self.estimator.score(&self.transformer.transform(x)?, y)
    }
}

impl<T: Estimator + 'static, E: Estimator + 'static> Estimator for Pipeline<T, E> {
    fn unfitted(&self) -> Self {
        Self::new(self.transformer.unfitted(), self.estimator.unfitted())
    }

    fn steps(&self) -> Vec<&dyn AnyEstimator> {
        vec![&self.transformer, &self.estimator]
    }
}
