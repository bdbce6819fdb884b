use super::category::{Categories, knows_categories};
use super::{Categorical, Category, CategoryValue};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::validate;
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Axis, Data, Ix1, Ix2};
use serde::{Deserialize, Serialize};

/// Turns class labels into one column for each class, or into a single column for two classes.
///
/// The columns are integers, as scikit-learn's, and serve as targets of networks of any number type: one sigmoid output for
/// two classes, a softmax over the classes otherwise.
///
/// # Shapes
/// Labels: (n_samples) of integers, floats, `bool` or strings. Out: (n_samples, number of classes), or (n_samples, 1) for one
/// or two classes.
///
/// # Parameters
/// * `neg_label`: the value for the other classes. Default: 0.
/// * `pos_label`: the value for the sample's class. Default: 1.
///
/// # Errors
/// No labels, NaN, `neg_label` not below `pos_label`, a class that `fit` did not see (scikit-learn gives it a row of
/// `neg_label`), [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::LabelBinarizer;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut binarizer = LabelBinarizer::new();
/// let labels = array!["b", "a", "c"];
/// assert_eq!(binarizer.fit_transform(&labels)?, array![[0, 1, 0], [1, 0, 0], [0, 0, 1]]);
/// let probabilities = array![[0.1, 0.7, 0.2]];
/// assert_eq!(binarizer.inverse_transform::<String>(&probabilities)?, array!["b"]);
/// assert_eq!(LabelBinarizer::new().fit_transform(&array![4, 9])?, array![[0], [1]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelBinarizer {
    neg_label: i64,
    pos_label: i64,
    categories: Option<Categories>,
}

impl Default for LabelBinarizer {
    fn default() -> Self {
        Self { neg_label: 0, pos_label: 1, categories: None }
    }
}

impl LabelBinarizer {
    /// Columns of 0 and 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value for the other classes.
    #[must_use]
    pub fn neg_label(mut self, value: i64) -> Self {
        self.neg_label = value;
        self
    }

    /// Sets the value for the sample's class.
    #[must_use]
    pub fn pos_label(mut self, value: i64) -> Self {
        self.pos_label = value;
        self
    }

    /// The classes, ascending: those of the columns, or the negative and the positive class of a single column.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn classes(&self) -> Result<&[Category]> {
        Ok(self.fitted("classes")?.lists.first().map_or(&[], Vec::as_slice))
    }

    /// Learns the classes from a slice or an array of labels.
    ///
    /// # Errors
    /// See [`LabelBinarizer`].
    pub fn fit<X: ?Sized>(&mut self, labels: &X) -> Result<()>
    where
        Self: Fit<X, Report = ()>,
    {
        Fit::fit(self, labels, ())
    }

    /// Back from columns, or from scores such as probabilities, to labels: the class of the largest column (the first of equals);
    /// of a single column, whether it exceeds the mean of `neg_label` and `pos_label`.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, another number of columns than `transform` gives, NaN, or a class that is no `T`.
    pub fn inverse_transform<T: TryFrom<Category, Error = Error>>(
        &self,
        columns: &ArrayBase<impl Data<Elem = impl Float>, Ix2>,
    ) -> Result<Array1<T>> {
        self.fitted("inverse_transform")?;
        let classes = self.classes()?;
        validate::features("x", &columns.view(), width(classes.len()))?;
        validate::finite("x", columns)?;
        let threshold = (i128::from(self.neg_label) + i128::from(self.pos_label)) as f64 / 2.0;
        let label = |row: ArrayView1<'_, _>| {
            let class = match row.as_slice() {
                _ if classes.len() < 2 => 0,
                _ if row.len() == 1 => {
                    usize::from(row.iter().any(|value: &_| Float::as_f64(*value) > threshold))
                }
                _ => largest(row),
            };
            classes.get(class).cloned().map_or_else(|| Err(not_fitted("inverse_transform")), T::try_from)
        };
        columns.rows().into_iter().map(label).collect()
    }

    fn fitted(&self, method: &'static str) -> Result<&Categories> {
        self.categories.as_ref().ok_or_else(|| not_fitted(method))
    }

    fn learn<T: CategoryValue>(&mut self, labels: ArrayView1<'_, T>) -> Result<()> {
        if self.neg_label >= self.pos_label {
            let expected = format!("below pos_label={}", self.pos_label);
            return Err(Error::invalid_parameter("LabelBinarizer", "neg_label", self.neg_label, expected));
        }
        self.categories = Some(Categories::of(&labels.insert_axis(Axis(1)))?);
        Ok(())
    }

    fn columns<T: CategoryValue>(&self, labels: ArrayView1<'_, T>) -> Result<Array2<i64>> {
        let categories = self.fitted("transform")?;
        let (labels, n_classes) = (labels.insert_axis(Axis(1)), self.classes()?.len());
        let shape = (labels.nrows(), width(n_classes));
        let numbers = categories.numbers(&labels)?;
        super::zeros::<f64>("LabelBinarizer", shape)?;
        let mut out = Array2::from_elem(shape, self.neg_label);
        for (row, number) in numbers.into_iter().enumerate() {
            let number = number.ok_or_else(|| categories.unknown("LabelBinarizer", &labels, row))?;
            match n_classes {
                0 | 1 => {}
                2 if number == 0 => {}
                2 => out[[row, 0]] = self.pos_label,
                _ => out[[row, number]] = self.pos_label,
            }
        }
        Ok(out)
    }
}

fn not_fitted(method: &'static str) -> Error {
    Error::NotFitted { estimator: "LabelBinarizer", method }
}

/// The number of columns: one for up to two classes.
fn width(n_classes: usize) -> usize {
    if n_classes > 2 { n_classes } else { 1 }
}

/// The index of the largest value, the first of equals.
fn largest<F: Float>(row: ArrayView1<'_, F>) -> usize {
    let better = |best: (usize, F), (column, &value)| if value > best.1 { (column, value) } else { best };
    row.iter().enumerate().fold((0, F::neg_infinity()), better).0
}

impl<T: CategoryValue, S: Data<Elem = T>> Fit<ArrayBase<S, Ix1>> for LabelBinarizer {
    type Report = ();

    fn fit(&mut self, labels: &ArrayBase<S, Ix1>, (): ()) -> Result<()> {
        self.learn(labels.view())
    }
}

impl<T: CategoryValue, S: Data<Elem = T>> Transform<ArrayBase<S, Ix1>> for LabelBinarizer {
    type Output = Array2<i64>;

    fn transform(&self, labels: &ArrayBase<S, Ix1>) -> Result<Array2<i64>> {
        self.columns(labels.view())
    }
}

impl<T: CategoryValue> Fit<[T]> for LabelBinarizer {
    type Report = ();

    fn fit(&mut self, labels: &[T], (): ()) -> Result<()> {
        self.learn(labels.into())
    }
}

impl<T: CategoryValue> Transform<[T]> for LabelBinarizer {
    type Output = Array2<i64>;

    fn transform(&self, labels: &[T]) -> Result<Array2<i64>> {
        self.columns(labels.into())
    }
}

impl Estimator for LabelBinarizer {
    fn unfitted(&self) -> Self {
        Self { categories: None, ..self.clone() }
    }
}

knows_categories!(LabelBinarizer);
