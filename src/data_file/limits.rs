//! Limits of what is read from data files.

use serde::{Deserialize, Serialize};

/// What a data file may make its reader take.
///
/// Memory grows with what is read, never with what a header claims; these limits bound what is read. The defaults are
/// far above common data sets and keep a small hostile file, or a pipe without end, from filling the memory.
///
/// # Examples
/// ```
/// # #[cfg(feature = "csv")] {
/// use axonal::datasets::{CsvReader, ReadLimits};
///
/// let mut limits = ReadLimits::default();
/// limits.max_stream_bytes = 16;
/// let reader = CsvReader::new().limits(limits);
/// let message = reader.read_from::<f64>("pipe", "a,b\n1,2\n3,4\n5,6\n7,8\n".as_bytes()).unwrap_err().to_string();
/// assert_eq!(
///     message,
///     "pipe: more than 16 bytes; if the file is trusted, raise max_stream_bytes of ReadLimits"
/// );
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadLimits {
    /// The length of a regular file: 64 GiB.
    pub max_file_bytes: u64,
    /// The bytes from a source whose length is unknown until it ends (a pipe, a device, a reader, the decompressed
    /// content of a gzip file or of an array in an `.npz` file): 1 GiB, or the length of the file on disk where that
    /// is more. Where a table is read in batches, the limit holds for each batch.
    pub max_stream_bytes: u64,
    /// The length of one row of a CSV file: 16 MiB.
    pub max_record_bytes: usize,
    /// The number of columns of a CSV file: 262,144.
    pub max_columns: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_file_bytes: 64 << 30,
            max_stream_bytes: 1 << 30,
            max_record_bytes: 16 << 20,
            max_columns: 1 << 18,
        }
    }
}
