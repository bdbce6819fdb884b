//! Transformers, splitters and metrics against what scikit-learn answers (`parity/sklearn/workflow/generate.py`).

use axonal::metrics::Average;
use axonal::metrics::*;
use axonal::model_selection::*;
use axonal::ndarray::{Array1, Array2, ArrayD, Dimension, array};
use axonal::prelude::*;
use axonal::preprocessing::*;
use axonal::preprocessing::{MaxAbsScaler, Normalizer, OrdinalEncoder, PolynomialFeatures, RobustScaler};
use serde_json::Value;

/// One case of the file, by field.
struct Case(Value);

impl Case {
    fn all(kind: &str) -> Vec<Self> {
        let text = include_str!("../parity/sklearn/workflow/cases.json");
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        let cases: Vec<Self> = cases.into_iter().filter(|case| case["kind"] == kind).map(Self).collect();
        assert!(!cases.is_empty(), "no case of {kind}");
        cases
    }

    fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    fn number(&self, field: &str) -> f64 {
        number(&self.0[field])
    }

    fn setting(&self, field: &str) -> &Value {
        &self.0["settings"][field]
    }

    fn flag(&self, field: &str) -> bool {
        self.setting(field).as_bool().unwrap()
    }

    fn vector(&self, field: &str) -> Array1<f64> {
        numbers(&self.0[field]).into()
    }

    fn labels(&self, field: &str) -> Array1<usize> {
        self.vector(field).mapv(|label| label as usize)
    }

    fn table(&self, field: &str) -> Array2<f64> {
        table(&self.0[field], number)
    }

    fn texts(&self, field: &str) -> Array2<String> {
        table(&self.0[field], |value| value.as_str().unwrap().to_owned())
    }

    fn strings(&self, field: &str) -> Vec<String> {
        self.0[field].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// Holds `got` to the case's field: relative where numbers are large, absolute where they are small.
    fn holds<'a>(&self, field: &str, got: impl IntoIterator<Item = &'a f64>, want: &Value, tolerance: f64) {
        let want = numbers(want);
        let got: Vec<f64> = got.into_iter().copied().collect();
        assert_eq!(got.len(), want.len(), "{} {field}: length", self.name());
        for (index, (got, want)) in got.iter().zip(&want).enumerate() {
            let close = (got - want).abs() <= tolerance * want.abs().max(1.0);
            assert!(close, "{} {field}[{index}]: got {got}, want {want}", self.name());
        }
    }

    fn holds_field<'a>(&self, field: &str, got: impl IntoIterator<Item = &'a f64>) {
        self.holds(field, got, &self.0[field], 1e-9);
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![number(value)],
    }
}

fn table<T>(value: &Value, cell: impl Fn(&Value) -> T) -> Array2<T> {
    let rows = value.as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    let cells = rows.iter().flat_map(|row| row.as_array().unwrap()).map(cell).collect();
    Array2::from_shape_vec((rows.len(), columns), cells).unwrap()
}

/// Fits to `x`, then holds what becomes of `z` to the case.
fn check<T>(case: &Case, mut model: T) -> (T, Array2<f64>)
where
    T: Fit<Array2<f64>> + Transform<Array2<f64>, Output = Array2<f64>>,
{
    model.fit(&case.table("x"), ()).unwrap();
    let transformed = model.transform(&case.table("z")).unwrap();
    case.holds_field("transformed", &transformed);
    (model, transformed)
}

fn fitted<'a>(case: &Case, field: &str, got: impl IntoIterator<Item = &'a f64>) {
    case.holds(field, got, &case.0["fitted"][field], 1e-9);
}

#[test]
fn standard_scaler_is_scikit_learns() {
    for case in Case::all("standard") {
        let scaler = StandardScaler::new().with_mean(case.flag("with_mean")).with_std(case.flag("with_std"));
        let (scaler, transformed) = check(&case, scaler);
        if case.flag("with_mean") {
            fitted(&case, "mean_", scaler.mean().unwrap());
        }
        if case.flag("with_std") {
            fitted(&case, "scale_", scaler.scale().unwrap());
        }
        fitted(&case, "inverse", &scaler.inverse_transform(&transformed).unwrap());
    }
}

#[test]
fn min_max_scaler_is_scikit_learns() {
    for case in Case::all("min_max") {
        let (lo, hi) = (number(case.setting("lo")), number(case.setting("hi")));
        let scaler = MinMaxScaler::new().feature_range(lo, hi).clip(case.flag("clip"));
        let (scaler, transformed) = check(&case, scaler);
        fitted(&case, "data_min_", scaler.data_min().unwrap());
        fitted(&case, "data_max_", scaler.data_max().unwrap());
        fitted(&case, "inverse", &scaler.inverse_transform(&transformed).unwrap());
    }
}

#[test]
fn robust_scaler_is_scikit_learns() {
    for case in Case::all("robust") {
        let scaler = RobustScaler::new()
            .with_centering(case.flag("with_centering"))
            .with_scaling(case.flag("with_scaling"))
            .quantile_range(number(case.setting("lo")), number(case.setting("hi")));
        let (scaler, transformed) = check(&case, scaler);
        if case.flag("with_centering") {
            fitted(&case, "center_", scaler.center().unwrap());
        }
        if case.flag("with_scaling") {
            fitted(&case, "scale_", scaler.scale().unwrap());
        }
        fitted(&case, "inverse", &scaler.inverse_transform(&transformed).unwrap());
    }
}

#[test]
fn max_abs_scaler_and_normalizer_are_scikit_learns() {
    for case in Case::all("max_abs") {
        let (scaler, transformed) = check(&case, MaxAbsScaler::new());
        fitted(&case, "max_abs_", scaler.max_abs().unwrap());
        fitted(&case, "inverse", &scaler.inverse_transform(&transformed).unwrap());
    }
    for case in Case::all("normalizer") {
        let norm = match case.setting("norm").as_str().unwrap() {
            "l1" => Norm::L1,
            "l2" => Norm::L2,
            _ => Norm::Max,
        };
        check(&case, Normalizer::new().norm(norm));
    }
}

#[test]
fn simple_imputer_is_scikit_learns() {
    for case in Case::all("imputer") {
        let strategy = match case.setting("strategy").as_str().unwrap() {
            "mean" => Impute::Mean,
            "median" => Impute::Median,
            "most_frequent" => Impute::MostFrequent,
            _ => Impute::Constant(7.5),
        };
        let (imputer, _) = check(&case, SimpleImputer::new().strategy(strategy));
        fitted(&case, "statistics_", imputer.statistics().unwrap());
    }
}

#[test]
fn polynomial_features_are_scikit_learns() {
    for case in Case::all("polynomial") {
        let mut model = PolynomialFeatures::new(case.number("degree") as usize)
            .interaction_only(case.0["interaction_only"].as_bool().unwrap())
            .include_bias(case.0["include_bias"].as_bool().unwrap());
        case.holds_field("transformed", &model.fit_transform(&case.table("x")).unwrap());
        assert_eq!(model.feature_names(&["a", "b", "c"]).unwrap(), case.strings("names"));
    }
}

#[test]
fn encoders_are_scikit_learns() {
    for case in Case::all("one_hot") {
        let drop = match case.0["drop"].as_str().unwrap() {
            "First" => DropCategory::First,
            "IfBinary" => DropCategory::IfBinary,
            _ => DropCategory::None,
        };
        let mut encoder = OneHotEncoder::new().drop(drop);
        let columns = if case.name().starts_with("numbers") {
            let x = case.table("x");
            let columns = encoder.fit_transform(&x).unwrap();
            assert_eq!(encoder.inverse_transform::<f64>(&columns).unwrap(), x);
            columns
        } else {
            let x = case.texts("x");
            let columns = encoder.fit_transform(&x).unwrap();
            assert_eq!(encoder.inverse_transform::<String>(&columns).unwrap(), x);
            columns
        };
        case.holds_field("transformed", &columns);
        let names = case.strings("names").into_iter().map(|name| name.trim_end_matches(".0").to_owned());
        assert_eq!(encoder.feature_names(&["a", "b"]).unwrap(), names.collect::<Vec<_>>());
    }
    for case in Case::all("one_hot_unknown") {
        let mut encoder = OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore);
        encoder.fit(&case.texts("x")).unwrap();
        case.holds_field("transformed", &encoder.transform(&case.texts("z")).unwrap());
    }
    for case in Case::all("ordinal") {
        let codes = match case.name() {
            "numbers" => OrdinalEncoder::new().fit_transform(&case.table("x")),
            _ => OrdinalEncoder::new().fit_transform(&case.texts("x")),
        };
        case.holds_field("transformed", &codes.unwrap());
    }
    for case in Case::all("label") {
        let names = case.strings("x");
        let mut encoder = LabelEncoder::new();
        assert_eq!(encoder.fit_transform(names.as_slice()).unwrap(), case.labels("transformed"));
        assert_eq!(encoder.classes().unwrap(), case.strings("classes"));
    }
}

#[test]
fn column_transformer_is_scikit_learns() {
    for case in Case::all("columns") {
        let remainder = if case.0["remainder"] == "drop" { Remainder::Drop } else { Remainder::Passthrough };
        let mut model = ColumnTransformer::new()
            .step(StandardScaler::new(), [2, 0])
            .step(OneHotEncoder::new(), [1])
            .remainder(remainder);
        case.holds_field("transformed", &model.fit_transform(&case.table("x")).unwrap());
    }
}

#[cfg(feature = "pca")]
#[test]
fn pca_is_scikit_learns() {
    for case in Case::all("pca") {
        let n_components = match &case.0["n_components"] {
            Value::Null => PcaComponents::All,
            Value::Number(n) if n.is_u64() => PcaComponents::Count(n.as_u64().unwrap() as usize),
            share => PcaComponents::Variance(number(share)),
        };
        let mut pca = Pca::new(n_components).whiten(case.0["whiten"].as_bool().unwrap());
        let x = case.table("x");
        pca.fit(&x).unwrap();
        case.holds_field("mean", pca.mean().unwrap());
        case.holds_field("explained_variance", pca.explained_variance().unwrap());
        case.holds_field("explained_variance_ratio", pca.explained_variance_ratio().unwrap());
        case.holds_field("singular_values", &pca.singular_values().unwrap());
        case.holds_field("components", pca.components().unwrap());
        let head = x.slice(axonal::ndarray::s![..x.nrows().min(7), ..]);
        case.holds_field("transformed", &pca.transform(&head).unwrap());
    }
}

/// scikit-learn's numbers after twenty power iterations, which is as good as exact; ours after its default of seven.
#[cfg(feature = "pca")]
#[test]
fn pca_by_random_projections_is_scikit_learns() {
    for case in Case::all("pca_randomized") {
        let count = case.number("n_components") as usize;
        let x = case.table("x");
        let close = |field: &str, got: Vec<f64>, tolerance: f64| {
            case.holds(field, &got, &case.0[field], tolerance);
        };
        for seed in 0..3 {
            let mut pca = Pca::new(count).solver(PcaSolver::Randomized).seed(seed);
            pca.fit(&x).unwrap();
            close("mean", pca.mean().unwrap().to_vec(), 1e-12);
            close("explained_variance", pca.explained_variance().unwrap().to_vec(), 1e-6);
            close("explained_variance_ratio", pca.explained_variance_ratio().unwrap().to_vec(), 1e-6);
            close("singular_values", pca.singular_values().unwrap().to_vec(), 1e-6);
            let head = x.slice(axonal::ndarray::s![..7, ..]);
            let transformed = pca.transform(&head).unwrap();
            // Up to the sign of each component, which scikit-learn chooses by another rule.
            for (component, got) in transformed.columns().into_iter().enumerate() {
                let want: Vec<f64> = case.table("transformed").column(component).to_vec();
                let sign =
                    if got.iter().zip(&want).map(|(a, b)| a * b).sum::<f64>() < 0.0 { -1.0 } else { 1.0 };
                let scale = want.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
                for (got, want) in got.iter().zip(&want) {
                    assert!((sign * got - want).abs() <= 1e-3 * scale, "{} {component}", case.name());
                }
            }
            let again = {
                let mut pca = Pca::new(count).solver(PcaSolver::Randomized).seed(seed);
                pca.fit(&x).unwrap();
                pca
            };
            assert_eq!(again, pca, "the same seed gives the same bits");
        }
    }
    let refused = Pca::new(0.9).solver(PcaSolver::Randomized).fit(&Array2::<f64>::eye(4));
    assert!(refused.unwrap_err().to_string().contains("a number of components for PcaSolver::Randomized"));
}

fn parts(value: &Value) -> Vec<Vec<usize>> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|part| numbers(part).iter().map(|&row| row as usize).collect())
        .collect()
}

#[test]
fn splitters_cut_as_scikit_learns_do() {
    let tests = |folds: Vec<Fold>| folds.into_iter().map(|fold| fold.test).collect::<Vec<_>>();
    for case in Case::all("k_fold") {
        let folds = KFold::new(case.number("k") as usize).folds(case.number("n") as usize, ()).unwrap();
        assert_eq!(tests(folds), parts(&case.0["tests"]), "{}", case.name());
    }
    for case in Case::all("stratified") {
        let y = case.labels("y");
        let folds = StratifiedKFold::new(case.number("k") as usize).folds(y.len(), &y).unwrap();
        assert_eq!(tests(folds), parts(&case.0["tests"]), "{}", case.name());
    }
    for case in Case::all("time_series") {
        let mut splitter = TimeSeriesSplit::new(case.number("k") as usize);
        let setting = |name: &str| case.setting(name).as_u64().map(|value| value as usize);
        if let Some(gap) = setting("gap") {
            splitter = splitter.gap(gap);
        }
        if let (Some(test), Some(train)) = (setting("test_size"), setting("max_train_size")) {
            splitter = splitter.test_count(test).max_train_count(train);
        }
        let folds = splitter.folds(case.number("n") as usize, ()).unwrap();
        assert_eq!(folds.iter().map(|fold| fold.train.clone()).collect::<Vec<_>>(), parts(&case.0["trains"]));
        assert_eq!(tests(folds), parts(&case.0["tests"]), "{}", case.name());
    }
}

#[test]
fn parts_have_scikit_learns_sizes() {
    for case in Case::all("split_counts") {
        let mut split = Split::new();
        if let Some(share) = case.0["test"].as_f64() {
            split = split.test_size(share);
        }
        if let Some(share) = case.0["train"].as_f64() {
            split = split.train_size(share);
        }
        let fold = split.split(case.number("n") as usize).unwrap();
        assert_eq!(
            [fold.train.len(), fold.test.len()].to_vec(),
            case.labels("counts").to_vec(),
            "{}",
            case.name()
        );
    }
    for case in Case::all("stratified_counts") {
        let y = case.labels("y");
        let fold = Split::new().test_size(case.number("test")).stratify(&y).split(y.len()).unwrap();
        let (train, test) = fold.split(&y).unwrap();
        for (part, field) in [(train, "train_counts"), (test, "test_counts")] {
            let counts: Vec<usize> =
                (0..3).map(|class| part.iter().filter(|label| **label == class).count()).collect();
            assert_eq!(counts, case.labels(field).to_vec(), "{} {field}", case.name());
        }
    }
}

fn average(name: &str) -> Average {
    match name {
        "macro" => Average::Macro,
        "micro" => Average::Micro,
        "weighted" => Average::Weighted,
        _ => Average::Binary,
    }
}

#[test]
fn scores_of_classes_are_scikit_learns() {
    for case in Case::all("classes") {
        let (y, p) = (case.labels("y"), case.labels("p"));
        let matrix = ConfusionMatrix::new(&y, &p).unwrap();
        case.holds_field("confusion", &matrix.counts().mapv(|count| count as f64));
        case.holds_field("by_true", &matrix.normalized(Normalize::True));
        case.holds_field("by_pred", &matrix.normalized(Normalize::Pred));
        case.holds_field("of_all", &matrix.normalized(Normalize::All));
        case.holds_field("accuracy", &[accuracy_score(&y, &p).unwrap()]);
        case.holds_field("balanced", &[balanced_accuracy_score(&y, &p).unwrap()]);
        case.holds_field("matthews", &[matthews_corrcoef(&y, &p).unwrap()]);
        case.holds_field("kappa", &[cohen_kappa_score(&y, &p).unwrap()]);
        for (name, scores) in case.0["scores"].as_object().unwrap() {
            let average = average(name);
            let got = [
                precision_score(&y, &p, average),
                recall_score(&y, &p, average),
                f1_score(&y, &p, average),
                jaccard_score(&y, &p, average),
                fbeta_score(&y, &p, 2.0, average),
            ];
            case.holds(name, &got.map(Result::unwrap), scores, 1e-12);
        }
        let report = classification_report(&y, &p, &[""; 0]).unwrap().to_string();
        let words = |text: &str| text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&report), words(case.0["report"].as_str().unwrap()), "{}", case.name());
    }
}

#[test]
fn scores_of_weighted_classes_are_scikit_learns() {
    for case in Case::all("weighted_classes") {
        let (y, p, w) = (case.labels("y"), case.labels("p"), case.vector("w"));
        let matrix = ConfusionMatrix::weighted(&y, &p, &w).unwrap();
        case.holds_field("by_true", &matrix.normalized(Normalize::True));
        case.holds_field("accuracy", &[weighted::accuracy_score(&y, &p, &w).unwrap()]);
        case.holds_field("balanced", &[weighted::balanced_accuracy_score(&y, &p, &w).unwrap()]);
        case.holds_field("matthews", &[weighted::matthews_corrcoef(&y, &p, &w).unwrap()]);
        case.holds_field("kappa", &[weighted::cohen_kappa_score(&y, &p, &w).unwrap()]);
        for (name, scores) in case.0["scores"].as_object().unwrap() {
            let average = average(name);
            let got = [
                weighted::precision_score(&y, &p, average, &w),
                weighted::recall_score(&y, &p, average, &w),
                weighted::f1_score(&y, &p, average, &w),
                weighted::jaccard_score(&y, &p, average, &w),
                weighted::fbeta_score(&y, &p, 2.0, average, &w),
            ];
            case.holds(name, &got.map(Result::unwrap), scores, 1e-12);
        }
        // Weights of 1 are no weights, to the bit.
        let ones = Array1::<f64>::ones(y.len());
        assert_eq!(ConfusionMatrix::weighted(&y, &p, &ones).unwrap(), ConfusionMatrix::new(&y, &p).unwrap());
    }
    let says =
        |w: Array1<f64>| weighted::accuracy_score(&array![0, 1], &array![0, 1], &w).unwrap_err().to_string();
    assert!(says(array![1.0]).contains("expected 2"));
    assert!(says(array![1.0, -1.0]).contains("negative"));
    assert!(says(array![0.0, 0.0]).contains("all weights are zero"));
}

#[test]
fn scores_of_weighted_probabilities_and_values_are_scikit_learns() {
    for case in Case::all("weighted_scores") {
        let (y, s, w) = (case.labels("y"), case.vector("s"), case.vector("w"));
        let roc = RocCurve::weighted(&y, &s, &w).unwrap();
        case.holds_field("fpr", &roc.false_positive_rate);
        case.holds_field("tpr", &roc.true_positive_rate);
        case.holds_field("auc", &[weighted::roc_auc_score(&y, &s, &w).unwrap()]);
        case.holds_field("average_precision", &[weighted::average_precision_score(&y, &s, &w).unwrap()]);
        case.holds_field("brier", &[weighted::brier_score_loss(&y, &s, &w).unwrap()]);
        let prob =
            Array2::from_shape_fn((s.len(), 2), |(i, class)| if class == 1 { s[i] } else { 1.0 - s[i] });
        case.holds_field("log_loss", &[weighted::log_loss(&y, &prob, &w).unwrap()]);
    }
    for case in Case::all("weighted_values") {
        let (w, shape) = (case.vector("w"), case.labels("shape").to_vec());
        let values =
            |field: &str| ArrayD::from_shape_vec(shape.clone(), case.vector(field).to_vec()).unwrap();
        let (t, p) = (values("t"), values("p"));
        case.holds_field("r2", &[weighted::r2_score(&t, &p, &w).unwrap()]);
        case.holds_field("mse", &[weighted::mean_squared_error(&t, &p, &w).unwrap()]);
        case.holds_field("rmse", &[weighted::root_mean_squared_error(&t, &p, &w).unwrap()]);
        case.holds_field("mae", &[weighted::mean_absolute_error(&t, &p, &w).unwrap()]);
        case.holds_field("mape", &[weighted::mean_absolute_percentage_error(&t, &p, &w).unwrap()]);
        case.holds_field("msle", &[weighted::mean_squared_log_error(&t, &p, &w).unwrap()]);
        case.holds_field("rmsle", &[weighted::root_mean_squared_log_error(&t, &p, &w).unwrap()]);
        case.holds_field("explained", &[weighted::explained_variance_score(&t, &p, &w).unwrap()]);
        case.holds_field("pinball", &[weighted::mean_pinball_loss(&t, &p, 0.3, &w).unwrap()]);
    }
}

#[test]
fn curves_and_probability_scores_are_scikit_learns() {
    for case in Case::all("scores") {
        let (y, s) = (case.labels("y"), case.vector("s"));
        let roc = roc_curve(&y, &s).unwrap();
        case.holds_field("fpr", &roc.false_positive_rate);
        case.holds_field("tpr", &roc.true_positive_rate);
        case.holds_field("thresholds", roc.thresholds.iter().skip(1));
        case.holds_field("auc", &[roc.auc()]);
        case.holds_field("auc", &[auc(&roc.false_positive_rate, &roc.true_positive_rate).unwrap()]);
        let curve = precision_recall_curve(&y, &s).unwrap();
        case.holds_field("precision", &curve.precision);
        case.holds_field("recall", &curve.recall);
        case.holds_field("pr_thresholds", &curve.thresholds);
        case.holds_field("average_precision", &[average_precision_score(&y, &s).unwrap()]);
        case.holds_field("brier", &[brier_score_loss(&y, &s).unwrap()]);
    }
    for case in Case::all("probabilities") {
        let (y, p) = (case.labels("y"), case.table("p"));
        case.holds_field("log_loss", &[log_loss(&y, &p).unwrap()]);
        case.holds_field("top", &[1, 2, 3].map(|k| top_k_accuracy_score(&y, &p, k).unwrap()));
        case.holds_field("auc_macro", &[roc_auc_ovr_score(&y, &p, Average::Macro).unwrap()]);
        case.holds_field("auc_weighted", &[roc_auc_ovr_score(&y, &p, Average::Weighted).unwrap()]);
    }
}

fn check_values<D: Dimension>(
    case: &Case,
    t: &axonal::ndarray::Array<f64, D>,
    p: &axonal::ndarray::Array<f64, D>,
) {
    case.holds_field("r2", &[r2_score(t, p).unwrap()]);
    case.holds_field("mse", &[mean_squared_error(t, p).unwrap()]);
    case.holds_field("rmse", &[root_mean_squared_error(t, p).unwrap()]);
    case.holds_field("mae", &[mean_absolute_error(t, p).unwrap()]);
    case.holds_field("median", &[median_absolute_error(t, p).unwrap()]);
    case.holds_field("mape", &[mean_absolute_percentage_error(t, p).unwrap()]);
    case.holds_field("msle", &[mean_squared_log_error(t, p).unwrap()]);
    case.holds_field("rmsle", &[root_mean_squared_log_error(t, p).unwrap()]);
    case.holds_field("explained", &[explained_variance_score(t, p).unwrap()]);
    case.holds_field("pinball", &[mean_pinball_loss(t, p, 0.3).unwrap()]);
}

#[test]
fn scores_of_values_are_scikit_learns() {
    for case in Case::all("values") {
        let (t, p, shape) = (case.vector("t"), case.vector("p"), case.labels("shape"));
        if shape.len() == 1 {
            check_values(&case, &t, &p);
        } else {
            let table = |values: Array1<f64>| values.into_shape_with_order((shape[0], shape[1])).unwrap();
            check_values(&case, &table(t), &table(p));
        }
    }
}
