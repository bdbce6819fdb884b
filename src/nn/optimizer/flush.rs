//! Flushes moments to zero before they become subnormal.
//!
//! A moment without gradients, as that of a unit that is never active, decays geometrically. On some processors an
//! operation with a subnormal operand or result takes many times as long: a network with such units trained four
//! times as slowly. Flushing subnormal moments is not enough. For thousands of steps before, the decrease of a moment
//! (a rate times the moment) is subnormal; and a subnormal moment stops decaying, because its decrease rounds to
//! zero.

use crate::float::Float;

/// `value`, or 0 if it is below [`flush_threshold`]. Keeps NaN.
#[inline(always)]
pub(super) fn flush_to_zero<F: Float>(value: F) -> F {
    if value.abs() < flush_threshold() { F::zero() } else { value }
}

/// The magnitude below which a moment is flushed: 1.5e-33 in `f32`, 2.9e-303 in `f64`. A rate of 1e-5 times it is
/// still a normal number, and its square root is far below any ε.
#[inline(always)]
pub(super) fn flush_threshold<F: Float>() -> F {
    F::min_positive_value() * F::of(131_072.0)
}
