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

mod machine;

use machine::{Bandwidths, peak_flops};
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
    bandwidths: Bandwidths,
    rows: Vec<Value>,
}

/// What a call must do at least: the roofline (Williams, Waterman and Patterson, Communications of the ACM 52(4), 2009), here the
/// sum of both times, not the larger one.
#[derive(Clone, Default)]
pub struct Work {
    /// Floating-point operations; a multiply-add is two.
    operations: f64,
    /// Bytes that are moved, and the size of what they are moved from, which decides the level of memory.
    moved: Vec<(f64, f64)>,
    /// Whether the operations are on `f64`, of which a register holds half as many.
    is_f64: bool,
}

impl Work {
    pub fn operations(operations: f64) -> Self {
        Self { operations, ..Self::default() }
    }

    /// Operations on elements of this size in bytes.
    pub fn with_element_size(self, bytes: usize) -> Self {
        Self { is_f64: bytes == 8, ..self }
    }

    /// Adds `bytes` read from or written to data of `footprint` bytes that the calls, or the steps of a call, visit again.
    pub fn moves(mut self, bytes: f64, footprint: f64) -> Self {
        self.moved.push((bytes, footprint));
        self
    }
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

/// The value behind an option of the command line.
pub fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

/// Whether the command line asks for fewer and shorter samples.
pub fn is_quick() -> bool {
    std::env::args().any(|arg| arg == "--quick")
}

/// Runs the works once, then the one that each line of the standard input names, and prints the seconds it takes: as
/// `peers.py` asks of a library.
pub fn serve(works: &[&str], mut run: impl FnMut(&str)) {
    works.iter().for_each(|work| run(work));
    println!("ready: {}", works.join(" "));
    for work in std::io::stdin().lines() {
        let (work, begun) = (work.expect("a line"), Instant::now());
        run(&work);
        println!("{}", begun.elapsed().as_secs_f64());
    }
}

impl Bench {
    pub fn new(name: &'static str) -> Self {
        let folder = option("--json").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
        let quick = is_quick();
        let peaks = [1, 2].map(|count| with_threads(count, || peak_flops(count)));
        let [one, two] = peaks.map(|peak| peak / 1e9);
        println!("{name}: peak for f32 in registers is {one:.0} GFLOP/s on one thread, {two:.0} on two");
        println!(
            "{:<52} {:>7} {:>10} {:>10} {:>7} {:>8} {:>7} {:>8}",
            "", "threads", "median", "minimum", "spread", "GFLOP/s", "of peak", "roofline"
        );
        Self { quick, name, folder, peaks, bandwidths: Bandwidths::default(), rows: Vec::new() }
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

    /// The peak for this work, in floating-point operations a second.
    fn peak(&self, threads: usize, work: &Work) -> f64 {
        self.peaks[usize::from(threads > 1)] / if work.is_f64 { 2.0 } else { 1.0 }
    }

    /// The shortest time that `work` could take on this machine, in seconds.
    fn shortest(&mut self, threads: usize, work: &Work) -> f64 {
        let moving: f64 =
            work.moved.iter().map(|&(bytes, footprint)| bytes / self.bandwidths.of(threads, footprint)).sum();
        work.operations / self.peak(threads, work) + moving
    }

    /// Prints a line of the table and adds a row to the file. Must be called within [`with_threads`], as bandwidths are measured
    /// where they are first asked for.
    pub fn line(
        &mut self,
        name: &str,
        threads: usize,
        timing: Timing,
        work: Option<Work>,
        more: &[(&str, f64)],
    ) {
        let Timing { median, minimum, spread } = timing;
        let rate = work.as_ref().map(|work| work.operations / median);
        let of_peak = work.as_ref().map(|work| work.operations / median / self.peak(threads, work));
        let of_roofline = work.map(|work| self.shortest(threads, &work) / median);
        let rates = match (rate, of_peak, of_roofline) {
            (Some(rate), Some(of_peak), Some(of_roofline)) => {
                format!("{:>8.1} {:>6.0}% {:>7.0}%", rate / 1e9, 100.0 * of_peak, 100.0 * of_roofline)
            }
            _ => String::new(),
        };
        let extras: Vec<String> =
            more.iter().map(|(key, value)| format!("{key} {}", short(*value))).collect();
        println!(
            "{name:<52} {threads:>7} {:>10} {:>10} {:>6.1}% {rates:>25} {}",
            duration(median),
            duration(minimum),
            100.0 * spread,
            extras.join(", ")
        );
        let mut row = json!({
            "name": name, "threads": threads, "median": median, "minimum": minimum, "spread": spread,
            "flops": rate, "of_peak": of_peak, "of_roofline": of_roofline,
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
