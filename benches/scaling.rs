//! Growth of time and memory with batch size, width, depth, rows, classes, sequence length, image size and number of
//! clusters, as a table, JSON and a plot.
//!
//! `cargo bench --bench scaling [-- --quick | --all] [--json FOLDER] [--svg FILE]`. `--all` includes the largest
//! sizes, which take some minutes. Every point runs in a separate process, so that its peak memory can be read.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::layers::*;
use axonal::ndarray::{Array1, Array2, ArrayD, Ix2, IxDyn};
use axonal::prelude::*;
use measure::duration;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

const INPUTS: usize = 20;

/// What varies from point to point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweep {
    BatchSize,
    Width,
    Depth,
    Rows,
    Classes,
    LstmLength,
    AttentionLength,
    ImageSize,
    Clusters,
}

impl Sweep {
    const ALL: [Self; 9] = [
        Self::BatchSize,
        Self::Width,
        Self::Depth,
        Self::Rows,
        Self::Classes,
        Self::LstmLength,
        Self::AttentionLength,
        Self::ImageSize,
        Self::Clusters,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::BatchSize => "batch size",
            Self::Width => "width",
            Self::Depth => "depth",
            Self::Rows => "rows",
            Self::Classes => "classes",
            Self::LstmLength => "LSTM, sequence length",
            Self::AttentionLength => "attention, sequence length",
            Self::ImageSize => "Conv2D, image size",
            Self::Clusters => "KMeans, clusters",
        }
    }

    /// The sizes: those of `--quick`, those up to the second bound otherwise, and those up to the third with `--all`.
    fn sizes(self, quick: bool, all: bool) -> Vec<usize> {
        let (from, factor, largest) = match self {
            Self::BatchSize => (1, 4, [4_096, 4_096, 4_096]),
            Self::Width => (16, 4, [256, 1_024, 4_096]),
            Self::Depth => (1, 2, [64, 64, 64]),
            Self::Rows => (1_000, 10, [100_000, 1_000_000, 10_000_000]),
            Self::Classes => (10, 10, [1_000, 10_000, 100_000]),
            Self::LstmLength => (8, 4, [32, 512, 2_048]),
            Self::AttentionLength => (16, 4, [64, 1_024, 4_096]),
            Self::ImageSize => (8, 2, [32, 128, 512]),
            Self::Clusters => (10, 10, [100, 1_000, 10_000]),
        };
        let largest = largest[if all { 2 } else { usize::from(!quick) }];
        std::iter::successors(Some(from), |size| Some(size * factor))
            .take_while(|size| *size <= largest)
            .collect()
    }

    /// The run of one point.
    fn run(self, size: usize) -> Run {
        match self {
            Self::BatchSize => train(mlp(64, 2), labeled(&[INPUTS], 8_192, 2), size),
            Self::Width => train(mlp(size, 2), labeled(&[INPUTS], 1_024, 2), 128),
            Self::Depth => train(mlp(64, size), labeled(&[INPUTS], 8_192, 2), 128),
            Self::Rows => train_streamed(mlp(64, 2), size, 128),
            Self::Classes => {
                let layers = Sequential::new(INPUTS).add(Dense::new(64).activation(Activation::Relu));
                train(classifier(layers, size), labeled(&[INPUTS], 1_024, size), 128)
            }
            Self::LstmLength => {
                let layers = Sequential::new([size, 16]).add(Lstm::new(64));
                train(classifier(layers, 10), labeled(&[size, 16], 64, 10), 32)
            }
            Self::AttentionLength => {
                let layers = Sequential::new([size, 64])
                    .add(MultiHeadAttention::new(4, 16))
                    .add(GlobalAveragePooling1D::default());
                train(classifier(layers, 10), labeled(&[size, 64], 16, 10), 8)
            }
            Self::ImageSize => {
                let conv = |filters| Conv2D::new(filters, 3).activation(Activation::Relu);
                let layers = Sequential::new([size, size, 3])
                    .add(conv(16))
                    .add(conv(32))
                    .add(GlobalAveragePooling2D::default());
                train(classifier(layers, 10), labeled(&[size, size, 3], 16, 10), 8)
            }
            Self::Clusters => cluster(20_000, 32, size),
        }
    }
}

/// A run that is measured: its samples, and what is done with all of them once.
struct Run {
    rows: usize,
    epoch: Box<dyn FnMut()>,
}

fn mlp(width: usize, depth: usize) -> Model<f32> {
    let mut layers = Sequential::new(INPUTS);
    for _ in 0..depth {
        layers = layers.add(Dense::new(width).activation(Activation::Relu));
    }
    let layers = layers.add(Dense::new(1).activation(Activation::Sigmoid));
    layers.compile(Adam::new(1e-4), BinaryCrossentropy::default()).expect("the network compiles")
}

fn classifier(layers: Sequential<f32>, classes: usize) -> Model<f32> {
    let layers = layers.add(Dense::new(classes).activation(Activation::Softmax));
    layers.compile(Adam::new(1e-4), SparseCategoricalCrossentropy::default()).expect("the network compiles")
}

/// A value from -1 to 1 of a feature of a row, generated faster than a network trains on it.
fn value(row: usize, column: usize) -> f32 {
    ((row * 31 + column * 17) % 97) as f32 / 48.5 - 1.0
}

/// Rows of [`INPUTS`] features, with a label of 0 or 1.
fn table_from(first: usize, rows: usize) -> (Array2<f32>, Array1<usize>) {
    let x = Array2::from_shape_fn((rows, INPUTS), |(row, column)| value(first + row, column));
    let y = Array1::from_shape_fn(rows, |row| usize::from(value(first + row, 0) > 0.0));
    (x, y)
}

/// Samples of a shape, with a label below `classes` each.
fn labeled(shape: &[usize], rows: usize, classes: usize) -> (ArrayD<f32>, Array1<usize>) {
    let len: usize = shape.iter().product();
    let values = (0..rows * len).map(|at| value(at / len, at % len)).collect();
    let shape = [&[rows], shape].concat();
    let x = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many values as the shape has");
    (x, Array1::from_shape_fn(rows, |row| row * 7 % classes))
}

fn train(mut model: Model<f32>, (x, y): (ArrayD<f32>, Array1<usize>), batch: usize) -> Run {
    let rows = y.len();
    let epoch = move || {
        model.fit_with(&x, &y, FitOptions::new().batch_size(batch)).expect("the network trains");
    };
    Run { rows, epoch: Box::new(epoch) }
}

/// Trains on rows that are generated batch by batch.
fn train_streamed(mut model: Model<f32>, rows: usize, batch: usize) -> Run {
    let epoch = move || {
        let starts = (0..rows).step_by(batch);
        let batches = starts.map(|first| table_from(first, batch.min(rows - first)));
        model.fit_batches(batches, FitOptions::new()).expect("the network trains");
    };
    Run { rows, epoch: Box::new(epoch) }
}

/// Ten iterations of k-means.
fn cluster(rows: usize, features: usize, clusters: usize) -> Run {
    let (x, _) = labeled(&[features], rows, 1);
    let x = x.into_dimensionality::<Ix2>().expect("a table");
    let fit = move || {
        let mut kmeans = KMeans::new(clusters).init(KMeansInit::Random).max_iter(10).tol(0.0).seed(1);
        kmeans.fit(&x).expect("the rows have clusters");
    };
    Run { rows, epoch: Box::new(fit) }
}

/// Reads a memory counter of this process in KiB, such as "VmHWM:".
fn memory(counter: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(counter));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// Measures the shortest epoch in seconds and the peak memory of this process in MiB.
fn measure_here(mut run: Run) -> (f64, f64) {
    let mut epoch = || {
        let begun = Instant::now();
        (run.epoch)();
        begun.elapsed().as_secs_f64()
    };
    // The first epoch warms up. If it is long, it is the only one.
    let mut seconds = epoch();
    let begun = Instant::now();
    for _ in 0..5 {
        if begun.elapsed().as_secs_f64() + seconds > 2.0 {
            break;
        }
        seconds = seconds.min(epoch());
    }
    (seconds, memory("VmHWM:") / 1024.0)
}

/// Runs [`measure_here`] in a separate process.
fn measure(sweep: Sweep, size: usize, threads: usize) -> Option<[f64; 3]> {
    let output = Command::new(std::env::current_exe().ok()?)
        .args(["--point", sweep.name(), &size.to_string()])
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut values = text.split_whitespace().map_while(|value| value.parse().ok());
    Some([values.next()?, values.next()?, values.next()?])
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).map(|at| &args[at + 1..]);
    if let Some([name, size, ..]) = after("--point") {
        let sweep = Sweep::ALL.into_iter().find(|sweep| sweep.name() == name).expect("a sweep");
        let run = sweep.run(size.parse().expect("a size"));
        let rows = run.rows;
        let (seconds, memory) = measure_here(run);
        println!("{rows} {seconds} {memory}");
        return;
    }
    let given = |name: &str| args.iter().any(|arg| arg == name);
    let mut lines = Vec::new();
    println!("{:>26} {:>10} {:>8} {:>12} {:>16} {:>10}", "", "", "threads", "epoch", "samples/s", "memory");
    for sweep in Sweep::ALL {
        for size in sweep.sizes(given("--quick"), given("--all")) {
            for &threads in measure::thread_counts() {
                let name = sweep.name();
                let Some([rows, seconds, memory]) = measure(sweep, size, threads) else {
                    println!("{name:>26} {size:>10} {threads:>8} failed");
                    continue;
                };
                println!(
                    "{name:>26} {size:>10} {threads:>8} {:>12} {:>16.0} {memory:>6.1} MiB",
                    duration(seconds),
                    rows / seconds
                );
                lines.push(json!({
                    "sweep": name, "size": size, "threads": threads, "rows": rows, "epoch": seconds,
                    "samples_per_second": rows / seconds, "memory_mib": memory,
                }));
            }
        }
    }
    let file = |name: &str| after(name).and_then(<[String]>::first);
    if let Some(path) = file("--svg") {
        std::fs::write(path, plot(&lines)).expect("the plot is written");
    }
    let folder = file("--json").map_or(env!("CARGO_TARGET_TMPDIR"), String::as_str);
    std::fs::create_dir_all(folder).expect("a folder");
    let path = format!("{folder}/scaling.json");
    std::fs::write(&path, format!("{:#}\n", json!({ "bench": "scaling", "rows": lines }))).expect("a file");
    println!("written to {path}");
}

const PANEL: (f64, f64) = (300.0, 210.0);

/// Sweeps beside each other.
const COLUMNS: usize = 3;

/// Plots the time of an epoch above and memory below, for each sweep; both axes are logarithmic.
fn plot(rows: &[Value]) -> String {
    let bands = Sweep::ALL.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS as f64 * PANEL.0, 2.0 * bands as f64 * PANEL.1 + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"11\" fill=\"#24292f\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (at, name) in Sweep::ALL.map(Sweep::name).into_iter().enumerate() {
        let (band, column) = (at / COLUMNS, at % COLUMNS);
        for (row, (key, unit)) in
            [("epoch", "seconds an epoch"), ("memory_mib", "MiB of memory")].into_iter().enumerate()
        {
            let lines = [1, 2].map(|threads| {
                let of = |value: &&Value| value["sweep"] == name && value["threads"] == threads;
                let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or(f64::NAN);
                let pair = |value| (number(value, "size"), number(value, key));
                rows.iter().filter(of).map(pair).collect::<Vec<_>>()
            });
            let top = PANEL.1 * (2 * band + row) as f64;
            panel(&mut svg, (PANEL.0 * column as f64, top), [name, unit], &lines);
        }
    }
    let y = height - 8.0;
    let _ = writeln!(
        svg,
        "<text x=\"60\" y=\"{y}\"><tspan fill=\"#1f77b4\">one thread</tspan>, <tspan fill=\"#e6740c\">two threads</tspan>; \
         both axes are logarithmic</text>\n</svg>"
    );
    svg
}

fn panel(svg: &mut String, (left, top): (f64, f64), [name, unit]: [&str; 2], lines: &[Vec<(f64, f64)>; 2]) {
    let (left, top, width, height) = (left + 58.0, top + 26.0, PANEL.0 - 76.0, PANEL.1 - 66.0);
    let all = || lines.iter().flatten();
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        // Full decades, at least one.
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        (low, high.max(low + 1.0))
    };
    let x_range = range(&mut all().map(|point| point.0));
    let y_range = range(&mut all().map(|point| point.1));
    let place = |(x, y): (f64, f64)| {
        let fraction = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        (left + width * fraction(x, x_range), top + height * (1.0 - fraction(y, y_range)))
    };
    let power = |exponent: f64| match exponent {
        e if (-2.0..=3.0).contains(&e) => format!("{}", (10_f64.powf(e) * 100.0).round() / 100.0),
        e => format!("1e{e}"),
    };
    let line = |svg: &mut String, from: (f64, f64), to: (f64, f64)| {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            svg,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#e3e6ea\"/>"
        );
    };
    let label = |svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str| {
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    };
    let decades = |(low, high): (f64, f64)| (0..=(high - low) as i32).map(move |step| low + f64::from(step));
    for exponent in decades(x_range) {
        line(svg, place((exponent, y_range.0)), place((exponent, y_range.1)));
        label(svg, (place((exponent, 0.0)).0, top + height + 14.0), "middle", &power(exponent));
    }
    for exponent in decades(y_range) {
        line(svg, place((x_range.0, exponent)), place((x_range.1, exponent)));
        label(svg, (left - 5.0, place((0.0, exponent)).1 + 4.0), "end", &power(exponent));
    }
    label(svg, (left + width / 2.0, top + height + 29.0), "middle", name);
    label(svg, (left, top - 8.0), "start", unit);
    for (points, color) in lines.iter().zip(["#1f77b4", "#e6740c"]) {
        let at = points.iter().map(|&(x, y)| place((x.log10(), y.log10())));
        let path: Vec<String> = at.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>"
        );
    }
}
