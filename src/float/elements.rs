//! What elementary functions need of an element type: constants, powers of two, and selections without a branch.

use ndarray::NdFloat;

/// The constants of the elementary functions for an element type.
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
    /// Coefficients of (a + 5)·R(a) as a polynomial in t = (a − 5)/(a + 5), with R of
    /// [`normal_cdf_pdf`](super::elementary::normal_cdf_pdf): those of t¹² and above, and the others.
    const MILLS_RATIO: [&'static [Self]; 2];
    /// The factor that splits a value into two halves of its digits (Veltkamp 1968).
    const SPLITTER: Self;

    /// 2ⁿ for an integer n within the exponents of normal values, infinity for the next one.
    fn power_of_two(n: Self) -> Self;

    /// Rounds a constant to this type.
    fn constant(value: f64) -> Self;
}

impl Elementary for f32 {
    const ROUNDING_SHIFT: Self = 12_582_912.0;
    const LN_2_HIGH: Self = 0.693_145_75;
    const LN_2_LOW: Self = 1.428_606_8e-6;
    const EXP_RANGE: (Self, Self) = (-110.0, 89.0);
    const EXP_SERIES: &'static [Self] = &[1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    const LOG_SERIES: &'static [Self] = &[2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0];
    const TANH_RANGE: Self = 10.0;
    #[allow(clippy::excessive_precision, reason = "the fit's digits, rounded once")]
    const MILLS_RATIO: [&'static [Self]; 2] = [
        &[],
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
    ];
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
    #[allow(clippy::excessive_precision, reason = "the fit's digits, rounded once")]
    const MILLS_RATIO: [&'static [Self]; 2] = [
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
    ];
    const SPLITTER: Self = 134_217_729.0;

    #[inline(always)]
    fn power_of_two(n: Self) -> Self {
        Self::from_bits((n + Self::ROUNDING_SHIFT).to_bits().wrapping_add(1023) << 52)
    }

    #[inline(always)]
    fn constant(value: f64) -> Self {
        value
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
