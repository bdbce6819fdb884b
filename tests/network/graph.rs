//! Graphs: building, errors, training, masks, shared weights, files, input gradients.

use axonal::custom::Registry;
use axonal::layers::{Average, Dot, GroupQueryAttention, Masking, Maximum, Minimum, Multiply};
use axonal::models::{Node, Outputs};
use axonal::ndarray::{Array1, Array2, Array3, ArrayD, array};
use axonal::prelude::*;
use axonal::testing::{check_layer, check_merge};

fn says<T>(result: Result<T>, words: &[&str]) {
    let message = result.map(|_| ()).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word} in {message}");
    }
}

fn data(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| (((i * 7 + j * 5) % 13) as f64 - 6.0) / 6.0)
}

#[test]
fn merge_layers_keep_the_contract() {
    for shapes in [[[3, 4], [3, 4]], [[3, 4], [1, 4]], [[3, 4], [3, 1]]] {
        check_merge(&Add::new(), shapes).unwrap();
        check_merge(&Subtract::new(), shapes).unwrap();
        check_merge(&Multiply::new(), shapes).unwrap();
        check_merge(&Average::new(), shapes).unwrap();
        check_merge(&Maximum::new(), shapes).unwrap();
        check_merge(&Minimum::new(), shapes).unwrap();
    }
    check_merge(&Multiply::new(), [[5], [5], [5]].map(|shape| shape.to_vec())).unwrap();
    check_merge(&Concatenate::new(), [[2, 3], [2, 1], [2, 2]]).unwrap();
    check_merge(&Concatenate::new().axis(1), [[2, 3], [1, 3]]).unwrap();
    check_merge(&Dot::new(-1, -1), [4, 4]).unwrap();
    check_merge(&Dot::new(2, 1), [[2, 3], [3, 4]]).unwrap();
    check_merge(&Dot::new(-1, -1).normalize(true), [[2, 3], [4, 3]]).unwrap();
}

#[test]
fn attention_layers_keep_the_contract() {
    for causal in [false, true] {
        check_layer(&MultiHeadAttention::new(2, 3).causal(causal), [4, 5]).unwrap();
        check_layer(&GroupQueryAttention::new(3, 4, 2).causal(causal).use_bias(false), [4, 5]).unwrap();
    }
    check_layer(&MultiHeadAttention::new(2, 3).value_dim(2).output_dim(7).dropout(0.3), [3, 4]).unwrap();
    // More queries than one block.
    check_layer(&MultiHeadAttention::new(1, 1), [65, 1]).unwrap();
    check_merge(&MultiHeadAttention::new(2, 3), [[4, 5], [6, 3]]).unwrap();
    check_merge(&MultiHeadAttention::new(2, 3).dropout(0.2), [[4, 5], [6, 3], [6, 2]]).unwrap();
    check_layer(&PositionEmbedding::new(6), [4, 3]).unwrap();
    check_layer(&PositionEmbedding::sinusoidal(), [4, 3]).unwrap();
}

fn chain() -> Sequential<f64> {
    Sequential::new(6)
        .add(Dense::new(8).activation(Activation::Relu))
        .add(Dropout::new(0.3))
        .add(BatchNormalization::new())
        .add(Dense::new(3).activation(Activation::Softmax))
        .seed(9)
}

fn chain_as_graph() -> Model<f64> {
    let x = Input::new("x", 6);
    let y = x
        .then(Dense::new(8).activation(Activation::Relu))
        .then(Dropout::new(0.3))
        .then(BatchNormalization::new())
        .then(Dense::new(3).activation(Activation::Softmax));
    let graph = Graph::new([&x]).output("y", &y, SparseCategoricalCrossentropy::new()).seed(9);
    graph.compile(Adam::new(0.01)).unwrap().metric(Accuracy::new())
}

#[test]
fn a_chain_built_as_a_graph_has_the_same_bits() {
    let loss = SparseCategoricalCrossentropy::new();
    let mut model = chain().compile(Adam::new(0.01), loss).unwrap().metric(Accuracy::new());
    let mut graph = chain_as_graph();
    let (x, y) = (data(50, 6), Array1::from_shape_fn(50, |i| i % 3));
    let options = || FitOptions::new().epochs(3).batch_size(16).validation_split(0.2);
    let first = model.fit_with(&x, &y, options()).unwrap();
    let second = graph.fit_with(&x, &y, options()).unwrap();
    for name in ["loss", "accuracy", "val_loss", "val_accuracy"] {
        assert_eq!(first.get(name), second.get(name), "{name}");
    }
    assert_eq!(model.weights(), graph.weights());
    assert_eq!(model.predict(&x).unwrap(), graph.predict(&x).unwrap());
    assert_eq!(model.evaluate(&x, &y).unwrap().loss(), graph.evaluate(&x, &y).unwrap().loss());
}

/// Two inputs, a shared layer, a skip connection, two outputs.
fn network() -> Model<f64> {
    let (a, b) = (Input::new("a", 4), Input::new("b", 4));
    let encoder = Shared::new(Dense::new(5).activation(Activation::Tanh));
    let (left, right) = (a.then(&encoder), b.then(&encoder));
    let joined = Concatenate::new().of([&left, &right]).then(Dense::new(5).activation(Activation::Tanh));
    let skip = Add::new().of([&joined, &left]);
    let (class, value) = (skip.then(Dense::new(2).activation(Activation::Softmax)), skip.then(Dense::new(1)));
    Graph::new([&a, &b])
        .output("class", &class, SparseCategoricalCrossentropy::new())
        .weighted_output("value", &value, MeanSquaredError::new(), 0.5)
        .seed(4)
        .compile(Adam::new(0.02))
        .unwrap()
        .metric_of("class", Accuracy::new())
}

#[test]
fn gradients_of_a_graph_are_those_of_central_differences() {
    let model = network();
    let (a, b) = (data(6, 4), data(6, 4).mapv(|v| v * v - 0.3));
    let (class, value) = (Array1::from_shape_fn(6, |i| i % 2), a.column(0).to_owned());
    let loss = |model: &Model<f64>| model.evaluate((&a, &b), (&class, &value)).unwrap().loss();
    // One step of gradient descent moves each weight by its gradient.
    let mut moved = model.body();
    let names: Vec<String> = model.weights().iter().map(|weight| weight.name.clone()).collect();
    let outputs: Vec<Node<f64>> = moved.outputs().cloned().collect();
    moved = moved.clone();
    let mut stepped = Graph::new(moved.inputs())
        .output("class", &outputs[0], SparseCategoricalCrossentropy::new())
        .weighted_output("value", &outputs[1], MeanSquaredError::new(), 0.5)
        .compile(Sgd::new(1.0))
        .unwrap();
    assert_eq!(loss(&stepped), loss(&model));
    let before = stepped.weights();
    stepped.train_on_batch((&a, &b), (&class, &value)).unwrap();
    for (name, (before, after)) in names.iter().zip(before.iter().zip(stepped.weights())) {
        let gradient = &before.value - &after.value;
        for index in [0, before.value.len() - 1] {
            let at = |delta: f64| {
                let mut model = model.clone();
                let mut value = before.value.clone();
                *value.iter_mut().nth(index).unwrap() += delta;
                model.set_weight(name, &value).unwrap();
                loss(&model)
            };
            let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
            let own = *gradient.iter().nth(index).unwrap();
            assert!((numeric - own).abs() < 1e-8, "{name}[{index}]: {own} and {numeric}");
        }
    }
}

#[test]
fn graphs_train_and_report_each_output() {
    let mut model = network();
    let (a, b) = (data(60, 4), data(60, 4).mapv(|v| v * v));
    let (class, value) = (a.column(1).mapv(|v| usize::from(v > 0.0)), a.column(0).to_owned());
    let options = FitOptions::new().epochs(30).batch_size(7).validation_split(0.1);
    let history = model.fit_with((&a, &b), (&class, &value), options).unwrap();
    for name in ["loss", "class_loss", "value_loss", "class_accuracy", "val_loss", "val_class_accuracy"] {
        assert_eq!(history.get(name).unwrap().len(), 30, "{name}");
    }
    assert!(history.loss()[29] < 0.5 * history.loss()[0], "{:?}", history.loss());
    let scores = model.evaluate((&a, &b), (&class, &value)).unwrap();
    let sum = scores.get("class_loss").unwrap() + 0.5 * scores.get("value_loss").unwrap();
    assert!((scores.loss() - sum).abs() < 1e-12);
    says(model.predict((&a, &b)), &["several outputs", "predict_all"]);
    says(model.predict_all(&a), &["2 arrays", "\"a\", \"b\""]);
    says(model.predict_all((&a, &data(59, 4))), &["\"b\"", "60 rows", "59"]);
    says(model.fit((&a, &b), &class), &["2 arrays of targets"]);
}

#[test]
fn weights_of_samples_and_classes_belong_to_outputs() {
    let (a, b) = (data(8, 4), data(8, 4).mapv(|v| v * v));
    let (class, value) = (Array1::from_shape_fn(8, |i| i % 2), a.column(0).to_owned());
    let model = network();
    let zeros_then_ones = Array1::from_shape_fn(8, |i| if i < 4 { 0.0 } else { 2.0 });
    let weighted = model
        .evaluate_with(
            (&a, &b),
            (&class, &value),
            EvaluateOptions::new().sample_weight_of("value", &zeros_then_ones),
        )
        .unwrap();
    let plain = model.evaluate((&a, &b), (&class, &value)).unwrap();
    assert_eq!(weighted.get("class_loss"), plain.get("class_loss"));
    let errors = &model.predict_all((&a, &b)).unwrap();
    let predicted = errors.get("value").unwrap();
    let expected: f64 = (4..8).map(|i| 2.0 * (predicted[[i, 0]] - value[i]).powi(2)).sum::<f64>() / 8.0;
    assert!((weighted.get("value_loss").unwrap() - expected).abs() < 1e-12);
    let options = FitOptions::new().class_weight([(0, 2.0)]);
    says(network().fit_with((&a, &b), (&class, &value), options), &["several outputs", "class_weight_of"]);
    let options = FitOptions::new().class_weight_of("class", [(0, 2.0)]);
    network().fit_with((&a, &b), (&class, &value), options).unwrap();
    let options = FitOptions::new().class_weight_of("kind", [(0, 2.0)]);
    says(network().fit_with((&a, &b), (&class, &value), options), &["\"kind\"", "class"]);
}

#[test]
fn mistakes_in_graphs_are_named() {
    let (x, unused) = (Input::<f64>::new("x", 3), Input::new("unused", 2));
    let y = x.then(Dense::new(1));
    let loss = MeanSquaredError::new;
    let compile = |graph: Graph<f64>| graph.compile(Sgd::new(0.1));
    says(compile(Graph::new([&x])), &["outputs"]);
    says(compile(Graph::new([&x, &unused]).output("y", &y, loss())), &["\"unused\"", "no output depends"]);
    says(compile(Graph::new([&unused]).output("y", &y, loss())), &["\"x\""]);
    says(compile(Graph::new([&x, &x]).output("y", &y, loss())), &["\"x\" twice"]);
    says(compile(Graph::new([&x]).output("y", &y, loss()).output("y", &y, loss())), &["\"y\"", "output"]);
    says(compile(Graph::new([&x]).output("y", &x, loss())), &["output \"y\"", "an input"]);
    says(compile(Graph::new([&x]).weighted_output("y", &y, loss(), f64::NAN)), &["loss weight", "NaN"]);
    says(compile(Graph::new([&y]).output("y", &y, loss())), &["Input::new"]);
    let twice = y.then(Dense::new(1)).named("a").then(Dense::new(1)).named("a");
    says(compile(Graph::new([&x]).output("y", &twice, loss())), &["name", "\"a\""]);
    let other = Input::new("other", 4);
    let sum = Add::new().of([&y, &x.then(Dense::new(2)), &other]);
    says(
        compile(Graph::new([&x, &other]).output("y", &sum, loss())),
        &["2.add", "0.dense of shape (1)", "1.dense of shape (2)", "\"other\" of shape (4)"],
    );
    let shared = Shared::new(Dense::new(2));
    let both = Concatenate::new().of([&x.then(&shared), &other.then(&shared)]);
    says(compile(Graph::new([&x, &other]).output("y", &both, loss())), &["shared layer", "(3)", "(4)"]);
    let model = compile(Graph::new([&x]).output("y", &y, loss())).unwrap().metric_of("z", Accuracy::new());
    says(model.evaluate(&data(3, 3), &array![1.0, 0.0, 1.0]), &["\"z\"", "y"]);
}

#[test]
fn a_deep_graph_is_dropped_without_recursion() {
    let mut node = Input::<f32>::new("x", 1);
    for _ in 0..200_000 {
        node = node.then(Flatten::new());
    }
    drop(node);
}

/// Keras 3.15: `Masking` before `Add`, `Concatenate` along time and features.
#[test]
fn masks_are_merged_by_the_rules_of_keras() {
    let (a, b) = (Input::new("a", [3, 1]), Input::new("b", [3, 1]));
    let (masked_a, masked_b) = (a.then(Masking::new(0.0)), b.then(Masking::new(0.0)));
    let mean = |node: &Node<f64>| {
        let y = node.then(GlobalAveragePooling1D::new());
        let model =
            Graph::new([&a, &b]).output("y", &y, MeanSquaredError::new()).compile(Sgd::new(0.1)).unwrap();
        let xa = Array3::from_shape_vec((1, 3, 1), vec![2.0, 0.0, 0.0]).unwrap();
        let xb = Array3::from_shape_vec((1, 3, 1), vec![4.0, 6.0, 0.0]).unwrap();
        model.predict((&xa, &xb)).unwrap()
    };
    // Steps 0 and 1 are valid in one of the inputs.
    assert_eq!(mean(&Add::new().of([&masked_a, &masked_b])), array![[(6.0 + 6.0) / 2.0]]);
    // Without a mask of one input there is none.
    assert_eq!(mean(&Add::new().of([&masked_a, &b])), array![[(6.0 + 6.0 + 0.0) / 3.0]]);
    // Along time: valid steps 2, 4, 6.
    assert_eq!(mean(&Concatenate::new().axis(1).of([&masked_a, &masked_b])), array![[4.0]]);
    // An input without a mask is valid throughout.
    assert_eq!(mean(&Concatenate::new().axis(1).of([&masked_a, &b])), array![[(2.0 + 4.0 + 6.0) / 4.0]]);
    assert_eq!(mean(&Concatenate::new().of([&masked_a, &masked_b])), array![[1.0, 5.0]]);
}

#[test]
fn graphs_and_names_come_back_from_files() {
    let (a, b) = (data(20, 4), data(20, 4).mapv(|v| v * v));
    let (class, value) = (Array1::from_shape_fn(20, |i| i % 2), a.column(0).to_owned());
    let mut model = network();
    model.fit_with((&a, &b), (&class, &value), FitOptions::new().epochs(2)).unwrap();
    let bytes = model.to_bytes().unwrap();
    let mut restored = Model::<f64>::from_bytes(&bytes).unwrap();
    assert_eq!(restored.to_bytes().unwrap(), bytes);
    assert_eq!(restored.weights(), model.weights());
    assert_eq!(restored.summary().to_string(), model.summary().to_string());
    let options = || FitOptions::new().epochs(2);
    let first = model.fit_with((&a, &b), (&class, &value), options()).unwrap();
    let second = restored.fit_with((&a, &b), (&class, &value), options()).unwrap();
    assert_eq!(first, second);
    assert_eq!(restored.weights(), model.weights());

    let named = chain().named("head").compile(Adam::new(0.01), SparseCategoricalCrossentropy::new()).unwrap();
    let restored = Model::<f64>::from_bytes(&named.to_bytes().unwrap()).unwrap();
    assert_eq!(restored.weights(), named.weights());
    assert_eq!(restored.layer("head").unwrap().weights.len(), 2);
    assert_eq!(restored.into_sequential().len(), 4);
    for length in 0..bytes.len() {
        assert!(Model::<f64>::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_graph_resumes_and_predicts_alike_in_any_batch() {
    let model = network();
    let (a, b) = (data(37, 4), data(37, 4).mapv(|v| v * v));
    let all: Outputs<f64> = model.predict_all((&a, &b)).unwrap();
    let some = model.predict_all_with((&a, &b), PredictOptions::new().batch_size(5)).unwrap();
    for (name, values) in all.iter() {
        let difference = (values - some.get(name).unwrap()).mapv(f64::abs).into_iter().fold(0.0, f64::max);
        assert!(difference < 1e-14, "{name}: {difference}");
    }
}

#[test]
fn integers_are_inputs() {
    let model: Model<f32> = Sequential::new(3)
        .add(Embedding::new(10, 4))
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError::new())
        .unwrap();
    let ids = array![[1_u8, 2, 9], [0, 0, 3]];
    let floats = ids.mapv(f32::from);
    assert_eq!(model.predict(&ids).unwrap(), model.predict(&floats).unwrap());
    let mut workspace = model.workspace(2).unwrap();
    let mut out = Array2::zeros((2, 1));
    model.predict_into(&ids.mapv(i64::from), &mut workspace, &mut out).unwrap();
    assert_eq!(out, model.predict(&floats).unwrap());
    says(model.predict(&array![[1_i32, -1, 2]]), &["-1 at [0, 1]", "0..=9"]);
    let mut workspace = model.workspace(1).unwrap();
    says(model.predict_into(&array![[1, 2, 3], [1, 2, 10]], &mut workspace, &mut out), &["10 at [1, 2]"]);
}

#[test]
fn input_gradients_are_those_of_central_differences_for_every_kind_of_input() {
    let model = network();
    let (a, b) = (data(3, 4), data(3, 4).mapv(|v| v * v));
    let names = ["3.dense", "6.dense"];
    let squares = |a: &Array2<f64>, b: &Array2<f64>| -> f64 {
        let seen = model.activations((a, b), &names).unwrap();
        seen.iter().map(|values| values.mapv(|v| v * v).sum()).sum()
    };
    let (_, (da, db)) = model
        .input_gradient_of((&a, &b), &names, |seen| seen.iter().map(|values| values * 2.0).collect())
        .unwrap();
    for (index, gradient) in [&da, &db].into_iter().enumerate() {
        for place in [[0, 0], [1, 2], [2, 3]] {
            let at = |delta: f64| {
                let (mut a, mut b) = (a.clone(), b.clone());
                [&mut a, &mut b][index][place] += delta;
                squares(&a, &b)
            };
            let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((gradient[place] - numeric).abs() < 1e-8, "{index} {place:?}");
        }
    }
    says(model.input_gradient((&a, &b), |y| y.clone()), &["several outputs", "input_gradient_of"]);
    let wrong = |_: &[ArrayD<f64>]| vec![ArrayD::zeros(vec![3, 4]), ArrayD::zeros(vec![3, 9])];
    says(model.input_gradient_of((&a, &b), &names, wrong), &["3.dense", "(3, 5)", "(3, 4)"]);
    let words: Model<f32> = Sequential::new(3)
        .add(Embedding::new(10, 4))
        .compile(Sgd::new(0.1), MeanSquaredError::new())
        .unwrap();
    says(words.input_gradient(&array![[1_u8, 2, 3]], |y| y.clone()), &["indices of an embedding"]);
}

#[test]
fn a_trained_part_is_the_body_of_another_model() {
    let trained = network();
    let body = trained.body().frozen();
    let head = body.layer("3.dense").unwrap().then(Dense::new(1)).named("head");
    let (a, b) = (data(5, 4), data(5, 4).mapv(|v| v * v));
    let mut model =
        Graph::new(body.inputs()).output("y", &head, MeanSquaredError::new()).compile(Sgd::new(0.1)).unwrap();
    assert_eq!(model.count_trainable_params(), 6);
    let seen = trained.activations((&a, &b), &["3.dense"]).unwrap();
    model.fit((&a, &b), &a.column(0).to_owned()).unwrap();
    assert_eq!(model.activations((&a, &b), &["3.dense"]).unwrap(), seen);
    says(body.layer("dense").map(drop), &["\"dense\"", "3.dense"]);
}

/// A custom merge layer is saved and loaded through the registry.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Mix {
    share: f64,
}

impl<F: Float> Merge<F> for Mix {
    fn kind(&self) -> &'static str {
        "test.mix"
    }
    fn plan(&self, inputs: axonal::custom::MergeInputs<'_>) -> Result<axonal::custom::Plan> {
        Ok(axonal::custom::Plan::output(inputs.same_shape("test.mix")?.clone()))
    }
    fn forward(&self, inputs: axonal::custom::MergeInputs<'_>, pass: axonal::custom::Forward<'_, F>) {
        let axonal::custom::Forward { x, mut y, .. } = pass;
        let half = inputs.columns(0).len();
        let (a, b) = x.split_at(axonal::ndarray::Axis(1), half);
        y.assign(&(&a * F::of(self.share) + &b * F::of(1.0 - self.share)));
    }
    fn backward(&self, inputs: axonal::custom::MergeInputs<'_>, pass: axonal::custom::Backward<'_, F>) {
        let axonal::custom::Backward { dy, dx, .. } = pass;
        let (mut a, mut b) = dx.split_at(axonal::ndarray::Axis(1), inputs.columns(0).len());
        a.assign(&(&dy * F::of(self.share)));
        b.assign(&(&dy * F::of(1.0 - self.share)));
    }
    fn config(&self) -> Option<axonal::custom::Config> {
        axonal::custom::Config::of(self)
    }
}

#[test]
fn a_custom_merge_layer_is_checked_and_saved() {
    check_merge(&Mix { share: 0.25 }, [4, 4]).unwrap();
    let (a, b) = (Input::new("a", 2), Input::new("b", 2));
    let y = Mix { share: 0.25 }.of([&a, &b]);
    let model: Model<f64> =
        Graph::new([&a, &b]).output("y", &y, MeanSquaredError::new()).compile(Sgd::new(0.1)).unwrap();
    let (x, z) = (array![[4.0, 8.0]], array![[8.0, 4.0]]);
    assert_eq!(model.predict((&x, &z)).unwrap(), array![[7.0, 5.0]]);
    let bytes = model.to_bytes().unwrap();
    says(Model::<f64>::from_bytes(&bytes), &["test.mix"]);
    let registry = Registry::new().merge::<Mix>("test.mix");
    let restored = Model::<f64>::from_bytes_with(&bytes, &registry).unwrap();
    assert_eq!(restored.predict((&x, &z)).unwrap(), array![[7.0, 5.0]]);
}
