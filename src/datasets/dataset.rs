//! Samples and targets with their names.

use crate::error::Result;
use crate::validate;
use ndarray::{Array1, Array2};
use std::fmt;

/// Samples, what to learn about each of them, and what the columns and classes are called.
///
/// `T` is `usize` for classes and the float type for values. `Display` shows the shape and the first rows.
///
/// # Examples
/// ```
/// use axonal::datasets::Dataset;
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let pets = Dataset::new(array![[4.0, 30.0], [25.5, 60.0]], array![0, 1])?
///     .with_feature_names(["weight", "height"])
///     .with_target_names(["cat", "dog"]);
/// assert_eq!((pets.n_samples(), pets.n_features()), (2, 2));
/// assert_eq!(
///     pets.to_string(),
///     "2 samples, 2 features, 2 classes (cat, dog)\n\
///      weight  height  target\n\
///      \x20    4      30     cat\n\
///      \x20 25.5      60     dog"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Dataset<F, T = usize> {
    /// One sample a row.
    pub data: Array2<F>,
    /// What to learn, one entry for each row of `data`.
    pub target: Array1<T>,
    /// One name for each column of `data`.
    pub feature_names: Vec<String>,
    /// The classes' names, in the order of their numbers; empty for values.
    pub target_names: Vec<String>,
    /// What the data are and where they come from; may be empty.
    pub description: String,
}

impl<F, T> Dataset<F, T> {
    /// Samples and targets under names made up from their numbers: features `x0`, `x1`, …, classes without names.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) where `target` has not one entry for each row of `data`.
    pub fn new(data: Array2<F>, target: Array1<T>) -> Result<Self> {
        validate::length("target", target.len(), data.nrows())?;
        let feature_names = (0..data.ncols()).map(|column| format!("x{column}")).collect();
        Ok(Self { data, target, feature_names, target_names: Vec::new(), description: String::new() })
    }

    /// Names the columns of `data`.
    #[must_use]
    pub fn with_feature_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.feature_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the classes, in the order of their numbers.
    #[must_use]
    pub fn with_target_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.target_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Says what the data are and where they come from.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The number of rows of `data`.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.data.nrows()
    }

    /// The number of columns of `data`.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.data.ncols()
    }
}

/// How many rows and columns `Display` shows.
const HEAD: (usize, usize) = (5, 6);

impl<F: fmt::Display, T: fmt::Display> fmt::Display for Dataset<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples, {} features", self.n_samples(), self.n_features())?;
        if !self.target_names.is_empty() {
            write!(f, ", {} classes ({})", self.target_names.len(), self.target_names.join(", "))?;
        }
        let table = self.head();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        for row in &table {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
            write!(f, "\n{}", cells.join("  "))?;
        }
        if self.n_samples() > HEAD.0 {
            write!(f, "\n… {} more", self.n_samples() - HEAD.0)?;
        }
        Ok(())
    }
}

impl<F: fmt::Display, T: fmt::Display> Dataset<F, T> {
    /// The header and the first rows as cells; columns beyond the shown ones become one "…".
    fn head(&self) -> Vec<Vec<String>> {
        let shown = self.n_features().min(HEAD.1);
        let line = |cell: &dyn Fn(usize) -> String, target: String| -> Vec<String> {
            let more = (self.n_features() > shown).then(|| "…".to_owned());
            (0..shown).map(cell).chain(more).chain([target]).collect()
        };
        let name = |column: usize| self.feature_names.get(column).cloned().unwrap_or_default();
        let mut table = vec![line(&name, "target".into())];
        for (row, target) in self.data.rows().into_iter().zip(&self.target).take(HEAD.0) {
            let target = target.to_string();
            let class = target.parse().ok().and_then(|class: usize| self.target_names.get(class)).cloned();
            table.push(line(&|column| row[column].to_string(), class.unwrap_or(target)));
        }
        table
    }
}
