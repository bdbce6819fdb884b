//! A file in the making: the structure and the numbers, ready to be written any number of times.

use super::atomic;
use super::crc::{Crc, crc32};
use super::frame::{Content, FORMAT, Header};
use super::numbers::Tensor;
use super::structured::encode;
use crate::error::{Error, Result};
use crate::float::Float;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// The crate and its version, as files name it.
pub(super) const WRITER: &str = concat!("axonal ", env!("CARGO_PKG_VERSION"));

/// A file in memory, but for the numbers, which it borrows.
pub(super) struct Draft<'a, F> {
    content: Content,
    structure: Vec<u8>,
    tensors: Vec<Tensor<'a, F>>,
}

impl<'a, F: Float> Draft<'a, F> {
    pub(super) fn new(content: Content) -> Self {
        Self { content, structure: Vec::new(), tensors: Vec::new() }
    }

    /// Appends a record to the structure.
    pub(super) fn record<T: Serialize>(&mut self, record: &T) -> Result<()> {
        encode(record, &mut self.structure).map_err(|problem| problem.in_file("the structure"))
    }

    /// Appends tensors, with their records, after all other records.
    pub(super) fn tensors(&mut self, tensors: Vec<Tensor<'a, F>>) -> Result<()> {
        for tensor in &tensors {
            tensor.check()?;
            self.record(&tensor.record())?;
        }
        self.tensors = tensors;
        Ok(())
    }

    /// Replaces the file at `path`, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let header = self.header()?;
        atomic::replace(path, |out| self.write(&header, out))
    }

    /// Writes the file to `out`, and flushes it.
    pub(super) fn save_to(&self, out: &mut dyn Write) -> Result<()> {
        let header = self.header()?;
        let written = self.write(&header, out).and_then(|()| out.flush());
        written.map_err(|source| Error::Save { path: "the writer".into(), action: "write", source })
    }

    fn write(&self, header: &Header, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&header.to_bytes())?;
        out.write_all(&self.structure)?;
        let padding = (64 - self.structure.len() % 64) % 64;
        out.write_all(&[0; 64][..padding])?;
        self.tensors.iter().try_for_each(|tensor| tensor.write(out))
    }

    /// The header, with the checksums of all that follows it.
    fn header(&self) -> Result<Header> {
        let mut sum = Sum { crc: Crc::new(), len: 0 };
        let summed = self.tensors.iter().try_for_each(|tensor| tensor.write(&mut sum));
        summed.map_err(|source| Error::Save { path: "the writer".into(), action: "sum up", source })?;
        Ok(Header {
            format: FORMAT,
            content: self.content,
            structure_len: self.structure.len() as u64,
            numbers_len: sum.len,
            structure_crc: crc32(&self.structure),
            numbers_crc: sum.crc.value(),
        })
    }
}

/// Takes the length and the checksum of what is written to it.
struct Sum {
    crc: Crc,
    len: u64,
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc.update(bytes);
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
