//! What a training run promises: the same bits for the same seed, correct epoch losses, nothing lost.

use axonal::custom::{Run, Shape};
use axonal::ndarray::{Array1, Array2, s};
use axonal::prelude::*;
use axonal::schedules::LearningRate;

fn data() -> (Array2<f32>, Array1<usize>) {
    let x = Array2::from_shape_fn((103, 6), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let y =
        x.rows().into_iter().map(|row| usize::from(row[0] > row[1]) + usize::from(row[2] > 0.0)).collect();
    (x, y)
}

fn model(seed: u64) -> Model<f32> {
    Sequential::new(6)
        .add(Dense::new(80).activation(Activation::Relu))
        .add(Dropout::new(0.3))
        .add(Dense::new(16).activation(Activation::Silu))
        .add(Dense::new(3).activation(Activation::Softmax))
        .seed(seed)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
}

#[test]
fn two_fits_of_one_epoch_equal_one_fit_of_two() {
    let (x, y) = data();
    let (mut whole, mut halves) = (model(3), model(3));
    let history = whole.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(16)).unwrap();
    let first = halves.fit_with(&x, &y, FitOptions::new().batch_size(16)).unwrap();
    let second =
        halves.fit_with(&x, &y, FitOptions::new().initial_epoch(1).epochs(2).batch_size(16)).unwrap();
    assert_eq!(whole.weights(), halves.weights());
    assert_eq!(history.loss(), [first.loss()[0], second.loss()[0]]);
    assert_eq!((first.epoch_indices(), second.epoch_indices()), (&[0][..], &[1][..]));
}

/// Reads everything and changes nothing.
struct Watch(usize);

impl<F: Float> Callback<F> for Watch {
    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.0 += usize::from(run.logs().get("loss").unwrap().is_finite() && run.model().count_params() > 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        assert!(run.names().iter().all(|name| run.logs().get(name).is_some()));
        Ok(())
    }
}

#[test]
fn a_model_fitted_with_callbacks_equals_one_without() {
    let (x, y) = data();
    let (mut alone, mut watched) = (model(4), model(4));
    let mut watch = Watch(0);
    let options = || FitOptions::new().epochs(3).batch_size(20).validation_split(0.2);
    let one = alone.fit_with(&x, &y, options()).unwrap();
    let other = watched.fit_with(&x, &y, options().callback(&mut watch)).unwrap();
    assert_eq!(alone.weights(), watched.weights());
    assert_eq!(one, other);
    assert_eq!(watch.0, 3 * 5, "82 training rows make five batches of 20");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let (x, y) = data();
    let fitted = |seed| {
        let mut model = model(seed);
        let history = model.fit_with(&x, &y, FitOptions::new().epochs(2)).unwrap();
        (model.weights(), history.loss().to_vec(), model.predict(&x).unwrap())
    };
    assert_eq!(fitted(1), fitted(1));
    assert_ne!(fitted(1).0, fitted(2).0);
}

#[cfg(feature = "rayon")]
#[test]
fn the_number_of_threads_changes_no_bit() {
    // Large enough that work is split where it is at all.
    let x = Array2::from_shape_fn((300, 200), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let y: Array1<usize> = (0..300).map(|i| i * i % 10).collect();
    let fitted = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = Sequential::new(200)
                .add(Dense::new(512).activation(Activation::Relu))
                .add(Dropout::new(0.1))
                .add(Dense::new(256).activation(Activation::Gelu))
                .add(Dense::new(10).activation(Activation::Softmax))
                .seed(8)
                .compile(Adam::default(), SparseCategoricalCrossentropy::default())
                .unwrap();
            model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(128)).unwrap();
            // A last batch of a single row, which must not be one in a thread's part either.
            let lone = model.predict(&x.slice(s![..257, ..])).unwrap();
            let scores = model.evaluate_with(&x, &y, EvaluateOptions::new().batch_size(64)).unwrap();
            (model.weights(), model.predict(&x).unwrap(), lone, scores.loss())
        })
    };
    let one = fitted(1);
    assert_eq!(one.1.slice(s![..257, ..]), one.2);
    for threads in [2, 3, 8] {
        assert_eq!(one, fitted(threads), "{threads} threads");
    }
}

#[cfg(feature = "rayon")]
#[test]
fn the_number_of_threads_changes_no_bit_of_a_convolutional_network() {
    // A last batch of 5, and layers with caches and random streams between the convolutions.
    let x = Array2::from_shape_fn((69, 400), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let x = x.into_shape_with_order((69, 20, 20, 1)).unwrap();
    let y: Array1<usize> = (0..69).map(|i| i * i % 10).collect();
    let fitted = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = Sequential::new([20, 20, 1])
                .add(Conv2D::new(24, [3, 3]).activation(Activation::Gelu))
                .add(Dropout::new(0.1))
                .add(MaxPooling2D::new([2, 2]))
                .add(Conv2D::new(32, [3, 3]).padding(Padding::Same).activation(Activation::Relu))
                .add(Flatten::default())
                .add(Dense::new(10).activation(Activation::Softmax))
                .seed(8)
                .compile(Adam::default(), SparseCategoricalCrossentropy::default())
                .unwrap();
            model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(32)).unwrap();
            (model.weights(), model.predict_nd(&x).unwrap())
        })
    };
    let one = fitted(1);
    for threads in [2, 3, 8] {
        assert_eq!(one, fitted(threads), "{threads} threads");
    }
}

/// Threads that look for the work of a run must not keep those that have come for something else.
#[cfg(feature = "rayon")]
#[test]
fn runs_and_answers_share_one_pool() {
    let x = Array2::from_shape_fn((256, 300), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let y: Array1<usize> = (0..256).map(|i| i * i % 10).collect();
    let fitted = || {
        let mut model = Sequential::new(300)
            .add(Dense::new(512).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax))
            .seed(8)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default())
            .unwrap();
        model.fit_with(&x, &y, FitOptions::new().epochs(3).batch_size(128)).unwrap();
        model
    };
    let alone = fitted();
    let want = (alone.weights(), alone.predict(&x).unwrap());
    for threads in [2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let work = |depth| {
            let (first, second) = rayon::join(fitted, || if depth { alone.clone() } else { fitted() });
            assert_eq!((first.weights(), second.weights()), (want.0.clone(), want.0.clone()));
            assert_eq!(second.predict(&x).unwrap(), want.1);
        };
        std::thread::scope(|scope| {
            for caller in 0..4 {
                let (pool, work) = (&pool, &work);
                scope.spawn(move || (0..3).for_each(|_| pool.install(|| work(caller % 2 == 0))));
            }
        });
    }
}

#[test]
fn parameters_that_move_in_parts_move_as_they_do_together() {
    let x = Array2::from_shape_fn((96, 70), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let y: Array1<usize> = (0..96).map(|i| i * i % 3).collect();
    let compiled = |optimizer: Adam| {
        Sequential::new(70)
            .add(Dense::new(150).activation(Activation::Relu))
            .add(Dense::new(101).use_bias(false).activation(Activation::Tanh))
            .add(Dense::new(3).activation(Activation::Softmax))
            .compile(optimizer, SparseCategoricalCrossentropy::default())
            .unwrap()
    };
    let fit = |model: &mut Model<f32>| {
        model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(20)).unwrap();
    };
    let adam = || Adam::new(0.003).weight_decay(0.01).exclude_from_weight_decay(["bias"]);
    let mut parts = compiled(adam());
    // A norm of all gradients is there only when all of them are.
    let mut whole = compiled(adam().global_clipnorm(1e30));
    fit(&mut parts);
    fit(&mut whole);
    assert_eq!(parts.weights(), whole.weights());
    // The moments, too, and in one order.
    let moments = 4 * 2 * parts.count_params();
    let (from_parts, from_whole) = (parts.to_bytes().unwrap(), whole.to_bytes().unwrap());
    assert_eq!(from_parts[from_parts.len() - moments..], from_whole[from_whole.len() - moments..]);
    let mut loaded = Model::<f32>::from_bytes(&from_parts).unwrap();
    fit(&mut loaded);
    fit(&mut whole);
    assert_eq!(loaded.weights(), whole.weights());
}

/// Plain descent adds gradients to the parameters without ever writing them; clipped by what clips nothing, it does.
#[test]
fn plain_descent_moves_as_it_does_with_gradients_of_their_own() {
    let x = Array2::from_shape_fn((96, 70), |(i, j)| (((i * 31 + j * 17) % 97) as f64 / 48.5 - 1.0).sin());
    let y: Array1<usize> = (0..96).map(|i| i * i % 3).collect();
    let fitted = |optimizer: Sgd, batch_size: usize| {
        let mut model = Sequential::new(70)
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dense::new(101).use_bias(false).activation(Activation::Tanh))
            .add(Dense::new(3).activation(Activation::Softmax))
            .compile(optimizer, SparseCategoricalCrossentropy::default())
            .unwrap();
        model.fit_with(&x, &y, FitOptions::new().epochs(3).batch_size(batch_size)).unwrap();
        model.weights()
    };
    let rate = || LearningRate::from(|step: u64| 0.1 / (1.0 + step as f64));
    for batch_size in [1, 20] {
        let added = fitted(Sgd::new(rate()), batch_size);
        for written in [Sgd::new(rate()).clipvalue(1e30), Sgd::new(rate()).global_clipnorm(1e30)] {
            for (added, written) in added.iter().zip(fitted(written, batch_size)) {
                assert!(
                    added.value.iter().zip(&written.value).all(|(a, b)| (a - b).abs() < 1e-11),
                    "batches of {batch_size}"
                );
            }
        }
    }
}

#[test]
fn the_epochs_loss_is_the_mean_over_samples_also_with_a_short_last_batch() {
    // At a learning rate of 0 the weights do not change, so the epoch's loss must be that of all samples at once.
    let (x, y) = data();
    let mut model = Sequential::new(6)
        .add(Dense::new(3).activation(Activation::Softmax).kernel_regularizer(Regularizer::l2(0.01)))
        .compile(Sgd::new(0.0), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default());
    let all = model.evaluate(&x, &y).unwrap();
    for batch_size in [1, 10, 32, 102, 103, 1000] {
        let history = model.fit_with(&x, &y, FitOptions::new().batch_size(batch_size)).unwrap();
        assert!((history.loss()[0] - all.loss()).abs() < 1e-6, "batch size {batch_size}");
        let accuracy = history.get("accuracy").unwrap()[0];
        assert!((accuracy - all.get("accuracy").unwrap()).abs() < 1e-12, "batch size {batch_size}");
        let options = EvaluateOptions::new().batch_size(batch_size);
        assert!((model.evaluate_with(&x, &y, options).unwrap().loss() - all.loss()).abs() < 1e-6);
    }
}

#[test]
fn validation_split_takes_the_last_rows_and_does_not_train_on_them() {
    let (x, y) = data();
    let (mut split, mut apart) = (model(6), model(6));
    // floor(103 · 0.8) = 82 rows are trained on.
    let one = split.fit_with(&x, &y, FitOptions::new().epochs(2).validation_split(0.2)).unwrap();
    let (x_val, y_val) = (x.slice(s![82.., ..]), y.slice(s![82..]));
    let options = FitOptions::new().epochs(2).validation_data(&x_val, &y_val);
    let other = apart.fit_with(&x.slice(s![..82, ..]), &y.slice(s![..82]), options).unwrap();
    assert_eq!(split.weights(), apart.weights());
    assert_eq!(one, other);
    let every_second = FitOptions::new().epochs(4).validation_split(0.2).validation_freq(2);
    let history = split.fit_with(&x, &y, every_second).unwrap();
    assert_eq!((history.loss().len(), history.get("val_loss").unwrap().len()), (4, 2));
}

#[test]
fn any_layout_and_any_target_type_give_the_same_bits() {
    let (x, y) = data();
    let fitted = |x: &dyn Fn(&mut Model<f32>) -> History| {
        let mut model = model(9);
        let history = x(&mut model);
        (model.weights(), history)
    };
    let options = || FitOptions::new().epochs(2).batch_size(10);
    let plain = fitted(&|model| model.fit_with(&x, &y, options()).unwrap());
    let mut fortran = Array2::zeros((6, 103));
    fortran.assign(&x.t());
    assert_eq!(plain, fitted(&|model| model.fit_with(&fortran.t(), &y, options()).unwrap()));
    let mut wide = Array2::from_elem((206, 12), f32::NAN);
    wide.slice_mut(s![..;-2, ..;2]).assign(&x);
    let gaps = wide.slice(s![..;-2, ..;2]);
    assert_eq!(plain, fitted(&|model| model.fit_with(&gaps, &y, options()).unwrap()));
    assert_eq!(plain.0, fitted(&|model| model.fit_with(&x, &y.mapv(|v| v as u8), options()).unwrap()).0);
    assert_eq!(plain.0, fitted(&|model| model.fit_with(&x, &y.mapv(|v| v as f32), options()).unwrap()).0);
    assert_eq!(
        plain.0,
        fitted(&|model| model.fit_with(&x, &y.mapv(|v| v as i64).to_vec(), options()).unwrap()).0
    );
    let column = y.clone().insert_axis(axonal::ndarray::Axis(1));
    assert_eq!(plain.0, fitted(&|model| model.fit_with(&x, &column, options()).unwrap()).0);
}

#[test]
fn images_of_any_rank_train_as_their_flattened_copies() {
    let (x, y) = data();
    let images = x.clone().into_shape_with_order((103, 2, 3)).unwrap();
    let network = |shape: Shape| {
        Sequential::new(shape)
            .add(Flatten::default())
            .add(Dense::new(3).activation(Activation::Softmax))
            .seed(1)
            .compile(RmsProp::default(), SparseCategoricalCrossentropy::default())
            .unwrap()
    };
    let (mut flat, mut deep) = (network(6.into()), network([2, 3].into()));
    flat.fit(&x, &y).unwrap();
    deep.fit(&images, &y).unwrap();
    assert_eq!(flat.predict(&x).unwrap(), deep.predict(&images).unwrap());
}

#[test]
fn the_answer_does_not_depend_on_the_batch_size() {
    let (x, _) = data();
    let model = model(2);
    let whole = model.predict(&x).unwrap();
    for batch_size in [2, 3, 17, 32, 102, 103, 5000] {
        let part = model.predict_with(&x, PredictOptions::new().batch_size(batch_size)).unwrap();
        assert_eq!(part, whole, "batch size {batch_size}");
    }
    let alone = model.predict_with(&x, PredictOptions::new().batch_size(1)).unwrap();
    assert!((alone - whole).iter().all(|difference| difference.abs() < 1e-6));
}

#[test]
fn a_diverged_run_goes_back_to_its_last_good_epoch() {
    struct Blow(usize);
    impl<F: Float> Callback<F> for Blow {
        fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
            if run.epoch() == self.0 { run.set_learning_rate(1e30) } else { Ok(()) }
        }
    }
    let (x, _) = data();
    let y = x.column(0).to_owned();
    let network = || {
        Sequential::new(6)
            .add(Dense::new(4).activation(Activation::Relu))
            .add(Dense::new(1))
            .compile(Sgd::new(0.01).momentum(0.9), MeanSquaredError::default())
            .unwrap()
    };
    let (mut diverged, mut good) = (network(), network());
    let options = FitOptions::new().epochs(10).callback(Blow(3));
    let error = diverged.fit_with(&x, &y, options).unwrap_err();
    assert!(
        matches!(error, Error::Diverged { last_good_epoch: Some(3), epoch: 4, learning_rate, .. } if learning_rate == 1e30),
        "{error}"
    );
    good.fit_with(&x, &y, FitOptions::new().epochs(3)).unwrap();
    assert_eq!(diverged.weights(), good.weights());
    // And it resumes from there as if nothing had happened.
    diverged.set_learning_rate(0.01).unwrap();
    diverged.fit(&x, &y).unwrap();
    good.fit(&x, &y).unwrap();
    assert_eq!(diverged.weights(), good.weights());
}

#[test]
#[cfg_attr(panic = "abort", ignore = "catches panics")]
fn a_failing_or_panicking_callback_leaves_a_model_that_goes_on() {
    struct Fail(bool);
    impl<F: Float> Callback<F> for Fail {
        fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
            match run.batch() {
                1 if self.0 => panic!("on purpose"),
                1 => Err(Error::Callback { name: "Fail".into(), source: "on purpose".into() }),
                _ => Ok(()),
            }
        }
    }
    let (x, y) = data();
    let mut network = model(1);
    let error = network.fit_with(&x, &y, FitOptions::new().callback(Fail(false))).unwrap_err();
    assert_eq!(error.to_string(), "callback Fail: on purpose");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        network.fit_with(&x, &y, FitOptions::new().callback(Fail(true)))
    }));
    assert!(panicked.is_err());
    assert!(network.predict(&x).unwrap().iter().all(|value| value.is_finite()));
    assert!(network.fit(&x, &y).is_ok());
}

#[test]
fn an_unfitted_copy_is_the_model_as_compiled() {
    let (x, y) = data();
    let fresh = model(5);
    let mut trained = model(5);
    trained.fit(&x, &y).unwrap();
    trained.set_learning_rate(0.5).unwrap();
    let mut again = trained.unfitted();
    assert_eq!(again.weights(), fresh.weights());
    assert_eq!(again.learning_rate(), 0.01);
    again.fit(&x, &y).unwrap();
    let mut first = model(5);
    first.fit(&x, &y).unwrap();
    assert_eq!(again.weights(), first.weights());
}

#[test]
fn the_score_is_the_first_metric_or_minus_the_loss() {
    let (x, y) = data();
    let model = model(5);
    let scores = model.evaluate(&x, &y).unwrap();
    assert_eq!(model.score(&x, &y).unwrap(), scores.get("accuracy").unwrap());
    assert_eq!(model.test_on_batch(&x, &y).unwrap().get("accuracy"), scores.get("accuracy"));
    let bare =
        Sequential::new(6).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError::default()).unwrap();
    let y = x.column(0).to_owned();
    assert_eq!(bare.score(&x, &y).unwrap(), -bare.evaluate(&x, &y).unwrap().loss());
}

#[test]
fn a_model_crosses_threads_and_is_shared_by_them() {
    fn crosses<T: Send + Sync + Clone + 'static>() {}
    crosses::<Model<f32>>();
    crosses::<Model<f64>>();
    crosses::<History>();
    let (x, _) = data();
    let model = std::sync::Arc::new(model(3));
    let alone = model.predict(&x).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(model.predict(&x).unwrap(), alone));
        }
    });
}

#[test]
fn frozen_layers_stand_still_and_are_not_penalized() {
    let (x, y) = data();
    let mut body = Sequential::new(6)
        .add(Dense::new(8).activation(Activation::Tanh).kernel_regularizer(Regularizer::l2(1.0)))
        .freeze()
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    let before = body.weights();
    assert!(body.evaluate(&x, &y).unwrap().loss() < 3.0, "a frozen layer's penalty does not count");
    body.fit(&x, &y).unwrap();
    let after = body.weights();
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2..], after[2..]);
    assert_eq!((body.count_params(), body.count_trainable_params()), (6 * 8 + 8 + 8 * 3 + 3, 8 * 3 + 3));
}
