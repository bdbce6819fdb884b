//! Blocks of units that a step computes in registers, in one pass over its vectors.
//!
//! A loop over slices that are written and read side by side is not vectorized, as the compiler would have to compare all their
//! addresses. A block is copied into arrays, computed there, and copied back.

use crate::activation::Activation;
use crate::float::Float;

/// Units of a block: two registers of `f32` with AVX2.
pub(super) const UNITS: usize = 16;

/// Whether the gates have the sigmoid and the candidate the hyperbolic tangent, as by default.
pub(super) fn are_sigmoid_and_tanh(recurrent_activation: Activation, activation: Activation) -> bool {
    recurrent_activation == Activation::Sigmoid && activation == Activation::Tanh
}

/// A block of at most [`UNITS`] values; zeros follow fewer.
#[inline(always)]
pub(super) fn load<F: Float>(values: &[F]) -> [F; UNITS] {
    match <[F; UNITS]>::try_from(values) {
        Ok(block) => block,
        Err(_) => {
            let mut block = [F::zero(); UNITS];
            block.iter_mut().zip(values).for_each(|(to, &value)| *to = value);
            block
        }
    }
}

/// Copies a block to at most [`UNITS`] values.
#[inline(always)]
pub(super) fn store<F: Float>(block: &[F; UNITS], to: &mut [F]) {
    match <&mut [F; UNITS]>::try_from(&mut *to) {
        Ok(to) => *to = *block,
        Err(_) => to.iter_mut().zip(block).for_each(|(to, &value)| *to = value),
    }
}
