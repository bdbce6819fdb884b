use super::category::{Categories, knows_categories};
use super::{Categorical, Category, CategoryValue, Unknown};
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
/// * `unknown`: what to do with a value that `fit` did not see; [`Unknown::Ignore`] gives it the number −1. Default:
///   [`Unknown::Error`].
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
    unknown: Unknown,
    categories: Option<Categories>,
}

impl OrdinalEncoder {
    /// Refuses unknown categories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do with a value that `fit` did not see.
    #[must_use]
    pub fn unknown(mut self, unknown: Unknown) -> Self {
        self.unknown = unknown;
        self
    }

    /// The categories of each feature, ascending.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn categories(&self) -> Result<&[Vec<Category>]> {
        Ok(&self.fitted("categories")?.0)
    }

    /// Back from numbers to the original values.
    ///
    /// # Errors
    /// As `transform`, a number that denotes no category, or a category that is no `T`.
    pub fn inverse_transform<T: TryFrom<Category, Error = Error>>(
        &self,
        codes: &ArrayBase<impl Data<Elem = impl Float>, Ix2>,
    ) -> Result<Array2<T>> {
        let categories = &self.fitted("inverse_transform")?.0;
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
        self.categories = Some(Categories::of(x)?);
        Ok(())
    }
}

impl<T: CategoryValue, S: Data<Elem = T>> Transform<ArrayBase<S, Ix2>> for OrdinalEncoder {
    type Output = Array2<T::Code>;

    #[allow(clippy::cast_precision_loss, reason = "a category's number")]
    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<T::Code>> {
        let categories = self.fitted("transform")?;
        let numbers = categories.numbers(x)?.into_iter().enumerate();
        let code = |(position, number): (usize, Option<usize>)| match (number, self.unknown) {
            (Some(number), _) => Ok(T::Code::of(number as f64)),
            (None, Unknown::Ignore) => Ok(T::Code::of(-1.0)),
            (None, Unknown::Error) => Err(categories.unknown("OrdinalEncoder", x, position)),
        };
        filled(x.dim(), numbers.map(code).collect::<Result<_>>()?)
    }
}

impl Estimator for OrdinalEncoder {
    fn unfitted(&self) -> Self {
        Self { categories: None, ..self.clone() }
    }
}

knows_categories!(OrdinalEncoder);
