//! Whatever a caller gets wrong is an error that says what was expected and what came.

use crate::common::assert_error;
use axonal::layers::{Permute, RepeatVector, TimeDistributed, UpSampling1D, ZeroPadding1D};
use axonal::models::OnDivergence;
use axonal::ndarray::{Array1, Array2, Array3, Axis, arr0, array, s};
use axonal::prelude::*;

#[track_caller]
fn softmax() -> Model<f32> {
    Sequential::new(4)
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
}

fn one_hot() -> Model<f32> {
    Sequential::new(4)
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::default(), CategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
}

fn values() -> Model<f32> {
    Sequential::new(4).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError::default()).unwrap()
}

fn x() -> Array2<f32> {
    Array2::from_shape_fn((10, 4), |(i, j)| (i + j) as f32 / 10.0)
}

#[test]
fn layers_and_optimizers_are_checked_when_compiled() {
    let compile = |layer: Dense| {
        Sequential::<f32>::new(4).add(layer).compile(Adam::default(), MeanSquaredError::default())
    };
    assert_error(compile(Dense::new(0)), &["layer 0.dense", "units", "0"]);
    assert_error(
        compile(Dense::new(2).kernel_initializer(Initializer::Constant(f64::NAN))),
        &["layer 0.dense", "NaN"],
    );
    assert_error(
        compile(Dense::new(2).kernel_regularizer(Regularizer::l2(-1.0))),
        &["0.dense/kernel", "l2", "-1"],
    );
    assert_error(
        compile(Dense::new(2).activation(Activation::leaky_relu(f64::INFINITY))),
        &["0.dense", "inf"],
    );
    assert_error(compile(Dense::new(usize::MAX / 8)), &["0.dense", "memory"]);
    let second = Sequential::<f32>::new(4).add(Dense::new(3)).add(Reshape::new([2, 2]));
    assert_error(
        second.compile(Sgd::default(), MeanSquaredError::default()),
        &["layer 1.reshape", "3", "(2, 2)"],
    );
    assert_error(
        Sequential::<f32>::new(0).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError::default()),
        &["(0)"],
    );
    for rate in [-0.1, 1.0, f64::NAN] {
        let network = Sequential::<f32>::new(4).add(Dropout::new(rate)).add(Dense::new(1));
        assert_error(
            network.compile(Sgd::default(), MeanSquaredError::default()),
            &["dropout", "rate", "0 <= rate < 1"],
        );
    }
    let with = |optimizer: Adam| {
        Sequential::<f32>::new(4).add(Dense::new(1)).compile(optimizer, MeanSquaredError::default())
    };
    assert_error(with(Adam::new(-1.0)), &["learning_rate", "-1"]);
    assert_error(with(Adam::new(0.1).beta_1(1.0)), &["beta_1", "1"]);
    assert_error(with(Adam::new(0.1).clipnorm(0.0)), &["clipnorm", "0"]);
    assert_error(with(Adam::new(0.1).clipnorm(1.0).clipvalue(1.0)), &["clipvalue", "clipnorm"]);
    assert_error(with(Adam::new(0.1).weight_decay(f64::NAN)), &["weight_decay", "NaN"]);
    let smoothed = CategoricalCrossentropy::default().label_smoothing(1.5);
    assert_error(
        Sequential::<f32>::new(4).add(Dense::new(2)).compile(Sgd::default(), smoothed),
        &["label_smoothing", "1.5"],
    );
}

#[test]
fn labels_must_be_classes_of_the_model() {
    let mut model = softmax();
    let mut labels: Array1<i32> = Array1::zeros(10);
    labels[7] = 3;
    assert_error(model.fit(&x(), &labels), &["y[7]", "label 3", "3 classes", "0 to 2"]);
    labels[7] = -1;
    assert_error(model.fit(&x(), &labels), &["y[7]", "label -1"]);
    assert_error(model.evaluate(&x(), &labels), &["y[7]", "label -1"]);
    assert_error(model.fit(&x(), &Array1::from_elem(10, 0.5f32)), &["label 0.5"]);
    assert_error(model.fit(&x(), &Array1::from_elem(10, f32::NAN)), &["y", "NaN"]);
    assert_error(model.fit(&x(), &Array1::from_elem(10, u64::MAX)), &["label 18446744073709551615"]);
    assert_error(model.fit(&x(), &Array2::<f32>::zeros((10, 3))), &["label", "CategoricalCrossentropy"]);
    assert_error(
        one_hot().fit(&x(), &Array1::from_elem(10, 1usize)),
        &["(3)", "SparseCategoricalCrossentropy"],
    );
    assert_error(values().fit(&x(), &Array2::<f32>::zeros((10, 2))), &["(1)", "(2)"]);
    assert_error(values().fit(&x(), &Array1::from_elem(10, f32::INFINITY)), &["y", "inf", "0"]);
}

#[test]
fn several_answers_a_sample_are_not_one_class() {
    // Keras compares the largest only, and says nothing.
    let mut targets = Array2::<f32>::zeros((10, 3));
    targets.column_mut(0).fill(1.0);
    targets[[4, 2]] = 1.0;
    let mut model = Sequential::new(4)
        .add(Dense::new(3).activation(Activation::Sigmoid))
        .compile(Adam::default(), BinaryCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default());
    assert_error(model.fit(&x(), &targets), &["accuracy", "row 4", "BinaryAccuracy"]);
}

#[test]
fn lengths_must_agree() {
    let mut model = softmax();
    let labels = |n: usize| Array1::<usize>::zeros(n);
    assert_error(model.fit(&x(), &labels(9)), &["y", "10", "9"]);
    let short = array![1.0f32, 2.0];
    assert_error(
        model.fit_with(&x(), &labels(10), FitOptions::new().sample_weight(&short)),
        &["sample_weight", "10", "2"],
    );
    let (x_val, y_val) = (x(), labels(4));
    assert_error(
        model.fit_with(&x(), &labels(10), FitOptions::new().validation_data(&x_val, &y_val)),
        &["validation y", "4"],
    );
    let both = FitOptions::new().sample_weight(&Array1::ones(10)).class_weight([(0, 2.0)]);
    assert_error(model.fit_with(&x(), &labels(10), both), &["class_weight", "sample_weight"]);
    assert_error(
        model.fit_with(&x(), &labels(10), FitOptions::new().class_weight([(7, 2.0)])),
        &["class 7", "3 classes"],
    );
    assert_error(
        model.fit_with(&x(), &labels(10), FitOptions::new().class_weight([(1, -2.0)])),
        &["class 1", "-2"],
    );
}

#[test]
fn empty_data_is_refused_where_something_is_to_be_learned() {
    let mut model = softmax();
    let nothing = Array2::<f32>::zeros((0, 4));
    assert_error(model.fit(&nothing, &Array1::<usize>::zeros(0)), &["(0, 4)", "sample"]);
    assert_error(model.evaluate(&nothing, &Array1::<usize>::zeros(0)), &["(0, 4)", "sample"]);
    assert_eq!(model.predict(&nothing).unwrap().dim(), (0, 3));
    assert_eq!(model.predict_classes(&nothing).unwrap().len(), 0);
    assert_error(model.fit(&Array2::<f32>::zeros((10, 0)), &Array1::<usize>::zeros(10)), &["(4)", "(0)"]);
    assert_error(model.predict(&arr0(1.0f32)), &["first axis"]);
    assert_error(model.predict(&Array3::<f32>::zeros((2, 2, 2))), &["(4)", "(2, 2)"]);
    assert_error(model.predict(&Array1::<f32>::zeros(4)), &["(4)", "()"]);
}

#[test]
fn batch_sizes_and_splits_must_leave_something() {
    let labels = Array1::<usize>::zeros(10);
    let mut model = softmax();
    assert_error(model.fit_with(&x(), &labels, FitOptions::new().batch_size(0)), &["batch_size", "0"]);
    assert!(model.fit_with(&x(), &labels, FitOptions::new().batch_size(usize::MAX)).is_ok());
    assert_error(model.predict_with(&x(), PredictOptions::new().batch_size(0)), &["batch_size"]);
    assert_error(model.evaluate_with(&x(), &labels, EvaluateOptions::new().batch_size(0)), &["batch_size"]);
    assert_error(model.fit_with(&x(), &labels, FitOptions::new().validation_freq(0)), &["validation_freq"]);
    for split in [-0.1, 1.0, 1.5, f64::NAN] {
        assert_error(
            model.fit_with(&x(), &labels, FitOptions::new().validation_split(split)),
            &["validation_split"],
        );
    }
    // floor(n (1 - split)) rows are trained on: none of 1 at 0.5, 1 of 2.
    for (n, split, fine) in
        [(1, 0.5, false), (2, 0.5, true), (5, 0.1, true), (5, 0.9, false), (3, 1e-9, true)]
    {
        let (x, labels) = (x().slice(s![..n, ..]).to_owned(), Array1::<usize>::zeros(n));
        let result = model.fit_with(&x, &labels, FitOptions::new().validation_split(split));
        assert_eq!(result.is_ok(), fine, "{n} rows, split {split}");
    }
}

#[test]
fn one_class_alone_is_learned_and_answered() {
    let labels = Array1::from_elem(10, 1usize);
    let mut model = softmax();
    model.fit_with(&x(), &labels, FitOptions::new().epochs(300)).unwrap();
    assert_eq!(model.predict_classes(&x()).unwrap(), labels);
}

#[test]
fn the_callers_arrays_are_never_changed() {
    let (data, labels) = (x(), Array1::<usize>::zeros(10));
    let weights = Array1::<f32>::ones(10);
    let mut model = softmax();
    model.fit_with(&data, &labels, FitOptions::new().sample_weight(&weights)).unwrap();
    model.predict(&data).unwrap();
    assert_eq!((data, labels, weights), (x(), Array1::zeros(10), Array1::ones(10)));
}

#[test]
fn options_of_one_run_cannot_be_kept() {
    let data = x();
    let labels = Array1::<usize>::zeros(10);
    let kept = softmax().with_fit_options(FitOptions::new().validation_data(&data, &labels));
    assert_error(kept.clone().fit(&data, &labels), &["with_fit_options", "validation_data", "fit_with"]);
    assert!(kept.clone().fit_with(&data, &labels, FitOptions::new()).is_ok());
}

#[test]
fn buffers_of_another_network_are_refused() {
    let (small, large) = (values(), softmax());
    let mut out = Array2::zeros((10, 3));
    assert_error(large.predict_into(&x(), &mut small.workspace(10).unwrap(), &mut out), &["workspace"]);
    let mut out = Array2::zeros((9, 3));
    assert_error(
        large.predict_into(&x(), &mut large.workspace(10).unwrap(), &mut out),
        &["out", "(10, 3)", "(9, 3)"],
    );
    assert_error(large.workspace(0), &["capacity", "0"]);
    // A workspace smaller than the batch, and views of any layout, answer as `predict`.
    let mut out = Array2::zeros((10, 3));
    large.predict_into(&x(), &mut large.workspace(3).unwrap(), &mut out).unwrap();
    assert_eq!(out, large.predict(&x()).unwrap());
    let mut turned = Array2::zeros((3, 10));
    let columns = x().t().to_owned();
    large
        .predict_into(&columns.t(), &mut large.workspace(3).unwrap(), &mut turned.view_mut().reversed_axes())
        .unwrap();
    assert_eq!(turned.t(), out);
}

#[test]
fn weights_are_matched_by_name_and_shape() {
    let mut model = softmax();
    assert_error(
        model.set_weight("1.dense/kernel", &array![[1.0]]),
        &["1.dense/kernel", "0.dense/kernel, 0.dense/bias"],
    );
    assert_error(model.set_weight("0.dense/kernel", &array![[1.0]]), &["0.dense/kernel", "(4, 3)", "(1, 1)"]);
    assert_error(model.set_weight("0.dense/bias", &array![1.0, f32::NAN, 2.0]), &["0.dense/bias", "NaN"]);
    let before = model.weights();
    let mut wrong = before.clone();
    wrong[0].value.fill(5.0);
    wrong[1].value = array![1.0f32].into_dyn();
    assert_error(model.set_weights(&wrong), &["0.dense/bias", "(3)", "(1)"]);
    assert_eq!(model.weights(), before, "a refused set changes nothing");
    assert_error(model.set_weights(&before[..1]), &["0.dense/bias"]);
}

#[test]
fn numbers_without_a_vector_are_refused_before_the_step() {
    let mut model: Model<f32> = Sequential::new(3)
        .add(Embedding::new(5, 2))
        .add(Flatten::default())
        .add(Dense::new(1))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let before = model.weights();
    let y = array![[0.0_f32], [1.0]];
    for (wrong, text) in [(5.0, "5"), (-1.0, "-1"), (2.5, "2.5"), (1e30, "at [1, 2]")] {
        let x = array![[0.0_f32, 4.0, 1.0], [1.0, 0.0, wrong]];
        let words = ["x contains", text, "[1, 2]", "integers in 0..=4"];
        assert_error(model.fit_with(&x, &y, FitOptions::new()), &words);
        assert_error(model.train_on_batch(&x, &y), &words);
        assert_error(model.evaluate(&x, &y), &words);
        assert_error(model.predict(&x), &words);
    }
    assert_eq!(model.weights(), before, "no step was made");
    let x = array![[0.0_f32, 4.0, 1.0], [1.0, -0.0, 3.0]];
    model.fit_with(&x, &y, FitOptions::new()).unwrap();

    let steps: Model<f32> = Sequential::new([2, 3])
        .add(TimeDistributed::new(Embedding::new(5, 2)))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    assert_error(steps.predict(&Array3::from_elem((1, 2, 3), 7.0)), &["x contains", "7", "[0, 0, 0]"]);
}

#[test]
fn numbers_without_a_vector_are_refused_behind_layers_that_rearrange() {
    let mut model: Model<f32> = Sequential::new([1, 3])
        .add(Flatten::default())
        .add(RepeatVector::new(2))
        .add(Permute::new([2, 1]))
        .add(ZeroPadding1D::new(1))
        .add(UpSampling1D::new(2))
        .add(Reshape::new(20))
        .add(Embedding::new(5, 2))
        .add(Flatten::default())
        .add(Dense::new(1))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let (x, y) = (
        Array3::from_shape_fn((2, 1, 3), |(i, _, k)| if i + k == 3 { 5.0 } else { 1.0 }),
        array![0.0_f32, 1.0],
    );
    let words = ["x contains 5 at [1, 0, 2]", "integers in 0..=4"];
    assert_error(model.predict(&x), &words);
    assert_error(model.evaluate(&x, &y), &words);
    assert_error(model.fit_with(&x, &y, FitOptions::new()), &words);
    model.fit_with(&x.mapv(|v| v.min(4.0)), &y, FitOptions::new()).unwrap();
}

#[test]
fn numbers_without_a_vector_are_refused_where_they_are_computed() {
    let mut model: Model<f32> = Sequential::new(3)
        .add(Rescaling::new(0.5))
        .add(Embedding::new(5, 2))
        .add(Flatten::default())
        .add(Dense::new(1))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let before = model.weights();
    let (x, y) = (array![[0.0_f32, 2.0, 8.0], [4.0, 3.0, 6.0]], array![0.0_f32, 1.0]);
    let words = ["the input of layer 1.embedding contains 1.5 at [1, 1]", "integers in 0..=4"];
    assert_error(model.predict(&x), &words);
    assert_error(model.evaluate(&x, &y), &words);
    assert_error(model.train_on_batch(&x, &y), &words);
    let options = || FitOptions::new().shuffle(false);
    assert_error(model.fit_with(&x, &y, options()), &words);
    let patient = OnDivergence::RestoreAndReduce { factor: 0.5, times: 3 };
    assert_error(model.fit_with(&x, &y, options().on_divergence(patient)), &words);
    assert_eq!(model.weights(), before, "no step was made");
    model.fit_with(&(x * 2.0).mapv(|v| v.min(8.0)), &y, options()).unwrap();
}

#[test]
fn a_number_that_is_not_finite_is_found_in_any_batch_of_an_answer() {
    let model: Model<f32> = Sequential::new([8, 32])
        .add(Flatten::default())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(2))
        .compile(Adam::default(), MeanSquaredError::default())
        .unwrap();
    let mut workspace = model.workspace(100).unwrap();
    for (row, wrong) in [(0, f32::NAN), (777, f32::INFINITY), (1000, f32::NEG_INFINITY)] {
        let mut x = Array3::<f32>::zeros((1001, 8, 32));
        x[[row, 7, 31]] = wrong;
        let index = format!("[{row}, 7, 31]");
        assert_error(model.predict(&x), &["x", &index]);
        let mut reversed = x.clone();
        reversed.invert_axis(Axis(1));
        assert_error(model.predict(&reversed), &["x", &format!("[{row}, 0, 31]")]);
        let flat = x.into_shape_with_order((1001, 256)).unwrap();
        let mut out = Array2::from_elem((1001, 2), 7.0);
        assert_error(model.predict_into(&flat, &mut workspace, &mut out), &["x", &format!("[{row}, 255]")]);
        assert_eq!(out[[1000, 1]], 7.0, "what follows the bad row is not answered");
    }
}

/// A view may repeat a row without end; a copy of it fits no memory.
#[test]
#[cfg(target_pointer_width = "64")]
fn broadcast_views_with_enormous_axes_are_out_of_memory() {
    use axonal::preprocessing::{KBinsDiscretizer, Normalizer};
    let row = array![[1.0, 2.0, 3.0, 4.0]];
    let x = row.broadcast((1 << 40, 4)).unwrap();
    let label = array![0_usize];
    let y = label.broadcast(1 << 40).unwrap();
    let out_of_memory = |outcome: Result<()>| {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    };
    let mut model = Sequential::new(4)
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    out_of_memory(model.fit_with(&x, &y, FitOptions::new()).map(drop));
    out_of_memory(model.evaluate(&x, &y).map(drop));
    out_of_memory(model.predict(&x).map(drop));
    out_of_memory(model.train_on_batch(&x, &y).map(drop));
    out_of_memory(KMeans::new(2).fit(&x).map(drop));
    out_of_memory(MiniBatchKMeans::new(2).partial_fit(&x).map(drop));
    let mut kmeans = KMeans::new(1);
    kmeans.fit(&row).unwrap();
    out_of_memory(kmeans.predict(&x).map(drop));
    out_of_memory(kmeans.transform(&x).map(drop));
    out_of_memory(StandardScaler::new().fit(&x));
    out_of_memory(KBinsDiscretizer::new(2).fit(&x));
    out_of_memory(Normalizer::new().transform(&x).map(drop));
    let mut scaler = StandardScaler::new();
    scaler.fit(&row).unwrap();
    out_of_memory(scaler.transform(&x).map(drop));
    out_of_memory(axonal::metrics::confusion_matrix(&y, &y).map(drop));
    let weights = array![1.0];
    let weights = weights.broadcast((1 << 40, 1)).unwrap();
    let few = array![[1.0, 2.0, 3.0, 4.0]];
    let options = EvaluateOptions::new().sample_weight(&weights);
    out_of_memory(model.evaluate_with(&few, &array![0], options).map(drop));
}

#[test]
fn messages_have_no_numbers_of_hundreds_of_digits() {
    let mut model = Sequential::<f64>::new(1)
        .add(Dense::new(1))
        .compile(Sgd::new(1.0), MeanSquaredError::default())
        .unwrap();
    let (x, y) = (array![[1.0]], array![1.0]);
    let messages = [
        model.fit_with(&x, &y, FitOptions::new().class_weight([(0, -1e308)])).unwrap_err().to_string(),
        model.fit_with(&x, &y, FitOptions::new().validation_split(1e308)).unwrap_err().to_string(),
        model.fit_with(&x, &y, FitOptions::new().sample_weight(&array![-1e308])).unwrap_err().to_string(),
        model.set_learning_rate(-1e308).unwrap_err().to_string(),
        Error::shape("x", 1e308, -1e308).to_string(),
    ];
    for message in messages {
        assert!(message.len() < 200 && message.contains("1e308"), "{message}");
    }
}
