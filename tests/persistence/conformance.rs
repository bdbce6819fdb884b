//! Every estimator keeps to the contract of estimators.

use axonal::cluster::BisectingKMeans;
use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;
use axonal::preprocessing::Remainder;
use axonal::preprocessing::{ElementFunction, FunctionTransformer, KBinsDiscretizer, LabelBinarizer};
use axonal::preprocessing::{MaxAbsScaler, Normalizer, OrdinalEncoder, PolynomialFeatures, RobustScaler};
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

#[test]
fn transformers_conform() {
    let (x, _) = data();
    check_transformer(&StandardScaler::new(), &x).unwrap();
    check_transformer(&MinMaxScaler::new(), &x).unwrap();
    check_transformer(&MaxAbsScaler::new(), &x).unwrap();
    check_transformer(&RobustScaler::new(), &x).unwrap();
    check_transformer(&PolynomialFeatures::new(2), &x).unwrap();
    check_transformer(&KBinsDiscretizer::new(3), &x).unwrap();
    check_transformer(&FunctionTransformer::new(f64::cbrt), &x).unwrap();
    check_transformer(&FunctionTransformer::named(ElementFunction::Square), &x).unwrap();
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

/// A label encoder learns names and no matrices, so its contract is checked by hand.
#[test]
fn label_encoders_conform() {
    let names = ["b", "a", "c", "b"];
    let encoder = LabelEncoder::new();
    let before = encoder.transform(names.as_slice()).unwrap_err();
    assert!(matches!(before, Error::NotFitted { estimator: "LabelEncoder", .. }), "{before}");
    assert!(encoder.clone().fit([""; 0].as_slice()).is_err());
    let mut fitted = encoder.clone();
    fitted.fit(names.as_slice()).unwrap();
    let whole = fitted.transform(names.as_slice()).unwrap();
    let mut again = fitted.clone();
    again.fit(names.as_slice()).unwrap();
    assert_eq!((&again, again.transform(names.as_slice()).unwrap()), (&fitted, whole.clone()));
    assert_eq!(fitted.unfitted(), encoder);
    for (row, name) in names.iter().enumerate() {
        assert_eq!(fitted.transform([*name].as_slice()).unwrap()[0], whole[row]);
    }
    let backwards = Array1::from(names.to_vec());
    let backwards = backwards.slice(axonal::ndarray::s![..;-1]);
    assert_eq!(fitted.transform(&backwards).unwrap(), whole.slice(axonal::ndarray::s![..;-1]));
    assert!(fitted.transform(["d"].as_slice()).unwrap_err().to_string().contains("\"d\""));
    let loaded = LabelEncoder::from_bytes(&fitted.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded, fitted);
}

/// A label binarizer learns labels and no matrices, so its contract is checked by hand.
#[test]
fn label_binarizers_conform() {
    let labels = array![3, 1, 2, 3];
    let binarizer = LabelBinarizer::new();
    let before = binarizer.transform(&labels).unwrap_err();
    assert!(matches!(before, Error::NotFitted { estimator: "LabelBinarizer", .. }), "{before}");
    assert!(binarizer.clone().fit(&Array1::<u8>::zeros(0)).is_err());
    assert!(binarizer.clone().fit(&array![1.0, f64::NAN]).unwrap_err().to_string().contains("NaN"));
    let mut fitted = binarizer.clone();
    fitted.fit(&labels).unwrap();
    let whole = fitted.transform(&labels).unwrap();
    assert_eq!(fitted.unfitted(), binarizer);
    let backwards = labels.slice(axonal::ndarray::s![..;-1]);
    assert_eq!(fitted.transform(&backwards).unwrap(), whole.slice(axonal::ndarray::s![..;-1, ..]));
    let loaded = LabelBinarizer::from_bytes(&fitted.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded, fitted);
}

/// The imputer takes NaN, and the normalizer any number of features; all else is as for the others.
#[test]
fn imputers_and_normalizers_conform() {
    let (x, _) = data();
    let mut imputer = SimpleImputer::new();
    assert!(matches!(imputer.transform(&x), Err(Error::NotFitted { .. })));
    for bad in [f64::INFINITY, f64::NEG_INFINITY] {
        let mut bad_x = x.clone();
        bad_x[[1, 1]] = bad;
        assert!(imputer.unfitted().fit(&bad_x).unwrap_err().to_string().contains("inf"));
        assert!(Normalizer::new().transform(&bad_x).unwrap_err().to_string().contains("inf"));
    }
    let mut missing = x.clone();
    missing[[1, 1]] = f64::NAN;
    assert!(Normalizer::new().transform(&missing).unwrap_err().to_string().contains("NaN"));
    imputer.fit(&missing).unwrap();
    assert!(imputer.transform(&missing).unwrap().iter().all(|value| value.is_finite()));
    for (rows, columns) in [(0, 3), (4, 0)] {
        assert!(imputer.unfitted().fit(&Array2::<f64>::zeros((rows, columns))).is_err());
    }
    assert!(imputer.transform(&Array2::<f64>::zeros((4, 2))).is_err());
    let columns_first = x.t().as_standard_layout().into_owned();
    assert_eq!(imputer.transform(&columns_first.t()).unwrap(), imputer.transform(&x).unwrap());
    let normalizer = Normalizer::new();
    assert_eq!(normalizer.transform(&columns_first.t()).unwrap(), normalizer.transform(&x).unwrap());
}

/// A new estimator is added here together with its case.
#[test]
fn every_estimator_of_the_crate_has_a_case() {
    let cases = include_str!("conformance.rs");
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![sources];
    let mut names = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
                let Some((_, rest)) = line.split_once(" Estimator for ") else { continue };
                let is_code = line.starts_with("impl");
                let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                names.extend(is_code.then_some(name));
            }
        }
    }
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        // A network is made by its builder, and a step is one of a column transformer.
        let name = match name.as_str() {
            "Model" => "Sequential",
            "Step" => "ColumnTransformer",
            name => name,
        };
        assert!(cases.contains(&format!("{name}::new(")), "{name} has no case here");
    }
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
    let deferred = Sequential::deferred().add(Dense::new(2).activation(Activation::Softmax));
    let deferred = deferred.compile(Adam::default(), SparseCategoricalCrossentropy::default()).unwrap();
    check_estimator(&deferred, &x, &y).unwrap();
    check_estimator(&Classifier::new(deferred).class_weight(ClassWeight::Balanced), &x, &y).unwrap();
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
