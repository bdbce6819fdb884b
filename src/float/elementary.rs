//! Vectorizable elementary functions: exp, expm1, log1p, softplus, sigmoid, tanh, and the normal distribution.
//!
//! The standard library's functions are scalar calls. These are branch-free sums and products of [`Lanes`], which the compiler
//! vectorizes within [`vectorize`](crate::simd::vectorize). They use no fused multiply-add, so that every processor
//! returns the same bits. Each is within 3.5 units in the last place (tested over every exponent) and keeps NaN. With
//! AVX2 and `f32` they take at most a quarter of the standard library's time an element.

pub(crate) use super::elements::{Elementary, clamp_max, clamp_min, select};
use super::lanes::{Lanes, WIDE_BLOCK};

/// Evaluates a polynomial of degree 3 or more, coefficients of high powers first. Odd and even powers are two
/// independent Horner schemes, which halves the latency.
#[inline(always)]
fn polynomial<E: Elementary, const N: usize>(coefficients: &[E], x: Lanes<E, N>) -> Lanes<E, N> {
    let square = x * x;
    let (mut odd, mut even, mut next) = if coefficients.len().is_multiple_of(2) {
        (square * coefficients[0] + coefficients[2], square * coefficients[1] + coefficients[3], 4)
    } else {
        let even = square * coefficients[0] + coefficients[2];
        (square * coefficients[1] + coefficients[3], even * square + coefficients[4], 5)
    };
    // A plain loop: iterator adapters are not always inlined, and a call prevents vectorization.
    while next < coefficients.len() {
        odd = odd * square + coefficients[next];
        even = even * square + coefficients[next + 1];
        next += 2;
    }
    odd * x + even
}

/// Range reduction: `high + low` = n·ln 2 + r with an integer n and |r| up to about ½ ln 2. Returns (eʳ − 1, n).
#[inline(always)]
fn expm1_reduced<E: Elementary, const N: usize>(
    high: Lanes<E, N>,
    low: Option<Lanes<E, N>>,
) -> (Lanes<E, N>, Lanes<E, N>) {
    let n = round_to_integer(high * E::constant(std::f64::consts::LOG2_E));
    let small = n * E::LN_2_LOW;
    let r = (high - n * E::LN_2_HIGH) - low.map_or(small, |low| small - low);
    (r + r * r * polynomial(E::EXP_SERIES, r), n)
}

/// Two integers with the sum n: 2ⁿ would overflow or underflow before the exponential does.
#[inline(always)]
fn halves<E: Elementary, const N: usize>(n: Lanes<E, N>) -> (Lanes<E, N>, Lanes<E, N>) {
    let half = round_to_integer(n * E::constant(0.5));
    (half, n - half)
}

/// Rounds to the nearest integer, for values far below [`Elementary::ROUNDING_SHIFT`].
#[inline(always)]
fn round_to_integer<E: Elementary, const N: usize>(x: Lanes<E, N>) -> Lanes<E, N> {
    (x + E::ROUNDING_SHIFT) - E::ROUNDING_SHIFT
}

/// The exponential of `high + low`, where `low` is small compared to ln 2.
#[inline(always)]
fn exp_of_sum<E: Elementary, const N: usize>(high: Lanes<E, N>, low: Option<Lanes<E, N>>) -> Lanes<E, N> {
    let bounded = high.clamp_max(E::EXP_RANGE.1).clamp_min(E::EXP_RANGE.0);
    let (q, n) = expm1_reduced(bounded, low);
    let (a, b) = halves(n);
    (q + E::one()) * a.power_of_two() * b.power_of_two()
}

impl<E: Elementary, const N: usize> Lanes<E, N> {
    /// eˣ
    #[inline(always)]
    pub(crate) fn exp(self) -> Self {
        exp_of_sum(self, None)
    }

    /// 1/(1 + e⁻ˣ)
    #[inline(always)]
    pub(crate) fn sigmoid(self) -> Self {
        // From −80 on the result is 1; so one power of two suffices, where results below the normal numbers may be 0.
        let bounded = (-self).clamp_max(E::EXP_RANGE.1).clamp_min(E::constant(-80.0));
        let (q, n) = expm1_reduced(bounded, None);
        ((q + E::one()) * n.power_of_two() + E::one()).recip()
    }

    /// The hyperbolic tangent.
    #[inline(always)]
    pub(crate) fn tanh(self) -> Self {
        let size = self.abs().clamp_max(E::TANH_RANGE);
        // e²ˣ − 1, whose power of two is a normal number.
        let (q, n) = expm1_reduced(size + size, None);
        let power = n.power_of_two();
        let e = q * power + (power - E::one());
        (e / (e + E::constant(2.0))).copysign(self)
    }
}

/// eᵛ of all values of an array, within [`vectorize`](crate::simd::vectorize).
#[inline(always)]
pub(crate) fn exp_all<E: Elementary>(values: &mut [E]) {
    let (blocks, rest) = values.as_chunks_mut::<WIDE_BLOCK>();
    for block in blocks {
        *block = Lanes(*block).exp().0;
    }
    for value in rest {
        *value = exp(*value);
    }
}

/// eˣ.
#[inline(always)]
pub(crate) fn exp<E: Elementary>(x: E) -> E {
    Lanes([x]).exp().only()
}

/// eˣ − 1, accurate near 0.
#[inline(always)]
pub(crate) fn expm1<E: Elementary>(x: E) -> E {
    // Below −50 the result is −1 to the last bit in both types.
    let bounded = Lanes([x]).clamp_max(E::EXP_RANGE.1).clamp_min(E::constant(-50.0));
    let (q, n) = expm1_reduced(bounded, None);
    let (a, b) = halves(n);
    let power = a.power_of_two();
    ((q * power + (power - (-b).power_of_two())) * b.power_of_two()).only()
}

/// ln(1 + u) for u in [0, 1].
#[inline(always)]
pub(crate) fn log1p_unit<E: Elementary>(u: E) -> E {
    let (zero, half, two) = (E::zero(), E::constant(0.5), E::constant(2.0));
    // 1 + u = 2ᵏ(1 + f) with 1 + f within a factor √2 of 1.
    let upper = u > E::constant(std::f64::consts::SQRT_2 - 1.0);
    let f = select(upper, (u - E::one()) * half, u);
    let k_high = select(upper, E::LN_2_HIGH, zero);
    let k_low = select(upper, E::LN_2_LOW, zero);
    // ln(1 + f) = 2 atanh(s) with s = f/(2 + f), and 2s = f − s·f.
    let s = f / (two + f);
    let square = s * s;
    let tail = square * polynomial(E::LOG_SERIES, Lanes([square])).only();
    k_high + (f - (s * (f - tail) - k_low))
}

/// ln(1 + eˣ).
#[inline(always)]
pub(crate) fn softplus<E: Elementary>(x: E) -> E {
    clamp_min(x, E::zero()) + log1p_unit(exp(-x.abs()))
}

/// 1/(1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid<E: Elementary>(x: E) -> E {
    Lanes([x]).sigmoid().only()
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<E: Elementary>(x: E) -> E {
    Lanes([x]).tanh().only()
}

/// (a + 5)·R(a) with R of [`normal_cdf_pdf`], of t = (a − 5)/(a + 5). In two halves for `f64`, because the compiler does not unroll
/// a loop over all coefficients.
#[inline(always)]
fn scaled_mills_ratio<E: Elementary>(t: E) -> E {
    let [high, low] = E::MILLS_RATIO;
    let low = polynomial(low, Lanes([t])).only();
    if high.is_empty() {
        return low;
    }
    let cube = t * t * t;
    let sixth = cube * cube;
    polynomial(high, Lanes([t])).only() * (sixth * sixth) + low
}

/// The standard normal distribution at x: (cumulative probability, density).
///
/// P(X < −a) = e^(−a²/2)·R(a), where R is Mills' ratio divided by √2π, a polynomial in (a − 5)/(a + 5) divided by a +
/// 5. a² is computed in two halves, because an absolute error of the exponent is a relative error of the result. The
/// coefficients are a Chebyshev fit in 60 digits with a relative error of 1.3e-17 for `f64` and 4.5e-9 for `f32`.
#[inline(always)]
pub(crate) fn normal_cdf_pdf<E: Elementary>(x: E) -> (E, E) {
    let (one, half, five) = (E::one(), E::constant(0.5), E::constant(5.0));
    // Beyond 40 the density and the tail are 0 in both types.
    let a = clamp_max(x.abs(), E::constant(40.0));
    let shifted = a * E::SPLITTER;
    let leading = shifted - (shifted - a);
    let trailing = a - leading;
    let (high, low) = (-half * (leading * leading), -half * (trailing * (a + leading)));
    let e = exp_of_sum(Lanes([high]), Some(Lanes([low]))).only();
    let inverse = one / (a + five);
    let tail = e * (scaled_mills_ratio((a - five) * inverse) * inverse);
    let below = select(x < E::zero(), tail, one - tail);
    (below, e * E::constant(0.398_942_280_401_432_7))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Float;

    /// Every exponent of the type, both signs, three mantissas.
    fn every_exponent<F: Float>(lowest: i32, highest: i32) -> Vec<F> {
        (lowest..=highest)
            .flat_map(|e| [1.0, 1.37, 1.998].map(|m| F::of(m * 2.0_f64.powi(e))))
            .flat_map(|x| [x, -x])
            .chain([F::zero(), F::max_value(), F::min_value()])
            .collect()
    }

    /// The error in units in the last place of `want`, for normal values.
    fn ulps<F: Float>(got: F, want: f64) -> f64 {
        let smallest = F::min_positive_value().as_f64();
        let wanted = F::of(want).as_f64();
        if want.abs() < smallest || wanted.is_infinite() {
            return if (got.as_f64() - want).abs() <= smallest || got.as_f64() == wanted { 0.0 } else { 1e9 };
        }
        let unit = 2.0_f64.powi(want.abs().log2().floor() as i32) * F::epsilon().as_f64();
        ((got.as_f64() - want) / unit).abs()
    }

    fn assert_within_ulps<F: Float>(
        name: &str,
        limit: f64,
        ours: fn(F) -> F,
        theirs: fn(f64) -> f64,
        points: &[F],
    ) {
        let (mut worst, mut at) = (0.0, F::zero());
        for &x in points {
            let off = ulps(ours(x), theirs(x.as_f64()));
            if off > worst || off.is_nan() {
                (worst, at) = (off, x);
            }
        }
        assert!(worst <= limit, "{name} of {} has an error of {worst} ulp at {at}: {}", F::NAME, ours(at));
        assert!(ours(F::nan()).is_nan(), "{name} of {} loses NaN", F::NAME);
    }

    fn check_all_functions<F: Float>(lowest: i32, highest: i32) {
        let mut points: Vec<F> = every_exponent(lowest, highest);
        points.extend((-40_000..=40_000).map(|i| F::of(f64::from(i) * 0.001_37)));
        assert_within_ulps("exp", 1.5, exp, f64::exp, &points);
        assert_within_ulps("expm1", 2.0, expm1, f64::exp_m1, &points);
        assert_within_ulps("tanh", 2.5, tanh, f64::tanh, &points);
        assert_within_ulps("sigmoid", 3.5, sigmoid, |x| 1.0 / (1.0 + (-x).exp()), &points);
        assert_within_ulps("softplus", 2.5, softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), &points);
        let unit: Vec<F> = points.iter().copied().filter(|x| (F::zero()..=F::one()).contains(x)).collect();
        assert_within_ulps("log1p", 1.5, log1p_unit, f64::ln_1p, &unit);
    }

    #[test]
    fn functions_agree_with_the_standard_library_over_every_exponent() {
        check_all_functions::<f32>(-149, 127);
        check_all_functions::<f64>(-1074, 1023);
    }

    /// (x, cumulative probability, density), from mpmath in 40 digits.
    const NORMAL: [(f64, f64, f64); 23] = [
        (-30.0, 4.906713927148187e-198, 1.4736461348785476e-196),
        (-12.5, 3.732564298877713e-36, 4.695195357975146e-35),
        (-8.0, 6.220960574271784e-16, 5.052271083536892e-15),
        (-6.25, 2.0522634252189388e-10, 1.3140018181558838e-09),
        (-5.0, 2.866515718791939e-07, 1.4867195147342977e-06),
        (-4.5, 3.3976731247300603e-06, 1.5983741106905475e-05),
        (-3.0, 0.0013498980316300946, 0.0044318484119380075),
        (-2.5, 0.006209665325776135, 0.017528300493568537),
        (-1.75, 0.04005915686381709, 0.08627731882651152),
        (-1.0, 0.15865525393145705, 0.24197072451914334),
        (-0.5, 0.3085375387259869, 0.35206532676429947),
        (-0.125, 0.4502617751698871, 0.39583768694474947),
        (-9.5367431640625e-07, 0.49999961953899347, 0.39894228040125124),
        (0.0, 0.5, 0.3989422804014327),
        (0.25, 0.5987063256829237, 0.3866681168028492),
        (0.75, 0.7733726476231318, 0.30113743215480443),
        (1.0, 0.8413447460685429, 0.24197072451914334),
        (2.0, 0.9772498680518208, 0.05399096651318805),
        (3.5, 0.9997673709209645, 0.00087268269504576),
        (5.0, 0.9999997133484281, 1.4867195147342977e-06),
        (6.0, 0.9999999990134123, 6.075882849823285e-09),
        (9.0, 1.0, 1.0279773571668915e-18),
        (20.0, 1.0, 5.520948362159764e-88),
    ];

    #[test]
    fn blocks_have_the_bits_of_values() {
        let values: Vec<f32> = (0..150).map(|i| (i as f32 - 75.0) * 0.37).collect();
        let mut blocks = values.clone();
        exp_all(&mut blocks);
        assert_eq!(blocks, values.iter().map(|&x| exp(x)).collect::<Vec<f32>>());
        let block = Lanes::<f32, 64>::load(&values[..40]);
        for (of_block, of_value) in [(block.tanh(), tanh as fn(f32) -> f32), (block.sigmoid(), sigmoid)] {
            let want: Vec<f32> = values[..40].iter().copied().chain([0.0; 24]).map(of_value).collect();
            assert_eq!(of_block.0.to_vec(), want);
        }
        let mut to = [9.0; 3];
        block.store(&mut to);
        assert_eq!(to, values[..3]);
    }

    #[test]
    fn the_normal_distribution_is_accurate_in_the_tails() {
        for (x, below, density) in NORMAL {
            let (got_below, got_density) = normal_cdf_pdf(x);
            assert!(ulps(got_below, below) <= 4.0 && ulps(got_density, density) <= 4.0, "f64 at {x}");
            let (got_below, got_density) = normal_cdf_pdf(x as f32);
            assert!(ulps(got_below, below) <= 4.0 && ulps(got_density, density) <= 4.0, "f32 at {x}");
        }
        for x in every_exponent::<f32>(-149, 127) {
            let (below, density) = normal_cdf_pdf(x);
            assert!((0.0..=1.0).contains(&below) && (0.0..0.4).contains(&density), "{x}");
        }
        assert!(normal_cdf_pdf(f64::NAN).0.is_nan());
    }
}
