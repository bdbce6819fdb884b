//! Speed of loading a numeric CSV file of 100 MB: MB/s on one core, and peak memory relative to the array.
//!
//! `cargo bench --bench tables --features csv`
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use axonal::datasets::CsvReader;
use axonal::ndarray::Array2;
use axonal::rng::{Purpose, Rng};
use std::io::Write;
use std::time::Instant;

/// The peak memory of the process in bytes, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn main() {
    const COLUMNS: usize = 20;
    let path = std::env::temp_dir().join(format!("axonal-bench-{}.csv", std::process::id()));
    let mut rng = Rng::new(0, Purpose::Other, 0);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("feature_{column}")).collect();
    writeln!(file, "{}", names.join(",")).unwrap();
    let mut bytes = 0;
    while bytes < 100_000_000 {
        let row: Vec<String> = (0..COLUMNS).map(|_| format!("{:.6}", rng.normal() * 100.0)).collect();
        let row = row.join(",");
        writeln!(file, "{row}").unwrap();
        bytes += row.len() + 1;
    }
    file.into_inner().unwrap();
    let before = peak_memory();
    for run in 0..3 {
        let begun = Instant::now();
        let table = CsvReader::new().read::<f64>(&path).unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        let data: &Array2<f64> = &table.data;
        println!("{:?} in {seconds:.2} s: {:.0} MB/s", data.dim(), bytes as f64 / 1e6 / seconds);
        if let (0, Some(before), Some(after)) = (run, before, peak_memory()) {
            let array = (data.len() * 8) as f64;
            println!("peak memory: {:.2} times the array", (after - before) as f64 / array);
        }
    }
    std::fs::remove_file(path).unwrap();
}
