//! Networks and k-means inside the workflow: what they saw before leaks nowhere, and tables become evaluated models.

use axonal::datasets::{Dataset, load_breast_cancer, load_iris};
use axonal::prelude::*;

fn network<F: Float>(n_features: usize, n_classes: usize, epochs: usize) -> Model<F> {
    Sequential::new(n_features)
        .add(Dense::new(16).activation(Activation::Relu).kernel_regularizer(Regularizer::l2(0.01)))
        .add(Dense::new(n_classes).activation(Activation::Softmax))
        .seed(1)
        .compile(Adam::new(0.005), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
        .with_fit_options(FitOptions::new().epochs(epochs).batch_size(32))
}

#[test]
fn fitting_to_everything_first_leaves_every_fold_equal_to_the_bit() {
    let iris: Dataset<f64> = load_iris().unwrap();
    let fresh = Pipeline::new(StandardScaler::new(), network::<f64>(4, 3, 5));
    let mut used = fresh.clone();
    used.fit(&iris.data, &iris.target).unwrap();
    let folds = KFold::new(3).shuffle(2);
    let score = |pipeline: &_| cross_val_score(pipeline, &iris.data, &iris.target, &folds).unwrap();
    assert_eq!(score(&fresh), score(&used));

    let fresh = Pipeline::new(StandardScaler::new(), KMeans::<f64>::new(3).seed(0));
    let mut used = fresh.clone();
    used.fit(&iris.data, ()).unwrap();
    let score = |pipeline: &_| cross_val_score(pipeline, &iris.data, (), &folds).unwrap();
    assert_eq!(score(&fresh), score(&used));
}

/// The mean over three shuffles, so that no lucky one decides.
#[test]
fn tumours_are_told_apart_in_five_folds() {
    let tumours: Dataset<f32> = load_breast_cancer().unwrap();
    let classifier = Classifier::new(Pipeline::new(StandardScaler::new(), network::<f32>(30, 2, 20)));
    let mut scores = Vec::new();
    for seed in 0..3 {
        let folds = StratifiedKFold::new(5).shuffle(seed);
        scores.extend(cross_val_score(&classifier, &tumours.data, &tumours.target, folds).unwrap());
    }
    let mean = scores.iter().sum::<f64>() / 15.0;
    assert!(mean >= 0.97, "{mean}: {scores:?}");
}

#[test]
fn a_classifier_and_its_network_agree_on_accuracy() {
    let iris: Dataset<f64> = load_iris().unwrap();
    let mut classifier = Classifier::new(network::<f64>(4, 3, 10));
    classifier.fit(&iris.data, &iris.target).unwrap();
    let network = classifier.estimator();
    assert_eq!(classifier.predict(&iris.data).unwrap(), network.predict_classes(&iris.data).unwrap());
    let (own, theirs) = (
        classifier.score(&iris.data, &iris.target).unwrap(),
        network.score(&iris.data, &iris.target).unwrap(),
    );
    assert!((own - theirs).abs() < 1e-12, "{own} {theirs}");
}
