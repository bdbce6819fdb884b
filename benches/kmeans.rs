//! Speed of k-means for sizes from iris to a million rows: Lloyd's iterations from given centers, k-means++,
//! prediction, and prediction of one row; mini-batch and bisecting k-means, the silhouette score and the elbow.
//!
//! `cargo bench --bench kmeans [-- --quick] [--json FOLDER]`. With `--rows FILE N D K` it measures `f32` rows of a raw
//! file instead, on `RAYON_NUM_THREADS` threads, and prints one line of JSON for `benches/compare_kmeans.py`; with
//! `--relatives FILE N D K` the algorithms beside k-means.

mod measure;

use axonal::cluster::{BisectingKMeans, MiniBatchKMeans, elbow, kmeans_plusplus};
use axonal::metrics::silhouette_score;
use axonal::ndarray::{Array2, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use measure::{Bench, Work, thread_counts, with_threads};
use std::fs::File;
use std::io::{BufReader, Read};
use std::time::{Duration, Instant};

/// Rows, features, clusters, and whether the size is part of a quick run.
const SIZES: [(usize, usize, usize, bool); 9] = [
    (150, 4, 3, true),
    (1_797, 64, 10, true),
    (500_000, 3, 20, false),
    (100_000, 16, 100, true),
    (1_000_000, 16, 10, false),
    (100_000, 64, 100, false),
    (20_000, 128, 256, false),
    (20_000, 784, 10, true),
    (10_000, 128, 1_000, false),
];

/// Overlapping blobs whose centers are uniform in a cube.
fn blobs<F: Float>(n: usize, d: usize, k: usize) -> Array2<F> {
    let mut rng = Rng::new(11, Purpose::Dataset, 0);
    let centers = Array2::from_shape_fn((k, d), |_| 10.0 * rng.uniform());
    let mut x = Array2::zeros((n, d));
    for mut row in x.rows_mut() {
        let center = centers.row(rng.below(k));
        row.iter_mut().zip(center).for_each(|(x, c)| *x = F::of(c + 1.5 * rng.normal()));
    }
    x
}

/// The shortest time of `runs` runs, in seconds.
fn shortest(runs: usize, mut work: impl FnMut()) -> f64 {
    let time = |()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    std::iter::repeat_n((), runs).map(time).min().unwrap_or(Duration::ZERO).as_secs_f64()
}

/// Reads a memory counter of this process in bytes, such as "VmHWM:".
fn memory(counter: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(counter));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) << 10
}

/// Reads `f32` rows from a raw little-endian file.
fn read_rows(path: &str, n: usize, d: usize) -> Result<Array2<f32>> {
    let problem = |source| Error::Io { path: path.into(), source };
    let mut file = BufReader::new(File::open(path).map_err(problem)?);
    let mut x = Array2::zeros((n, d));
    let mut bytes = [0; 4];
    for value in &mut x {
        file.read_exact(&mut bytes).map_err(problem)?;
        *value = f32::from_le_bytes(bytes);
    }
    Ok(x)
}

/// The measurements of one size.
struct Measurements {
    element_type: &'static str,
    sizes: (usize, usize, usize),
    n_iter: usize,
    inertia: f64,
    /// Peak memory of the first fit beyond the rows, in bytes; 0 if the system does not report it.
    bytes_beyond_x: usize,
    lloyd: f64,
    plus_plus: f64,
    predict: f64,
    one_row: f64,
}

/// Measures the shortest times for given rows.
fn measure_rows<F: Float>(x: &Array2<F>, k: usize, runs: usize) -> Result<Measurements> {
    let (n, d) = x.dim();
    let init = KMeansInit::Centers(x.slice(s![..k, ..]).to_owned());
    let mut kmeans = KMeans::new(k).init(init).max_iter(20).tol(0.0);
    let resident = memory("VmRSS:");
    let report = kmeans.fit(x)?;
    let bytes_beyond_x = memory("VmHWM:").saturating_sub(resident);
    let (n_iter, inertia) = (report.n_iter, report.inertia);
    let runs = if n < 10_000 { 50 * runs } else { runs };
    let lloyd = shortest(runs, || drop(kmeans.fit(x)));
    let plus_plus = shortest(runs.min(5), || {
        let mut rng = Rng::new(0, Purpose::Clustering, 0);
        drop(kmeans_plusplus(x, k, None, &mut rng));
    });
    let predict = shortest(runs, || drop(kmeans.predict(x)));
    let row = x.slice(s![..1, ..]);
    let one_row = shortest(100, || (0..100).for_each(|_| drop(kmeans.predict(&row)))) / 100.0;
    Ok(Measurements {
        element_type: F::NAME,
        sizes: (n, d, k),
        n_iter,
        inertia,
        bytes_beyond_x,
        lloyd,
        plus_plus,
        predict,
        one_row,
    })
}

impl Measurements {
    /// GFLOP/s of Lloyd's iterations, counting all distances.
    fn gflops(&self) -> f64 {
        let (n, d, k) = self.sizes;
        2.0 * (n * d * k) as f64 * self.n_iter as f64 / self.lloyd / 1e9
    }

    fn json(&self) -> serde_json::Value {
        let (n, d, k) = self.sizes;
        serde_json::json!({
            "type": self.element_type, "n": n, "d": d, "k": k, "n_iter": self.n_iter, "inertia": self.inertia,
            "bytes_beyond_x": self.bytes_beyond_x, "lloyd_s": self.lloyd,
            "kmeans_plusplus_s": self.plus_plus, "predict_s": self.predict, "predict_one_row_s": self.one_row,
            "gflops": self.gflops(),
        })
    }
}

/// Rows of the silhouette score, whose time is quadratic, and of the elbow, which fits k-means for several k.
const SILHOUETTE_ROWS: usize = 10_000;
const ELBOW_ROWS: usize = 100_000;

/// Rows that all batches of a mini-batch k-means have together, at least: 100 batches.
const MINI_BATCH_ROWS: usize = 100 * 1_024;

/// Calls `time` with each algorithm beside k-means. Returns what they reach.
fn relatives<F: Float>(
    x: &Array2<F>,
    k: usize,
    mut time: impl FnMut(&'static str, &mut dyn FnMut()),
) -> Result<[(&'static str, f64); 3]> {
    let init = KMeansInit::Centers(x.slice(s![..k, ..]).to_owned());
    let passes = MINI_BATCH_ROWS.div_ceil(x.nrows());
    let mut mini_batch = MiniBatchKMeans::new(k).init(init).max_iter(passes).max_no_improvement(None);
    time("mini_batch", &mut || drop(mini_batch.fit(x)));
    let mut bisecting = BisectingKMeans::new(k);
    time("bisecting", &mut || drop(bisecting.fit(x)));
    let scored = x.slice(s![..x.nrows().min(SILHOUETTE_ROWS), ..]);
    let labels = KMeans::new(k).max_iter(20).fit_predict(&scored)?;
    time("silhouette", &mut || drop(silhouette_score(&scored, &labels)));
    let bent = x.slice(s![..x.nrows().min(ELBOW_ROWS), ..]);
    let kmeans = KMeans::new(2).n_init(1).max_iter(20).tol(0.0);
    time("elbow", &mut || drop(elbow(&kmeans, &bent, 2..=9)));
    Ok([
        ("mini_batch_inertia", mini_batch.inertia()?),
        ("bisecting_inertia", bisecting.inertia()?),
        ("silhouette", silhouette_score(&scored, &labels)?),
    ])
}

/// The shortest times of the algorithms beside k-means, and what they reach.
fn measure_relatives(x: &Array2<f32>, k: usize) -> Result<serde_json::Value> {
    let runs = if x.nrows() < 10_000 { 20 } else { 3 };
    let mut figures = serde_json::Map::new();
    let reached = relatives(x, k, |name, work| {
        figures.insert(format!("{name}_s"), shortest(runs, work).into());
    })?;
    figures.extend(reached.map(|(name, value)| (name.into(), value.into())));
    Ok(figures.into())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) =
        arguments.iter().position(|argument| ["--rows", "--relatives"].contains(&argument.as_str()))
    {
        let size = |index: usize| arguments.get(at + index).and_then(|size| size.parse().ok()).unwrap_or(1);
        let x = read_rows(arguments.get(at + 1).map_or("", |path| path), size(2), size(3))?;
        let figures = match arguments[at].as_str() {
            "--rows" => measure_rows(&x, size(4), 5)?.json(),
            _ => measure_relatives(&x, size(4))?,
        };
        println!("{figures}");
        return Ok(());
    }
    let mut bench = Bench::new("kmeans");
    let quick = bench.quick;
    for (n, d, k, _) in SIZES.into_iter().filter(|size| size.3 || !quick) {
        for &threads in thread_counts() {
            with_threads(threads, || table(&mut bench, threads, &blobs::<f32>(n, d, k), k))?;
        }
        if n * d * k < 200_000_000 {
            with_threads(1, || table(&mut bench, 1, &blobs::<f64>(n, d, k), k))?;
        }
    }
    bench.finish();
    Ok(())
}

/// Rows up to which the other algorithms are in the table.
const MAX_ROWS_OF_RELATIVES: usize = 2_000;

/// Prints the lines of one size: Lloyd's iterations from the first rows as centers, k-means++, prediction; of few rows the other
/// algorithms, too.
fn table<F: Float>(bench: &mut Bench, threads: usize, x: &Array2<F>, k: usize) -> Result<()> {
    let (n, d) = x.dim();
    let init = KMeansInit::Centers(x.slice(s![..k, ..]).to_owned());
    let mut kmeans = KMeans::new(k).init(init).max_iter(20).tol(0.0);
    let n_iter = kmeans.fit(x)?.n_iter;
    let distances = 2.0 * (n * d * k) as f64;
    let bytes = (n * d * size_of::<F>()) as f64;
    let work = |operations: f64, bytes_read: f64| {
        Some(Work::operations(operations).with_element_size(size_of::<F>()).moves(bytes_read, bytes))
    };
    let name = |what: &str| format!("{} {n}x{d}x{k} {what}", F::NAME);
    let lloyd = bench.time(|| drop(kmeans.fit(x)));
    let more = [("iterations", n_iter as f64), ("iteration_ms", 1e3 * lloyd.median / n_iter as f64)];
    bench.line(&name("lloyd"), threads, lloyd, work(distances * n_iter as f64, bytes * n_iter as f64), &more);
    let starts = bench.time(|| {
        let mut rng = Rng::new(0, Purpose::Clustering, 0);
        drop(kmeans_plusplus(x, k, None, &mut rng));
    });
    bench.line(&name("k-means++"), threads, starts, None, &[]);
    let predict = bench.time(|| drop(kmeans.predict(x)));
    bench.line(&name("predict"), threads, predict, work(distances, bytes), &[]);
    let row = x.slice(s![..1, ..]);
    let one = bench.time(|| drop(kmeans.predict(&row)));
    bench.line(&name("predict one row"), threads, one, work(2.0 * (d * k) as f64, 0.0), &[]);
    if n <= MAX_ROWS_OF_RELATIVES {
        relatives(x, k, |what, algorithm| {
            let timing = bench.time(algorithm);
            bench.line(&name(what), threads, timing, None, &[]);
        })?;
    }
    Ok(())
}
