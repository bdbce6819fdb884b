//! Gradients with respect to the inputs against central differences, for every layer that files can name.
//!
//! The rows of the registries are read from their source, so a new layer without a case here fails.

use axonal::custom::Merge;
use axonal::layers::*;
use axonal::models::Node;
use axonal::ndarray::{Array2, ArrayD, IxDyn};
use axonal::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const LAYERS: &str = include_str!("../../src/nn/layers/registry.rs");
const MERGE_LAYERS: &str = include_str!("../../src/nn/layers/merging/registry.rs");

const STEP: f64 = 1e-5;
const BATCH: usize = 3;

/// The kinds of a registry.
fn kinds(source: &'static str) -> BTreeSet<&'static str> {
    let rows = source.split("\ncatalog! {\n").nth(1).unwrap().split("\n}\n").next().unwrap();
    rows.lines()
        .filter_map(|row| row.trim().strip_prefix('"')?.split_once("\" => "))
        .map(|row| row.0)
        .collect()
}

/// Samples of different values, none of them near 0 or another kink of a layer below.
fn samples(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let shape: Vec<usize> = std::iter::once(BATCH).chain(shape.iter().copied()).collect();
    let len = shape.iter().product();
    assert!(len < 211, "values would repeat");
    let values = (0..len).map(|i| ((i * 67 + 29 + seed) % 211) as f64 / 97.0 - 1.0873).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap()
}

/// Fixed factors of the outputs: the function whose gradient is compared is their weighted sum.
fn factors(y: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn(y.raw_dim(), |(i, j)| ((i * 5 + j * 3) % 7) as f64 / 3.0 - 0.9)
}

/// Compares a gradient with the slope of `function` in each direction.
fn compare(name: &str, x: &ArrayD<f64>, gradient: &ArrayD<f64>, function: impl Fn(&ArrayD<f64>) -> f64) {
    assert_eq!(gradient.shape(), x.shape(), "{name}");
    for index in 0..x.len() {
        let at = |by: f64| {
            let mut x = x.clone();
            x.as_slice_mut().unwrap()[index] += by;
            function(&x)
        };
        let (got, want) = (gradient.as_slice().unwrap()[index], (at(STEP) - at(-STEP)) / (2.0 * STEP));
        assert!(
            (got - want).abs() <= 1e-8 * want.abs().max(1.0),
            "{name} at {index}: gradient {got}, slope {want}"
        );
    }
}

/// Weights other than the initial ones, of which some are 0 or 1.
fn with_weights(mut model: Model<f64>) -> Model<f64> {
    for (array, mut weight) in model.weights().into_iter().enumerate() {
        if weight.name.ends_with("/h") || weight.name.ends_with("/c") {
            continue;
        }
        let is_positive = weight.name.ends_with("variance");
        for (index, value) in weight.value.iter_mut().enumerate() {
            let drawn = ((array * 31 + index * 17 + 5) % 23) as f64 / 17.0 - 0.61;
            *value = if is_positive { drawn.abs() + 0.4 } else { drawn };
        }
        model.set_weight(&weight.name, &weight.value).unwrap();
    }
    model
}

fn compiled(network: Sequential<f64>) -> Model<f64> {
    with_weights(network.compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap())
}

/// Compares the gradients through a layer as the first one and behind another; the kind of the layer.
fn check(layer: impl Layer<f64> + 'static, shape: &[usize]) -> &'static str {
    let layer: Arc<dyn Layer<f64>> = Arc::new(layer);
    let x = samples(shape, 0);
    let first = Sequential::new(shape).add(layer.clone());
    let second = Sequential::new(shape).add(ActivationLayer::new(Activation::Tanh)).add(layer.clone());
    for (place, network) in [("first", first), ("second", second)] {
        let model = compiled(network);
        let (y, gradient) = model.input_gradient(&x, factors).unwrap();
        assert_eq!(y, model.predict(&x).unwrap());
        let function = |x: &ArrayD<f64>| (model.predict(x).unwrap() * factors(&y)).sum();
        compare(&format!("{layer:?} as the {place} layer"), &x, &gradient, function);
    }
    layer.kind()
}

/// Compares the gradients toward both inputs of a merge layer; the kind of the layer.
fn check_merge(layer: impl Merge<f64> + 'static, shapes: [&[usize]; 2]) -> &'static str {
    let (kind, name) = (layer.kind(), format!("{layer:?}"));
    let inputs = [Input::new("a", shapes[0]), Input::new("b", shapes[1])];
    let model = graph(&inputs, &layer.of(&inputs));
    let (a, b) = (samples(shapes[0], 0), samples(shapes[1], 13));
    let (y, (da, db)) = model.input_gradient((&a, &b), factors).unwrap();
    let sum = |a: &ArrayD<f64>, b: &ArrayD<f64>| (model.predict((a, b)).unwrap() * factors(&y)).sum();
    compare(&format!("{name}, input a"), &a, &da, |a| sum(a, &b));
    compare(&format!("{name}, input b"), &b, &db, |b| sum(&a, b));
    kind
}

fn graph(inputs: &[Node<f64>], output: &Node<f64>) -> Model<f64> {
    with_weights(
        Graph::new(inputs).output("y", output, MeanSquaredError::new()).compile(Sgd::new(0.1)).unwrap(),
    )
}

/// Compares each layer that is given with a sample shape; the kinds of the layers.
macro_rules! check_each {
    ($($layer:expr, $shape:expr;)*) => {
        BTreeSet::from([$(check($layer, &$shape)),*])
    };
}

fn layers_of_vectors() -> BTreeSet<&'static str> {
    check_each! {
        ActivationLayer::new(Activation::Gelu), [2, 3];
        ActivationLayer::new(Activation::Sparsemax), [4];
        Dense::new(3).activation(Activation::Mish), [4];
        Dense::new(3).use_bias(false).activation(Activation::Softmax), [2, 3];
        Relu::new().negative_slope(0.1).max_value(0.6).threshold(0.3), [4];
        LeakyRelu::new(0.2), [4];
        PRelu::new().shared_axes([1]), [2, 3];
        Elu::new(0.7), [4];
        Softmax::new().axis(1), [3, 2];
        Dropout::new(0.4), [4];
        AlphaDropout::new(0.4), [4];
        GaussianDropout::new(0.4), [4];
        GaussianNoise::new(0.4), [4];
        ActivityRegularization::new(0.1, 0.2), [4];
        Rescaling::new(0.3).offset(1.0), [4];
        Normalization::new([0.5, 1.0, 2.0], [4.0, 0.3, 2.0]), [2, 3];
        BatchNormalization::new(), [4];
        BatchNormalization::new().axis(1), [3, 2];
        LayerNormalization::new(), [2, 4];
        LayerNormalization::new().axis([1, 3]), [2, 3, 4];
        RmsNormalization::new().axis([-2]), [3, 2];
        GroupNormalization::new(2), [3, 4];
        GroupNormalization::new(2).axis(1), [4, 3];
        UnitNormalization::new().axis([1, 2]), [3, 2];
        Residual::new().add(Dense::new(5).activation(Activation::Silu)).add(Dense::new(4)), [4];
        Flatten::new(), [2, 3];
        Reshape::new([3, 2]), [6];
        Permute::new([3, 1, 2]), [2, 3, 2];
        RepeatVector::new(3), [4];
    }
}

fn layers_of_sequences() -> BTreeSet<&'static str> {
    let recurrent = || Gru::new(3).return_sequences(true);
    check_each! {
        SpatialDropout1D::new(0.4), [4, 2];
        Conv1D::new(2, 2).padding(Padding::Causal).dilation_rate(2).activation(Activation::Tanh), [6, 2];
        Conv1D::new(4, 3).strides(2).groups(2), [7, 2];
        MaxPooling1D::new(3).strides(2).padding(Padding::Same), [6, 2];
        AveragePooling1D::new(3).strides(2).padding(Padding::Same), [6, 2];
        GlobalMaxPooling1D::new(), [5, 3];
        GlobalAveragePooling1D::new().keepdims(true), [5, 3];
        ZeroPadding1D::edges(1, 2), [3, 2];
        Cropping1D::edges(1, 2), [5, 2];
        UpSampling1D::new(3), [3, 2];
        SimpleRnn::new(3).go_backwards(true), [4, 2];
        Lstm::new(3).return_sequences(true), [4, 2];
        Lstm::new(2).stateful(BATCH).recurrent_activation(Activation::Softmax), [4, 2];
        Gru::new(3).reset_after(false), [4, 2];
        recurrent().dropout(0.3).recurrent_dropout(0.3), [4, 2];
        Masking::new(0.5), [4, 2];
        MultiHeadAttention::new(2, 3).causal(true).dropout(0.3), [4, 3];
        GroupQueryAttention::new(2, 4, 2), [4, 3];
        PositionEmbedding::new(6), [4, 3];
        PositionEmbedding::sinusoidal(), [4, 3];
        Bidirectional::new(recurrent()).merge_mode(MergeMode::Mul), [4, 2];
        Bidirectional::new(Lstm::new(2)), [4, 2];
        TimeDistributed::new(Conv1D::new(2, 2).activation(Activation::Gelu)), [3, 4, 2];
        TimeDistributed::new(Lstm::new(2)), [3, 2, 2];
    }
}

fn layers_of_images() -> BTreeSet<&'static str> {
    check_each! {
        SpatialDropout2D::new(0.4), [3, 4, 2];
        Conv2D::new(4, [3, 2]).strides([2, 1]).groups(2).activation(Activation::Softplus), [5, 4, 2];
        Conv2D::new(2, 2).padding(Padding::Same).dilation_rate(2), [4, 5, 2];
        Conv2DTranspose::new(2, [3, 2]).strides([2, 3]), [3, 2, 2];
        DepthwiseConv2D::new(2).depth_multiplier(2).padding(Padding::Same), [4, 3, 2];
        SeparableConv2D::new(3, 2).strides(2).depth_multiplier(2), [5, 4, 2];
        MaxPooling2D::new([2, 3]).padding(Padding::Same), [4, 5, 2];
        AveragePooling2D::new([2, 3]).padding(Padding::Same), [4, 5, 2];
        GlobalMaxPooling2D::new(), [3, 4, 2];
        GlobalAveragePooling2D::new(), [3, 4, 2];
        ZeroPadding2D::edges([0, 2], [1, 3]), [3, 4, 2];
        Cropping2D::edges([1, 0], [0, 2]), [3, 4, 2];
        UpSampling2D::new([2, 3]).interpolation(Interpolation::Bilinear), [3, 2, 2];
        UpSampling2D::new(2), [3, 2, 2];
    }
}

/// The error for inputs that are indices.
fn layers_of_indices() -> BTreeSet<&'static str> {
    let layer = Embedding::new(5, 2);
    let (kind, ids) = (Layer::<f64>::kind(&layer), Array2::from_shape_fn((BATCH, 4), |(i, j)| (i + j) % 5));
    let alone = Sequential::new(4).add(layer.clone());
    let behind = Sequential::new(4).add(Reshape::new([2, 2])).add(layer.clone());
    for network in [alone, behind] {
        let error =
            compiled(network).input_gradient(&ids.mapv(|id| id as f64), factors).unwrap_err().to_string();
        let words = "input_gradient: expected inputs that are real numbers; take the gradient of the embedding's output \
            instead, got indices of an embedding";
        assert!(error.contains(words), "{error}");
    }
    BTreeSet::from([kind])
}

#[test]
fn every_layer_has_the_gradient_of_its_outputs_toward_its_inputs() {
    let mut checked = layers_of_vectors();
    checked.extend(layers_of_sequences());
    checked.extend(layers_of_images());
    checked.extend(layers_of_indices());
    assert_eq!(checked, kinds(LAYERS), "a layer of the registry has no case here");
}

#[test]
fn every_merge_layer_has_the_gradient_of_its_outputs_toward_its_inputs() {
    let checked = BTreeSet::from([
        check_merge(Add::new(), [&[3, 4], &[1, 4]]),
        check_merge(Subtract::new(), [&[3, 4], &[3, 1]]),
        check_merge(Multiply::new(), [&[3, 4], &[3, 4]]),
        check_merge(Average::new(), [&[3, 4], &[3, 4]]),
        check_merge(Maximum::new(), [&[3, 4], &[3, 4]]),
        check_merge(Minimum::new(), [&[3, 4], &[1, 4]]),
        check_merge(Concatenate::new(), [&[3, 4], &[3, 2]]),
        check_merge(Concatenate::new().axis(1), [&[3, 4], &[2, 4]]),
        check_merge(Dot::new(2, 1), [&[2, 3], &[3, 4]]),
        check_merge(Dot::new(-1, -1).normalize(true), [&[2, 3], &[4, 3]]),
        check_merge(MultiHeadAttention::new(2, 3).value_dim(2).causal(true), [&[4, 3], &[4, 2]]),
        check_merge(GroupQueryAttention::new(2, 4, 2), [&[4, 3], &[5, 3]]),
        check_merge(Attention::new().use_scale(true).dropout(0.3), [&[4, 3], &[5, 3]]),
        check_merge(Attention::new().score_mode(ScoreMode::Concat).causal(true), [&[4, 3], &[4, 3]]),
        check_merge(AdditiveAttention::new(), [&[4, 3], &[5, 3]]),
    ]);
    assert_eq!(checked, kinds(MERGE_LAYERS), "a merge layer of the registry has no case here");
}

#[test]
fn attention_has_the_gradient_toward_queries_values_and_keys() {
    let shapes = [[4, 3], [5, 2], [5, 4]];
    let inputs = ["query", "value", "key"].into_iter().zip(shapes);
    let inputs: Vec<Node<f64>> = inputs.map(|(name, shape)| Input::new(name, shape)).collect();
    let model = graph(&inputs, &MultiHeadAttention::new(2, 2).of(&inputs));
    let [q, v, k] = [0, 1, 2].map(|index| samples(&shapes[index], 17 * index));
    let (y, (dq, dv, dk)) = model.input_gradient((&q, &v, &k), factors).unwrap();
    let sum = |q: &_, v: &_, k: &_| (model.predict((q, v, k)).unwrap() * factors(&y)).sum();
    compare("query", &q, &dq, |q| sum(q, &v, &k));
    compare("value", &v, &dv, |v| sum(&q, v, &k));
    compare("key", &k, &dk, |k| sum(&q, &v, k));
}

/// A masked step changes the outputs only by becoming valid, so its gradient is 0.
#[test]
fn masked_steps_have_no_gradient_and_the_others_that_of_the_outputs() {
    let network = || Sequential::new([5, 2]).add(Masking::new(0.25));
    let networks = [
        ("simple_rnn", network().add(SimpleRnn::new(3))),
        ("lstm", network().add(Lstm::new(3).return_sequences(true))),
        ("gru", network().add(Gru::new(3).zero_output_for_mask(true).return_sequences(true))),
        ("bidirectional", network().add(Bidirectional::new(Gru::new(2).reset_after(false)))),
        ("attention", network().add(MultiHeadAttention::new(2, 2)).add(GlobalAveragePooling1D::new())),
        ("average", network().add(GlobalAveragePooling1D::new())),
    ];
    let mut x = samples(&[5, 2], 0);
    let masked = [(0, 3), (0, 4), (1, 0), (2, 2)];
    for (sample, step) in masked {
        x.as_slice_mut().unwrap()[sample * 10 + step * 2..][..2].fill(0.25);
    }
    for (name, network) in networks {
        let model = compiled(network);
        let (y, gradient) = model.input_gradient(&x, factors).unwrap();
        let function = |shifted: &ArrayD<f64>| {
            let mut shifted = shifted.clone();
            for (sample, step) in masked {
                shifted.as_slice_mut().unwrap()[sample * 10 + step * 2..][..2].fill(0.25);
            }
            (model.predict(&shifted).unwrap() * factors(&y)).sum()
        };
        compare(name, &x, &gradient, function);
    }
}
