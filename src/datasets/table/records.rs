//! The records of a CSV file (RFC 4180): fields, quotes, line ends, positions for errors.

use super::input::Input;
use crate::data_file::{Bounded, ReadLimits};
use crate::error::{Error, LoadErrorKind, Result, quoted};
use crate::float::Float;
use std::io::Read;
use std::path::Path;

/// The records of a CSV file, one after another.
///
/// Rows that are not all plain numbers ([`numbers`](Self::numbers)) are split into fields by [`next`](Self::next), by
/// the rules of RFC 4180 with any line end (LF, CRLF, CR), blank lines passed over, and quotes kept as they are within
/// unquoted fields.
pub(super) struct Records<R> {
    input: Input<R>,
    delimiter: u8,
    most_bytes: usize,
    most_fields: usize,
    /// The present record's fields, one behind the other, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// The line on which the present record began, and that on which the next one begins.
    line: usize,
    next_line: usize,
    /// Whether a field of the present record holds a line end.
    has_line_end: bool,
    /// Of a record with line ends in its fields: how many come before each field, and before its end.
    lines_before: Vec<usize>,
}

/// The place within a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a field, but for blanks.
    Start,
    /// Within a field without quotes.
    Plain,
    /// Within quotes.
    Quoted,
    /// Behind a quote within quotes: the end of the field, or the first of two quotes.
    Quote,
    /// Behind the closing quote and a blank.
    Closed,
}

impl<R: Read> Records<R> {
    pub(super) fn new(path: &Path, source: Bounded<R>, delimiter: u8, limits: &ReadLimits) -> Result<Self> {
        Ok(Self {
            input: Input::new(path, source)?,
            delimiter,
            most_bytes: limits.max_record_bytes,
            most_fields: limits.max_columns,
            fields: Vec::new(),
            ends: Vec::new(),
            line: 1,
            next_line: 1,
            has_line_end: false,
            lines_before: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.input.path()
    }

    /// How many fields the present record has.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// One field of the present record.
    pub(super) fn field(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.fields[start..self.ends[number]]
    }

    /// One field as text, without blanks around it.
    pub(super) fn text(&self, number: usize) -> Result<&str> {
        let field = self.field(number);
        let refuse = |got: String, hint: &str| {
            let shown = field.escape_ascii().to_string().chars().take(64).collect::<String>();
            Err(self.refuse(number, "UTF-8 text", format!("{got} in \"{shown}\""), hint))
        };
        match std::str::from_utf8(field) {
            Ok(_) if field.contains(&0) => {
                refuse("a zero byte".into(), "convert UTF-16 text to UTF-8: iconv -f UTF-16 -t UTF-8")
            }
            Ok(text) => Ok(text.trim()),
            Err(error) => {
                let byte = field.get(error.valid_up_to()).copied().unwrap_or_default();
                let hint = "convert the file to UTF-8, for example with iconv -f WINDOWS-1252 -t UTF-8";
                refuse(format!("byte 0x{byte:02x}"), hint)
            }
        }
    }

    /// The line on which a field of the present record begins, counted from 1.
    pub(super) fn line_of(&self, number: usize) -> usize {
        self.line + self.lines_before.get(number).or(self.lines_before.last()).copied().unwrap_or(0)
    }

    /// The error of a field of the present record.
    pub(super) fn refuse(
        &self,
        number: usize,
        expected: impl Into<String>,
        got: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Parse {
            source_name: self.path().display().to_string(),
            line: self.line_of(number),
            column: number + 1,
            expected: expected.into(),
            got: got.into(),
            hint: hint.into(),
        }
    }

    /// How many bytes of the file have been read.
    pub(super) fn position(&self) -> u64 {
        self.input.position()
    }

    /// Allows the full number of bytes again.
    pub(super) fn renew_limit(&mut self) {
        self.input.renew_limit();
    }

    /// Appends the next row to `data` where it is `n_columns` plain numbers, and answers which of them are long, as
    /// [`Input::numbers`] does; else leaves everything as it was.
    pub(super) fn numbers<F: Float>(
        &mut self,
        n_columns: usize,
        decimal: u8,
        data: &mut Vec<F>,
    ) -> Result<Option<u64>> {
        let (delimiter, most_bytes) = (self.delimiter, self.most_bytes);
        let taken = if decimal == b',' {
            self.input.numbers::<F, b','>(n_columns, delimiter, most_bytes, data)?
        } else {
            self.input.numbers::<F, b'.'>(n_columns, delimiter, most_bytes, data)?
        };
        self.next_line += usize::from(taken.is_some());
        Ok(taken)
    }

    /// The long numbers of the row that [`numbers`](Self::numbers) has read last, each with its column.
    pub(super) fn long_numbers<F: Float>(&self, decimal: u8) -> impl Iterator<Item = (usize, &str)> {
        self.input.long_numbers::<F>(self.delimiter, decimal)
    }

    /// Reads the next record; whether there was one.
    pub(super) fn next(&mut self) -> Result<bool> {
        self.fields.clear();
        self.ends.clear();
        self.lines_before.clear();
        self.has_line_end = false;
        self.skip_blank_lines()?;
        self.line = self.next_line;
        let mut state = State::Start;
        let mut n_bytes = 0_u64;
        loop {
            if self.input.rest()?.is_empty() {
                return self.end_of_file(state, n_bytes);
            }
            let before = self.input.position();
            let has_ended = self.advance(&mut state)?;
            n_bytes += self.input.position() - before;
            if has_ended {
                self.next_line += self.count_lines();
                return Ok(true);
            }
            if n_bytes > self.most_bytes as u64 {
                return Err(self.too_long(state));
            }
        }
    }

    /// Passes over line ends.
    fn skip_blank_lines(&mut self) -> Result<()> {
        while let Some(b'\n' | b'\r') = self.input.rest()?.first() {
            self.take_line_end()?;
        }
        Ok(())
    }

    /// Passes over a line end, of which `\r\n` is one.
    fn take_line_end(&mut self) -> Result<()> {
        let is_return = self.input.buffered().first() == Some(&b'\r');
        self.input.take(1);
        self.next_line += 1;
        if is_return && self.input.rest()?.first() == Some(&b'\n') {
            self.input.take(1);
        }
        Ok(())
    }

    /// Takes bytes of the present record up to the next one that changes the state; whether the record has ended.
    fn advance(&mut self, state: &mut State) -> Result<bool> {
        let input = self.input.buffered();
        let (first, delimiter) = (input.first().copied().unwrap_or(b'\n'), self.delimiter);
        let is_end = first == b'\n' || first == b'\r';
        let is_blank = (first == b' ' || first == b'\t') && first != delimiter;
        let (length, next) = match *state {
            State::Quoted => {
                let quote = input.iter().position(|byte| *byte == b'"');
                let part = &input[..quote.unwrap_or(input.len())];
                self.has_line_end |= part.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
                self.fields.extend_from_slice(part);
                (part.len() + usize::from(quote.is_some()), quote.map_or(State::Quoted, |_| State::Quote))
            }
            State::Quote if first == b'"' => {
                self.fields.push(b'"');
                (1, State::Quoted)
            }
            _ if first == delimiter => {
                self.end_field()?;
                (1, State::Start)
            }
            _ if is_end => {
                self.end_field()?;
                return self.take_line_end().map(|()| true);
            }
            State::Start if first == b'"' => {
                // Blanks before a quoted field are none of it.
                self.fields.truncate(self.ends.last().copied().unwrap_or(0));
                (1, State::Quoted)
            }
            State::Quote | State::Closed if is_blank => (1, State::Closed),
            State::Quote | State::Closed => return Err(self.behind_quote()),
            State::Start if is_blank => {
                self.fields.push(first);
                (1, State::Start)
            }
            State::Start | State::Plain => {
                let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r');
                let length = input.iter().position(ends).unwrap_or(input.len());
                self.fields.extend_from_slice(&input[..length]);
                (length, State::Plain)
            }
        };
        self.input.take(length);
        *state = next;
        Ok(false)
    }

    /// Ends the present field.
    fn end_field(&mut self) -> Result<()> {
        if self.ends.len() >= self.most_fields {
            let problem = LoadErrorKind::TooLarge {
                what: "columns",
                limit: self.most_fields as u64,
                option: "max_columns",
            };
            return Err(problem.in_file(&self.path().display().to_string()));
        }
        self.ends.push(self.fields.len());
        Ok(())
    }

    /// Counts the line ends in the fields of the present record, as far as they are known.
    fn count_lines(&mut self) -> usize {
        if !self.has_line_end {
            return 0;
        }
        let (mut start, mut lines) = (0, 0);
        self.lines_before = vec![0];
        for end in &self.ends {
            lines += line_ends(&self.fields[start..*end]);
            self.lines_before.push(lines);
            start = *end;
        }
        lines
    }

    /// The last record, which may end without a line end; whether there is one.
    fn end_of_file(&mut self, state: State, n_bytes: u64) -> Result<bool> {
        if state == State::Quoted {
            return Err(self.open_quote("a closing quote before the end of the file"));
        }
        if n_bytes == 0 {
            return Ok(false);
        }
        self.end_field()?;
        self.next_line += self.count_lines();
        Ok(true)
    }

    fn open_quote(&mut self, expected: &str) -> Error {
        self.count_lines();
        let start = self.ends.last().copied().unwrap_or(0);
        let text = String::from_utf8_lossy(&self.fields[start..]);
        let hint = "close the quote, or double it where it is part of the text (\"\")";
        self.refuse(self.len(), expected, format!("the open quote {}", quoted(&text)), hint)
    }

    fn behind_quote(&mut self) -> Error {
        self.count_lines();
        let start = self.ends.last().copied().unwrap_or(0);
        let behind = self.input.buffered();
        let length = behind.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(behind.len());
        let (field, behind) = (&self.fields[start..], &behind[..length.min(64)]);
        let (field, behind) = (String::from_utf8_lossy(field), String::from_utf8_lossy(behind));
        let expected = format!("{:?} or a line end behind the closing quote", char::from(self.delimiter));
        let got = format!("{} behind {}", quoted(&behind), quoted(&field));
        self.refuse(self.len(), expected, got, "double a quote that is part of the text (\"\")")
    }

    /// The error of a record that is longer than allowed.
    fn too_long(&mut self, state: State) -> Error {
        if state == State::Quoted {
            let limit = self.most_bytes;
            return self.open_quote(&format!(
                "a closing quote within {limit} bytes (max_record_bytes of ReadLimits)"
            ));
        }
        let problem = LoadErrorKind::TooLarge {
            what: "bytes in one row",
            limit: self.most_bytes as u64,
            option: "max_record_bytes",
        };
        problem.in_file(&format!("{}, line {}", self.path().display(), self.line))
    }
}

/// How many line ends a field holds, of which `\r\n` is one.
fn line_ends(field: &[u8]) -> usize {
    let after = field.iter().skip(1).copied().chain([0]);
    let ends = |(byte, after): &(&u8, u8)| **byte == b'\n' || (**byte == b'\r' && *after != b'\n');
    field.iter().zip(after).filter(ends).count()
}
