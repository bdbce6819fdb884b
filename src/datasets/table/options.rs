//! What a caller declares about a CSV file: separators, columns, missing values, limits.

use crate::data_file::ReadLimits;
use serde::{Deserialize, Serialize};

/// What becomes of a field without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Missing {
    /// It is an error.
    Error,
    /// It becomes NaN, for [`SimpleImputer`](crate::preprocessing::SimpleImputer) to replace; estimators refuse NaN.
    #[default]
    Nan,
}

/// Reads tables from CSV files.
///
/// The text is UTF-8 in the form of RFC 4180: quotes around fields with delimiters, quotes or line ends in them, a
/// quote within quotes doubled. Blanks around fields and blank lines are passed over; lines end with LF, CRLF or CR.
///
/// A column holds what all of its fields agree on: finite numbers, or texts, whose values become the numbers of their
/// categories in ascending order. A column of both is an error that names a field of each, unless it was declared with
/// `texts` or `categories`; so is a field that looks like a number in another notation (`1,5`, `12%`, `1,234`).
///
/// # Parameters
/// * `delimiter`: the byte between fields. Default: a comma.
/// * `decimal`: the decimal point, or `b','` for a decimal comma. Default: a point.
/// * `header`: whether the first line names the columns. Default: true; without, they are `x0`, `x1`, …
/// * `texts`: a column that is text even where it looks like numbers (postal codes).
/// * `categories`: a column of these texts, numbered in this order.
/// * `ignore`: a column to leave out.
/// * `missing`: what becomes of a field without a value. Default: [`Missing::Nan`].
/// * `missing_values`: the fields that have no value. Default: those of pandas (an empty field, `NA`, `N/A`, `n/a`,
///   `#N/A`, `#N/A N/A`, `#NA`, `<NA>`, `NaN`, `nan`, `-NaN`, `-nan`, `NULL`, `null`, `None`, `1.#IND`, `-1.#IND`,
///   `1.#QNAN`, `-1.#QNAN`) and `?`.
/// * `limits`: how much is read. Default: [`ReadLimits::default`].
///
/// # Errors
/// [`Error::Io`](crate::Error::Io); [`Error::Load`](crate::Error::Load) for what is no UTF-8 text or more than the limits;
/// [`Error::Parse`](crate::Error::Parse) with line and column for an open quote, text behind a closing quote, a row with
/// another number of fields, two columns of one name, a field that is not what its column holds, or a missing value; a
/// setting for a column that is not there; a file without rows.
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
/// let folds = StratifiedKFold::new(5).shuffle(1);
/// println!("{}", cross_validate(&classifier, &wine.data, &wine.target, folds)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvReader {
    pub(super) delimiter: u8,
    pub(super) decimal: u8,
    pub(super) header: bool,
    pub(super) columns: Vec<(String, Setting)>,
    pub(super) missing: Missing,
    pub(super) missing_values: Vec<String>,
    pub(super) limits: ReadLimits,
}

/// What a column was declared to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Setting {
    Texts,
    Categories(Vec<String>),
    Ignore,
}

/// pandas's `STR_NA_VALUES`, and the question mark of many data sets.
const MISSING_VALUES: [&str; 20] = [
    "", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null",
    "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "?",
];

impl Default for CsvReader {
    fn default() -> Self {
        Self {
            delimiter: b',',
            decimal: b'.',
            header: true,
            columns: Vec::new(),
            missing: Missing::Nan,
            missing_values: MISSING_VALUES.map(Into::into).to_vec(),
            limits: ReadLimits::default(),
        }
    }
}

impl CsvReader {
    /// Commas, a header, NaN for a field without a value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The byte between fields: `b','`, `b';'`, `b'\t'`.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// The decimal point `b'.'`, or the decimal comma `b','`.
    ///
    /// # Examples
    /// ```
    /// use axonal::datasets::CsvReader;
    /// use axonal::ndarray::array;
    ///
    /// let reader = CsvReader::new().delimiter(b';').decimal(b',');
    /// let table = reader.read_from::<f64>("de.csv", "a;b\n1,5;2\n-0,25;3e2\n".as_bytes())?;
    /// assert_eq!(table.data, array![[1.5, 2.0], [-0.25, 300.0]]);
    /// # Ok::<(), axonal::Error>(())
    /// ```
    #[must_use]
    pub fn decimal(mut self, decimal: u8) -> Self {
        self.decimal = decimal;
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
    pub fn text_column(mut self, column: impl Into<String>) -> Self {
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

    /// Leaves the column out; of several columns of that name, all.
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

    /// The fields that have no value, in place of the default ones.
    #[must_use]
    pub fn missing_values<N: Into<String>>(mut self, values: impl IntoIterator<Item = N>) -> Self {
        self.missing_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// How much is read at most.
    #[must_use]
    pub fn limits(mut self, limits: ReadLimits) -> Self {
        self.limits = limits;
        self
    }
}
