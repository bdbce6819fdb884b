//! Speed of prediction: one row without allocation, and ten thousand rows.
//!
//! `cargo bench --bench predict [-- --quick] [--json FOLDER] [--serve 784-128-10]`
//!
//! With `--serve`, the network predicts ten thousand rows as `peers.py` asks.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::ndarray::Array2;
use axonal::prelude::*;
use measure::{Bench, Work, option, serve, thread_counts, with_threads};
use std::hint::black_box;

/// Rows of the long predictions.
const ROWS: usize = 10_000;

fn network(sizes: &[usize]) -> Model<f32> {
    let mut layers = Sequential::<f32>::new(sizes[0]);
    for &units in &sizes[1..sizes.len() - 1] {
        layers = layers.add(Dense::new(units).activation(Activation::Relu));
    }
    let last = sizes[sizes.len() - 1];
    let activation = if last == 1 { Activation::Sigmoid } else { Activation::Softmax };
    layers
        .add(Dense::new(last).activation(activation))
        .compile(Adam::default(), MeanSquaredError::default())
        .expect("the network compiles")
}

fn samples(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 13) % 17) as f32 / 17.0)
}

fn measure(bench: &mut Bench, sizes: &[usize], threads: usize) {
    let model = network(sizes);
    let name = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    for rows in [1, ROWS] {
        let x = samples(rows, sizes[0]);
        let mut out = Array2::zeros((rows, sizes[sizes.len() - 1]));
        let mut workspace = model.workspace(rows.min(256)).expect("memory for a batch");
        let weights = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum::<usize>();
        let (bytes, row_bytes) = (4.0 * weights as f64, 4.0 * (rows * sizes[0]) as f64);
        let work =
            Work::operations((2 * rows * weights) as f64).moves(bytes, bytes).moves(row_bytes, row_bytes);
        let into = bench.time(|| model.predict_into(&x, &mut workspace, &mut out));
        let whole = bench.time(|| model.predict(&x));
        for (how, timing) in [("predict_into", into), ("predict", whole)] {
            let more = [("rows_per_second", rows as f64 / timing.median)];
            bench.line(&format!("{name} {rows} {how}"), threads, timing, Some(work.clone()), &more);
        }
    }
}

fn main() {
    if let Some(name) = option("--serve") {
        let sizes: Vec<usize> =
            name.split('-').map(|size| size.parse().expect("the sizes of a network")).collect();
        let (model, x) = (network(&sizes), samples(ROWS, sizes[0]));
        return serve(&[&name], |_| {
            black_box(model.predict(&x).expect("predictions"));
        });
    }
    let mut bench = Bench::new("predict");
    for sizes in [&[784, 128, 10][..], &[20, 64, 32, 1]] {
        for &threads in thread_counts() {
            with_threads(threads, || measure(&mut bench, sizes, threads));
        }
    }
    bench.finish();
}
