//! Files that Keras has written, and files for Keras.
//!
//! The files in `keras/` were written by `scripts/interop/keras_round_trips.py fixtures` with several versions of Keras;
//! beside each lies what that Keras predicted and evaluated when it saved the file, and after three further steps.

use super::memory::peak_of;
use super::models;
use axonal::layers::*;
use axonal::ndarray::{Array1, Array2, ArrayD};
use axonal::optimizers::{Adafactor, Adagrad, Adamax, Ftrl, Lion, Nadam};
use axonal::persistence::{Limits, LoadOptions};
use axonal::prelude::*;
use axonal::schedules::ExponentialDecay;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/persistence/keras").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// The numbers of a list of lists of any depth.
fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap() as f32],
    }
}

fn rows(value: &Value) -> Array2<f32> {
    let (n, values) = (value.as_array().unwrap().len(), numbers(value));
    Array2::from_shape_vec((n, values.len() / n), values).unwrap()
}

fn lengths(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|length| length.as_u64().unwrap() as usize).collect()
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: {got}, want {want}");
    }
}

fn predicted(model: &Model<f32>, x: &ArrayD<f32>) -> Vec<f32> {
    model.predict(x).unwrap().into_iter().collect()
}

#[test]
fn predictions_are_those_of_keras() {
    for name in ["mlp_adam.keras", "mlp_adam.h5", "rnn.keras", "prep.keras", "cnn.keras"] {
        let stem = name.split('.').next().unwrap();
        let expected = json(&format!("{stem}.expected.json"));
        let x = if stem == "cnn" {
            Array2::from_shape_fn((2, 64), |(i, j)| ((i * 64 + j) % 13) as f32 / 13.0 - 0.4)
        } else {
            rows(&expected["x"])
        };
        let layers = Sequential::<f32>::load_keras(file(name)).unwrap();
        let model = layers.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
        let dims = std::iter::once(x.nrows()).chain(model.input_shape().dims().iter().copied());
        let dims: Vec<usize> = dims.collect();
        let x = x.into_shape_with_order(dims).unwrap();
        let want = numbers(&expected["y"]);
        assert_close(&predicted(&model, &x), &want, 1e-6, name);
        assert_close(&predicted(&Model::load_keras(file(name)).unwrap(), &x), &want, 1e-6, name);
    }
    let mut model = Model::<f32>::load_keras(file("mlp_adam.keras")).unwrap();
    let weights = model.weights();
    for weight in &weights {
        model.set_weight(&weight.name, &weight.value.mapv(|w| w + 1.0)).unwrap();
    }
    model.load_keras_weights(file("mlp_adam.weights.h5")).unwrap();
    assert_eq!(model.weights(), weights);
    let minimal = Sequential::<f32>::load_keras(file("minimal_handwritten.keras")).unwrap();
    assert!(minimal.compile(Sgd::new(0.1), MeanSquaredError::default()).is_ok());
}

/// The data of a case of `keras_round_trips.py`.
struct Case {
    x: ArrayD<f32>,
    labels: Option<Array1<i64>>,
    values: Array2<f32>,
    want: Value,
}

impl Case {
    fn read(name: &str) -> Self {
        let case = json(&format!("{name}.case.json"));
        let (y, shape) = (numbers(&case["y"]), lengths(&case["x_shape"]));
        let labels = case["labels"].as_bool().unwrap().then(|| y.iter().map(|&label| label as i64).collect());
        Self {
            values: Array2::from_shape_vec((shape[0], y.len() / shape[0]), y).unwrap(),
            x: ArrayD::from_shape_vec(shape, numbers(&case["x"])).unwrap(),
            labels,
            want: case["want"].clone(),
        }
    }

    fn train(&self, model: &mut Model<f32>) {
        let options = FitOptions::new().epochs(3).batch_size(self.x.shape()[0]).shuffle(false);
        match &self.labels {
            Some(labels) => model.fit_with(&self.x, labels, options).unwrap(),
            None => model.fit_with(&self.x, &self.values, options).unwrap(),
        };
    }

    #[track_caller]
    fn check(&self, model: &Model<f32>, stage: &str, tolerance: f32, what: &str) {
        let (want, what) = (&self.want[stage], format!("{what}, {stage}"));
        assert_close(&predicted(model, &self.x), &numbers(&want["predictions"]), tolerance, &what);
        let evaluation = match &self.labels {
            Some(labels) => model.evaluate(&self.x, labels).unwrap(),
            None => model.evaluate(&self.x, &self.values).unwrap(),
        };
        for score in want["scores"].as_array().unwrap() {
            let name = score[0].as_str().unwrap();
            let got = evaluation.get(name).unwrap_or_else(|| panic!("{what}: no {name}"));
            assert_close(&[got as f32], &numbers(&score[1]), tolerance, &format!("{what}: {name}"));
        }
    }
}

/// The committed files with the tolerance after training.
const FILES: &[(&str, &str, f32)] = &[
    ("functional_3_15_1", "keras", 2e-5),
    ("functional_3_15_1", "h5", 2e-5),
    ("sequence_3_15_1", "keras", 2e-5),
    ("image_3_15_1", "keras", 2e-5),
    ("sequence_3_0_5", "keras", 2e-5),
    ("functional_3_8_0", "keras", 2e-5),
    ("functional_3_8_0", "h5", 2e-5),
    ("image_3_8_0", "keras", 2e-5),
    ("functional_tf_2_15_1", "h5", 2e-5),
    ("sequence_tf_2_15_1", "h5", 2e-5),
    ("image_tf_2_15_1", "h5", 2e-5),
];

#[test]
fn training_continues_as_in_the_keras_that_saved_the_file() {
    for (name, extension, tolerance) in FILES {
        let (case, what) = (Case::read(name), format!("{name}.{extension}"));
        let mut model = Model::<f32>::load_keras(file(&what)).unwrap_or_else(|error| panic!("{error}"));
        case.check(&model, "loaded", 5e-6, &what);
        case.train(&mut model);
        case.check(&model, "trained", *tolerance, &what);
    }
}

#[test]
fn a_functional_model_of_keras_3_0_predicts_the_same() {
    // That version counts the penalties of a functional model twice, so its loss and its training differ.
    let case = Case::read("functional_3_0_5");
    let model = Model::<f32>::load_keras(file("functional_3_0_5.keras")).unwrap();
    let want = numbers(&case.want["loaded"]["predictions"]);
    assert_close(&predicted(&model, &case.x), &want, 5e-6, "functional_3_0_5");
}

/// The data of a graph: several inputs and targets.
struct GraphCase {
    inputs: Vec<ArrayD<f32>>,
    targets: Vec<ArrayD<f32>>,
    want: Value,
}

impl GraphCase {
    fn read(name: &str) -> Self {
        let case = json(&format!("{name}.case.json"));
        let array = |array: &Value| {
            ArrayD::from_shape_vec(lengths(&array["shape"]), numbers(&array["values"])).unwrap()
        };
        let arrays = |list: &Value| list.as_array().unwrap().iter().map(array).collect();
        let (inputs, targets) = (arrays(&case["inputs"]), arrays(&case["targets"]));
        Self { inputs, targets, want: case["want"].clone() }
    }

    fn train(&self, model: &mut Model<f32>) {
        let options = FitOptions::new().epochs(3).batch_size(self.inputs[0].shape()[0]).shuffle(false);
        model.fit_with(&self.inputs, self.targets.as_slice(), options).unwrap();
    }

    #[track_caller]
    fn check(&self, model: &Model<f32>, stage: &str, tolerance: f32, what: &str) {
        let (want, what) = (&self.want[stage], format!("{what}, {stage}"));
        let predictions = model.predict_all(&self.inputs).unwrap();
        let predictions: Vec<f32> =
            predictions.iter().flat_map(|(_, values)| values.iter().copied()).collect();
        assert_close(&predictions, &numbers(&want["predictions"]), tolerance, &what);
        let evaluation = model.evaluate(&self.inputs, self.targets.as_slice()).unwrap();
        let score = |name: &str| {
            want["scores"]
                .as_array()
                .unwrap()
                .iter()
                .find(|score| score[0] == name)
                .map(|score| numbers(&score[1]))
        };
        for name in ["loss", "price_loss", "angles_loss"] {
            // Keras 3.0 does not tell the losses of the outputs.
            if let Some(want) = score(name) {
                let got = evaluation.get(name).unwrap_or_else(|| panic!("{what}: no {name}"));
                assert_close(&[got as f32], &want, tolerance, &format!("{what}: {name}"));
            }
        }
    }
}

#[test]
fn graphs_of_keras_are_read_trained_and_written() {
    let folder = Folder::new("graphs");
    for name in ["graph_3_15_1.keras", "graph_3_0_5.keras", "attention_3_15_1.keras"] {
        let case = GraphCase::read(name.split('.').next().unwrap());
        let mut model = Model::<f32>::load_keras(file(name)).unwrap_or_else(|error| panic!("{error}"));
        case.check(&model, "loaded", 5e-6, name);
        let path = folder.path("again.keras");
        model.save_keras(&path).unwrap();
        let mut again = Model::<f32>::load_keras(&path).unwrap();
        case.check(&again, "loaded", 5e-6, name);
        assert_eq!(again.predict_all(&case.inputs).unwrap(), model.predict_all(&case.inputs).unwrap());
        case.train(&mut model);
        case.check(&model, "trained", 2e-5, name);
        case.train(&mut again);
        case.check(&again, "trained", 2e-5, name);
        let weights = folder.path("trained.weights.h5");
        again.save_keras_weights(&weights).unwrap();
        let mut other = Model::<f32>::load_keras(&path).unwrap();
        other.load_keras_weights(&weights).unwrap();
        assert_eq!(other.weights(), again.weights());
    }
}

#[test]
fn the_layers_of_a_graph_build_another_one() {
    let path = file("graph_3_15_1.keras");
    let case = GraphCase::read("graph_3_15_1");
    let body = axonal::models::Body::<f32>::load_keras(&path).unwrap();
    let [price, angles] = body.outputs().collect::<Vec<_>>()[..] else { panic!("two outputs") };
    let model = Graph::new(body.inputs())
        .output("price", price, MeanSquaredError::new())
        .output("angles", angles, MeanAbsoluteError::new())
        .compile(Sgd::new(0.1))
        .unwrap();
    let want = Model::<f32>::load_keras(&path).unwrap();
    assert_eq!(model.predict_all(&case.inputs).unwrap(), want.predict_all(&case.inputs).unwrap());
    let message = Sequential::<f32>::load_keras(&path).unwrap_err().to_string();
    assert!(message.contains("Body::load_keras"), "{message}");
    let chain = axonal::models::Body::<f32>::load_keras(file("minimal_handwritten.keras")).unwrap();
    assert_eq!((chain.inputs().len(), chain.outputs().count()), (1, 1));
}

#[test]
fn names_in_graphs_are_kept() {
    let model = Model::<f32>::load_keras(file("graph_3_15_1.keras")).unwrap();
    let layers: Vec<String> = model.weights().into_iter().map(|weight| weight.name).collect();
    for name in ["shared/kernel", "look/query/kernel", "price/bias", "angles/kernel"] {
        assert!(layers.iter().any(|layer| layer == name), "{name}: {layers:?}");
    }
    assert!(model.summary().to_string().contains("numbers"));
}

/// A folder of its own for a test; it is removed with the guard.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(models::directory(&format!("keras-{name}")))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn samples(shape: &[usize]) -> ArrayD<f32> {
    let dims: Vec<usize> = std::iter::once(6).chain(shape.iter().copied()).collect();
    let mut n = 0_u32;
    ArrayD::from_shape_simple_fn(dims, || {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (n >> 16) as f32 / 32_768.0 - 1.0
    })
}

/// Trains, saves for Keras, loads, and compares predictions now and after further training.
#[track_caller]
fn round_trip(folder: &Folder, name: &str, mut model: Model<f32>) -> Model<f32> {
    let x = samples(model.input_shape().dims());
    let y = Array2::from_shape_fn((6, model.output_shape().size()), |(i, j)| ((i + j) % 3) as f32 / 3.0);
    let train = |model: &mut Model<f32>| {
        let options = FitOptions::new().epochs(3).batch_size(6).shuffle(false);
        model.fit_with(&x, &y, options).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    train(&mut model);
    let path = folder.path(&format!("{name}.keras"));
    model.save_keras(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut loaded = Model::<f32>::load_keras(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap(), "{name}");
    assert_eq!(loaded.evaluate(&x, &y).unwrap().loss(), model.evaluate(&x, &y).unwrap().loss(), "{name}");
    train(&mut model);
    train(&mut loaded);
    assert_close(&predicted(&loaded, &x), &predicted(&model, &x), 1e-6, name);
    loaded
}

#[test]
fn every_layer_comes_back_from_a_keras_file() {
    type Add = fn(Sequential<f32>) -> Sequential<f32>;
    let cases: &[(&str, &[usize], Add)] = &[
        ("vector", &[6], |s| {
            s.add(Normalization::new([0.1; 6], [1.5; 6]))
                .add(Rescaling::new(0.5).offset(0.1))
                .add(
                    Dense::new(6)
                        .activation(Activation::leaky_relu(0.1))
                        .kernel_regularizer(Regularizer::l1_l2(1e-3, 2e-3)),
                )
                .add(BatchNormalization::default())
                .add(LayerNormalization::default())
                .add(RmsNormalization::default())
                .add(GroupNormalization::new(2))
                .add(UnitNormalization::default())
                .add(PRelu::default())
                .add(Relu::default().max_value(2.0))
                .add(LeakyRelu::new(0.2))
                .add(Elu::new(0.9))
                .add(ActivationLayer::new(Activation::Silu))
                .add(ActivityRegularization::new(1e-3, 1e-3))
                .add(Softmax::default())
        }),
        ("sequence", &[5, 4], |s| {
            s.add(Masking::new(0.0))
                .add(Bidirectional::new(Lstm::new(3).return_sequences(true)).merge_mode(MergeMode::Sum))
                .add(TimeDistributed::new(Dense::new(4)))
                .add(Conv1D::new(3, 2).padding(Padding::Causal))
                .add(ZeroPadding1D::edges(1, 2))
                .add(Cropping1D::new(1))
                .add(UpSampling1D::new(2))
                .add(MaxPooling1D::new(2))
                .add(AveragePooling1D::new(2).strides(1))
                .add(Permute::new([2, 1]))
                .add(Gru::new(3).reset_after(false).return_sequences(true))
                .add(SimpleRnn::new(3).return_sequences(true))
                .add(GlobalMaxPooling1D::default())
                .add(RepeatVector::new(2))
                .add(GlobalAveragePooling1D::default())
        }),
        ("image", &[6, 6, 2], |s| {
            s.add(Conv2D::new(4, 3).padding(Padding::Same).groups(2))
                .add(DepthwiseConv2D::new(2).depth_multiplier(2))
                .add(SeparableConv2D::new(3, 2).pointwise_regularizer(Regularizer::l2(1e-3)))
                .add(Conv2DTranspose::new(2, 2).strides(2))
                .add(ZeroPadding2D::edges([1, 0], [0, 2]))
                .add(Cropping2D::new(1))
                .add(UpSampling2D::new([1, 2]))
                .add(MaxPooling2D::new(2))
                .add(AveragePooling2D::default())
                .add(Reshape::new([4, 2]))
                .add(Flatten::default())
        }),
        ("pooled_image", &[4, 4, 2], |s| s.add(Conv2D::new(2, 2)).add(GlobalAveragePooling2D::default())),
        ("maximum_of_image", &[4, 4, 2], |s| {
            s.add(GlobalMaxPooling2D::new().keepdims(true)).add(Flatten::default())
        }),
    ];
    let folder = Folder::new("layers");
    for (name, shape, layers) in cases {
        let model = layers(Sequential::new(*shape).seed(3)).add(Dense::new(2));
        let model = model.compile(Adam::new(0.01), MeanSquaredError::default()).unwrap();
        round_trip(&folder, name, model);
    }
    let noise = Sequential::<f32>::new([3, 4])
        .add(SpatialDropout1D::new(0.2))
        .add(Dropout::new(0.3).noise_shape([1, 4]))
        .add(GaussianNoise::new(0.1))
        .add(GaussianDropout::new(0.1))
        .add(AlphaDropout::new(0.2))
        .add(Reshape::new([3, 2, 2]))
        .add(SpatialDropout2D::new(0.2))
        .add(Flatten::default())
        .add(Dense::new(1));
    let model = noise.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    model.save_keras(folder.path("noise.keras")).unwrap();
    let loaded = Model::<f32>::load_keras(folder.path("noise.keras")).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
}

#[test]
fn every_optimizer_comes_back_with_its_state() {
    let network = || {
        let layers = Sequential::<f32>::new(4).add(Dense::new(5).activation(Activation::Tanh));
        layers.add(BatchNormalization::default()).freeze().add(Dense::new(70)).add(Dense::new(2))
    };
    let folder = Folder::new("optimizers");
    macro_rules! check {
        ($($name:literal: $optimizer:expr;)*) => {$(
            let model = network().compile($optimizer, MeanSquaredError::default()).unwrap();
            round_trip(&folder, $name, model);
        )*};
    }
    check! {
        "sgd": Sgd::new(0.05);
        "momentum": Sgd::new(0.05).momentum(0.9).nesterov(true).clipnorm(1.0);
        "adam": Adam::new(0.01).amsgrad(true).global_clipnorm(1.0);
        "adamw": AdamW::new(0.01);
        "nadam": Nadam::new(0.01);
        "adamax": Adamax::new(0.01);
        "rmsprop": RmsProp::new(0.01).momentum(0.5).centered(true);
        "rmsprop_momentum": RmsProp::new(0.01).momentum(0.5).clipvalue(0.5);
        "rmsprop_centered": RmsProp::new(0.01).centered(true).weight_decay(0.01);
        "adagrad": Adagrad::new(ExponentialDecay::new(0.05, 2, 0.8));
        "lion": Lion::new(0.01).ema(0.9).ema_overwrite_frequency(2);
        "ftrl": Ftrl::new(CosineDecay::new(0.05, 20)).accumulate(2);
        "adafactor": Adafactor::new(0.01);
    }
}

#[test]
fn a_residual_block_is_a_functional_model() {
    let folder = Folder::new("residual");
    let model = Sequential::<f32>::new(4)
        .add(Dense::new(4).activation(Activation::Relu))
        .add(
            Residual::new()
                .add(Dense::new(4).activation(Activation::Tanh))
                .add(BatchNormalization::default()),
        )
        .add(Dense::new(1))
        .compile(Adam::new(0.01), MeanSquaredError::default())
        .unwrap();
    let path = folder.path("residual.keras");
    model.save_keras(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"Functional\"") && text.contains("\"Add\""));
    let mut other = model.clone();
    for weight in model.weights() {
        other.set_weight(&weight.name, &weight.value.mapv(|w| w + 1.0)).unwrap();
    }
    other.load_keras_weights(&path).unwrap();
    assert_eq!(other.weights(), model.weights());
    let x = samples(&[4]);
    let graph = Model::<f32>::load_keras(&path).unwrap();
    assert_eq!(predicted(&graph, &x), predicted(&model, &x));
}

#[test]
fn a_projection_shortcut_is_a_branch_of_a_functional_model() {
    let folder = Folder::new("projection");
    let conv = |filters, size| Conv2D::new(filters, size).padding(Padding::Same);
    let block = Residual::new()
        .add(conv(3, 3).strides(2).activation(Activation::Relu))
        .add(BatchNormalization::default())
        .add(conv(3, 3))
        .projection(conv(3, 1).strides(2));
    let inner = Residual::new()
        .add(Dense::new(4))
        .projection(Residual::new().add(Dense::new(4)).projection(Dense::new(4)));
    let model = Sequential::<f32>::new([6, 6, 2])
        .add(block)
        .add(Flatten::new())
        .add(Residual::new().add(Dense::new(4).activation(Activation::Tanh)).projection(inner))
        .add(Dense::new(1))
        .compile(Adam::new(0.01), MeanSquaredError::default())
        .unwrap();
    let loaded = round_trip(&folder, "projection", model.clone());
    let count = |class: &str| {
        let bytes = std::fs::read(folder.path("projection.keras")).unwrap();
        String::from_utf8_lossy(&bytes).matches(&format!("\"class_name\":\"{class}\"")).count()
    };
    assert_eq!((count("Functional"), count("Add"), count("Conv2D")), (1, 4, 3));
    assert_eq!(loaded.count_params(), model.count_params());
    let path = folder.path("projection.weights.h5");
    model.save_keras_weights(&path).unwrap();
    let mut other = model.clone();
    for weight in model.weights() {
        other.set_weight(&weight.name, &weight.value.mapv(|w| w + 1.0)).unwrap();
    }
    other.load_keras_weights(&path).unwrap();
    assert_eq!(other.weights(), model.weights());
}

#[test]
fn names_and_settings_that_have_no_counterpart_are_errors_by_name() {
    let refused = |model: &Model<f32>| {
        let folder = Folder::new("refused");
        model.save_keras(folder.path("model.keras")).unwrap_err().to_string()
    };
    let network = |activation| Sequential::<f32>::new(3).add(Dense::new(1).activation(activation));
    let model =
        network(Activation::gelu(true)).compile(Adam::default(), MeanSquaredError::default()).unwrap();
    assert!(refused(&model).contains("layer 0.dense") && refused(&model).contains("gelu_tanh"));
    let rate = |step: u64| 1.0 / (step + 1) as f64;
    let model = network(Activation::Relu).compile(Sgd::new(rate), MeanSquaredError::default()).unwrap();
    assert!(refused(&model).contains("function"), "{}", refused(&model));
    let decay = Adam::default().weight_decay(0.1).exclude_from_weight_decay(["bias"]);
    let model = network(Activation::Relu).compile(decay, MeanSquaredError::default()).unwrap();
    assert!(refused(&model).contains("exclude_from_weight_decay"));
    let message = Model::<f32>::load_keras(file("mlp_adam.weights.h5")).unwrap_err().to_string();
    assert!(message.contains("load_keras_weights"), "{message}");
    let mut other = network(Activation::Relu).compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let before = other.weights();
    let message = other.load_keras_weights(file("mlp_adam.weights.h5")).unwrap_err().to_string();
    assert!(message.contains("layers/dense/vars/0") && message.contains("shape"), "{message}");
    assert_eq!(other.weights(), before);
}

/// Loads bytes in every way; whether a way accepts them.
fn load(path: &Path, bytes: &[u8]) -> [bool; 3] {
    std::fs::write(path, bytes).unwrap();
    let mut limits = Limits::default();
    limits.max_activation_bytes = 16 << 20;
    let options = || LoadOptions::new().limits(limits.clone());
    let mut model = Sequential::<f32>::new(4)
        .add(Dense::new(3))
        .compile(Sgd::new(0.1), MeanSquaredError::default())
        .unwrap();
    [
        Model::<f32>::load_keras_with(path, options()).is_ok(),
        Sequential::<f32>::load_keras_with(path, options()).is_ok(),
        model.load_keras_weights(path).is_ok(),
    ]
}

#[test]
fn an_optimizer_whose_numbers_are_not_finite_is_not_saved() {
    let folder = Folder::new("infinite-rate");
    let network = Sequential::<f32>::new(2).add(Dense::new(1));
    // No f32 is as large, and no reader accepts infinity.
    let model = network.compile(Adam::new(1e300), MeanSquaredError::default()).unwrap();
    let path = folder.path("infinite.keras");
    let refused = model.save_keras(&path).unwrap_err().to_string();
    assert!(refused.contains("the optimizer") && refused.contains("not finite"), "{refused}");
    assert_eq!(model.save_keras_weights(&path).unwrap_err().to_string(), refused);
    assert!(!path.exists());
}

#[test]
fn a_damaged_file_is_an_error_or_a_model_within_the_bound() {
    let folder = Folder::new("damage");
    for name in [
        "minimal_handwritten.keras",
        "functional_3_15_1.keras",
        "functional_tf_2_15_1.h5",
        "graph_3_15_1.keras",
        "mlp_adam.weights.h5",
    ] {
        let bytes = std::fs::read(file(name)).unwrap();
        let path = folder.path(name);
        let check = |bytes: &[u8], what: String| {
            let (_, peak) = peak_of(|| load(&path, bytes));
            assert!(peak <= bytes.len() + (1 << 20), "{name}, {what}: {peak} bytes");
        };
        let step = match name.split('_').next() {
            Some("minimal") => 1,
            Some("graph") => 331,
            _ => 37,
        };
        for cut in (0..bytes.len()).step_by(step * 3) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let loaded = Model::<f32>::load_keras(&path).is_ok();
            assert!(!loaded || !name.ends_with(".keras"), "{name} cut to {cut} bytes was accepted");
            check(&bytes[..cut], format!("cut to {cut}"));
        }
        for at in (0..bytes.len()).step_by(step) {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                check(&flipped, format!("byte {at} xor {mask:02x}"));
            }
        }
    }
}

#[test]
fn memory_is_the_length_of_the_file_and_a_mebibyte() {
    let folder = Folder::new("memory");
    let network =
        Sequential::<f32>::new(700).add(Dense::new(900)).add(Dense::new(800).activation(Activation::Relu));
    let model = network.clone().compile(Adam::new(0.01), MeanSquaredError::default()).unwrap();
    let plain = network.compile(Sgd::new(0.01), MeanSquaredError::default()).unwrap();
    for (name, model) in [("adam.keras", &model), ("sgd.keras", &plain)] {
        let path = folder.path(name);
        let ((), peak) = peak_of(|| model.save_keras(&path).unwrap());
        assert!(peak <= 1 << 20, "{name}: saving took {peak} bytes");
        let len = std::fs::metadata(&path).unwrap().len() as usize;
        let (loaded, peak) = peak_of(|| Model::<f32>::load_keras(&path).unwrap());
        assert!(peak <= len + (1 << 20), "{name}: loading {len} bytes took {peak}");
        assert_eq!(loaded.weights(), model.weights());
    }
}
