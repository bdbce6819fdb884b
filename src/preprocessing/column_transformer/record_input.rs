//! Records as the input of a fitted transformer.

use super::{ColumnTransformer, InputColumn, OWNER};
use crate::datasets::{Field, Record, Table};
use crate::error::{Error, Result};
use crate::float::Float;

/// A fitted estimator that knows the names of its input columns and takes records of them.
///
/// A [`ColumnTransformer`] that was fitted to a [`Table`] does, and a pipeline that begins with one. Fields that no column
/// needs are ignored; a column without a field is an error.
pub trait RecordInput {
    /// The samples that the estimator takes.
    type Input;

    /// The records as samples.
    ///
    /// # Errors
    /// A record without a field that is needed, or with a text in place of a number and the reverse; an estimator that
    /// is not fitted.
    fn input_of(&self, records: &[Record]) -> Result<Self::Input>;
}

impl<F: Float> RecordInput for ColumnTransformer<F> {
    type Input = Table<F>;

    fn input_of(&self, records: &[Record]) -> Result<Table<F>> {
        let fitted = self.fitted("predict_record")?;
        if fitted.inputs.is_empty() {
            let expected = "a transformer that was fitted to a table; arrays have no column names";
            return Err(Error::shape(OWNER, expected, "one that was fitted to an array"));
        }
        fitted.inputs.iter().try_fold(Table::new(), |table, input| {
            if input.is_text {
                let texts: Result<Vec<Option<&str>>> =
                    records.iter().enumerate().map(|(row, record)| text(record, row, input)).collect();
                return table.with_optional_texts(&input.name, texts?);
            }
            let numbers: Result<Vec<F>> =
                records.iter().enumerate().map(|(row, record)| number(record, row, input)).collect();
            table.with_numbers(&input.name, numbers?)
        })
    }
}

/// The field of a column.
fn field<'r>(record: &'r Record, row: usize, input: &InputColumn) -> Result<&'r Field> {
    record.get(&input.name).ok_or_else(|| {
        let names: Vec<&str> = record.names().take(20).collect();
        let got = if names.is_empty() { "no fields".into() } else { format!("fields {}", names.join(", ")) };
        let expected = format!("a field {:?}, null where its value is missing", input.name);
        Error::shape(format!("record {row}"), expected, got)
    })
}

fn text<'r>(record: &'r Record, row: usize, input: &InputColumn) -> Result<Option<&'r str>> {
    match field(record, row, input)? {
        Field::Text(text) => Ok(Some(text)),
        Field::Missing => Ok(None),
        Field::Number(number) => {
            let what = format!("record {row}, field {:?}", input.name);
            Err(Error::shape(what, "a text", format!("the number {number}")))
        }
    }
}

fn number<F: Float>(record: &Record, row: usize, input: &InputColumn) -> Result<F> {
    let what = || format!("record {row}, field {:?}", input.name);
    match field(record, row, input)? {
        Field::Missing => Ok(F::nan()),
        Field::Number(value) => {
            let number = F::of(*value);
            if number.is_finite() || value.is_nan() {
                return Ok(number);
            }
            Err(Error::shape(what(), format!("a finite number of {}", F::NAME), value))
        }
        Field::Text(text) => {
            Err(Error::shape(what(), "a number", format!("the text {}", crate::error::quoted(text))))
        }
    }
}
