use super::category::{Categories, knows_categories};
use super::category_columns::{CategoryColumns, CategoryEncoder};
use super::{Categorical, Category, CategoryValue, HandleUnknown};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Numbers the categories of every feature: 0, 1, … in ascending order.
///
/// # Shapes
/// `x`: (n_samples, n_features) of floats, integers, `bool` or strings; the same out, as floats.
///
/// # Parameters
/// * `handle_unknown`: how to treat a value that `fit` did not see; [`HandleUnknown::Ignore`] encodes it as −1. Default:
///   [`HandleUnknown::Error`].
/// * `with_categories`: the categories of each feature, in the order of their numbers. Default: learned by `fit`,
///   ascending.
///
/// # Errors
/// Data without rows or columns, NaN, another number of features than `fit` saw, unknown categories,
/// [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::OrdinalEncoder;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![["red", "small"], ["blue", "large"], ["red", "large"]];
/// let mut encoder = OrdinalEncoder::new();
/// let codes = encoder.fit_transform(&x)?;
/// assert_eq!(codes, array![[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]);
/// assert_eq!(encoder.inverse_transform::<String>(&codes)?, x);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdinalEncoder {
    #[serde(rename = "unknown")]
    handle_unknown: HandleUnknown,
    /// Whether the caller gave the categories.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    given: bool,
    categories: Option<Categories>,
}

impl OrdinalEncoder {
    /// Refuses unknown categories.
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

    /// Sets the categories of each feature, in the order of their numbers; `fit` then checks the data instead of learning
    /// categories from them.
    ///
    /// # Errors
    /// No feature, a feature without categories, a category that occurs twice or is not finite.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::preprocessing::OrdinalEncoder;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut encoder = OrdinalEncoder::new().with_categories([["small", "medium", "large"]])?;
    /// assert_eq!(encoder.fit_transform(&array![["large"], ["small"]])?, array![[2.0], [0.0]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_categories<T: CategoryValue>(
        mut self,
        categories: impl IntoIterator<Item = impl IntoIterator<Item = T>>,
    ) -> Result<Self> {
        self.categories = Some(Categories::given("OrdinalEncoder", categories)?);
        self.given = true;
        Ok(self)
    }

    /// The categories of each feature: ascending, or in the order of [`with_categories`](Self::with_categories).
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn categories(&self) -> Result<&[Vec<Category>]> {
        Ok(&self.fitted("categories")?.lists)
    }

    /// Back from numbers to the original values.
    ///
    /// # Errors
    /// As `transform`, a number that denotes no category, or a category that is no `T`.
    pub fn inverse_transform<T: TryFrom<Category, Error = Error>>(
        &self,
        codes: &ArrayBase<impl Data<Elem = impl Float>, Ix2>,
    ) -> Result<Array2<T>> {
        let categories = &self.fitted("inverse_transform")?.lists;
        crate::validate::features("x", &codes.view(), categories.len())?;
        let mut values = Vec::with_capacity(codes.len());
        for (row, codes) in codes.rows().into_iter().enumerate() {
            for ((column, code), known) in codes.iter().enumerate().zip(categories) {
                let Some(category) = whole(code.as_f64()).and_then(|number| known.get(number)) else {
                    let value = format!("{code} at [{row}, {column}]");
                    let expected = format!("whole numbers from 0 to {}", known.len() - 1);
                    return Err(Error::invalid_parameter("OrdinalEncoder", "x", value, expected));
                };
                values.push(T::try_from(category.clone())?);
            }
        }
        filled(codes.dim(), values)
    }

    fn fitted(&self, method: &'static str) -> Result<&Categories> {
        self.categories.as_ref().ok_or(Error::NotFitted { estimator: "OrdinalEncoder", method })
    }
}

/// The whole number that a float is.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "numbers that are not whole and small come out as another one"
)]
fn whole(code: f64) -> Option<usize> {
    let number = code as usize;
    (number as f64 == code).then_some(number)
}

/// A table of values in row order.
fn filled<T>(shape: (usize, usize), values: Vec<T>) -> Result<Array2<T>> {
    let len = values.len();
    Array2::from_shape_vec(shape, values).map_err(|_| Error::shape("values", format!("{shape:?}"), len))
}

crate::estimator::inherent_fit!(OrdinalEncoder, CategoryValue, ());

impl<T: CategoryValue, S: Data<Elem = T>> Fit<ArrayBase<S, Ix2>> for OrdinalEncoder {
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
            Some(position) => Err(categories.unknown("OrdinalEncoder", x, position)),
            None => Ok(()),
        }
    }
}

impl<T: CategoryValue, S: Data<Elem = T>> Transform<ArrayBase<S, Ix2>> for OrdinalEncoder {
    type Output = Array2<T::Code>;

    #[allow(clippy::cast_precision_loss, reason = "a category's number")]
    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<T::Code>> {
        let categories = self.fitted("transform")?;
        let numbers = categories.numbers(x)?.into_iter().enumerate();
        let code = |(position, number): (usize, Option<usize>)| match (number, self.handle_unknown) {
            (Some(number), _) => Ok(T::Code::of(number as f64)),
            (None, HandleUnknown::Ignore) => Ok(T::Code::of(-1.0)),
            (None, HandleUnknown::Error) => Err(categories.unknown("OrdinalEncoder", x, position)),
        };
        filled(x.dim(), numbers.map(code).collect::<Result<_>>()?)
    }
}

impl Estimator for OrdinalEncoder {
    fn unfitted(&self) -> Self {
        if self.given { self.clone() } else { self.without_known() }
    }
}

impl CategoryEncoder for OrdinalEncoder {
    fn fit_categories<F: Float>(&mut self, x: &CategoryColumns<'_, F>) -> Result<()> {
        let lenient = self.handle_unknown == HandleUnknown::Ignore;
        if self.given {
            return x.check("OrdinalEncoder", self.fitted("fit")?, lenient);
        }
        self.categories = Some(x.occurring("OrdinalEncoder", lenient)?);
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "a category's number")]
    fn transform_categories<F: Float>(&self, x: &CategoryColumns<'_, F>) -> Result<Array2<F>> {
        let categories = self.fitted("transform")?;
        let lenient = self.handle_unknown == HandleUnknown::Ignore;
        let mut out = super::zeros("OrdinalEncoder", (x.n_rows(), categories.lists.len()))?;
        x.for_each_number("OrdinalEncoder", categories, lenient, |row, feature, number| {
            out[[row, feature]] = number.map_or(F::of(-1.0), |number| F::of(number as f64));
        })?;
        Ok(out)
    }
}

knows_categories!(OrdinalEncoder, given);
