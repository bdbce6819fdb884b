mod column;
mod number;
mod reader;
mod records;

pub use reader::{CsvBatches, CsvReader, Missing};

use super::Dataset;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2};
use std::fmt;

/// A table as [`CsvReader`] reads it: numbers, with texts as the numbers of their categories.
///
/// # Examples
/// ```
/// use axonal::datasets::CsvReader;
/// use axonal::ndarray::array;
///
/// let text = "color,size,price\nred,1.5,10\nblue,2,20\nred,3,30\n";
/// let table = CsvReader::new().read_from::<f64>("prices", text.as_bytes())?;
/// assert_eq!(table.data, array![[1.0, 1.5, 10.0], [0.0, 2.0, 20.0], [1.0, 3.0, 30.0]]);
/// assert_eq!(table.categories[0], ["blue", "red"]);
///
/// let prices = table.clone().values("price")?;
/// assert_eq!((prices.feature_names[1].as_str(), prices.target[2]), ("size", 30.0));
/// let colors = table.classes("color")?;
/// assert_eq!((colors.target, colors.target_names[1].as_str()), (array![1, 0, 1], "red"));
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Table<F> {
    /// One sample a row; a missing value that was kept is NaN.
    pub data: Array2<F>,
    /// One name for each column of `data`.
    pub names: Vec<String>,
    /// The texts that the numbers of each column stand for, ascending; empty for a column of numbers.
    pub categories: Vec<Vec<String>>,
}

impl<F: Float> Table<F> {
    /// A column as classes to learn, the others as features.
    ///
    /// Texts are numbered in ascending order; so are the numbers of a column of numbers, which need not begin at 0.
    ///
    /// # Errors
    /// A name that no column has, a class that is missing, or more than 65,536 different ones.
    pub fn classes(self, target: &str) -> Result<Dataset<F>> {
        let (column, features, rest) = self.split_off(target)?;
        let missing = || column.iter().position(|value| value.is_nan());
        if let Some(row) = missing() {
            return Err(Error::non_finite(target, f64::NAN, [row]));
        }
        if !rest.categories.is_empty() {
            let target = column.iter().map(|number| class_number(number.as_f64())).collect::<Array1<usize>>();
            let names = rest.categories.clone();
            return Ok(Dataset::new(features, target)?
                .with_feature_names(rest.names)
                .with_target_names(names));
        }
        let mut known: Vec<f64> = Vec::new();
        for value in column.iter().map(|value| value.as_f64()) {
            if let Err(place) = known.binary_search_by(|other| other.total_cmp(&value)) {
                known.insert(place, value);
            }
            if known.len() > MOST_CLASSES {
                let expected = format!("at most {MOST_CLASSES} classes; take `values` for numbers to learn");
                return Err(Error::invalid_parameter("classes", "target", target, expected));
            }
        }
        let number = |value: F| known.partition_point(|other| *other < value.as_f64());
        Ok(Dataset::new(features, column.mapv(number))?
            .with_feature_names(rest.names)
            .with_target_names(known.iter().map(ToString::to_string)))
    }

    /// A column as values to learn, the others as features.
    ///
    /// # Errors
    /// A name that no column has, a column of texts, or a value that is missing.
    pub fn values(self, target: &str) -> Result<Dataset<F, F>> {
        let (column, features, rest) = self.split_off(target)?;
        if let Some(text) = rest.categories.first() {
            let got = format!("texts such as {text:?}");
            return Err(Error::shape(format!("column {target:?}"), "numbers", got));
        }
        if let Some(row) = column.iter().position(|value| value.is_nan()) {
            return Err(Error::non_finite(target, f64::NAN, [row]));
        }
        Ok(Dataset::new(features, column)?.with_feature_names(rest.names))
    }

    /// One column, the others, their names, and the column's categories. The others move together inside of their
    /// memory, so that a large table needs no second copy.
    fn split_off(self, name: &str) -> Result<(Array1<F>, Array2<F>, Rest)> {
        let Some(target) = self.names.iter().position(|other| other == name) else {
            return Err(Error::unknown_name("column", name, &self.names));
        };
        let (n_rows, n_columns) = self.data.dim();
        let column = self.data.column(target).to_owned();
        let (mut values, _) = self.data.into_raw_vec_and_offset();
        let mut position = 0;
        values.retain(|_| {
            position += 1;
            (position - 1) % n_columns != target
        });
        let got = values.len();
        let features = Array2::from_shape_vec((n_rows, n_columns - 1), values)
            .map_err(|_| Error::shape("table", format!("{n_rows} rows"), format!("{got} values")))?;
        let (mut names, mut categories) = (self.names, self.categories);
        names.remove(target);
        let categories = categories.swap_remove(target);
        Ok((column, features, Rest { names, categories }))
    }
}

/// What a table is apart from its numbers, after a column was taken out.
struct Rest {
    /// The other columns' names.
    names: Vec<String>,
    /// The taken column's categories.
    categories: Vec<String>,
}

/// More classes than this are values.
const MOST_CLASSES: usize = 1 << 16;

/// A category's number, which the reader has written as a float.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reader writes small whole numbers"
)]
fn class_number(number: f64) -> usize {
    number as usize
}

/// The shape, and the columns with their categories.
impl<F> fmt::Display for Table<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} columns", self.data.nrows(), self.data.ncols())?;
        for (name, categories) in self.names.iter().zip(&self.categories) {
            let kind = if categories.is_empty() { "numbers".into() } else { categories.join(", ") };
            write!(f, "\n{name}: {kind}")?;
        }
        Ok(())
    }
}
