//! The bytes of a file, read at any place within its length.

use super::cursor::{Cursor, malformed};
use crate::error::LoadErrorKind;
use crate::interop::keras::problem::Read;
use std::io::{self, ErrorKind, Read as Input, Seek, SeekFrom};

/// A file, or a part of one, of known length.
pub(in crate::interop::keras) struct Source<R> {
    bytes: R,
    start: u64,
    len: u64,
    /// The bytes of metadata that have been read.
    metadata_read: u64,
    /// The error of the system, if reading failed for another reason than what the file holds.
    failure: Option<io::Error>,
}

/// Bytes of a file, with their address.
#[derive(Debug, Clone)]
pub(super) struct Block {
    start: u64,
    bytes: Vec<u8>,
}

impl Block {
    pub(super) fn new(start: u64, bytes: Vec<u8>) -> Self {
        Self { start, bytes }
    }

    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(&self.bytes, self.start)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }
}

/// The most bytes of one block of metadata: far more than the header of a model with thousands of layers has.
const MAX_BLOCK: u64 = 64 << 20;

/// How often the bytes of a file may be read as metadata. Each path is searched from the root, so the groups near it are
/// read once per layer; without a bound, a file that lists a path or a text of a heap many thousand times would take a time
/// that grows with the square of its length.
const MAX_READS: u64 = 256;
/// The bytes of metadata that may be read of any file, in addition.
const MIN_METADATA: u64 = 64 << 20;
/// What reading a block costs beside its length, in bytes.
const BLOCK_COST: u64 = 128;

impl<R: Input + Seek> Source<R> {
    /// What lies in `len` bytes from `start`.
    pub(super) fn new(bytes: R, start: u64, len: u64) -> Self {
        Self { bytes, start, len, metadata_read: 0, failure: None }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The error of the system that reading failed with, if any.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Reads bytes at an address.
    pub(super) fn read_at(&mut self, address: u64, bytes: &mut [u8]) -> Read<()> {
        let end = address.checked_add(bytes.len() as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            let expected = format!("{} bytes within the {} of the file", bytes.len(), self.len);
            return Err(malformed(address, expected, "the end"));
        }
        let read = self.bytes.seek(SeekFrom::Start(self.start + address));
        read.and_then(|_| self.bytes.read_exact(bytes)).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return malformed(address, "bytes within the file", "its end: it became shorter");
            }
            let got = error.to_string();
            self.failure = Some(error);
            malformed(address, "bytes that can be read", got)
        })
    }

    /// A block of metadata.
    pub(super) fn block(&mut self, address: u64, len: u64) -> Read<Block> {
        if len > MAX_BLOCK || len > self.len {
            let limit = MAX_BLOCK.min(self.len);
            return Err(LoadErrorKind::Limit {
                what: "bytes of a block of metadata".into(),
                value: len,
                limit,
            });
        }
        self.metadata_read += len + BLOCK_COST;
        let limit = self.len.saturating_mul(MAX_READS).saturating_add(MIN_METADATA);
        if self.metadata_read > limit {
            let what = "bytes of metadata, read again for each path and text".into();
            return Err(LoadErrorKind::Limit { what, value: self.metadata_read, limit });
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        self.read_at(address, &mut bytes)?;
        Ok(Block { start: address, bytes })
    }
}
