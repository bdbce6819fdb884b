//! The implementations of [`Simd`] for AVX-512, AVX2, NEON and scalar code.
//!
//! | backend | lanes of `f32` / `f64` | registers | multiply-add |
//! |---|---|---|---|
//! | `Avx512` | 16 / 8 | 32 | fused |
//! | `Avx2` | 8 / 4 | 16 | fused |
//! | `Neon` | 4 / 2 | 32 | fused |
//! | `Scalar` | 1 | 16 | rounded twice |
//!
//! A macro writes the methods from a table of intrinsics for each backend and element type. Two operations need more
//! than an expression and follow the tables: Adam's step from estimates, and the transposition of square blocks.
#![allow(unsafe_code, reason = "intrinsics are unsafe functions; the contract is that of the trait `Simd`")]

use super::register::Simd;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use std::ops::Sub;

/// 512-bit registers: AVX-512 F, VL, DQ and BW.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512;

/// 256-bit registers: AVX2 with FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2;

/// 128-bit registers: NEON.
#[cfg(target_arch = "aarch64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon;

/// Scalar code for any processor: one element a register. A product is rounded before the addition.
#[cfg(not(target_arch = "aarch64"))]
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar;

/// Implements [`Simd`] from an expression for each operation: the name of an intrinsic or a closure.
macro_rules! impl_simd {
    ($simd:ty, $float:ty, $reg:ty;
        lanes $lanes:literal, registers $registers:literal, transpose $dim:literal, $transpose:expr;
        zero $zero:expr, splat $splat:expr, load $load:expr, store $store:expr,
        add $add:expr, sub $sub:expr, mul $mul:expr, mul_add $mul_add:expr, neg_mul_add $neg_mul_add:expr,
        min $min:expr, reduce_sum $sum:expr, flush_to_zero $flush:expr, sub_mul_div_sqrt $step:expr,
        select_lt |$a:ident, $b:ident, $then:ident, $otherwise:ident| $select:expr) => {
        // SAFETY: the caller guarantees the instruction set and the validity of pointers, as the trait requires.
        #[allow(
            unused_unsafe,
            clippy::redundant_closure_call,
            reason = "some of the expressions are safe code"
        )]
        impl Simd<$float> for $simd {
            type Reg = $reg;
            const LANES: usize = $lanes;
            const REGISTERS: usize = $registers;
            const TRANSPOSE_DIM: usize = $dim;

            #[inline(always)]
            unsafe fn zero(self) -> $reg {
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn splat(self, value: $float) -> $reg {
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn loadu(self, from: *const $float) -> $reg {
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn storeu(self, to: *mut $float, value: $reg) {
                unsafe { $store(to, value) }
            }

            #[inline(always)]
            unsafe fn add(self, a: $reg, b: $reg) -> $reg {
                unsafe { $add(a, b) }
            }

            #[inline(always)]
            unsafe fn sub(self, a: $reg, b: $reg) -> $reg {
                unsafe { $sub(a, b) }
            }

            #[inline(always)]
            unsafe fn mul(self, a: $reg, b: $reg) -> $reg {
                unsafe { $mul(a, b) }
            }

            #[inline(always)]
            unsafe fn flush_to_zero(self, a: $reg, threshold: $reg) -> $reg {
                unsafe { $flush(a, threshold) }
            }

            #[inline(always)]
            unsafe fn sub_mul_div_sqrt(self, from: $reg, a: $reg, b: $reg, c: $reg, d: $reg) -> $reg {
                unsafe { $step(from, a, b, c, d) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, a: $reg, b: $reg, c: $reg) -> $reg {
                unsafe { $mul_add(a, b, c) }
            }

            #[inline(always)]
            unsafe fn neg_mul_add(self, a: $reg, b: $reg, c: $reg) -> $reg {
                unsafe { $neg_mul_add(a, b, c) }
            }

            #[inline(always)]
            unsafe fn min(self, a: $reg, b: $reg) -> $reg {
                unsafe { $min(a, b) }
            }

            #[inline(always)]
            unsafe fn reduce_sum(self, value: $reg) -> $float {
                unsafe { $sum(value) }
            }

            #[inline(always)]
            unsafe fn select_lt(self, $a: $reg, $b: $reg, $then: $reg, $otherwise: $reg) -> $reg {
                unsafe { $select }
            }

            #[inline(always)]
            unsafe fn transpose(
                self,
                from: (*const $float, usize),
                mean: *const $float,
                to: (*mut $float, usize),
            ) {
                unsafe { $transpose(from, mean, to) }
            }
        }
    };
}

#[cfg(not(target_arch = "aarch64"))]
macro_rules! impl_scalar {
    ($float:ty) => {
        impl_simd!(Scalar, $float, $float; lanes 1, registers 16, transpose 8, transpose::<$float, 8>;
            zero || 0.0, splat |v| v, load |p: *const $float| *p, store |p: *mut $float, v| *p = v,
            add |a, b| a + b, sub |a, b| a - b, mul |a, b| a * b,
            mul_add |a, b, c| a * b + c, neg_mul_add |a, b, c| c - a * b,
            min |a, b| if a < b { a } else { b }, reduce_sum |v| v,
            flush_to_zero |a: $float, threshold| if a.abs() < threshold { 0.0 } else { a },
            sub_mul_div_sqrt |from, a, b, c: $float, d| from - a * b / (c.sqrt() + d),
            select_lt |a, b, then, otherwise| if a < b { then } else { otherwise });
    };
}
#[cfg(not(target_arch = "aarch64"))]
impl_scalar!(f32);
#[cfg(not(target_arch = "aarch64"))]
impl_scalar!(f64);

#[cfg(target_arch = "aarch64")]
impl_simd!(Neon, f32, float32x4_t; lanes 4, registers 32, transpose 4, transpose::<f32, 4>;
    zero || vdupq_n_f32(0.0), splat vdupq_n_f32, load vld1q_f32, store vst1q_f32,
    add vaddq_f32, sub vsubq_f32, mul vmulq_f32,
    mul_add |a, b, c| vfmaq_f32(c, a, b), neg_mul_add |a, b, c| vfmsq_f32(c, a, b),
    min vminq_f32, reduce_sum vaddvq_f32,
    flush_to_zero |a, threshold| vbslq_f32(vcltq_f32(vabsq_f32(a), threshold), vdupq_n_f32(0.0), a),
    sub_mul_div_sqrt |from, a, b, c, d| {
        let quotient = vdivq_f32(vmulq_f32(a, b), vaddq_f32(vsqrtq_f32(c), d));
        vsubq_f32(from, quotient)
    },
    select_lt |a, b, then, otherwise| vbslq_f32(vcltq_f32(a, b), then, otherwise));
#[cfg(target_arch = "aarch64")]
impl_simd!(Neon, f64, float64x2_t; lanes 2, registers 32, transpose 4, transpose::<f64, 4>;
    zero || vdupq_n_f64(0.0), splat vdupq_n_f64, load vld1q_f64, store vst1q_f64,
    add vaddq_f64, sub vsubq_f64, mul vmulq_f64,
    mul_add |a, b, c| vfmaq_f64(c, a, b), neg_mul_add |a, b, c| vfmsq_f64(c, a, b),
    min vminq_f64, reduce_sum vaddvq_f64,
    flush_to_zero |a, threshold| vbslq_f64(vcltq_f64(vabsq_f64(a), threshold), vdupq_n_f64(0.0), a),
    sub_mul_div_sqrt |from, a, b, c, d| {
        let quotient = vdivq_f64(vmulq_f64(a, b), vaddq_f64(vsqrtq_f64(c), d));
        vsubq_f64(from, quotient)
    },
    select_lt |a, b, then, otherwise| vbslq_f64(vcltq_f64(a, b), then, otherwise));

#[cfg(target_arch = "x86_64")]
impl_simd!(Avx2, f32, __m256; lanes 8, registers 16, transpose 8, transpose_f32;
    zero _mm256_setzero_ps, splat _mm256_set1_ps, load _mm256_loadu_ps, store _mm256_storeu_ps,
    add _mm256_add_ps, sub _mm256_sub_ps, mul _mm256_mul_ps,
    mul_add _mm256_fmadd_ps, neg_mul_add _mm256_fnmadd_ps,
    min _mm256_min_ps, reduce_sum |v| {
        let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
    },
    flush_to_zero |a, threshold| {
        let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        _mm256_and_ps(a, _mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, threshold))
    },
    sub_mul_div_sqrt |from, a, b, c, d| {
        let quotient = _mm256_div_ps(_mm256_mul_ps(a, b), _mm256_add_ps(_mm256_sqrt_ps(c), d));
        _mm256_sub_ps(from, quotient)
    },
    select_lt |a, b, then, otherwise| _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)));
#[cfg(target_arch = "x86_64")]
impl_simd!(Avx2, f64, __m256d; lanes 4, registers 16, transpose 4, transpose_f64;
    zero _mm256_setzero_pd, splat _mm256_set1_pd, load _mm256_loadu_pd, store _mm256_storeu_pd,
    add _mm256_add_pd, sub _mm256_sub_pd, mul _mm256_mul_pd,
    mul_add _mm256_fmadd_pd, neg_mul_add _mm256_fnmadd_pd,
    min _mm256_min_pd, reduce_sum |v| {
        let half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
        _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)))
    },
    flush_to_zero |a, threshold| {
        let magnitude = _mm256_andnot_pd(_mm256_set1_pd(-0.0), a);
        _mm256_and_pd(a, _mm256_cmp_pd::<_CMP_NLT_UQ>(magnitude, threshold))
    },
    sub_mul_div_sqrt |from, a, b, c, d| {
        let quotient = _mm256_div_pd(_mm256_mul_pd(a, b), _mm256_add_pd(_mm256_sqrt_pd(c), d));
        _mm256_sub_pd(from, quotient)
    },
    select_lt |a, b, then, otherwise| _mm256_blendv_pd(otherwise, then, _mm256_cmp_pd::<_CMP_LT_OQ>(a, b)));

#[cfg(target_arch = "x86_64")]
impl_simd!(Avx512, f32, __m512; lanes 16, registers 32, transpose 8, transpose_f32;
    zero _mm512_setzero_ps, splat _mm512_set1_ps, load _mm512_loadu_ps, store _mm512_storeu_ps,
    add _mm512_add_ps, sub _mm512_sub_ps, mul _mm512_mul_ps,
    mul_add _mm512_fmadd_ps, neg_mul_add _mm512_fnmadd_ps,
    min _mm512_min_ps, reduce_sum _mm512_reduce_add_ps,
    flush_to_zero |a, threshold| {
        let keep = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(a), threshold);
        _mm512_maskz_mov_ps(keep, a)
    },
    sub_mul_div_sqrt sub_mul_div_sqrt_f32,
    select_lt |a, b, then, otherwise|
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then));
#[cfg(target_arch = "x86_64")]
impl_simd!(Avx512, f64, __m512d; lanes 8, registers 32, transpose 4, transpose_f64;
    zero _mm512_setzero_pd, splat _mm512_set1_pd, load _mm512_loadu_pd, store _mm512_storeu_pd,
    add _mm512_add_pd, sub _mm512_sub_pd, mul _mm512_mul_pd,
    mul_add _mm512_fmadd_pd, neg_mul_add _mm512_fnmadd_pd,
    min _mm512_min_pd, reduce_sum _mm512_reduce_add_pd,
    flush_to_zero |a, threshold| {
        let keep = _mm512_cmp_pd_mask::<_CMP_NLT_UQ>(_mm512_abs_pd(a), threshold);
        _mm512_maskz_mov_pd(keep, a)
    },
    sub_mul_div_sqrt |from, a, b, c, d| {
        let quotient = _mm512_div_pd(_mm512_mul_pd(a, b), _mm512_add_pd(_mm512_sqrt_pd(c), d));
        _mm512_sub_pd(from, quotient)
    },
    select_lt |a, b, then, otherwise|
        _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), otherwise, then));

/// `from - a · b / (√c + d)` from estimates of 14 bits, refined to 28 by one step of Newton's method each. With 512-bit
/// registers, the exact square root and division take three times as long as the rest of Adam's update.
///
/// # Safety
/// As [`Simd::sub_mul_div_sqrt`], with AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sub_mul_div_sqrt_f32(from: __m512, a: __m512, b: __m512, c: __m512, d: __m512) -> __m512 {
    // SAFETY: the caller guarantees the instruction set.
    unsafe {
        // r ≈ 1 / √c, so 2√c ≈ c r (3 - c r²). The lower bound keeps r finite for c = 0, where c r is 0.
        let r = _mm512_rsqrt14_ps(_mm512_max_ps(c, _mm512_set1_ps(f32::MIN_POSITIVE)));
        let root = _mm512_mul_ps(c, r);
        let rest = _mm512_fnmadd_ps(root, r, _mm512_set1_ps(3.0));
        let divisor = _mm512_fmadd_ps(root, rest, _mm512_add_ps(d, d));
        // q ≈ 1 / (2√c + 2d), refined to q + q (1 - q · divisor). Where c is infinite the quotient is 0; NaN is kept.
        let q = _mm512_rcp14_ps(divisor);
        let rest = _mm512_fnmadd_ps(divisor, q, _mm512_set1_ps(1.0));
        let finite = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(c, _mm512_set1_ps(f32::INFINITY));
        let q = _mm512_maskz_fmadd_ps(finite, q, rest, q);
        _mm512_fnmadd_ps(_mm512_mul_ps(_mm512_add_ps(a, a), b), q, from)
    }
}

/// Transposes a square block of any size, one element at a time.
///
/// # Safety
/// As [`Simd::transpose`].
#[inline(always)]
unsafe fn transpose<F: Copy + Sub<Output = F>, const DIM: usize>(
    from: (*const F, usize),
    mean: *const F,
    to: (*mut F, usize),
) {
    for j in 0..DIM {
        for i in 0..DIM {
            // SAFETY: the caller guarantees both blocks and the means.
            unsafe { *to.0.add(j * to.1 + i) = *from.0.add(i * from.1 + j) - *mean.add(j) };
        }
    }
}

/// Transposes a block of 8 × 8. Each register is loaded as 128-bit halves of rows `i` and `i + 4`, so that the shuffles
/// stay within a half, which is cheaper than an exchange between halves.
///
/// # Safety
/// As [`Simd::transpose`], with AVX.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_f32(from: (*const f32, usize), mean: *const f32, to: (*mut f32, usize)) {
    // SAFETY: the caller guarantees eight rows of eight, eight means and the instruction set.
    unsafe {
        for half in [0, 4] {
            let mean = _mm_loadu_ps(mean.add(half));
            let mean = _mm256_set_m128(mean, mean);
            let pair = |i: usize| {
                let (above, below) = (from.0.add(i * from.1 + half), from.0.add((i + 4) * from.1 + half));
                _mm256_sub_ps(_mm256_set_m128(_mm_loadu_ps(below), _mm_loadu_ps(above)), mean)
            };
            let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let to_row = |j: usize| to.0.add((half + j) * to.1);
            _mm256_storeu_ps(to_row(0), _mm256_shuffle_ps::<0x44>(ab, cd));
            _mm256_storeu_ps(to_row(1), _mm256_shuffle_ps::<0xee>(ab, cd));
            let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            _mm256_storeu_ps(to_row(2), _mm256_shuffle_ps::<0x44>(ab, cd));
            _mm256_storeu_ps(to_row(3), _mm256_shuffle_ps::<0xee>(ab, cd));
        }
    }
}

/// Transposes a block of 4 × 4 in the same way, from halves of rows `i` and `i + 2`.
///
/// # Safety
/// As [`Simd::transpose`], with AVX.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_f64(from: (*const f64, usize), mean: *const f64, to: (*mut f64, usize)) {
    // SAFETY: the caller guarantees four rows of four, four means and the instruction set.
    unsafe {
        for half in [0, 2] {
            let mean = _mm_loadu_pd(mean.add(half));
            let mean = _mm256_set_m128d(mean, mean);
            let pair = |i: usize| {
                let (above, below) = (from.0.add(i * from.1 + half), from.0.add((i + 2) * from.1 + half));
                _mm256_sub_pd(_mm256_set_m128d(_mm_loadu_pd(below), _mm_loadu_pd(above)), mean)
            };
            let (a, b) = (pair(0), pair(1));
            _mm256_storeu_pd(to.0.add(half * to.1), _mm256_unpacklo_pd(a, b));
            _mm256_storeu_pd(to.0.add((half + 1) * to.1), _mm256_unpackhi_pd(a, b));
        }
    }
}
