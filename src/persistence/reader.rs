//! A file that is being read: its name, its length, its header and its structure.

use super::Checked;
use super::crc::crc32;
use super::header::{Content, HEADER_LEN, Header};
use super::limits::{Limits, most_values, values_of};
use super::tensor_data::{Bytes, Numbers};
use crate::error::{Error, LoadErrorKind, Result, file_type};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// What a file is read from. Bytes in memory are lent, so that their structure is there once.
pub(crate) trait Input<'a>: Read {
    /// The next bytes, if they are in memory and as many as that.
    fn lend(&mut self, len: usize) -> Option<&'a [u8]> {
        let _ = len;
        None
    }
}

impl<'a> Input<'a> for File {}

impl<'a, R: Read> Input<'a> for &mut Bytes<'_, R> {}

impl<'a> Input<'a> for &'a [u8] {
    fn lend(&mut self, len: usize) -> Option<&'a [u8]> {
        let (lent, rest) = self.split_at_checked(len)?;
        *self = rest;
        Some(lent)
    }
}

impl<'a> Input<'a> for Box<dyn Input<'a> + 'a> {
    fn lend(&mut self, len: usize) -> Option<&'a [u8]> {
        (**self).lend(len)
    }
}

/// What is read from: bytes of known length with a name.
pub(crate) struct Source<R> {
    name: String,
    reader: R,
    len: u64,
}

/// Opens a regular file and returns its length; anything else (a directory, a device, a pipe) is refused before it can block.
pub(crate) fn open_regular(path: &Path, limits: &Limits) -> Result<(File, u64)> {
    let refused = |source| Error::Io { path: path.into(), source };
    let regular = |found: &fs::Metadata| {
        if found.is_file() {
            return Ok(());
        }
        let problem = format!("expected a regular file, found {}", file_type(found));
        Err(refused(io::Error::other(problem)))
    };
    regular(&fs::metadata(path).map_err(refused)?)?;
    let file = File::open(path).map_err(refused)?;
    let found = file.metadata().map_err(refused)?;
    regular(&found)?;
    limits.check_file_len(found.len()).map_err(|problem| problem.in_file(&path.display().to_string()))?;
    Ok((file, found.len()))
}

impl Source<File> {
    /// A regular file, see [`open_regular`].
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let (reader, len) = open_regular(path, limits)?;
        Ok(Self { name: path.display().to_string(), reader, len })
    }

    /// The file's name, the file and its length.
    #[cfg(feature = "keras")]
    pub(crate) fn into_parts(self) -> (String, File, u64) {
        (self.name, self.reader, self.len)
    }
}

impl<'a> Source<&'a [u8]> {
    /// Bytes in memory.
    pub(super) fn bytes(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        let len = bytes.len() as u64;
        limits.check_file_len(len).map_err(|problem| problem.in_file("bytes"))?;
        Ok(Self { name: "bytes".into(), reader: bytes, len })
    }
}

impl<'a, R: Input<'a>> Source<R> {
    /// A part of a file that is being read, of this length.
    pub(super) fn part(name: String, reader: R, len: u64) -> Self {
        Self { name, reader, len }
    }

    /// The same through a reader of any type.
    pub(super) fn any(self) -> Source<Box<dyn Input<'a> + 'a>>
    where
        R: 'a,
    {
        Source { name: self.name, reader: Box::new(self.reader), len: self.len }
    }

    /// Reads and checks the header and the structure; what the file holds must be one of `expected`.
    pub(super) fn structure(mut self, expected: &[Content], limits: &Limits) -> Result<OpenFile<'a, R>> {
        let name = std::mem::take(&mut self.name);
        let mut first = Vec::with_capacity(HEADER_LEN);
        let reading = (&mut self.reader).take(HEADER_LEN as u64).read_to_end(&mut first);
        reading.map_err(|source| Error::Io { path: name.clone().into(), source })?;
        let header = Header::parse(&first, self.len, limits).map_err(|problem| problem.in_file(&name))?;
        let mut opened = OpenFile { name, header, structure: Cow::default(), reader: self.reader };
        opened.require(expected)?;
        opened.read_structure(self.len)?;
        Ok(opened)
    }
}

/// A file whose header and structure are sound; the numbers come next.
pub(super) struct OpenFile<'a, R> {
    pub(super) name: String,
    pub(super) header: Header,
    pub(super) structure: Cow<'a, [u8]>,
    reader: R,
}

impl<'a, R: Input<'a>> OpenFile<'a, R> {
    /// Refuses a file that holds nothing of what is `expected`.
    pub(super) fn require(&self, expected: &[Content]) -> Result<()> {
        if expected.contains(&self.header.content) {
            return Ok(());
        }
        let names: Vec<_> = expected.iter().map(|content| content.name()).collect();
        let found = self.header.content.name().into();
        Err(LoadErrorKind::Content { expected: names.join(" or "), found }.in_file(&self.name))
    }

    fn read_structure(&mut self, len: u64) -> Result<()> {
        let padded = self.header.numbers_offset() - HEADER_LEN as u64;
        // The header's lengths add up to the file's, and its structure is within the limit.
        let padded = usize::try_from(padded).unwrap_or(usize::MAX);
        let mut structure = match self.reader.lend(padded) {
            Some(lent) => Cow::Borrowed(lent),
            None => Cow::Owned(self.read_bytes(padded, len)?),
        };
        let end = usize::try_from(self.header.structure_len).unwrap_or(padded).min(padded);
        if let Some(position) = structure[end..].iter().position(|&byte| byte != 0) {
            let offset = (HEADER_LEN + end + position) as u64;
            let (expected, got) = ("a zero".into(), structure[end + position].to_string());
            return Err(LoadErrorKind::Malformed { offset, expected, got }.in_file(&self.name));
        }
        match &mut structure {
            Cow::Borrowed(lent) => *lent = &lent[..end],
            Cow::Owned(read) => read.truncate(end),
        }
        let (stored, computed) = (self.header.structure_crc, crc32(&structure));
        if stored != computed {
            let problem =
                LoadErrorKind::Checksum { section: "structure", offset: HEADER_LEN as u64, stored, computed };
            return Err(problem.in_file(&self.name));
        }
        let (values, limit) = (values_of(&structure), most_values(self.header.structure_len));
        if values > limit {
            let what = "values in the configurations".into();
            return Err(LoadErrorKind::Limit { what, value: values, limit }.in_file(&self.name));
        }
        self.structure = structure;
        Ok(())
    }

    fn read_bytes(&mut self, wanted: usize, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let refused = |_| Error::OutOfMemory { what: "the structure of a file".into(), bytes: wanted };
        bytes.try_reserve_exact(wanted).map_err(refused)?;
        bytes.resize(wanted, 0);
        self.reader.read_exact(&mut bytes).map_err(|error| failed(&self.name, error, len))?;
        Ok(bytes)
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.header.numbers_offset() + self.header.numbers_len
    }

    /// Reads all numbers by `read`, and checks that they are what was written and the last of the file.
    pub(super) fn numbers(
        &mut self,
        read: impl FnOnce(&mut Numbers<&mut R>) -> io::Result<Checked<()>>,
    ) -> Result<()> {
        let (name, len) = (self.name.clone(), self.len());
        self.parts(|numbers| match read(numbers) {
            Ok(found) => found.map_err(|problem| problem.in_file(&name)),
            Err(error) => Err(failed(&name, error, len)),
        })
    }

    /// As [`numbers`](Self::numbers), where the numbers are files that tell their own problems.
    pub(super) fn parts<T>(&mut self, read: impl FnOnce(&mut Numbers<&mut R>) -> Result<T>) -> Result<T> {
        let mut numbers = Numbers::new(&mut self.reader);
        let found = read(&mut numbers)?;
        let (computed, reader) = numbers.finish();
        let more = reader.read(&mut [0]);
        let stored = self.header.numbers_crc;
        if stored != computed {
            let offset = self.header.numbers_offset();
            let problem = LoadErrorKind::Checksum { section: "numbers", offset, stored, computed };
            return Err(problem.in_file(&self.name));
        }
        match more {
            Ok(0) => Ok(found),
            Ok(extra) => {
                Err(LoadErrorKind::Trailing { end: self.len(), extra: extra as u64 }.in_file(&self.name))
            }
            Err(error) => Err(failed(&self.name, error, self.len())),
        }
    }
}

/// The error of a read that failed, also because the file has become shorter than it was when it was opened.
fn failed(name: &str, error: io::Error, len: u64) -> Error {
    let source = if error.kind() == io::ErrorKind::UnexpectedEof {
        io::Error::new(
            error.kind(),
            format!("expected {len} bytes, and the file became shorter while it was read"),
        )
    } else {
        error
    };
    Error::Io { path: name.into(), source }
}
