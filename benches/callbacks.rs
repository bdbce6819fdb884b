//! Cost of callbacks: a training run without callbacks, with three common ones of Keras, and with a closure for each
//! batch; time a step, and the ratio to the run without callbacks.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::callbacks::LambdaCallback;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use measure::{Bench, Timing};
use std::time::Instant;

const ROWS: usize = 10_000;
const BATCH: usize = 32;

fn options<'a>() -> FitOptions<'a, f32> {
    FitOptions::new().epochs(2).batch_size(BATCH)
}

fn main() -> Result<()> {
    let mut bench = Bench::new("callbacks");
    let rounds = if bench.quick { 5 } else { 25 };
    let x = Array2::from_shape_fn((ROWS, 20), |(i, j)| ((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0);
    let y = Array1::from_shape_fn(ROWS, |i| (i % 2) as f32);
    let log = std::env::temp_dir().join(format!("axonal-bench-callbacks-{}.csv", std::process::id()));
    let mut seconds = [const { Vec::new() }; 4];
    // The variants alternate, so that a slow moment of the machine affects all of them.
    for _ in 0..rounds {
        for (variant, seconds) in seconds.iter_mut().enumerate() {
            let mut seen = 0.0;
            let mut model = Sequential::new(20)
                .add(Dense::new(64).activation(Activation::Relu))
                .add(Dense::new(32).activation(Activation::Relu))
                .add(Dense::new(1).activation(Activation::Sigmoid))
                .compile(Adam::default(), BinaryCrossentropy::default())?;
            let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
            let options = match variant {
                0 => options(),
                1 => options().stop_token(&StopToken::new()),
                2 => options()
                    .callback(stopping)
                    .callback(ReduceLrOnPlateau::new("loss"))
                    .callback(CsvLogger::new(&log)),
                _ => options().callback(LambdaCallback::new().on_batch_end(|run| {
                    seen += run.logs().get("loss").unwrap_or_default();
                    Ok(())
                })),
            };
            let begun = Instant::now();
            model.fit_with(&x, &y, options)?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    let _ = std::fs::remove_file(&log);
    let steps = (2 * ROWS.div_ceil(BATCH)) as f64;
    let names = ["no callbacks", "a stop token", "three of Keras's", "a closure each batch"];
    let timings = seconds.map(|seconds| Timing::of(seconds).divided_by(steps));
    for (name, timing) in names.iter().zip(timings) {
        bench.line(name, 1, timing, None, &[("ratio", timing.median / timings[0].median)]);
    }
    bench.finish();
    Ok(())
}
