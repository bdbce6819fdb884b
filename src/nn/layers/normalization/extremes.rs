//! Statistics of values whose squares or sums the float type cannot hold: above 1e19 for `f32`, 1e154 for `f64`.
//!
//! The layers accumulate in their own type, which is fast, and come here when a variance is not finite. What they divide by is
//! always representable, so the answers are as exact as those of ordinary values.

use crate::float::Float;
use crate::float::scaled;

/// Mean and standard deviation of a group, √ε counted in, as what is subtracted and what is multiplied with.
#[cold]
#[inline(never)]
pub(super) fn mean_and_inverse<F: Float>(values: impl Iterator<Item = F>, epsilon: f64) -> (F, F) {
    let (mean, deviation) = scaled::mean_and_deviation(values.map(F::as_f64).collect());
    (F::of(mean), inverse(deviation, epsilon))
}

/// `1 / √(deviation² + ε)`.
pub(super) fn inverse<F: Float>(deviation: f64, epsilon: f64) -> F {
    F::of(1.0 / deviation.hypot(epsilon.sqrt()))
}

/// `1 / √(mean of squares + ε)`.
#[cold]
#[inline(never)]
pub(super) fn inverse_root_mean_square<F: Float>(values: &[F], epsilon: f64) -> F {
    inverse(scaled::root_mean_square(values.iter().map(|v| v.as_f64()).collect()), epsilon)
}

/// `1 / ‖values‖`; the norm itself may exceed the type.
#[cold]
#[inline(never)]
pub(super) fn inverse_norm<F: Float>(values: &[F]) -> F {
    let root = scaled::root_mean_square(values.iter().map(|v| v.as_f64()).collect());
    F::of(1.0 / root / (values.len() as f64).sqrt())
}

/// Whether the square of what values are multiplied with has lost digits: their own squares are at the end of the range.
pub(super) fn is_extreme<F: Float>(inverse: F) -> bool {
    inverse * inverse < F::min_positive_value() / F::epsilon()
}

/// Whether `x - mean` may exceed the type for a representable `x`.
pub(super) fn is_far<F: Float>(mean: F) -> bool {
    mean.abs() > F::max_value() * F::epsilon() * F::of(0.25)
}

/// `to = (x - mean) · inverse` for a run, also where differences alone exceed the type.
#[inline(always)]
pub(super) fn normalize<F: Float>(x: &[F], mean: F, inverse: F, to: &mut [F]) {
    if is_far(mean) {
        to.iter_mut().zip(x).for_each(|(to, &x)| *to = normalized(x, mean, inverse));
    } else {
        to.iter_mut().zip(x).for_each(|(to, &x)| *to = (x - mean) * inverse);
    }
}

/// `(x - mean) · inverse`, also where the difference alone exceeds the type: halves have the same digits.
#[inline(always)]
pub(super) fn normalized<F: Float>(x: F, mean: F, inverse: F) -> F {
    let half = F::of(0.5);
    (x * half - mean * half) * (inverse + inverse)
}
