//! Opening data files and pipes, compressed or not.

use super::bounded::Bounded;
use super::{ReadLimits, failed};
use crate::error::{LoadErrorKind, Result};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// The data of a file, decompressed where they are compressed.
pub(crate) struct Source {
    pub(crate) reader: Bounded<Box<dyn Read + Send>>,
    /// The length of the data, where it is known before they are read.
    pub(crate) len: Option<u64>,
}

/// Opens a regular file, a pipe or a device.
pub(crate) fn open(path: &Path, limits: &ReadLimits) -> Result<Source> {
    let (mut file, len) = open_raw(path, limits)?;
    let mut head = Vec::with_capacity(2);
    file.by_ref().take(2).read_to_end(&mut head).map_err(|source| failed(path, source))?;
    let is_gzip = head == [0x1f, 0x8b];
    let whole = Cursor::new(head);
    let most = limits.max_stream_bytes.max(len.unwrap_or(0));
    let reader = match len {
        _ if is_gzip => {
            let packed = Bounded::new(whole.chain(file), limits.max_file_bytes, "max_file_bytes");
            Bounded::new(decompressed(path, packed)?, most, "max_stream_bytes")
        }
        Some(_) => Bounded::new(boxed(whole.chain(file)), limits.max_file_bytes, "max_file_bytes"),
        None => Bounded::new(boxed(whole.chain(file)), most, "max_stream_bytes"),
    };
    Ok(Source { reader, len: len.filter(|_| !is_gzip) })
}

/// Opens a file as it is; its length is `None` for a pipe or a device. Files of the kernel (`/proc`) say that they are
/// empty, and count as pipes.
pub(crate) fn open_raw(path: &Path, limits: &ReadLimits) -> Result<(File, Option<u64>)> {
    let file = File::open(path).map_err(|source| failed(path, source))?;
    let found = file.metadata().map_err(|source| failed(path, source))?;
    let len = Some(found.len()).filter(|len| found.is_file() && *len > 0);
    if len.is_some_and(|len| len > limits.max_file_bytes) {
        let problem =
            LoadErrorKind::TooLarge { what: "bytes", limit: limits.max_file_bytes, option: "max_file_bytes" };
        return Err(problem.in_file(&path.display().to_string()));
    }
    Ok((file, len))
}

fn boxed(reader: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(std::io::BufReader::with_capacity(1 << 16, reader))
}

#[cfg(feature = "gzip")]
#[allow(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn decompressed(_: &Path, packed: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
    let packed = std::io::BufReader::with_capacity(1 << 16, packed);
    Ok(Box::new(flate2::bufread::MultiGzDecoder::new(packed)))
}

#[cfg(not(feature = "gzip"))]
fn decompressed(path: &Path, _: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
    let problem = LoadErrorKind::Format {
        expected: "uncompressed data".into(),
        got: "gzip-compressed data".into(),
        hint: "enable the feature gzip of axonal, or decompress the file".into(),
    };
    Err(problem.in_file(&path.display().to_string()))
}
