//! A column of a table as class labels.

use super::decimal::Decimal;
use super::labels::Labels;
use super::{Table, Target};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::Array1;
use std::collections::BTreeMap;

/// More classes than this are values.
const MOST_CLASSES: usize = 1 << 16;

impl<F: Float> Table<F> {
    /// A column as classes to learn, the others as features.
    ///
    /// Texts are numbered in ascending order; so are the numbers of a column of numbers, which need not begin at 0.
    /// Classes are distinguished and named by their text in the file: 16777216 and 16777217 are two classes also
    /// in a `Table<f32>`, while 1 and 1.0 are one.
    ///
    /// # Errors
    /// A name that no column has, a class that is missing, more than 65,536 different ones, or more than 4,096 with
    /// more digits than `F` keeps. In a batch of [`CsvReader::batches`](super::CsvReader::batches) classes must be
    /// declared by [`CsvReader::categories`](super::CsvReader::categories): those of one batch need not be all.
    pub fn classes(self, target: &str) -> Result<Dataset<F>> {
        let (rest, labels) = self.split_target(target)?;
        let (codes, names) = labels.into_parts();
        Ok(Dataset::new(rest.data, codes)?.with_feature_names(rest.names).with_target_names(names))
    }

    /// Splits a column off as classes to learn; the other columns remain a table, for a
    /// [`ColumnTransformer`](crate::preprocessing::ColumnTransformer).
    ///
    /// # Errors
    /// As [`classes`](Self::classes).
    ///
    /// # Examples
    /// ```
    /// use axonal::datasets::Table;
    ///
    /// let table = Table::<f32>::new()
    ///     .with_numbers("weight", [4.0, 25.5])?
    ///     .with_texts("kind", ["cat", "dog"])?;
    /// let (x, y) = table.split_target("kind")?;
    /// assert_eq!((x.names.as_slice(), y.classes()), (&["weight".to_string()][..], &["cat".to_string(), "dog".into()][..]));
    /// # Ok::<(), axonal::Error>(())
    /// ```
    pub fn split_target(self, target: &str) -> Result<(Self, crate::datasets::Labels)> {
        let is_batch = self.is_batch;
        let (rest, Target { column, categories, labels }) = self.split_off(target)?;
        if let Some(row) = column.iter().position(|value| value.is_nan()) {
            return Err(Error::non_finite(target, f64::NAN, [row]));
        }
        let (codes, names) = if !categories.is_empty() {
            (column.iter().map(|number| class_number(number.as_f64())).collect(), categories)
        } else if is_batch {
            let expected =
                "a column whose classes are declared by categories: one batch may not have all of them";
            return Err(Error::invalid_parameter("classes", "target", target, expected));
        } else {
            let none = Labels::default();
            numbered(target, &column, labels.as_deref().unwrap_or(&none))?
        };
        Ok((rest, crate::datasets::Labels::from_codes(codes, names)?))
    }
}

/// The classes of a column of numbers: each row's, and their names.
fn numbered<F: Float>(
    target: &str,
    column: &Array1<F>,
    labels: &Labels,
) -> Result<(Array1<usize>, Vec<String>)> {
    let refused = |expected: String| Err(Error::invalid_parameter("classes", "target", target, expected));
    let advice = if size_of::<F>() == 4 { "read the table as f64, or declare" } else { "declare" };
    if labels.given_up() {
        return refused(format!(
            "fewer distinct labels with this many digits; {advice} the column with texts({target:?})"
        ));
    }
    if !labels.fit(&column.view()) {
        return refused(format!(
            "unchanged rows, because some of its labels round to the same value; {advice} the column with \
             texts({target:?})"
        ));
    }
    let Some(distinct) = distinct(column, labels) else {
        return refused(format!("at most {MOST_CLASSES} classes; take `values` for numbers to learn"));
    };
    let mut numbers: BTreeMap<Decimal, usize> = BTreeMap::new();
    numbers.extend(distinct.iter().map(|value| (labels.usual(*value), 0)));
    numbers.extend(labels.others().map(|(number, _)| (number.clone(), 0)));
    if numbers.len() > MOST_CLASSES {
        return refused(format!("at most {MOST_CLASSES} classes; take `values` for numbers to learn"));
    }
    numbers.values_mut().enumerate().for_each(|(class, number)| *number = class);

    let usual: Vec<usize> = distinct.iter().map(|value| numbers[&labels.usual(*value)]).collect();
    let mut classes = column.mapv(|value| {
        // Every value is there, but for those that only exceptions have.
        usual.get(distinct.partition_point(|other| *other < value)).copied().unwrap_or_default()
    });
    let mut other = vec![0; numbers.len()];
    labels.others().for_each(|(number, code)| other[code] = numbers[number]);
    labels.exceptions().iter().for_each(|(row, code)| classes[*row] = other[*code]);
    Ok((classes, numbers.keys().map(ToString::to_string).collect()))
}

/// The different values of the rows that are no exceptions, ascending; `None` where they are too many.
fn distinct<F: Float>(column: &Array1<F>, labels: &Labels) -> Option<Vec<F>> {
    let mut exceptions = labels.exceptions().iter().peekable();
    let mut known: Vec<F> = Vec::new();
    for (row, value) in column.iter().enumerate() {
        if exceptions.next_if(|(exception, _)| *exception == row).is_some() {
            continue;
        }
        // Adding 0 makes one zero of both.
        let value = *value + F::zero();
        let place = known.partition_point(|other| *other < value);
        if known.get(place) != Some(&value) {
            known.insert(place, value);
        }
        if known.len() > MOST_CLASSES {
            return None;
        }
    }
    Some(known)
}

/// A category's number, which the reader has written as a float.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reader writes small whole numbers"
)]
fn class_number(number: f64) -> usize {
    number as usize
}
