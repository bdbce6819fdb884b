//! The frame of a file: what it is, how long its parts are, and their checksums.
//!
//! | bytes | what (numbers are little-endian) |
//! |---|---|
//! | 0–7 | `89 41 58 4e 0d 0a 1a 0a`: finds other files, and ours where a text-mode transfer has changed them |
//! | 8–9 | format; a reader refuses later ones |
//! | 10–11 | revision of the format, for additions that older readers may ignore |
//! | 12–15 | content: 1 model, 2 weights, 3 estimator, 4 checkpoint |
//! | 16–23 | length of the file |
//! | 24–31 | length of the structure |
//! | 32–39 | length of the numbers |
//! | 40–43 | CRC-32 of the structure |
//! | 44–47 | CRC-32 of the numbers |
//! | 48–59 | 0 |
//! | 60–63 | CRC-32 of bytes 0–59 |
//! | 64– | the structure, then zeros up to a multiple of 64, then the numbers, to the end of the file |

use super::Checked;
use super::crc::crc32;
use super::limits::Limits;
use crate::error::LoadErrorKind;

pub(super) const MAGIC: [u8; 8] = [0x89, b'A', b'X', b'N', b'\r', b'\n', 0x1a, b'\n'];
pub(super) const FORMAT: u16 = 1;
pub(super) const HEADER_LEN: usize = 64;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A compiled model with everything that it trains with.
    Model,
    /// The weights of a model.
    Weights,
    /// A k-means or a transformer of data.
    Estimator,
    /// A training run at one moment.
    Checkpoint,
    /// A compiled model with named layers, branches, or several inputs or outputs.
    Graph,
}

impl Content {
    const ALL: [(Self, u32, &'static str); 5] = [
        (Self::Model, 1, "a model"),
        (Self::Weights, 2, "weights"),
        (Self::Estimator, 3, "an estimator"),
        (Self::Checkpoint, 4, "a checkpoint"),
        (Self::Graph, 5, "a graph model"),
    ];

    /// The contents that are models.
    pub(super) const MODELS: [Self; 2] = [Self::Model, Self::Graph];

    fn code(self) -> u32 {
        Self::ALL.iter().find(|(content, ..)| *content == self).map_or(0, |(_, code, _)| *code)
    }

    /// "a model", "weights", "an estimator", "a checkpoint".
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(content, ..)| *content == self).map_or("", |(.., name)| name)
    }
}

/// The first 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u16,
    pub(super) content: Content,
    pub(super) structure_len: u64,
    pub(super) numbers_len: u64,
    pub(super) structure_crc: u32,
    pub(super) numbers_crc: u32,
}

impl Header {
    /// Where the numbers begin.
    pub(super) fn numbers_offset(&self) -> u64 {
        let end = (HEADER_LEN as u64).saturating_add(self.structure_len);
        end.checked_next_multiple_of(64).unwrap_or(u64::MAX)
    }

    pub(super) fn file_len(&self) -> u64 {
        self.numbers_offset().saturating_add(self.numbers_len)
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &MAGIC);
        put(8, &self.format.to_le_bytes());
        put(12, &self.content.code().to_le_bytes());
        put(16, &self.file_len().to_le_bytes());
        put(24, &self.structure_len.to_le_bytes());
        put(32, &self.numbers_len.to_le_bytes());
        put(40, &self.structure_crc.to_le_bytes());
        put(44, &self.numbers_crc.to_le_bytes());
        let crc = crc32(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Checks everything that a header can tell; `len` is the length of the whole file, and `bytes` as much of
    /// its first 64 as there are.
    pub(super) fn parse(bytes: &[u8], len: u64, limits: &Limits) -> Checked<Self> {
        let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        if !MAGIC.starts_with(magic) || magic.is_empty() {
            return Err(LoadErrorKind::not_ours(bytes));
        }
        let Ok(bytes) = <&[u8; HEADER_LEN]>::try_from(bytes) else {
            return Err(LoadErrorKind::Truncated { expected: HEADER_LEN as u64, got: len });
        };
        let format = u16::from_le_bytes(part(bytes, 8));
        if format == 0 || format > FORMAT {
            return Err(LoadErrorKind::Version { found: format, supported: FORMAT });
        }
        let (stored, computed) = (u32::from_le_bytes(part(bytes, 60)), crc32(&bytes[..60]));
        if stored != computed {
            return Err(LoadErrorKind::Checksum { section: "header", offset: 0, stored, computed });
        }
        if bytes[48..60] != [0; 12] {
            let expected =
                "zeros (a part that this version does not know is in use; upgrade the crate)".into();
            return Err(LoadErrorKind::Malformed {
                offset: 48,
                expected,
                got: format!("{:02x?}", &bytes[48..60]),
            });
        }
        let code = u32::from_le_bytes(part(bytes, 12));
        let Some((content, ..)) = Content::ALL.iter().find(|(_, known, _)| *known == code) else {
            let expected = "a content of 1 to 4".into();
            return Err(LoadErrorKind::Malformed { offset: 12, expected, got: code.to_string() });
        };
        let header = Self {
            format,
            content: *content,
            structure_len: u64::from_le_bytes(part(bytes, 24)),
            numbers_len: u64::from_le_bytes(part(bytes, 32)),
            structure_crc: u32::from_le_bytes(part(bytes, 40)),
            numbers_crc: u32::from_le_bytes(part(bytes, 44)),
        };
        header.check_lengths(u64::from_le_bytes(part(bytes, 16)), len, limits)?;
        Ok(header)
    }

    fn check_lengths(&self, stated: u64, len: u64, limits: &Limits) -> Checked<()> {
        if stated > len {
            return Err(LoadErrorKind::Truncated { expected: stated, got: len });
        }
        if stated < len {
            return Err(LoadErrorKind::Trailing { end: stated, extra: len - stated });
        }
        if self.structure_len > limits.max_structure_bytes {
            return Err(LoadErrorKind::Limit {
                what: "bytes of structure".into(),
                value: self.structure_len,
                limit: limits.max_structure_bytes,
            });
        }
        if self.file_len() != stated {
            let expected = format!("parts that make up the file's {stated} bytes");
            return Err(LoadErrorKind::Malformed { offset: 16, expected, got: self.file_len().to_string() });
        }
        Ok(())
    }
}

/// The `N` bytes at `at`.
fn part<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.iter_mut().zip(bytes.iter().skip(at)).for_each(|(to, from)| *to = *from);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            format: FORMAT,
            content: Content::Weights,
            structure_len: 70,
            numbers_len: 8,
            structure_crc: 1,
            numbers_crc: 2,
        }
    }

    fn parse(bytes: &[u8], len: u64) -> Checked<Header> {
        Header::parse(bytes, len, &Limits::default())
    }

    #[test]
    fn a_header_comes_back() {
        assert_eq!(header().numbers_offset(), 192);
        assert_eq!(parse(&header().to_bytes(), 200).unwrap(), header());
    }

    #[test]
    fn other_files_are_told_from_ours() {
        for other in [&b""[..], b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\x89AXN\n\x1a\n", b"\x89HDF\r\n\x1a\n"]
        {
            assert!(matches!(parse(other, 100), Err(LoadErrorKind::NotOurs { .. })), "{other:?}");
        }
        assert!(matches!(parse(&MAGIC[..3], 3), Err(LoadErrorKind::Truncated { expected: 64, got: 3 })));
    }

    #[test]
    fn lengths_must_agree() {
        let bytes = header().to_bytes();
        assert!(matches!(parse(&bytes, 199), Err(LoadErrorKind::Truncated { expected: 200, got: 199 })));
        assert!(matches!(parse(&bytes, 300), Err(LoadErrorKind::Trailing { end: 200, extra: 100 })));
        for (structure_len, numbers_len) in [(u64::MAX, 0), (0, u64::MAX), (u64::MAX / 2, u64::MAX / 2)] {
            let bytes = Header { structure_len, numbers_len, ..header() }.to_bytes();
            assert!(parse(&bytes, 200).is_err(), "{structure_len} {numbers_len}");
        }
    }

    #[test]
    fn a_later_format_is_named() {
        let bytes = Header { format: 2, ..header() }.to_bytes();
        assert!(matches!(parse(&bytes, 200), Err(LoadErrorKind::Version { found: 2, supported: 1 })));
    }
}
