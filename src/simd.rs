//! Run-time dispatch to the widest vector instructions of the processor: AVX-512, AVX2 with FMA, NEON or scalar code.
//!
//! A release build for baseline x86-64 may use only 128-bit SSE2. Each function here compiles its argument once for
//! each instruction set and selects at run time, so that one binary runs everywhere and is fast where it can be.
//! There are three levels of control:
//!
//! | entry | argument | vectorized by | used for |
//! |---|---|---|---|
//! | [`vectorize`] | a closure around plain loops | the compiler | sums, copies, optimizers, activations |
//! | [`dispatch`] | a [`Kernel`], which knows whether there is a fused multiply-add | the compiler | the orthogonal initializer |
//! | [`SimdElement::run_simd`] | a [`WithSimd`], written with the registers of [`Simd`] | hand | matrix products, k-means, Adam |
//!
//! The third level exists because the compiler keeps a tile of sums in registers only sometimes when the kernel is
//! written as loops over arrays. `Simd` and `WithSimd` follow the crate `pulp`.
//!
//! `instruction_set` returns the set that is used. For tests, the environment variable `AXONAL_SIMD` selects a narrower one on
//! x86-64: `AXONAL_SIMD=scalar cargo test`.
//!
//! Code that is selected here must be `#[inline(always)]`, with all that it calls: a function that is not inlined stays
//! compiled for the baseline.

mod backends;
mod instruction_set;
mod multiversion;
mod prefetch;
mod register;

pub use instruction_set::{InstructionSet, instruction_set};
pub use multiversion::{Kernel, SimdElement, WithSimd, dispatch, fma, vectorize};
pub(crate) use prefetch::{prefetch, prefetch_chunk};
pub use register::Simd;

#[cfg(test)]
mod tests {
    use super::*;

    /// -3 a / (√b + c) in every lane of whole registers.
    struct DivSqrt<'a, F>(&'a [F], &'a [F], F, &'a mut [F]);

    impl<F: crate::float::Float> WithSimd<F> for DivSqrt<'_, F> {
        type Output = ();

        #[inline(always)]
        #[allow(unsafe_code, reason = "registers are loaded and stored through pointers")]
        fn with_simd<S: Simd<F>>(self, simd: S) {
            for start in (0..self.0.len()).step_by(S::LANES) {
                // SAFETY: the slices have the same length, a multiple of the lanes.
                unsafe {
                    let (a, b) = (simd.loadu(&raw const self.0[start]), simd.loadu(&raw const self.1[start]));
                    let (three, c) = (simd.splat(F::of(3.0)), simd.splat(self.2));
                    let quotient = simd.sub_mul_div_sqrt(simd.zero(), three, a, b, c);
                    simd.storeu(&raw mut self.3[start], quotient);
                }
            }
        }
    }

    /// The transposed block of `from`, whose rows are 20 elements apart, less a mean.
    struct Transposed<'a, F>(&'a [F], &'a [F]);

    impl<F: crate::float::Float> WithSimd<F> for Transposed<'_, F> {
        type Output = Vec<F>;

        #[inline(always)]
        #[allow(unsafe_code, reason = "blocks are addressed by pointers")]
        fn with_simd<S: Simd<F>>(self, simd: S) -> Vec<F> {
            let dim = S::TRANSPOSE_DIM;
            let mut to = vec![F::zero(); dim * dim];
            // SAFETY: both slices are longer than a block of eight rows, 20 apart, and its means.
            unsafe { simd.transpose((self.0.as_ptr(), 20), self.1.as_ptr(), (to.as_mut_ptr(), dim)) };
            to
        }
    }

    fn transposes_at_any_alignment<F: crate::float::Float>() {
        let from: Vec<F> = (0..200).map(|i| F::of(f64::from(i))).collect();
        let mean: Vec<F> = (0..16).map(|i| F::of(f64::from(i) * 0.5)).collect();
        for offset in 0..8 {
            let (from, mean) = (&from[offset..], &mean[offset..]);
            let got = F::run_simd(Transposed(from, mean));
            let dim = got.len().isqrt();
            for (place, &value) in got.iter().enumerate() {
                let (j, i) = (place / dim, place % dim);
                assert_eq!(value, from[i * 20 + j] - mean[j], "({j}, {i}) at offset {offset}");
            }
        }
    }

    #[test]
    fn blocks_and_means_of_any_alignment_are_transposed() {
        transposes_at_any_alignment::<f32>();
        transposes_at_any_alignment::<f64>();
    }

    #[test]
    fn division_by_a_square_root_is_within_two_ulps() {
        let mut b: Vec<f32> = (0..1600_u16).map(|i| 1.07_f32.powi(i32::from(i) - 800) * 1.3).collect();
        b.extend([0.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN, 1.0, 4.0, 1e-30]);
        b.extend([0.25; 8]);
        let a: Vec<f32> = (0..b.len()).map(|i| (i % 7) as f32 - 3.0).collect();
        for c in [1e-7, 1.0, 1e3] {
            let mut got = vec![0.0; a.len()];
            f32::run_simd(DivSqrt(&a, &b, c, &mut got));
            for ((&a, &b), got) in a.iter().zip(&b).zip(got) {
                let want = -3.0 * f64::from(a) / (f64::from(b).sqrt() + f64::from(c));
                let close = (f64::from(got) - want).abs() <= 2.4e-7 * want.abs();
                assert!(close || want.is_nan() && got.is_nan(), "{a} / (sqrt({b}) + {c}): {got}, not {want}");
            }
        }
    }

    #[test]
    fn vectorize_returns_the_result_of_the_plain_loop() {
        let x: Vec<f64> = (0..1001).map(|i| f64::from(i) * 0.37 - 100.0).collect();
        let plain: Vec<f64> = x.iter().map(|v| v * v + 1.0).collect();
        let mut vectorized = vec![0.0; x.len()];
        vectorize(
            #[inline(always)]
            || vectorized.iter_mut().zip(&x).for_each(|(y, x)| *y = x * x + 1.0),
        );
        assert_eq!(vectorized, plain);
    }
}
