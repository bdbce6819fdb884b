//! Training and prediction of small networks of every kind of layer, which `compare_networks.py` runs beside peers.
//!
//! `cargo bench --features onnx --bench networks [-- --quick] [--json FOLDER] [--only NAME] [--onnx FOLDER] [--serve NAME]`
//!
//! With `--onnx`, the networks are exported to the folder and nothing is measured. With `--serve`, the network trains or predicts as
//! `peers.py` asks.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::layers::*;
use axonal::ndarray::{Array1, ArrayD, IxDyn};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use measure::{Bench, Work, is_quick, option, serve, thread_counts, with_threads};
use std::hint::black_box;

/// A network: its layers but the last, the shape of a sample, rows, and batch size.
struct Case {
    name: &'static str,
    layers: fn(Sequential<f32>) -> Sequential<f32>,
    shape: &'static [usize],
    rows: usize,
    batch: usize,
    /// The samples are word indices below this number.
    words: Option<usize>,
    /// Multiply-adds of a sample in the forward pass: all, and those of the inputs, for which training needs no input gradient.
    multiply_adds: [usize; 2],
}

const CASES: &[Case] = &[
    Case {
        name: "lstm",
        layers: |net| net.add(Lstm::new(64)),
        shape: &[50, 16],
        rows: 2_048,
        batch: 32,
        words: None,
        multiply_adds: [50 * 4 * 64 * (16 + 64) + 640, 50 * 4 * 64 * 16],
    },
    Case {
        name: "gru",
        layers: |net| net.add(Gru::new(64)),
        shape: &[50, 16],
        rows: 2_048,
        batch: 32,
        words: None,
        multiply_adds: [50 * 3 * 64 * (16 + 64) + 640, 50 * 3 * 64 * 16],
    },
    Case {
        name: "two_lstm",
        layers: |net| net.add(Lstm::new(128).return_sequences(true)).add(Lstm::new(128)),
        shape: &[100, 32],
        rows: 256,
        batch: 64,
        words: None,
        multiply_adds: [100 * 4 * 128 * (32 + 128 + 256) + 1_280, 100 * 4 * 128 * 32],
    },
    Case {
        name: "conv2d",
        layers: |net| {
            net.add(Conv2D::new(32, 3).activation(Activation::Relu))
                .add(MaxPooling2D::new(2))
                .add(Conv2D::new(64, 3).activation(Activation::Relu))
                .add(MaxPooling2D::new(2))
                .add(Flatten::default())
        },
        shape: &[28, 28, 1],
        rows: 1_024,
        batch: 64,
        words: None,
        multiply_adds: [26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 16_000, 26 * 26 * 9 * 32],
    },
    Case {
        name: "conv2d_batch_norm",
        layers: |net| {
            let block = |net: Sequential<f32>, filters| {
                net.add(Conv2D::new(filters, 3).padding(Padding::Same))
                    .add(BatchNormalization::default())
                    .add(ActivationLayer::new(Activation::Relu))
                    .add(MaxPooling2D::new(2))
            };
            block(block(net, 32), 64).add(Flatten::default())
        },
        shape: &[32, 32, 3],
        rows: 512,
        batch: 64,
        words: None,
        multiply_adds: [32 * 32 * 27 * 32 + 16 * 16 * 9 * 32 * 64 + 40_960, 32 * 32 * 27 * 32],
    },
    Case {
        name: "causal_conv1d",
        layers: |net| {
            let conv = || Conv1D::new(32, 3).padding(Padding::Causal).activation(Activation::Relu);
            net.add(conv()).add(conv()).add(GlobalAveragePooling1D::default())
        },
        shape: &[200, 16],
        rows: 2_048,
        batch: 32,
        words: None,
        multiply_adds: [200 * 3 * (16 + 32) * 32 + 320, 200 * 3 * 16 * 32],
    },
    Case {
        name: "embedding",
        layers: |net| net.add(Embedding::new(5_000, 32)).add(GlobalAveragePooling1D::default()),
        shape: &[64],
        rows: 16_384,
        batch: 128,
        words: Some(5_000),
        multiply_adds: [320, 0],
    },
    Case {
        name: "masked_embedding",
        layers: |net| {
            net.add(Embedding::new(5_000, 32).mask_zero(true)).add(GlobalAveragePooling1D::default())
        },
        shape: &[64],
        rows: 16_384,
        batch: 128,
        words: Some(5_000),
        multiply_adds: [320, 0],
    },
    Case {
        name: "mlp_batch_norm_dropout",
        layers: |net| {
            let block = |net: Sequential<f32>| {
                net.add(Dense::new(128))
                    .add(BatchNormalization::default())
                    .add(ActivationLayer::new(Activation::Relu))
                    .add(Dropout::new(0.3))
            };
            block(block(net))
        },
        shape: &[64],
        rows: 16_384,
        batch: 128,
        words: None,
        multiply_adds: [(64 + 128 + 10) * 128, 64 * 128],
    },
    Case {
        name: "mlp_layer_norm",
        layers: |net| {
            let block = |net: Sequential<f32>| {
                net.add(Dense::new(128).activation(Activation::Relu)).add(LayerNormalization::default())
            };
            block(block(net))
        },
        shape: &[64],
        rows: 16_384,
        batch: 128,
        words: None,
        multiply_adds: [(64 + 128 + 10) * 128, 64 * 128],
    },
    Case {
        name: "depthwise",
        layers: |net| {
            net.add(DepthwiseConv2D::new(3).padding(Padding::Same).activation(Activation::Relu))
                .add(Conv2D::new(32, 1).activation(Activation::Relu))
                .add(GlobalAveragePooling2D::default())
        },
        shape: &[32, 32, 16],
        rows: 512,
        batch: 64,
        words: None,
        multiply_adds: [32 * 32 * 16 * (9 + 32) + 320, 32 * 32 * 16 * 9],
    },
    Case {
        name: "separable",
        layers: |net| {
            net.add(SeparableConv2D::new(32, 3).activation(Activation::Relu))
                .add(MaxPooling2D::new(2))
                .add(SeparableConv2D::new(64, 3).activation(Activation::Relu))
                .add(GlobalAveragePooling2D::default())
        },
        shape: &[32, 32, 16],
        rows: 512,
        batch: 64,
        words: None,
        multiply_adds: [30 * 30 * 16 * (9 + 32) + 13 * 13 * 32 * (9 + 64) + 640, 30 * 30 * 16 * 9],
    },
    Case {
        name: "attention",
        layers: |net| {
            net.add(Residual::new().add(MultiHeadAttention::new(4, 16)))
                .add(LayerNormalization::default())
                .add(GlobalAveragePooling1D::default())
        },
        shape: &[64, 64],
        rows: 512,
        batch: 32,
        words: None,
        multiply_adds: [64 * 64 * (4 * 64 + 2 * 64) + 640, 64 * 64 * 3 * 64],
    },
];

impl Case {
    fn model(&self) -> Model<f32> {
        (self.layers)(Sequential::new(self.shape))
            .add(Dense::new(10).activation(Activation::Softmax))
            .compile(Adam::default(), SparseCategoricalCrossentropy::default())
            .expect("the network compiles")
    }

    fn data(&self, rows: usize) -> (ArrayD<f32>, Array1<usize>) {
        let mut rng = Rng::new(0, Purpose::Other, 0);
        let shape: Vec<usize> = [rows].iter().chain(self.shape).copied().collect();
        let value = || match self.words {
            Some(words) => (rng.uniform() * words as f64).floor() as f32,
            None => rng.uniform() as f32,
        };
        (ArrayD::from_shape_simple_fn(IxDyn(&shape), value), Array1::from_shape_fn(rows, |i| i % 10))
    }

    /// Rows of an epoch: a quarter in a quick run.
    fn rows(&self) -> usize {
        if is_quick() { self.rows / 4 } else { self.rows }
    }

    fn measure(&self, bench: &mut Bench, threads: usize) {
        let mut model = self.model();
        let rows = self.rows();
        let (x, y) = self.data(rows);
        let options = || FitOptions::new().batch_size(self.batch);
        let fit = bench.time(|| model.fit_with(&x, &y, options()).map(|_| ()).expect("an epoch"));
        let predict = bench.time(|| model.predict(&x).expect("predictions"));
        let [all, of_inputs] = self.multiply_adds.map(|count| (2 * count * rows) as f64);
        let (row_bytes, parameters) = (4.0 * x.len() as f64, 4.0 * model.count_params() as f64);
        // Adam reads and writes the parameters and both moments; the forward pass reads the parameters.
        let moved = 7.0 * parameters * rows.div_ceil(self.batch) as f64;
        let train = Work::operations(3.0 * all - of_inputs).moves(moved, 3.0 * parameters);
        let answer = Work::operations(all).moves(parameters, parameters);
        for (how, timing, work) in [("train", fit, train), ("predict", predict, answer)] {
            let rate = [("samples_per_second", rows as f64 / timing.median)];
            let work = work.moves(row_bytes, row_bytes);
            bench.line(&format!("{} {how}", self.name), threads, timing, Some(work), &rate);
        }
    }
}

fn main() {
    let only = option("--only");
    let cases = CASES.iter().filter(|case| only.as_ref().is_none_or(|only| only == case.name));
    if let Some(folder) = option("--onnx") {
        #[cfg(feature = "onnx")]
        for case in cases {
            let path = std::path::Path::new(&folder).join(format!("{}.onnx", case.name));
            if let Err(error) = case.model().export_onnx(path) {
                eprintln!("{error}");
            }
        }
        #[cfg(not(feature = "onnx"))]
        panic!("{folder}: --onnx needs the feature onnx");
        return;
    }
    if let Some(name) = option("--serve") {
        let case = CASES.iter().find(|case| case.name == name).expect("a network of this name");
        let (mut model, (x, y)) = (case.model(), case.data(case.rows()));
        return serve(&["train", "predict"], |work| {
            if work == "train" {
                model.fit_with(&x, &y, FitOptions::new().batch_size(case.batch)).expect("an epoch");
            } else {
                black_box(model.predict(&x).expect("predictions"));
            }
        });
    }
    let mut bench = Bench::new("networks");
    for case in cases {
        for &threads in thread_counts() {
            with_threads(threads, || case.measure(&mut bench, threads));
        }
    }
    bench.finish();
}
