//! The types of elements, and where these lie.

use super::cursor::{Cursor, malformed};
use crate::interop::keras::problem::{Read, unsupported};

/// The type of the elements of a dataset or an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    /// IEEE floats of 2, 4 or 8 bytes.
    Float(u64),
    /// Integers, signed or not, of 1 to 8 bytes.
    Integer { size: u64, signed: bool },
    /// Texts of this many bytes.
    Text(u64),
    /// Texts in the global heap.
    VariableText,
    /// Bytes without a meaning, in which Keras stores bfloat16.
    Opaque(u64),
}

/// The bytes of a reference to the global heap.
const REFERENCE: u64 = 16;

impl Datatype {
    pub(super) fn read(body: &mut Cursor<'_>) -> Read<Self> {
        let start = body.address();
        let class = body.u8()?;
        let bits = [body.u8()?, body.u8()?, body.u8()?];
        let size = body.u32()?;
        match class & 0x0f {
            0 if bits[0] & 1 == 0 && (1..=8).contains(&size) => {
                Ok(Self::Integer { size, signed: bits[0] & 8 != 0 })
            }
            1 if bits[0] & 0x41 == 0 => {
                body.skip(4)?;
                let parts = [body.u8()?, body.u8()?, body.u8()?, body.u8()?];
                match (size, parts) {
                    (2, [10, 5, 0, 10]) | (4, [23, 8, 0, 23]) | (8, [52, 11, 0, 52]) => Ok(Self::Float(size)),
                    _ => Err(newer("floats that are not IEEE's")),
                }
            }
            3 => Ok(Self::Text(size)),
            5 => Ok(Self::Opaque(size)),
            9 if bits[0] & 0x0f == 1 && size == REFERENCE => Ok(Self::VariableText),
            0 | 1 => Err(newer("big-endian numbers")),
            class => Err(malformed(start, "numbers or texts", format!("a datatype of class {class}"))),
        }
    }

    /// The bytes of an element.
    pub(super) fn size(self) -> u64 {
        match self {
            Self::Float(size) | Self::Integer { size, .. } | Self::Text(size) | Self::Opaque(size) => size,
            Self::VariableText => REFERENCE,
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Float(size) => format!("f{}", 8 * size),
            Self::Integer { size, signed } => format!("{}{}", if signed { 'i' } else { 'u' }, 8 * size),
            Self::Text(_) | Self::VariableText => "text".into(),
            Self::Opaque(size) => format!("{size} bytes without a type"),
        }
    }
}

/// The number of elements of a shape.
pub(super) fn dataspace_len(shape: &[u64]) -> Option<u64> {
    shape.iter().try_fold(1_u64, |len, dim| len.checked_mul(*dim))
}

/// Where the values of a dataset lie.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    Contiguous { address: u64, len: u64 },
    Compact(Vec<u8>),
}

/// The error of a feature that h5py uses on request only.
pub(super) fn newer(got: &str) -> crate::error::LoadErrorKind {
    let expected = "what Keras writes: symbol-table groups and contiguous data without filters";
    unsupported("HDF5", expected, got, "save the model again with Keras")
}
