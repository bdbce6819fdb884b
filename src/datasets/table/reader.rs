use super::Table;
use super::column::{Column, Field};
use super::number::parse;
use super::records::Records;
use crate::datasets::file;
use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What becomes of a field without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Missing {
    /// It is an error.
    #[default]
    Error,
    /// It becomes NaN, for [`SimpleImputer`](crate::preprocessing::SimpleImputer) to replace.
    Nan,
}

/// Reads tables from CSV files.
///
/// A column whose first value is a number is one of numbers, else one of texts, whose values become the numbers of
/// their categories in ascending order. Every number must be finite; a field that does not fit is an error with its line
/// and column.
///
/// # Parameters
/// * `delimiter`: what stands between fields. Default: a comma.
/// * `header`: whether the first line names the columns. Default: true; without, they are `x0`, `x1`, …
/// * `texts`: a column that is text even where it looks like numbers (postal codes).
/// * `categories`: a column of these texts, numbered in this order.
/// * `ignore`: a column to leave out.
/// * `missing`: what becomes of a field without a value. Default: [`Missing::Error`].
/// * `missing_values`: what counts as missing. Default: nothing at all, `NA`, `N/A`, `NaN`, `nan`, `null`, `?`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Parse`] for a line with another number of fields, a field that is not what its column
/// holds, or a missing value; a setting for a column that is not there; a file without rows.
///
/// # Examples
/// From a file to an evaluated model:
/// ```no_run
/// use axonal::datasets::CsvReader;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let wine = CsvReader::new().read::<f32>("wine.csv")?.classes("cultivar")?;
/// let network = Sequential::new(wine.n_features())
///     .add(Dense::new(16).activation(Activation::Relu))
///     .add(Dense::new(3).activation(Activation::Softmax))
///     .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default())?
///     .with_fit_options(FitOptions::new().epochs(40));
/// let classifier = Classifier::new(Pipeline::new(StandardScaler::new(), network));
/// let folds = StratifiedKFold::new(5, &wine.target).shuffle(1);
/// println!("{}", cross_validate(&classifier, &wine.data, &wine.target, folds)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvReader {
    delimiter: u8,
    header: bool,
    columns: Vec<(String, Setting)>,
    missing: Missing,
    missing_values: Vec<String>,
}

/// What a column was declared to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Setting {
    Texts,
    Categories(Vec<String>),
    Ignore,
}

impl Default for CsvReader {
    fn default() -> Self {
        let missing_values = ["", "NA", "N/A", "NaN", "nan", "null", "?"].map(Into::into).to_vec();
        Self { delimiter: b',', header: true, columns: Vec::new(), missing: Missing::Error, missing_values }
    }
}

impl CsvReader {
    /// Commas, a header, nothing missing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands between fields: `b','`, `b';'`, `b'\t'`.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether the first line names the columns.
    #[must_use]
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Reads the column as text even where it looks like numbers.
    #[must_use]
    pub fn texts(mut self, column: impl Into<String>) -> Self {
        self.columns.push((column.into(), Setting::Texts));
        self
    }

    /// Reads the column as these texts, numbered in this order; any other text is an error.
    #[must_use]
    pub fn categories<N: Into<String>>(
        mut self,
        column: impl Into<String>,
        texts: impl IntoIterator<Item = N>,
    ) -> Self {
        let texts = texts.into_iter().map(Into::into).collect();
        self.columns.push((column.into(), Setting::Categories(texts)));
        self
    }

    /// Leaves the column out.
    #[must_use]
    pub fn ignore(mut self, column: impl Into<String>) -> Self {
        self.columns.push((column.into(), Setting::Ignore));
        self
    }

    /// What becomes of a field without a value.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// What counts as missing.
    #[must_use]
    pub fn missing_values<N: Into<String>>(mut self, values: impl IntoIterator<Item = N>) -> Self {
        self.missing_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Reads a file; with the feature `gzip` it may be compressed.
    ///
    /// # Errors
    /// See [`CsvReader`].
    pub fn read<F: Float>(&self, path: impl AsRef<Path>) -> Result<Table<F>> {
        let (source, bytes) = file::open(path.as_ref())?;
        Rows::new(self, path.as_ref().into(), source)?.table(usize::MAX, bytes)
    }

    /// Reads from anything; `source_name` is what errors call it.
    ///
    /// # Errors
    /// See [`CsvReader`].
    pub fn read_from<F: Float>(
        &self,
        source_name: impl Into<PathBuf>,
        source: impl Read,
    ) -> Result<Table<F>> {
        Rows::new(self, source_name.into(), source)?.table(usize::MAX, None)
    }

    /// Reads a file batch by batch, for files larger than memory; the last batch may be short.
    ///
    /// Columns of texts must be declared with [`categories`](Self::categories), so that numbers mean the same in every
    /// batch.
    ///
    /// # Errors
    /// See [`CsvReader`]; each item, too, is a result.
    ///
    /// # Examples
    /// ```no_run
    /// use axonal::datasets::CsvReader;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut scaler = StandardScaler::new();
    /// for batch in CsvReader::new().batches::<f32>("large.csv", 4096)? {
    ///     scaler.partial_fit(&batch?.data)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batches<F: Float>(&self, path: impl AsRef<Path>, batch_size: usize) -> Result<CsvBatches<F>> {
        if batch_size == 0 {
            return Err(Error::invalid_parameter("CsvReader", "batch_size", 0, "at least 1"));
        }
        let (source, _) = file::open(path.as_ref())?;
        let mut rows = Rows::new(self, path.as_ref().into(), source)?;
        for column in &mut rows.columns {
            if let Some(Column::Undecided | Column::Texts { closed: false, .. }) = column {
                *column = Some(Column::Numbers);
            }
        }
        Ok(CsvBatches { rows, batch_size, done: false, number: std::marker::PhantomData })
    }
}

/// The batches of a CSV file, each a [`Table`] of at most `batch_size` rows; see [`CsvReader::batches`].
pub struct CsvBatches<F> {
    rows: Rows<Box<dyn Read + Send>>,
    batch_size: usize,
    done: bool,
    number: std::marker::PhantomData<F>,
}

impl<F> std::fmt::Debug for CsvBatches<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvBatches").field("batch_size", &self.batch_size).finish_non_exhaustive()
    }
}

impl<F: Float> Iterator for CsvBatches<F> {
    type Item = Result<Table<F>>;

    fn next(&mut self) -> Option<Result<Table<F>>> {
        if self.done {
            return None;
        }
        let batch = match self.rows.next() {
            // A file without any rows is an error, as it is for `read`.
            Ok(false) if self.rows.n_rows > 0 => {
                self.done = true;
                return None;
            }
            Ok(_) => self.rows.table(self.batch_size, None),
            Err(error) => Err(error),
        };
        // After an error there is no telling where the next row starts.
        self.done = batch.is_err();
        Some(batch)
    }
}

/// The rows of a file, one after another.
struct Rows<R> {
    options: CsvReader,
    source: PathBuf,
    records: Records<R>,
    names: Vec<String>,
    /// `None` for a column that is left out.
    columns: Vec<Option<Column>>,
    /// Whether every column is kept and holds numbers, as far as is known.
    plain: bool,
    /// Whether a plain row has decided that every column holds numbers.
    decided: bool,
    /// Whether `records` holds a row that has not been taken yet.
    pending: bool,
    n_rows: usize,
}

impl<R: Read> Rows<R> {
    fn new(options: &CsvReader, source: PathBuf, reader: R) -> Result<Self> {
        if matches!(options.delimiter, b'"' | b'\n' | b'\r' | b'+' | b'-' | b'.' | b'0'..=b'9') {
            let got = format!("{:?}", char::from(options.delimiter));
            let expected = "a character that is no part of numbers, quotes or line ends";
            return Err(Error::invalid_parameter("CsvReader", "delimiter", got, expected));
        }
        let mut rows = Self {
            options: options.clone(),
            source,
            records: Records::new(reader, options.delimiter),
            names: Vec::new(),
            columns: Vec::new(),
            plain: false,
            decided: false,
            pending: false,
            n_rows: 0,
        };
        rows.name_columns()?;
        Ok(rows)
    }

    /// Takes the names from the header, or makes them up, and applies what was declared.
    fn name_columns(&mut self) -> Result<()> {
        self.next()?;
        let fields = 0..self.records.len();
        self.names = if self.options.header {
            self.pending = false;
            fields
                .map(|number| String::from_utf8_lossy(self.records.field(number)).trim().to_owned())
                .collect()
        } else {
            fields.map(|number| format!("x{number}")).collect()
        };
        self.columns = vec![Some(Column::Undecided); self.names.len()];
        for (name, setting) in &self.options.columns {
            let Some(column) = self.names.iter().position(|other| other == name) else {
                return Err(Error::unknown_name("column", name, &self.names));
            };
            self.columns[column] = match setting {
                Setting::Texts => Some(Column::texts()),
                Setting::Categories(texts) => Some(Column::closed(texts)),
                Setting::Ignore => None,
            };
        }
        let undecided = |column: &Option<Column>| matches!(column, Some(Column::Undecided));
        self.plain = !self.columns.is_empty() && self.columns.iter().all(undecided);
        Ok(())
    }

    /// Reads the next row into `records`, unless one is there; whether there is one.
    fn next(&mut self) -> Result<bool> {
        if !self.pending {
            let path = &self.source;
            self.pending = self.records.next().map_err(|source| Error::Io { path: path.clone(), source })?;
        }
        Ok(self.pending)
    }

    /// Appends the next row to `data`; whether there was one.
    fn append<F: Float>(&mut self, data: &mut Vec<F>) -> Result<bool> {
        if self.plain && !self.pending {
            let path = &self.source;
            let taken = self.records.numbers(self.columns.len(), data);
            if taken.map_err(|source| Error::Io { path: path.clone(), source })? {
                if !self.decided {
                    self.columns.fill(Some(Column::Numbers));
                    self.decided = true;
                }
                return Ok(true);
            }
        }
        Ok(self.next()? && self.take_row(data).map(|()| true)?)
    }

    /// The next rows as a table, `n_bytes` being the size of the whole file where that is known.
    fn table<F: Float>(&mut self, most_rows: usize, n_bytes: Option<u64>) -> Result<Table<F>> {
        let n_columns = self.columns.iter().flatten().count();
        let (mut data, mut n_rows) = (Vec::new(), 0);
        loop {
            if data.capacity() - data.len() < n_columns {
                self.reserve(&mut data, n_rows, n_columns, n_bytes)?;
            }
            if n_rows == most_rows || !self.append(&mut data)? {
                break;
            }
            n_rows += 1;
        }
        self.n_rows += n_rows;
        if n_rows == 0 || n_columns == 0 {
            let needed = if n_rows == 0 { "sample" } else { "feature" };
            let (what, shape) = (self.source.display().to_string(), format!("({n_rows}, {n_columns})"));
            return Err(Error::Empty { what, shape, needed });
        }
        data.shrink_to_fit();
        let got = data.len();
        let data = Array2::from_shape_vec((n_rows, n_columns), data).map_err(|_| {
            Error::shape("table", format!("{n_rows} rows of {n_columns}"), format!("{got} values"))
        })?;
        Ok(self.named(data))
    }

    /// Makes room: by what the rows so far say about the rest of the file, else by half as much again. Doubling would
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
        let room = rest.saturating_add(64).saturating_mul(n_columns);
        data.try_reserve_exact(room).map_err(|_| {
            let source = std::io::Error::from(std::io::ErrorKind::OutOfMemory);
            Error::Io { path: self.source.clone(), source }
        })
    }

    /// Appends the row in `records` to `data`.
    fn take_row<F: Float>(&mut self, data: &mut Vec<F>) -> Result<()> {
        self.pending = false;
        let (expected, got) = (self.columns.len(), self.records.len());
        if got != expected {
            return Err(self.refuse(
                expected.min(got),
                format!("{expected} fields"),
                &format!("{got} fields"),
            ));
        }
        for number in 0..expected {
            let Some(column) = &mut self.columns[number] else { continue };
            if !matches!(column, Column::Texts { .. })
                && let Some(value) = parse(self.records.field(number))
            {
                *column = Column::Numbers;
                data.push(value);
                continue;
            }
            let value = self.unusual(number)?;
            data.push(value);
        }
        Ok(())
    }

    /// A field that is not simply a number: missing, a text, or an error.
    #[allow(clippy::cast_precision_loss, reason = "a category's number")]
    fn unusual<F: Float>(&mut self, number: usize) -> Result<F> {
        let text = String::from_utf8_lossy(self.records.field(number)).trim().to_owned();
        if self.options.missing_values.contains(&text) {
            return match self.options.missing {
                Missing::Nan => Ok(F::nan()),
                Missing::Error => Err(self.wrong(number, "a value (Missing::Nan keeps missing ones)")),
            };
        }
        let Some(Some(column)) = self.columns.get_mut(number) else { return Ok(F::nan()) };
        match column.text(&text) {
            Field::Text(code) => {
                self.plain = false;
                Ok(F::of(code as f64))
            }
            Field::Wrong => {
                let expected = match column {
                    Column::Texts { .. } => format!("one of {}", column.sorted().0.join(", ")),
                    _ => "a finite number".into(),
                };
                Err(self.wrong(number, &expected))
            }
        }
    }

    /// Gives texts their numbers in ascending order, and the table its names.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a category's number"
    )]
    fn named<F: Float>(&self, mut data: Array2<F>) -> Table<F> {
        let kept =
            self.columns.iter().zip(&self.names).filter_map(|(column, name)| column.as_ref().zip(Some(name)));
        let (mut names, mut categories) = (Vec::new(), Vec::new());
        for ((column, name), mut values) in kept.zip(data.columns_mut()) {
            let (texts, renumbered) = column.sorted();
            if !texts.is_empty() {
                values.mapv_inplace(|code| {
                    if code.is_nan() { code } else { F::of(renumbered[code.as_f64() as usize] as f64) }
                });
            }
            names.push(name.clone());
            categories.push(texts);
        }
        Table { data, names, categories }
    }

    /// The refusal of a field of the present row.
    fn wrong(&self, number: usize, expected: &str) -> Error {
        self.refuse(number, expected.into(), &String::from_utf8_lossy(self.records.field(number)))
    }

    /// The refusal of something at a field of the present row.
    fn refuse(&self, number: usize, expected: String, got: &str) -> Error {
        let source_name = self.source.display().to_string();
        let got = got.chars().take(64).collect();
        Error::Parse { source_name, line: self.records.line(), column: number + 1, expected, got }
    }
}
