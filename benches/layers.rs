//! Forward and backward passes of the heavy layers, and a training step of a small convolutional network.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng, RowRng};
use std::time::Instant;

/// The least time of several runs, in seconds.
fn least(mut work: impl FnMut()) -> f64 {
    work();
    let mut best = f64::INFINITY;
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < 0.5 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn layer(name: &str, layer: &dyn Layer<f32>, shape: impl Into<Shape>, batch: usize) {
    let shape = shape.into();
    let plan = layer.plan(&shape).expect("a shape that the layer takes").input(&shape);
    let (inputs, outputs) = (shape.size(), plan.output_shape().size());
    let mut rng = Rng::new(0, Purpose::Other, 0);
    let mut random = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.normal() as f32 * 0.1).collect() };
    let x = Array2::from_shape_vec((batch, inputs), random(batch * inputs)).expect("a matrix");
    let dy = Array2::from_shape_vec((batch, outputs), random(batch * outputs)).expect("a matrix");
    let (params, mut grads) = (random(plan.params_len()), vec![0.0; plan.params_len()]);
    let (mut state, mut cache) = (vec![1.0; plan.state_len()], vec![0.0; plan.cache_len(batch)]);
    let (mut y, mut dx) = (Array2::zeros((batch, outputs)), Array2::zeros((batch, inputs)));
    let forward = least(|| {
        let mode = Mode::Train { rng: RowRng::new(0, 0, 0), state: &mut state };
        layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
    });
    // A backward pass may use its cache up, so each has a forward pass before it.
    let both = least(|| {
        let mode = Mode::Train { rng: RowRng::new(0, 0, 0), state: &mut state };
        layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
        let mut dy = dy.clone();
        let pass =
            Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &params, &mut grads, &mut cache);
        layer.backward(pass.planned(&plan));
    });
    println!("{name:44} forward {:8.3} ms, backward {:8.3} ms", forward * 1e3, (both - forward) * 1e3);
}

fn network() {
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
    let x = Array2::from_shape_simple_fn((2048, 784), || rng.uniform() as f32)
        .into_shape_with_order((2048, 28, 28, 1))
        .expect("images");
    let y = Array1::from_shape_fn(2048, |i| i % 10);
    let seconds = least(|| {
        model.fit_with(&x, &y, FitOptions::new().batch_size(64)).expect("a run");
    });
    println!("{:44} {:.2} s for 60,000 images", "two convolutions, batch 64", seconds / 2048.0 * 60_000.0);
}

fn main() {
    layer("conv2d 32 of 3 x 3 on 28 x 28 x 1, batch 64", &Conv2D::new(32, 3), [28, 28, 1], 64);
    layer("conv2d 64 of 3 x 3 on 13 x 13 x 32, batch 64", &Conv2D::new(64, 3), [13, 13, 32], 64);
    layer("depthwise 3 x 3 on 26 x 26 x 32, batch 64", &DepthwiseConv2D::new(3), [26, 26, 32], 64);
    layer("max pooling 2 on 26 x 26 x 32, batch 64", &MaxPooling2D::new(2), [26, 26, 32], 64);
    layer("batch normalization of 512, batch 128", &BatchNormalization::default(), 512, 128);
    layer("layer normalization of 512, batch 128", &LayerNormalization::default(), 512, 128);
    layer("lstm 64 on 20 steps of 32, batch 32", &Lstm::new(64), [20, 32], 32);
    layer("gru 64 on 20 steps of 32, batch 32", &Gru::new(64), [20, 32], 32);
    network();
}
