//! Means, variances and norms that neither overflow nor underflow on the way to a representable result.
//!
//! Values far from 1 are multiplied by a power of two before they are squared or summed, as LAPACK's `dnrm2` does. This is
//! exact; values of ordinary magnitude are left alone.

/// Values whose largest magnitude lies within 2^±`ORDINARY` are not scaled. Their squares stay below 2^602; the rest of the
/// exponent range is left to weights (at most 2^200) and to the number of summands.
const ORDINARY: i32 = 300;

/// The exponent `e` with `2^e <= |value| < 2^(e + 1)`; 0 for zero and for values that are not finite.
pub(crate) fn exponent(value: f64) -> i32 {
    const BIAS: i32 = 1023;
    let biased = |value: f64| i32::try_from(value.to_bits() >> 52 & 0x7ff).unwrap_or(0);
    if value == 0.0 || !value.is_finite() {
        0
    } else if value.is_subnormal() {
        biased(value * 2.0_f64.powi(64)) - 64 - BIAS
    } else {
        biased(value) - BIAS
    }
}

/// `value · 2^exponent`, also where the power alone is not representable.
pub(crate) fn times_power_of_two(mut value: f64, exponent: i32) -> f64 {
    const STEP: i32 = 1000;
    let mut rest = exponent.clamp(-3 * STEP, 3 * STEP);
    while rest.abs() > STEP {
        value *= 2.0_f64.powi(STEP * rest.signum());
        rest -= STEP * rest.signum();
    }
    value * 2.0_f64.powi(rest)
}

/// The largest magnitude.
fn max_abs(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max, value| value.abs().max(max))
}

/// A sequence of values, each `value · 2^exponent`, of which the stored ones can be squared and summed.
#[derive(Debug, Clone)]
pub(crate) struct Scaled {
    values: Vec<f64>,
    exponent: i32,
}

impl Scaled {
    /// Scales `values` if their largest magnitude is extreme.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        Self { values, exponent: 0 }.normalized()
    }

    /// `a - b`, element by element.
    pub(crate) fn differences(a: &[f64], b: &[f64]) -> Self {
        // A difference may need one bit more than its terms.
        let exponent = if max_abs(a).max(max_abs(b)) > f64::MAX / 4.0 { 2 } else { 0 };
        let scale = 2.0_f64.powi(-exponent);
        let values = a.iter().zip(b).map(|(a, b)| a * scale - b * scale).collect();
        Self { values, exponent }.normalized()
    }

    fn normalized(mut self) -> Self {
        let shift = exponent(max_abs(&self.values));
        if shift.abs() > ORDINARY {
            self.values.iter_mut().for_each(|value| *value = times_power_of_two(*value, -shift));
            self.exponent += shift;
        }
        self
    }

    /// The magnitudes.
    pub(crate) fn abs(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = value.abs());
        self
    }

    /// `term(index, stored value, exponent)` of every value.
    pub(crate) fn map(&self, term: impl Fn(usize, f64, i32) -> f64) -> Vec<f64> {
        self.values.iter().enumerate().map(|(index, &value)| term(index, value, self.exponent)).collect()
    }

    /// `value · 2^exponent` for a `value` on the scale of the stored values.
    pub(crate) fn unscaled(&self, value: f64) -> f64 {
        times_power_of_two(value, self.exponent)
    }

    /// The stored values; [`unscaled`](Self::unscaled) takes results to the original scale.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The weighted mean. Equal values have exactly this mean, and no mean lies outside the values.
    pub(crate) fn mean(&self, weights: &[f64]) -> f64 {
        let center = self.center(weights);
        let (min, max) = self
            .values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (value.min(min), value.max(max)));
        self.unscaled(center.clamp(min.min(max), max))
    }

    /// The mean of the stored values: a sum, corrected by the sum of the deviations from its quotient.
    fn center(&self, weights: &[f64]) -> f64 {
        let total: f64 = weights.iter().sum();
        let rough = self.sum(weights, |value| value) / total;
        if rough.is_finite() { rough + self.sum(weights, |value| value - rough) / total } else { rough }
    }

    fn sum(&self, weights: &[f64], term: impl Fn(f64) -> f64) -> f64 {
        self.values.iter().zip(weights).map(|(value, weight)| weight * term(*value)).sum()
    }

    /// The values less their weighted mean; exactly 0 where all values are equal.
    pub(crate) fn centered(mut self, weights: &[f64]) -> Self {
        let center = match self.values.first() {
            Some(first) if self.values.iter().all(|value| value == first) => *first,
            _ => self.center(weights),
        };
        self.values.iter_mut().for_each(|value| *value -= center);
        let mut centered = self.normalized();
        // The center is rounded; the mean of the deviations is what that rounding left.
        let left = centered.sum(weights, |value| value) / weights.iter().sum::<f64>();
        centered.values.iter_mut().for_each(|value| *value -= left);
        centered
    }

    /// The weighted mean of the squares; infinite where it exceeds `f64`.
    pub(crate) fn mean_square(&self, weights: &[f64]) -> f64 {
        times_power_of_two(self.stored_mean_square(weights), self.exponent.saturating_mul(2))
    }

    /// The root of the weighted mean of the squares.
    pub(crate) fn root_mean_square(&self, weights: &[f64]) -> f64 {
        self.unscaled(self.stored_mean_square(weights).sqrt())
    }

    /// The mean square of these values over that of `other`; `None` where all values of `other` are 0.
    pub(crate) fn mean_square_ratio(&self, other: &Self, weights: &[f64]) -> Option<f64> {
        let (dividend, divisor) = (self.stored_mean_square(weights), other.stored_mean_square(weights));
        let shift = self.exponent.saturating_sub(other.exponent).saturating_mul(2);
        (divisor != 0.0).then(|| times_power_of_two(dividend / divisor, shift))
    }

    fn stored_mean_square(&self, weights: &[f64]) -> f64 {
        self.sum(weights, |value| value * value) / weights.iter().sum::<f64>()
    }
}

/// The mean without weights: exact for equal values, and never outside the values.
pub(crate) fn mean(values: Vec<f64>) -> f64 {
    let weights = vec![1.0; values.len()];
    Scaled::of(values).mean(&weights)
}

/// Mean and (population) standard deviation.
pub(crate) fn mean_and_deviation(values: Vec<f64>) -> (f64, f64) {
    let weights = vec![1.0; values.len()];
    let scaled = Scaled::of(values);
    (scaled.mean(&weights), scaled.centered(&weights).root_mean_square(&weights))
}

/// The root of the mean of the squares.
pub(crate) fn root_mean_square(values: Vec<f64>) -> f64 {
    let weights = vec![1.0; values.len()];
    Scaled::of(values).root_mean_square(&weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_and_powers_reach_both_ends() {
        let cases = [
            (1.0, 0),
            (1.5, 0),
            (2.0, 1),
            (0.75, -1),
            (f64::MAX, 1023),
            (f64::MIN_POSITIVE, -1022),
            (5e-324, -1074),
        ];
        for (value, expected) in cases {
            assert_eq!(exponent(value), expected, "{value}");
            assert_eq!(exponent(-value), expected);
            let scaled = times_power_of_two(value, -expected);
            assert!((1.0..2.0).contains(&scaled), "{value}: {scaled}");
            assert_eq!(times_power_of_two(scaled, expected), value);
        }
        assert_eq!(times_power_of_two(1.0, 5000), f64::INFINITY);
        assert_eq!(times_power_of_two(1.0, -5000), 0.0);
    }

    #[test]
    fn means_of_equal_and_of_huge_values_are_exact() {
        for value in [0.1, 1.0 / 3.0, 1e8 + 0.1, 1.7e308, 5e-324, -0.7e-200] {
            for n in [1, 2, 3, 10, 1000] {
                assert_eq!(mean(vec![value; n]), value, "{n} times {value}");
                assert_eq!(mean_and_deviation(vec![value; n]), (value, 0.0));
            }
        }
        let third = mean(vec![f64::MAX, f64::MAX, -f64::MAX]) / f64::MAX;
        assert!((third - 1.0 / 3.0).abs() < 1e-15, "{third}");
    }

    #[test]
    fn deviations_scale_with_their_values() {
        for scale in [1.0, 1e-300, 1e-200, 1e200, 1e307] {
            let (mean, deviation) = mean_and_deviation([1.0, 2.0, 3.0, 6.0].map(|v| v * scale).to_vec());
            assert!((mean / scale - 3.0).abs() < 1e-14, "{scale}: {mean}");
            assert!((deviation / scale - 3.5_f64.sqrt()).abs() < 1e-14, "{scale}: {deviation}");
            let root = root_mean_square([3.0, 4.0].map(|v| v * scale).to_vec());
            assert!((root / scale - 12.5_f64.sqrt()).abs() < 1e-14, "{scale}: {root}");
        }
        // One unit in the last place of the mean apart.
        let (low, high) = (1e8 + 0.1, f64::from_bits((1e8_f64 + 0.1).to_bits() + 1));
        let (_, deviation) = mean_and_deviation(vec![low, high, low, high]);
        assert_eq!(deviation, (high - low) / 2.0);
    }
}
