//! Files of data, compressed or not.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

/// A file's bytes, unpacked where it is compressed with gzip, and how many there are where that is known.
pub(super) fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    let refuse = |source| Error::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(refuse)?;
    let length = file.metadata().map_err(refuse)?.len();
    let mut head = Vec::with_capacity(2);
    file.by_ref().take(2).read_to_end(&mut head).map_err(refuse)?;
    let is_gzip = head == [0x1f, 0x8b];
    let whole = Cursor::new(head).chain(file);
    if is_gzip {
        return Ok((unpacked(path, whole)?, None));
    }
    Ok((Box::new(BufReader::with_capacity(1 << 16, whole)), Some(length)))
}

#[cfg(feature = "gzip")]
#[allow(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn unpacked(_: &Path, packed: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
    Ok(Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, packed))))
}

#[cfg(not(feature = "gzip"))]
fn unpacked(path: &Path, _: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
    Err(Error::Parse {
        source_name: path.display().to_string(),
        line: 1,
        column: 1,
        expected: "an uncompressed file, or axonal built with the feature gzip".into(),
        got: "gzip".into(),
    })
}
