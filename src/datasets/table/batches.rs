//! A CSV file as an iterator of tables.

use super::Table;
use super::rows::Rows;
use crate::error::Result;
use crate::float::Float;
use std::io::Read;

/// The batches of a CSV file, each a [`Table`] of at most `batch_size` rows; see
/// [`CsvReader::batches`](super::CsvReader::batches).
pub struct CsvBatches<F> {
    rows: Rows<Box<dyn Read + Send>>,
    batch_size: usize,
    done: bool,
    number: std::marker::PhantomData<F>,
}

impl<F> CsvBatches<F> {
    pub(super) fn new(rows: Rows<Box<dyn Read + Send>>, batch_size: usize) -> Self {
        Self { rows, batch_size, done: false, number: std::marker::PhantomData }
    }
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
        self.rows.renew_limit();
        let batch = match self.rows.next() {
            // A file without any rows is an error, as it is for `read`.
            Ok(false) if self.rows.n_rows() > 0 => {
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
