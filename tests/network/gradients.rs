//! The gradient that a training step follows, against central differences of the loss, in double precision.
//!
//! A step of plain gradient descent at rate 1 moves every weight by exactly its gradient, so the whole chain is
//! checked from outside: the fused last activation, the loss, the layers, the activations between them.

use axonal::layers::ActivationLayer;
use axonal::models::Targets;
use axonal::ndarray::{Array1, Array2, ArrayD, array};
use axonal::prelude::*;

const HIDDEN: [Activation; 29] = [
    Activation::Linear,
    Activation::Relu,
    Activation::Relu6,
    Activation::LeakyRelu,
    Activation::Elu,
    Activation::Selu,
    Activation::Celu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::LogSigmoid,
    Activation::SparseSigmoid,
    Activation::Softmax,
    Activation::LogSoftmax,
    Activation::Sparsemax,
    Activation::Tanh,
    Activation::HardTanh,
    Activation::TanhShrink,
    Activation::SoftShrink,
    Activation::HardShrink,
    Activation::Softplus,
    Activation::Softsign,
    Activation::Silu,
    Activation::HardSilu,
    Activation::Mish,
    Activation::Exponential,
    Activation::Squareplus,
    Activation::SparsePlus,
];

fn samples() -> Array2<f64> {
    Array2::from_shape_fn((5, 6), |(i, j)| ((i * 7 + j * 13 + 3) % 17) as f64 / 8.5 - 0.93)
}

/// Compares every weight's gradient with the slope of the loss. Where the slope itself jumps within the step of
/// the difference (the kink of a relu), the two one-sided slopes differ, and the weight is left out; that may
/// happen to a tenth of the weights at most.
fn check<'y>(name: &str, model: &Model<f64>, x: &Array2<f64>, y: impl Into<Targets<'y, f64>> + Clone) {
    const STEP: f64 = 1e-5;
    let mut moved = model.clone();
    moved.train_on_batch(x, y.clone()).unwrap();
    let loss_at = |weight: &str, values: &ArrayD<f64>| {
        let mut there = model.clone();
        there.set_weight(weight, values).unwrap();
        there.evaluate(x, y.clone()).unwrap().loss()
    };
    let here = model.evaluate(x, y.clone()).unwrap().loss();
    let (mut compared, mut kinks) = (0, 0);
    for (before, after) in model.weights().iter().zip(moved.weights()) {
        for index in 0..before.value.len() {
            let gradient = before.value.iter().nth(index).unwrap() - after.value.iter().nth(index).unwrap();
            let shifted = |by: f64| {
                let mut values = before.value.clone();
                *values.iter_mut().nth(index).unwrap() += by;
                loss_at(&before.name, &values)
            };
            let (up, down) = (shifted(STEP), shifted(-STEP));
            if ((up - here) - (here - down)).abs() > 1e-3 * (up - down).abs().max(1e-7) {
                kinks += 1;
                continue;
            }
            let slope = (up - down) / (2.0 * STEP);
            let error = (gradient - slope).abs() / gradient.abs().max(slope.abs()).max(1e-3);
            assert!(error <= 1e-6, "{name}: {}[{index}]: gradient {gradient}, slope {slope}", before.name);
            compared += 1;
        }
    }
    assert!(compared >= 9 * kinks, "{name}: {kinks} of {} weights lie at a kink", compared + kinks);
}

fn network(
    hidden: Activation,
    outputs: usize,
    last: Activation,
    loss: impl Loss<f64> + 'static,
) -> Model<f64> {
    Sequential::new(6)
        .add(Reshape::new([2, 3]))
        .add(Dense::new(4).activation(hidden))
        .add(Flatten::default())
        .add(Dense::new(outputs).use_bias(false))
        .add(ActivationLayer::new(last))
        .seed(5)
        .compile(Sgd::new(1.0), loss)
        .unwrap()
}

#[test]
fn every_activation_has_the_gradient_of_its_values_under_every_loss() {
    let x = samples();
    let values = Array2::from_shape_fn((5, 3), |(i, j)| ((i * 5 + j * 11) % 7) as f64 / 3.5 - 0.9);
    let shares = array![[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]];
    let labels: Array1<usize> = array![2, 0, 1, 1, 2];
    for hidden in HIDDEN {
        let name = |loss: &str| format!("{hidden} under {loss}");
        let linear = Activation::Linear;
        check(&name("mse"), &network(hidden, 3, linear, MeanSquaredError::default()), &x, &values);
        check(&name("mae"), &network(hidden, 3, linear, MeanAbsoluteError::default()), &x, &values);
        let binary = BinaryCrossentropy::default().label_smoothing(0.1);
        check(&name("bce"), &network(hidden, 3, Activation::Sigmoid, binary), &x, &shares);
        let categorical = CategoricalCrossentropy::default().label_smoothing(0.1);
        check(&name("cce"), &network(hidden, 3, Activation::Softmax, categorical), &x, &shares);
        let sparse = SparseCategoricalCrossentropy::default();
        check(&name("scce"), &network(hidden, 3, Activation::Softmax, sparse), &x, &labels);
    }
}

#[test]
fn every_last_activation_has_its_gradient_whether_the_loss_takes_its_logits_or_not() {
    let x = samples();
    let shares = array![[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]];
    let labels: Array1<usize> = array![2, 0, 1, 1, 2];
    for last in HIDDEN {
        let name = format!("{last} as the last");
        check(&name, &network(Activation::Tanh, 3, last, MeanSquaredError::default()), &x, &shares);
    }
    // Probabilities that the losses cannot take the logits of.
    for last in [Activation::Softplus, Activation::Exponential] {
        let name = format!("{last} under the crossentropies of probabilities");
        check(&name, &network(Activation::Tanh, 3, last, CategoricalCrossentropy::default()), &x, &shares);
        check(
            &name,
            &network(Activation::Tanh, 3, last, SparseCategoricalCrossentropy::default()),
            &x,
            &labels,
        );
    }
    let name = "softmax under the binary crossentropy";
    check(
        name,
        &network(Activation::Tanh, 3, Activation::Softmax, BinaryCrossentropy::default()),
        &x,
        &shares,
    );
    let name = "sigmoid under the categorical crossentropy";
    check(
        name,
        &network(Activation::Tanh, 3, Activation::Sigmoid, CategoricalCrossentropy::default()),
        &x,
        &shares,
    );
    let from_logits = SparseCategoricalCrossentropy::default().from_logits(true);
    check("logits", &network(Activation::Tanh, 3, Activation::Linear, from_logits), &x, &labels);
    let from_logits = BinaryCrossentropy::default().from_logits(true);
    check("logits", &network(Activation::Tanh, 3, Activation::Linear, from_logits), &x, &shares);
}

#[test]
fn penalties_are_part_of_the_gradient() {
    let x = samples();
    let y = Array2::from_elem((5, 2), 0.3);
    let model = Sequential::new(6)
        .add(
            Dense::new(4)
                .activation(Activation::Tanh)
                .kernel_regularizer(Regularizer::l1_l2(0.02, 0.05))
                .bias_regularizer(Regularizer::l2(0.1))
                .bias_initializer(Initializer::Constant(0.4))
                .activity_regularizer(Regularizer::l1_l2(0.03, 0.2)),
        )
        .add(Dense::new(2).activation(Activation::Sigmoid).activity_regularizer(Regularizer::l2(0.3)))
        .seed(2)
        .compile(Sgd::new(1.0), BinaryCrossentropy::default())
        .unwrap();
    check("penalties", &model, &x, &y);
}

#[test]
fn sample_weights_scale_each_samples_part() {
    // Keras's default reduction divides by the number of samples, not by the sum of the weights.
    let x = samples();
    let y = Array2::from_elem((5, 1), 1.0);
    let weights = array![0.0, 1.0, 2.0, 0.5, 3.0];
    let model = network(Activation::Tanh, 1, Activation::Linear, MeanSquaredError::default());
    let each: Vec<f64> = (0..5)
        .map(|i| {
            let one = x.slice(axonal::ndarray::s![i..i + 1, ..]);
            model.evaluate(&one, &y.slice(axonal::ndarray::s![i..i + 1, ..])).unwrap().loss()
        })
        .collect();
    let weighted =
        model.evaluate_with(&x, &y, EvaluateOptions::new().sample_weight(&weights)).unwrap().loss();
    let by_hand = each.iter().zip(&weights).map(|(loss, weight)| loss * weight).sum::<f64>() / 5.0;
    assert!((weighted - by_hand).abs() < 1e-12, "{weighted} {by_hand}");
}
