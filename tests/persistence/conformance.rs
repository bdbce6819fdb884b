//! Every estimator keeps to the contract of estimators.

use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use axonal::preprocessing::Remainder;
use axonal::testing::{check_estimator, check_transformer};

fn data() -> (Array2<f64>, Array1<usize>) {
    let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5 + i * j) % 23) as f64 / 4.0 - 1.0);
    let y = x.rows().into_iter().map(|row| usize::from(row[0] > row[1])).collect();
    (x, y)
}

#[test]
fn networks_conform() {
    let (x, y) = data();
    let classifier = Sequential::new(3)
        .add(Dense::new(8).activation(Activation::Relu))
        .add(Dropout::new(0.1))
        .add(Dense::new(2).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    check_estimator(&classifier, &x, &y).unwrap();
    let normalized = Sequential::new(3)
        .add(Dense::new(4))
        .add(BatchNormalization::default())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Sgd::default(), BinaryCrossentropy::default())
        .unwrap();
    check_estimator(&normalized, &x, &y).unwrap();
}

#[test]
fn kmeans_conforms() {
    let (x, _) = data();
    for kmeans in [KMeans::new(3), KMeans::new(2).init(KMeansInit::Random), KMeans::new(3).spherical(true)] {
        check_estimator(&kmeans, &x, ()).unwrap();
        check_transformer(&kmeans, &x).unwrap();
    }
}

/// The normalizer is not among them: it learns nothing, so any number of features is right. Nor is the imputer, which
/// takes NaN.
#[test]
fn transformers_conform() {
    let (x, _) = data();
    check_transformer(&StandardScaler::new(), &x).unwrap();
    check_transformer(&MinMaxScaler::new(), &x).unwrap();
    check_transformer(&MaxAbsScaler::new(), &x).unwrap();
    check_transformer(&RobustScaler::new(), &x).unwrap();
    check_transformer(&PolynomialFeatures::new(2), &x).unwrap();
}

#[test]
fn other_clusterings_conform() {
    let (x, _) = data();
    check_estimator(&BisectingKMeans::new(3), &x, ()).unwrap();
    check_estimator(&MiniBatchKMeans::new(3), &x, ()).unwrap();
}

#[cfg(feature = "pca")]
#[test]
fn principal_components_conform() {
    let (x, _) = data();
    check_transformer(&Pca::new(2), &x).unwrap();
    check_transformer(&Pca::new(2).whiten(true), &x).unwrap();
}

#[test]
fn encoders_conform() {
    let (x, _) = data();
    check_transformer(&OneHotEncoder::new(), &x).unwrap();
    check_transformer(&OrdinalEncoder::new(), &x).unwrap();
}

fn network(units: usize, activation: Activation) -> Sequential<f64> {
    Sequential::new(3)
        .add(Dense::new(5).activation(Activation::Tanh))
        .add(Dense::new(units).activation(activation))
}

#[test]
fn what_is_made_of_others_conforms() {
    let (x, y) = data();
    let columns =
        ColumnTransformer::new().step(StandardScaler::new(), [0, 2]).remainder(Remainder::Passthrough);
    check_transformer(&columns, &x).unwrap();
    check_transformer(&Pipeline::new(MinMaxScaler::new(), PolynomialFeatures::new(2)), &x).unwrap();
    check_estimator(&Pipeline::new(StandardScaler::new(), KMeans::new(3)), &x, ()).unwrap();
    let classes = network(2, Activation::Softmax)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .unwrap();
    check_estimator(&Classifier::new(classes.clone()), &x, &y).unwrap();
    check_estimator(&Classifier::new(Pipeline::new(columns, classes)), &x, &y).unwrap();
    let values =
        network(1, Activation::Linear).compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let y = y.mapv(|label| label as f64);
    check_estimator(&Regressor::new(Pipeline::new(RobustScaler::new(), values)), &x, &y).unwrap();
}

/// Answers with the sum of each row, whatever it holds.
#[derive(Clone)]
struct Careless;

impl Estimator for Careless {
    fn unfitted(&self) -> Self {
        Self
    }
}

impl<S: axonal::ndarray::Data<Elem = f64>> Fit<axonal::ndarray::ArrayBase<S, axonal::ndarray::Ix2>>
    for Careless
{
    type Report = ();
    fn fit(&mut self, _: &axonal::ndarray::ArrayBase<S, axonal::ndarray::Ix2>, (): ()) -> Result<()> {
        Ok(())
    }
}

impl<S: axonal::ndarray::Data<Elem = f64>> Predict<axonal::ndarray::ArrayBase<S, axonal::ndarray::Ix2>>
    for Careless
{
    type Output = Array1<f64>;
    fn predict(&self, x: &axonal::ndarray::ArrayBase<S, axonal::ndarray::Ix2>) -> Result<Array1<f64>> {
        Ok(x.sum_axis(axonal::ndarray::Axis(1)))
    }
}

#[test]
fn an_estimator_that_accepts_nan_is_found_out() {
    let failure = check_estimator(&Careless, &data().0, ()).unwrap_err().to_string();
    assert!(failure.contains("Careless") && failure.contains("NaN is accepted"), "{failure}");
}
