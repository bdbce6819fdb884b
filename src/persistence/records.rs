//! The structured part of a file: records, one after the other. The only module that knows bincode.
//!
//! bincode encodes without names, so no record ever gains or loses a field within a format; what may grow is JSON
//! inside a record. Texts are borrowed from the structure, so that it is in memory once. Records are decoded one at a time from a slice of known length, each with that length as its
//! limit, none of them recursive; their lists are bounded, so that a few bytes cannot become many in memory. An
//! encoding that is not the one this module would write is refused: one model has one file.

use super::Checked;
use crate::error::{LoadErrorKind, excerpt};
use bincode::Options;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::io::{self, Write};

/// The most axes of a tensor.
pub(super) const MAX_RANK: usize = 8;

/// The first record of a model's file. Then come the layers, the metrics and the tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ModelRecord<'a> {
    /// The crate and its version, for people.
    pub(super) writer: &'a str,
    pub(super) input: Dims,
    pub(super) n_layers: u32,
    #[serde(borrow)]
    pub(super) loss: Recipe<'a>,
    pub(super) n_metrics: u32,
    #[serde(borrow)]
    pub(super) optimizer: Recipe<'a>,
    /// Learning rates, modifiers, options of `fit`, and where the training stands, as JSON.
    pub(super) training: &'a str,
    pub(super) n_tensors: u32,
}

/// The first record of the file of a graph model. Then come the layers; for each output its loss and its metrics; the tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GraphRecord<'a> {
    pub(super) writer: &'a str,
    /// Inputs, connections, names and outputs, as JSON.
    pub(super) connections: &'a str,
    pub(super) n_layers: u32,
    pub(super) n_outputs: u32,
    #[serde(borrow)]
    pub(super) optimizer: Recipe<'a>,
    /// As in [`ModelRecord`].
    pub(super) training: &'a str,
    pub(super) n_tensors: u32,
}

/// The record of an output. Then come its metrics.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OutputRecord<'a> {
    #[serde(borrow)]
    pub(super) loss: Recipe<'a>,
    pub(super) n_metrics: u32,
}

/// The first record of a file of weights. Then come the tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WeightsRecord<'a> {
    pub(super) writer: &'a str,
    pub(super) n_tensors: u32,
}

/// The first record of a checkpoint of a training run. Then come the tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CheckpointRecord<'a> {
    pub(super) writer: &'a str,
    /// Everything but the numbers, as JSON.
    pub(super) run: &'a str,
    pub(super) n_tensors: u32,
}

/// The first record of an estimator's file. Then come the tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EstimatorRecord<'a> {
    pub(super) writer: &'a str,
    /// What estimator it is, with its settings as JSON.
    #[serde(borrow)]
    pub(super) recipe: Recipe<'a>,
    pub(super) n_tensors: u32,
}

/// A kind with its configuration as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recipe<'a> {
    pub(super) kind: &'a str,
    pub(super) config: &'a str,
}

/// A layer in its place.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LayerRecord<'a> {
    #[serde(borrow)]
    pub(super) recipe: Recipe<'a>,
    pub(super) trainable: bool,
}

/// A run of the numbers: each tensor follows the one before it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TensorRecord<'a> {
    pub(super) name: &'a str,
    /// See [`NumberType`](super::tensor_data::NumberType).
    pub(super) number: u8,
    pub(super) shape: Dims,
}

/// The lengths of at most eight axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Dims(pub(super) Vec<u64>);

impl Dims {
    pub(super) fn of(dims: &[usize]) -> Self {
        Self(dims.iter().map(|&dim| dim as u64).collect())
    }
}

impl<'de> Deserialize<'de> for Dims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Axes;
        impl<'de> Visitor<'de> for Axes {
            type Value = Dims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a shape of at most {MAX_RANK} axes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut axes: A) -> std::result::Result<Dims, A::Error> {
                let mut dims = Vec::new();
                while let Some(dim) = axes.next_element()? {
                    if dims.len() == MAX_RANK {
                        return Err(A::Error::custom(format!("a shape of more than {MAX_RANK} axes")));
                    }
                    dims.push(dim);
                }
                Ok(Dims(dims))
            }
        }
        deserializer.deserialize_seq(Axes)
    }
}

/// Appends a record.
pub(super) fn encode<T: Serialize>(record: &T, structure: &mut Vec<u8>) -> Checked<()> {
    options().serialize_into(structure, record).map_err(|problem| LoadErrorKind::Malformed {
        offset: 0,
        expected: "a record".into(),
        got: problem.to_string(),
    })
}

fn options() -> impl Options {
    bincode::DefaultOptions::new()
}

/// The records of a structure, in turn.
#[derive(Debug)]
pub(super) struct Records<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the file.
    offset: u64,
}

impl<'a> Records<'a> {
    /// The records of the structure that begins at `offset` in the file.
    pub(super) fn new(structure: &'a [u8], offset: u64) -> Self {
        Self { rest: structure, offset }
    }

    /// The next record; `expected` is its name in errors.
    pub(super) fn next<T: Deserialize<'a> + Serialize>(&mut self, expected: &str) -> Checked<T> {
        let malformed = |got: String| LoadErrorKind::Malformed {
            offset: self.offset,
            expected: format!("a record of {expected}"),
            got,
        };
        let limit = self.rest.len() as u64;
        let record: T = options()
            .with_limit(limit)
            .allow_trailing_bytes()
            .deserialize(self.rest)
            .map_err(|problem| malformed(excerpt(&problem.to_string())))?;
        let mut same = Compare(self.rest);
        if options().serialize_into(&mut same, &record).is_err() {
            return Err(malformed("another encoding of it".into()));
        }
        let rest = same.0;
        self.offset += (self.rest.len() - rest.len()) as u64;
        self.rest = rest;
        Ok(record)
    }

    /// Where the next record begins in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Refuses bytes behind the last record.
    pub(super) fn finish(self) -> Checked<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(LoadErrorKind::Malformed {
            offset: self.offset,
            expected: "the end of the structure".into(),
            got: format!("{} more bytes", self.rest.len()),
        })
    }
}

/// Takes only the bytes that it holds.
struct Compare<'a>(&'a [u8]);

impl Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor() -> TensorRecord<'static> {
        TensorRecord { name: "0.dense/kernel", number: 1, shape: Dims(vec![4, 300]) }
    }

    #[test]
    fn records_come_back_in_turn() {
        let mut bytes = Vec::new();
        encode(&tensor(), &mut bytes).unwrap();
        encode(&Recipe { kind: "k", config: "{}" }, &mut bytes).unwrap();
        let mut records = Records::new(&bytes, 64);
        assert_eq!(records.next::<TensorRecord>("a tensor").unwrap().shape, Dims(vec![4, 300]));
        assert_eq!(records.next::<Recipe>("a loss").unwrap().kind, "k");
        assert_eq!(records.offset(), 64 + bytes.len() as u64);
        records.finish().unwrap();
    }

    #[test]
    fn other_encodings_of_the_same_record_are_refused() {
        // 251 announces two bytes, which 4 does not need.
        let mut bytes = Vec::new();
        encode(&Dims(vec![4]), &mut bytes).unwrap();
        assert_eq!(bytes, [1, 4]);
        assert!(Records::new(&[1, 4], 0).next::<Dims>("a shape").is_ok());
        assert!(Records::new(&[1, 251, 4, 0], 0).next::<Dims>("a shape").is_err());
    }

    #[test]
    fn lengths_that_lie_are_refused_without_memory_for_them() {
        // A length of u64::MAX, in bincode's nine-byte form.
        let huge = [253, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(Records::new(&huge, 0).next::<Dims>("a shape").is_err());
        assert!(Records::new(&huge, 0).next::<Recipe>("a recipe").is_err());
        let long = [9, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        let message = Records::new(&long, 0).next::<Dims>("a shape").unwrap_err().to_string();
        assert!(message.contains("more than 8 axes"), "{message}");
        assert!(Records::new(&[0, 1], 0).finish().is_err());
    }
}
