//! Choices and squares for each instruction set.

use super::Lanes;
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::{vbslq_f32, vbslq_f64, vcltq_f32, vcltq_f64};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use gemmkit::simd::ScalarTok;
use std::ops::Sub;

macro_rules! lanes {
    ($simd:ty, $float:ty, $registers:literal, $side:literal, $turn:expr;
        |$a:ident, $b:ident, $then:ident, $otherwise:ident| $choice:expr) => {
        impl Lanes<$float> for $simd {
            const REGISTERS: usize = $registers;
            const SIDE: usize = $side;

            #[inline(always)]
            unsafe fn less(
                self,
                $a: Self::Reg,
                $b: Self::Reg,
                $then: Self::Reg,
                $otherwise: Self::Reg,
            ) -> Self::Reg {
                $choice
            }

            #[inline(always)]
            unsafe fn transpose(
                self,
                from: (*const $float, usize),
                mean: *const $float,
                to: (*mut $float, usize),
            ) {
                // SAFETY: the contract is the same.
                unsafe { $turn(from, mean, to) };
            }
        }
    };
}

lanes!(ScalarTok, f32, 16, 8, turn::<f32, 8>; |a, b, then, otherwise| if a < b { then } else { otherwise });
lanes!(ScalarTok, f64, 16, 8, turn::<f64, 8>; |a, b, then, otherwise| if a < b { then } else { otherwise });

// SAFETY of the choices below: the caller vouches for the instruction set.
#[cfg(target_arch = "aarch64")]
lanes!(gemmkit::simd::Neon, f32, 32, 4, turn::<f32, 4>; |a, b, then, otherwise| unsafe {
    vbslq_f32(vcltq_f32(a, b), then, otherwise)
});
#[cfg(target_arch = "aarch64")]
lanes!(gemmkit::simd::Neon, f64, 32, 4, turn::<f64, 4>; |a, b, then, otherwise| unsafe {
    vbslq_f64(vcltq_f64(a, b), then, otherwise)
});
#[cfg(target_arch = "x86_64")]
lanes!(gemmkit::simd::Fma, f32, 16, 8, turn_f32; |a, b, then, otherwise| unsafe {
    _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
});
#[cfg(target_arch = "x86_64")]
lanes!(gemmkit::simd::Fma, f64, 16, 4, turn_f64; |a, b, then, otherwise| unsafe {
    _mm256_blendv_pd(otherwise, then, _mm256_cmp_pd::<_CMP_LT_OQ>(a, b))
});
#[cfg(target_arch = "x86_64")]
lanes!(gemmkit::simd::Avx512F, f32, 32, 8, turn_f32; |a, b, then, otherwise| unsafe {
    _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then)
});
#[cfg(target_arch = "x86_64")]
lanes!(gemmkit::simd::Avx512F, f64, 32, 4, turn_f64; |a, b, then, otherwise| unsafe {
    _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), otherwise, then)
});

/// Squares of any side, number by number.
///
/// # Safety
/// As [`Lanes::transpose`].
#[inline(always)]
unsafe fn turn<F: Copy + Sub<Output = F>, const SIDE: usize>(
    from: (*const F, usize),
    mean: *const F,
    to: (*mut F, usize),
) {
    for j in 0..SIDE {
        for i in 0..SIDE {
            // SAFETY: the caller vouches for the squares and the means.
            unsafe { *to.0.add(j * to.1 + i) = *from.0.add(i * from.1 + j) - *mean.add(j) };
        }
    }
}

/// Eight rows of eight. A register begins as halves of two rows, so that no half has to change sides later.
///
/// # Safety
/// As [`Lanes::transpose`], with AVX.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn turn_f32(from: (*const f32, usize), mean: *const f32, to: (*mut f32, usize)) {
    // SAFETY: the caller vouches for eight rows of eight, eight means and the instruction set.
    unsafe {
        for half in [0, 4] {
            let mean = _mm256_broadcast_ps(&*mean.add(half).cast());
            let pair = |i: usize| {
                let (above, below) = (from.0.add(i * from.1 + half), from.0.add((i + 4) * from.1 + half));
                _mm256_sub_ps(_mm256_set_m128(_mm_loadu_ps(below), _mm_loadu_ps(above)), mean)
            };
            let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let to_line = |j: usize| to.0.add((half + j) * to.1);
            _mm256_storeu_ps(to_line(0), _mm256_shuffle_ps::<0x44>(ab, cd));
            _mm256_storeu_ps(to_line(1), _mm256_shuffle_ps::<0xee>(ab, cd));
            let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            _mm256_storeu_ps(to_line(2), _mm256_shuffle_ps::<0x44>(ab, cd));
            _mm256_storeu_ps(to_line(3), _mm256_shuffle_ps::<0xee>(ab, cd));
        }
    }
}

/// Four rows of four, in the same way.
///
/// # Safety
/// As [`Lanes::transpose`], with AVX.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn turn_f64(from: (*const f64, usize), mean: *const f64, to: (*mut f64, usize)) {
    // SAFETY: the caller vouches for four rows of four, four means and the instruction set.
    unsafe {
        for half in [0, 2] {
            let mean = _mm256_broadcast_pd(&*mean.add(half).cast());
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
