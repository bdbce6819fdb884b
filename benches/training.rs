//! Whole training runs: four networks from tiny to middle-sized, in samples a second.
//!
//! Random data of the sizes of Fashion-MNIST and of a small table; the time does not depend on the values.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::ndarray::{Array1, Array2};
use axonal::nn::Loss;
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use measure::{Settings, duration};
use std::time::Instant;

/// A network, its batch and its data.
struct Work {
    name: &'static str,
    /// Inputs, hidden layers, outputs.
    sizes: &'static [usize],
    batch: usize,
    rows: usize,
    /// SGD at 0.01, where others take Adam.
    sgd: bool,
}

const WORKS: [Work; 4] = [
    Work { name: "B1 784-128-10 Adam batch 32", sizes: &[784, 128, 10], batch: 32, rows: 60_000, sgd: false },
    Work {
        name: "B2 784-512-512-10 Adam batch 128",
        sizes: &[784, 512, 512, 10],
        batch: 128,
        rows: 60_000,
        sgd: false,
    },
    Work {
        name: "B3 20-64-32-1 Adam batch 32",
        sizes: &[20, 64, 32, 1],
        batch: 32,
        rows: 10_000,
        sgd: false,
    },
    Work { name: "B4 784-128-10 SGD batch 1", sizes: &[784, 128, 10], batch: 1, rows: 5_000, sgd: true },
];

fn network(work: &Work) -> Model<f32> {
    let mut layers = Sequential::new(work.sizes[0]);
    for &units in &work.sizes[1..work.sizes.len() - 1] {
        layers = layers.add(Dense::new(units).activation(Activation::Relu));
    }
    let outputs = work.sizes[work.sizes.len() - 1];
    let compile = |layers: Sequential<f32>, loss: std::sync::Arc<dyn Loss<f32>>| {
        if work.sgd { layers.compile(Sgd::new(0.01), loss) } else { layers.compile(Adam::default(), loss) }
    };
    let model = if outputs == 1 {
        let layers = layers.add(Dense::new(1).activation(Activation::Sigmoid));
        compile(layers, std::sync::Arc::new(BinaryCrossentropy::default()))
    } else {
        let layers = layers.add(Dense::new(outputs).activation(Activation::Softmax));
        compile(layers, std::sync::Arc::new(SparseCategoricalCrossentropy::default()))
    };
    model.expect("the network compiles")
}

fn data(work: &Work, rows: usize) -> (Array2<f32>, Array1<usize>) {
    let mut rng = Rng::new(7, Purpose::Dataset, 0);
    let x = Array2::from_shape_fn((rows, work.sizes[0]), |_| rng.uniform() as f32);
    let classes = work.sizes[work.sizes.len() - 1].max(2);
    (x, Array1::from_shape_fn(rows, |row| row % classes))
}

fn main() {
    let mut settings = Settings::from_args();
    println!(
        "{:<34} {:>12} {:>12} {:>8} {:>14} {:>12}",
        "training", "epoch", "minimum", "spread", "samples/s", "a step"
    );
    for work in &WORKS {
        let rows = if settings.quick { work.rows / 10 } else { work.rows };
        let (x, y) = data(work, rows);
        let mut model = network(work);
        let fit = |model: &mut Model<f32>| {
            model.fit_with(&x, &y, FitOptions::new().batch_size(work.batch)).expect("the network trains");
        };
        fit(&mut model);
        let mut seconds: Vec<f64> = (0..if settings.quick { 3 } else { 15 })
            .map(|_| {
                let begun = Instant::now();
                fit(&mut model);
                begun.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let (median, minimum) = (seconds[seconds.len() / 2], seconds[0]);
        let spread = (seconds[seconds.len() * 3 / 4] - seconds[seconds.len() / 4]) / median;
        let steps = rows.div_ceil(work.batch) as f64;
        println!(
            "{:<34} {:>12} {:>12} {:>7.1}% {:>14.0} {:>12}",
            work.name,
            duration(median),
            duration(minimum),
            100.0 * spread,
            rows as f64 / median,
            duration(median / steps)
        );
        settings.row(
            work.name,
            &[("epoch", median), ("minimum", minimum), ("samples_per_second", rows as f64 / median)],
        );
    }
    settings.finish();
}
