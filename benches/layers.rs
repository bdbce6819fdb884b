//! Speed of the forward and backward passes of layers, and of an epoch of a small convolutional network.
//!
//! `cargo bench --bench layers [-- --quick] [--json FOLDER]`

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::custom::{Backward, Forward, Mode, Shape};
use axonal::layers::DepthwiseConv2D;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng, RowRng};
use measure::{Bench, Work, thread_counts, with_threads};
use std::time::Instant;

/// A layer, the shape of a sample, the batch size, and the floating-point operations of the forward pass of a sample.
struct Case {
    name: &'static str,
    layer: Box<dyn Layer<f32>>,
    shape: Shape,
    batch: usize,
    operations: Option<usize>,
}

fn case(
    name: &'static str,
    layer: impl Layer<f32> + 'static,
    shape: impl Into<Shape>,
    batch: usize,
    operations: Option<usize>,
) -> Case {
    Case { name, layer: Box::new(layer), shape: shape.into(), batch, operations }
}

fn cases() -> Vec<Case> {
    vec![
        case("dense 512 of 784, batch 128", Dense::new(512), 784, 128, Some(2 * 784 * 512)),
        case(
            "conv2d 32 of 3x3 on 28x28x1, batch 64",
            Conv2D::new(32, 3),
            [28, 28, 1],
            64,
            Some(2 * 26 * 26 * 9 * 32),
        ),
        case(
            "conv2d 64 of 3x3 on 13x13x32, batch 64",
            Conv2D::new(64, 3),
            [13, 13, 32],
            64,
            Some(2 * 121 * 288 * 64),
        ),
        case("conv1d 64 of 3 on 100x32, batch 32", Conv1D::new(64, 3), [100, 32], 32, Some(2 * 98 * 96 * 64)),
        case(
            "depthwise 3x3 on 26x26x32, batch 64",
            DepthwiseConv2D::new(3),
            [26, 26, 32],
            64,
            Some(2 * 576 * 9 * 32),
        ),
        case("max pooling 2 on 26x26x32, batch 64", MaxPooling2D::new(2), [26, 26, 32], 64, None),
        case("batch normalization of 512, batch 128", BatchNormalization::default(), 512, 128, None),
        case("layer normalization of 512, batch 128", LayerNormalization::default(), 512, 128, None),
        case("dropout of 512, batch 128", Dropout::new(0.5), 512, 128, None),
        case("lstm 64 on 20 steps of 32, batch 32", Lstm::new(64), [20, 32], 32, Some(2 * 20 * 4 * 64 * 96)),
        case("gru 64 on 20 steps of 32, batch 32", Gru::new(64), [20, 32], 32, Some(2 * 20 * 3 * 64 * 96)),
    ]
}

fn layer(bench: &mut Bench, threads: usize, case: &Case) {
    let Case { layer, shape, batch, .. } = case;
    let batch = *batch;
    let plan = layer.plan(shape).expect("a shape that the layer takes").input(shape);
    let (inputs, outputs) = (shape.size(), plan.output_shape().size());
    let mut rng = Rng::new(0, Purpose::Other, 0);
    let mut random = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.normal() as f32 * 0.1).collect() };
    let x = Array2::from_shape_vec((batch, inputs), random(batch * inputs)).expect("a matrix");
    let dy = Array2::from_shape_vec((batch, outputs), random(batch * outputs)).expect("a matrix");
    let (params, mut grads) = (random(plan.params_len()), vec![0.0; plan.params_len()]);
    let (mut state, mut cache) = (vec![1.0; plan.state_len()], vec![0.0; plan.cache_len(batch)]);
    let (mut y, mut dx) = (Array2::zeros((batch, outputs)), Array2::zeros((batch, inputs)));
    let forward = bench.time(|| {
        let mode = Mode::Train { rng: RowRng::new(0, 0, 0), state: &mut state };
        layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
    });
    // A backward pass may overwrite its cache and `dy`, so a forward pass precedes each.
    let backward = bench.time_counted(|| {
        let mode = Mode::Train { rng: RowRng::new(0, 0, 0), state: &mut state };
        layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
        let mut dy = dy.clone();
        let begun = Instant::now();
        let pass =
            Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &params, &mut grads, &mut cache);
        layer.backward(pass.planned(&plan));
        begun.elapsed().as_secs_f64()
    });
    let operations = case.operations.map_or(0.0, |operations| (operations * batch) as f64);
    let [inputs, outputs, params] =
        [batch * inputs, batch * outputs, plan.params_len()].map(|n| 4.0 * n as f64);
    let all = inputs + outputs + params;
    // A forward pass moves inputs, outputs and parameters; a backward pass moves them and their gradients.
    let work = Work::operations(operations).moves(all, all);
    bench.line(&format!("{}: forward", case.name), threads, forward, Some(work), &[]);
    let work = Work::operations(2.0 * operations).moves(2.0 * all, 2.0 * all);
    bench.line(&format!("{}: backward", case.name), threads, backward, Some(work), &[]);
}

fn network(bench: &mut Bench, threads: usize) {
    const IMAGES: usize = 1024;
    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation(Activation::Relu).padding(Padding::Same))
        .add(MaxPooling2D::new(2).padding(Padding::Same))
        .add(Flatten::default())
        .add(Dense::new(10).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .expect("a network");
    let mut rng = Rng::new(0, Purpose::Other, 0);
    let x = Array2::from_shape_simple_fn((IMAGES, 784), || rng.uniform() as f32)
        .into_shape_with_order((IMAGES, 28, 28, 1))
        .expect("images");
    let y = Array1::from_shape_fn(IMAGES, |i| i % 10);
    let epoch = bench.time(|| {
        model.fit_with(&x, &y, FitOptions::new().batch_size(64)).expect("a run");
    });
    let more = [("images_per_second", IMAGES as f64 / epoch.median)];
    bench.line("two convolutions, an epoch of 1,024 images", threads, epoch, None, &more);
}

fn main() {
    let mut bench = Bench::new("layers");
    for &threads in thread_counts() {
        with_threads(threads, || {
            // Within the pool, like the steps of a training run.
            rayon::scope(|_| cases().iter().for_each(|case| layer(&mut bench, threads, case)));
            network(&mut bench, threads);
        });
    }
    bench.finish();
}
