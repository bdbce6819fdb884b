//! Speed of prediction: one row without allocation, and ten thousand rows.
//!
//! `cargo bench --bench predict [-- --quick] [--json FOLDER]`

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::ndarray::Array2;
use axonal::prelude::*;
use measure::{Bench, Work, thread_counts, with_threads};

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

fn measure(bench: &mut Bench, sizes: &[usize], threads: usize) {
    let model = network(sizes);
    let name = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    for rows in [1, 10_000] {
        let x = Array2::from_shape_fn((rows, sizes[0]), |(i, j)| ((i * 7 + j * 13) % 17) as f32 / 17.0);
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
    let mut bench = Bench::new("predict");
    for sizes in [&[784, 128, 10][..], &[20, 64, 32, 1]] {
        for &threads in thread_counts() {
            with_threads(threads, || measure(&mut bench, sizes, threads));
        }
    }
    bench.finish();
}
