//! A text file that grows by a line an epoch.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

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

impl LogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, append: false, file: None, len: None }
    }

    pub(super) fn append(&mut self, append: bool) {
        self.append = append;
    }

    /// Opens the file, so that a path that cannot be written to is known before the first batch.
    pub(super) fn open(&mut self) -> Result<()> {
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&self.path);
        self.file = Some(opened.map_err(|source| self.refused(source))?);
        self.len = None;
        Ok(())
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
                    // Also what a run that was killed has written after the checkpoint that this one goes on from.
                    file.set_len(len)?;
                    file.seek(SeekFrom::Start(len))?
                }
                None => file.seek(SeekFrom::End(0))?,
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

    /// Goes on behind the first `len` bytes.
    pub(super) fn go_on(&mut self, len: Option<u64>) {
        self.len = len;
    }

    fn refused(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}
