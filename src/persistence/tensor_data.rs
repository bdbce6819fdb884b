//! The raw part of a file: numbers, little-endian, one tensor behind the other.

use super::Checked;
use super::crc::Crc;
use super::records::Dims;
use crate::error::{Error, LoadErrorKind, Result};
use crate::float::Float;
use std::borrow::Cow;
use std::io::{self, Read, Write};

/// The bytes that are converted at a time.
const CHUNK: usize = 64 << 10;

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberType {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 64-bit unsigned whole numbers.
    U64,
    /// Bytes: a file within the file.
    U8,
}

impl NumberType {
    pub(super) fn of<F: Float>() -> Self {
        if F::NAME == "f32" { Self::F32 } else { Self::F64 }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::F32 => 0,
            Self::F64 => 1,
            Self::U64 => 2,
            Self::U8 => 3,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::F32, Self::F64, Self::U64, Self::U8].into_iter().find(|number| number.code() == code)
    }

    /// "f32", "f64", "u64", "u8".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::U64 => "u64",
            Self::U8 => "u8",
        }
    }

    /// The bytes of one number.
    #[must_use]
    pub fn width(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::F32 => 4,
            Self::F64 | Self::U64 => 8,
        }
    }
}

/// The numbers of a tensor that is to be saved.
pub(super) trait Values {
    fn number(&self) -> NumberType;

    /// Refuses NaN and infinities, which `load` would not take.
    fn check(&self, name: &str) -> Result<()>;

    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl<F: Float> Values for Cow<'_, [F]> {
    fn number(&self) -> NumberType {
        NumberType::of::<F>()
    }

    fn check(&self, name: &str) -> Result<()> {
        check_finite(name, self)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if F::NAME == "f32" {
            #[allow(clippy::cast_possible_truncation, reason = "the number is an f32")]
            return write_chunks(self, out, |value| (value.as_f64() as f32).to_le_bytes());
        }
        write_chunks(self, out, |value| value.as_f64().to_le_bytes())
    }
}

/// Whole numbers.
pub(super) struct Counts(pub(super) Vec<usize>);

impl Values for Counts {
    fn number(&self) -> NumberType {
        NumberType::U64
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_chunks(&self.0, out, |value| (value as u64).to_le_bytes())
    }
}

/// Words of 64 bits.
struct Words(Vec<u64>);

impl Values for Words {
    fn number(&self) -> NumberType {
        NumberType::U64
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_chunks(&self.0, out, u64::to_le_bytes)
    }
}

/// Bytes of text.
struct Text(Vec<u8>);

impl Values for Text {
    fn number(&self) -> NumberType {
        NumberType::U8
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)
    }
}

/// A tensor that is to be saved.
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) shape: Dims,
    pub(super) values: Box<dyn Values + 'a>,
}

impl<'a> Tensor<'a> {
    pub(super) fn floats<F: Float>(
        name: impl Into<String>,
        shape: &[usize],
        values: impl Into<Cow<'a, [F]>>,
    ) -> Self {
        Self { name: name.into(), shape: Dims::of(shape), values: Box::new(values.into()) }
    }

    pub(super) fn counts(name: impl Into<String>, shape: &[usize], values: Vec<usize>) -> Self {
        Self { name: name.into(), shape: Dims::of(shape), values: Box::new(Counts(values)) }
    }

    pub(super) fn words(name: impl Into<String>, shape: &[usize], values: Vec<u64>) -> Self {
        Self { name: name.into(), shape: Dims::of(shape), values: Box::new(Words(values)) }
    }

    pub(super) fn text(name: impl Into<String>, text: Vec<u8>) -> Self {
        Self { name: name.into(), shape: Dims::of(&[text.len()]), values: Box::new(Text(text)) }
    }

    /// A tensor of one axis.
    pub(super) fn flat<F: Float>(name: impl Into<String>, values: &'a [F]) -> Self {
        Self::floats(name, &[values.len()], values)
    }
}

fn check_finite<F: Float>(name: &str, values: &[F]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::non_finite(name, values[index].as_f64(), [index])),
        None => Ok(()),
    }
}

fn write_chunks<T: Copy, const N: usize>(
    values: &[T],
    out: &mut dyn Write,
    to_bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK.min(values.len() * N));
    for chunk in values.chunks(CHUNK / N) {
        buffer.clear();
        chunk.iter().for_each(|&value| buffer.extend_from_slice(&to_bytes(value)));
        out.write_all(&buffer)?;
    }
    Ok(())
}

/// Reads tensors one after the other, and the checksum of them all.
pub(super) struct Numbers<R> {
    reader: R,
    crc: Crc,
    buffer: Vec<u8>,
}

impl<R: Read> Numbers<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, crc: Crc::new(), buffer: Vec::new() }
    }

    /// The next tensor, of `out.len()` numbers that are stored as `number`.
    pub(super) fn floats<F: Float>(
        &mut self,
        name: &str,
        number: NumberType,
        out: &mut [F],
    ) -> io::Result<Checked<()>> {
        match number {
            NumberType::F32 => self.chunks(out, |bytes| F::of(f64::from(f32::from_le_bytes(bytes))))?,
            NumberType::F64 => self.chunks(out, |bytes| F::of(f64::from_le_bytes(bytes)))?,
            // Floats are not asked for where others are stored.
            NumberType::U64 | NumberType::U8 => return Err(io::ErrorKind::InvalidInput.into()),
        }
        let Some(index) = out.iter().position(|value| !value.is_finite()) else { return Ok(Ok(())) };
        let value = out[index].to_string();
        Ok(Err(LoadErrorKind::NonFinite { tensor: name.into(), index, value }))
    }

    /// The next tensor, of whole numbers; those that do not fit become `usize::MAX`.
    pub(super) fn counts(&mut self, out: &mut [usize]) -> io::Result<()> {
        self.chunks(out, |bytes| usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
    }

    /// The next numbers of f64, finite or not.
    pub(super) fn any_floats(&mut self, out: &mut [f64]) -> io::Result<()> {
        self.chunks(out, f64::from_le_bytes)
    }

    /// The next numbers as words of 64 bits.
    pub(super) fn words(&mut self, out: &mut [u64]) -> io::Result<()> {
        self.chunks(out, u64::from_le_bytes)
    }

    /// The next tensor, of bytes, through a reader that ends with it.
    pub(super) fn bytes(&mut self, len: u64) -> Bytes<'_, R> {
        Bytes { numbers: self, left: len }
    }

    /// Reads over a tensor.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            let now = left.min(CHUNK as u64);
            #[allow(clippy::cast_possible_truncation, reason = "at most a chunk")]
            self.buffer.resize(now as usize, 0);
            self.reader.read_exact(&mut self.buffer)?;
            self.crc.update(&self.buffer);
            left -= now;
        }
        Ok(())
    }

    fn chunks<T, const N: usize>(&mut self, out: &mut [T], from: impl Fn([u8; N]) -> T) -> io::Result<()> {
        for chunk in out.chunks_mut(CHUNK / N) {
            self.buffer.resize(chunk.len() * N, 0);
            self.reader.read_exact(&mut self.buffer)?;
            self.crc.update(&self.buffer);
            let (bytes, _) = self.buffer.as_chunks::<N>();
            chunk.iter_mut().zip(bytes).for_each(|(value, &bytes)| *value = from(bytes));
        }
        Ok(())
    }

    /// The checksum of what was read, and the reader.
    pub(super) fn finish(self) -> (u32, R) {
        (self.crc.value(), self.reader)
    }
}

/// Reads the bytes of one tensor.
pub(super) struct Bytes<'a, R> {
    numbers: &'a mut Numbers<R>,
    left: u64,
}

impl<R: Read> Read for Bytes<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.numbers.reader.read(&mut out[..len])?;
        self.numbers.crc.update(&out[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}
