//! Speed of training: samples a second of four networks from tiny to medium, and the parts of a step.
//!
//! `cargo bench --bench training [-- --quick] [--json FOLDER] [--serve B1]`. The data are random, of the sizes of
//! Fashion-MNIST and of a small table; the time does not depend on the values. With `--serve`, the network trains as
//! `peers.py` asks.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::custom::{
    Backward, Forward, Gradient, LossPass, Plan, RuleOptimizer, Shape, Step, TargetForm, UpdateRule,
};
use axonal::ndarray::{Array1, Array2};
use axonal::optimizers::AnyOptimizer;
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use measure::{Bench, Timing, Work, is_quick, option, serve, thread_counts, with_threads};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

/// A network, its batch size and its number of rows.
struct Case {
    name: &'static str,
    /// Inputs, hidden layers, outputs.
    sizes: &'static [usize],
    batch: usize,
    rows: usize,
    /// Whether the optimizer is SGD instead of Adam.
    sgd: bool,
}

const CASES: [Case; 4] = [
    Case { name: "B1 784-128-10 Adam batch 32", sizes: &[784, 128, 10], batch: 32, rows: 60_000, sgd: false },
    Case {
        name: "B2 784-512-512-10 Adam batch 128",
        sizes: &[784, 512, 512, 10],
        batch: 128,
        rows: 20_000,
        sgd: false,
    },
    Case {
        name: "B3 20-64-32-1 Adam batch 32",
        sizes: &[20, 64, 32, 1],
        batch: 32,
        rows: 10_000,
        sgd: false,
    },
    Case { name: "B4 784-128-10 SGD batch 1", sizes: &[784, 128, 10], batch: 1, rows: 5_000, sgd: true },
];

/// The timed parts of a step. The rest gathers the next batch and updates the metrics. Activations belong to the
/// forward and backward passes.
const PARTS: [&str; 4] = ["forward", "loss", "backward", "optimizer"];

thread_local! {
    /// Seconds spent in each part.
    static SPENT: Cell<[f64; 4]> = const { Cell::new([0.0; 4]) };
    /// The start of the current part.
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Ends the current part and starts the next.
fn lap(part: Option<usize>) {
    let now = Instant::now();
    let since = SINCE.replace(Some(now));
    if let (Some(part), Some(since)) = (part, since) {
        let mut spent = SPENT.get();
        spent[part] += (now - since).as_secs_f64();
        SPENT.set(spent);
    }
}

/// Times the parts of a step: a wrapper of a network's first layer, its loss or its update rule.
#[derive(Debug, Clone)]
struct Timed<T>(T);

impl<L: Layer<f32>> Layer<f32> for Timed<L> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        self.0.plan(input)
    }
    fn forward(&self, pass: Forward<'_, f32>) {
        lap(None);
        self.0.forward(pass);
    }
    fn backward(&self, pass: Backward<'_, f32>) {
        self.0.backward(pass);
    }
    fn gradient(&self, pass: Gradient<'_, f32>) {
        self.0.gradient(pass);
    }
}

impl Loss<f32> for Timed<Arc<dyn Loss<f32>>> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn target_form(&self) -> TargetForm {
        self.0.target_form()
    }
    fn validate(&self, output: &Shape) -> Result<()> {
        self.0.validate(output)
    }
    fn fused_activation(&self) -> Option<Activation> {
        self.0.fused_activation()
    }
    fn fuses(&self, activation: Activation, outputs: usize) -> bool {
        self.0.fuses(activation, outputs)
    }
    fn compute(&self, pass: LossPass<'_, f32>) -> f64 {
        lap(Some(0));
        let loss = self.0.compute(pass);
        lap(Some(1));
        loss
    }
}

impl<R: UpdateRule<f32>> UpdateRule<f32> for Timed<R> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn moments(&self) -> Vec<f64> {
        self.0.moments()
    }
    fn elementwise(&self) -> bool {
        self.0.elementwise()
    }
    fn update(&self, step: Step<'_, f32>) {
        // The update follows the gradient that it uses.
        lap(Some(2));
        self.0.update(step);
        lap(Some(3));
    }
}

/// The network of a case, optionally with timed parts.
fn network(case: &Case, timed: bool) -> Model<f32> {
    let mut layers = Sequential::new(case.sizes[0]);
    let outputs = case.sizes[case.sizes.len() - 1];
    for (index, &units) in case.sizes[1..case.sizes.len() - 1].iter().enumerate() {
        let layer = Dense::new(units).activation(Activation::Relu);
        layers = if timed && index == 0 { layers.add(Timed(layer)) } else { layers.add(layer) };
    }
    let (last, loss): (_, Arc<dyn Loss<f32>>) = if outputs == 1 {
        (Activation::Sigmoid, Arc::new(BinaryCrossentropy::default()))
    } else {
        (Activation::Softmax, Arc::new(SparseCategoricalCrossentropy::default()))
    };
    let layers = layers.add(Dense::new(outputs).activation(last));
    let (rate, rule): (_, AnyOptimizer<f32>) =
        if case.sgd { (0.01, Sgd::new(0.01).any()) } else { (0.001, Adam::default().any()) };
    let model = if timed {
        layers.compile(RuleOptimizer::from_rule(Timed(rule.rule().clone()), rate), Timed(loss))
    } else {
        layers.compile(rule, loss)
    };
    model.expect("the network compiles")
}

/// The samples of an epoch: a tenth in a quick run.
fn data(case: &Case) -> (Array2<f32>, Array1<usize>) {
    let rows = if is_quick() { case.rows / 10 } else { case.rows };
    let mut rng = Rng::new(7, Purpose::Dataset, 0);
    let x = Array2::from_shape_fn((rows, case.sizes[0]), |_| rng.uniform() as f32);
    let classes = case.sizes[case.sizes.len() - 1].max(2);
    (x, Array1::from_shape_fn(rows, |row| row % classes))
}

/// Seconds of a whole epoch, and of each part of its steps.
type Epoch = (f64, [f64; 4]);

/// Trains an epoch. Returns its seconds and, for a timed network, those of the parts.
fn epoch(model: &mut Model<f32>, case: &Case, (x, y): &(Array2<f32>, Array1<usize>)) -> Epoch {
    SPENT.set([0.0; 4]);
    let begun = Instant::now();
    model.fit_with(x, y, FitOptions::new().batch_size(case.batch)).expect("the network trains");
    (begun.elapsed().as_secs_f64(), SPENT.get())
}

fn measure(bench: &mut Bench, case: &Case, threads: usize) {
    let data = data(case);
    let rows = data.0.nrows();
    let steps = rows.div_ceil(case.batch) as f64;
    let mut model = network(case, false);
    epoch(&mut model, case, &data);
    let seconds = (0..bench.samples()).map(|_| epoch(&mut model, case, &data).0).collect();
    let timing = Timing::of(seconds);
    // Products: forward, gradient of the weights, and gradient of the input for each layer but the first.
    let products: Vec<usize> = case.sizes.windows(2).map(|pair| pair[0] * pair[1]).collect();
    let operations = (3 * products.iter().sum::<usize>() - products[0]) * 2 * rows;
    let more = [
        ("samples_per_second", rows as f64 / timing.median),
        ("step_us", 1e6 * timing.median / steps),
        ("rows", rows as f64),
    ];
    // A step reads the parameters forward, and the update reads and writes them and, with Adam, both moments. Each row is read
    // once where it lies.
    let parameters = 4.0 * products.iter().sum::<usize>() as f64;
    let (copies, visits) = if case.sgd { (1.0, 3.0) } else { (3.0, 7.0) };
    let row_bytes = 4.0 * (rows * case.sizes[0]) as f64;
    let work = Work::operations(operations as f64)
        .moves(visits * parameters * steps, copies * parameters)
        .moves(row_bytes, row_bytes);
    bench.line(case.name, threads, timing, Some(work), &more);
    if threads > 1 {
        return;
    }
    let mut model = network(case, true);
    epoch(&mut model, case, &data);
    let epochs: Vec<_> = (0..bench.samples()).map(|_| epoch(&mut model, case, &data)).collect();
    let whole = Timing::of(epochs.iter().map(|(whole, _)| *whole).collect()).median;
    let mut part = |name: &str, of: &dyn Fn(&Epoch) -> f64| {
        let timing = Timing::of(epochs.iter().map(of).collect());
        let name = format!("{} a step: {name}", &case.name[..2]);
        bench.line(&name, 1, timing.divided_by(steps), None, &[("share", timing.median / whole)]);
    };
    for (index, name) in PARTS.into_iter().enumerate() {
        part(name, &|(_, parts)| parts[index]);
    }
    part("the rest", &|(whole, parts)| whole - parts.iter().sum::<f64>());
}

fn main() {
    if let Some(name) = option("--serve") {
        let case = CASES.iter().find(|case| case.name.starts_with(&name)).expect("a network of this name");
        let (mut model, data) = (network(case, false), data(case));
        return serve(&[&name], |_| {
            epoch(&mut model, case, &data);
        });
    }
    let mut bench = Bench::new("training");
    for case in &CASES {
        for &threads in thread_counts() {
            with_threads(threads, || measure(&mut bench, case, threads));
        }
    }
    bench.finish();
}
