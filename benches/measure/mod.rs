//! Timing for the benches: samples after a warm-up, printed as a table and written as JSON.
//!
//! `cargo bench` measures; `cargo bench -- --quick` takes fewer and shorter samples. Each bench writes its rows to a
//! file with its name, in the target's temporary folder or in the folder of `--json FOLDER`.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::expect_used,
    reason = "each bench uses a part of this module"
)]

use axonal::simd::{Simd, SimdElement, WithSimd};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A bench: the options of the command line, the peak of the machine, and the measurements.
pub struct Bench {
    pub quick: bool,
    name: &'static str,
    folder: PathBuf,
    /// Peak floating-point operations a second on one thread and on two, on operands in registers.
    peaks: [f64; 2],
    rows: Vec<Value>,
}

/// The time of a call in seconds, over several samples.
#[derive(Clone, Copy)]
pub struct Timing {
    pub median: f64,
    pub minimum: f64,
    /// The interquartile range divided by the median.
    pub spread: f64,
}

impl Timing {
    /// # Panics
    /// Panics without a sample.
    pub fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |quartile: usize| seconds[seconds.len() * quartile / 4];
        Self { median: at(2), minimum: at(0), spread: (at(3) - at(1)) / at(2) }
    }

    /// The time of one call, if a sample consists of several.
    pub fn divided_by(self, calls: f64) -> Self {
        Self { median: self.median / calls, minimum: self.minimum / calls, ..self }
    }
}

impl Bench {
    pub fn new(name: &'static str) -> Self {
        let args: Vec<String> = std::env::args().collect();
        let named = args.iter().position(|arg| arg == "--json").and_then(|index| args.get(index + 1));
        let folder = named.map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
        let quick = args.iter().any(|arg| arg == "--quick");
        let peaks = [1, 2].map(|count| with_threads(count, || peak_flops(count)));
        let [one, two] = peaks.map(|peak| peak / 1e9);
        println!("{name}: peak for f32 in registers is {one:.0} GFLOP/s on one thread, {two:.0} on two");
        println!(
            "{:<52} {:>7} {:>10} {:>10} {:>7} {:>8} {:>7}",
            "", "threads", "median", "minimum", "spread", "GFLOP/s", "of peak"
        );
        Self { quick, name, folder, peaks, rows: Vec::new() }
    }

    /// Measures the peak again for the following lines: the clock of a shared machine changes within minutes. Must be
    /// called within [`with_threads`].
    pub fn measure_peak(&mut self, threads: usize) {
        self.peaks[usize::from(threads > 1)] = peak_flops(threads);
    }

    /// Number of samples: 15, or 5 in a quick run.
    pub fn samples(&self) -> usize {
        if self.quick { 5 } else { 15 }
    }

    /// Times `work` after a warm-up. Each sample is long enough for the clock.
    pub fn time<R>(&self, mut work: impl FnMut() -> R) -> Timing {
        let least = if self.quick { 1e-3 } else { 5e-3 };
        let begun = Instant::now();
        let mut calls = 0_u32;
        while calls < 1 || (begun.elapsed() < Duration::from_secs_f64(least) && calls < 1_000_000) {
            black_box(work());
            calls += 1;
        }
        let once = begun.elapsed().as_secs_f64() / f64::from(calls);
        let inner = ((least / once.max(1e-9)) as u32).clamp(1, 10_000_000);
        let sample = |_| {
            let begun = Instant::now();
            for _ in 0..inner {
                black_box(work());
            }
            begun.elapsed().as_secs_f64() / f64::from(inner)
        };
        Timing::of((0..self.samples()).map(sample).collect())
    }

    /// As [`time`](Self::time), for work that answers which of its seconds count.
    pub fn time_counted(&self, mut work: impl FnMut() -> f64) -> Timing {
        let least = if self.quick { 1e-3 } else { 5e-3 };
        let inner = ((least / work().max(1e-9)) as u32).clamp(1, 100_000);
        let sample = |_| (0..inner).map(|_| work()).sum::<f64>() / f64::from(inner);
        Timing::of((0..self.samples()).map(sample).collect())
    }

    /// Prints a line of the table and adds a row to the file. `operations` are the floating-point operations of a call.
    pub fn line(
        &mut self,
        name: &str,
        threads: usize,
        timing: Timing,
        operations: Option<f64>,
        more: &[(&str, f64)],
    ) {
        let Timing { median, minimum, spread } = timing;
        let peak = self.peaks[usize::from(threads > 1)];
        let rate = operations.map(|operations| operations / median);
        let rates = rate
            .map_or_else(String::new, |rate| format!("{:>8.1} {:>6.0}%", rate / 1e9, 100.0 * rate / peak));
        let extras: Vec<String> =
            more.iter().map(|(key, value)| format!("{key} {}", short(*value))).collect();
        println!(
            "{name:<52} {threads:>7} {:>10} {:>10} {:>6.1}% {rates:>16} {}",
            duration(median),
            duration(minimum),
            100.0 * spread,
            extras.join(", ")
        );
        let mut row = json!({
            "name": name, "threads": threads, "median": median, "minimum": minimum, "spread": spread,
            "flops": rate, "of_peak": rate.map(|rate| rate / peak),
        });
        if let Some(row) = row.as_object_mut() {
            row.extend(
                more.iter().map(|&(key, value)| (key.to_owned(), json!(value))).collect::<Map<_, _>>(),
            );
        }
        self.rows.push(row);
    }

    /// Writes the rows to the file.
    pub fn finish(self) {
        let path = self.folder.join(format!("{}.json", self.name));
        let text =
            json!({ "bench": self.name, "quick": self.quick, "peak_flops": self.peaks, "rows": self.rows });
        match std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(&path, format!("{text:#}\n")))
        {
            Ok(()) => println!("written to {}\n", path.display()),
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
}

/// The thread counts to measure: 1, and 2 if the process may use two processors.
pub fn thread_counts() -> &'static [usize] {
    let several = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
    if several { &[1, 2] } else { &[1] }
}

/// Runs `work` with a pool of `threads` threads: within a pool of one, or outside the global pool of several.
///
/// # Panics
/// Panics if the system cannot create a thread.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    if threads == 1 {
        return rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool").install(work);
    }
    // An error means that the pool exists already.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    work()
}

/// Formats seconds with a suitable unit.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}

/// Formats a value with about three digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e4 => format!("{value:.3e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

/// Measures the peak of the multipliers on operands in registers, in floating-point operations a second.
fn peak_flops(threads: usize) -> f64 {
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
