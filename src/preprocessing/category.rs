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
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a categorical feature",
    label = "expected a float, an integer, a `bool`, `String` or `&str`",
    note = "convert the column with `mapv`"
)]
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

/// The encoder's categories as lists for files; with the name of the field that says whether the caller gave them, if any.
macro_rules! knows_categories {
    ($encoder:ty $(, $given:ident)?) => {
        impl Categorical for $encoder {
            type Item = Category;

            fn known(&self) -> Option<Vec<&[Category]>> {
                Some(self.categories.as_ref()?.lists.iter().map(Vec::as_slice).collect())
            }

            fn with_known(self, lists: Vec<Vec<Category>>) -> Self {
                Self { categories: Some(Categories::from(lists)), ..self }
            }

            fn without_known(&self) -> Self {
                Self { categories: None, ..self.clone() }
            }

            fn misfit(lists: &[&[Category]]) -> Option<&'static str> {
                Categories::misfit(lists)
            }

            $(
                fn problem(&self, lists: &[&[Category]]) -> Option<&'static str> {
                    if self.$given {
                        return self.categories.as_ref().and_then(Categories::problem);
                    }
                    Self::misfit(lists)
                }

                fn checked_by(&self) -> (u64, u64) {
                    if self.$given {
                        (Categories::BYTES_OF_LIST, Categories::BYTES_OF_ORDER)
                    } else {
                        (0, Self::CHECKED_BY)
                    }
                }
            )?
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

/// The categories of each column of a table: ascending, or in the order in which the caller gave them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Vec<Category>>", into = "Vec<Vec<Category>>")]
pub(super) struct Categories {
    pub(super) lists: Vec<Vec<Category>>,
    /// The permutation that sorts each list, empty for an ascending one; no entries if all lists are ascending.
    orders: Vec<Vec<u32>>,
}

impl From<Vec<Vec<Category>>> for Categories {
    #[allow(clippy::cast_possible_truncation, reason = "2^32 categories fit no memory")]
    fn from(lists: Vec<Vec<Category>>) -> Self {
        let order = |list: &Vec<Category>| {
            if is_ascending(list) {
                return Vec::new();
            }
            let mut order: Vec<u32> = (0..list.len() as u32).collect();
            order.sort_unstable_by(|&a, &b| list[a as usize].compare(&list[b as usize]));
            order
        };
        let all_ascending = lists.iter().all(|list| is_ascending(list));
        let orders = if all_ascending { Vec::new() } else { lists.iter().map(order).collect() };
        Self { lists, orders }
    }
}

impl From<Categories> for Vec<Vec<Category>> {
    fn from(categories: Categories) -> Self {
        categories.lists
    }
}

/// Whether each category is above the one before.
fn is_ascending(list: &[Category]) -> bool {
    list.windows(2).all(|pair| pair[0].compare(&pair[1]).is_lt())
}

impl Categories {
    /// Memory of the order of a list beside its categories, in bytes.
    pub(super) const BYTES_OF_LIST: u64 = size_of::<Vec<u32>>() as u64;

    /// Memory of the order of one category, in bytes.
    pub(super) const BYTES_OF_ORDER: u64 = size_of::<u32>() as u64;

    /// The permutation that sorts the list of a feature; empty for an ascending list.
    fn order(&self, feature: usize) -> &[u32] {
        self.orders.get(feature).map(Vec::as_slice).unwrap_or_default()
    }

    /// The values that occur in each column.
    pub(super) fn of<T: CategoryValue>(x: &ArrayBase<impl Data<Elem = T>, Ix2>) -> Result<Self> {
        crate::validate::not_empty("x", x)?;
        crate::validate::copyable("x", x)?;
        let lists: Result<Vec<_>> =
            x.columns().into_iter().enumerate().map(|(column, values)| occurring(column, values)).collect();
        lists.map(Self::from)
    }

    /// Categories that the caller gives, in this order.
    pub(super) fn given<T: CategoryValue>(
        owner: &'static str,
        lists: impl IntoIterator<Item = impl IntoIterator<Item = T>>,
    ) -> Result<Self> {
        let list = |list: Vec<T>| list.iter().map(CategoryValue::category).collect();
        let lists: Vec<Vec<Category>> =
            lists.into_iter().map(|values| list(values.into_iter().collect())).collect();
        let categories = Self::from(lists);
        match categories.problem() {
            None => Ok(categories),
            Some(expected) => Err(Error::invalid_parameter(owner, "categories", "another list", expected)),
        }
    }

    /// The requirement on lists in any order, if it is not met.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let sound = |(feature, list): (usize, &Vec<Category>)| {
            let order = self.order(feature);
            let in_order = |pair: &[u32]| list[pair[0] as usize].compare(&list[pair[1] as usize]).is_lt();
            let distinct = if order.is_empty() { is_ascending(list) } else { order.windows(2).all(in_order) };
            let finite = |category: &Category| !matches!(category, Category::Number(n) if !n.is_finite());
            !list.is_empty() && distinct && list.iter().all(finite)
        };
        let sound = !self.lists.is_empty() && self.lists.iter().enumerate().all(sound);
        (!sound).then_some("at least 1 category for each feature, each of them once and finite")
    }

    /// What categories must be to be looked up by bisection, where these are not so.
    pub(super) fn misfit(features: &[&[Category]]) -> Option<&'static str> {
        let ascending = |known: &&[Category]| !known.is_empty() && is_ascending(known);
        let sound = !features.is_empty() && features.iter().all(ascending);
        (!sound).then_some("ascending categories for each feature")
    }

    /// The number of a value among the categories of a feature.
    pub(super) fn find<T: CategoryValue>(&self, feature: usize, value: &T) -> Option<usize> {
        let (list, order) = (self.lists.get(feature)?, self.order(feature));
        if order.is_empty() {
            return list.binary_search_by(|c| value.compare(c).reverse()).ok();
        }
        let found = order.binary_search_by(|&place| value.compare(&list[place as usize]).reverse());
        found.ok().map(|position| order[position] as usize)
    }

    /// The number of each value of `x`, or `None` for one that `fit` did not see.
    pub(super) fn numbers<T: CategoryValue>(
        &self,
        x: &ArrayBase<impl Data<Elem = T>, Ix2>,
    ) -> Result<Vec<Option<usize>>> {
        crate::validate::features("x", &x.view(), self.lists.len())?;
        crate::validate::copyable("x", x)?;
        let rows = x.rows().into_iter();
        Ok(rows
            .flat_map(|row| row.into_iter().enumerate().map(|(feature, value)| self.find(feature, value)))
            .collect())
    }

    /// The refusal of a value that `fit` did not see.
    pub(super) fn unknown<T: CategoryValue>(
        &self,
        owner: &'static str,
        x: &ArrayBase<impl Data<Elem = T>, Ix2>,
        position: usize,
    ) -> Error {
        let (row, column) = (position / self.lists.len(), position % self.lists.len());
        let value = format!("{} at [{row}, {column}]", x[[row, column]].category());
        Error::invalid_parameter(owner, "x", value, self.expected(column))
    }

    /// The categories of a feature for an error.
    pub(super) fn expected(&self, feature: usize) -> String {
        let list = self.lists.get(feature).map(Vec::as_slice).unwrap_or_default();
        let mut known: Vec<String> = list.iter().take(10).map(ToString::to_string).collect();
        if list.len() > known.len() {
            known.push("…".into());
        }
        format!("one of {}", known.join(", "))
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
