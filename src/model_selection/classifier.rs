use super::{Answers, ClassTargets};
use crate::class_weight::ClassWeight;
use crate::datasets::Record;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Predict, Score};
use crate::float::Float;
use crate::metrics::accuracy_score;
use crate::nn::{FitOptions, FitWith, History};
use crate::preprocessing::{LabelEncoder, RecordInput};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An estimator whose answers are read as classes and scored by accuracy.
///
/// Networks with a softmax or a sigmoid, pipelines that end in one, and estimators that answer with class numbers
/// are compared alike. Labels are class numbers from 0 on, or [`Labels`](crate::datasets::Labels) with names: an estimator
/// of one column has the classes 0 and 1, one of several columns a class for each. The names of the classes are kept
/// and saved with the estimator.
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
///
/// let named = axonal::datasets::Labels::new(["same", "same", "different", "different"])?;
/// classifier.fit(&x, &named)?;
/// assert_eq!(classifier.predict_names(&x)?, ["same", "same", "different", "different"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classifier<E> {
    estimator: E,
    #[serde(default)]
    class_weight: Option<ClassWeight>,
    /// The names of the classes; not fitted before `fit`.
    #[serde(default)]
    classes: LabelEncoder,
}

/// Class numbers without names get their numbers as names, up to this many.
const MOST_NUMBERED: usize = 1 << 16;

impl<E> Classifier<E> {
    /// Reads the answers of `estimator` as classes.
    #[must_use]
    pub fn new(estimator: E) -> Self {
        Self { estimator, class_weight: None, classes: LabelEncoder::new() }
    }

    /// Sets the weights of the classes in training.
    #[must_use]
    pub fn class_weight(mut self, class_weight: impl Into<ClassWeight>) -> Self {
        self.class_weight = Some(class_weight.into());
        self
    }

    /// The estimator inside.
    pub fn estimator(&self) -> &E {
        &self.estimator
    }

    /// The names of the classes, in the order of their numbers; for labels without names, the numbers.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn classes(&self) -> Result<&[String]> {
        self.classes.classes().map_err(|_| Error::NotFitted { estimator: "Classifier", method: "classes" })
    }

    /// Predicts the name of the class of each sample.
    ///
    /// # Errors
    /// As `predict`, and [`Error::NotFitted`] before `fit`.
    pub fn predict_names<X: ?Sized>(&self, x: &X) -> Result<Vec<&str>>
    where
        E: Predict<X, Output: Answers>,
    {
        self.names_of(&self.estimator.predict(x)?)
    }

    /// Predicts the probability of each class, (samples, classes).
    ///
    /// # Errors
    /// As `predict`, and an estimator whose answers are not probabilities.
    pub fn predict_proba<X: ?Sized>(&self, x: &X) -> Result<Array2<f64>>
    where
        E: Predict<X, Output: Answers>,
    {
        self.estimator.predict(x)?.probabilities()
    }

    /// Predicts the name of the class of a record; see [`RecordInput`].
    ///
    /// # Errors
    /// A record without a field that is needed, and those of the estimator.
    pub fn predict_record(&self, record: &Record) -> Result<&str>
    where
        E: RecordInput + Predict<<E as RecordInput>::Input, Output: Answers>,
    {
        let names = self.predict_records(std::slice::from_ref(record))?;
        names.first().copied().ok_or_else(|| Error::shape("predictions", "one row", "none"))
    }

    /// Predicts the names of the classes of records; see [`RecordInput`].
    ///
    /// # Errors
    /// As [`predict_record`](Self::predict_record).
    pub fn predict_records(&self, records: &[Record]) -> Result<Vec<&str>>
    where
        E: RecordInput + Predict<<E as RecordInput>::Input, Output: Answers>,
    {
        self.names_of(&self.estimator.predict(&self.estimator.input_of(records)?)?)
    }

    /// Predicts the probability of each class of a record, by the names of the classes.
    ///
    /// # Errors
    /// As [`predict_record`](Self::predict_record), and an estimator whose answers are not probabilities.
    pub fn predict_proba_record(&self, record: &Record) -> Result<BTreeMap<String, f64>>
    where
        E: RecordInput + Predict<<E as RecordInput>::Input, Output: Answers>,
    {
        let input = self.estimator.input_of(std::slice::from_ref(record))?;
        let probabilities = self.estimator.predict(&input)?.probabilities()?;
        let classes = self.classes()?;
        if probabilities.ncols() != classes.len() {
            let expected = format!("a probability for each of {} classes", classes.len());
            return Err(Error::shape("predictions", expected, probabilities.ncols()));
        }
        Ok(classes.iter().cloned().zip(probabilities.iter().copied()).collect())
    }

    /// Fits with the options of one run, and validation data that go through the steps of the estimator; see
    /// [`FitWith`].
    ///
    /// # Errors
    /// As [`Model::fit_with`](crate::models::Model::fit_with).
    pub fn fit_with<X: ?Sized, Y: ClassTargets, F: Float>(
        &mut self,
        x: &X,
        y: Y,
        validation: Option<(&X, Y)>,
        options: FitOptions<'_, F>,
    ) -> Result<History>
    where
        E: for<'a> FitWith<F, X, &'a Array1<usize>>,
    {
        self.fit_with_validation(x, y, validation, options)
    }

    /// The names of predicted classes.
    fn names_of(&self, answers: &impl Answers) -> Result<Vec<&str>> {
        let classes = self.classes()?;
        let n_classes = classes.len();
        let name = |(row, class): (usize, &usize)| {
            let unknown = || Error::Label { row, label: class.to_string(), n_classes };
            classes.get(*class).map(String::as_str).ok_or_else(unknown)
        };
        answers.classes()?.iter().enumerate().map(name).collect()
    }

    /// The class numbers of targets, by the names of the fitted classes where both have names.
    fn indices_of(&self, y: impl ClassTargets) -> Result<Array1<usize>> {
        let (indices, names) = (y.class_indices()?, y.class_names());
        match self.classes.classes() {
            Ok(classes) if !names.is_empty() && names != classes => {
                let index = |index: usize| {
                    let name = names.get(index).map(String::as_str).unwrap_or_default();
                    let found = classes.iter().position(|class| class == name);
                    found.ok_or_else(|| Error::unknown_name("class", name, classes.iter().take(20)))
                };
                let mut known = BTreeMap::new();
                let mut remapped = indices;
                for slot in &mut remapped {
                    *slot = match known.get(slot) {
                        Some(index) => *index,
                        None => *known.entry(*slot).or_insert(index(*slot)?),
                    };
                }
                Ok(remapped)
            }
            _ => Ok(indices),
        }
    }
}

/// The classes of targets: their names, or their numbers as names.
fn classes_of(indices: &Array1<usize>, names: &[String]) -> Result<LabelEncoder> {
    if !names.is_empty() {
        return LabelEncoder::from_classes(names);
    }
    match indices.iter().max() {
        Some(&last) if last < MOST_NUMBERED => {
            LabelEncoder::from_classes((0..=last.max(1)).map(|class| class.to_string()))
        }
        _ => Ok(LabelEncoder::new()),
    }
}

impl<X: ?Sized, Y: ClassTargets, E, R> Fit<X, Y> for Classifier<E>
where
    E: for<'a> Fit<X, &'a Array1<usize>, Report = R>,
{
    type Report = R;

    fn fit(&mut self, x: &X, y: Y) -> Result<R> {
        let indices = y.class_indices()?;
        let report = match &self.class_weight {
            None => self.estimator.fit(x, &indices)?,
            Some(weights) => {
                weights.validate()?;
                let weights = weights.of_labels(indices.iter().copied());
                self.estimator.fit_class_weighted(x, &indices, &weights)?
            }
        };
        self.classes = classes_of(&indices, y.class_names())?;
        Ok(report)
    }
}

impl<X: ?Sized, Y: ClassTargets, F: Float, E> FitWith<F, X, Y> for Classifier<E>
where
    E: for<'a> FitWith<F, X, &'a Array1<usize>>,
{
    fn fit_with_validation(
        &mut self,
        x: &X,
        y: Y,
        validation: Option<(&X, Y)>,
        mut options: FitOptions<'_, F>,
    ) -> Result<History> {
        let indices = y.class_indices()?;
        let classes = classes_of(&indices, y.class_names())?;
        if let Some(weights) = &self.class_weight {
            weights.validate()?;
            options = options.class_weight(weights.of_labels(indices.iter().copied()));
        }
        let known = std::mem::replace(&mut self.classes, classes);
        let validation = validation.map(|(x, y)| Ok::<_, Error>((x, self.indices_of(y)?))).transpose();
        let report = validation.and_then(|validation| {
            let validation = validation.as_ref().map(|(x, indices)| (*x, indices));
            self.estimator.fit_with_validation(x, &indices, validation, options)
        });
        if report.is_err() {
            self.classes = known;
        }
        report
    }
}

impl<X: ?Sized, E: Predict<X, Output: Answers>> Predict<X> for Classifier<E> {
    type Output = Array1<usize>;

    fn predict(&self, x: &X) -> Result<Array1<usize>> {
        self.estimator.predict(x)?.classes()
    }
}

impl<X, Y, E> Score<X, Y> for Classifier<E>
where
    X: ?Sized,
    Y: ClassTargets,
    E: Predict<X, Output: Answers>,
{
    fn score(&self, x: &X, y: Y) -> Result<f64> {
        let answers = self.estimator.predict(x)?;
        let labels = self.indices_of(y)?;
        if let Some(n_classes) = answers.n_classes()
            && let Some((row, label)) = labels.iter().enumerate().find(|(_, label)| **label >= n_classes)
        {
            return Err(Error::Label { row, label: label.to_string(), n_classes });
        }
        accuracy_score(&labels, &answers.classes()?)
    }
}

impl<E: Estimator> Estimator for Classifier<E> {
    fn unfitted(&self) -> Self {
        Self {
            estimator: self.estimator.unfitted(),
            class_weight: self.class_weight.clone(),
            classes: LabelEncoder::new(),
        }
    }
}

/// The parts of a classifier, for files.
pub(crate) struct ClassifierParts<E> {
    pub(crate) estimator: E,
    pub(crate) class_weight: Option<ClassWeight>,
    pub(crate) classes: LabelEncoder,
}

impl<E> Classifier<E> {
    /// The weights of the classes and their names.
    pub(crate) fn settings(&self) -> (Option<&ClassWeight>, &LabelEncoder) {
        (self.class_weight.as_ref(), &self.classes)
    }

    pub(crate) fn of_parts(parts: ClassifierParts<E>) -> Self {
        let ClassifierParts { estimator, class_weight, classes } = parts;
        Self { estimator, class_weight, classes }
    }
}
