//! Little-endian fields in a block of bytes.

use crate::error::LoadErrorKind;
use crate::interop::keras::problem::Read;

/// A block of a file, read from its beginning; `start` is its address, for messages.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    start: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], start: u64) -> Self {
        Self { bytes, at: 0, start }
    }

    /// The address of the next field.
    pub(super) fn address(&self) -> u64 {
        self.start.saturating_add(self.at as u64)
    }

    /// The number of bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next bytes.
    pub(super) fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.get(..len) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(malformed(self.address(), format!("{len} more bytes"), rest.len().to_string())),
        }
    }

    pub(super) fn skip(&mut self, len: usize) -> Read<()> {
        self.take(len).map(drop)
    }

    fn number(&mut self, len: usize) -> Read<u64> {
        let bytes = self.take(len)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        Ok(self.number(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Read<usize> {
        Ok(self.number(2)? as usize)
    }

    pub(super) fn u32(&mut self) -> Read<u64> {
        self.number(4)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        self.number(8)
    }

    /// Requires these bytes next.
    pub(super) fn expect(&mut self, what: &str, wanted: &[u8]) -> Read<()> {
        let address = self.address();
        let found = self.take(wanted.len())?;
        if found == wanted {
            return Ok(());
        }
        Err(malformed(address, format!("{what} {wanted:02x?}"), format!("{found:02x?}")))
    }
}

/// The error of a place in the file.
pub(super) fn malformed(offset: u64, expected: impl Into<String>, got: impl Into<String>) -> LoadErrorKind {
    LoadErrorKind::Malformed { offset, expected: expected.into(), got: got.into() }
}
