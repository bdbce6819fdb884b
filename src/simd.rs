//! Run-time dispatch of plain loops to the widest vector instructions of the processor.
//!
//! A release build for baseline x86-64 may use 128-bit SSE2 only. [`vectorize`] compiles the loops of a closure
//! three times (AVX-512, AVX2 with FMA, baseline) and picks at run time, so that one binary runs everywhere and
//! is fast where it can be. The loops stay ordinary safe Rust; the compiler vectorizes them.
//!
//! The `unsafe` blocks below are the only ones: calling a function compiled for an instruction set, right
//! after the processor has said that it has it, and the choices of [`Lanes`]. Measured on an AVX2 machine, the pass of Adam over 100,000
//! parameters takes about a third of the time of the baseline build.
#![allow(unsafe_code, reason = "calling a #[target_feature] function needs it; see the module's docs")]

mod lanes;

#[cfg(target_arch = "aarch64")]
use lanes::Neon;
#[cfg(not(target_arch = "aarch64"))]
use lanes::Plain;
#[cfg(target_arch = "x86_64")]
use lanes::{Avx2, Avx512};

/// Runs `work` compiled for the widest instruction set at hand.
///
/// `work` should be a closure around loops over slices, marked `#[inline(always)]`: one that the compiler does not
/// inline stays compiled for the baseline. The same holds for what it calls.
///
/// # Examples
/// ```
/// use axonal::simd::vectorize;
///
/// let x = [1.0f32; 100];
/// let mut y = [2.0f32; 100];
/// vectorize(#[inline(always)] || y.iter_mut().zip(&x).for_each(|(y, x)| *y += 0.5 * x));
/// assert_eq!(y, [2.5; 100]);
/// ```
#[inline]
pub fn vectorize<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if avx512() {
            // SAFETY: the processor has just reported each of the features.
            return unsafe { with_avx512(work) };
        }
        if avx2() {
            // SAFETY: the processor has just reported both features.
            return unsafe { with_avx2(work) };
        }
    }
    work()
}

/// Work that is written differently where the processor multiplies and adds in one instruction.
///
/// [`run`](Kernel::run) and what it calls must be `#[inline(always)]`, or they are not compiled for the
/// instruction set that [`dispatch`] picks.
pub trait Kernel {
    /// What the work returns.
    type Output;

    /// The work; with `FMA`, [`fma`] is one instruction.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// `a * b + c`: rounded once with `FMA`, twice without, and never by a slow call of the C library.
#[inline(always)]
pub fn fma<F: ndarray::NdFloat, const FMA: bool>(a: F, b: F, c: F) -> F {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Runs a [`Kernel`] compiled for the widest instruction set at hand.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if avx512() {
            // SAFETY: the processor has just reported each of the features.
            return unsafe { run_avx512(kernel) };
        }
        if avx2() {
            // SAFETY: the processor has just reported both features.
            return unsafe { run_avx2(kernel) };
        }
    }
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        kernel.run::<true>()
    } else {
        kernel.run::<false>()
    }
}

/// Work on whole registers of `F`.
///
/// [`run`](Wide::run) and what it calls must be `#[inline(always)]`, as for [`Kernel`].
#[doc(hidden)]
pub trait Wide<F> {
    /// What the work returns.
    type Output;

    /// The work, for the registers that `simd` names; they are there.
    fn run<S: Lanes<F>>(self, simd: S) -> Self::Output;
}

/// The registers of an instruction set for numbers of one type, and what can be done with them.
///
/// # Safety of the methods
/// The instruction set that `self` names must be there, and enabled in the calling function; a pointer must be one to
/// as many numbers as are read or written, of any alignment.
#[doc(hidden)]
#[allow(clippy::missing_safety_doc, reason = "it is the same for all; see above")]
pub trait Lanes<F>: Copy + Send + Sync {
    /// A register.
    type Reg: Copy;

    /// The numbers in a register.
    const LANES: usize;

    /// How many registers there are to keep numbers in.
    const REGISTERS: usize;

    /// The side of the squares that [`transpose`](Self::transpose) turns.
    const SIDE: usize;

    /// Zeros.
    unsafe fn zero(self) -> Self::Reg;

    /// A number in every lane.
    unsafe fn splat(self, value: F) -> Self::Reg;

    /// The numbers from a place on.
    unsafe fn loadu(self, from: *const F) -> Self::Reg;

    /// Writes the numbers from a place on.
    unsafe fn storeu(self, to: *mut F, value: Self::Reg);

    /// a + b.
    unsafe fn add(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// a - b.
    unsafe fn sub(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// a · b.
    unsafe fn mul(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// a, or 0 in the lanes where it lies between -limit and limit; NaN stays.
    unsafe fn flush(self, a: Self::Reg, limit: Self::Reg) -> Self::Reg;

    /// from - a · b / (√c + d), c being 0 or a normal number; the quotient is right to two units in the last place.
    unsafe fn step_over_root(
        self,
        from: Self::Reg,
        a: Self::Reg,
        b: Self::Reg,
        c: Self::Reg,
        d: Self::Reg,
    ) -> Self::Reg;

    /// a · b + c, rounded once where the instruction set can.
    unsafe fn mul_add(self, a: Self::Reg, b: Self::Reg, c: Self::Reg) -> Self::Reg;

    /// c - a · b, rounded as in [`mul_add`](Self::mul_add).
    unsafe fn fnma(self, a: Self::Reg, b: Self::Reg, c: Self::Reg) -> Self::Reg;

    /// The smaller of a and b, neither being NaN.
    unsafe fn min(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// The sum of the lanes.
    unsafe fn reduce_sum(self, value: Self::Reg) -> F;

    /// In each lane `then` where a < b, else `otherwise`.
    unsafe fn less(self, a: Self::Reg, b: Self::Reg, then: Self::Reg, otherwise: Self::Reg) -> Self::Reg;

    /// `to[j][i] = from[i][j] - mean[j]` over a square of [`SIDE`](Self::SIDE), its lines a stride apart.
    unsafe fn transpose(self, from: (*const F, usize), mean: *const F, to: (*mut F, usize));
}

/// Asks for `len` numbers to be brought into the cache. What lies there is neither read nor written.
#[inline(always)]
pub(crate) fn prefetch<F>(from: *const F, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<F>()).step_by(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that has no effect on the program, and none at all where the address is not valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, len);
}

/// Fetches a part of what lies ahead into the cache, by parts with the work that is done meanwhile: more at once than
/// memory can answer would have to be waited for.
#[inline(always)]
pub(crate) fn prefetch_part<F>(ahead: &[F], part: usize, parts: usize) {
    let len = ahead.len().div_ceil(parts);
    let first = (part * len).min(ahead.len());
    prefetch(ahead.as_ptr().wrapping_add(first), len.min(ahead.len() - first));
}

/// What an element type of this crate brings for the machine: registers of its own.
///
/// Sealed: it closes [`Float`](crate::Float).
pub trait Registers: sealed::Sealed + Sized {
    /// Runs `work` compiled for the widest registers at hand.
    #[doc(hidden)]
    fn run_wide<W: Wide<Self>>(work: W) -> W::Output;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! registers {
    ($float:ty) => {
        impl Registers for $float {
            #[inline]
            fn run_wide<W: Wide<Self>>(work: W) -> W::Output {
                #[cfg(target_arch = "x86_64")]
                {
                    if avx512() {
                        // SAFETY: the processor has just reported each of the features.
                        return unsafe { wide_avx512::<$float, W>(work) };
                    }
                    if avx2() {
                        // SAFETY: the processor has just reported both features.
                        return unsafe { wide_avx2::<$float, W>(work) };
                    }
                }
                #[cfg(target_arch = "aarch64")]
                return work.run(Neon);
                #[cfg(not(target_arch = "aarch64"))]
                work.run(Plain)
            }
        }
    };
}
registers!(f32);
registers!(f64);

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn wide_avx512<F, W: Wide<F>>(work: W) -> W::Output
where
    Avx512: Lanes<F>,
{
    work.run(Avx512)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn wide_avx2<F, W: Wide<F>>(work: W) -> W::Output
where
    Avx2: Lanes<F>,
{
    work.run(Avx2)
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn with_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// -3 a / (√b + c) in every lane of whole registers.
    struct OverRoot<'a, F>(&'a [F], &'a [F], F, &'a mut [F]);

    impl<F: crate::float::Float> Wide<F> for OverRoot<'_, F> {
        type Output = ();

        #[inline(always)]
        fn run<S: Lanes<F>>(self, simd: S) {
            for start in (0..self.0.len()).step_by(S::LANES) {
                // SAFETY: the slices are as long and of whole registers.
                unsafe {
                    let (a, b) = (simd.loadu(&raw const self.0[start]), simd.loadu(&raw const self.1[start]));
                    let (three, c) = (simd.splat(F::of(3.0)), simd.splat(self.2));
                    simd.storeu(&raw mut self.3[start], simd.step_over_root(simd.zero(), three, a, b, c));
                }
            }
        }
    }

    #[test]
    fn quotients_by_roots_are_right_to_two_units_in_the_last_place() {
        let mut b: Vec<f32> = (0..1600_u16).map(|i| 1.07_f32.powi(i32::from(i) - 800) * 1.3).collect();
        b.extend([0.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN, 1.0, 4.0, 1e-30]);
        b.extend([0.25; 8]);
        let a: Vec<f32> = (0..b.len()).map(|i| (i % 7) as f32 - 3.0).collect();
        for c in [1e-7, 1.0, 1e3] {
            let mut got = vec![0.0; a.len()];
            f32::run_wide(OverRoot(&a, &b, c, &mut got));
            for ((&a, &b), got) in a.iter().zip(&b).zip(got) {
                let want = -3.0 * f64::from(a) / (f64::from(b).sqrt() + f64::from(c));
                let close = (f64::from(got) - want).abs() <= 2.4e-7 * want.abs();
                assert!(close || want.is_nan() && got.is_nan(), "{a} / (sqrt({b}) + {c}): {got}, not {want}");
            }
        }
    }

    #[test]
    fn the_result_is_that_of_the_plain_loop() {
        let x: Vec<f64> = (0..1001).map(|i| f64::from(i) * 0.37 - 100.0).collect();
        let plain: Vec<f64> = x.iter().map(|v| v * v + 1.0).collect();
        let mut wide = vec![0.0; x.len()];
        vectorize(
            #[inline(always)]
            || wide.iter_mut().zip(&x).for_each(|(y, x)| *y = x * x + 1.0),
        );
        assert_eq!(wide, plain);
    }
}
