//! What the binary formats of arrays share: a header, then the values up to the end of the data.

use crate::data_file::{Bounded, failed};
use crate::error::{Error, LoadErrorKind, Result};
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

/// Bytes that are read at a time; a multiple of the size of every element.
const CHUNK: usize = 1 << 16;

/// An array that is being read.
pub(super) struct ArrayFile<'a, R> {
    /// The file.
    path: Cow<'a, Path>,
    /// The name in errors: the file, and in an archive the array.
    name: String,
    source: R,
    /// The length of header and values, where it is known before they are read.
    len: Option<u64>,
    /// How many bytes have been read.
    position: u64,
}

impl<'a, R: Read> ArrayFile<'a, R> {
    pub(super) fn new(path: impl Into<Cow<'a, Path>>, name: String, source: R, len: Option<u64>) -> Self {
        Self { path: path.into(), name, source, len, position: 0 }
    }

    /// The name in errors.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The next `n` bytes, or those that are left.
    pub(super) fn up_to(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(n.min(CHUNK));
        let read = self.source.by_ref().take(n as u64).read_to_end(&mut bytes);
        read.map_err(|source| failed(&self.path, source))?;
        self.position += bytes.len() as u64;
        Ok(bytes)
    }

    /// The next `n` bytes.
    pub(super) fn exactly(&mut self, n: usize) -> Result<Vec<u8>> {
        let end = self.position.saturating_add(n as u64);
        let bytes = self.up_to(n)?;
        if bytes.len() == n { Ok(bytes) } else { Err(self.truncated(end)) }
    }

    /// The values of an array of this shape, behind which the data must end.
    ///
    /// Memory grows with what is read; only where the length of a file on disk agrees with the shape, all of it is
    /// taken in advance.
    pub(super) fn values<T>(&mut self, shape: &[usize], decode: impl Fn(&[u8]) -> T) -> Result<Vec<T>> {
        self.check_length(shape, size_of::<T>())?;
        let values = self.next_values(shape, decode)?;
        self.expect_end()?;
        Ok(values)
    }

    /// Refuses a file whose length is known and is not that of an array of this shape and size of elements.
    pub(super) fn check_length(&self, shape: &[usize], element: usize) -> Result<()> {
        let (_, end) = self.span(shape, element)?;
        match self.len {
            Some(len) if len < end => Err(self.problem(LoadErrorKind::Truncated { expected: end, got: len })),
            Some(len) if len > end => Err(self.problem(LoadErrorKind::Trailing { end, extra: len - end })),
            _ => Ok(()),
        }
    }

    /// The bytes of an array of this shape, and where they end.
    fn span(&self, shape: &[usize], element: usize) -> Result<(usize, u64)> {
        let needed = shape.iter().try_fold(element, |bytes, length| bytes.checked_mul(*length));
        let end = needed.and_then(|needed| self.position.checked_add(needed as u64));
        needed.zip(end).ok_or_else(|| {
            let (offset, got) = (self.position, format!("{shape:?}"));
            let expected = "a shape that fits into memory".into();
            LoadErrorKind::Malformed { offset, expected, got }.in_file(&self.name)
        })
    }

    /// The next values, of an array or of some of its rows.
    pub(super) fn next_values<T>(&mut self, shape: &[usize], decode: impl Fn(&[u8]) -> T) -> Result<Vec<T>> {
        let (needed, end) = self.span(shape, size_of::<T>())?;
        let n_values = needed / size_of::<T>();
        let mut values = Vec::new();
        while self.position < end {
            let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
            let chunk = self.up_to(left.min(CHUNK))?;
            if chunk.len() < left.min(CHUNK) {
                return Err(self.truncated(end));
            }
            self.reserve(&mut values, n_values)?;
            values.extend(chunk.chunks_exact(size_of::<T>()).map(&decode));
        }
        Ok(values)
    }

    /// Reserves memory for the next chunk of `n_values` values.
    fn reserve<T>(&self, values: &mut Vec<T>, n_values: usize) -> Result<()> {
        let chunk = CHUNK / size_of::<T>();
        if values.capacity() - values.len() >= chunk.min(n_values - values.len()) {
            return Ok(());
        }
        let more = if self.len.is_some() { n_values } else { values.len().max(chunk) };
        let more = more.min(n_values - values.len());
        values.try_reserve_exact(more).map_err(|_| Error::OutOfMemory {
            what: self.name.clone(),
            bytes: (values.len() + more).saturating_mul(size_of::<T>()),
        })
    }

    /// Refuses data behind the values. Reading the end also verifies the checksum of compressed data.
    pub(super) fn expect_end(&mut self) -> Result<()> {
        let end = self.position;
        let extra = self.up_to(CHUNK)?.len() as u64;
        if extra == 0 { Ok(()) } else { Err(self.problem(LoadErrorKind::Trailing { end, extra })) }
    }

    /// The error of data that end before byte `expected`.
    fn truncated(&self, expected: u64) -> Error {
        self.problem(LoadErrorKind::Truncated { expected, got: self.position })
    }

    /// The error of another format or type.
    pub(super) fn format(
        &self,
        expected: impl Into<String>,
        got: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        self.problem(LoadErrorKind::Format { expected: expected.into(), got: got.into(), hint: hint.into() })
    }

    /// The error of this file with a problem.
    pub(super) fn problem(&self, problem: LoadErrorKind) -> Error {
        problem.in_file(&self.name)
    }
}

impl<R: Read> ArrayFile<'_, Bounded<R>> {
    /// Allows the full number of bytes again, for the next batch.
    pub(super) fn renew_limit(&mut self) {
        self.source.renew();
    }
}
