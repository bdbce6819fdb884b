//! TensorBoard's event files: records of TensorFlow (TFRecord), each an `Event` message.
//!
//! A record is its length (8 bytes), the masked checksum of the length (4), the message, the masked checksum of the message (4).
//! The checksum is CRC-32C (Castagnoli). Both formats are a few lines, fewer than the tables of a dependency.

use super::protobuf::Message;
use crate::error::{Error, Result};
use crate::host;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0x82f6_3b78 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// CRC-32C of bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ TABLE[usize::from(low ^ byte)]
    })
}

/// The checksum as TFRecord masks it, so that a checksum of data that contain checksums does not degenerate.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Seconds since 1970.
pub(super) fn wall_time() -> f64 {
    host::unix_time().as_secs_f64()
}

/// An event file that is being written.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    out: BufWriter<File>,
}

/// Tells files apart that one process opens in one second.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl EventFile {
    /// Creates a file of a new name in a folder that exists.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let (seconds, process) = (wall_time(), host::process_id());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("events.out.tfevents.{seconds:010.0}.axonal.{process}.{number}.v2"));
        let opened = OpenOptions::new().create_new(true).write(true).open(&path);
        let file = opened.map_err(|source| Error::Save { path: path.clone(), action: "create", source })?;
        let mut file = Self { path, out: BufWriter::new(file) };
        file.write(&Message::default().double(1, seconds).bytes(3, b"brain.Event:2").into_bytes())?;
        file.flush()?;
        Ok(file)
    }

    /// Appends an event with values at a step.
    pub(super) fn add(&mut self, step: u64, values: &[Message]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let summary = values.iter().fold(Message::default(), |summary, value| summary.message(1, value));
        let event = Message::default().double(1, wall_time()).integer(2, step).message(5, &summary);
        self.write(&event.into_bytes())
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|source| self.refused(source))
    }

    fn write(&mut self, message: &[u8]) -> Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let parts: [&[u8]; 4] =
            [&length, &masked(&length).to_le_bytes(), message, &masked(message).to_le_bytes()];
        parts.iter().try_for_each(|part| self.out.write_all(part)).map_err(|source| self.refused(source))
    }

    fn refused(&self, source: io::Error) -> Error {
        Error::Save { path: self.path.clone(), action: "write to", source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32/ISCSI, and RFC 3720, B.4.
    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }
}
