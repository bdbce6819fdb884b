//! Datasets: their shape, the type of their elements, and where these lie.

use super::datatype::{Datatype, Layout, dataspace_len};
use super::source::Source;
use crate::error::LoadErrorKind;
use crate::float::Float;
use crate::interop::keras::problem::{Read, unsupported};
use crate::validate::shape_text;
use std::io::{Read as Input, Seek};

/// A dataset of numbers.
#[derive(Debug, Clone)]
pub(in crate::interop::keras) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) datatype: Datatype,
    pub(super) layout: Layout,
    /// Whether the elements are bfloat16, which HDF5 has no type for.
    pub(super) is_bfloat16: bool,
}

/// The bytes that are read and converted at a time.
const CHUNK: usize = 1 << 16;

impl Tensor {
    #[cfg(test)]
    pub(super) fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The number of elements; the layout has been found to hold as many.
    pub(in crate::interop::keras) fn len(&self) -> u64 {
        dataspace_len(&self.shape).unwrap_or(u64::MAX)
    }

    fn problem(&self, expected: impl Into<String>, got: impl Into<String>) -> LoadErrorKind {
        LoadErrorKind::Tensor { tensor: self.name.clone(), expected: expected.into(), got: got.into() }
    }

    /// Refuses another shape; axes of length 1 do not count.
    pub(in crate::interop::keras) fn expect_shape(&self, dims: &[usize]) -> Read<()> {
        let found = self.shape.iter().copied().filter(|dim| *dim != 1);
        if found.eq(dims.iter().map(|dim| *dim as u64).filter(|dim| *dim != 1)) {
            return Ok(());
        }
        let shape: Vec<usize> =
            self.shape.iter().map(|dim| usize::try_from(*dim).unwrap_or(usize::MAX)).collect();
        Err(self.problem(format!("shape {}", shape_text(dims)), format!("shape {}", shape_text(&shape))))
    }

    /// Reads all elements as floats, which must be finite.
    pub(in crate::interop::keras) fn read<F: Float, R: Input + Seek>(
        &self,
        source: &mut Source<R>,
        values: &mut [F],
    ) -> Read<()> {
        if values.len() as u64 != self.len() {
            return Err(self.problem(format!("{} elements", values.len()), self.len().to_string()));
        }
        self.read_from(source, 0, values)
    }

    /// Reads the elements from one on, as floats, which must be finite.
    pub(in crate::interop::keras) fn read_from<F: Float, R: Input + Seek>(
        &self,
        source: &mut Source<R>,
        first: usize,
        values: &mut [F],
    ) -> Read<()> {
        let convert = self.conversion()?;
        let width = self.datatype.size() as usize;
        let (mut bytes, mut index) = (vec![0; CHUNK.min(values.len().saturating_mul(width))], first);
        for values in values.chunks_mut(CHUNK / width.max(1)) {
            let bytes = bytes.get_mut(..values.len() * width).unwrap_or_default();
            self.bytes_at(source, index as u64 * width as u64, bytes)?;
            for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(width.max(1))) {
                *value = F::of(convert(bytes));
                if !value.is_finite() {
                    let (tensor, value) = (self.name.clone(), value.to_string());
                    return Err(LoadErrorKind::NonFinite { tensor, index, value });
                }
                index += 1;
            }
        }
        Ok(())
    }

    /// The only element, as an integer.
    pub(in crate::interop::keras) fn read_integer<R: Input + Seek>(
        &self,
        source: &mut Source<R>,
    ) -> Read<i64> {
        let Datatype::Integer { size, signed } = self.datatype else {
            return Err(self.problem("an integer", self.datatype.name()));
        };
        if self.len() != 1 {
            return Err(self.problem("one element", format!("{} elements", self.len())));
        }
        let mut bytes = [0; 8];
        let (used, rest) = bytes.split_at_mut(size as usize);
        self.bytes_at(source, 0, used)?;
        let is_negative = signed && used.last().is_some_and(|byte| byte & 0x80 != 0);
        rest.fill(if is_negative { 0xff } else { 0 });
        Ok(i64::from_le_bytes(bytes))
    }

    /// How the bytes of an element become a number.
    fn conversion(&self) -> Read<fn(&[u8]) -> f64> {
        fn bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
            bytes.try_into().unwrap_or([0; N])
        }
        let convert: fn(&[u8]) -> f64 = match self.datatype {
            Datatype::Float(4) => |element| f64::from(f32::from_le_bytes(bytes(element))),
            Datatype::Float(8) => |element| f64::from_le_bytes(bytes(element)),
            Datatype::Float(2) => |element| half(u16::from_le_bytes(bytes(element))),
            Datatype::Opaque(2) | Datatype::Integer { size: 2, .. } if self.is_bfloat16 => {
                |element| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes(element))) << 16))
            }
            datatype => return Err(self.problem("floats", datatype.name())),
        };
        Ok(convert)
    }

    fn bytes_at<R: Input + Seek>(&self, source: &mut Source<R>, offset: u64, bytes: &mut [u8]) -> Read<()> {
        match &self.layout {
            Layout::Contiguous { address, .. } => source.read_at(address.saturating_add(offset), bytes),
            Layout::Compact(values) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let found = values.get(start..).and_then(|values| values.get(..bytes.len()));
                let Some(found) = found else {
                    return Err(unsupported(&self.name, "all values", "fewer", "the file is damaged"));
                };
                bytes.copy_from_slice(found);
                Ok(())
            }
        }
    }
}

/// A float of two bytes.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2.0_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1.0 + fraction / 1024.0) * 2.0_f64.powi(exponent - 15),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_those_of_the_standard() {
        let cases = [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 5.960_464_477_539_063e-8)];
        for (bits, value) in cases {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan() && half(0) == 0.0);
    }
}
