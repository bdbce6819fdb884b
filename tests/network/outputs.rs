//! A last layer whose outputs the loss cannot take is an error in `compile`, which says what to add; what may be meant
//! passes.
use crate::common::assert_error;
use axonal::custom::{Backward, Forward, OutputMeaning, Plan, Shape};
use axonal::layers::{
    ActivationLayer, ActivityRegularization, Constraint, Elu, GaussianNoise, LeakyRelu, MergeMode, PRelu,
    Relu, RepeatVector, SimpleRnn, Size2D, Softmax, TimeDistributed,
};
use axonal::losses::{
    AnyLoss, BinaryFocalCrossentropy, CategoricalFocalCrossentropy, CosineSimilarity, Dice, KlDivergence,
};
use axonal::prelude::*;
use std::sync::Arc;

type Made = Arc<dyn Layer<f32>>;

fn compile(layers: &[Made], loss: impl Loss<f32> + 'static) -> Result<Model<f32>> {
    shaped(&[4], layers, loss)
}

fn shaped(input: &[usize], layers: &[Made], loss: impl Loss<f32> + 'static) -> Result<Model<f32>> {
    let network = layers.iter().fold(Sequential::new(input), |network, layer| network.add(layer.clone()));
    network.compile(Sgd::default(), loss)
}

#[track_caller]
fn dense(units: usize, activation: Activation) -> Made {
    Arc::new(Dense::new(units).activation(activation))
}

fn of_classes() -> [(&'static str, AnyLoss<f32>); 4] {
    [
        ("sparse_categorical_crossentropy", AnyLoss::new(SparseCategoricalCrossentropy::default())),
        ("categorical_crossentropy", AnyLoss::new(CategoricalCrossentropy::default())),
        ("categorical_focal_crossentropy", AnyLoss::new(CategoricalFocalCrossentropy::default())),
        ("crossentropy", AnyLoss::new(axonal::losses::Crossentropy::default())),
    ]
}

fn of_two() -> [(&'static str, AnyLoss<f32>); 2] {
    [
        ("binary_crossentropy", AnyLoss::new(BinaryCrossentropy::default())),
        ("binary_focal_crossentropy", AnyLoss::new(BinaryFocalCrossentropy::default())),
    ]
}

fn of_class_logits() -> [AnyLoss<f32>; 3] {
    [
        AnyLoss::new(SparseCategoricalCrossentropy::default().from_logits(true)),
        AnyLoss::new(CategoricalCrossentropy::default().from_logits(true)),
        AnyLoss::new(CategoricalFocalCrossentropy::default().from_logits(true)),
    ]
}

fn of_binary_logits() -> [AnyLoss<f32>; 2] {
    [
        AnyLoss::new(BinaryCrossentropy::default().from_logits(true)),
        AnyLoss::new(BinaryFocalCrossentropy::default().from_logits(true)),
    ]
}

/// Activations with negative outputs.
const SIGNED: [Activation; 12] = [
    Activation::Linear,
    Activation::Tanh,
    Activation::LeakyRelu,
    Activation::Elu,
    Activation::Selu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Mish,
    Activation::HardSilu,
    Activation::Softsign,
    Activation::HardTanh,
    Activation::SoftShrink,
];

#[test]
fn a_crossentropy_of_classes_takes_probabilities() {
    for (name, loss) in of_classes() {
        let plain = compile(&[dense(10, Activation::Linear)], loss.clone());
        assert_error(
            plain,
            &[name, "0.dense without an activation", "Activation::Softmax", "from_logits(true)"],
        );
        let bad = SIGNED.iter().chain(&[Activation::Relu, Activation::Relu6, Activation::LogSoftmax]);
        for &last in bad.filter(|&&last| last != Activation::Linear) {
            let got = format!("with the activation {last}");
            assert_error(
                compile(&[dense(8, Activation::Relu), dense(10, last)], loss.clone()),
                &[name, "1.dense", &got],
            );
        }
        let good = [Activation::Softmax, Activation::Sparsemax, Activation::Sigmoid, Activation::HardSigmoid];
        for last in
            good.into_iter().chain([Activation::Softplus, Activation::Exponential, Activation::Squareplus])
        {
            compile(&[dense(8, Activation::Relu), dense(10, last)], loss.clone()).unwrap();
        }
    }
}

#[test]
fn a_binary_crossentropy_takes_probabilities() {
    for (name, loss) in of_two() {
        for units in [1, 3] {
            let plain = compile(&[dense(units, Activation::Linear)], loss.clone());
            assert_error(
                plain,
                &[name, "from 0 to 1", "without an activation", "Activation::Sigmoid", "from_logits(true)"],
            );
            let positive =
                [Activation::Relu, Activation::Softplus, Activation::Exponential, Activation::LogSigmoid];
            for &last in SIGNED.iter().chain(&positive).filter(|&&last| last != Activation::Linear) {
                assert_error(compile(&[dense(units, last)], loss.clone()), &[name, &last.to_string()]);
            }
            for last in [Activation::Sigmoid, Activation::HardSigmoid, Activation::SparseSigmoid] {
                compile(&[dense(units, last)], loss.clone()).unwrap();
            }
        }
        compile(&[dense(3, Activation::Softmax)], loss.clone()).unwrap();
    }
    for loss in ["dice", "tversky"] {
        assert_error(
            compile(&[dense(2, Activation::Linear)], loss.parse::<AnyLoss<f32>>().unwrap()),
            &[loss, "from 0 to 1"],
        );
        compile(&[dense(2, Activation::Sigmoid)], loss.parse::<AnyLoss<f32>>().unwrap()).unwrap();
    }
    assert_error(
        compile(&[dense(1, Activation::Tanh)], axonal::losses::Crossentropy::default()),
        &["crossentropy", "tanh"],
    );
    compile(&[dense(1, Activation::Sigmoid)], axonal::losses::Crossentropy::default()).unwrap();
}

#[test]
fn a_loss_from_logits_takes_logits() {
    let shares = [Activation::Softmax, Activation::Sigmoid, Activation::HardSigmoid, Activation::Sparsemax];
    for loss in of_class_logits() {
        for last in shares {
            assert_error(
                compile(&[dense(10, last)], loss.clone()),
                &["logits", &last.to_string(), "remove the activation"],
            );
        }
        for last in [Activation::Linear, Activation::Tanh, Activation::Relu, Activation::LogSoftmax] {
            compile(&[dense(10, last)], loss.clone()).unwrap();
        }
    }
    for loss in of_binary_logits() {
        for last in [Activation::Sigmoid, Activation::HardSigmoid, Activation::Relu, Activation::LogSigmoid] {
            assert_error(
                compile(&[dense(1, last)], loss.clone()),
                &["logits", &last.to_string(), "remove the activation"],
            );
        }
        for last in [Activation::Linear, Activation::Tanh, Activation::LeakyRelu] {
            compile(&[dense(1, last)], loss.clone()).unwrap();
        }
    }
}

#[test]
fn outputs_that_never_change_are_errors_under_any_loss() {
    let losses = of_classes().into_iter().chain(of_two()).map(|(_, loss)| loss);
    let others = ["mse", "poisson", "hinge"].map(|name| name.parse::<AnyLoss<f32>>().unwrap());
    for loss in losses.chain(others).chain(of_class_logits()).chain(of_binary_logits()) {
        for last in [Activation::Softmax, Activation::Sparsemax, Activation::LogSoftmax] {
            assert_error(
                compile(&[dense(1, last)], loss.clone()),
                &[last.name(), "constant", "0.dense", "Activation::Sigmoid"],
            );
            let behind: Vec<Made> =
                vec![dense(1, last), Arc::new(Dropout::new(0.5)), Arc::new(Flatten::default())];
            assert_error(compile(&behind, loss.clone()), &["constant", "0.dense"]);
        }
    }
    // One class is no choice, whatever the activation.
    for (_, loss) in &of_classes()[..3] {
        assert_error(
            compile(&[dense(1, Activation::Sigmoid)], loss.clone()),
            &["several classes", "BinaryCrossentropy"],
        );
    }
    for loss in of_class_logits() {
        assert_error(compile(&[dense(1, Activation::Linear)], loss), &["several classes"]);
    }
    assert_error(
        compile(&[dense(1, Activation::Linear)], CosineSimilarity::default()),
        &["cosine_similarity", "vectors"],
    );
    compile(&[dense(2, Activation::Linear)], CosineSimilarity::default()).unwrap();
    // Over another axis a softmax of one column is none of a single number.
    let over_steps: [Made; 2] = [dense(1, Activation::Linear), Arc::new(Softmax::default().axis(1))];
    shaped(&[5, 3], &over_steps, MeanSquaredError::default()).unwrap();
}

#[test]
fn layers_behind_the_activation_are_looked_through() {
    let loss = || AnyLoss::<f32>::new(SparseCategoricalCrossentropy::default());
    let logits = || AnyLoss::<f32>::new(SparseCategoricalCrossentropy::default().from_logits(true));
    let behind: Vec<Vec<Made>> = vec![
        vec![Arc::new(Dropout::new(0.5))],
        vec![Arc::new(Reshape::new([2, 5])), Arc::new(Flatten::default())],
        vec![Arc::new(ActivityRegularization::new(0.0, 0.1)), Arc::new(GaussianNoise::new(0.1))],
        vec![Arc::new(RepeatVector::new(3)), Arc::new(GlobalAveragePooling1D::default())],
        vec![Arc::new(ActivationLayer::new(Activation::Linear))],
    ];
    for behind in behind {
        let with = |first: Made| [vec![first], behind.clone()].concat();
        assert_error(
            compile(&with(dense(10, Activation::Linear)), loss()),
            &["0.dense without an activation"],
        );
        assert_error(
            compile(&with(dense(10, Activation::Tanh)), loss()),
            &["0.dense with the activation tanh"],
        );
        assert_error(
            compile(&with(dense(10, Activation::Softmax)), logits()),
            &["0.dense with the activation softmax"],
        );
        compile(&with(dense(10, Activation::Softmax)), loss()).unwrap();
        compile(&with(dense(10, Activation::Linear)), logits()).unwrap();
        let mut with_softmax = with(dense(10, Activation::Linear));
        with_softmax.push(Arc::new(Softmax::default()));
        compile(&with_softmax, loss()).unwrap();
    }
    for last in [
        Arc::new(Relu::default()) as Made,
        Arc::new(LeakyRelu::default()),
        Arc::new(Elu::default()),
        Arc::new(PRelu::default()),
        Arc::new(ActivationLayer::new(Activation::Tanh)),
        Arc::new(BatchNormalization::default()),
        Arc::new(LayerNormalization::default()),
        Arc::new(Rescaling::new(0.1)),
    ] {
        assert_error(
            compile(&[dense(10, Activation::Linear), last], loss()),
            &["sparse_categorical_crossentropy"],
        );
    }
    let shares: [Made; 2] = [dense(10, Activation::Linear), Arc::new(Softmax::default())];
    assert_error(compile(&shares, logits()), &["1.softmax", "logits"]);
    let clipped =
        |most: f64| [dense(10, Activation::Linear), Arc::new(Relu::default().max_value(most)) as Made];
    compile(&clipped(1.0), BinaryCrossentropy::default()).unwrap();
    assert_error(compile(&clipped(2.0), BinaryCrossentropy::default()), &["relu"]);
}

#[test]
fn other_last_layers_are_known_too() {
    let loss = || SparseCategoricalCrossentropy::default();
    let conv: [Made; 2] =
        [Arc::new(Conv2D::new(10, Size2D::from(3))), Arc::new(GlobalAveragePooling2D::default())];
    assert_error(shaped(&[5, 5, 1], &conv, loss()), &["0.conv2d without an activation"]);
    for layer in [
        Arc::new(Lstm::new(10)) as Made,
        Arc::new(Gru::new(10)),
        Arc::new(SimpleRnn::new(10)),
        Arc::new(Bidirectional::new(Lstm::new(5))),
    ] {
        assert_error(shaped(&[5, 3], &[layer], loss()), &["tanh"]);
    }
    shaped(&[5, 3], &[Arc::new(Gru::new(10).activation(Activation::Sigmoid)) as Made], loss()).unwrap();
    let sum = Bidirectional::new(Lstm::new(5)).merge_mode(MergeMode::Sum);
    shaped(&[5, 3], &[Arc::new(sum) as Made], MeanSquaredError::default()).unwrap();
    let steps = |activation| Arc::new(TimeDistributed::new(Dense::new(10).activation(activation))) as Made;
    assert_error(
        shaped(&[5, 3], &[steps(Activation::Linear)], loss()),
        &["0.time_distributed without an activation"],
    );
    shaped(&[5, 3], &[steps(Activation::Softmax)], loss()).unwrap();
    assert_error(shaped(&[5, 3], &[steps(Activation::Softmax)], loss().from_logits(true)), &["softmax"]);
}

#[test]
fn what_may_be_meant_passes() {
    let loss = || SparseCategoricalCrossentropy::default();
    // Mixtures of probabilities: by non-negative weights, by fixed weights.
    let mixed = Dense::new(3).use_bias(false).kernel_constraint(Constraint::NonNeg);
    compile(&[dense(3, Activation::Softmax), Arc::new(mixed)], loss()).unwrap();
    let network =
        Sequential::<f32>::new(4).add(Dense::new(3).activation(Activation::Softmax)).add(Dense::new(3));
    network.trainable(false).compile(Sgd::default(), loss()).unwrap();
    compile(&[Arc::new(Residual::new().add(Dense::new(4)))], loss()).unwrap();
    // Values below 0 are Keras's problem of the data.
    for name in ["poisson", "msle", "hinge", "huber"] {
        compile(&[dense(2, Activation::Linear)], name.parse::<AnyLoss<f32>>().unwrap()).unwrap();
    }
    assert_error(
        compile(&[dense(2, Activation::Linear)], KlDivergence::default()),
        &["kl_divergence", "at least 0"],
    );
    compile(&[dense(2, Activation::Softmax)], KlDivergence::default()).unwrap();
}

/// A dense layer of another crate, which squashes what it computes itself.
#[derive(Debug)]
struct Squashed(Dense);

impl Layer<f32> for Squashed {
    fn kind(&self) -> &'static str {
        "test.squashed"
    }
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Layer::<f32>::plan(&self.0, input)
    }
    fn forward(&self, pass: Forward<'_, f32>) {
        self.0.forward(pass);
    }
    fn backward(&self, pass: Backward<'_, f32>) {
        self.0.backward(pass);
    }
}

#[test]
fn layers_of_other_crates_may_put_out_anything() {
    let own = || Arc::new(Squashed(Dense::new(10))) as Made;
    compile(&[own()], SparseCategoricalCrossentropy::default()).unwrap();
    let tanh = Arc::new(Squashed(Dense::new(10).activation(Activation::Tanh))) as Made;
    compile(&[tanh], SparseCategoricalCrossentropy::default()).unwrap();
    compile(&[own(), Arc::new(Flatten::default())], BinaryCrossentropy::default()).unwrap();
    // Its declared activation is applied by the network, whatever it computes.
    let softmax = Arc::new(Squashed(Dense::new(10).activation(Activation::Softmax))) as Made;
    assert_error(
        compile(&[softmax], SparseCategoricalCrossentropy::default().from_logits(true)),
        &["test.squashed"],
    );
    #[derive(Debug)]
    struct Wrapped(Arc<dyn Loss<f32>>);
    assert_eq!(Wrapped(Arc::new(Dice::default())).0.output_meaning(&2.into()), OutputMeaning::Probabilities);
}
