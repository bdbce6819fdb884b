//! Allocations: none in a training step after the first, none in `predict_into`.

use crate::allocation::{COUNT, LIVE};
use axonal::callbacks::LambdaCallback;
use axonal::custom::Run;
use axonal::distributed::Threads;
use axonal::layers::{AdditiveAttention, Attention, ScoreMode, Softmax};
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use std::cell::Cell;

fn allocations() -> usize {
    COUNT.with(Cell::get)
}

/// Records the number of allocations at the end of each batch.
#[derive(Default)]
struct AtBatchEnd(Vec<usize>);

impl<F: Float> Callback<F> for AtBatchEnd {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.0.reserve(run.epochs() * run.batches());
        Ok(())
    }

    fn on_batch_end(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        self.0.push(allocations());
        Ok(())
    }
}

fn allocations_at_batch_ends<F: Float>(
    optimizer: impl Fn() -> Adam,
    dropout: f64,
    last: Activation,
) -> Vec<usize> {
    let x = Array2::from_shape_fn((200, 12), |(i, j)| F::of(((i * 7 + j * 13) % 17) as f64 / 8.5 - 1.0));
    let y: Array1<usize> = (0..200).map(|i| i % 3).collect();
    let mut model = Sequential::new(12)
        .add(Dense::new(70).activation(Activation::Relu))
        .add(Dropout::new(dropout))
        .add(Dense::new(20).activation(Activation::Gelu))
        .add(Dense::new(3).activation(last))
        .compile(optimizer(), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default());
    let mut counts = AtBatchEnd::default();
    model.fit_with(&x, &y, FitOptions::new().epochs(3).batch_size(32).callback(&mut counts)).unwrap();
    counts.0
}

#[test]
fn a_training_step_allocates_nothing_after_the_first() {
    let runs = [
        allocations_at_batch_ends::<f32>(Adam::default, 0.0, Activation::Softmax),
        allocations_at_batch_ends::<f64>(Adam::default, 0.3, Activation::Softmax),
        allocations_at_batch_ends::<f32>(
            || Adam::default().global_clipnorm(1.0).weight_decay(1e-3),
            0.3,
            Activation::Softplus,
        ),
    ];
    for counts in runs {
        assert_eq!(counts.len(), 21);
        // Seven batches an epoch, the last one partial. Counted from the end of the first batch of each epoch.
        for epoch in counts.chunks(7) {
            assert_eq!(epoch[0], epoch[6], "allocations at batch ends: {counts:?}");
        }
    }
}

#[test]
fn a_step_over_padded_sequences_allocates_nothing_after_the_first() {
    let x = Array2::from_shape_fn((200, 6), |(i, j)| ((i * 7 + j * 13) % 5) as f32);
    let y: Array1<usize> = (0..200).map(|i| i % 3).collect();
    let mut model = Sequential::new(6)
        .add(Embedding::new(5, 3).mask_zero(true))
        .add(Bidirectional::new(Gru::new(4).return_sequences(true)))
        .add(BatchNormalization::default())
        .add(Softmax::default().axis([1]))
        .add(Lstm::new(4))
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    let mut counts = AtBatchEnd::default();
    model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(32).callback(&mut counts)).unwrap();
    for epoch in counts.0.chunks(7) {
        assert_eq!(epoch[0], epoch[6], "allocations at batch ends: {counts:?}", counts = counts.0);
    }
}

#[test]
fn a_step_of_attention_and_projections_allocates_nothing_after_the_first() {
    let x = Array2::from_shape_fn((200, 6), |(i, j)| ((i * 7 + j * 13) % 5) as f32);
    let y: Array1<usize> = (0..200).map(|i| i % 3).collect();
    let input = Input::new("x", 6);
    let words = input.then(Embedding::new(5, 4).mask_zero(true));
    let concat = Attention::new().score_mode(ScoreMode::Concat).use_scale(true).dropout(0.2);
    let first = Attention::new().use_scale(true).causal(true).of([&words, &words]);
    let second = AdditiveAttention::new().of([&concat.of([&first, &words, &words]), &words]);
    let block = Residual::new().add(Dense::new(5).activation(Activation::Tanh)).projection(Dense::new(5));
    let last = second.then(block).then(Lstm::new(4)).then(Dense::new(3).activation(Activation::Softmax));
    let graph = Graph::new([&input]).output("y", &last, SparseCategoricalCrossentropy::default());
    let mut model: Model<f32> = graph.compile(Adam::default()).unwrap();
    let mut counts = AtBatchEnd::default();
    model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(32).callback(&mut counts)).unwrap();
    for epoch in counts.0.chunks(7) {
        assert_eq!(epoch[0], epoch[6], "allocations at batch ends: {counts:?}", counts = counts.0);
    }
}

#[test]
fn fit_batches_keeps_memory_constant() {
    // 16 MB in total, 80 kB a batch.
    let batches = (0..200).map(|batch| {
        let x = Array2::from_shape_fn((100, 200), |(i, j)| ((batch + i * 7 + j * 13) % 17) as f32 / 8.5);
        (x, (0..100).map(|i| i % 3).collect::<Array1<usize>>())
    });
    let mut model = Sequential::new(200)
        .add(Dense::new(20).activation(Activation::Relu))
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    let mut live = Vec::with_capacity(200);
    let record = LambdaCallback::new().on_batch_end(|_| {
        live.push(LIVE.with(Cell::get));
        Ok(())
    });
    model.fit_batches(batches, FitOptions::new().callback(record)).unwrap();
    assert_eq!(live.len(), 200);
    assert!(live.iter().all(|&bytes| bytes == live[0]), "{live:?}");
}

#[test]
fn predict_into_allocates_nothing() {
    let model = Sequential::<f32>::new(20)
        .add(Dense::new(100).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    for rows in [1, 7] {
        let x = Array2::from_elem((rows, 20), 0.5);
        let mut workspace = model.workspace(rows).unwrap();
        let mut out = Array2::zeros((rows, 10));
        model.predict_into(&x, &mut workspace, &mut out).unwrap();
        let before = allocations();
        for _ in 0..10 {
            model.predict_into(&x, &mut workspace, &mut out).unwrap();
        }
        assert_eq!(allocations(), before);
    }
}

#[test]
fn the_steps_of_a_rank_allocate_nothing() {
    let count = |rows: usize| {
        let counts = Threads::run(2, |group| {
            let x = Array2::from_shape_fn((rows, 6), |(i, j)| ((i * 7 + j) % 5) as f32);
            let y = Array1::from_shape_fn(rows, |i| i % 3);
            let mut model = Sequential::new(6)
                .add(Dense::new(200).activation(Activation::Relu))
                .add(BatchNormalization::new().synchronized(true))
                .add(Dense::new(3).activation(Activation::Softmax))
                .compile(Adam::new(0.01), SparseCategoricalCrossentropy::new())?
                .metric(Accuracy::new());
            let before = allocations();
            model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(8).distributed(group))?;
            Ok(allocations() - before)
        });
        counts.unwrap()
    };
    // 160 more steps; vectors that grow with the rows may be allocated once more.
    let (few, many) = (count(160), count(800));
    assert!(many.iter().zip(&few).all(|(many, few)| *many < few + 10), "{few:?}, {many:?}");
}
