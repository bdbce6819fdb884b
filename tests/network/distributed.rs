//! Data-parallel training over ranks: against one process with the global batch, to the bit between ranks, and with errors.

use crate::temporary::temporary_path;
use axonal::callbacks::LambdaCallback;
use axonal::distributed::{Collective, Threads};
use axonal::layers::{DepthwiseConv2D, Masking, Residual, TimeDistributed};
use axonal::losses::Reduction;
use axonal::metrics::R2Score;
use axonal::models::{Weight, each_epoch};
use axonal::ndarray::{Array1, Array2, Array3, Array4, Axis};
use axonal::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const ROWS: usize = 48;
const BATCH: usize = 4;

fn rows() -> (Array2<f64>, Array1<usize>) {
    let x = Array2::from_shape_fn((ROWS, 6), |(i, j)| ((i * 31 + j * 17 + i * j) % 97) as f64 / 48.5 - 1.0);
    let y = x.rows().into_iter().map(|s| usize::from(s[0] + s[1] * s[2] > 0.0)).collect();
    (x, y)
}

fn targets(x: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), 2), |(i, j)| x[[i, j]] * x[[i, 5]] + 0.3 * x[[i, 2]])
}

/// Sequences that end early, for a masking layer.
fn sequences() -> Array3<f64> {
    Array3::from_shape_fn((ROWS, 5, 3), |(i, t, j)| {
        if t > i % 5 { 0.0 } else { ((i * 7 + t * 5 + j * 3) % 19) as f64 / 9.5 - 0.9 }
    })
}

fn dense() -> Sequential<f64> {
    Sequential::new(6)
        .add(Dense::new(8).activation(Activation::Tanh).kernel_regularizer(Regularizer::l2(0.01)))
        .add(Dense::new(5).activation(Activation::Relu).activity_regularizer(Regularizer::l2(0.1)))
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(7)
}

fn classifier() -> Result<Model<f64>> {
    dense()
        .compile(Adam::new(0.01).global_clipnorm(0.5), SparseCategoricalCrossentropy::new())
        .map(|model| model.metric(Accuracy::new()))
}

/// The rows of a rank such that each global batch holds the rows of one batch of one process, in its order.
fn interleaved(rank: usize, ranks: usize) -> Vec<usize> {
    (0..ROWS).filter(|i| i / BATCH % ranks == rank).collect()
}

fn assert_close(name: &str, got: &[f64], want: &[f64], tolerance: f64) {
    let is_close =
        got.iter().zip(want).all(|(got, want)| (got - want).abs() <= tolerance * want.abs().max(1.0));
    assert!(got.len() == want.len() && is_close, "{name}: {got:?}, want {want:?}");
}

fn assert_same(got: &[Weight<f64>], want: &[Weight<f64>], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        let off = (&got.value - &want.value).iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(off <= tolerance, "{} is off by {off:e}", got.name);
    }
}

/// Trains in one process and on 2 to 4 ranks with the same global batches, and compares weights and histories. `fit` trains on
/// these rows with these options.
fn agrees(
    model: impl Fn() -> Result<Model<f64>> + Sync,
    fit: impl Fn(&mut Model<f64>, &[usize], FitOptions<'_, f64>) -> Result<History> + Sync,
) {
    for ranks in 2..=4 {
        let options = |ranks: usize| FitOptions::new().epochs(3).shuffle(false).batch_size(BATCH * ranks);
        let mut alone = model().unwrap();
        let history = fit(&mut alone, &(0..ROWS).collect::<Vec<_>>(), options(ranks)).unwrap();
        let results = Threads::run(ranks, |group| {
            let mut model = model()?;
            let own = interleaved(group.rank(), ranks);
            let history = fit(&mut model, &own, options(1).distributed(group))?;
            Ok((model.weights(), history))
        })
        .unwrap();
        for (weights, own) in &results {
            assert_same(weights, &results[0].0, 0.0);
            assert_same(weights, &alone.weights(), 1e-12);
            for name in history.keys() {
                let name = format!("{name} of {ranks} ranks");
                let key = name.split(' ').next().unwrap();
                assert_close(&name, own.get(key).unwrap(), history.get(key).unwrap(), 1e-12);
            }
        }
    }
}

#[test]
fn ranks_train_as_one_process_with_the_global_batch() {
    let (x, y) = rows();
    agrees(classifier, |model, own, options| {
        model.fit_with(&x.select(Axis(0), own), &y.select(Axis(0), own), options)
    });
}

#[test]
fn a_group_of_one_is_a_plain_fit_to_the_bit() {
    let (x, y) = rows();
    let mut alone = classifier().unwrap();
    let history = alone.fit_with(&x, &y, FitOptions::new().epochs(3)).unwrap();
    let results = Threads::run(1, |group| {
        let mut model = classifier()?;
        let history = model.fit_with(&x, &y, FitOptions::new().epochs(3).distributed(group))?;
        Ok((model.weights(), history))
    });
    assert_eq!(results.unwrap(), [(alone.weights(), history)]);
}

#[test]
fn dropout_is_drawn_by_the_row_in_the_global_batch() {
    let (x, _) = rows();
    let y = targets(&x);
    let model = || {
        Sequential::new(6)
            .add(Dense::new(8).activation(Activation::Tanh))
            .add(Dropout::new(0.4))
            .add(Dense::new(2))
            .seed(3)
            .compile(Sgd::new(0.1).momentum(0.9), MeanSquaredError::new())
            .map(|model| model.metric(R2Score::new()).metric(MeanAbsoluteError::new()))
    };
    agrees(model, |model, own, options| {
        let (x, y) = (x.select(Axis(0), own), y.select(Axis(0), own));
        model.fit_with(&x, &y, options.validation_data(&x, &y))
    });
}

#[test]
fn masked_sequences_share_the_loss_by_valid_steps() {
    let x = sequences();
    let y = Array2::from_shape_fn((ROWS, 5), |(i, t)| (i + t) % 3);
    let model = || {
        Sequential::new([5, 3])
            .add(Masking::new(0.0))
            .add(Lstm::new(4).return_sequences(true))
            .add(Dense::new(3).activation(Activation::Softmax).activity_regularizer(Regularizer::l1(0.01)))
            .seed(5)
            .compile(RmsProp::new(0.01), SparseCategoricalCrossentropy::new().ignore_class(2))
            .map(|model| model.metric(Accuracy::new()))
    };
    agrees(model, |model, own, options| {
        model.fit_with(&x.select(Axis(0), own), &y.select(Axis(0), own), options)
    });
}

#[test]
fn images_and_indices_are_trained_together() {
    let images = Array4::from_shape_fn((ROWS, 6, 6, 2), |(i, r, c, k)| {
        ((i * 5 + r * 7 + c * 3 + k) % 13) as f64 / 13.0
    });
    let (_, y) = rows();
    let convolution = || {
        Sequential::new([6, 6, 2])
            .add(Conv2D::new(3, 3).activation(Activation::Relu))
            .add(DepthwiseConv2D::new(2))
            .add(MaxPooling2D::new(2))
            .add(Flatten::new())
            .add(Dense::new(2).activation(Activation::Softmax))
            .seed(8)
            .compile(Sgd::new(0.1).momentum(0.9).nesterov(true), SparseCategoricalCrossentropy::new())
            .map(|model| model.metric(Accuracy::new()))
    };
    agrees(convolution, |model, own, options| {
        model.fit_with(&images.select(Axis(0), own), &y.select(Axis(0), own), options)
    });
    // Rows of the table that only one rank reads, and rows that both do.
    let words = Array2::from_shape_fn((ROWS, 4), |(i, t)| (i * 3 + t * t) % 11);
    let embedding = || {
        Sequential::new(4)
            .add(Embedding::new(11, 3).mask_zero(true))
            .add(GlobalAveragePooling1D::new())
            .add(Dense::new(2).activation(Activation::Softmax))
            .seed(9)
            .compile(Sgd::new(0.5).clipvalue(0.01), SparseCategoricalCrossentropy::new())
    };
    agrees(embedding, |model, own, options| {
        model.fit_with(&words.select(Axis(0), own), &y.select(Axis(0), own), options)
    });
}

#[test]
fn every_reduction_is_that_of_the_global_batch() {
    let (x, _) = rows();
    let y = targets(&x);
    let weights = Array1::from_shape_fn(ROWS, |i| (i % 5) as f64 / 2.0);
    for reduction in [Reduction::Sum, Reduction::SumOverBatchSize, Reduction::MeanWithSampleWeight] {
        let model = || {
            let layers = Sequential::new(6).add(Dense::new(3).activation(Activation::Elu)).add(Dense::new(2));
            layers.seed(2).compile(Sgd::new(0.01).clipnorm(0.1), MeanSquaredError::new().reduction(reduction))
        };
        agrees(model, |model, own, options| {
            let weights = weights.select(Axis(0), own);
            model.fit_with(&x.select(Axis(0), own), &y.select(Axis(0), own), options.sample_weight(&weights))
        });
    }
}

#[test]
fn outputs_of_a_graph_have_their_own_shares() {
    let (x, labels) = rows();
    let (sequences, values) = (sequences(), targets(&x));
    let model = || {
        let (a, b) = (Input::new("a", 6), Input::new("b", [5, 3]));
        let steps = b.then(Masking::new(0.0)).then(Gru::new(4).return_sequences(true));
        let joined = Concatenate::new().of([&a.then(Dense::new(4)), &steps.then(Lstm::new(3))]);
        Graph::new([&a, &b])
            .output(
                "class",
                &joined.then(Dense::new(2).activation(Activation::Softmax)),
                SparseCategoricalCrossentropy::new(),
            )
            .weighted_output("steps", &steps.then(Dense::new(1)), MeanSquaredError::new(), 0.5)
            .weighted_output("values", &joined.then(Dense::new(2)), Huber::new(), 2.0)
            .seed(4)
            .compile(AdamW::new(0.01).ema(0.9))
    };
    let steps = Array3::from_shape_fn((ROWS, 5, 1), |(i, t, _)| ((i + 2 * t) % 7) as f64 / 7.0);
    agrees(model, |model, own, options| {
        let x = (&x.select(Axis(0), own), &sequences.select(Axis(0), own));
        let y = (&labels.select(Axis(0), own), &steps.select(Axis(0), own), &values.select(Axis(0), own));
        model.fit_with(x, y, options)
    });
}

#[test]
fn ranks_of_different_numbers_of_rows_agree() {
    let (x, y) = rows();
    for cut in [1, 20, 47] {
        let results = Threads::run(2, |group| {
            let own: Vec<usize> = if group.rank() == 0 { (0..cut).collect() } else { (cut..ROWS).collect() };
            let mut model = classifier()?;
            let options = FitOptions::new().epochs(2).batch_size(6).distributed(group);
            let history = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options)?;
            Ok((model.weights(), history))
        })
        .unwrap();
        assert_eq!(results[0], results[1]);
    }
}

#[test]
fn moving_statistics_are_averaged_over_the_ranks() {
    let (x, y) = rows();
    let results = Threads::run(3, |group| {
        let own = interleaved(group.rank(), 3);
        let model = dense().add(BatchNormalization::new()).add(Dense::new(2).activation(Activation::Softmax));
        let mut model = model.seed(1).compile(Adam::new(0.01), SparseCategoricalCrossentropy::new())?;
        let (x, y) = (x.select(Axis(0), &own), y.select(Axis(0), &own));
        model.fit_with(
            &x,
            &y,
            FitOptions::new().epochs(2).batch_size(8).validation_split(0.25).distributed(group),
        )?;
        Ok(model.weights())
    })
    .unwrap();
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn synchronized_statistics_are_those_of_the_global_batch() {
    let x = sequences();
    let y = Array2::from_shape_fn((ROWS, 2), |(i, j)| ((i * 3 + j) % 7) as f64 / 7.0);
    let model = || {
        let normalization = || BatchNormalization::new().momentum(0.8).synchronized(true);
        Sequential::new([5, 3])
            .add(Masking::new(0.0))
            .add(normalization())
            .add(Dense::new(4).use_bias(false))
            .add(Residual::new().add(TimeDistributed::new(normalization())).add(Dense::new(4)))
            .add(Gru::new(3))
            .add(normalization().epsilon(0.1))
            .add(Dense::new(2))
            .seed(6)
            // The gradient of an offset before a normalization is 0 but for rounding, which Adam would enlarge.
            .compile(Sgd::new(0.1).momentum(0.9), MeanSquaredError::new())
    };
    agrees(model, |model, own, options| {
        model.fit_with(&x.select(Axis(0), own), &y.select(Axis(0), own), options)
    });
    // Every rank needs rows in every step.
    let failed = Threads::run(2, |group| {
        let own: Vec<usize> = (0..if group.rank() == 0 { 20 } else { 28 }).collect();
        let (x, y) = (x.select(Axis(0), &own), y.select(Axis(0), &own));
        let error =
            model()?.fit_with(&x, &y, FitOptions::new().batch_size(4).distributed(group)).unwrap_err();
        group.barrier()?;
        Ok(error.to_string())
    })
    .unwrap();
    assert!(failed[0] == failed[1] && failed[0].contains("synchronized"), "{failed:?}");
}

#[test]
fn callbacks_see_the_same_run_on_every_rank_and_files_are_written_once() {
    let (x, y) = rows();
    let folder = temporary_path("distributed");
    std::fs::create_dir_all(&folder).unwrap();
    let results = Threads::run(2, |group| {
        let own = interleaved(group.rank(), 2);
        let (x, y) = (x.select(Axis(0), &own), y.select(Axis(0), &own));
        let mut seen = Vec::new();
        let record = LambdaCallback::new().on_batch_end(|run| {
            seen.push((run.rank(), run.logs().get("loss").unwrap()));
            Ok(())
        });
        let mut model = classifier()?;
        // The learning rate of 0 stops the run after the second epoch.
        model.set_learning_rate(0.0)?;
        let options = FitOptions::new()
            .epochs(9)
            .validation_split(0.25)
            .callback(EarlyStopping::new("val_loss"))
            .callback(CsvLogger::new(folder.join("log.csv")))
            .callback(record)
            .distributed(group);
        let history = model.fit_with(&x, &y, options)?;
        Ok((history, seen))
    })
    .unwrap();
    let [(first, seen), (second, others)] = &results[..] else { panic!("two ranks") };
    assert_eq!(first, second);
    assert!(first.epochs() < 9 && first.stopped().is_some());
    assert!(seen.iter().all(|(rank, _)| *rank == 0) && others.iter().all(|(rank, _)| *rank == 1));
    assert!(seen.iter().map(|(_, loss)| loss).eq(others.iter().map(|(_, loss)| loss)));
    let log = std::fs::read_to_string(folder.join("log.csv")).unwrap();
    assert_eq!(log.lines().count(), 1 + first.epochs());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Trains with these options on two ranks, of which `change` may change the model and the options.
fn messages(
    change: impl Fn(usize, FitOptions<'static, f64>) -> FitOptions<'static, f64> + Sync,
    model: impl Fn(usize) -> Result<Model<f64>> + Sync,
) -> Vec<String> {
    let (x, y) = rows();
    Threads::run(2, |group| {
        let own = interleaved(group.rank(), 2);
        let mut model = model(group.rank())?;
        let options: FitOptions<'_, f64> = change(group.rank(), FitOptions::new().epochs(2));
        let options = options.distributed(group);
        let fitted = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options);
        let message = fitted.map(|_| ()).unwrap_err().to_string();
        // The group is still in step.
        group.barrier()?;
        Ok(message)
    })
    .unwrap()
}

#[test]
fn runs_that_differ_between_ranks_are_errors_on_every_rank() {
    let one = |_| classifier();
    let texts = messages(|rank, options| options.batch_size(8 + rank), one);
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].contains("rank 1") && texts[0].contains("\"batch_size\": 9"), "{}", texts[0]);
    let other = |rank: usize| {
        let layers = dense().add(Dense::new(2 + rank).activation(Activation::Softmax));
        layers.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::new())
    };
    let texts = messages(|_, options| options, other);
    assert!(texts.iter().all(|text| text.contains("rank 1")), "{texts:?}");
    let seeds = |rank: usize| {
        dense().seed(rank as u64).compile(Adam::new(0.01), SparseCategoricalCrossentropy::new())
    };
    assert!(messages(|_, options| options, seeds)[0].contains("seed"));
    let callbacks = |rank: usize, options: FitOptions<'static, f64>| {
        if rank == 0 { options } else { options.callback(EarlyStopping::new("loss")) }
    };
    assert!(messages(callbacks, one)[1].contains("number of callbacks"));
}

#[test]
fn an_error_of_one_rank_reaches_all() {
    let one = |_| classifier();
    let failing = |rank: usize, options: FitOptions<'static, f64>| {
        options.callback(LambdaCallback::new().on_batch_end(move |run| match (rank, run.batch()) {
            (1, 0) => Err(Error::invalid_parameter("the callback", "mood", "bad", "good")),
            _ => Ok(()),
        }))
    };
    let texts = messages(failing, one);
    assert!(texts.iter().all(|text| text.contains("the callback")), "{texts:?}");
    assert!(texts[0].contains("rank 1"), "{texts:?}");

    // A loss that overflows on one rank: the same divergence, and the same restored weights.
    let (x, y) = rows();
    let results = Threads::run(2, |group| {
        let own = interleaved(group.rank(), 2);
        let mut x = x.select(Axis(0), &own);
        if group.rank() == 1 {
            x.row_mut(9).fill(1e300);
        }
        let mut model = Sequential::new(6)
            .add(Dense::new(4).kernel_initializer(Initializer::Ones))
            .add(Dense::new(1))
            .compile(Sgd::new(0.1), MeanSquaredError::new())?;
        let y = y.select(Axis(0), &own).mapv(|y| y as f64);
        let error = model.fit_with(&x, &y, FitOptions::new().shuffle(false).batch_size(8).distributed(group));
        Ok((matches!(error, Err(Error::Diverged { .. })), model.weights()))
    })
    .unwrap();
    assert!(results[0].0 && results[0] == results[1]);
}

#[test]
fn a_stop_token_of_one_rank_stops_all_after_the_same_batch() {
    let (x, y) = rows();
    let results = Threads::run(2, |group| {
        let own = interleaved(group.rank(), 2);
        let token = StopToken::new();
        if group.rank() == 1 {
            token.stop();
        }
        let mut model = classifier()?;
        let options = FitOptions::new().epochs(3).batch_size(8).stop_token(&token).distributed(group);
        let history = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options)?;
        Ok((history.stopped().map(str::to_owned), model.weights()))
    })
    .unwrap();
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0].0.as_deref(), Some("interrupted"));
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one() {
    let (x, y) = rows();
    let folder = temporary_path("distributed-resume");
    let run = |stop_at: usize, folder: &std::path::Path| {
        let steps = AtomicUsize::new(0);
        Threads::run(2, |group| {
            let own = interleaved(group.rank(), 2);
            let token = StopToken::new();
            let stop = LambdaCallback::new().on_batch_end(|_| {
                if group.rank() == 1 && steps.fetch_add(1, Ordering::Relaxed) + 1 == stop_at {
                    token.stop();
                }
                Ok(())
            });
            let layers = dense().add(BatchNormalization::new()).add(Dropout::new(0.2));
            let mut model = layers
                .add(Dense::new(2).activation(Activation::Softmax))
                .seed(3)
                .compile(Adam::new(0.02), SparseCategoricalCrossentropy::new())?
                .metric(Accuracy::new());
            let options = FitOptions::new()
                .epochs(4)
                .batch_size(5)
                .stop_token(&token)
                .callback(BackupAndRestore::new(folder).every_batches(2))
                .callback(stop)
                .distributed(group);
            let history = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options)?;
            Ok((model.weights(), history))
        })
        .unwrap()
    };
    let whole = run(usize::MAX, &folder.join("whole"));
    assert_eq!(whole[0], whole[1]);
    for stop_at in [2, 5, 7, 13] {
        let folder = folder.join(stop_at.to_string());
        let stopped = run(stop_at, &folder);
        assert_eq!(stopped[0].1.stopped(), Some("interrupted"));
        let resumed = run(usize::MAX, &folder);
        assert!(resumed == whole, "stopped after batch {stop_at}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_run_continues_between_epochs_with_another_number_of_ranks() {
    let (x, y) = rows();
    let folder = temporary_path("distributed-ranks");
    let run = |ranks: usize, stop_at: (usize, usize)| {
        Threads::run(ranks, |group| {
            let own = interleaved(group.rank(), ranks);
            let token = StopToken::new();
            let stop = LambdaCallback::new().on_batch_end(|run| {
                if (run.epoch(), run.batch()) == stop_at {
                    token.stop();
                }
                Ok(())
            });
            let backup = BackupAndRestore::new(&folder).delete_checkpoint(false);
            let options = FitOptions::new().epochs(4).shuffle(false).batch_size(BATCH * 4 / ranks);
            let options = options.stop_token(&token).callback(backup).callback(stop).distributed(group);
            let mut model = classifier()?;
            let history = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options)?;
            Ok((model.weights(), history))
        })
    };
    // Two ranks train until the end of the second epoch, four continue from there.
    run(2, (1, 2)).unwrap();
    let others = run(4, (9, 9)).unwrap_err().to_string();
    assert!(others.contains("of another run"), "in the middle of an epoch: {others}");
    std::fs::remove_dir_all(&folder).unwrap();
    let epochs = |ranks: usize, epochs: usize| {
        Threads::run(ranks, |group| {
            let own = interleaved(group.rank(), ranks);
            let backup = BackupAndRestore::new(&folder).delete_checkpoint(false);
            let options = FitOptions::new().epochs(epochs).shuffle(false).batch_size(BATCH * 4 / ranks);
            let mut model = classifier()?;
            let options = options.callback(backup).distributed(group);
            let history = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options)?;
            Ok((model.weights(), history))
        })
        .unwrap()
    };
    epochs(2, 2);
    let resumed = epochs(4, 4);
    assert_eq!(resumed[0].1.epochs(), 4);
    assert!(resumed.iter().all(|rank| *rank == resumed[0]));
    let mut alone = classifier().unwrap();
    let options = FitOptions::new().epochs(4).shuffle(false).batch_size(BATCH * 4);
    alone.fit_with(&x, &y, options).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    // The order of rows within a batch of 16 differs, the rows do not.
    assert_same(&resumed[0].0, &alone.weights(), 1e-12);
}

#[test]
fn iterators_of_different_lengths_are_trained_together() {
    let (x, y) = rows();
    let counts = [5, 3];
    let results = Threads::run(2, |group| {
        let own = interleaved(group.rank(), 2);
        let (x, y) = (x.select(Axis(0), &own), y.select(Axis(0), &own));
        let batches = each_epoch(|_| {
            Ok((0..counts[group.rank()]).map(|batch| {
                let rows: Vec<usize> = (batch * BATCH..(batch + 1) * BATCH).collect();
                (x.select(Axis(0), &rows), y.select(Axis(0), &rows))
            }))
        });
        let mut model = classifier()?;
        let history = model.fit_batches(batches, FitOptions::new().epochs(2).distributed(group))?;
        Ok((model.weights(), history))
    })
    .unwrap();
    assert_eq!(results[0], results[1]);
    // The same batches in one process.
    let mut alone = classifier().unwrap();
    let (first, second) = (interleaved(0, 2), interleaved(1, 2));
    let batches = each_epoch(|_| {
        Ok((0..5).map(|batch| {
            let own = batch * BATCH..(batch + 1) * BATCH;
            let mut rows = first[own.clone()].to_vec();
            rows.extend(if batch < 3 { &second[own] } else { &[] });
            (x.select(Axis(0), &rows), y.select(Axis(0), &rows))
        }))
    });
    let history = alone.fit_batches(batches, FitOptions::new().epochs(2)).unwrap();
    assert_same(&results[0].0, &alone.weights(), 1e-12);
    assert_close("loss", results[0].1.loss(), history.loss(), 1e-12);

    let failed = Threads::run(2, |group| {
        let batches = (0..4).map(|batch| match (group.rank(), batch) {
            (1, 2) => Err(Error::invalid_parameter("the source", "batch", batch, "one that can be read")),
            _ => Ok((x.clone(), y.clone())),
        });
        classifier()?.fit_batches(batches, FitOptions::new().distributed(group)).map(|_| ())
    });
    assert!(failed.unwrap_err().to_string().contains("the source"));
}
