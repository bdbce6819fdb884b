use super::Known;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// One of the values that a categorical feature takes; numbers sort before texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Category {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Known for Category {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn bits(&self) -> u64 {
        if let Self::Number(number) = self { number.to_bits() } else { 0 }
    }

    fn text_mut(&mut self) -> Option<&mut String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn of_number(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self::Number(number))
    }

    fn of_text(text: String) -> Option<Self> {
        Some(Self::Text(text))
    }
}

/// A value of a categorical feature: a float, an integer of any type, a `bool`, a string.
///
/// Integers beyond ±2^53, which no `f64` holds exactly, become categories of text: their digits.
pub trait CategoryValue: Clone {
    /// The number type that codes come in: that of the values themselves for floats, else f64.
    type Code: Float;

    /// The value as a category.
    fn category(&self) -> Category;

    /// Where the value stands relative to a category.
    fn compare(&self, category: &Category) -> Ordering;
}

impl CategoryValue for Category {
    type Code = f64;

    fn category(&self) -> Category {
        self.clone()
    }

    fn compare(&self, category: &Category) -> Ordering {
        match self {
            Self::Number(number) => number.compare(category),
            Self::Text(text) => text.compare(category),
        }
    }
}

/// The encoder's categories as lists for files.
macro_rules! knows_categories {
    ($encoder:ty) => {
        impl Categorical for $encoder {
            type Item = Category;

            fn known(&self) -> Option<Vec<&[Category]>> {
                Some(self.categories.as_ref()?.0.iter().map(Vec::as_slice).collect())
            }

            fn with_known(self, lists: Vec<Vec<Category>>) -> Self {
                Self { categories: Some(Categories(lists)), ..self }
            }

            fn misfit(lists: &[&[Category]]) -> Option<&'static str> {
                Categories::misfit(lists)
            }
        }
    };
}
pub(super) use knows_categories;

macro_rules! number_values {
    ($($number:ty => $code:ty),*) => {$(
        impl CategoryValue for $number {
            type Code = $code;

            fn category(&self) -> Category {
                // Adding 0 makes one zero of both.
                Category::Number(f64::from(*self) + 0.0)
            }

            fn compare(&self, category: &Category) -> Ordering {
                match category {
                    Category::Number(number) => (f64::from(*self) + 0.0).total_cmp(number),
                    Category::Text(_) => Ordering::Less,
                }
            }
        }
    )*};
}
number_values!(f32 => f32, f64 => f64, bool => f64);

/// The largest integer up to which every one is an `f64`.
const EXACT: i128 = 1 << 53;

macro_rules! integer_values {
    ($($number:ty),*) => {$(
        impl CategoryValue for $number {
            type Code = f64;

            #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53")]
            fn category(&self) -> Category {
                match i128::try_from(*self) {
                    Ok(value) if value.unsigned_abs() <= EXACT.unsigned_abs() => Category::Number(value as f64),
                    _ => Category::Text(self.to_string()),
                }
            }

            fn compare(&self, category: &Category) -> Ordering {
                match (self.category(), category) {
                    (Category::Number(value), Category::Number(number)) => value.total_cmp(number),
                    // As text it comes behind all numbers.
                    (Category::Text(_), Category::Number(_)) => Ordering::Greater,
                    (Category::Number(_), Category::Text(_)) => Ordering::Less,
                    (Category::Text(value), Category::Text(text)) => value.cmp(text),
                }
            }
        }

        impl TryFrom<Category> for $number {
            type Error = Error;

            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::float_cmp,
                reason = "a number that is no integer comes out as another one"
            )]
            fn try_from(category: Category) -> Result<Self> {
                let integer = match &category {
                    Category::Number(number) => {
                        let integer = *number as i128;
                        Some(integer).filter(|integer| *integer as f64 == *number).and_then(|integer| Self::try_from(integer).ok())
                    }
                    Category::Text(text) => text.parse().ok(),
                };
                integer.ok_or_else(|| Error::shape("category", stringify!($number), format!("{:?}", category.to_string())))
            }
        }
    )*};
}
integer_values!(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, usize, isize);

macro_rules! text_values {
    ($($text:ty),*) => {$(
        impl CategoryValue for $text {
            type Code = f64;

            fn category(&self) -> Category {
                Category::Text(self.to_string())
            }

            fn compare(&self, category: &Category) -> Ordering {
                match category {
                    Category::Text(text) => AsRef::<str>::as_ref(self).cmp(text),
                    Category::Number(_) => Ordering::Greater,
                }
            }
        }
    )*};
}
text_values!(&str, String);

impl TryFrom<Category> for f64 {
    type Error = Error;

    fn try_from(category: Category) -> Result<f64> {
        match category {
            Category::Number(number) => Ok(number),
            Category::Text(text) => Err(Error::shape("category", "a number", format!("the text {text:?}"))),
        }
    }
}

impl TryFrom<Category> for f32 {
    type Error = Error;

    fn try_from(category: Category) -> Result<f32> {
        f64::try_from(category).map(f32::of)
    }
}

impl TryFrom<Category> for String {
    type Error = Error;

    /// Never fails: a number is written out.
    fn try_from(category: Category) -> Result<String> {
        Ok(category.to_string())
    }
}

/// The categories of each column of a table, ascending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Categories(pub(super) Vec<Vec<Category>>);

impl Categories {
    /// The values that occur in each column.
    pub(super) fn of<T: CategoryValue>(x: &ArrayBase<impl Data<Elem = T>, Ix2>) -> Result<Self> {
        crate::validate::not_empty("x", x)?;
        crate::validate::copyable("x", x)?;
        x.columns()
            .into_iter()
            .enumerate()
            .map(|(column, values)| occurring(column, values))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// What categories must be to be looked up by bisection, where these are not so.
    pub(super) fn misfit(features: &[&[Category]]) -> Option<&'static str> {
        let ascending = |known: &&[Category]| {
            !known.is_empty() && known.windows(2).all(|pair| pair[0].compare(&pair[1]).is_lt())
        };
        let sound = !features.is_empty() && features.iter().all(ascending);
        (!sound).then_some("ascending categories for each feature")
    }

    /// The number of each value of `x`, or `None` for one that `fit` did not see.
    pub(super) fn numbers<T: CategoryValue>(
        &self,
        x: &ArrayBase<impl Data<Elem = T>, Ix2>,
    ) -> Result<Vec<Option<usize>>> {
        crate::validate::features("x", &x.view(), self.0.len())?;
        crate::validate::copyable("x", x)?;
        let number =
            |value: &T, known: &[Category]| known.binary_search_by(|c| value.compare(c).reverse()).ok();
        let rows = x.rows().into_iter();
        Ok(rows
            .flat_map(|row| row.into_iter().zip(&self.0).map(|(value, known)| number(value, known)))
            .collect())
    }

    /// The refusal of a value that `fit` did not see.
    pub(super) fn unknown<T: CategoryValue>(
        &self,
        owner: &'static str,
        x: &ArrayBase<impl Data<Elem = T>, Ix2>,
        position: usize,
    ) -> Error {
        let (row, column) = (position / self.0.len(), position % self.0.len());
        let mut known: Vec<String> = self.0[column].iter().take(10).map(ToString::to_string).collect();
        if self.0[column].len() > known.len() {
            known.push("…".into());
        }
        let value = format!("{} at [{row}, {column}]", x[[row, column]].category());
        Error::invalid_parameter(owner, "x", value, format!("one of {}", known.join(", ")))
    }
}

/// The values of one column, each once, ascending; NaN is no category.
fn occurring<T: CategoryValue>(column: usize, values: ArrayView1<'_, T>) -> Result<Vec<Category>> {
    let mut found: Vec<Category> = values.iter().map(CategoryValue::category).collect();
    let not_finite = |category: &Category| match category {
        Category::Number(number) => Some(*number).filter(|number| !number.is_finite()),
        Category::Text(_) => None,
    };
    let first = found.iter().enumerate().find_map(|(row, category)| not_finite(category).zip(Some(row)));
    if let Some((number, row)) = first {
        return Err(Error::non_finite("x", number, [row, column]));
    }
    found.sort_unstable_by(|a, b| a.compare(b));
    found.dedup();
    Ok(found)
}
