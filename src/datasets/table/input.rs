//! The buffered bytes of a CSV file, and the fast path for records of plain numbers.

use super::number::{parse, parse_prefix};
use crate::data_file::{Bounded, check_text, failed};
use crate::error::Result;
use crate::float::Float;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The bytes of a text file, of which a part is in memory.
///
/// A row of plain numbers, which is nearly every row of a large file, is read in one pass over its bytes by
/// [`numbers`](Self::numbers).
pub(super) struct Input<R> {
    path: PathBuf,
    source: Bounded<R>,
    /// Bytes of the file; those from `start` to `end` are still to come.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// How many bytes of the file came before the buffer.
    before: u64,
    /// The place of the row that [`numbers`](Self::numbers) has read last.
    row: Range<usize>,
}

const BUFFER: usize = 1 << 18;
/// Fewer bytes than this are topped up before a row is read.
const LOW: usize = 1 << 14;

impl<R: Read> Input<R> {
    /// Reads the first bytes, and refuses what is no text. A byte order mark is passed over.
    pub(super) fn new(path: &Path, source: Bounded<R>) -> Result<Self> {
        let (path_of, buffer) = (path.into(), vec![0; BUFFER]);
        let mut input =
            Self { path: path_of, source, buffer, start: 0, end: 0, ended: false, before: 0, row: 0..0 };
        check_text(path, input.rest()?)?;
        if input.rest()?.starts_with("\u{feff}".as_bytes()) {
            input.start = "\u{feff}".len();
        }
        Ok(input)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes of the file have been taken.
    pub(super) fn position(&self) -> u64 {
        self.before + self.start as u64
    }

    /// Allows the full number of bytes again.
    pub(super) fn renew_limit(&mut self) {
        self.source.renew();
    }

    /// The next bytes, at least 16 KiB of them before the end of the file.
    pub(super) fn rest(&mut self) -> Result<&[u8]> {
        self.fill()?;
        Ok(&self.buffer[self.start..self.end])
    }

    /// The next bytes, as far as they are in memory.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes the next `n_bytes`.
    pub(super) fn take(&mut self, n_bytes: usize) {
        self.start += n_bytes;
    }

    /// Tops the buffer up.
    fn fill(&mut self) -> Result<()> {
        if self.ended || self.end - self.start >= LOW {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.before += self.start as u64;
        (self.end, self.start) = (self.end - self.start, 0);
        while self.end < LOW && !self.ended {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n_bytes) => self.end += n_bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&self.path, error)),
            }
        }
        Ok(())
    }

    /// Appends the next row to `data` where it is `n_columns` plain numbers of at most `most_bytes` that end with a
    /// line feed; else leaves everything as it was and answers `None`.
    ///
    /// The answer has a bit for each column with a long number, counted modulo 64.
    pub(super) fn numbers<F: Float, const DECIMAL: u8>(
        &mut self,
        n_columns: usize,
        delimiter: u8,
        most_bytes: usize,
        data: &mut Vec<F>,
    ) -> Result<Option<u64>> {
        self.fill()?;
        let mut rest = &self.buffer[self.start..self.end];
        let n_values = data.len();
        let mut long = 0_u64;
        for column in 1..=n_columns {
            let after = parse_prefix::<F, DECIMAL>(rest).and_then(|number| {
                data.push(number.value);
                long |= u64::from(number.long) << ((column - 1) % 64);
                match &rest[number.length..] {
                    [byte, rest @ ..] if column < n_columns && *byte == delimiter => Some(rest),
                    [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] if column == n_columns => Some(rest),
                    _ => None,
                }
            });
            let Some(after) = after else {
                data.truncate(n_values);
                return Ok(None);
            };
            rest = after;
        }
        let end = self.end - rest.len();
        if end - self.start > most_bytes {
            data.truncate(n_values);
            return Ok(None);
        }
        self.row = self.start..end;
        self.start = end;
        Ok(Some(long))
    }

    /// The long numbers of the row that [`numbers`](Self::numbers) has read last, each with its column.
    pub(super) fn long_numbers<F: Float>(
        &self,
        delimiter: u8,
        decimal: u8,
    ) -> impl Iterator<Item = (usize, &str)> {
        let row = self.buffer[self.row.clone()].trim_ascii_end();
        let is_long = move |field: &[u8]| parse::<F>(field, decimal).is_some_and(|number| number.long);
        let fields = row.split(move |byte| *byte == delimiter).enumerate();
        fields
            .filter(move |(_, field)| is_long(field))
            .filter_map(|(column, field)| Some((column, std::str::from_utf8(field).ok()?)))
    }
}
