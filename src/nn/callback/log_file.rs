//! A text file that grows by a line an epoch.

use super::create_folder_of;
use crate::error::{Error, Result, file_type};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A file of lines. What an earlier run has left there is replaced with the first line, or kept in front.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogFile {
    path: PathBuf,
    append: bool,
    #[serde(skip)]
    file: Option<File>,
    /// How long the file is up to here; `None`: nothing of this run is in it yet.
    #[serde(skip)]
    len: Option<u64>,
}

/// A copy has the settings alone: it opens the file itself.
impl Clone for LogFile {
    fn clone(&self) -> Self {
        Self { path: self.path.clone(), append: self.append, file: None, len: None }
    }
}

impl LogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, append: false, file: None, len: None }
    }

    pub(super) fn append(&mut self, append: bool) {
        self.append = append;
    }

    /// Opens the file and creates its folder, so that a path that cannot be written to is an error before the first batch.
    ///
    /// A file that is appended to must begin with the line `header`: another first line is answered.
    pub(super) fn open(&mut self, header: Option<&str>) -> Result<Option<String>> {
        create_folder_of(&self.path)?;
        // A pipe would block, and fail at the first line.
        if let Ok(found) = fs::metadata(&self.path)
            && !found.is_file()
        {
            let problem = format!("expected a regular file, found {}", file_type(&found));
            return Err(self.refused(io::Error::other(problem)));
        }
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&self.path);
        let mut file = opened.map_err(|source| self.refused(source))?;
        self.len = None;
        let other = match header.filter(|_| self.append) {
            Some(header) => other_header(&mut file, header).map_err(|source| self.refused(source))?,
            None => None,
        };
        self.file = Some(file);
        Ok(other)
    }

    /// Writes a line at the end; `header` comes before the first line of an empty file.
    pub(super) fn write(&mut self, header: Option<&str>, line: &str) -> Result<()> {
        let begin = match (self.len, self.append) {
            (Some(len), _) => Some(len),
            (None, true) => None,
            (None, false) => Some(0),
        };
        let Some(file) = &mut self.file else { return Ok(()) };
        let write = |file: &mut File| {
            let at = match begin {
                Some(len) => {
                    // Also what a run that was killed has written after the checkpoint that this one resumes from.
                    file.set_len(len)?;
                    file.seek(SeekFrom::Start(len))?
                }
                None => end_of_lines(file)?,
            };
            let header = header.filter(|_| at == 0).map(|header| format!("{header}\n")).unwrap_or_default();
            let text = format!("{header}{line}\n");
            file.write_all(text.as_bytes())?;
            Ok(at + text.len() as u64)
        };
        let written = write(file);
        self.len = Some(written.map_err(|source| self.refused(source))?);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// How long the file is, for a checkpoint.
    pub(super) fn len(&self) -> Option<u64> {
        self.len
    }

    /// Continues after the first `len` bytes.
    pub(super) fn go_on(&mut self, len: Option<u64>) {
        self.len = len;
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn refused(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}

/// The most bytes that are read of a first line, for a message.
const LONGEST_HEADER: u64 = 1024;

/// The first line of a file that has another one than `header`; `None` for an empty file.
fn other_header(file: &mut File, header: &str) -> io::Result<Option<String>> {
    let mut begin = Vec::new();
    (&mut *file).take(header.len() as u64 + 2).read_to_end(&mut begin)?;
    let same = begin.strip_prefix(header.as_bytes());
    if begin.is_empty() || same.is_some_and(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n")) {
        return Ok(None);
    }
    file.take(LONGEST_HEADER).read_to_end(&mut begin)?;
    let text = String::from_utf8_lossy(&begin);
    Ok(Some(text.lines().next().unwrap_or_default().to_string()))
}

/// Goes to the end of the file, and ends a last line that a killed process has left unfinished.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let Some(last) = end.checked_sub(1) else { return Ok(0) };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    if byte == *b"\n" {
        return Ok(end);
    }
    file.write_all(b"\n")?;
    Ok(end + 1)
}
