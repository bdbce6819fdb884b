//! Records as rows of a table.

use super::column::{Column, Example};
use super::labels::Labels;
use super::options::CsvReader;
use super::records::Records;
use super::{Table, header};
use crate::data_file::Bounded;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::Array2;
use std::io::Read;
use std::path::Path;

/// Minimum capacity in values, for short rows.
const LEAST_VALUES: usize = 1 << 12;

/// The rows of a file, one after another, and what its columns are known to hold.
pub(super) struct Rows<R> {
    pub(super) options: CsvReader,
    pub(super) records: Records<R>,
    names: Vec<String>,
    /// `None` for a column that is left out.
    pub(super) columns: Vec<Option<Column>>,
    /// Of the columns that are kept, in the present table.
    labels: Vec<Option<Box<Labels>>>,
    /// A bit for each column, counted modulo 64, whose long numbers are still noted.
    noted: u64,
    /// Whether every column is kept and holds numbers.
    plain: bool,
    /// Whether `records` holds a row that has not been taken yet.
    pending: bool,
    /// Whether the file is read in batches.
    pub(super) in_batches: bool,
    n_rows: usize,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(
        options: &CsvReader,
        path: &Path,
        source: Bounded<R>,
        in_batches: bool,
    ) -> Result<Self> {
        header::check_options(options)?;
        let mut records = Records::new(path, source, options.delimiter, &options.limits)?;
        let pending = records.next()?;
        let (names, columns) = header::columns(options, &records, in_batches)?;
        Ok(Self {
            options: options.clone(),
            records,
            names,
            columns,
            labels: Vec::new(),
            noted: u64::MAX,
            plain: false,
            pending: pending && !options.header,
            in_batches,
            n_rows: 0,
        })
    }

    /// The name of a column.
    pub(super) fn name(&self, number: usize) -> &str {
        self.names.get(number).map_or("", String::as_str)
    }

    /// How many rows have been taken into tables.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Allows the full number of bytes again.
    pub(super) fn renew_limit(&mut self) {
        self.records.renew_limit();
    }

    /// Reads the next row into `records`, unless one is there; whether there is one.
    pub(super) fn next(&mut self) -> Result<bool> {
        if !self.pending {
            self.pending = self.records.next()?;
        }
        Ok(self.pending)
    }

    /// The next rows as a table, `n_bytes` being the size of the whole file where that is known.
    pub(super) fn table<F: Float>(&mut self, most_rows: usize, n_bytes: Option<u64>) -> Result<Table<F>> {
        let n_columns = self.columns.iter().flatten().count();
        let (mut data, mut n_rows) = (Vec::new(), 0);
        self.labels = vec![None; n_columns];
        self.noted = u64::MAX;
        loop {
            if data.capacity() - data.len() < n_columns {
                self.reserve(&mut data, n_rows, n_columns, n_bytes)?;
            }
            if n_rows == most_rows || !self.append(n_rows, &mut data)? {
                break;
            }
            n_rows += 1;
        }
        self.n_rows += n_rows;
        if n_rows == 0 || n_columns == 0 {
            let needed = if n_rows == 0 { "sample" } else { "feature" };
            let (what, shape) =
                (self.records.path().display().to_string(), format!("({n_rows}, {n_columns})"));
            return Err(Error::Empty { what, shape, needed });
        }
        data.shrink_to_fit();
        let got = data.len();
        let data = Array2::from_shape_vec((n_rows, n_columns), data).map_err(|_| {
            Error::shape("table", format!("{n_rows} rows of {n_columns}"), format!("{got} values"))
        })?;
        Ok(self.named(data))
    }

    /// Reserves memory: by what the rows so far say about the rest of the file, else by half as much again. Doubling would
    /// need three times the memory of the table for a moment.
    fn reserve<F>(
        &self,
        data: &mut Vec<F>,
        n_rows: usize,
        n_columns: usize,
        n_bytes: Option<u64>,
    ) -> Result<()> {
        let read = self.records.position();
        let rest = match n_bytes {
            Some(n_bytes) if n_rows >= 64 && read > 0 => {
                let rows_left = u128::from(n_bytes.saturating_sub(read)) * n_rows as u128 / u128::from(read);
                usize::try_from(rows_left + rows_left / 64).unwrap_or(0)
            }
            _ => n_rows / 2,
        };
        // A few pages to begin with, or one row.
        let least = LEAST_VALUES / n_columns.max(1) + 1;
        let room = rest.saturating_add(least).saturating_mul(n_columns);
        data.try_reserve_exact(room).map_err(|_| Error::OutOfMemory {
            what: self.records.path().display().to_string(),
            bytes: data.len().saturating_add(room).saturating_mul(size_of::<F>()),
        })
    }

    /// Appends the next row, row `row` of the table, to `data`; whether there was one.
    fn append<F: Float>(&mut self, row: usize, data: &mut Vec<F>) -> Result<bool> {
        if self.plain && !self.pending {
            let n_columns = self.columns.len();
            if let Some(long) = self.records.numbers(n_columns, self.options.decimal, data)? {
                if long & self.noted != 0 {
                    self.note_long_numbers(row, &data[data.len() - n_columns..]);
                }
                return Ok(true);
            }
        }
        Ok(self.next()? && self.take_row(row, data).map(|()| true)?)
    }

    /// Notes the long numbers of a row of plain numbers.
    fn note_long_numbers<F: Float>(&mut self, row: usize, values: &[F]) {
        let decimal = self.options.decimal;
        for (column, text) in self.records.long_numbers::<F>(decimal) {
            note(&mut self.labels[column], row, values[column], text, decimal);
        }
        let is_open = |labels: &Option<Box<Labels>>| labels.as_ref().is_none_or(|labels| !labels.given_up());
        let open = self.labels.iter().enumerate().filter(|(_, labels)| is_open(labels));
        self.noted = open.fold(0, |noted, (column, _)| noted | 1 << (column % 64));
    }

    /// Appends the row in `records` to `data`.
    fn take_row<F: Float>(&mut self, row: usize, data: &mut Vec<F>) -> Result<()> {
        self.pending = false;
        let (expected, got) = (self.columns.len(), self.records.len());
        if got != expected {
            return Err(self.wrong_length(expected, got));
        }
        let first = data.len();
        for number in 0..expected {
            if self.columns[number].is_none() {
                continue;
            }
            let (value, is_long) = self.value(number)?;
            data.push(value);
            if is_long {
                let text = self.records.text(number)?;
                note(&mut self.labels[data.len() - 1 - first], row, value, text, self.options.decimal);
            }
        }
        let has_numbers = |column: &Option<Column>| column.as_ref().is_some_and(Column::has_numbers);
        self.plain = self.plain || self.columns.iter().all(has_numbers);
        Ok(())
    }

    fn wrong_length(&self, expected: usize, got: usize) -> Error {
        let fields = if expected == 1 { "field" } else { "fields" };
        let hint = if got > expected {
            "quote fields that hold the delimiter or a decimal comma"
        } else {
            "each row has one field for each column; delimiter sets the byte between fields"
        };
        self.records.refuse(expected.min(got), format!("{expected} {fields}"), got.to_string(), hint)
    }

    /// The first field of its kind.
    pub(super) fn example(&self, number: usize) -> Example {
        let text = String::from_utf8_lossy(self.records.field(number));
        Example { line: self.records.line_of(number), text: crate::error::quoted(text.trim()).into() }
    }

    /// Gives texts their numbers in ascending order, and the table its names.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a category's number"
    )]
    fn named<F: Float>(&mut self, mut data: Array2<F>) -> Table<F> {
        let kept =
            self.columns.iter().zip(&self.names).filter_map(|(column, name)| column.as_ref().zip(Some(name)));
        let (mut names, mut categories) = (Vec::new(), Vec::new());
        let mut labels = std::mem::take(&mut self.labels);
        for (((column, name), mut values), labels) in kept.zip(data.columns_mut()).zip(&mut labels) {
            let (texts, recoded) = column.sorted();
            if !texts.is_empty() {
                values.mapv_inplace(|code| {
                    if code.is_nan() { code } else { F::of(recoded[code.as_f64() as usize] as f64) }
                });
            }
            if let Some(labels) = labels {
                labels.complete(name, &values.view());
            }
            names.push(name.clone());
            categories.push(texts);
        }
        Table { data, names, categories, labels, is_batch: self.in_batches }
    }
}

/// Notes a long number of a column.
fn note<F: Float>(labels: &mut Option<Box<Labels>>, row: usize, value: F, text: &str, decimal: u8) {
    labels.get_or_insert_default().note(row, value, text, decimal);
}
