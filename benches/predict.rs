//! Answers: one row without allocation, and ten thousand rows at once.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::ndarray::Array2;
use axonal::prelude::*;
use measure::{Settings, duration};

fn main() {
    let mut settings = Settings::from_args();
    println!("{:<16} {:>16} {:>12} {:>12} {:>14}", "network", "rows", "median", "minimum", "rows/s");
    for sizes in [&[784, 128, 10][..], &[20, 64, 32, 1]] {
        let mut layers = Sequential::<f32>::new(sizes[0]);
        for &units in &sizes[1..sizes.len() - 1] {
            layers = layers.add(Dense::new(units).activation(Activation::Relu));
        }
        let last = sizes[sizes.len() - 1];
        let activation = if last == 1 { Activation::Sigmoid } else { Activation::Softmax };
        let model = layers
            .add(Dense::new(last).activation(activation))
            .compile(Adam::default(), MeanSquaredError::default())
            .expect("the network compiles");
        let name = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        for rows in [1, 10_000] {
            let x = Array2::from_shape_fn((rows, sizes[0]), |(i, j)| ((i * 7 + j * 13) % 17) as f32 / 17.0);
            let mut out = Array2::zeros((rows, last));
            let mut workspace = model.workspace(rows.min(256)).expect("memory for a batch");
            let timing = settings.time(|| model.predict_into(&x, &mut workspace, &mut out));
            let whole = settings.time(|| model.predict(&x));
            for (how, timing) in [("predict_into", timing), ("predict", whole)] {
                println!(
                    "{name:<16} {:>16} {:>12} {:>12} {:>14.0}",
                    format!("{rows} {how}"),
                    duration(timing.median),
                    duration(timing.minimum),
                    rows as f64 / timing.median
                );
                settings.row(
                    &format!("{name} {rows} {how}"),
                    &[("median", timing.median), ("minimum", timing.minimum)],
                );
            }
        }
    }
    settings.finish();
}
