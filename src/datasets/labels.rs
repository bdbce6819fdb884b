//! The class of each sample, with the names of the classes.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::targets::Targets;
use ndarray::Array1;
use std::collections::{BTreeSet, HashMap};

/// The class of each sample, with the names of the classes.
///
/// [`Table::split_target`](super::Table::split_target) returns them. They are targets of networks and classifiers, and
/// [`StratifiedKFold`](crate::model_selection::StratifiedKFold) reads the classes from them. A part of them, such as a fold,
/// keeps all classes and their numbers.
///
/// # Examples
/// ```
/// use axonal::datasets::Labels;
/// use axonal::ndarray::array;
///
/// let labels = Labels::new(["dog", "cat", "dog"])?;
/// assert_eq!((labels.classes(), labels.codes()), (&["cat".to_string(), "dog".into()][..], &array![1, 0, 1]));
/// assert_eq!(labels.names().collect::<Vec<_>>(), ["dog", "cat", "dog"]);
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    codes: Array1<usize>,
    classes: Vec<String>,
}

impl Labels {
    /// Numbers names of classes in ascending order.
    ///
    /// # Errors
    /// No names.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Self> {
        let names: Vec<N> = names.into_iter().collect();
        let classes: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        if classes.is_empty() {
            return Err(Error::Empty { what: "labels".into(), shape: "(0)".into(), needed: "sample" });
        }
        let numbers: HashMap<&str, usize> =
            classes.iter().enumerate().map(|(number, name)| (*name, number)).collect();
        let codes = names.iter().filter_map(|name| numbers.get(name.as_ref()).copied()).collect();
        Ok(Self { codes, classes: classes.into_iter().map(ToOwned::to_owned).collect() })
    }

    /// Labels of class numbers and the classes' names in the order of their numbers.
    ///
    /// # Errors
    /// A number without a name.
    pub fn from_codes(codes: Array1<usize>, classes: Vec<String>) -> Result<Self> {
        let n_classes = classes.len();
        match codes.iter().enumerate().find(|(_, code)| **code >= n_classes) {
            Some((row, code)) => Err(Error::Label { row, label: code.to_string(), n_classes }),
            None => Ok(Self { codes, classes }),
        }
    }

    /// The names of the classes, in the order of their numbers.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The class number of each sample.
    #[must_use]
    pub fn codes(&self) -> &Array1<usize> {
        &self.codes
    }

    /// The class name of each sample.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().filter_map(|code| self.classes.get(*code).map(String::as_str))
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The class numbers and the names of the classes.
    #[must_use]
    pub fn into_parts(self) -> (Array1<usize>, Vec<String>) {
        (self.codes, self.classes)
    }

    /// The labels of these rows.
    ///
    /// # Panics
    /// Where a row is not below [`len`](Self::len).
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self { codes: self.codes.select(ndarray::Axis(0), rows), classes: self.classes.clone() }
    }
}

impl<'a, F: Float> From<&'a Labels> for Targets<'a, F> {
    fn from(labels: &'a Labels) -> Self {
        (&labels.codes).into()
    }
}
