//! Growth of time and memory with batch size, width, depth and rows, as a table, JSON and a plot.
//!
//! `cargo bench --bench scaling [-- --quick | --all] [--json FOLDER] [--svg FILE]`. `--all` includes the largest
//! sizes, which take some minutes. Every point runs in a separate process, so that its peak memory can be read.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use measure::duration;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

/// The sizes of a training run; a sweep varies one of them.
#[derive(Clone, Copy)]
struct Point {
    batch: usize,
    width: usize,
    depth: usize,
    rows: usize,
    /// Whether the rows are generated batch by batch, or held in memory.
    streamed: bool,
}

const BASE: Point = Point { batch: 128, width: 64, depth: 2, rows: 8_192, streamed: false };
const INPUTS: usize = 20;

/// The sweeps: a name, and the points with the size that varies.
fn sweeps(quick: bool, all: bool) -> Vec<(&'static str, Vec<(usize, Point)>)> {
    let largest = |all_of: usize, some_of: usize, few_of: usize| match (all, quick) {
        (true, _) => all_of,
        (_, false) => some_of,
        _ => few_of,
    };
    let powers = |from: usize, to: usize, factor: usize| {
        std::iter::successors(Some(from), move |at| Some(at * factor)).take_while(move |at| *at <= to)
    };
    let width = largest(4_096, 1_024, 256);
    vec![
        ("batch size", powers(1, 4_096, 4).map(|batch| (batch, Point { batch, ..BASE })).collect()),
        ("width", powers(16, width, 4).map(|width| (width, Point { width, rows: 1_024, ..BASE })).collect()),
        ("depth", powers(1, 64, 2).map(|depth| (depth, Point { depth, ..BASE })).collect()),
        (
            "rows",
            powers(1_000, largest(10_000_000, 1_000_000, 100_000), 10)
                .map(|rows| (rows, Point { rows, streamed: true, ..BASE }))
                .collect(),
        ),
    ]
}

fn network(point: Point) -> Model<f32> {
    let mut layers = Sequential::new(INPUTS);
    for _ in 0..point.depth {
        layers = layers.add(Dense::new(point.width).activation(Activation::Relu));
    }
    let layers = layers.add(Dense::new(1).activation(Activation::Sigmoid));
    layers.compile(Adam::new(1e-4), BinaryCrossentropy::default()).expect("the network compiles")
}

/// Generates rows from their indices, faster than a network trains on them.
fn batch(first: usize, rows: usize) -> (Array2<f32>, Array1<f32>) {
    let value = |row: usize, column: usize| ((first + row) * 31 + column * 17) % 97;
    let x = Array2::from_shape_fn((rows, INPUTS), |(row, column)| value(row, column) as f32 / 48.5 - 1.0);
    let y = Array1::from_shape_fn(rows, |row| f32::from(u8::from(value(row, 0) > 48)));
    (x, y)
}

/// Reads a memory counter of this process in KiB, such as "VmHWM:".
fn memory(counter: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(counter));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// Measures the shortest epoch in seconds and the peak memory of this process in MiB.
fn measure_here(point: Point) -> (f64, f64) {
    let mut model = network(point);
    let held = if point.streamed { batch(0, 1) } else { batch(0, point.rows) };
    let mut epoch = || {
        let begun = Instant::now();
        if point.streamed {
            let starts = (0..point.rows).step_by(point.batch);
            let batches = starts.map(|first| batch(first, point.batch.min(point.rows - first)));
            model.fit_batches(batches, FitOptions::new()).expect("the network trains");
        } else {
            model.fit_with(&held.0, &held.1, FitOptions::new().batch_size(point.batch)).expect("it trains");
        }
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
fn measure(point: Point, threads: usize) -> Option<(f64, f64)> {
    let sizes = [point.batch, point.width, point.depth, point.rows, usize::from(point.streamed)];
    let output = Command::new(std::env::current_exe().ok()?)
        .arg("--point")
        .args(sizes.map(|size| size.to_string()))
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (seconds, memory) = text.trim().split_once(' ')?;
    Some((seconds.parse().ok()?, memory.parse().ok()?))
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).map(|at| &args[at + 1..]);
    if let Some(sizes) = after("--point") {
        let at = |index: usize| sizes.get(index).and_then(|size| size.parse().ok()).unwrap_or(1);
        let point = Point { batch: at(0), width: at(1), depth: at(2), rows: at(3), streamed: at(4) == 1 };
        let (seconds, memory) = measure_here(point);
        println!("{seconds} {memory}");
        return;
    }
    let given = |name: &str| args.iter().any(|arg| arg == name);
    let mut rows = Vec::new();
    println!(
        "scaling: {INPUTS} inputs, {} layers of {}, batches of {}, Adam",
        BASE.depth, BASE.width, BASE.batch
    );
    println!("{:>12} {:>10} {:>8} {:>12} {:>16} {:>10}", "", "", "threads", "epoch", "samples/s", "memory");
    for (name, points) in sweeps(given("--quick"), given("--all")) {
        for (size, point) in points {
            for &threads in measure::thread_counts() {
                let Some((seconds, memory)) = measure(point, threads) else { continue };
                println!(
                    "{name:>12} {size:>10} {threads:>8} {:>12} {:>16.0} {memory:>6.1} MiB",
                    duration(seconds),
                    point.rows as f64 / seconds
                );
                rows.push(json!({
                    "sweep": name, "size": size, "threads": threads, "rows": point.rows, "epoch": seconds,
                    "samples_per_second": point.rows as f64 / seconds, "memory_mib": memory,
                }));
            }
        }
    }
    let file = |name: &str| after(name).and_then(<[String]>::first);
    if let Some(path) = file("--svg") {
        std::fs::write(path, plot(&rows)).expect("the plot is written");
    }
    let folder = file("--json").map_or(env!("CARGO_TARGET_TMPDIR"), String::as_str);
    std::fs::create_dir_all(folder).expect("a folder");
    let path = format!("{folder}/scaling.json");
    std::fs::write(&path, format!("{:#}\n", json!({ "bench": "scaling", "rows": rows }))).expect("a file");
    println!("written to {path}");
}

const PANEL: (f64, f64) = (300.0, 210.0);

/// Plots the time of an epoch above and memory below, for each sweep; both axes are logarithmic.
fn plot(rows: &[Value]) -> String {
    let (width, height) = (4.0 * PANEL.0, 2.0 * PANEL.1 + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"11\" fill=\"#24292f\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (column, name) in ["batch size", "width", "depth", "rows"].into_iter().enumerate() {
        for (row, (key, unit)) in
            [("epoch", "seconds an epoch"), ("memory_mib", "MiB of memory")].into_iter().enumerate()
        {
            let lines = [1, 2].map(|threads| {
                let of = |value: &&Value| value["sweep"] == name && value["threads"] == threads;
                let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or(f64::NAN);
                let pair = |value| (number(value, "size"), number(value, key));
                rows.iter().filter(of).map(pair).collect::<Vec<_>>()
            });
            panel(&mut svg, (PANEL.0 * column as f64, PANEL.1 * row as f64), [name, unit], &lines);
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
