//! A file in the making: the structure and the numbers, ready to be written any number of times.

use super::atomic;
use super::crc::{Crc, crc32};
use super::header::{Content, FORMAT, Header};
use super::limits::{Limits, most_values, values_of};
use super::records::{Dims, EstimatorRecord, Recipe, TensorRecord, encode};
use super::tensor_data::{NumberType, Tensor, Values};
use crate::error::{Error, Result};
use crate::log_event::log_event;
use crate::nn::layer::Config;
use crate::preprocessing::Statistics;
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// The crate and its version, as files name it.
pub(super) const WRITER: &str = concat!("axonal ", env!("CARGO_PKG_VERSION"));

/// A file in the making: what [`Persist::encode`](super::Persist::encode) answers with.
///
/// It holds the structure in memory, and borrows the numbers.
pub struct Encoder<'a> {
    content: Content,
    structure: Vec<u8>,
    tensors: Vec<Tensor<'a>>,
}

impl<'a> Encoder<'a> {
    /// An estimator that is its configuration: the fields of `estimator` as JSON, under a name. That of another crate
    /// carries a namespace, as in `"mycrate.log_scale"`.
    ///
    /// # Errors
    /// Fields that JSON cannot hold, such as NaN ([`Error::Unsaveable`]).
    pub fn of<T: Serialize>(kind: &str, estimator: &T) -> Result<Self> {
        Self::estimator(kind, config_of(kind, estimator)?.as_json(), Vec::new())
    }

    /// A transformer whose statistics are numbers of the file.
    pub(super) fn of_statistics<T: Statistics + Serialize>(kind: &str, transformer: &'a T) -> Result<Self> {
        let Some(statistics) = transformer.statistics() else { return Self::of(kind, transformer) };
        let tensors = T::NAMES.iter().zip(statistics).map(|(name, values)| Tensor::flat(*name, values));
        Self::estimator(kind, config_of(kind, &transformer.unfitted())?.as_json(), tensors.collect())
    }

    /// An estimator of a configuration and tensors.
    pub(super) fn estimator(kind: &str, config: &str, tensors: Vec<Tensor<'a>>) -> Result<Self> {
        let mut encoder = Self::new(Content::Estimator);
        let n_tensors = u32::try_from(tensors.len()).unwrap_or(u32::MAX);
        encoder.record(&EstimatorRecord { writer: WRITER, recipe: Recipe { kind, config }, n_tensors })?;
        encoder.tensors(tensors)?;
        Ok(encoder)
    }

    pub(super) fn new(content: Content) -> Self {
        Self { content, structure: Vec::new(), tensors: Vec::new() }
    }

    /// Appends a record to the structure.
    pub(super) fn record<T: Serialize>(&mut self, record: &T) -> Result<()> {
        encode(record, &mut self.structure).map_err(|problem| problem.in_file("the structure"))
    }

    /// Appends tensors, with their records, after all other records.
    pub(super) fn tensors(&mut self, tensors: Vec<Tensor<'a>>) -> Result<()> {
        for Tensor { name, shape, values } in &tensors {
            values.check(name)?;
            self.record(&TensorRecord { name, number: values.number().code(), shape: shape.clone() })?;
        }
        self.tensors = tensors;
        Ok(())
    }

    /// This file as a tensor of another one.
    pub(super) fn within(self, name: impl Into<String>) -> Result<Tensor<'a>> {
        let header = self.header()?;
        let len = usize::try_from(header.file_len()).unwrap_or(usize::MAX);
        let inner = Inner { header, encoder: self };
        Ok(Tensor { name: name.into(), shape: Dims::of(&[len]), values: Box::new(inner) })
    }

    /// Replaces the file at `path`, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let header = self.header()?;
        atomic::replace(path, |out| self.write(&header, out))?;
        log_event!(debug, "saved {}", path.display());
        Ok(())
    }

    /// Writes the file to `out`, and flushes it.
    pub(super) fn save_to(&self, out: &mut dyn Write) -> Result<()> {
        let header = self.header()?;
        let written = self.write(&header, out).and_then(|()| out.flush());
        written.map_err(|source| Error::Save { path: "the writer".into(), action: "write", source })
    }

    /// The file in memory.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.save_to(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, header: &Header, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&header.to_bytes())?;
        out.write_all(&self.structure)?;
        let padding = (64 - self.structure.len() % 64) % 64;
        out.write_all(&[0; 64][..padding])?;
        self.tensors.iter().try_for_each(|tensor| tensor.values.write(out))
    }

    /// The header, with the checksums of all that follows it.
    fn header(&self) -> Result<Header> {
        self.check_size()?;
        let mut sum = Sum { crc: Crc::new(), len: 0 };
        let summed = self.tensors.iter().try_for_each(|tensor| tensor.values.write(&mut sum));
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

    /// Refuses what a load with the default limits would refuse for its size.
    fn check_size(&self) -> Result<()> {
        let len = self.structure.len() as u64;
        if len <= Limits::default().max_structure_bytes && values_of(&self.structure) <= most_values(len) {
            return Ok(());
        }
        Err(Error::Unsaveable {
            what: "the configuration".into(),
            reason: format!("its {len} bytes or their values are more than a load takes"),
            hint: "learn from fewer categories or features".into(),
        })
    }
}

fn config_of<T: Serialize>(kind: &str, estimator: &T) -> Result<Config> {
    Config::of(estimator).ok_or_else(|| Error::Unsaveable {
        what: format!("this {kind}"),
        reason: "its numbers are not finite".into(),
        hint: "set finite ones and fit it again".into(),
    })
}

impl fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.tensors.iter().map(|tensor| &tensor.name).collect();
        f.debug_struct("Encoder").field("content", &self.content).field("tensors", &names).finish()
    }
}

/// A file inside another one.
struct Inner<'a> {
    header: Header,
    encoder: Encoder<'a>,
}

impl Values for Inner<'_> {
    fn number(&self) -> NumberType {
        NumberType::U8
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.encoder.write(&self.header, out)
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
