//! Class weights, weights of steps and of validation data, and evaluation, prediction and training from iterators.

use crate::temporary::temporary_path;
use axonal::class_weight::{ClassWeight, compute_class_weight, compute_sample_weight};
use axonal::models::each_epoch;
use axonal::ndarray::{Array1, Array2, Array3, Axis, array, s};
use axonal::prelude::*;
use serde_json::Value;

fn says<T>(result: Result<T>) -> String {
    result.err().expect("bad input was accepted").to_string()
}

/// Predicts `w x + b` from one value, with w = 1 and b = 0 at the start.
fn line(input: impl Into<axonal::custom::Shape>) -> Model<f64> {
    let mut model = Sequential::new(input)
        .add(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError::default())
        .unwrap();
    model.set_weight("0.dense/kernel", &array![[1.0]]).unwrap();
    model
}

#[test]
fn class_weights_are_scikit_learns() {
    let text = include_str!("../parity/sklearn/folds_and_encoders/cases.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    for case in cases.iter().filter(|case| case["kind"] == "class_weight") {
        let numbers = |field: &str| -> Vec<f64> {
            case[field].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        let y: Array1<usize> = numbers("y").into_iter().map(|label| label as usize).collect();
        let classes: Vec<usize> = (0..=*y.iter().max().unwrap()).collect();
        let weights = compute_class_weight(&ClassWeight::Balanced, &classes, &y).unwrap();
        assert_eq!(weights.to_vec(), numbers("weights"));
        let weights = compute_sample_weight(&ClassWeight::Balanced, &y).unwrap();
        assert_eq!(weights.to_vec(), numbers("sample_weights"));
    }
    let y = array![0, 1];
    assert!(says(compute_class_weight(&ClassWeight::Balanced, &[2], &y)).contains("occur in y"));
    assert!(says(compute_sample_weight(&[(0, -1.0)].into(), &y)).contains("-1"));
    let listed = compute_class_weight(&[(1, 3.0)].into(), &[0, 1], &y).unwrap();
    assert_eq!(listed, array![1.0, 3.0]);
}

fn two_classes() -> (Array2<f64>, Array1<usize>) {
    let x = Array2::from_shape_fn((20, 2), |(i, j)| ((i * 3 + j * 5) % 7) as f64 / 7.0);
    (x, (0..20).map(|i| usize::from(i % 5 == 0)).collect())
}

fn classifier() -> Model<f64> {
    Sequential::new(2)
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(2)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default())
        .unwrap()
}

#[test]
fn balanced_class_weights_are_the_computed_ones_of_the_training_rows() {
    let (x, y) = two_classes();
    let fit = |options: FitOptions<'_, f64>| {
        let mut model = classifier();
        model.fit_with(&x, &y, options.epochs(3).validation_split(0.25)).unwrap();
        model.weights()
    };
    let trained = y.slice(s![..15]).to_owned();
    let weights = compute_class_weight(&ClassWeight::Balanced, &[0, 1], &trained).unwrap();
    let balanced = fit(FitOptions::new().class_weight(ClassWeight::Balanced));
    assert_eq!(balanced, fit(FitOptions::new().class_weight([(0, weights[0]), (1, weights[1])])));
    assert_ne!(balanced, fit(FitOptions::new()));
    let batches = [(x.clone(), y.clone())];
    let message =
        says(classifier().fit_batches(batches, FitOptions::new().class_weight(ClassWeight::Balanced)));
    assert!(message.contains("compute_class_weight"), "{message}");
}

#[test]
fn balanced_weights_are_kept_with_a_model() {
    let options = FitOptions::<f64>::new().class_weight(ClassWeight::Balanced).validation_steps(3);
    let text = serde_json::to_string(&options).unwrap();
    assert!(text.contains(r#""class_weight":"balanced""#), "{text}");
    let again: FitOptions<'_, f64> = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    let model = classifier().with_fit_options(options);
    let loaded = Model::<f64>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let (x, y) = two_classes();
    let (mut a, mut b) = (model, loaded);
    a.fit(&x, &y).unwrap();
    b.fit(&x, &y).unwrap();
    assert_eq!(a.weights(), b.weights());
}

/// mean over all steps of weight · squared error: the count includes steps of weight 0, as in Keras.
#[test]
fn weights_of_steps_scale_the_loss_of_each_step() {
    let model = line([3, 1]);
    let x = Array3::from_shape_vec((2, 3, 1), vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let y = Array3::from_shape_vec((2, 3, 1), vec![0.0; 6]).unwrap();
    let weights = array![[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]];
    let evaluate = |weights| {
        let options = EvaluateOptions::new().sample_weight(weights).batch_size(1);
        model.evaluate_with(&x, &y, options)
    };
    let loss = evaluate(&weights).unwrap().loss();
    assert!((loss - (1.0 + 2.0 * 9.0 + 25.0) / 6.0).abs() < 1e-12, "{loss}");
    let message = says(evaluate(&weights.t().to_owned()));
    assert!(message.contains("(2, 3)") && message.contains("(3, 2)"), "{message}");
    // Equal weights of all steps are weights of samples.
    let mut by_step = line([3, 1]);
    let mut by_sample = line([3, 1]);
    let of_samples = array![0.5, 2.0];
    let of_steps = of_samples.view().insert_axis(Axis(1)).broadcast((2, 3)).unwrap().to_owned();
    by_step.fit_with(&x, &y, FitOptions::new().sample_weight(&of_steps).shuffle(false)).unwrap();
    by_sample.fit_with(&x, &y, FitOptions::new().sample_weight(&of_samples).shuffle(false)).unwrap();
    assert_eq!(by_step.weights(), by_sample.weights());
}

#[test]
fn weights_of_steps_are_shuffled_and_split_with_their_samples() {
    let x = Array3::from_shape_fn((12, 3, 1), |(i, j, _)| (i + j) as f64 / 10.0);
    let y = x.mapv(|v| v * v);
    let weights = Array2::from_shape_fn((12, 3), |(i, j)| ((i * 3 + j) % 4) as f64);
    let options = || FitOptions::new().epochs(2).batch_size(4).validation_split(0.25);
    let mut whole = line([3, 1]);
    let history = whole.fit_with(&x, &y, options().sample_weight(&weights)).unwrap();
    let (val_x, val_y, val_w) =
        (x.slice(s![9.., .., ..]), y.slice(s![9.., .., ..]), weights.slice(s![9.., ..]));
    let evaluation = whole
        .evaluate_with(&val_x, &val_y, EvaluateOptions::new().sample_weight(&val_w).batch_size(4))
        .unwrap();
    assert!((history.get("val_loss").unwrap()[1] - evaluation.loss()).abs() < 1e-12);
}

#[test]
fn validation_data_have_weights_of_their_own() {
    let (x, y) = (array![[0.0], [1.0]], array![0.0, 1.0]);
    let (val_x, val_y) = (array![[1.0], [2.0]], array![0.0, 0.0]);
    let mut model = line(1);
    let options = FitOptions::new().validation_data(&val_x, &val_y);
    let history = model.fit_with(&x, &y, options.validation_sample_weight(&array![3.0, 0.0])).unwrap();
    assert_eq!(history.get("val_loss").unwrap(), [1.5]);
    let alone = FitOptions::new().validation_sample_weight(&array![1.0]);
    assert!(says(model.fit_with(&x, &y, alone)).contains("validation_data"));
    let short = FitOptions::new().validation_data(&val_x, &val_y).validation_sample_weight(&array![1.0]);
    assert!(says(model.fit_with(&x, &y, short)).contains("validation sample_weight"));
}

#[test]
fn one_batch_can_be_weighted() {
    let (x, y, weights) = (array![[1.0], [2.0]], array![0.0, 0.0], array![0.0, 2.0]);
    let (mut batch, mut whole) = (line(1), line(1));
    let loss = batch.train_on_batch_weighted(&x, &y, &weights).unwrap().loss();
    assert_eq!(loss, 4.0);
    whole.fit_with(&x, &y, FitOptions::new().sample_weight(&weights)).unwrap();
    assert_eq!(batch.weights(), whole.weights());
    assert!(says(batch.train_on_batch_weighted(&x, &y, &array![1.0])).contains("sample_weight"));
}

fn halves() -> Vec<(Array2<f64>, Array1<f64>)> {
    vec![(array![[1.0], [2.0], [3.0]], array![0.0, 1.0, 1.0]), (array![[4.0]], array![2.0])]
}

#[test]
fn iterators_are_evaluated_and_predicted_as_arrays_are() {
    let model = line(1).metric(RootMeanSquaredError::default());
    let (x, y) = (array![[1.0], [2.0], [3.0], [4.0]], array![0.0, 1.0, 1.0, 2.0]);
    let (whole, parts) = (model.evaluate(&x, &y).unwrap(), model.evaluate_batches(halves()).unwrap());
    for ((name, a), (_, b)) in whole.iter().zip(parts.iter()) {
        assert!((a - b).abs() < 1e-12, "{name}: {a}, {b}");
    }
    let predicted: Vec<f64> =
        model.predict_each(halves().into_iter().map(|(x, _)| x)).flat_map(|batch| batch.unwrap()).collect();
    assert_eq!(predicted, model.predict(&x).unwrap().into_raw_vec_and_offset().0);
    let none: Vec<(Array2<f64>, Array1<f64>)> = vec![];
    assert!(says(model.evaluate_batches(none)).contains("batch"));
    let message = says(model.evaluate_batches([(array![[1.0]], array![1.0, 2.0])]));
    assert!(message.starts_with("batch 1, y"), "{message}");
    let weighted = halves().into_iter().map(|(x, y)| {
        let weights = Array1::from_elem(y.len(), 2.0);
        (x, y, weights)
    });
    let loss = model.evaluate_batches(weighted).unwrap().loss();
    assert!((loss - 2.0 * whole.loss()).abs() < 1e-12);
}

#[test]
fn validation_reads_its_batches_anew_after_each_epoch() {
    let (x, y) = (array![[0.0], [1.0]], array![1.0, 3.0]);
    let opened = std::cell::Cell::new(0);
    let batches = || {
        opened.set(opened.get() + 1);
        halves()
    };
    let mut model = line(1);
    let history = model.fit_with(&x, &y, FitOptions::new().epochs(3).validation_batches(batches)).unwrap();
    assert_eq!(opened.get(), 3);
    let want = model.evaluate_batches(halves()).unwrap().loss();
    assert_eq!(history.get("val_loss").unwrap()[2], want);
    // Only the first batch.
    let options = FitOptions::new().validation_batches(halves).validation_steps(1);
    let history = model.fit_with(&x, &y, options).unwrap();
    let first = model.evaluate_batches(halves().into_iter().take(1)).unwrap().loss();
    assert_eq!(history.get("val_loss").unwrap(), [first]);
    let both = FitOptions::new().validation_batches(halves).validation_data(&x, &y);
    assert!(says(model.fit_with(&x, &y, both)).contains("validation_batches"));
    let failing = || [Err::<(Array2<f64>, Array1<f64>), _>(Error::non_finite("file", f64::NAN, [3]))];
    assert!(says(model.fit_with(&x, &y, FitOptions::new().validation_batches(failing))).contains("file"));
}

#[test]
fn validation_steps_and_batch_size_choose_the_first_rows() {
    let (x, y) = (array![[0.0], [1.0]], array![1.0, 3.0]);
    let val_x = Array2::from_shape_fn((10, 1), |(i, _)| i as f64);
    let val_y = Array1::<f64>::zeros(10);
    let mut model = line(1);
    let options =
        FitOptions::new().validation_data(&val_x, &val_y).validation_batch_size(3).validation_steps(2);
    let history = model.fit_with(&x, &y, options).unwrap();
    let first = model.evaluate(&val_x.slice(s![..6, ..]), &val_y.slice(s![..6])).unwrap().loss();
    assert!((history.get("val_loss").unwrap()[0] - first).abs() < 1e-12);
    for options in [FitOptions::new().validation_steps(0), FitOptions::new().validation_batch_size(0)] {
        assert!(says(model.fit_with(&x, &y, options)).contains("at least 1"));
    }
}

#[test]
fn batches_bring_their_weights_to_training() {
    let (x, y, weights) = (array![[1.0], [2.0]], array![0.0, 0.0], array![0.0, 2.0]);
    let (mut stream, mut whole) = (line(1), line(1));
    // Batches with and without weights may follow each other.
    let with = (x.clone(), y.clone(), weights.clone());
    stream.fit_batches([with], FitOptions::new()).unwrap();
    whole.fit_with(&x, &y, FitOptions::new().sample_weight(&weights)).unwrap();
    assert_eq!(stream.weights(), whole.weights());
    let bad = [(x.clone(), y.clone(), array![1.0, -1.0])];
    assert!(says(stream.fit_batches(bad, FitOptions::new())).contains("batch 1, sample_weight"));
}

#[test]
fn a_source_that_begins_anew_trains_as_arrays_in_order_do() {
    let (x, y) = (array![[1.0], [2.0], [3.0], [4.0]], array![0.0, 1.0, 1.0, 2.0]);
    let mut opened = Vec::new();
    let source = each_epoch(|epoch| {
        opened.push(epoch);
        Ok([
            (x.slice(s![..2, ..]), y.slice(s![..2]).to_owned()),
            (x.slice(s![2.., ..]), y.slice(s![2..]).to_owned()),
        ])
    });
    let (mut stream, mut whole) = (line(1), line(1));
    let history = stream.fit_batches(source, FitOptions::new().epochs(3)).unwrap();
    assert_eq!(opened, [0, 1, 2]);
    let arrays = whole.fit_with(&x, &y, FitOptions::new().epochs(3).batch_size(2).shuffle(false)).unwrap();
    assert_eq!((stream.weights(), history.loss()), (whole.weights(), arrays.loss()));
    let steps = each_epoch(|_| Ok(halves()));
    let history = line(1).fit_batches(steps, FitOptions::new().epochs(4).steps_per_epoch(1)).unwrap();
    assert_eq!(history.epochs(), 4);
    let empty = each_epoch(|epoch| Ok(if epoch == 0 { halves() } else { Vec::new() }));
    let history = line(1).fit_batches(empty, FitOptions::new().epochs(3)).unwrap();
    assert_eq!((history.epochs(), history.stopped()), (1, Some("the batches ran out")));
    let lost =
        each_epoch(
            |epoch| {
                if epoch == 1 { Err(Error::non_finite("file", f64::NAN, [0])) } else { Ok(halves()) }
            },
        );
    assert!(says(line(1).fit_batches(lost, FitOptions::new().epochs(3))).contains("file"));
}

#[test]
fn a_run_over_a_source_that_begins_anew_resumes_to_the_bit() {
    let folder = temporary_path("each-epoch");
    let _ = std::fs::remove_dir_all(&folder);
    let source =
        || each_epoch(|epoch| Ok(halves().into_iter().map(move |(x, y)| (x * (epoch + 1) as f64 / 4.0, y))));
    let mut whole = line(1);
    whole.fit_batches(source(), FitOptions::new().epochs(4)).unwrap();
    for stop_after in 1..8 {
        let backup = || BackupAndRestore::new(&folder).every_batches(1);
        let token = StopToken::new();
        let mut seen = 0;
        let stop = axonal::callbacks::LambdaCallback::new().on_batch_end(|_| {
            seen += 1;
            if seen == stop_after {
                token.stop();
            }
            Ok(())
        });
        let options = FitOptions::new().epochs(4).callback(backup()).callback(stop).stop_token(&token);
        line(1).fit_batches(source(), options).unwrap();
        let mut resumed = line(1);
        let options =
            FitOptions::new().epochs(4).callback(backup()).callback(axonal::callbacks::LambdaCallback::new());
        resumed.fit_batches(source(), options).unwrap();
        assert_eq!(resumed.weights(), whole.weights(), "stopped after batch {stop_after}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}
