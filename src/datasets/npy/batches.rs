//! The rows of a NumPy file in batches.

use super::header::Header;
use super::{NpyElement, check_type};
use crate::data_file::{self, Bounded, ReadLimits};
use crate::datasets::array_file::ArrayFile;
use crate::error::{Error, Result};
use ndarray::{Array, ArrayD, Dimension, IxDyn};
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;
use std::path::Path;

/// The data behind a header.
type Source = Bounded<Box<dyn Read + Send>>;

/// Reads the rows of a NumPy file in batches, for arrays larger than memory; the last batch may be short.
///
/// Each item is an array of the rank `D`, with up to `batch_size` rows along its first axis. The file may be a pipe, and with the
/// feature `gzip` compressed.
///
/// # Errors
/// As [`read_npy`](super::read_npy) at once for what the header says, and with the batch in which it shows for the rest; an array in
/// Fortran order, whose rows do not lie together; rows without values; a `batch_size` of 0. [`ReadLimits::max_stream_bytes`] holds for
/// each batch.
///
/// # Examples
/// ```
/// use axonal::datasets::{npy_batches, write_npy};
/// use axonal::ndarray::{Array2, Ix2};
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-batches-{}.npy", std::process::id()));
/// write_npy(&path, &Array2::from_shape_fn((10, 2), |(i, j)| (i * 2 + j) as f32))?;
/// let mut scaler = StandardScaler::new();
/// for batch in npy_batches::<f32, Ix2>(&path, 4)? {
///     scaler.partial_fit(&batch?)?;
/// }
/// assert_eq!(scaler.mean()?.to_vec(), [9.0, 10.0]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
pub fn npy_batches<T: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    batch_size: usize,
) -> Result<NpyBatches<T, D>> {
    npy_batches_with(path, batch_size, &ReadLimits::default())
}

/// Reads batches as [`npy_batches`], within other limits.
///
/// # Errors
/// As [`npy_batches`].
pub fn npy_batches_with<T: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    batch_size: usize,
    limits: &ReadLimits,
) -> Result<NpyBatches<T, D>> {
    let path = path.as_ref();
    let source = data_file::open(path, limits)?;
    let name = path.display().to_string();
    NpyBatches::new(ArrayFile::new(path.to_owned(), name, source.reader, source.len), batch_size)
}

/// An iterator over the rows of a NumPy array; see [`npy_batches`].
pub struct NpyBatches<T, D> {
    file: ArrayFile<'static, Source>,
    big_endian: bool,
    /// The shape of a row.
    row: Vec<usize>,
    /// Rows that are left.
    left: usize,
    batch_size: usize,
    failed: bool,
    ended: bool,
    array: PhantomData<(T, D)>,
}

impl<T, D> fmt::Debug for NpyBatches<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("NpyBatches");
        debug.field("row", &self.row).field("left", &self.left).finish_non_exhaustive()
    }
}

impl<T: NpyElement, D: Dimension> NpyBatches<T, D> {
    /// Reads the header.
    pub(in crate::datasets) fn new(mut file: ArrayFile<'static, Source>, batch_size: usize) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::invalid_parameter("npy_batches", "batch_size", 0, "at least 1"));
        }
        let Header { element, big_endian, fortran, shape } = Header::read(&mut file)?;
        check_type::<T, _>(&file, &element)?;
        let rank = shape.len();
        if rank == 0 || D::NDIM.is_some_and(|expected| expected != rank) {
            let expected = D::NDIM.map_or("at least 1 axis".into(), |rank| format!("{rank} axes"));
            return Err(Error::shape(file.name(), expected, format!("{rank} axes: {shape:?}")));
        }
        let (left, row) = shape.split_first().map_or((0, &[][..]), |(left, row)| (*left, row));
        if row.contains(&0) {
            return Err(Error::shape(file.name(), "rows with values", format!("{shape:?}")));
        }
        if fortran && rank > 1 && row.iter().product::<usize>() > 1 {
            let hint = "save numpy.ascontiguousarray(x), or read it whole by read_npy";
            return Err(file.format("an array in C order, whose rows lie together", "Fortran order", hint));
        }
        file.check_length(&shape, size_of::<T>())?;
        let row = row.to_vec();
        let array = PhantomData;
        Ok(Self { file, big_endian, row, left, batch_size, failed: false, ended: false, array })
    }

    /// The number of rows that are left.
    #[must_use]
    pub fn n_rows_left(&self) -> usize {
        self.left
    }

    fn read(&mut self, n_rows: usize) -> Result<Array<T, D>> {
        self.file.renew_limit();
        let mut shape = vec![n_rows];
        shape.extend(&self.row);
        let big_endian = self.big_endian;
        let values = self.file.next_values(&shape, |bytes| T::read(bytes, big_endian))?;
        let refused = |file: &ArrayFile<'_, Source>| {
            file.format("a shape that fits into memory", format!("{shape:?}"), "")
        };
        let array = ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|_| refused(&self.file))?;
        array.into_dimensionality().map_err(|_| refused(&self.file))
    }
}

impl<T: NpyElement, D: Dimension> Iterator for NpyBatches<T, D> {
    type Item = Result<Array<T, D>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            // Data behind the rows, or a wrong checksum of compressed data.
            let ends = if std::mem::replace(&mut self.ended, true) { Ok(()) } else { self.file.expect_end() };
            self.failed = ends.is_err();
            return ends.err().map(Err);
        }
        let n_rows = self.batch_size.min(self.left);
        let batch = self.read(n_rows);
        self.left -= n_rows;
        self.failed = batch.is_err();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let batches = if self.failed { 0 } else { self.left.div_ceil(self.batch_size) };
        (batches, Some(batches))
    }
}
