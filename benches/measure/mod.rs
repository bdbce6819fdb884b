//! Timing for the benches: samples after a warm-up, a table for people, JSON for programs.
//!
//! `cargo bench` measures, `cargo bench -- --quick` looks; `--json PATH` writes the rows to a file.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each bench uses a part of this module")]

use axonal::simd::{Lanes, Registers, Wide};
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What the command line asks for.
pub struct Settings {
    pub quick: bool,
    json: Option<String>,
    rows: Vec<String>,
}

/// Seconds for one call, over several samples.
#[derive(Clone, Copy)]
pub struct Timing {
    pub median: f64,
    pub minimum: f64,
    /// The distance between the quartiles, as a share of the median.
    pub spread: f64,
}

impl Settings {
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().collect();
        let json = args.iter().position(|arg| arg == "--json").and_then(|index| args.get(index + 1).cloned());
        Self { quick: args.iter().any(|arg| arg == "--quick"), json, rows: Vec::new() }
    }

    /// Times `work`: at least 15 samples (5 in a quick run), each long enough for the clock.
    pub fn time<R>(&self, mut work: impl FnMut() -> R) -> Timing {
        let (samples, least) = if self.quick { (5, 1e-3) } else { (15, 5e-3) };
        let begun = Instant::now();
        let mut calls = 0_u32;
        while calls < 2 || (begun.elapsed() < Duration::from_secs_f64(least) && calls < 1_000_000) {
            black_box(work());
            calls += 1;
        }
        let once = begun.elapsed().as_secs_f64() / f64::from(calls);
        let inner = ((least / once.max(1e-9)) as u32).clamp(1, 10_000_000);
        let mut seconds: Vec<f64> = (0..samples)
            .map(|_| {
                let begun = Instant::now();
                for _ in 0..inner {
                    black_box(work());
                }
                begun.elapsed().as_secs_f64() / f64::from(inner)
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[samples / 2];
        let spread = (seconds[samples * 3 / 4] - seconds[samples / 4]) / median;
        Timing { median, minimum: seconds[0], spread }
    }

    /// Keeps a row for the JSON file: a name and its numbers.
    pub fn row(&mut self, name: &str, numbers: &[(&str, f64)]) {
        let mut row = format!("{{\"name\": {name:?}");
        for (key, value) in numbers {
            let _ = write!(row, ", {key:?}: {value:e}");
        }
        row.push('}');
        self.rows.push(row);
    }

    /// Writes the rows, where a file was asked for.
    pub fn finish(self) {
        if let Some(path) = self.json {
            let text = format!("[\n  {}\n]\n", self.rows.join(",\n  "));
            if let Err(error) = std::fs::write(&path, text) {
                eprintln!("{path}: {error}");
            }
        }
    }
}

/// Seconds as text of a fitting unit.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}

/// The most multiply-adds that one core does in registers, as operations a second; what products are held against.
pub fn peak_flops() -> f64 {
    /// Independent chains, enough to hide the latency of a multiply-add and few enough to stay in registers.
    struct Chains(u32);
    impl Wide<f32> for Chains {
        /// The numbers of a register, and something to keep.
        type Output = (usize, f32);
        #[inline(always)]
        #[allow(unsafe_code, reason = "the register vocabulary; it touches no memory here")]
        fn run<S: Lanes<f32>>(self, simd: S) -> (usize, f32) {
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
    let mut lanes = 1;
    let best = (0..9)
        .map(|_| {
            let begun = Instant::now();
            lanes = black_box(f32::run_wide(Chains(black_box(ROUNDS)))).0;
            begun.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    f64::from(ROUNDS) * (CHAINS * lanes * 2) as f64 / best
}
