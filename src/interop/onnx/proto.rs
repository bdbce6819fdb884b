//! The wire format of protocol buffers, as far as ONNX files need it.
//!
//! A message is a list of fields. Each has a key, `number << 3 | wire type`, and a value: a variable-length integer
//! (wire type 0), four bytes (5), or a length and that number of bytes (2). A nested message is such bytes.
//!
//! Tensor data are moved into a message and written from there, so a model is in memory once while it is encoded.

use std::io::{self, Write};

/// Number of elements that are converted to bytes at a time.
const CHUNK_LEN: usize = 1 << 14;

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

/// A message that is being encoded.
#[derive(Debug, Default)]
pub(super) struct Message {
    parts: Vec<Part>,
    len: u64,
}

/// Consecutive bytes of a message.
#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    Elements(Elements),
}

/// Tensor data, encoded in little-endian order.
#[derive(Debug, PartialEq)]
pub(super) enum Elements {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
}

impl Elements {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }

    fn byte_len(&self) -> u64 {
        let width = if matches!(self, Self::F32(_)) { 4 } else { 8 };
        width * self.len() as u64
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::F32(values) => write_chunks(values, out, |value| value.to_le_bytes()),
            Self::F64(values) => write_chunks(values, out, |value| value.to_le_bytes()),
            Self::I64(values) => write_chunks(values, out, |value| value.to_le_bytes()),
        }
    }
}

fn write_chunks<T: Copy, const N: usize>(
    values: &[T],
    out: &mut dyn Write,
    to_bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    for chunk in values.chunks(CHUNK_LEN) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|&value| to_bytes(value)).collect();
        out.write_all(&bytes)?;
    }
    Ok(())
}

impl Message {
    /// Length of the encoded message in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends an integer field.
    #[must_use]
    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3 | VARINT);
        // Negative numbers are encoded in two's complement.
        self.varint(value.cast_unsigned());
        self
    }

    /// Appends a field of type float.
    #[must_use]
    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | FIXED32);
        self.bytes(&value.to_le_bytes());
        self
    }

    /// Appends a field of bytes or text.
    #[must_use]
    pub(super) fn text(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.key_and_len(field, value.len() as u64);
        self.bytes(value);
        self
    }

    /// Appends a nested message.
    #[must_use]
    pub(super) fn message(mut self, field: u64, value: Self) -> Self {
        self.key_and_len(field, value.len);
        self.len += value.len;
        for part in value.parts {
            match (self.parts.last_mut(), part) {
                (Some(Part::Bytes(before)), Part::Bytes(bytes)) => before.extend_from_slice(&bytes),
                (_, part) => self.parts.push(part),
            }
        }
        self
    }

    /// Appends tensor data as a field of bytes.
    #[must_use]
    pub(super) fn elements(mut self, field: u64, value: Elements) -> Self {
        self.key_and_len(field, value.byte_len());
        self.len += value.byte_len();
        self.parts.push(Part::Elements(value));
        self
    }

    /// Writes the encoded message.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.parts.iter().try_for_each(|part| match part {
            Part::Bytes(bytes) => out.write_all(bytes),
            Part::Elements(elements) => elements.write(out),
        })
    }

    fn key_and_len(&mut self, field: u64, len: u64) {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(len);
    }

    /// Appends an integer in groups of seven bits, least significant first.
    fn varint(&mut self, mut value: u64) {
        let mut bytes = Vec::with_capacity(10);
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push((value & 0x7f) as u8);
        self.bytes(&bytes);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        match self.parts.last_mut() {
            Some(Part::Bytes(before)) => before.extend_from_slice(bytes),
            _ => self.parts.push(Part::Bytes(bytes.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.write(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, message.len());
        bytes
    }

    #[test]
    fn the_examples_of_the_protocol_buffers_documentation_are_encoded() {
        // https://protobuf.dev/programming-guides/encoding/
        assert_eq!(encoded(&Message::default().int(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(encoded(&Message::default().text(2, "testing")), b"\x12\x07testing");
        let nested = Message::default().message(3, Message::default().int(1, 150));
        assert_eq!(encoded(&nested), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let minus_two = [&[0x08, 0xfe][..], &[0xff; 8], &[0x01]].concat();
        assert_eq!(encoded(&Message::default().int(1, -2)), minus_two);
    }

    #[test]
    fn tensor_data_are_little_endian_bytes() {
        let message = Message::default().elements(9, Elements::F32(vec![1.0])).float(2, -2.0);
        assert_eq!(encoded(&message), [0x4a, 4, 0, 0, 0x80, 0x3f, 0x15, 0, 0, 0, 0xc0]);
        let outer = Message::default().message(1, message).int(1, 1);
        assert_eq!(encoded(&outer)[..3], [0x0a, 11, 0x4a]);
        assert_eq!(encoded(&Message::default().elements(9, Elements::I64(vec![-1]))).len(), 10);
        assert_eq!(encoded(&Message::default().elements(9, Elements::F64(vec![0.5; 3]))).len(), 26);
    }
}
