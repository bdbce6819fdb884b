use super::category::Categories;
use super::{Category, CategoryValue};
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array2, ArrayView1};

/// An encoder that learns the categories of columns of a table.
pub(super) trait CategoryEncoder {
    /// Learns the categories.
    fn fit_categories<F: Float>(&mut self, x: &CategoryColumns<'_, F>) -> Result<()>;

    /// Encodes the columns.
    fn transform_categories<F: Float>(&self, x: &CategoryColumns<'_, F>) -> Result<Array2<F>>;
}

/// Columns of a table as categorical features.
pub(super) struct CategoryColumns<'a, F> {
    pub(super) columns: Vec<CategoryColumn<'a, F>>,
}

/// A column of a table: numbers, or the codes of texts, where NaN is a missing text.
pub(super) struct CategoryColumn<'a, F> {
    pub(super) name: &'a str,
    pub(super) values: ArrayView1<'a, F>,
    /// The texts that the codes denote; `None` for a column of numbers.
    pub(super) texts: Option<&'a [String]>,
}

impl<F: Float> CategoryColumns<'_, F> {
    pub(super) fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The categories that occur in each column, ascending. A missing text is an error unless `lenient`.
    pub(super) fn occurring(&self, owner: &'static str, lenient: bool) -> Result<Categories> {
        let lists: Result<Vec<_>> =
            self.columns.iter().map(|column| column.occurring(owner, lenient)).collect();
        lists.map(Categories::from)
    }

    /// Errors if a value is not one of the categories, unless `lenient`.
    pub(super) fn check(&self, owner: &'static str, categories: &Categories, lenient: bool) -> Result<()> {
        self.for_each_number(owner, categories, lenient, |_, _, _| {})
    }

    /// Calls `write` with row, feature and number of each value, `None` for one that is no category. Such a value is an
    /// error unless `lenient`.
    pub(super) fn for_each_number(
        &self,
        owner: &'static str,
        categories: &Categories,
        lenient: bool,
        mut write: impl FnMut(usize, usize, Option<usize>),
    ) -> Result<()> {
        let (expected, got) = (categories.lists.len(), self.columns.len());
        if expected != got {
            return Err(Error::shape("x", format!("{expected} features"), got));
        }
        for (feature, column) in self.columns.iter().enumerate() {
            let of_texts: Option<Vec<Option<usize>>> =
                column.texts.map(|texts| texts.iter().map(|text| categories.find(feature, text)).collect());
            for (row, value) in column.values.iter().enumerate() {
                let number = match &of_texts {
                    None => categories.find(feature, &value.as_f64()),
                    Some(_) if value.is_nan() => None,
                    Some(numbers) => {
                        let code = column.code(row, *value)?;
                        numbers.get(code).copied().flatten()
                    }
                };
                if number.is_none() && !lenient {
                    return Err(column.unknown(owner, row, *value, &categories.expected(feature)));
                }
                write(row, feature, number);
            }
        }
        Ok(())
    }
}

impl<F: Float> CategoryColumn<'_, F> {
    fn occurring(&self, owner: &'static str, lenient: bool) -> Result<Vec<Category>> {
        let mut found = match self.texts {
            None => {
                if let Some(row) = self.values.iter().position(|value| !value.is_finite()) {
                    let value = self.values[row].as_f64();
                    return Err(Error::non_finite(format!("column {:?}", self.name), value, [row]));
                }
                self.values.iter().map(|value| value.as_f64().category()).collect()
            }
            Some(texts) => self.texts_that_occur(owner, texts, lenient)?,
        };
        found.sort_unstable_by(|a: &Category, b| a.compare(b));
        found.dedup();
        if found.is_empty() {
            let what = format!("column {:?}", self.name);
            return Err(Error::Empty { what, shape: "(0)".into(), needed: "category" });
        }
        Ok(found)
    }

    fn texts_that_occur(
        &self,
        owner: &'static str,
        texts: &[String],
        lenient: bool,
    ) -> Result<Vec<Category>> {
        let mut seen = vec![false; texts.len()];
        for (row, value) in self.values.iter().enumerate() {
            if value.is_nan() {
                if lenient {
                    continue;
                }
                return Err(self.unknown(owner, row, *value, "a text"));
            }
            let code = self.code(row, *value)?;
            seen[code] = true;
        }
        let occurring = texts.iter().zip(seen).filter(|(_, seen)| *seen);
        Ok(occurring.map(|(text, _)| text.category()).collect())
    }

    /// The code of a text that is not missing.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        reason = "a number that is no code is refused"
    )]
    fn code(&self, row: usize, value: F) -> Result<usize> {
        let code = value.as_f64() as usize;
        let n_texts = self.texts.map_or(0, <[String]>::len);
        if code < n_texts && code as f64 == value.as_f64() {
            return Ok(code);
        }
        let expected = format!("the number of one of its {n_texts} texts");
        Err(Error::shape(format!("column {:?}, row {row}", self.name), expected, value))
    }

    /// The error of a value that is no category.
    fn unknown(&self, owner: &'static str, row: usize, value: F, expected: &str) -> Error {
        let text = match self.texts {
            Some(_) if value.is_nan() => "missing".into(),
            Some(texts) => {
                let text = self.code(row, value).ok().and_then(|code| texts.get(code));
                text.map_or_else(String::new, |text| format!("{text:?}"))
            }
            None => value.to_string(),
        };
        let got = format!("{text} in column {:?}, row {row}", self.name);
        let expected = format!("{expected}; HandleUnknown::Ignore encodes other values as no category");
        Error::invalid_parameter(owner, "x", got, expected)
    }
}
