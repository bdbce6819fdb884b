//! Function multiversioning: compiles a function for each instruction set and calls the best version that the processor
//! supports.
//!
//! The `unsafe` blocks call a function compiled for an instruction set that `instruction_set` returned: the processor has
//! reported it. On a machine with AVX2, Adam's pass over 100,000 parameters takes about a third of the time of the
//! baseline build.
#![allow(unsafe_code, reason = "calling a #[target_feature] function needs it; see the module's docs")]

#[cfg(target_arch = "aarch64")]
use super::backends::Neon;
#[cfg(not(target_arch = "aarch64"))]
use super::backends::Scalar;
#[cfg(target_arch = "x86_64")]
use super::backends::{Avx2, Avx512};
#[cfg(target_arch = "x86_64")]
use super::instruction_set::{InstructionSet, instruction_set};
use super::register::Simd;

/// Runs `work` compiled for the widest instruction set of the processor.
///
/// `work` should be a closure around loops over slices, marked `#[inline(always)]`: a closure that the compiler does
/// not inline stays compiled for the baseline. The same holds for the functions that it calls.
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
        let set = instruction_set();
        if set == InstructionSet::Avx512 {
            // SAFETY: the processor has reported each of the features.
            return unsafe { vectorize_avx512(work) };
        }
        if set == InstructionSet::Avx2 {
            // SAFETY: the processor has reported both features.
            return unsafe { vectorize_avx2(work) };
        }
    }
    work()
}

/// A function of plain loops that depends on whether the processor has a fused multiply-add.
///
/// [`run`](Kernel::run) and the functions that it calls must be `#[inline(always)]`, or they are not compiled for the
/// instruction set that [`dispatch`] selects.
pub trait Kernel {
    /// The return type.
    type Output;

    /// Runs the kernel. With `FMA`, [`fma`] is one instruction.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// `a * b + c`, rounded once with `FMA`, else twice; never a slow call of the C library.
#[inline(always)]
pub fn fma<F: ndarray::NdFloat, const FMA: bool>(a: F, b: F, c: F) -> F {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Runs a [`Kernel`] compiled for the widest instruction set of the processor.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        let set = instruction_set();
        if set == InstructionSet::Avx512 {
            // SAFETY: the processor has reported each of the features.
            return unsafe { dispatch_avx512(kernel) };
        }
        if set == InstructionSet::Avx2 {
            // SAFETY: the processor has reported both features.
            return unsafe { dispatch_avx2(kernel) };
        }
    }
    // On x86-64 the fused multiply-add belongs to AVX2, whatever the target: one set has one result.
    if cfg!(any(target_arch = "aarch64", all(target_feature = "fma", not(target_arch = "x86_64")))) {
        kernel.run::<true>()
    } else {
        kernel.run::<false>()
    }
}

/// A function written with the vector registers of [`Simd`], generic over the instruction set.
///
/// [`with_simd`](WithSimd::with_simd) and the functions that it calls must be `#[inline(always)]`, as for [`Kernel`].
#[doc(hidden)]
pub trait WithSimd<F> {
    /// The return type.
    type Output;

    /// Runs the function with the registers of `simd`, whose instruction set is enabled.
    fn with_simd<S: Simd<F>>(self, simd: S) -> Self::Output;
}

/// An element type of vector registers: `f32` or `f64`.
///
/// Sealed: it closes [`Float`](crate::Float).
pub trait SimdElement: sealed::Sealed + Sized {
    /// Runs `work` compiled for the widest registers of the processor.
    #[doc(hidden)]
    fn run_simd<W: WithSimd<Self>>(work: W) -> W::Output;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! simd_element {
    ($float:ty) => {
        impl SimdElement for $float {
            #[inline]
            fn run_simd<W: WithSimd<Self>>(work: W) -> W::Output {
                #[cfg(target_arch = "x86_64")]
                {
                    let set = instruction_set();
                    if set == InstructionSet::Avx512 {
                        // SAFETY: the processor has reported each of the features.
                        return unsafe { run_simd_avx512::<$float, W>(work) };
                    }
                    if set == InstructionSet::Avx2 {
                        // SAFETY: the processor has reported both features.
                        return unsafe { run_simd_avx2::<$float, W>(work) };
                    }
                }
                #[cfg(target_arch = "aarch64")]
                return work.with_simd(Neon);
                #[cfg(not(target_arch = "aarch64"))]
                work.with_simd(Scalar)
            }
        }
    };
}
simd_element!(f32);
simd_element!(f64);

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn vectorize_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn vectorize_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn dispatch_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dispatch_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn run_simd_avx512<F, W: WithSimd<F>>(work: W) -> W::Output
where
    Avx512: Simd<F>,
{
    work.with_simd(Avx512)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_simd_avx2<F, W: WithSimd<F>>(work: W) -> W::Output
where
    Avx2: Simd<F>,
{
    work.with_simd(Avx2)
}
