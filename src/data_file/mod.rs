//! Bounded reading of data files: regular files, pipes, devices, and what is compressed with gzip.

#[cfg(any(feature = "npz", feature = "keras"))]
mod archive;
mod bounded;
mod format;
mod limits;
mod source;

#[cfg(any(feature = "npz", feature = "keras"))]
pub(crate) use archive::{ArchiveProblem, open_archive};
pub(crate) use bounded::Bounded;
pub(crate) use format::{check_text, describe};
pub use limits::ReadLimits;
pub(crate) use source::open;
#[cfg(feature = "npz")]
pub(crate) use source::open_raw;

use crate::error::{Error, LoadErrorKind};
use std::io;
use std::path::Path;

/// The error of a failed read; one that ran into a limit names the limit.
pub(crate) fn failed(path: &Path, source: io::Error) -> Error {
    match source.downcast::<bounded::Exceeded>() {
        Ok(bounded::Exceeded { limit, option }) => {
            LoadErrorKind::TooLarge { what: "bytes", limit, option }.in_file(&path.display().to_string())
        }
        Err(source) => Error::Io { path: path.into(), source },
    }
}
