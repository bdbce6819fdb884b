//! Floating-point types of tensor data, and their conversion.

use crate::float::Float;
use safetensors::Dtype;

/// A floating-point type that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FloatType {
    F16,
    BF16,
    F32,
    F64,
}

impl FloatType {
    /// The type of this name in the file; `None` for integers, booleans and floats of eight bits or fewer.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::BF16),
            Dtype::F32 => Some(Self::F32),
            Dtype::F64 => Some(Self::F64),
            _ => None,
        }
    }

    /// Number of bytes of an element.
    pub(super) fn width(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Converts little-endian elements, and rounds to nearest where `F` is narrower.
    pub(super) fn decode<F: Float>(self, bytes: &[u8], mut push: impl FnMut(F)) {
        match self {
            Self::F16 => elements(bytes).for_each(|bytes| push(F::of(half(u16::from_le_bytes(bytes))))),
            Self::BF16 => {
                let widened = elements(bytes).map(|bytes| u32::from(u16::from_le_bytes(bytes)) << 16);
                widened.for_each(|bits| push(F::of(f32::from_bits(bits).into())));
            }
            Self::F32 => elements(bytes).for_each(|bytes| push(F::of(f32::from_le_bytes(bytes).into()))),
            Self::F64 => elements(bytes).for_each(|bytes| push(F::of(f64::from_le_bytes(bytes)))),
        }
    }
}

fn elements<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// The value of an IEEE 754 binary16: sign, five bits of exponent with bias 15, ten bits of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff) / 1024.0);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(float: FloatType, bytes: &[u8]) -> Vec<f64> {
        let mut values = Vec::new();
        float.decode(bytes, |value| values.push(value));
        values
    }

    #[test]
    fn half_precision_is_widened_exactly() {
        // Bits and values of numpy.float16.
        let cases: [(u16, f64); 9] = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103515625e-05),
            (0x0001, 5.960464477539063e-08),
            (0x03ff, 6.097555160522461e-05),
            (0x3555, 0.333251953125),
            (0x7c00, f64::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(decoded(FloatType::F16, &bits.to_le_bytes()), [value], "{bits:04x}");
        }
        assert!(decoded(FloatType::F16, &0x7e00_u16.to_le_bytes())[0].is_nan());
        assert!(decoded(FloatType::F16, &0x8000_u16.to_le_bytes())[0].is_sign_negative());
    }

    #[test]
    fn bfloat16_is_the_upper_half_of_a_float() {
        for value in [1.0_f32, -2.5, 3.3895314e38, 9.1835e-41] {
            let bits = value.to_bits() >> 16;
            let expected = f64::from(f32::from_bits(bits << 16));
            assert_eq!(decoded(FloatType::BF16, &(bits as u16).to_le_bytes()), [expected]);
        }
    }

    #[test]
    fn doubles_are_rounded_to_floats() {
        let mut values = Vec::new();
        FloatType::F64.decode(&0.1_f64.to_le_bytes(), |value: f32| values.push(value));
        assert_eq!(values, [0.1_f32]);
    }
}
