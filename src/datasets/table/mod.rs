//! CSV tables.

mod batch_targets;
mod batches;
mod classes;
mod column;
mod decimal;
mod field;
mod header;
mod input;
mod labels;
mod notation;
mod number;
mod options;
mod reader;
mod records;
mod rows;

pub use batches::CsvBatches;
pub use options::{CsvReader, Missing};

use labels::Labels;

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
    /// The texts that the numbers of each column denote, ascending; empty for a column of numbers.
    pub categories: Vec<Vec<String>>,
    /// What is known of each column's numbers as they are written, for classes.
    labels: Vec<Option<Box<Labels>>>,
    /// Whether it is a part of a file.
    is_batch: bool,
}

impl<F: Float> Table<F> {
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

    /// One column, the others, their names, and the column's categories. The others move together inside their
    /// memory, so that a large table needs no second copy.
    fn split_off(self, name: &str) -> Result<(Array1<F>, Array2<F>, Rest)> {
        let Some(target) = self.names.iter().position(|other| other == name) else {
            return Err(Error::unknown_name("column", name, &self.names));
        };
        let (n_rows, n_columns) = self.data.dim();
        if self.names.len() != n_columns || self.categories.len() != n_columns {
            let expected = format!("a name and categories for each of {n_columns} columns");
            let got = format!("{} names and {} categories", self.names.len(), self.categories.len());
            return Err(Error::shape("table", expected, got));
        }
        let column = self.data.column(target).to_owned();
        let is_whole = self.data.is_standard_layout();
        let data = if is_whole { self.data } else { self.data.as_standard_layout().into_owned() };
        let (mut values, offset) = data.into_raw_vec_and_offset();
        // A part of an array still has all of its memory.
        values.drain(..offset.unwrap_or(0));
        values.truncate(n_rows * n_columns);
        let mut position = 0;
        values.retain(|_| {
            position += 1;
            (position - 1) % n_columns != target
        });
        let got = values.len();
        let features = Array2::from_shape_vec((n_rows, n_columns - 1), values)
            .map_err(|_| Error::shape("table", format!("{n_rows} rows"), format!("{got} values")))?;
        let (mut names, mut categories, mut labels) = (self.names, self.categories, self.labels);
        names.remove(target);
        let categories = categories.swap_remove(target);
        let same = labels.len() == n_columns;
        let is_of =
            |labels: &Option<Box<Labels>>| labels.as_ref().is_some_and(|labels| labels.column() == name);
        let place = if same { Some(target) } else { labels.iter().position(is_of) };
        let labels = place.and_then(|place| labels.swap_remove(place));
        Ok((column, features, Rest { names, categories, labels }))
    }
}

/// What a table is apart from its numbers, after a column was taken out.
struct Rest {
    /// The other columns' names.
    names: Vec<String>,
    /// The taken column's categories.
    categories: Vec<String>,
    /// What is known of the taken column's numbers.
    labels: Option<Box<Labels>>,
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
