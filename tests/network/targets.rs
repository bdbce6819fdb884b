//! Targets outside the range of a loss or a metric are errors that name row, value, range and remedy; what losses are
//! made for passes.

use crate::common::assert_error;
use axonal::losses::{
    AnyLoss, BinaryFocalCrossentropy, CategoricalFocalCrossentropy, CategoricalHinge, Dice, Hinge,
    KlDivergence, Poisson, SquaredHinge, Tversky,
};
use axonal::metrics::{AnyMetric, SensitivityAtSpecificity};
use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;

#[track_caller]
fn model<F: Float>(outputs: usize, last: Activation, loss: impl Loss<F> + 'static) -> Model<F> {
    Sequential::new(2).add(Dense::new(outputs).activation(last)).compile(Sgd::new(0.01), loss).unwrap()
}

fn x<F: Float>(rows: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, 2), |(i, j)| F::of(((i + 2 * j) % 5) as f64 / 5.0))
}

fn of<F: Float, const N: usize>(values: [f64; N]) -> Array1<F> {
    values.iter().map(|&v| F::of(v)).collect()
}

/// Every way in which targets come in.
fn every_entry<F, const N: usize>(model: &Model<F>, bad: [f64; N], words: &[&str])
where
    F: Float + axonal::models::TargetElement<F>,
{
    let (x, good, bad) = (x::<F>(N), Array1::<F>::ones(N), of::<F, N>(bad));
    assert_error(model.clone().fit(&x, &bad), words);
    assert_error(model.evaluate(&x, &bad), words);
    assert_error(model.test_on_batch(&x, &bad), words);
    assert_error(model.clone().train_on_batch(&x, &bad), words);
    assert_error(model.clone().fit_batches([(x.clone(), bad.clone())], FitOptions::new()), words);
    let with = FitOptions::new().validation_data(&x, &bad);
    assert_error(model.clone().fit_with(&x, &good, with), &[words, &["validation y["]].concat());
    let halves: Array1<F> = good.iter().chain(&bad).copied().collect();
    let split = FitOptions::new().validation_split(0.5);
    let all = self::x::<F>(2 * N);
    assert_error(model.clone().fit_with(&all, &halves, split), &words[1..]);
    // A run that is refused leaves the model as it was.
    let mut after = model.clone();
    let _ = after.fit(&x, &bad);
    assert_eq!(after.weights(), model.weights());
}

fn binary<F: Float + axonal::models::TargetElement<F>>() {
    let losses: [(&str, AnyLoss<F>); 5] = [
        ("binary_crossentropy", AnyLoss::new(BinaryCrossentropy::default())),
        ("binary_crossentropy", AnyLoss::new(BinaryCrossentropy::default().label_smoothing(0.1))),
        ("binary_focal_crossentropy", AnyLoss::new(BinaryFocalCrossentropy::default())),
        ("crossentropy", AnyLoss::new(axonal::losses::Crossentropy::default())),
        ("dice", AnyLoss::new(Dice::default())),
    ];
    for (name, loss) in losses {
        let model = model::<F>(1, Activation::Sigmoid, loss);
        every_entry(&model, [1.0, 2.0, 1.0], &["y[1]", name, "from 0 to 1", "got 2", "0 and 1"]);
        every_entry(&model, [1.0, 1.0, -1.0], &["y[2]", name, "from 0 to 1", "got -1"]);
        every_entry(&model, [0.0, 255.0, 0.0], &["y[1]", name, "from 0 to 1", "got 255", "scale"]);
        every_entry(&model, [0.0, 1.0, 1.001], &["y[2]", name]);
        for good in [[0.0, 1.0, 0.0], [0.0, 0.5, 1.0], [0.05, 0.95, 0.3]] {
            model.clone().fit(&x::<F>(3), &of::<F, 3>(good)).unwrap();
        }
    }
    let logits = model::<F>(1, Activation::Linear, BinaryCrossentropy::default().from_logits(true));
    every_entry(&logits, [1.0, 2.0], &["y[1]", "binary_crossentropy", "got 2"]);
}

#[test]
fn binary_losses_take_targets_from_0_to_1() {
    binary::<f32>();
    binary::<f64>();
}

#[test]
fn targets_of_any_number_type_are_checked() {
    let model = || model::<f32>(1, Activation::Sigmoid, BinaryCrossentropy::default());
    assert_error(model().fit(&x::<f32>(3), &[1u8, 2, 1]), &["y[1]", "got 2"]);
    assert_error(model().fit(&x::<f32>(3), &[-1i64, 1, 1]), &["y[0]", "got -1"]);
    assert_error(model().fit(&x::<f32>(3), &array![[0usize], [255], [0]]), &["y[1]", "got 255"]);
    model().fit(&x::<f32>(3), &[true, false, true]).unwrap();
}

#[test]
fn class_losses_take_rows_from_0_to_1() {
    let losses: [(&str, AnyLoss<f64>); 4] = [
        ("categorical_crossentropy", AnyLoss::new(CategoricalCrossentropy::default())),
        ("categorical_crossentropy", AnyLoss::new(CategoricalCrossentropy::default().label_smoothing(0.2))),
        ("categorical_focal_crossentropy", AnyLoss::new(CategoricalFocalCrossentropy::default())),
        ("crossentropy", AnyLoss::new(axonal::losses::Crossentropy::default())),
    ];
    for (name, loss) in losses {
        let model = || model::<f64>(3, Activation::Softmax, loss.clone());
        let pixels = array![[1.0, 0.0, 0.0], [0.0, 255.0, 0.0]];
        assert_error(
            model().fit(&x::<f64>(2), &pixels),
            &["y[1, 1]", name, "from 0 to 1", "got 255", "one-hot"],
        );
        assert_error(
            model().fit(&x::<f64>(2), &array![[1.0, 0.0, 0.0], [0.5, -0.5, 1.0]]),
            &["y[1, 1]", name, "got -0.5"],
        );
        assert_error(model().evaluate(&x::<f64>(1), &array![[0.0, 0.0, 2.0]]), &["y[0, 2]", name, "got 2"]);
        // Distributions, smoothed, several classes, none.
        let good = array![[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        model().fit(&x::<f64>(4), &good).unwrap();
    }
    let steps = Sequential::new([2, 2])
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Sgd::default(), CategoricalCrossentropy::default())
        .unwrap();
    let mut y = axonal::ndarray::Array3::<f32>::zeros((2, 2, 3));
    y[[1, 0, 2]] = 7.0;
    assert_error(
        steps.evaluate(&axonal::ndarray::Array3::<f32>::zeros((2, 2, 2)), &y),
        &["y[1, 0, 2]", "got 7"],
    );
}

#[test]
fn counts_and_distributions_are_not_negative() {
    let poisson = || model::<f64>(1, Activation::Exponential, Poisson::default());
    every_entry(&poisson(), [3.0, -1.0, 0.0], &["y[1]", "poisson", "at least 0", "got -1"]);
    poisson().fit(&x::<f64>(3), &array![0.0, 7.0, 2.5]).unwrap();
    let kl = || model::<f64>(2, Activation::Softmax, KlDivergence::default());
    assert_error(
        kl().fit(&x::<f64>(2), &array![[0.5, 0.5], [1.5, -0.5]]),
        &["y[1, 1]", "kl_divergence", "got -0.5"],
    );
    kl().fit(&x::<f64>(2), &array![[0.5, 0.5], [4.0, 0.0]]).unwrap();
    let tversky = || model::<f64>(2, Activation::Sigmoid, Tversky::default());
    assert_error(tversky().fit(&x::<f64>(1), &array![[0.0, 255.0]]), &["y[0, 1]", "tversky", "got 255"]);
}

#[test]
fn hinges_take_one_encoding_of_two_classes() {
    let losses: [(&str, AnyLoss<f64>); 2] =
        [("hinge", AnyLoss::new(Hinge::default())), ("squared_hinge", AnyLoss::new(SquaredHinge::default()))];
    for (name, loss) in losses {
        let model = model::<f64>(1, Activation::Tanh, loss);
        for good in [[-1.0, 1.0, -1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]] {
            model.clone().fit(&x::<f64>(3), &of::<f64, 3>(good)).unwrap();
        }
        every_entry(&model, [1.0, 2.0, 1.0], &["y[1]", name, "got 2"]);
        every_entry(&model, [1.0, 0.5, -1.0], &["y[1]", name, "got 0.5"]);
        assert_error(
            model.evaluate(&x::<f64>(3), &array![-1.0, 1.0, 0.0]),
            &["y[2]", "got 0 beside -1 at [0]", "-1 and 1, or 0 and 1"],
        );
    }
    let several = || model::<f64>(2, Activation::Linear, CategoricalHinge::default());
    several().fit(&x::<f64>(2), &array![[0.0, 1.0], [1.0, 0.0]]).unwrap();
    several().fit(&x::<f64>(2), &array![[-1.0, 1.0], [1.0, -1.0]]).unwrap();
    assert_error(
        several().fit(&x::<f64>(2), &array![[0.0, 1.0], [3.0, 0.0]]),
        &["y[1, 0]", "categorical_hinge", "got 3"],
    );
}

#[test]
fn losses_of_any_values_take_any_values() {
    let y = array![-3.5, 0.0, 255.0];
    for name in ["mse", "mae", "mape", "msle", "huber", "logcosh"] {
        let loss: AnyLoss<f64> = name.parse().unwrap();
        model::<f64>(1, Activation::Linear, loss).evaluate(&x::<f64>(3), &y).unwrap();
    }
    let cosine: AnyLoss<f64> = "cosine_similarity".parse().unwrap();
    model::<f64>(2, Activation::Linear, cosine).evaluate(&x::<f64>(1), &array![[-3.0, 4.0]]).unwrap();
}

#[test]
fn metrics_of_two_sides_take_targets_from_0_to_1() {
    let with = |metric: AnyMetric<f32>| {
        model::<f32>(1, Activation::Tanh, MeanSquaredError::default()).metric(metric)
    };
    let sided: [AnyMetric<f32>; 9] = [
        AnyMetric::new(axonal::metrics::Precision::default()),
        AnyMetric::new(axonal::metrics::Recall::default()),
        AnyMetric::new(axonal::metrics::TruePositives::default()),
        AnyMetric::new(axonal::metrics::FalsePositives::default()),
        AnyMetric::new(axonal::metrics::TrueNegatives::default()),
        AnyMetric::new(axonal::metrics::FalseNegatives::default()),
        AnyMetric::new(axonal::metrics::Auc::default()),
        AnyMetric::new(SensitivityAtSpecificity::new(0.5)),
        AnyMetric::new(axonal::metrics::Precision::default().threshold(0.0)).named("mine"),
    ];
    for metric in sided {
        let name = metric.name();
        let model = with(metric);
        every_entry(&model, [1.0, 2.0, 1.0], &["y[1]", &name, "from 0 to 1", "got 2"]);
        every_entry(&model, [0.0, 1.0, -1.0], &["y[2]", &name, "got -1"]);
        for good in [[0.0, 1.0, 0.0], [0.2, 1.0, 0.7], [-1.0, 1.0, -1.0]] {
            model.evaluate(&x::<f32>(3), &of::<f32, 3>(good)).unwrap();
        }
    }
    for metric in ["binary_accuracy", "accuracy", "f1_score", "binary_crossentropy"] {
        let model = with(metric.parse().unwrap());
        every_entry(&model, [1.0, 2.0, 1.0], &["y[1]", metric, "got 2"]);
        every_entry(&model, [1.0, -1.0, 1.0], &["y[1]", metric, "got -1"]);
    }
}

#[test]
fn a_classifier_takes_the_numbers_of_its_classes() {
    let (x, y) = (x::<f64>(8), Array1::from_iter((0..8usize).map(|i| 1 + i % 2)));
    let fitted = |network: Model<f64>, y: &Array1<usize>| {
        let mut classifier = Classifier::new(network);
        classifier.fit(&x, y).map(|_| classifier)
    };
    let sigmoid = || model::<f64>(1, Activation::Sigmoid, BinaryCrossentropy::default());
    assert_error(fitted(sigmoid(), &y), &["y[1]", "binary_crossentropy", "got 2"]);
    let softmax =
        |classes| model::<f64>(classes, Activation::Softmax, SparseCategoricalCrossentropy::default());
    assert_error(fitted(softmax(2), &y), &["y[1]", "label 2", "2 classes"]);
    // A regression whose answers are read as classes has two of them.
    let regression = fitted(model::<f64>(1, Activation::Linear, MeanSquaredError::default()), &y).unwrap();
    assert_error(regression.score(&x, &y), &["y[1]", "label 2", "2 classes", "0 to 1"]);
    let three = fitted(softmax(3), &y).unwrap();
    assert!((0.0..=1.0).contains(&three.score(&x, &y).unwrap()));
    let good = y.mapv(|label| label - 1);
    assert!((0.0..=1.0).contains(&fitted(sigmoid(), &good).unwrap().score(&x, &good).unwrap()));
    // A search or cross-validation returns the same errors.
    let wrapped = Classifier::new(model::<f64>(1, Activation::Linear, MeanSquaredError::default()));
    assert_error(cross_val_score(&wrapped, &x, &y, KFold::new(2)), &["label 2"]);
}
