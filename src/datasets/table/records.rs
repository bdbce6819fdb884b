use super::number;
use crate::float::Float;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::Read;

/// The records of a CSV file, one after another.
///
/// A row of plain numbers, which is nearly every row of a large file, is read in one pass over its bytes by
/// [`numbers`](Self::numbers). Every other row goes to csv-core, which knows quotes, carriage returns and the rest.
pub(super) struct Records<R> {
    source: R,
    delimiter: u8,
    core: Reader,
    /// Bytes of the file; those from `start` to `end` are still to come.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// How many bytes of the file came before the buffer.
    before: u64,
    /// The present record's fields, one behind the other, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
    n_fields: usize,
    line: u64,
}

const BUFFER: usize = 1 << 18;
/// Fewer bytes than this are topped up before a row is read.
const LOW: usize = 1 << 14;

impl<R: Read> Records<R> {
    pub(super) fn new(source: R, delimiter: u8) -> Self {
        Self {
            source,
            delimiter,
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            ended: false,
            before: 0,
            fields: vec![0; 1024],
            ends: vec![0; 64],
            n_fields: 0,
            line: 1,
        }
    }

    /// How many fields the present record has.
    pub(super) fn len(&self) -> usize {
        self.n_fields
    }

    /// One field of the present record.
    pub(super) fn field(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.fields[start..self.ends[number]]
    }

    /// The line on which the present record began, counted from 1.
    pub(super) fn line(&self) -> usize {
        usize::try_from(self.line).unwrap_or(usize::MAX)
    }

    /// How many bytes of the file have been read.
    pub(super) fn position(&self) -> u64 {
        self.before + self.start as u64
    }

    /// Tops the buffer up.
    fn fill(&mut self) -> std::io::Result<()> {
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
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Appends the next row to `data` where it is `n_columns` plain numbers that end with a line feed; else leaves
    /// everything as it was and says no.
    pub(super) fn numbers<F: Float>(&mut self, n_columns: usize, data: &mut Vec<F>) -> std::io::Result<bool> {
        self.fill()?;
        let mut rest = &self.buffer[self.start..self.end];
        let n_values = data.len();
        for column in 1..=n_columns {
            let parsed = number::parse_prefix(rest);
            let after = parsed.and_then(|(value, length)| {
                data.push(value);
                match &rest[length..] {
                    [byte, rest @ ..] if column < n_columns && *byte == self.delimiter => Some(rest),
                    [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] if column == n_columns => Some(rest),
                    _ => None,
                }
            });
            let Some(after) = after else {
                data.truncate(n_values);
                return Ok(false);
            };
            rest = after;
        }
        self.start = self.end - rest.len();
        self.core.set_line(self.core.line() + 1);
        Ok(true)
    }

    /// Reads the next record; whether there was one.
    pub(super) fn next(&mut self) -> std::io::Result<bool> {
        let (mut n_bytes, mut n_ends) = (0, 0);
        self.line = self.core.line();
        loop {
            self.fill()?;
            let input = &self.buffer[self.start..self.end];
            let (result, read, written, ended) =
                self.core.read_record(input, &mut self.fields[n_bytes..], &mut self.ends[n_ends..]);
            self.start += read;
            n_bytes += written;
            n_ends += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.fields.resize(2 * self.fields.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => {
                    self.n_fields = n_ends;
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
    }
}
