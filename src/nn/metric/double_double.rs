//! Sums with twice the digits of an `f64`.

/// A number as the unevaluated sum of two, the second below half a unit in the last place of the first
/// (Dekker 1971, "A floating-point technique for extending the available precision").
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DoubleDouble {
    pub(super) high: f64,
    pub(super) low: f64,
}

impl DoubleDouble {
    /// a + b, without a rounding error.
    fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let of_b = high - a;
        Self { high, low: (a - (high - of_b)) + (b - of_b) }
    }

    /// a · b, without a rounding error.
    pub(super) fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let Self { high, low } = Self::sum(self.high, other.high);
        Self::sum(high, low + self.low + other.low)
    }

    pub(super) fn times(self, factor: f64) -> Self {
        let Self { high, low } = Self::product(self.high, factor);
        Self::sum(high, self.low.mul_add(factor, low))
    }

    pub(super) fn squared(self) -> Self {
        let Self { high, low } = Self::product(self.high, self.high);
        Self::sum(high, (2.0 * self.high).mul_add(self.low, low))
    }

    pub(super) fn over(self, divisor: f64) -> Self {
        let quotient = self.high / divisor;
        let rest = self.plus(Self::product(quotient, -divisor));
        Self::sum(quotient, rest.high / divisor)
    }
}

#[cfg(test)]
mod tests {
    use super::DoubleDouble;

    #[test]
    fn what_an_f64_rounds_off_is_kept() {
        let large = DoubleDouble { high: 1e20, low: 0.0 };
        let sum = large.plus(DoubleDouble::product(3.0, 1.0)).plus(DoubleDouble { high: -1e20, low: 0.0 });
        assert_eq!((sum.high, sum.low), (3.0, 0.0));
        // (2^53 + 1)² = 2^106 + 2^54 + 1.
        let odd = DoubleDouble { high: 2.0_f64.powi(53), low: 1.0 };
        let rest = odd.squared().plus(DoubleDouble { high: -(2.0_f64.powi(106)), low: 0.0 });
        assert_eq!(rest.high, 2.0_f64.powi(54));
        let third = DoubleDouble { high: 1.0, low: 0.0 }.over(3.0).times(3.0);
        assert!((third.high - 1.0 + third.low).abs() < 1e-31);
    }
}
