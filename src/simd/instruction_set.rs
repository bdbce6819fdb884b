//! The instruction set that the process runs with: the widest of the processor, unless the environment variable `AXONAL_SIMD`
//! names a narrower one.
//!
//! Detection runs once per process. Dispatch then costs one relaxed load of a byte.

#[cfg(target_arch = "x86_64")]
use crate::log_event::log_event;
#[cfg(target_arch = "x86_64")]
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// A set of vector instructions that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum InstructionSet {
    /// No explicit vectors and no fused multiply-add: the baseline of the target.
    Scalar = 1,
    /// 128-bit vectors with fused multiply-add, the baseline of aarch64.
    Neon,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors: AVX-512 F, VL, DQ and BW, with AVX2 and FMA.
    Avx512,
}

impl InstructionSet {
    /// The name that `AXONAL_SIMD` takes: `"scalar"`, `"neon"`, `"avx2"` or `"avx512"`.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(axonal::InstructionSet::Avx2.name(), "avx2");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// The instruction set that this process runs with.
///
/// Results of neural networks may differ in the last digits between instruction sets, so a report of a difference should
/// name it. On x86-64 the environment variable `AXONAL_SIMD` (`scalar`, `avx2` or `avx512`) selects a narrower set than the
/// processor's widest one; it is meant for tests, and is read once, before the first computation. A value that is not one of
/// these, or that the processor does not support, has no effect but a warning in the log (feature `log`): compare the result
/// of this function with the value that was set.
///
/// # Examples
/// ```
/// use axonal::{InstructionSet, instruction_set};
///
/// let expected = if cfg!(target_arch = "aarch64") { InstructionSet::Neon } else { InstructionSet::Scalar };
/// assert!(instruction_set() >= expected);
/// ```
#[inline(always)]
pub fn instruction_set() -> InstructionSet {
    #[cfg(target_arch = "x86_64")]
    return from_number(ACTIVE.load(Relaxed)).unwrap_or_else(initialize);
    #[cfg(target_arch = "aarch64")]
    return InstructionSet::Neon;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    InstructionSet::Scalar
}

/// The selected set as a number; 0 before the first call.
#[cfg(target_arch = "x86_64")]
static ACTIVE: AtomicU8 = AtomicU8::new(0);

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn from_number(number: u8) -> Option<InstructionSet> {
    const SCALAR: u8 = InstructionSet::Scalar as u8;
    const AVX2: u8 = InstructionSet::Avx2 as u8;
    const AVX512: u8 = InstructionSet::Avx512 as u8;
    match number {
        AVX512 => Some(InstructionSet::Avx512),
        AVX2 => Some(InstructionSet::Avx2),
        SCALAR => Some(InstructionSet::Scalar),
        _ => None,
    }
}

/// Selects the set. Of threads that come here together the first decides for all.
#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn initialize() -> InstructionSet {
    let selected = select();
    let earlier = ACTIVE.compare_exchange(0, selected as u8, Relaxed, Relaxed).err();
    earlier.and_then(from_number).unwrap_or(selected)
}

/// The widest set of the processor, or the narrower one that the environment names.
#[cfg(target_arch = "x86_64")]
fn select() -> InstructionSet {
    let widest = widest();
    let Some(value) = std::env::var_os("AXONAL_SIMD") else { return widest };
    match requested(value.as_encoded_bytes()) {
        Some(set) if set <= widest => set,
        _ => {
            log_event!(
                warn,
                "AXONAL_SIMD: expected scalar, avx2 or avx512, at most {}, which this processor supports; got {value:?}; using {}",
                widest.name(),
                widest.name()
            );
            widest
        }
    }
}

/// The set that a value of `AXONAL_SIMD` names.
#[cfg(target_arch = "x86_64")]
fn requested(value: &[u8]) -> Option<InstructionSet> {
    let sets = [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512];
    sets.into_iter().find(|set| set.name().as_bytes() == value)
}

/// The widest set of the processor.
#[cfg(target_arch = "x86_64")]
fn widest() -> InstructionSet {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return InstructionSet::Scalar;
    }
    // The functions for AVX-512 are compiled with AVX2 and FMA, too.
    let has_avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    if has_avx512 { InstructionSet::Avx512 } else { InstructionSet::Avx2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::Float;
    use crate::simd::{Kernel, Simd, WithSimd, dispatch};

    /// Whether a kernel may use fused multiply-adds.
    struct IsFused;

    impl Kernel for IsFused {
        type Output = bool;

        #[inline(always)]
        fn run<const FMA: bool>(self) -> bool {
            FMA
        }
    }

    /// The lanes of a register.
    struct Lanes;

    impl<F: Float> WithSimd<F> for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd<F>>(self, _: S) -> usize {
            S::LANES
        }
    }

    /// `.ci/run` repeats the tests of kernels with each value of `AXONAL_SIMD` that the first line names.
    #[test]
    fn every_kernel_runs_with_the_set_that_the_environment_names() {
        let active = instruction_set();
        #[cfg(target_arch = "x86_64")]
        {
            let sets = [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512];
            let names = |supported: bool| {
                let names = sets.iter().filter(|set| (**set <= widest()) == supported).map(|set| set.name());
                names.collect::<Vec<_>>().join(" ")
            };
            println!("\nsupported: {}\nnot supported: {}", names(true), names(false));
            let set = std::env::var("AXONAL_SIMD").unwrap_or(widest().name().to_owned());
            assert_eq!(active.name(), set, "this processor does not support the value of AXONAL_SIMD");
        }
        let (f32_lanes, is_fused) = match active {
            InstructionSet::Scalar => (1, cfg!(all(not(target_arch = "x86_64"), target_feature = "fma"))),
            InstructionSet::Neon => (4, true),
            InstructionSet::Avx2 => (8, true),
            InstructionSet::Avx512 => (16, true),
        };
        assert_eq!(dispatch(IsFused), is_fused);
        assert_eq!(<f32 as crate::simd::SimdElement>::run_simd(Lanes), f32_lanes);
        assert_eq!(<f64 as crate::simd::SimdElement>::run_simd(Lanes), f32_lanes.div_ceil(2));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn other_values_name_no_set() {
        for set in [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512] {
            assert_eq!(requested(set.name().as_bytes()), Some(set));
        }
        for value in ["", "neon", "AVX2", "avx", "avx2 ", "sse2", "0"] {
            assert_eq!(requested(value.as_bytes()), None, "{value:?}");
        }
    }
}
