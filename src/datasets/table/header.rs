//! The columns of a file: their names, and what was declared about them.

use super::column::Column;
use super::options::{CsvReader, Setting};
use super::records::Records;
use crate::error::{Error, Result, quoted};
use std::collections::{HashMap, HashSet};
use std::io::Read;

/// Refuses settings that cannot be.
pub(super) fn check_options(options: &CsvReader) -> Result<()> {
    let refuse = |name, value: u8, expected: &str| {
        let got = format!("{:?}", char::from(value));
        Err(Error::invalid_parameter("CsvReader", name, got, expected))
    };
    let CsvReader { delimiter, decimal, .. } = options;
    if !delimiter.is_ascii()
        || matches!(delimiter, 0 | b'"' | b'\n' | b'\r' | b'+' | b'-' | b'.' | b'0'..=b'9')
    {
        return refuse(
            "delimiter",
            *delimiter,
            "an ASCII character that is no part of numbers, quotes or line ends",
        );
    }
    if !matches!(decimal, b'.' | b',') {
        return refuse("decimal", *decimal, "b'.' or b','");
    }
    if decimal == delimiter {
        return refuse("decimal", *decimal, "another byte than the delimiter");
    }
    for (name, setting) in &options.columns {
        let Setting::Categories(texts) = setting else { continue };
        let mut known = HashSet::new();
        let twice = texts.iter().find(|text| !known.insert(*text));
        if twice.is_some() || texts.is_empty() {
            let value = twice.map_or("no text".into(), |text| format!("{text:?} twice"));
            let expected = format!("each text of column {name:?} once, and at least one");
            return Err(Error::invalid_parameter("CsvReader", "categories", value, expected));
        }
    }
    Ok(())
}

/// The names and kinds of the columns, by the first record and what was declared; `None` for one that is left out.
pub(super) fn columns<R: Read>(
    options: &CsvReader,
    records: &Records<R>,
    in_batches: bool,
) -> Result<(Vec<String>, Vec<Option<Column>>)> {
    let ignored = |name: &str| {
        let mut settings = options.columns.iter().rev();
        settings
            .find(|(other, _)| other == name)
            .is_some_and(|(_, setting)| matches!(setting, Setting::Ignore))
    };
    let fields = 0..records.len();
    let names: Vec<String> = if options.header {
        fields.map(|number| records.text(number).map(ToOwned::to_owned)).collect::<Result<_>>()?
    } else {
        fields.map(|number| format!("x{number}")).collect()
    };
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (number, name) in names.iter().enumerate() {
        if let Some(first) = places.insert(name, number)
            && !ignored(name)
        {
            let got = format!("{} again, the name of column {}", quoted(name), first + 1);
            let hint = format!(
                "rename one of them, leave both out with ignore({name:?}), or, if the first line holds no names, \
                 set header(false)"
            );
            return Err(records.refuse(number, "a name for each column that no other has", got, hint));
        }
    }
    check_delimiter(options, records, &names)?;

    // Where tables are read in batches, what is not declared must be numbers.
    let undeclared = if in_batches { Column::Numbers { first: None } } else { Column::Undecided };
    let mut columns = vec![Some(undeclared); names.len()];
    for (name, setting) in &options.columns {
        if !places.contains_key(name.as_str()) {
            return Err(Error::unknown_name("column", name, names.iter().take(100)));
        }
        for (column, _) in columns.iter_mut().zip(&names).filter(|(_, other)| *other == name) {
            *column = match setting {
                Setting::Texts => Some(Column::texts()),
                Setting::Categories(texts) => Some(Column::closed(texts)),
                Setting::Ignore => None,
            };
        }
    }
    let is_open = |column: &Option<Column>| {
        column.as_ref().is_some_and(|column| column.is_declared() && column.sorted().0.is_empty())
    };
    if let Some(open) = columns.iter().position(is_open).filter(|_| in_batches) {
        let expected = "categories for a column that is read in batches: one batch may not have all texts";
        return Err(Error::invalid_parameter("CsvReader", "texts", format!("{:?}", names[open]), expected));
    }
    Ok((names, columns))
}

/// Refuses a file that has one column, which holds another delimiter.
fn check_delimiter<R: Read>(options: &CsvReader, records: &Records<R>, names: &[String]) -> Result<()> {
    let [name] = names else { return Ok(()) };
    let text = records.text(0)?;
    let Some(other) = [';', '\t'].into_iter().find(|other| text.contains(*other)) else { return Ok(()) };
    if options.columns.iter().any(|(declared, _)| declared == name) {
        return Ok(());
    }
    let expected = format!("fields with {:?} between them", char::from(options.delimiter));
    let hint = format!("set delimiter(b{other:?}), or declare the only column with texts({name:?})");
    Err(records.refuse(0, expected, quoted(text), hint))
}
