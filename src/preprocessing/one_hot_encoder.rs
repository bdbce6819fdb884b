use super::category::{Categories, knows_categories};
use super::category_columns::{CategoryColumns, CategoryEncoder};
use super::{Categorical, Category, CategoryValue};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};

/// How an encoder treats a category that `fit` did not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HandleUnknown {
    /// Returns an error.
    #[default]
    Error,
    /// Encodes it as no category, and a missing text of a table as well.
    Ignore,
}

/// Which column of a feature is left out, since it follows from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DropCategory {
    /// None.
    #[default]
    None,
    /// The first category's.
    First,
    /// The first category's where there are exactly two.
    IfBinary,
}

impl DropCategory {
    /// How many leading categories of `n` have no column.
    fn skipped(self, n: usize) -> usize {
        usize::from(self == Self::First || (self == Self::IfBinary && n == 2))
    }
}

/// Turns every feature into one column for each of its categories: 1 where a sample has it, else 0.
///
/// # Shapes
/// `x`: (n_samples, n_features) of floats, integers, `bool` or strings. Out: (n_samples, number of categories
/// of all features), the features side by side, categories ascending.
///
/// # Parameters
/// * `handle_unknown`: how to treat a value that `fit` did not see; [`HandleUnknown::Ignore`] encodes it as zeros.
///   Default: [`HandleUnknown::Error`].
/// * `with_categories`: the categories of each feature, in the order of their columns. Default: learned by `fit`,
///   ascending.
/// * `drop`: which column to leave out. Default: [`DropCategory::None`].
///
/// # Errors
/// Data without rows or columns, NaN, another number of features than `fit` saw, unknown categories,
/// [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut encoder = OneHotEncoder::new();
/// encoder.fit(&array![["red"], ["green"], ["blue"]])?;
/// assert_eq!(encoder.transform(&array![["green"], ["red"]])?, array![[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// assert_eq!(encoder.feature_names(&["color"])?, ["color_blue", "color_green", "color_red"]);
/// let unknown = encoder.transform(&array![["pink"]]).unwrap_err().to_string();
/// assert_eq!(unknown, "OneHotEncoder: x is pink at [0, 0], expected one of blue, green, red");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHotEncoder {
    #[serde(rename = "unknown")]
    handle_unknown: HandleUnknown,
    drop: DropCategory,
    /// Whether the caller gave the categories.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    given: bool,
    categories: Option<Categories>,
}

impl OneHotEncoder {
    /// A column for every category; refuses unknown ones.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how a value that `fit` did not see is treated.
    #[must_use]
    pub fn handle_unknown(mut self, handle_unknown: HandleUnknown) -> Self {
        self.handle_unknown = handle_unknown;
        self
    }

    /// Sets the categories of each feature, in the order of their columns; `fit` then checks the data instead of learning
    /// categories from them.
    ///
    /// # Errors
    /// No feature, a feature without categories, a category that occurs twice or is not finite.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut encoder = OneHotEncoder::new().with_categories([["small", "medium", "large"]])?;
    /// assert_eq!(encoder.fit_transform(&array![["large"], ["small"]])?, array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_categories<T: CategoryValue>(
        mut self,
        categories: impl IntoIterator<Item = impl IntoIterator<Item = T>>,
    ) -> Result<Self> {
        self.categories = Some(Categories::given("OneHotEncoder", categories)?);
        self.given = true;
        Ok(self)
    }

    /// Which column of a feature to leave out.
    #[must_use]
    pub fn drop(mut self, drop: DropCategory) -> Self {
        self.drop = drop;
        self
    }

    /// The categories of each feature: ascending, or in the order of [`with_categories`](Self::with_categories).
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn categories(&self) -> Result<&[Vec<Category>]> {
        Ok(&self.fitted("categories")?.lists)
    }

    /// The names of the columns that come out: the feature's name, an underscore, the category.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, or another number of names than features.
    pub fn feature_names(&self, names: &[impl AsRef<str>]) -> Result<Vec<String>> {
        let categories = &self.fitted("feature_names")?.lists;
        if names.len() != categories.len() {
            return Err(Error::shape("names", format!("{} names", categories.len()), names.len()));
        }
        let columns = names.iter().zip(categories).flat_map(|(name, known)| {
            let kept = &known[self.drop.skipped(known.len())..];
            kept.iter().map(move |category| format!("{}_{category}", name.as_ref()))
        });
        Ok(columns.collect())
    }

    /// Back from columns of zeros and ones to the original values: the category with the highest number, or the one
    /// left out where all are zero.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`, another number of columns than `transform` gives, a sample without a
    /// category, or a category that is no `T`.
    pub fn inverse_transform<T: TryFrom<Category, Error = Error>>(
        &self,
        columns: &ArrayBase<impl Data<Elem = impl Float>, Ix2>,
    ) -> Result<Array2<T>> {
        let categories = &self.fitted("inverse_transform")?.lists;
        let (starts, n_columns) = self.starts(categories);
        crate::validate::features("x", &columns.view(), n_columns)?;
        let mut values = Vec::with_capacity(columns.nrows() * categories.len());
        for (row, columns) in columns.rows().into_iter().enumerate() {
            for (feature, (known, &start)) in categories.iter().zip(&starts).enumerate() {
                let skipped = self.drop.skipped(known.len());
                let mut best = (0.0, skipped.checked_sub(1));
                for number in skipped..known.len() {
                    let height = columns[start + number - skipped].as_f64();
                    if height > best.0 {
                        best = (height, Some(number));
                    }
                }
                let Some(number) = best.1 else {
                    let value = format!("all zero for feature {feature} in row {row}");
                    return Err(Error::invalid_parameter(
                        "OneHotEncoder",
                        "x",
                        value,
                        "a 1 for one category",
                    ));
                };
                values.push(T::try_from(known[number].clone())?);
            }
        }
        let shape = (columns.nrows(), categories.len());
        Array2::from_shape_vec(shape, values).map_err(|_| Error::shape("x", format!("{shape:?}"), "other"))
    }

    fn fitted(&self, method: &'static str) -> Result<&Categories> {
        self.categories.as_ref().ok_or(Error::NotFitted { estimator: "OneHotEncoder", method })
    }

    /// The categories of each feature, and how many of them have no column.
    #[cfg(feature = "onnx")]
    pub(crate) fn columns(&self, method: &'static str) -> Result<(&[Vec<Category>], Vec<usize>)> {
        let categories = &self.fitted(method)?.lists;
        Ok((categories, categories.iter().map(|known| self.drop.skipped(known.len())).collect()))
    }

    /// Whether unknown categories are encoded as zeros.
    #[cfg(feature = "onnx")]
    pub(crate) fn ignores_unknown(&self) -> bool {
        self.handle_unknown == HandleUnknown::Ignore
    }

    /// The first column of each feature, and the number of all columns.
    fn starts(&self, categories: &[Vec<Category>]) -> (Vec<usize>, usize) {
        let mut next = 0;
        let starts = categories
            .iter()
            .map(|known| {
                let start = next;
                next += known.len() - self.drop.skipped(known.len());
                start
            })
            .collect();
        (starts, next)
    }
}

crate::estimator::inherent_fit!(OneHotEncoder, CategoryValue, ());

impl<T: CategoryValue, S: Data<Elem = T>> Fit<ArrayBase<S, Ix2>> for OneHotEncoder {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        let found = Categories::of(x)?;
        if !self.given {
            self.categories = Some(found);
            return Ok(());
        }
        let categories = self.fitted("fit")?;
        let unknown = categories.numbers(x)?.iter().position(Option::is_none);
        match unknown.filter(|_| self.handle_unknown == HandleUnknown::Error) {
            Some(position) => Err(categories.unknown("OneHotEncoder", x, position)),
            None => Ok(()),
        }
    }
}

impl<T: CategoryValue, S: Data<Elem = T>> Transform<ArrayBase<S, Ix2>> for OneHotEncoder {
    type Output = Array2<T::Code>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<T::Code>> {
        let categories = self.fitted("transform")?;
        let (starts, n_columns) = self.starts(&categories.lists);
        let mut out = super::zeros("OneHotEncoder", (x.nrows(), n_columns))?;
        for (position, number) in categories.numbers(x)?.into_iter().enumerate() {
            let (row, feature) = (position / starts.len(), position % starts.len());
            let skipped = self.drop.skipped(categories.lists[feature].len());
            match number {
                Some(number) if number >= skipped => {
                    out[[row, starts[feature] + number - skipped]] = T::Code::of(1.0);
                }
                None if self.handle_unknown == HandleUnknown::Error => {
                    return Err(categories.unknown("OneHotEncoder", x, position));
                }
                _ => {}
            }
        }
        Ok(out)
    }
}

impl Estimator for OneHotEncoder {
    fn unfitted(&self) -> Self {
        if self.given { self.clone() } else { self.without_known() }
    }
}

impl CategoryEncoder for OneHotEncoder {
    fn fit_categories<F: Float>(&mut self, x: &CategoryColumns<'_, F>) -> Result<()> {
        let lenient = self.handle_unknown == HandleUnknown::Ignore;
        if self.given {
            return x.check("OneHotEncoder", self.fitted("fit")?, lenient);
        }
        self.categories = Some(x.occurring("OneHotEncoder", lenient)?);
        Ok(())
    }

    fn transform_categories<F: Float>(&self, x: &CategoryColumns<'_, F>) -> Result<Array2<F>> {
        let categories = self.fitted("transform")?;
        let lenient = self.handle_unknown == HandleUnknown::Ignore;
        let (starts, n_columns) = self.starts(&categories.lists);
        let mut out = super::zeros("OneHotEncoder", (x.n_rows(), n_columns))?;
        x.for_each_number("OneHotEncoder", categories, lenient, |row, feature, number| {
            let skipped = self.drop.skipped(categories.lists[feature].len());
            if let Some(number) = number.filter(|number| *number >= skipped) {
                out[[row, starts[feature] + number - skipped]] = F::one();
            }
        })?;
        Ok(out)
    }
}

knows_categories!(OneHotEncoder, given);
