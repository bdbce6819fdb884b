//! Tables made in code, column by column.

use super::Table;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use std::collections::HashMap;

impl<F: Float> Default for Table<F> {
    fn default() -> Self {
        Self {
            data: Array2::zeros((0, 0)),
            names: Vec::new(),
            categories: Vec::new(),
            labels: Vec::new(),
            is_batch: false,
        }
    }
}

impl<F: Float> Table<F> {
    /// Creates a table without columns.
    ///
    /// # Examples
    /// ```
    /// use axonal::datasets::Table;
    ///
    /// let table = Table::<f64>::new()
    ///     .with_numbers("age", [30.0, f64::NAN])?
    ///     .with_texts("plan", ["basic", "pro"])?;
    /// assert_eq!(table.texts("plan")?, [Some("basic"), Some("pro")]);
    /// assert_eq!(table.to_string(), "2 rows, 2 columns\nage: numbers\nplan: basic, pro");
    /// # Ok::<(), axonal::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of numbers; NaN is a missing value.
    ///
    /// # Errors
    /// A name that another column has, or another number of rows.
    pub fn with_numbers(self, name: impl Into<String>, values: impl IntoIterator<Item = F>) -> Result<Self> {
        self.with_column(name.into(), values.into_iter().collect(), Vec::new())
    }

    /// Adds a column of texts.
    ///
    /// # Errors
    /// A name that another column has, another number of rows, or more different texts than `F` counts.
    pub fn with_texts<T: AsRef<str>>(
        self,
        name: impl Into<String>,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Self> {
        self.with_optional_texts(name, texts.into_iter().map(Some))
    }

    /// Adds a column of texts of which some are missing.
    ///
    /// # Errors
    /// As [`with_texts`](Self::with_texts).
    #[allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "a rounded code is refused")]
    pub fn with_optional_texts<T: AsRef<str>>(
        self,
        name: impl Into<String>,
        texts: impl IntoIterator<Item = Option<T>>,
    ) -> Result<Self> {
        let texts: Vec<Option<T>> = texts.into_iter().collect();
        let mut categories: Vec<&str> = texts.iter().flatten().map(AsRef::as_ref).collect();
        categories.sort_unstable();
        categories.dedup();
        let last = categories.len().saturating_sub(1) as f64;
        if F::of(last).as_f64() != last {
            let got = format!("{} different texts", categories.len());
            let expected = "as many as the number type counts; use f64";
            return Err(Error::invalid_parameter("Table", "texts", got, expected));
        }
        let codes: HashMap<&str, usize> =
            categories.iter().enumerate().map(|(code, text)| (*text, code)).collect();
        let code = |text: &Option<T>| {
            let code = text.as_ref().and_then(|text| codes.get(text.as_ref()));
            code.map_or(F::nan(), |code| F::of(*code as f64))
        };
        let values: Array1<F> = texts.iter().map(code).collect();
        let categories = categories.iter().map(ToString::to_string).collect();
        self.with_column(name.into(), values, categories)
    }

    fn with_column(mut self, name: String, values: Array1<F>, categories: Vec<String>) -> Result<Self> {
        self.check_columns()?;
        if self.names.contains(&name) {
            let expected = "a name that no other column has";
            return Err(Error::invalid_parameter("Table", "name", format!("{name:?}"), expected));
        }
        if self.names.is_empty() {
            self.data = values.insert_axis(Axis(1));
        } else {
            let (expected, got) = (self.data.nrows(), values.len());
            self.data.push_column(values.view()).map_err(|_| {
                Error::shape(format!("column {name:?}"), format!("{expected} rows"), format!("{got} rows"))
            })?;
        }
        self.labels.resize(self.names.len(), None);
        self.labels.push(None);
        self.names.push(name);
        self.categories.push(categories);
        Ok(self)
    }

    /// The number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.data.nrows()
    }

    /// A column of numbers.
    ///
    /// # Errors
    /// A name that no column has, or a column of texts.
    pub fn numbers(&self, name: &str) -> Result<ArrayView1<'_, F>> {
        self.check_columns()?;
        let column = self.position(name)?;
        if self.categories[column].is_empty() {
            return Ok(self.data.column(column));
        }
        Err(Error::shape(format!("column {name:?}"), "numbers", "texts"))
    }

    /// The texts of a column; `None` for a missing one.
    ///
    /// # Errors
    /// A name that no column has, or a column of numbers.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a code beyond the texts is an error"
    )]
    pub fn texts(&self, name: &str) -> Result<Vec<Option<&str>>> {
        self.check_columns()?;
        let column = self.position(name)?;
        let categories = &self.categories[column];
        let text = |value: &F| {
            if value.is_nan() {
                return Ok(None);
            }
            let text = categories.get(value.as_f64() as usize).map(String::as_str);
            text.map(Some).ok_or_else(|| Error::shape(format!("column {name:?}"), "texts", "numbers"))
        };
        self.data.column(column).iter().map(text).collect()
    }

    /// The position of the column of this name.
    pub(super) fn position(&self, name: &str) -> Result<usize> {
        let found = self.names.iter().position(|other| other == name);
        found.ok_or_else(|| Error::unknown_name("column", name, self.names.iter().take(100)))
    }
}
