//! Reading a CSV file or stream: all rows as one table, or batch by batch.

use super::options::CsvReader;
use super::rows::Rows;
use super::{CsvBatches, Table};
use crate::data_file::{self, Bounded};
use crate::error::{Error, Result};
use crate::float::Float;
use std::io::Read;
use std::path::{Path, PathBuf};

impl CsvReader {
    /// Reads a file or a pipe; with the feature `gzip` it may be compressed.
    ///
    /// # Errors
    /// See [`CsvReader`].
    pub fn read<F: Float>(&self, path: impl AsRef<Path>) -> Result<Table<F>> {
        let source = data_file::open(path.as_ref(), &self.limits)?;
        Rows::new(self, path.as_ref(), source.reader, false)?.table(usize::MAX, source.len)
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
        let source = Bounded::new(source, self.limits.max_stream_bytes, "max_stream_bytes");
        Rows::new(self, &source_name.into(), source, false)?.table(usize::MAX, None)
    }

    /// Reads a file batch by batch, for files larger than memory; the last batch may be short.
    ///
    /// Columns of texts must be declared with [`categories`](Self::categories), so that numbers mean the same in every
    /// batch; so must classes that are numbers, for [`Table::classes`]. An error comes with the batch in which it shows.
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
        let source = data_file::open(path.as_ref(), &self.limits)?;
        Ok(CsvBatches::new(Rows::new(self, path.as_ref(), source.reader, true)?, batch_size))
    }
}
