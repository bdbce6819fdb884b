//! Values side by side that one operation after the other is applied to.

use super::elements::{Elementary, clamp_max, clamp_min};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `N` values; an operation is applied to all of them before the next one.
///
/// An elementary function is a chain of some thirty operations, each of which waits for the one before. With a loop over values
/// around the chain, a processor can work on as many values side by side as it looks ahead; with a loop around each operation,
/// on all of them. With AVX2 and [`WIDE_BLOCK`] values sigmoid, tanh and exp take two thirds of the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes<E, const N: usize>(pub(crate) [E; N]);

/// Values of a block of elementary functions: eight registers of `f32` with AVX2.
pub(crate) const WIDE_BLOCK: usize = 64;

/// An array of the values of an expression. A plain loop: iterator adapters are not always inlined, and a call prevents
/// vectorization.
macro_rules! each {
    ($lane:ident => $value:expr) => {{
        let mut values = [E::zero(); N];
        let mut $lane = 0;
        while $lane < N {
            values[$lane] = $value;
            $lane += 1;
        }
        Lanes(values)
    }};
}

impl<E: Elementary, const N: usize> Lanes<E, N> {
    /// At most `N` values; zeros follow fewer.
    #[inline(always)]
    pub(crate) fn load(values: &[E]) -> Self {
        match <[E; N]>::try_from(values) {
            Ok(values) => Self(values),
            Err(_) => each!(lane => if lane < values.len() { values[lane] } else { E::zero() }),
        }
    }

    /// Copies the lanes to at most `N` values.
    #[inline(always)]
    pub(crate) fn store(self, to: &mut [E]) {
        match <&mut [E; N]>::try_from(&mut *to) {
            Ok(to) => *to = self.0,
            Err(_) => to.iter_mut().zip(self.0).for_each(|(to, value)| *to = value),
        }
    }

    /// |x|
    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        each!(lane => self.0[lane].abs())
    }

    /// The sizes of these values with the signs of others.
    #[inline(always)]
    pub(crate) fn copysign(self, sign: Self) -> Self {
        each!(lane => self.0[lane].copysign(sign.0[lane]))
    }

    /// 1/x
    #[inline(always)]
    pub(crate) fn recip(self) -> Self {
        each!(lane => E::one() / self.0[lane])
    }

    /// The smaller value; NaN where x is NaN.
    #[inline(always)]
    pub(crate) fn clamp_max(self, bound: E) -> Self {
        each!(lane => clamp_max(self.0[lane], bound))
    }

    /// The larger value; NaN where x is NaN.
    #[inline(always)]
    pub(crate) fn clamp_min(self, bound: E) -> Self {
        each!(lane => clamp_min(self.0[lane], bound))
    }

    /// 2ⁿ for integers n; see [`Elementary::power_of_two`].
    #[inline(always)]
    pub(crate) fn power_of_two(self) -> Self {
        each!(lane => E::power_of_two(self.0[lane]))
    }
}

impl<E> Lanes<E, 1> {
    /// The value of a single lane.
    #[inline(always)]
    pub(crate) fn only(self) -> E {
        let Self([value]) = self;
        value
    }
}

impl<E: Elementary, const N: usize> Neg for Lanes<E, N> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        each!(lane => -self.0[lane])
    }
}

/// An operator between lanes, and between lanes and one value.
macro_rules! operator {
    ($operator:ident, $method:ident, $symbol:tt) => {
        impl<E: Elementary, const N: usize> $operator for Lanes<E, N> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, right: Self) -> Self {
                each!(lane => self.0[lane] $symbol right.0[lane])
            }
        }

        impl<E: Elementary, const N: usize> $operator<E> for Lanes<E, N> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, right: E) -> Self {
                each!(lane => self.0[lane] $symbol right)
            }
        }
    };
}
operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);
