//! What the machine can do at most: multiply-adds on operands in registers, and bytes from each level of memory.

use axonal::simd::{Simd, SimdElement, WithSimd};
use std::hint::black_box;
use std::time::Instant;

/// Measures the peak of the multipliers on operands in registers, in floating-point operations a second.
pub(super) fn peak_flops(threads: usize) -> f64 {
    /// Independent chains of multiply-adds: enough to hide the latency, few enough to stay in registers.
    struct Chains(u32);
    impl WithSimd<f32> for Chains {
        /// The lanes of a register, and the sums, so that the loop is not removed.
        type Output = (usize, f32);
        #[inline(always)]
        #[allow(unsafe_code, reason = "operations on registers, which touch no memory here")]
        fn with_simd<S: Simd<f32>>(self, simd: S) -> (usize, f32) {
            // SAFETY: only registers are touched; the instruction set is the one that `simd` names.
            unsafe {
                let factor = simd.splat(0.999);
                let mut chains = [simd.splat(0.5); CHAINS];
                for _ in 0..self.0 {
                    for chain in &mut chains {
                        *chain = simd.mul_add(*chain, factor, factor);
                    }
                }
                (S::LANES, chains.iter().map(|&chain| simd.reduce_sum(chain)).sum())
            }
        }
    }
    const CHAINS: usize = 12;
    const ROUNDS: u32 = 200_000;
    let once = || black_box(f32::run_simd(Chains(black_box(ROUNDS)))).0;
    let lanes = once();
    let least = (0..9)
        .map(|_| {
            let begun = Instant::now();
            if threads > 1 {
                rayon::join(once, once);
            } else {
                once();
            }
            begun.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    f64::from(ROUNDS) * (threads * CHAINS * lanes * 2) as f64 / least
}

/// Bytes that the threads together read in a second, by the number of threads and the size of the data that they read again and
/// again. Measured where first asked for.
#[derive(Default)]
pub(super) struct Bandwidths {
    /// Threads, size, and bytes a second.
    measured: Vec<(usize, usize, f64)>,
}

impl Bandwidths {
    /// The bandwidth of data of `footprint` bytes, which is rounded down to an eighth of a power of two, and lies between 16 KiB
    /// and 128 MiB.
    pub(super) fn of(&mut self, threads: usize, footprint: f64) -> f64 {
        let footprint = (footprint as usize).clamp(16 << 10, 128 << 20);
        let step = 1 << (footprint.ilog2() - 3);
        let size = footprint / step * step;
        if let Some(&(.., bandwidth)) = self.measured.iter().find(|&&(t, s, _)| (t, s) == (threads, size)) {
            return bandwidth;
        }
        let bandwidth = read_bandwidth(threads, size);
        self.measured.push((threads, size, bandwidth));
        bandwidth
    }
}

/// Measures how fast `threads` threads read `bytes` bytes again and again, an equal part each.
fn read_bandwidth(threads: usize, bytes: usize) -> f64 {
    /// Sums of the data in several registers.
    struct Sums<'a>(&'a [f32], usize);
    impl WithSimd<f32> for Sums<'_> {
        type Output = f32;
        #[inline(always)]
        #[allow(unsafe_code, reason = "registers are loaded through pointers")]
        fn with_simd<S: Simd<f32>>(self, simd: S) -> f32 {
            const REGISTERS: usize = 8;
            let step = REGISTERS * S::LANES;
            // SAFETY: every load is within the data; the instruction set is the one that `simd` names.
            unsafe {
                let mut sums = [simd.zero(); REGISTERS];
                for _ in 0..self.1 {
                    for first in (0..self.0.len() / step * step).step_by(step) {
                        for (r, sum) in sums.iter_mut().enumerate() {
                            *sum = simd.add(*sum, simd.loadu(self.0.as_ptr().add(first + r * S::LANES)));
                        }
                    }
                }
                sums.iter().map(|&sum| simd.reduce_sum(sum)).sum()
            }
        }
    }
    let data = vec![1.0_f32; bytes / size_of::<f32>()];
    let rounds = ((8 << 20) / bytes).max(1);
    let read = |data: &[f32]| black_box(f32::run_simd(Sums(black_box(data), rounds)));
    let shortest = (0..5)
        .map(|_| {
            let begun = Instant::now();
            if threads > 1 {
                let (first, second) = data.split_at(data.len() / 2);
                rayon::join(|| read(first), || read(second));
            } else {
                read(&data);
            }
            begun.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    (rounds * bytes) as f64 / shortest
}
