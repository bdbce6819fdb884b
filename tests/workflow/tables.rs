//! Tables of numbers and texts through column transformers, classifiers, files and records.

use crate::common::error_message;
use axonal::datasets::{Field, Labels, Record, Table};
use axonal::model_selection::{RandomSearch, Samples};
use axonal::models::FitWith as _;
use axonal::ndarray::{Array2, array};
use axonal::prelude::*;
use axonal::preprocessing::{OrdinalEncoder, PolynomialFeatures, RecordInput as _, Remainder};
use serde_json::Value;

type Service = Classifier<Pipeline<ColumnTransformer<f64>, Model<f64>>>;

/// A table of a scikit-learn case: lists of numbers and of texts, `null` where a value is missing.
fn table(columns: &Value) -> Table<f64> {
    columns.as_object().unwrap().iter().fold(Table::new(), |table, (name, values)| {
        let values = values.as_array().unwrap();
        if values.iter().any(Value::is_string) {
            return table.with_optional_texts(name, values.iter().map(Value::as_str)).unwrap();
        }
        table.with_numbers(name, values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN))).unwrap()
    })
}

fn matrix(rows: &Value) -> Array2<f64> {
    let rows = rows.as_array().unwrap();
    let values: Vec<f64> =
        rows.iter().flat_map(|row| row.as_array().unwrap()).map(|value| value.as_f64().unwrap()).collect();
    Array2::from_shape_vec((rows.len(), values.len() / rows.len()), values).unwrap()
}

fn columns_of(case: &str) -> ColumnTransformer<f64> {
    let one_hot = || OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore);
    let ordered = [["pro", "basic", "plus"]];
    match case {
        "impute_scale_one_hot" => ColumnTransformer::new()
            .columns(["spend", "age"], (SimpleImputer::mean(), StandardScaler::new()))
            .columns(["plan", "city"], one_hot()),
        "given_order" => ColumnTransformer::new()
            .columns(["spend", "age"], SimpleImputer::median())
            .columns(["plan"], OneHotEncoder::new().with_categories(ordered).unwrap())
            .columns(["plan"], OrdinalEncoder::new().with_categories(ordered).unwrap())
            .columns(["city"], OrdinalEncoder::new().handle_unknown(HandleUnknown::Ignore)),
        "products" => ColumnTransformer::new()
            .columns(["age", "spend"], (SimpleImputer::constant(1.5), PolynomialFeatures::new(2)))
            .columns(["city"], (one_hot(), StandardScaler::new())),
        other => panic!("no transformer for {other}"),
    }
}

#[test]
fn column_transformers_over_tables_are_scikit_learns() {
    let text = include_str!("../parity/sklearn/tables/cases.json");
    let file: Value = serde_json::from_str(text).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (train, test) = (table(&case["train"]), table(&case["test"]));
        let mut columns = columns_of(name);
        let close = |got: Array2<f64>, expected: &Value| {
            let expected = matrix(expected);
            assert_eq!(got.dim(), expected.dim(), "{name}");
            assert!(
                got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9 * b.abs().max(1.0)),
                "{name}"
            );
        };
        close(columns.fit_transform(&train).unwrap(), &case["transformed"]);
        close(columns.transform(&test).unwrap(), &case["test_transformed"]);
        let names: Vec<&str> =
            case["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(columns.output_names().unwrap(), names, "{name}");
        assert_eq!(columns.n_outputs().unwrap(), names.len());
        let loaded = ColumnTransformer::<f64>::from_bytes(&columns.to_bytes().unwrap()).unwrap();
        assert_eq!(loaded.transform(&test).unwrap(), columns.transform(&test).unwrap(), "{name}");
        assert_eq!(format!("{loaded:?}"), format!("{columns:?}"));
        let unfitted = ColumnTransformer::<f64>::from_bytes(&columns.unfitted().to_bytes().unwrap()).unwrap();
        assert_eq!(format!("{unfitted:?}"), format!("{:?}", columns.unfitted()));
    }
}

fn people() -> Table<f64> {
    Table::new()
        .with_numbers("age", [20.0, 30.0, 40.0, 50.0])
        .unwrap()
        .with_texts("plan", ["a", "b", "a", "c"])
        .unwrap()
        .with_texts("unused", ["x", "y", "x", "y"])
        .unwrap()
}

#[test]
fn columns_that_do_not_fit_are_refused_by_name() {
    let encode = || ColumnTransformer::<f64>::new().columns(["plan"], OneHotEncoder::new());
    let fit = |columns: ColumnTransformer<f64>| {
        let mut columns = columns;
        columns.fit(&people()).map(|()| columns)
    };
    let scale = |names: &[&str]| ColumnTransformer::new().columns(names.to_vec(), StandardScaler::new());
    assert!(
        error_message(fit(scale(&["agee"]))).contains("unknown column \"agee\"; known: age, plan, unused")
    );
    assert!(error_message(fit(scale(&["plan"]))).contains("column \"plan\": expected numbers"));
    let all = ColumnTransformer::<f64>::new().remainder(Remainder::Passthrough);
    assert!(error_message(fit(all.columns(["plan"], OneHotEncoder::new()))).contains("column \"unused\""));

    let fitted = fit(encode()).unwrap();
    let new = Table::new().with_texts("plan", ["a", "d"]).unwrap();
    let said = error_message(fitted.transform(&new));
    assert!(said.contains("\"d\" in column \"plan\", row 1, expected one of a, b, c"), "{said}");
    let missing = Table::new().with_optional_texts("plan", [None, Some("a")]).unwrap();
    assert!(error_message(fitted.transform(&missing)).contains("missing in column \"plan\", row 0"));
    assert!(error_message(encode().fit(&missing)).contains("missing in column \"plan\", row 0"));
    let numbers = Table::new().with_numbers("plan", [1.0]).unwrap();
    assert!(error_message(fitted.transform(&numbers)).contains("column \"plan\": expected texts, as in fit"));
    let other = Table::new().with_numbers("age", [1.0]).unwrap();
    assert!(error_message(fitted.transform(&other)).contains("unknown column \"plan\""));
    assert!(error_message(fitted.transform(&array![[0.0]])).contains("no names"));
    assert!(error_message(encode().fit(&array![[0.0]])).contains("selected by name (plan)"));

    // Ignoring encoders take a missing text, and numbers in a table are categories as well.
    let mut lenient = ColumnTransformer::new()
        .columns(["plan"], OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore))
        .columns(["age"], OneHotEncoder::new());
    lenient.fit(&people()).unwrap();
    let row = Table::new().with_numbers("age", [30.0]).unwrap();
    let row = row.with_optional_texts("plan", [None::<&str>]).unwrap();
    assert_eq!(lenient.transform(&row).unwrap(), array![[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]]);
    let said = error_message(lenient.transform(&Table::new().with_numbers("age", [31.0]).unwrap()));
    assert!(said.contains("unknown column \"plan\""), "{said}");
    let nan = Table::new().with_numbers("age", [1.0, f64::NAN]).unwrap();
    assert!(error_message(scale(&["age"]).fit(&nan)).contains("column \"age\" contains NaN at [1]"));
}

#[test]
fn tables_are_built_and_cut_by_rows() {
    let table = people();
    assert_eq!(table.take(&[3, 1]).texts("plan").unwrap(), [Some("c"), Some("b")]);
    assert_eq!(table.numbers("age").unwrap().to_vec(), [20.0, 30.0, 40.0, 50.0]);
    assert!(error_message(table.numbers("plan")).contains("expected numbers, got texts"));
    assert!(error_message(table.texts("age")).contains("expected texts, got numbers"));
    assert!(error_message(table.clone().with_numbers("age", [1.0; 4])).contains("name is \"age\""));
    assert!(
        error_message(table.clone().with_numbers("new", [1.0; 3])).contains("expected 4 rows, got 3 rows")
    );
    let (rest, labels) = table.clone().split_target("plan").unwrap();
    assert_eq!((rest.names.len(), labels.classes().len(), labels.codes()), (2, 3, &array![0, 1, 0, 2]));
    assert_eq!(labels.take(&[3]).names().collect::<Vec<_>>(), ["c"]);
    let (rest, ages) = table.split_values("age").unwrap();
    assert_eq!(
        (rest.names, ages.to_vec()),
        (vec!["plan".to_string(), "unused".into()], vec![20.0, 30.0, 40.0, 50.0])
    );
    assert!(
        error_message(Labels::from_codes(array![0, 2], vec!["a".into(), "b".into()])).contains("label 2")
    );
}

/// Two informative columns, and a city that a single row has.
fn customers() -> (Table<f64>, Labels) {
    let n = 120;
    let plan = |i: usize| ["basic", "plus", "pro"][i % 3];
    let age = |i: usize| (20 + i * 7 % 50) as f64;
    let left = |i: usize| if (plan(i) == "basic") == (age(i) < 45.0) { "yes" } else { "no" };
    let x = Table::new()
        .with_numbers("age", (0..n).map(|i| if i % 11 == 3 { f64::NAN } else { age(i) }))
        .unwrap()
        .with_texts("plan", (0..n).map(plan))
        .unwrap()
        .with_texts("city", (0..n).map(|i| if i == 5 { "Ålesund" } else { ["Bonn", "Lyon"][i % 2] }))
        .unwrap();
    (x, Labels::new((0..n).map(left)).unwrap())
}

fn service(options: FitOptions<'_, f64>) -> Service {
    let columns = ColumnTransformer::new()
        .columns(["age"], (SimpleImputer::mean(), StandardScaler::new()))
        .columns(["plan", "city"], OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore));
    let network = Sequential::deferred()
        .add(Dense::new(16).activation(Activation::Relu))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(2)
        .compile(Adam::new(0.02), BinaryCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
        .with_fit_options(options);
    Classifier::new(Pipeline::new(columns, network)).class_weight(ClassWeight::Balanced)
}

#[test]
fn a_fold_without_a_category_does_not_break_cross_validation() {
    let (x, y) = customers();
    let classifier = service(FitOptions::new().epochs(2));
    let validation = cross_validate(&classifier, &x, &y, StratifiedKFold::new(4).shuffle(3)).unwrap();
    let widths: Vec<usize> = validation
        .folds
        .iter()
        .map(|fold| fold.estimator.estimator().estimator().input_shape().size())
        .collect();
    assert!(widths.contains(&6) && widths.contains(&7), "{widths:?}");
}

#[test]
fn stored_callbacks_start_anew_in_every_fit() {
    let (x, y) = customers();
    let stopping = EarlyStopping::new("val_loss").patience(2).min_delta(1.0);
    let options = || FitOptions::new().epochs(40).validation_split(0.2).callback(stopping.clone());
    let validation = cross_validate(&service(options()), &x, &y, KFold::new(3)).unwrap();
    // The losses never improve by 1, so each fold ends after the same few epochs.
    for fold in &validation.folds {
        let network = fold.estimator.estimator().estimator();
        let mut again = network.unfitted();
        let z = fold.estimator.estimator().transformer().transform(&x.take(&fold.fold.train)).unwrap();
        let history = again.fit(&z, y.take(&fold.fold.train).codes()).unwrap();
        assert_eq!(history.epochs(), 3);
        assert!(history.stopped().unwrap().starts_with("val_loss has not improved"));
    }
    let mut classifier = service(options());
    for _ in 0..2 {
        assert_eq!(classifier.fit(&x, &y).unwrap().epochs(), 3);
    }
    let build = |_: &f64| Ok(service(options()));
    let search = GridSearch::new([0.1, 0.2], build, KFold::new(2)).fit(&x, &y).unwrap();
    assert_eq!(search.candidates.len(), 2);
    let draw = |rng: &mut axonal::rng::Rng| rng.uniform();
    assert!(RandomSearch::new(1, draw, build, KFold::new(2)).fit(&x, &y).is_ok());
}

#[test]
fn validation_data_go_through_the_steps_of_a_pipeline() {
    let (x, y) = customers();
    let rows: Vec<usize> = (0..30).collect();
    let (x_validation, y_validation) = (x.take(&rows), y.take(&rows));
    let stopping = EarlyStopping::new("val_accuracy").patience(30);
    let options = || FitOptions::new().epochs(4).callback(stopping.clone());
    let mut classifier = service(FitOptions::new());
    let history = classifier.fit_with(&x, &y, Some((&x_validation, &y_validation)), options()).unwrap();
    let last = history.get("val_accuracy").unwrap()[3];
    assert!((classifier.score(&x_validation, &y_validation).unwrap() - last).abs() < 1e-12);

    // Labels of another table have other numbers; their names count.
    let only = Labels::new(["yes"; 3]).unwrap();
    let expected = classifier.predict_names(&x.take(&[0, 1, 2])).unwrap();
    let share = expected.iter().filter(|name| **name == "yes").count() as f64 / 3.0;
    assert!((classifier.score(&x.take(&[0, 1, 2]), &only).unwrap() - share).abs() < 1e-12);
    let foreign = Labels::new(["maybe"; 3]).unwrap();
    assert!(
        error_message(classifier.score(&x.take(&[0, 1, 2]), &foreign)).contains("unknown class \"maybe\"")
    );

    let array = array![[0.0]];
    let misplaced = options().validation_data(&array, &[0]);
    assert!(error_message(classifier.fit_with(&x, &y, None, misplaced)).contains("validation_data"));
    let (z, target) = (array![[1.0], [2.0], [3.0]], array![2.0, 4.0, 6.0]);
    let network = Sequential::deferred().add(Dense::new(1));
    let network = network.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let mut regressor = Regressor::new(Pipeline::new(StandardScaler::new(), network));
    let history =
        regressor.fit_with(&z, &target, Some((&z, &target)), FitOptions::new().epochs(300)).unwrap();
    assert!(history.get("val_loss").unwrap()[299] < 1e-6);
    let mut network =
        Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let twice = FitOptions::new().validation_data(&z, &target);
    assert!(
        error_message(network.fit_with_validation(&z, &target, Some((&z, &target)), twice)).contains("once")
    );
}

#[test]
fn records_are_predicted_as_rows_of_a_table_are() {
    let (x, y) = customers();
    let mut classifier = service(FitOptions::new().epochs(30));
    let record = || Record::new().text("plan", "basic").number("age", 30.0).text("city", "Oslo");
    assert!(error_message(classifier.predict_record(&record())).contains("not fitted"));
    classifier.fit(&x, &y).unwrap();
    assert_eq!(classifier.classes().unwrap(), ["no", "yes"]);
    let loaded = Service::from_bytes(&classifier.to_bytes().unwrap()).unwrap();
    assert_eq!(format!("{loaded:?}"), format!("{classifier:?}"));

    let rows = [0, 1, 2, 3, 14];
    let records: Vec<Record> = rows
        .iter()
        .map(|&row| {
            let text = |name: &str| x.texts(name).unwrap()[row].unwrap();
            let age = x.numbers("age").unwrap()[row];
            Record::new()
                .number("age", age)
                .text("city", text("city"))
                .text("plan", text("plan"))
                .number("id", 7.0)
        })
        .collect();
    let names = classifier.predict_names(&x.take(&rows)).unwrap();
    assert_eq!(loaded.predict_records(&records).unwrap(), names);
    let probabilities = classifier.predict_proba(&x.take(&rows)).unwrap();
    for (row, record) in records.iter().enumerate() {
        assert_eq!(loaded.predict_record(record).unwrap(), names[row]);
        let found = loaded.predict_proba_record(record).unwrap();
        assert!((found["yes"] - probabilities[[row, 1]]).abs() < 1e-12);
        let json = serde_json::to_string(record).unwrap();
        assert_eq!(loaded.predict_record(&Record::from_json(&json).unwrap()).unwrap(), names[row]);
    }
    assert!(loaded.predict_record(&record().missing("city")).is_ok());
    assert!(loaded.predict_record(&record().missing("age")).is_ok());
    let said = error_message(loaded.predict_record(&Record::new().text("plan", "basic")));
    assert!(said.contains("record 0: expected a field \"age\"") && said.contains("fields plan"), "{said}");
    assert!(
        error_message(loaded.predict_record(&record().text("age", "thirty"))).contains("expected a number")
    );
    assert!(error_message(loaded.predict_record(&record().number("plan", 1.0))).contains("expected a text"));
    assert!(error_message(loaded.predict_record(&record().number("age", f64::INFINITY))).contains("finite"));
    let arrays: Service = Classifier::new(Pipeline::new(
        ColumnTransformer::new().step(StandardScaler::new(), [0]),
        Sequential::new(1).add(Dense::new(2)).compile(Sgd::default(), MeanSquaredError::default()).unwrap(),
    ));
    assert!(error_message(arrays.predict_record(&record())).contains("not fitted"));
    let mut columns = ColumnTransformer::<f64>::new().step(StandardScaler::new(), [0]);
    columns.fit(&array![[1.0], [2.0]]).unwrap();
    assert!(error_message(columns.input_of(&[record()])).contains("fitted to a table"));
}

#[test]
fn json_records_are_flat_objects() {
    let record =
        Record::from_json(r#" {"a": 1, "b": -2.5e3, "c": "x\u00e9", "d": null, "e": true} "#).unwrap();
    assert_eq!(record.get("b"), Some(&Field::Number(-2500.0)));
    assert_eq!(record.get("c"), Some(&Field::Text("xé".into())));
    assert_eq!(
        (record.get("d"), record.get("e")),
        (Some(&Field::Missing), Some(&Field::Text("true".into())))
    );
    for bad in [
        "",
        "[]",
        "1",
        r#"{"a": [1]}"#,
        r#"{"a": {"b": 1}}"#,
        r#"{"a": 1, "a": 2}"#,
        r#"{"a": 1"#,
        r#"{"a": 1e999}"#,
    ] {
        assert!(error_message(Record::from_json(bad)).starts_with("record, line"), "{bad}");
    }
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    assert!(Record::from_json(&deep).is_err());
}

#[test]
fn a_model_is_unbuilt_until_its_first_fit() {
    let layers = || Sequential::<f64>::deferred().add(Dense::new(4)).add(Dense::new(1)).seed(5);
    let compiled = |layers: Sequential<f64>| layers.compile(Adam::new(0.1), MeanSquaredError::default());
    let mut model = compiled(layers()).unwrap();
    let (x, y) = (array![[0.0, 1.0, 2.0], [1.0, 0.0, 3.0]], array![1.0, 2.0]);
    let summary = model.summary().to_string();
    assert!(summary.contains("unbuilt") && summary.contains("0 (unbuilt)") && summary.contains("0.dense"));
    assert!(!model.is_built() && model.weights().is_empty() && model.count_params() == 0);
    let refused = [
        error_message(model.predict(&x)),
        error_message(model.evaluate(&x, &y)),
        error_message(model.workspace(1)),
        error_message(model.to_bytes()),
        error_message(model.set_weight("0.dense/kernel", &x)),
        error_message(model.set_weights(&[])),
        error_message(model.save_weights("never")),
        error_message(model.weights_from_bytes(&[], axonal::persistence::LoadOptions::new())),
        error_message(model.fit_batches([(x.clone(), y.clone())], FitOptions::new())),
        error_message(model.score(&x, &y)),
        error_message(model.test_on_batch(&x, &y)),
    ];
    for said in refused {
        assert!(said.contains("unbuilt"), "{said}");
    }
    // An error of the data leaves it unbuilt, so that data of another width fit.
    assert!(error_message(model.fit(&array![[f64::NAN]], &array![1.0])).contains("NaN"));
    assert!(!model.is_built());

    // The same bits as with the input shape given.
    let known = Sequential::new(3).add(Dense::new(4)).add(Dense::new(1)).seed(5);
    let mut known = known.compile(Adam::new(0.1), MeanSquaredError::default()).unwrap();
    known.fit(&x, &y).unwrap();
    model.fit(&x, &y).unwrap();
    assert_eq!(model.weights(), known.weights());
    assert_eq!(model.input_shape().dims(), [3]);
    assert!(error_message(model.fit(&array![[1.0]], &array![1.0])).contains("samples of shape (3)"));
    assert!(model.build(3).is_ok() && model.build(2).is_err());

    let loaded = Model::<f64>::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
    for fitted in [model, loaded] {
        let mut fresh = fitted.unfitted();
        assert!(!fresh.is_built());
        fresh.fit(&array![[1.0], [2.0]], &y).unwrap();
        assert_eq!(fresh.input_shape().dims(), [1]);
    }
    assert!(error_message(compiled(Sequential::deferred())).contains("at least 1 layer"));
    let column = array![1.0, 2.0];
    let mut scalars = compiled(layers()).unwrap();
    scalars.train_on_batch(&column, &y).unwrap();
    assert_eq!(scalars.input_shape().dims(), [1]);
    assert_eq!(scalars.into_sequential().len(), 2);
}

#[test]
fn given_categories_keep_their_order_and_come_back_from_files() {
    let encoder = OrdinalEncoder::new().with_categories([["S", "M", "L"], ["x", "y", "z"]]).unwrap();
    let x = array![["L", "x"], ["S", "z"]];
    let mut fitted = encoder.clone();
    assert_eq!(fitted.fit_transform(&x).unwrap(), array![[2.0, 0.0], [0.0, 2.0]]);
    assert_eq!(fitted.unfitted(), encoder);
    let loaded = OrdinalEncoder::from_bytes(&fitted.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded, fitted);
    assert_eq!(loaded.inverse_transform::<String>(&loaded.transform(&x).unwrap()).unwrap(), x);
    let json: OrdinalEncoder = serde_json::from_str(&serde_json::to_string(&fitted).unwrap()).unwrap();
    assert_eq!(json, fitted);
    assert!(
        error_message(fitted.fit(&array![["XL", "x"]])).contains("XL at [0, 0], expected one of S, M, L")
    );
    for bad in [vec![vec!["a", "a"]], vec![vec![]], vec![]] {
        assert!(error_message(OneHotEncoder::new().with_categories(bad)).contains("at least 1 category"));
    }
    assert!(error_message(OneHotEncoder::new().with_categories([[1.0, f64::NAN]])).contains("finite"));
    let mut lenient = OneHotEncoder::new().with_categories([["b", "a"]]).unwrap();
    assert!(lenient.fit(&array![["c"]]).is_err());
    lenient = lenient.handle_unknown(HandleUnknown::Ignore);
    assert_eq!(lenient.fit_transform(&array![["c"], ["b"]]).unwrap(), array![[0.0, 0.0], [1.0, 0.0]]);
}
