//! Tables with named columns, from CSV files or made in code.

#[cfg(feature = "csv")]
mod batch_targets;
#[cfg(feature = "csv")]
mod batches;
mod build;
mod classes;
#[cfg(feature = "csv")]
mod column;
mod decimal;
#[cfg(feature = "csv")]
mod field;
#[cfg(feature = "csv")]
mod header;
#[cfg(feature = "csv")]
mod input;
mod labels;
#[cfg(feature = "csv")]
mod notation;
#[cfg(feature = "csv")]
mod number;
#[cfg(feature = "csv")]
mod options;
#[cfg(feature = "csv")]
mod reader;
#[cfg(feature = "csv")]
mod records;
#[cfg(feature = "csv")]
mod rows;
mod select;

#[cfg(feature = "csv")]
pub use batches::CsvBatches;
#[cfg(feature = "csv")]
pub use options::{CsvReader, Missing};

use labels::Labels;

use super::Dataset;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2};
use std::fmt;

/// A table with named columns of numbers and texts, as `CsvReader` (feature `csv`) reads it. Texts are the numbers of their
/// categories.
///
/// A [`ColumnTransformer`](crate::preprocessing::ColumnTransformer) takes a table as it is: columns by name, texts as texts.
///
/// # Examples
/// ```
/// # #[cfg(feature = "csv")] {
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
/// # }
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
        let (rest, values) = self.split_values(target)?;
        Ok(Dataset::new(rest.data, values)?.with_feature_names(rest.names))
    }

    /// Splits a column of numbers off as values to learn.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn split_values(self, target: &str) -> Result<(Self, Array1<F>)> {
        let (rest, Target { column, categories, .. }) = self.split_off(target)?;
        if let Some(text) = categories.first() {
            let got = format!("texts such as {text:?}");
            return Err(Error::shape(format!("column {target:?}"), "numbers", got));
        }
        if let Some(row) = column.iter().position(|value| value.is_nan()) {
            return Err(Error::non_finite(target, f64::NAN, [row]));
        }
        Ok((rest, column))
    }

    /// Errors unless there is a name and a list of categories for each column.
    pub(crate) fn check_columns(&self) -> Result<()> {
        let n_columns = self.data.ncols();
        if self.names.len() == n_columns && self.categories.len() == n_columns {
            return Ok(());
        }
        let expected = format!("a name and categories for each of {n_columns} columns");
        let got = format!("{} names and {} categories", self.names.len(), self.categories.len());
        Err(Error::shape("table", expected, got))
    }

    /// The other columns, and the column of this name. The others move together inside their memory, so that a large
    /// table needs no second copy.
    fn split_off(mut self, name: &str) -> Result<(Self, Target<F>)> {
        let target = self.position(name)?;
        self.check_columns()?;
        let (n_rows, n_columns) = self.data.dim();
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
        self.data = Array2::from_shape_vec((n_rows, n_columns - 1), values)
            .map_err(|_| Error::shape("table", format!("{n_rows} rows"), format!("{got} values")))?;
        self.names.remove(target);
        let categories = self.categories.remove(target);
        let is_of =
            |labels: &Option<Box<Labels>>| labels.as_ref().is_some_and(|labels| labels.column() == name);
        let labels = if self.labels.len() == n_columns {
            self.labels.remove(target)
        } else {
            self.labels.iter_mut().find(|labels| is_of(labels)).and_then(Option::take)
        };
        Ok((self, Target { column, categories, labels }))
    }
}

/// A column that was taken out of a table.
struct Target<F> {
    column: Array1<F>,
    categories: Vec<String>,
    /// What is known of its numbers as they are written.
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
