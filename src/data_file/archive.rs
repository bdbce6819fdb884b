//! ZIP archives: what `.npz` and `.keras` files are.

use std::io::{self, Read, Seek};
use zip::ZipArchive;
use zip::result::ZipError;

/// Why an archive cannot be read.
#[derive(Debug)]
pub(crate) enum ArchiveProblem {
    /// The system refused.
    Io(io::Error),
    /// The archive is damaged, or uses what is not supported.
    Damaged(String),
}

impl From<ZipError> for ArchiveProblem {
    fn from(problem: ZipError) -> Self {
        match problem {
            ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => Self::Io(source),
            problem => Self::Damaged(problem.to_string()),
        }
    }
}

/// Reads the table of contents of an archive.
pub(crate) fn open_archive<R: Read + Seek>(reader: R) -> Result<ZipArchive<R>, ArchiveProblem> {
    Ok(ZipArchive::new(reader)?)
}
