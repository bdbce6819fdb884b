//! Learns from more rows than fit into memory: each batch is generated while it is read, and dropped before the next one.
//! Prints the rate and the peak memory of mini-batch k-means, k-means and a network, each in a separate process.
//! `cargo run --release --example larger_than_memory [gigabytes]`
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::time::Instant;

const FEATURES: usize = 64;
const CLUSTERS: usize = 16;
const BATCH: usize = 8192;
const KINDS: [&str; 3] = ["MiniBatchKMeans::partial_fit", "KMeans::fit_batches", "Model::fit_batches"];

/// A batch of rows around the centers, a function of its number.
fn batch(number: usize) -> Array2<f32> {
    let mut states: [u32; 16] =
        std::array::from_fn(|lane| ((number * 16 + lane) as u32).wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b);
    let mut values = vec![0.0; BATCH * FEATURES];
    for (place, values) in values.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let cluster = place * 16 / FEATURES % CLUSTERS;
        for (lane, (value, state)) in values.iter_mut().zip(&mut states).enumerate() {
            // A linear congruential generator, of which the high bits are used.
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (*state >> 8) as f32 / (1 << 24) as f32;
            *value = ((cluster * 7 + lane * 5) % 11) as f32 + noise;
        }
    }
    Array2::from_shape_vec((BATCH, FEATURES), values).unwrap_or_default()
}

/// Targets that follow from the rows.
fn targets(x: &Array2<f32>) -> Array1<f32> {
    x.rows().into_iter().map(|row| 0.1 * (row[0] - row[1] + row[FEATURES - 1])).collect()
}

/// Learns from this many batches. Returns the number of passes over them.
fn learn(kind: &str, batches: usize) -> Result<usize> {
    match kind {
        "MiniBatchKMeans::partial_fit" => {
            let mut kmeans = MiniBatchKMeans::new(CLUSTERS).seed(1);
            (0..batches).try_for_each(|number| kmeans.partial_fit(&batch(number)))?;
            assert_eq!(kmeans.n_steps()?, batches);
            Ok(1)
        }
        "KMeans::fit_batches" => {
            let mut first = KMeans::new(CLUSTERS).seed(1).max_iter(1);
            first.fit(&batch(0))?;
            let start = KMeansInit::Centers(first.cluster_centers()?.clone());
            let mut kmeans = KMeans::new(CLUSTERS).init(start).max_iter(3);
            let mut passes = 0;
            kmeans.fit_batches(|pass| {
                passes = pass + 1;
                Ok((0..batches).map(batch))
            })?;
            assert_eq!(kmeans.cluster_sizes()?.sum(), batches * BATCH);
            Ok(passes)
        }
        _ => {
            let mut model = Sequential::new(FEATURES)
                .add(Dense::new(32).activation(Activation::Relu))
                .add(Dense::new(1))
                .compile(Adam::default(), MeanSquaredError::default())?;
            let rows = (0..batches).map(|number| {
                let x = batch(number);
                let y = targets(&x);
                (x, y)
            });
            let history = model.fit_batches(rows, FitOptions::new())?;
            assert!(history.loss()[0].is_finite());
            Ok(1)
        }
    }
}

/// Peak resident memory in MB, where the system reports it.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok().map(|kib: f64| kib * 1024.0 / 1e6)
}

fn main() -> Result<()> {
    let gigabytes: f64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.02);
    let batches = ((gigabytes * 1e9 / (BATCH * FEATURES * size_of::<f32>()) as f64) as usize).max(2);
    let Some(kind) = std::env::args().nth(2) else {
        println!(
            "| rows of {FEATURES} features | GB | passes | peak memory, MB | GB/s | rows/s |\n|---|---|---|---|---|---|"
        );
        for kind in KINDS {
            let program = std::env::current_exe()
                .map_err(|error| Error::Callback { name: "current_exe".into(), source: error.into() })?;
            let run =
                std::process::Command::new(program).args([gigabytes.to_string().as_str(), kind]).status();
            assert!(run.is_ok_and(|status| status.success()), "{kind} failed");
        }
        return Ok(());
    };
    let begun = Instant::now();
    let passes = learn(&kind, batches)?;
    let seconds = begun.elapsed().as_secs_f64();
    let rows = (passes * batches * BATCH) as f64;
    let bytes = rows * (FEATURES * size_of::<f32>()) as f64;
    let memory = peak_megabytes().map_or("unknown".into(), |peak| format!("{peak:.0}"));
    let (per_pass, rate) = (bytes / passes as f64 / 1e9, bytes / 1e9 / seconds);
    println!("| `{kind}` | {per_pass:.2} | {passes} | {memory} | {rate:.2} | {:.2e} |", rows / seconds);
    Ok(())
}
