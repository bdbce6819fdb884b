//! Vectorizable elementary functions: exp, expm1, log1p, softplus, sigmoid, tanh, and the normal distribution.
//!
//! The standard library's functions are scalar calls. These are branch-free sums and products of [`Lanes`], which the compiler
//! vectorizes within [`vectorize`](crate::simd::vectorize). They use no fused multiply-add, so that every processor
//! returns the same bits. Each is within 3.5 units in the last place (tested over every exponent) and keeps NaN. With
//! AVX2 and `f32` they take at most a quarter of the standard library's time an element.

use super::lanes::Lanes;
use ndarray::NdFloat;

/// The constants of the algorithms below for an element type.
pub trait Elementary: NdFloat {
    /// 1.5 times the power of two from which all values of this type are integers: adding and subtracting it rounds.
    const ROUNDING_SHIFT: Self;
    /// The leading bits of ln 2, few enough that its product with a small integer is exact.
    const LN_2_HIGH: Self;
    /// ln 2 minus its leading bits.
    const LN_2_LOW: Self;
    /// The range beyond which the exponential is 0 or infinite. Its end is below (max exponent + 3/2)·ln 2.
    const EXP_RANGE: (Self, Self);
    /// Coefficients of exp: 1/n!, …, 1/3!, 1/2!.
    const EXP_SERIES: &'static [Self];
    /// Coefficients of log: 2/(2n+1), …, 2/5, 2/3.
    const LOG_SERIES: &'static [Self];
    /// The argument from which tanh is 1.
    const TANH_RANGE: Self;
    /// The factor that splits a value into two halves of its digits (Veltkamp 1968).
    const SPLITTER: Self;

    /// 2ⁿ for an integer n within the exponents of normal values, infinity for the next one.
    fn power_of_two(n: Self) -> Self;

    /// Rounds a constant to this type.
    fn constant(value: f64) -> Self;

    /// (a + 5)·R(a) with R of [`normal_cdf_pdf`], as a polynomial in t = (a − 5)/(a + 5).
    fn scaled_mills_ratio<const N: usize>(t: Lanes<Self, N>) -> Lanes<Self, N>;
}

impl Elementary for f32 {
    const ROUNDING_SHIFT: Self = 12_582_912.0;
    const LN_2_HIGH: Self = 0.693_145_75;
    const LN_2_LOW: Self = 1.428_606_8e-6;
    const EXP_RANGE: (Self, Self) = (-110.0, 89.0);
    const EXP_SERIES: &'static [Self] = &[1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    const LOG_SERIES: &'static [Self] = &[2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0];
    const TANH_RANGE: Self = 10.0;
    const SPLITTER: Self = 4097.0;

    #[inline(always)]
    fn power_of_two(n: Self) -> Self {
        Self::from_bits((n + Self::ROUNDING_SHIFT).to_bits().wrapping_add(127) << 23)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is the purpose")]
    fn constant(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    #[allow(clippy::excessive_precision, reason = "the fit's digits, rounded once")]
    fn scaled_mills_ratio<const N: usize>(t: Lanes<Self, N>) -> Lanes<Self, N> {
        polynomial(
            &[
                0.000_109_390_882,
                0.000_660_748_697_295,
                -0.000_852_651_582_553,
                -0.003_071_442_163_51,
                0.020_792_279_109_6,
                -0.069_102_325_408_8,
                0.165_022_509_212,
                -0.313_534_464_438,
                0.495_305_463_67,
                -0.665_382_472_323,
                0.769_193_051_082,
            ],
            t,
        )
    }
}

impl Elementary for f64 {
    const ROUNDING_SHIFT: Self = 6_755_399_441_055_744.0;
    const LN_2_HIGH: Self = 6.931_471_803_691_238e-1;
    const LN_2_LOW: Self = 1.908_214_929_270_587_7e-10;
    const EXP_RANGE: (Self, Self) = (-750.0, 710.0);
    const EXP_SERIES: &'static [Self] = &[
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    const LOG_SERIES: &'static [Self] = &[
        2.0 / 21.0,
        2.0 / 19.0,
        2.0 / 17.0,
        2.0 / 15.0,
        2.0 / 13.0,
        2.0 / 11.0,
        2.0 / 9.0,
        2.0 / 7.0,
        2.0 / 5.0,
        2.0 / 3.0,
    ];
    const TANH_RANGE: Self = 20.0;
    const SPLITTER: Self = 134_217_729.0;

    #[inline(always)]
    fn power_of_two(n: Self) -> Self {
        Self::from_bits((n + Self::ROUNDING_SHIFT).to_bits().wrapping_add(1023) << 52)
    }

    #[inline(always)]
    fn constant(value: f64) -> Self {
        value
    }

    #[inline(always)]
    #[allow(clippy::excessive_precision, reason = "the fit's digits, rounded once")]
    fn scaled_mills_ratio<const N: usize>(t: Lanes<Self, N>) -> Lanes<Self, N> {
        // In two halves, because the compiler does not unroll a loop over all coefficients.
        let high = polynomial(
            &[
                -1.807_321_207_814_604_34e-10,
                1.689_105_766_515_378_083e-9,
                7.667_236_107_202_653_315e-9,
                -9.144_502_081_289_173_86e-9,
                -6.584_886_840_079_739_718e-8,
                4.209_183_333_886_914_582e-8,
                4.329_837_037_415_609_406e-7,
                -3.365_122_043_499_069_501e-7,
                -2.769_145_782_282_277_865e-6,
                3.980_871_285_666_972_487e-6,
                0.000_016_681_160_364_586_645_43,
            ],
            t,
        );
        let low = polynomial(
            &[
                -0.000_049_762_810_377_903_035_34,
                -0.000_059_375_713_816_471_311_81,
                0.000_544_899_065_037_323_011_5,
                -0.000_797_869_400_739_248_787_1,
                -0.002_993_376_770_649_268_116,
                0.020_795_066_800_091_459_63,
                -0.069_118_638_706_294_679_53,
                0.165_020_366_170_375_025_3,
                -0.313_533_156_671_305_171_4,
                0.495_305_615_969_976_588_7,
                -0.665_382_502_890_056_693_7,
                0.769_193_049_750_062_958,
            ],
            t,
        );
        let cube = t * t * t;
        let sixth = cube * cube;
        high * (sixth * sixth) + low
    }
}

/// Selects one of two computed values without a branch, which would prevent vectorization.
#[inline(always)]
pub(crate) fn select<E: Elementary>(condition: bool, then: E, otherwise: E) -> E {
    std::hint::select_unpredictable(condition, then, otherwise)
}

/// The smaller value; NaN if `x` is NaN.
#[inline(always)]
pub(crate) fn clamp_max<E: Elementary>(x: E, bound: E) -> E {
    select(x > bound, bound, x)
}

/// The larger value; NaN if `x` is NaN.
#[inline(always)]
pub(crate) fn clamp_min<E: Elementary>(x: E, bound: E) -> E {
    select(x < bound, bound, x)
}

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

/// eˣ.
#[inline(always)]
pub(crate) fn exp<E: Elementary, const N: usize>(x: Lanes<E, N>) -> Lanes<E, N> {
    exp_of_sum(x, None)
}

/// The exponential of `high + low`, where `low` is small compared to ln 2.
#[inline(always)]
fn exp_of_sum<E: Elementary, const N: usize>(high: Lanes<E, N>, low: Option<Lanes<E, N>>) -> Lanes<E, N> {
    let bounded = high.clamp_max(E::EXP_RANGE.1).clamp_min(E::EXP_RANGE.0);
    let (q, n) = expm1_reduced(bounded, low);
    let (a, b) = halves(n);
    (q + E::one()) * a.power_of_two() * b.power_of_two()
}

/// eˣ − 1, accurate near 0.
#[inline(always)]
pub(crate) fn expm1<E: Elementary, const N: usize>(x: Lanes<E, N>) -> Lanes<E, N> {
    // Below −50 the result is −1 to the last bit in both types.
    let bounded = x.clamp_max(E::EXP_RANGE.1).clamp_min(E::constant(-50.0));
    let (q, n) = expm1_reduced(bounded, None);
    let (a, b) = halves(n);
    let power = a.power_of_two();
    (q * power + (power - (-b).power_of_two())) * b.power_of_two()
}

/// ln(1 + u) for u in [0, 1].
#[inline(always)]
pub(crate) fn log1p_unit<E: Elementary, const N: usize>(u: Lanes<E, N>) -> Lanes<E, N> {
    let zero = Lanes::splat(E::zero());
    // 1 + u = 2ᵏ(1 + f) with 1 + f within a factor √2 of 1.
    let upper = E::constant(std::f64::consts::SQRT_2 - 1.0);
    let f = u.select_above(upper, (u - E::one()) * E::constant(0.5), u);
    let k_high = u.select_above(upper, Lanes::splat(E::LN_2_HIGH), zero);
    let k_low = u.select_above(upper, Lanes::splat(E::LN_2_LOW), zero);
    // ln(1 + f) = 2 atanh(s) with s = f/(2 + f), and 2s = f − s·f.
    let s = f / (f + E::constant(2.0));
    let square = s * s;
    let tail = square * polynomial(E::LOG_SERIES, square);
    k_high + (f - (s * (f - tail) - k_low))
}

/// ln(1 + eˣ).
#[inline(always)]
pub(crate) fn softplus<E: Elementary, const N: usize>(x: Lanes<E, N>) -> Lanes<E, N> {
    x.clamp_min(E::zero()) + log1p_unit(exp(-x.abs()))
}

/// 1/(1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid<E: Elementary, const N: usize>(x: Lanes<E, N>) -> Lanes<E, N> {
    // From −80 on the result is 1; so one power of two suffices, where results below the normal numbers may be 0.
    let bounded = (-x).clamp_max(E::EXP_RANGE.1).clamp_min(E::constant(-80.0));
    let (q, n) = expm1_reduced(bounded, None);
    ((q + E::one()) * n.power_of_two() + E::one()).recip()
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<E: Elementary, const N: usize>(x: Lanes<E, N>) -> Lanes<E, N> {
    let size = x.abs().clamp_max(E::TANH_RANGE);
    // e²ˣ − 1, whose power of two is a normal number.
    let (q, n) = expm1_reduced(size + size, None);
    let power = n.power_of_two();
    let e = q * power + (power - E::one());
    (e / (e + E::constant(2.0))).copysign(x)
}

/// The standard normal distribution at x: (cumulative probability, density).
///
/// P(X < −a) = e^(−a²/2)·R(a), where R is Mills' ratio divided by √2π, a polynomial in (a − 5)/(a + 5) divided by a +
/// 5. a² is computed in two halves, because an absolute error of the exponent is a relative error of the result. The
/// coefficients are a Chebyshev fit in 60 digits with a relative error of 1.3e-17 for `f64` and 4.5e-9 for `f32`.
#[inline(always)]
pub(crate) fn normal_cdf_pdf<E: Elementary, const N: usize>(x: Lanes<E, N>) -> (Lanes<E, N>, Lanes<E, N>) {
    let (half, five) = (E::constant(-0.5), E::constant(5.0));
    // Beyond 40 the density and the tail are 0 in both types.
    let a = x.abs().clamp_max(E::constant(40.0));
    let shifted = a * E::SPLITTER;
    let leading = shifted - (shifted - a);
    let trailing = a - leading;
    let e = exp_of_sum(leading * leading * half, Some(trailing * (a + leading) * half));
    let inverse = (a + five).recip();
    let tail = e * (E::scaled_mills_ratio((a - five) * inverse) * inverse);
    // x < 0 where −x > 0.
    let below = (-x).select_above(E::zero(), tail, -tail + E::one());
    (below, e * E::constant(0.398_942_280_401_432_7))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Float;
    use crate::float::lanes;

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
        assert_within_ulps("exp", 1.5, |x| exp(Lanes([x])).only(), f64::exp, &points);
        assert_within_ulps("expm1", 2.0, |x| expm1(Lanes([x])).only(), f64::exp_m1, &points);
        assert_within_ulps("tanh", 2.5, |x| tanh(Lanes([x])).only(), f64::tanh, &points);
        assert_within_ulps(
            "sigmoid",
            3.5,
            |x| sigmoid(Lanes([x])).only(),
            |x| 1.0 / (1.0 + (-x).exp()),
            &points,
        );
        assert_within_ulps(
            "softplus",
            2.5,
            |x| softplus(Lanes([x])).only(),
            |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
            &points,
        );
        let unit: Vec<F> = points.iter().copied().filter(|x| (F::zero()..=F::one()).contains(x)).collect();
        assert_within_ulps("log1p", 1.5, |x| log1p_unit(Lanes([x])).only(), f64::ln_1p, &unit);
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

    fn normal_distribution<F: Float>(x: F) -> (F, F) {
        let (Lanes([below]), Lanes([density])) = normal_cdf_pdf(Lanes([x]));
        (below, density)
    }

    #[test]
    fn blocks_have_the_bits_of_values() {
        let values: Vec<f32> = (0..150).map(|i| (i as f32 - 75.0) * 0.37).collect();
        let mut blocks = values.clone();
        lanes::exp(&mut blocks);
        assert_eq!(blocks, values.iter().map(|&x| exp(Lanes([x])).only()).collect::<Vec<f32>>());
        let Lanes(block) = tanh(Lanes::<f32, 64>::load(&values[..40]));
        let want = values[..40].iter().map(|&x| tanh(Lanes([x])).only()).chain([0.0; 24]);
        assert_eq!(block.to_vec(), want.collect::<Vec<f32>>());
        let mut to = [9.0; 3];
        Lanes(block).store(&mut to);
        assert_eq!(to, block[..3]);
    }

    #[test]
    fn the_normal_distribution_is_accurate_in_the_tails() {
        for (x, below, density) in NORMAL {
            let (got_below, got_density) = normal_distribution(x);
            assert!(ulps(got_below, below) <= 4.0 && ulps(got_density, density) <= 4.0, "f64 at {x}");
            let (got_below, got_density) = normal_distribution(x as f32);
            assert!(ulps(got_below, below) <= 4.0 && ulps(got_density, density) <= 4.0, "f32 at {x}");
        }
        for x in every_exponent::<f32>(-149, 127) {
            let (below, density) = normal_distribution(x);
            assert!((0.0..=1.0).contains(&below) && (0.0..0.4).contains(&density), "{x}");
        }
        assert!(normal_distribution(f64::NAN).0.is_nan());
    }
}
