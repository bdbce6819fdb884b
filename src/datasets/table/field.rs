//! What a field means for its column: a number, the code of a text, a missing value, or an error.

use super::column::{Column, Origin};
use super::notation::lookalike;
use super::number::parse;
use super::options::Missing;
use super::rows::Rows;
use crate::error::{Error, Result, quoted};
use crate::float::Float;
use std::io::Read;

/// Why a field does not fit its column.
enum Misfit {
    /// It is missing.
    Missing,
    /// It is text in a column of numbers, or looks like a number; what to do about the latter.
    Text(Option<String>),
    /// It is a number in a column of text.
    Number,
    /// It is none of the declared texts.
    Undeclared,
    /// Its code is no `F`.
    TooMany,
}

impl<R: Read> Rows<R> {
    /// The value of a field of the present row, and whether it is a long number.
    pub(super) fn value<F: Float>(&mut self, number: usize) -> Result<(F, bool)> {
        let declared = self.columns[number].as_ref().is_some_and(Column::is_declared);
        let parsed =
            if declared { None } else { parse::<F>(self.records.field(number), self.options.decimal) };
        if let Some(parsed) = parsed {
            if !self.columns[number].as_ref().is_some_and(Column::has_numbers) {
                self.first_number(number)?;
            }
            return Ok((parsed.value, parsed.long));
        }
        match self.text_value(number)? {
            Ok(value) => Ok((value, false)),
            Err(misfit) => Err(self.misfit(number, misfit)?),
        }
    }

    /// Decides that a column holds numbers.
    fn first_number(&mut self, number: usize) -> Result<()> {
        if let Some(Column::Texts(_)) = &self.columns[number] {
            return Err(self.misfit(number, Misfit::Number)?);
        }
        self.columns[number] = Some(Column::Numbers { first: Some(self.example(number)) });
        Ok(())
    }

    /// The value of a non-numeric field.
    fn text_value<F: Float>(&mut self, number: usize) -> Result<std::result::Result<F, Misfit>> {
        let text = self.records.text(number)?;
        let options = &self.options;
        let column = &mut self.columns[number];
        if let Some(Column::Texts(texts)) = column
            && let Some(code) = texts.code(text)
        {
            return Ok(coded(code));
        }
        if options.missing_values.iter().any(|missing| missing == text) {
            return Ok(match options.missing {
                Missing::Nan => Ok(F::nan()),
                Missing::Error => Err(Misfit::Missing),
            });
        }
        if let Some(Column::Texts(texts)) = column {
            match texts.origin {
                Origin::Closed => return Ok(Err(Misfit::Undeclared)),
                Origin::Declared => return Ok(coded(texts.add(text))),
                Origin::Found(_) => {}
            }
        }
        let hint = lookalike(text, options.decimal, options.delimiter);
        Ok(match column {
            Some(Column::Texts(texts)) if hint.is_none() => coded(texts.add(text)),
            Some(Column::Undecided) if hint.is_none() => {
                let example = self.example(number);
                self.columns[number] = Some(Column::found(example));
                return self.text_value(number);
            }
            _ => Err(Misfit::Text(hint)),
        })
    }

    /// The error of a field that does not fit its column.
    fn misfit(&self, number: usize, misfit: Misfit) -> Result<Error> {
        let text = self.records.text(number)?;
        let name = self.name(number);
        let as_text = if self.in_batches {
            format!("if the column is text, declare it with categories({name:?}, …)")
        } else {
            format!("if the column is text, declare it with texts({name:?})")
        };
        let missing = format!("if {text:?} means a missing value, add it to missing_values");
        let column = self.columns[number].as_ref();
        let first_text = match column.and_then(Column::origin) {
            Some(Origin::Found(first)) => Some(first),
            _ => None,
        };
        let (expected, hint) = match (misfit, first_text) {
            (Misfit::Missing, _) => (
                "a value".into(),
                format!(
                    "keep missing values with missing(Missing::Nan), leave the column out with ignore({name:?}), or, \
                     if {text:?} is a value, set missing_values without it"
                ),
            ),
            (Misfit::Undeclared, _) => {
                let declared = column.map(|column| column.sorted().0).unwrap_or_default();
                (format!("one of {}", shown(&declared)), "declare all texts in categories".into())
            }
            (Misfit::TooMany, _) => {
                ("at most 16777216 different texts".into(), "read the table as f64".into())
            }
            (Misfit::Number, Some(first)) => (
                format!("text like {} in line {}", first.text, first.line),
                format!("{as_text}; if {} means a missing value, add it to missing_values", first.text),
            ),
            (Misfit::Text(Some(hint)), Some(first)) => {
                (format!("text like {} in line {}", first.text, first.line), format!("{hint}; {as_text}"))
            }
            (Misfit::Text(hint), _) => {
                let expected = match column {
                    Some(Column::Numbers { first: Some(first) }) => {
                        format!("a finite number like {} in line {}", first.text, first.line)
                    }
                    _ => "a finite number".into(),
                };
                (expected, format!("{}; {as_text}", hint.unwrap_or(missing)))
            }
            (Misfit::Number, None) => ("text".into(), as_text),
        };
        Ok(self.records.refuse(number, expected, quoted(text), hint))
    }
}

/// The code of a text as a float, which must hold it exactly.
#[allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "a rounded code is refused")]
fn coded<F: Float>(code: usize) -> std::result::Result<F, Misfit> {
    let value = F::of(code as f64);
    if value.as_f64() == code as f64 { Ok(value) } else { Err(Misfit::TooMany) }
}

/// Some of the declared texts.
fn shown(texts: &[String]) -> String {
    let mut shown = texts.iter().take(10).map(|text| crate::error::excerpt(text)).collect::<Vec<_>>();
    if texts.len() > shown.len() {
        shown.push("…".into());
    }
    shown.join(", ")
}
