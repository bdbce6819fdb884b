//! Splitters, discretizers, binarizers and weighted kappa against scikit-learn
//! (`parity/sklearn/folds_and_encoders/generate.py`).

use axonal::metrics::{KappaWeights, cohen_kappa_score, cohen_kappa_score_with};
use axonal::model_selection::*;
use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;
use axonal::preprocessing::{
    BinEncoding, BinStrategy, ElementFunction, FunctionTransformer, KBinsDiscretizer, LabelBinarizer,
    QuantileMethod,
};
use serde_json::Value;

fn cases(kind: &str) -> Vec<Value> {
    let text = include_str!("../parity/sklearn/folds_and_encoders/cases.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    let cases: Vec<Value> = cases.into_iter().filter(|case| case["kind"] == kind).collect();
    assert!(!cases.is_empty(), "no case of {kind}");
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(count).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![number(value)],
    }
}

fn table(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap();
    Array2::from_shape_vec((rows.len(), rows[0].as_array().unwrap().len()), numbers(value)).unwrap()
}

fn assert_near<'a>(name: &str, got: impl IntoIterator<Item = &'a f64>, want: &[f64]) {
    let got: Vec<f64> = got.into_iter().copied().collect();
    assert_eq!(got.len(), want.len(), "{name}");
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let close = got == want || (got - want).abs() <= 1e-9 * want.abs().max(1.0);
        assert!(close, "{name}[{index}]: got {got}, want {want}");
    }
}

fn class_counts(y: &[usize], rows: &[usize]) -> Vec<usize> {
    (0..=*y.iter().max().unwrap()).map(|class| rows.iter().filter(|&&row| y[row] == class).count()).collect()
}

#[test]
fn groups_are_folded_as_in_scikit_learn() {
    for case in cases("group_k_fold") {
        let groups = counts(&case["groups"]);
        let folds = GroupKFold::new(count(&case["k"]), &groups).folds(groups.len(), ()).unwrap();
        let want: Vec<Vec<usize>> = case["tests"].as_array().unwrap().iter().map(counts).collect();
        assert_eq!(folds.into_iter().map(|fold| fold.test).collect::<Vec<_>>(), want, "{}", case["name"]);
        let shuffled = GroupKFold::new(count(&case["k"]), &groups).shuffle(3);
        for fold in shuffled.folds(groups.len(), ()).unwrap() {
            let tested: Vec<usize> = fold.test.iter().map(|&row| groups[row]).collect();
            assert!(!tested.is_empty());
            assert!(fold.train.iter().all(|&row| !tested.contains(&groups[row])), "{}", case["name"]);
        }
    }
    let says =
        |n_splits, groups: &[u8]| GroupKFold::new(n_splits, groups).folds(3, ()).unwrap_err().to_string();
    assert!(says(2, &[1, 1]).contains("groups: expected 3"));
    assert!(says(2, &[1, 1, 1]).contains("at most 1, the number of groups"));
    assert!(says(1, &[1, 2, 1]).contains("at least 2"));
}

#[test]
fn shuffled_splits_have_scikit_learns_class_counts() {
    for case in cases("stratified_shuffle_split") {
        let y = counts(&case["y"]);
        let splitter = StratifiedShuffleSplit::new(3).test_size(number(&case["test_size"]));
        for seed in 0..3 {
            for fold in splitter.clone().seed(seed).folds(y.len(), &y).unwrap() {
                assert_eq!(class_counts(&y, &fold.train), counts(&case["train_counts"]), "{}", case["name"]);
                assert_eq!(class_counts(&y, &fold.test), counts(&case["test_counts"]), "{}", case["name"]);
            }
        }
    }
    let labels = ["a", "b", "b", "b"];
    let error = StratifiedShuffleSplit::new(2).test_size(0.5).folds(4, &labels).unwrap_err().to_string();
    assert!(error.contains("at least 2 samples of every class"), "{error}");
}

#[test]
fn repeated_folds_differ_and_have_scikit_learns_sizes() {
    let sizes = |folds: &[Fold]| folds.iter().map(|fold| fold.test.len()).collect::<Vec<_>>();
    for case in cases("repeated_k_fold") {
        let (k, repeats) = (count(&case["k"]), count(&case["repeats"]));
        let folds = RepeatedKFold::new(k, repeats).folds(count(&case["n"]), ()).unwrap();
        assert_eq!(sizes(&folds), counts(&case["sizes"]));
        assert_ne!(folds[..k], folds[k..2 * k]);
    }
    for case in cases("repeated_stratified_k_fold") {
        let (k, y) = (count(&case["k"]), counts(&case["y"]));
        let folds = RepeatedStratifiedKFold::new(k, count(&case["repeats"])).folds(y.len(), &y).unwrap();
        assert_eq!(sizes(&folds), counts(&case["sizes"]));
        assert_ne!(folds[..k], folds[k..2 * k]);
    }
    assert!(RepeatedKFold::new(2, 0).folds(4, ()).unwrap_err().to_string().contains("n_repeats"));
}

#[test]
fn predictions_of_folds_are_scikit_learns() {
    let data = &cases("cross_val_data")[0];
    let (x, start) = (table(&data["x"]), table(&data["start"]));
    let kmeans = KMeans::new(3).init(KMeansInit::Centers(start));
    for case in cases("cross_val_predict") {
        let predicted = cross_val_predict(&kmeans, &x, (), KFold::new(count(&case["k"]))).unwrap();
        assert_eq!(predicted.to_vec(), counts(&case["predicted"]), "{}", case["name"]);
    }
    let message = cross_val_predict(&kmeans, &x, (), ShuffleSplit::new(2)).unwrap_err().to_string();
    assert!(message.contains("exactly one test part"), "{message}");
}

#[test]
fn labels_of_every_type_are_stratified() {
    let want = StratifiedKFold::new(2).folds(6, &[0_u8, 1, 0, 1, 0, 1]).unwrap();
    assert_eq!(StratifiedKFold::new(2).folds(6, &array![0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).unwrap(), want);
    assert_eq!(StratifiedKFold::new(2).folds(6, ["x", "a", "x", "a", "x", "a"].as_slice()).unwrap(), want);
    assert_eq!(StratifiedKFold::new(2).folds(6, &array![[0], [1], [0], [1], [0], [1]]).unwrap(), want);
    let column_pairs = Array2::<u8>::zeros((6, 2));
    assert!(StratifiedKFold::new(2).folds(6, &column_pairs).is_err());
    assert!(StratifiedKFold::new(2).folds(2, &[f64::NAN, 1.0]).unwrap_err().to_string().contains("NaN"));
}

fn discretizer(case: &Value) -> KBinsDiscretizer {
    let text = |field: &str| case[field].as_str().unwrap().to_owned();
    let encode = if text("encode") == "ordinal" { BinEncoding::Ordinal } else { BinEncoding::OneHot };
    let strategy = match text("strategy").as_str() {
        "uniform" => BinStrategy::Uniform,
        "quantile" => BinStrategy::Quantile,
        _ => BinStrategy::KMeans,
    };
    let method = match text("method").as_str() {
        "linear" => QuantileMethod::Linear,
        "inverted_cdf" => QuantileMethod::InvertedCdf,
        _ => QuantileMethod::AveragedInvertedCdf,
    };
    KBinsDiscretizer::new(count(&case["n_bins"])).encode(encode).strategy(strategy).quantile_method(method)
}

#[test]
fn bins_are_scikit_learns() {
    let data = &cases("k_bins_data")[0];
    let (x, z) = (table(&data["x"]), table(&data["z"]));
    for case in cases("k_bins") {
        let name = case["name"].as_str().unwrap();
        let mut bins = discretizer(&case);
        bins.fit(&x).unwrap();
        for (edges, want) in bins.bin_edges().unwrap().iter().zip(case["edges"].as_array().unwrap()) {
            assert_near(name, edges, &numbers(want));
        }
        assert_eq!(bins.n_bins_learned().unwrap(), counts(&case["counts"]), "{name}");
        let names = bins.feature_names(&["a", "b", "c", "d", "e"]).unwrap();
        assert_eq!(Value::from(names), case["names"], "{name}");
        let transformed = bins.transform(&z).unwrap();
        assert_near(name, &transformed, &numbers(&case["transformed"]));
        // The center of the one bin of a constant feature is NaN in scikit-learn, 0 here.
        let inverse = bins.inverse_transform(&transformed).unwrap();
        let want: Vec<f64> =
            numbers(&case["inverse"]).iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
        assert_near(name, &inverse, &want);
        let loaded = KBinsDiscretizer::from_bytes(&bins.to_bytes().unwrap()).unwrap();
        assert_eq!(loaded, bins);
    }
}

#[test]
fn bins_of_odd_data_and_settings_are_refused_or_few() {
    let x = array![[1.0], [1.0 + 1e-12], [1.0]];
    let mut bins = KBinsDiscretizer::new(4);
    bins.fit(&x).unwrap();
    assert_eq!(bins.n_bins_learned().unwrap(), [1]);
    assert_eq!(bins.transform(&x).unwrap(), array![[1.0], [1.0], [1.0]]);
    let huge = array![[f64::MIN], [f64::MAX]];
    let mut uniform = KBinsDiscretizer::new(2).strategy(BinStrategy::Uniform).encode(BinEncoding::Ordinal);
    assert_eq!(uniform.fit_transform(&huge).unwrap(), array![[0.0], [1.0]]);
    let says = |bins: &mut KBinsDiscretizer| bins.fit(&huge).unwrap_err().to_string();
    assert!(says(&mut KBinsDiscretizer::new(1)).contains("n_bins"));
    assert!(says(&mut KBinsDiscretizer::new(usize::MAX)).contains("memory"));
    assert!(says(&mut KBinsDiscretizer::new(2).subsample(0)).contains("subsample"));
    let many = Array2::from_shape_fn((1000, 1), |(row, _)| row as f64);
    let mut sampled = KBinsDiscretizer::new(2).subsample(100);
    sampled.fit(&many).unwrap();
    let middle = sampled.bin_edges().unwrap()[0][1];
    assert!((300.0..700.0).contains(&middle), "{middle}");
}

#[test]
fn binarized_labels_are_scikit_learns() {
    for case in cases("label_binarizer") {
        let y: Array1<i64> = numbers(&case["y"]).iter().map(|&label| label as i64).collect();
        let mut binarizer = LabelBinarizer::new()
            .neg_label(case["neg"].as_i64().unwrap())
            .pos_label(case["pos"].as_i64().unwrap());
        let columns = binarizer.fit_transform(&y).unwrap();
        assert_near("columns", &columns.mapv(|v| v as f64), &numbers(&case["columns"]));
        let scores = columns.mapv(|v| v as f64);
        assert_eq!(binarizer.inverse_transform::<i64>(&scores).unwrap(), y, "{}", case["name"]);
        assert_eq!(LabelBinarizer::from_bytes(&binarizer.to_bytes().unwrap()).unwrap(), binarizer);
    }
    let mut binarizer = LabelBinarizer::new();
    assert!(matches!(binarizer.transform(&array![1]), Err(Error::NotFitted { .. })));
    binarizer.fit(["no", "yes"].as_slice()).unwrap();
    assert!(binarizer.transform(["maybe"].as_slice()).unwrap_err().to_string().contains("maybe"));
    assert!(
        LabelBinarizer::new().neg_label(2).fit(&array![1]).unwrap_err().to_string().contains("neg_label")
    );
}

#[test]
fn functions_are_numpys_and_named_ones_come_back_from_files() {
    for case in cases("function") {
        let name = case["name"].as_str().unwrap();
        let function: ElementFunction = serde_json::from_value(name.into()).unwrap();
        let (x, mut transformer) = (table(&case["x"]), FunctionTransformer::named(function));
        let transformed = transformer.fit_transform(&x).unwrap();
        assert_near(name, &transformed, &numbers(&case["transformed"]));
        if name != "abs" {
            let inverse = transformer.inverse_transform(&transformed).unwrap();
            assert_near(name, &inverse, x.as_slice().unwrap());
        }
        let loaded = FunctionTransformer::from_bytes(&transformer.to_bytes().unwrap()).unwrap();
        assert_eq!(loaded, transformer);
    }
    let closure = FunctionTransformer::new(|x| x + 1.0);
    assert!(matches!(closure.to_bytes(), Err(Error::Unsaveable { .. })));
    let mut log = FunctionTransformer::named(ElementFunction::Log);
    assert!(log.fit_transform(&array![[1.0, 0.0]]).unwrap_err().to_string().contains("[0, 1]"));
}

#[test]
fn weighted_kappa_is_scikit_learns() {
    for case in cases("kappa") {
        let labels = |field: &str| Array1::from(counts(&case[field]));
        let (a, b) = (labels("a"), labels("b"));
        let weights = [KappaWeights::None, KappaWeights::Linear, KappaWeights::Quadratic];
        let got = weights.map(|weights| cohen_kappa_score_with(&a, &b, weights).unwrap());
        assert_near("kappa", &got, &numbers(&case["kappas"]));
        assert_eq!(got[0], cohen_kappa_score(&a, &b).unwrap());
    }
    let one = array![1, 1];
    assert!(cohen_kappa_score_with(&one, &one, KappaWeights::Quadratic).unwrap().is_nan());
}

#[cfg(feature = "datasets")]
#[test]
fn the_diabetes_data_are_scikit_learns() {
    use axonal::datasets::{load_diabetes, load_diabetes_raw};
    let case = &cases("diabetes")[0];
    let (scaled, raw) = (load_diabetes::<f64>().unwrap(), load_diabetes_raw::<f64>().unwrap());
    assert_eq!(Value::from(scaled.feature_names.clone()), case["names"]);
    for (index, &row) in counts(&case["rows"]).iter().enumerate() {
        assert_near("data", scaled.data.row(row), &numbers(&case["data"][index]));
        assert_near("raw", raw.data.row(row), &numbers(&case["raw"][index]));
        assert_eq!(scaled.target[row], number(&case["target"][index]));
    }
    assert_near("sums", &raw.data.sum_axis(axonal::ndarray::Axis(0)), &numbers(&case["raw_sums"]));
    assert_eq!(raw.target.sum(), number(&case["target_sum"]));
}

#[test]
fn made_classes_have_the_parts_that_were_asked_for() {
    use axonal::datasets::{ClassificationOptions, make_classification};
    let options = ClassificationOptions::new()
        .n_features(9)
        .n_informative(3)
        .n_redundant(2)
        .n_repeated(1)
        .n_classes(3)
        .flip_y(0.0)
        .shuffle(false);
    let set = make_classification::<f64>(300, &options, 4).unwrap();
    for class in 0..3 {
        assert_eq!(set.target.iter().filter(|label| **label == class).count(), 100);
    }
    assert!((0..5).any(|column| set.data.column(5) == set.data.column(column)), "a repeated feature");
    assert_eq!(set, make_classification(300, &options, 4).unwrap());
    // Redundant features are linear in the informative ones: 4 rows of them determine the rest.
    let (informative, redundant) = (set.data.slice(axonal::ndarray::s![.., ..3]), set.data.column(3));
    let normal = informative.t().dot(&informative);
    let right = informative.t().dot(&redundant);
    let solution = solve(normal, right);
    let rest = &informative.dot(&solution) - &redundant;
    assert!(rest.iter().all(|value| value.abs() < 1e-8));
    let says =
        |options: ClassificationOptions| make_classification::<f64>(10, &options, 0).unwrap_err().to_string();
    assert!(says(ClassificationOptions::new().n_features(3)).contains("n_features"));
    assert!(says(ClassificationOptions::new().n_classes(3)).contains("2^n_informative"));
    assert!(says(ClassificationOptions::new().weights([0.5, 0.6])).contains("weights"));
    assert!(says(ClassificationOptions::new().flip_y(f64::NAN)).contains("flip_y"));
    assert!(
        says(ClassificationOptions::new().n_features(usize::MAX).n_redundant(usize::MAX))
            .contains("n_features")
    );
}

/// Solves a small linear system by Gauss-Jordan elimination with pivots.
fn solve(mut a: Array2<f64>, mut b: Array1<f64>) -> Array1<f64> {
    let n = b.len();
    for column in 0..n {
        let pivot =
            (column..n).max_by(|&i, &j| a[[i, column]].abs().total_cmp(&a[[j, column]].abs())).unwrap();
        for other in 0..n {
            a.swap([column, other], [pivot, other]);
        }
        b.swap(column, pivot);
        for row in (0..n).filter(|&row| row != column) {
            let factor = a[[row, column]] / a[[column, column]];
            for other in 0..n {
                a[[row, other]] -= factor * a[[column, other]];
            }
            b[row] -= factor * b[column];
        }
    }
    Array1::from_shape_fn(n, |row| b[row] / a[[row, row]])
}

#[test]
fn weights_and_names_of_k_means() {
    let x = array![[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]];
    let weights = array![1.0, 3.0, 1.0, 1.0];
    let mut kmeans = KMeans::new(2).feature_names(["a", "b"]).seed(1);
    let labels = kmeans.fit_predict_weighted(&x, &weights).unwrap();
    let mut same = KMeans::new(2).seed(1);
    same.fit_weighted(&x, &weights).unwrap();
    assert_eq!(&labels, same.labels().unwrap());
    let distances = KMeans::new(2).seed(1).fit_transform_weighted(&x, &weights).unwrap();
    assert_eq!(distances, same.transform(&x).unwrap());
    let loaded = KMeans::<f64>::from_bytes(&kmeans.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.feature_names_in(), ["a", "b"]);
    assert_eq!(loaded.feature_names_out(), ["kmeans0", "kmeans1"]);
    assert!(KMeans::new(2).feature_names(["a"]).fit(&x).unwrap_err().to_string().contains("feature_names"));
}
