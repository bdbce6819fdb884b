//! `Attention` and `AdditiveAttention`: contract, closed forms, masks, errors, files.

use axonal::custom::{Merge, MergeInputs, Shape};
use axonal::layers::{AdditiveAttention, Attention, Masking, ScoreMode};
use axonal::models::Node;
use axonal::ndarray::{Array2, Array3, Axis, array, concatenate, s};
use axonal::prelude::*;
use axonal::testing::check_merge;

const MODES: [ScoreMode; 2] = [ScoreMode::Dot, ScoreMode::Concat];

fn data(shape: [usize; 3]) -> Array3<f64> {
    Array3::from_shape_fn(shape, |(i, j, k)| (((i * 7 + j * 5 + k * 3) % 13) as f64 - 6.2) / 6.0)
}

#[test]
fn both_layers_keep_the_contract() {
    let inputs: [&[[usize; 2]]; 3] =
        [&[[4, 3], [5, 3]], &[[4, 3], [5, 2], [5, 3]], &[[1, 1], [1, 2], [1, 1]]];
    for shapes in inputs {
        for (causal, dropout) in [(false, 0.0), (true, 0.0), (false, 0.3)] {
            for use_scale in [false, true] {
                for mode in MODES {
                    let layer = Attention::new().score_mode(mode).use_scale(use_scale);
                    check_merge(&layer.causal(causal).dropout(dropout), shapes.to_vec()).unwrap();
                }
                let layer = AdditiveAttention::new().use_scale(use_scale);
                check_merge(&layer.causal(causal).dropout(dropout), shapes.to_vec()).unwrap();
            }
        }
    }
    // More queries than one block of dot products.
    check_merge(&Attention::new().use_scale(true).causal(true), [[66, 1], [65, 1]]).unwrap();
}

type Layers = Vec<(&'static str, Box<dyn Fn(&[&Node<f64>]) -> Node<f64>>)>;

/// All forms of both layers, applied to nodes.
fn forms() -> Layers {
    let mut forms: Layers = Vec::new();
    for mode in MODES {
        for causal in [false, true] {
            let layer = Attention::new().use_scale(true).score_mode(mode).causal(causal);
            forms.push(("attention", Box::new(move |nodes| layer.of(nodes.iter().copied()))));
        }
    }
    for causal in [false, true] {
        let layer = AdditiveAttention::new().causal(causal);
        forms.push(("additive_attention", Box::new(move |nodes| layer.of(nodes.iter().copied()))));
    }
    forms
}

/// The answer of a layer on a query and a value, whose steps of zeros are padding.
fn answer(
    layer: &dyn Fn(&[&Node<f64>]) -> Node<f64>,
    query: &Array3<f64>,
    value: &Array3<f64>,
) -> Array3<f64> {
    let input = |name: &str, x: &Array3<f64>| Input::new(name, [x.shape()[1], x.shape()[2]]);
    let (q, v) = (input("query", query), input("value", value));
    let y = layer(&[&q.then(Masking::new(0.0)), &v.then(Masking::new(0.0))]);
    let graph = Graph::new([&q, &v]).output("y", &y, MeanSquaredError::new()).seed(3);
    let rows = graph.compile(Sgd::new(0.1)).unwrap().predict((query, value)).unwrap();
    rows.into_shape_with_order([query.shape()[0], query.shape()[1], value.shape()[2]]).unwrap()
}

#[test]
fn padding_does_not_change_an_answer_and_padded_queries_are_zero() {
    let (query, value) = (data([3, 4, 2]), data([3, 5, 2]));
    let padded = |x: &Array3<f64>, steps: usize| {
        concatenate(Axis(1), &[x.view(), Array3::zeros((3, steps, 2)).view()]).unwrap()
    };
    for (name, layer) in forms() {
        let want = answer(&*layer, &query, &value);
        let got = answer(&*layer, &padded(&query, 2), &padded(&value, 3));
        let (valid, padding) = (got.slice(s![.., ..4, ..]), got.slice(s![.., 4.., ..]));
        assert!((&valid - &want).iter().all(|difference| difference.abs() < 1e-14), "{name}");
        assert!(padding.iter().all(|&y| y == 0.0), "{name}: {padding}");
    }
}

#[test]
fn a_query_without_a_valid_value_reads_the_mean() {
    let query = data([2, 3, 2]);
    let mut value = data([2, 4, 2]);
    // The first step is padding, which is all that the first query of a causal layer sees; the last sample is padding.
    value.slice_mut(s![0, 0, ..]).fill(0.0);
    value.slice_mut(s![1, .., ..]).fill(0.0);
    for (name, layer) in forms() {
        let got = answer(&*layer, &query, &value);
        assert!(got.slice(s![1, .., ..]).iter().all(|&y| y == 0.0), "{name}");
        assert!(got.iter().all(|y| y.is_finite()), "{name}");
    }
    let causal = Attention::new().causal(true);
    let got = answer(&|nodes: &[&Node<f64>]| causal.of(nodes.iter().copied()), &query, &value);
    let mean = value.mean_axis(Axis(1)).unwrap();
    for feature in 0..2 {
        assert!((got[[0, 0, feature]] - mean[[0, feature]]).abs() < 1e-15);
    }
}

#[test]
fn equal_keys_have_equal_weights_and_a_far_larger_score_takes_all() {
    let (query, value) = (array![[[1.0, 0.0]]], array![[[2.0, 1.0], [2.0, 3.0], [-900.0, 5.0]]]);
    let (q, v) = (Input::new("q", [1, 2]), Input::new("v", [3, 2]));
    let predict = |y: Node<f64>| {
        let graph = Graph::new([&q, &v]).output("y", &y, MeanSquaredError::new());
        let mut model = graph.compile(Sgd::new(0.1)).unwrap();
        if !model.weights().is_empty() {
            model.set_weight("0.additive_attention/scale", &array![1e3, 0.0].into_dyn()).unwrap();
        }
        model.predict((&query, &value)).unwrap()
    };
    assert_eq!(predict(Attention::new().of([&q, &v])), array![[2.0, 2.0]]);
    assert_eq!(predict(AdditiveAttention::new().of([&q, &v])), array![[2.0, 2.0]]);
}

#[test]
fn inputs_and_settings_that_do_not_fit_are_errors() {
    let compile = |y: &Node<f64>, inputs: &[Node<f64>]| {
        let graph = Graph::new(inputs.iter()).output("y", y, MeanSquaredError::new());
        graph.compile(Sgd::new(0.1)).map(|_| ()).unwrap_err().to_string()
    };
    let input = |name: &str, shape: &[usize]| Input::new(name, shape.to_vec());
    let (a, b, c) = (input("a", &[4, 3]), input("b", &[5, 2]), input("c", &[6, 3]));
    let flat = input("flat", &[3]);
    let says = |y: Node<f64>, inputs: &[&Node<f64>], words: &[&str]| {
        let inputs: Vec<_> = inputs.iter().map(|input| (*input).clone()).collect();
        let message = compile(&y, &inputs);
        for word in words {
            assert!(message.contains(word), "{word} in {message}");
        }
    };
    says(Attention::new().of([&a]), &[&a], &["attention", "2 or 3 inputs", "1"]);
    says(AdditiveAttention::new().of([&a, &c, &a, &c]), &[&a, &c], &["additive_attention", "2 or 3 inputs"]);
    says(Attention::new().of([&a, &b]), &[&a, &b], &["one number of features", "(4, 3) and (5, 2)", "Dense"]);
    says(Attention::new().of([&a, &b, &c]), &[&a, &b, &c], &["one number of steps"]);
    says(AdditiveAttention::new().of([&flat, &a]), &[&flat, &a], &["(steps, features)", "(3)"]);
    for rate in [1.0, -0.1, f64::NAN] {
        says(Attention::new().dropout(rate).of([&a, &c]), &[&a, &c], &["dropout", "0 <= dropout < 1"]);
    }
}

#[test]
fn inputs_of_any_size_are_planned_or_refused() {
    let layers = |inputs: &[Shape]| {
        let inputs = MergeInputs::new(inputs);
        for mode in MODES {
            let layer = Attention::new().use_scale(true).score_mode(mode).dropout(0.5);
            let _ = Merge::<f64>::plan(&layer, inputs);
        }
        let _ = Merge::<f64>::plan(&AdditiveAttention::new(), inputs);
    };
    let sizes = [0, 1, 1 << (usize::BITS / 2), usize::MAX / 2, usize::MAX];
    for steps in sizes {
        for keys in sizes {
            for features in sizes {
                layers(&[Shape::from([steps, features]), Shape::from([keys, features])]);
            }
        }
    }
    // No features and no steps.
    for (query, value) in [([3, 0], [2, 0]), ([0, 2], [3, 2]), ([3, 2], [0, 2])] {
        let (q, v) = (Input::<f64>::new("q", query), Input::new("v", value));
        let y = AdditiveAttention::new().of([&q, &v]);
        let graph = Graph::new([&q, &v]).output("y", &y, MeanSquaredError::new());
        let error = graph.compile(Sgd::new(0.1)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("at least 1") || error.contains("axes"), "{error}");
    }
}

#[test]
fn files_keep_the_settings_and_the_answers() {
    let (query, value, key) = (data([4, 3, 2]), data([4, 5, 3]), data([4, 5, 2]));
    let (q, v, k) = (Input::new("q", [3, 2]), Input::new("v", [5, 3]), Input::new("k", [5, 2]));
    let dot = Attention::new().use_scale(true).dropout(0.25).of([&q, &v, &k]);
    let concat =
        Attention::new().score_mode(ScoreMode::Concat).causal(true).of([&dot.then(Dense::new(2)), &k]);
    let y = AdditiveAttention::new().of([&concat, &v, &k]);
    let target = data([4, 3, 3]);
    let graph = Graph::new([&q, &v, &k]).output("y", &y, MeanSquaredError::new()).seed(5);
    let mut model = graph.compile(Adam::new(0.02)).unwrap();
    let options = || FitOptions::new().epochs(30).batch_size(2);
    let history = model.fit_with((&query, &value, &key), &target, options()).unwrap();
    assert!(history.loss()[29] < history.loss()[0]);
    let mut loaded = Model::<f64>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.weights(), model.weights());
    let predicted = |model: &Model<f64>| model.predict((&query, &value, &key)).unwrap();
    assert_eq!(predicted(&loaded), predicted(&model));
    let inputs = (&query, &value, &key);
    let again = [&mut model, &mut loaded].map(|model| model.fit_with(inputs, &target, options()).unwrap());
    assert_eq!(again[0].loss(), again[1].loss());
}

#[test]
fn self_attention_adds_the_gradients_of_all_roles() {
    let x = data([2, 3, 2]);
    let input = Input::new("x", [3, 2]);
    let y = Attention::new().of([&input, &input]);
    let graph = Graph::new([&input]).output("y", &y, MeanSquaredError::new());
    let model = graph.compile(Sgd::new(0.1)).unwrap();
    let (_, dx) = model.input_gradient(&x, |y| Array2::ones(y.raw_dim())).unwrap();
    let sum = |x: &Array3<f64>| model.predict(x).unwrap().sum();
    for index in [[0, 0, 0], [0, 2, 1], [1, 1, 0]] {
        let moved = |delta: f64| {
            let mut x = x.clone();
            x[index] += delta;
            sum(&x)
        };
        let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((dx[index] - numeric).abs() < 1e-8, "{index:?}: {} and {numeric}", dx[index]);
    }
}
