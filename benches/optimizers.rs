//! Speed of the update rules: nanoseconds a parameter and step, and the ratio to copying the same bytes.
//!
//! `cargo bench --bench optimizers [-- --quick] [--json FOLDER]`. A step reads and writes the
//! parameters and the moments, and reads the gradients.

#![allow(missing_docs, reason = "a bench")]

mod measure;
use axonal::custom::{Shape, Step, UpdateRule, WeightArray};
use axonal::optimizers::{Adadelta, Adafactor, Adagrad, Adamax, AnyOptimizer, Ftrl, Lamb, Lion, Nadam};
use axonal::prelude::*;
use measure::{Bench, with_threads};
use std::hint::black_box;

/// Columns of the matrix that the parameters form, for rules with factored moments.
const COLUMNS: usize = 100;

fn rules() -> Vec<(&'static str, AnyOptimizer<f32>)> {
    vec![
        ("sgd", Sgd::default().any()),
        ("sgd, momentum", Sgd::default().momentum(0.9).any()),
        ("sgd, nesterov", Sgd::default().momentum(0.9).nesterov(true).any()),
        ("adam", Adam::default().any()),
        ("adam, amsgrad", Adam::default().amsgrad(true).any()),
        ("adamw", AdamW::default().any()),
        ("nadam", Nadam::default().any()),
        ("adamax", Adamax::default().any()),
        ("rmsprop", RmsProp::default().any()),
        ("rmsprop, momentum", RmsProp::default().momentum(0.9).any()),
        ("rmsprop, centered", RmsProp::default().centered(true).any()),
        ("adagrad", Adagrad::default().any()),
        ("adadelta", Adadelta::default().any()),
        ("lion", Lion::default().any()),
        ("ftrl", Ftrl::default().any()),
        ("lamb", Lamb::default().any()),
        ("adafactor", Adafactor::default().any()),
        ("adafactor, matrix", Adafactor::default().any()),
    ]
}

fn measure(bench: &mut Bench) {
    let sizes: &[usize] = if bench.quick { &[100_000] } else { &[100_000, 10_000_000] };
    for &n in sizes {
        let grads: Vec<f32> = (0..n).map(|i| ((i % 1009) as f32 - 504.0) * 1e-3).collect();
        for (name, optimizer) in rules() {
            let rule = optimizer.rule();
            let initial = UpdateRule::<f32>::moments(rule);
            let mut params = vec![0.5f32; n];
            let mut moments: Vec<f32> = initial.iter().flat_map(|&v| vec![v as f32; n]).collect();
            let mut number = 0;
            let matrix = [WeightArray::new(0..n, Shape::from([n / COLUMNS, COLUMNS]))];
            let arrays = if name.ends_with("matrix") { &matrix[..] } else { &[] };
            let step = bench.time(|| {
                number += 1;
                let step = Step::new(&mut params, black_box(&grads), &mut moments, 1e-6, number);
                rule.update(step.arrays(arrays));
            });
            // Parameters and moments are read and written, gradients read; a copy reads and writes each element. The
            // factored moments of a matrix are negligible.
            let moments = if arrays.is_empty() { initial.len() } else { 0 };
            let moved = (2 * (1 + moments) + 1) * n / 2;
            let (from, mut to) = (vec![1.0f32; moved], vec![0.0f32; moved]);
            let copy = bench.time(|| to.copy_from_slice(black_box(&from)));
            let per_param = |seconds: f64| seconds * 1e9 / n as f64;
            let more = [
                ("ns", per_param(step.median)),
                ("copy_ns", per_param(copy.median)),
                ("ratio", step.median / copy.median),
            ];
            bench.line(&format!("{name}, {n} parameters"), 1, step, None, &more);
        }
    }
}

fn main() {
    let mut bench = Bench::new("optimizers");
    with_threads(1, || measure(&mut bench));
    bench.finish();
}
