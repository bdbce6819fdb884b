//! Tables of Keras's numbers, made in `f32`: activations, schedules, optimizers, losses, metrics, constraints.

use crate::common::param_only_layer::Walk;
use crate::parity::keras_config::Built;
use crate::parity::{Difference, Outcome, flat, keras_config, shape};
use axonal::custom::{Forward, LossPass, MetricBatch, Mode, Shape, TargetForm, TargetView};
use axonal::layers::{Constraint, Normalization, RmsNormalization, UnitNormalization};
use axonal::losses::AnyLoss;
use axonal::ndarray::{Array2, ArrayView2};
use axonal::prelude::*;
use axonal::rng::RowRng;
use serde_json::{Map, Value, json};

const TOLERANCE: f64 = 1e-5;

type Compared = Built<Difference>;

pub fn run(content: &Value) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut all = |kind: &str, cases: &Value, compare: &dyn Fn(&str, &Value) -> Compared| {
        for (name, case) in cases.as_object().into_iter().flatten() {
            let outcome = compare(name, case).map(|difference| (difference, TOLERANCE));
            outcomes.push((format!("{kind} {name}"), outcome));
        }
    };
    let (activations, losses) = (&content["activations"], &content["losses"]);
    let (optimizers, constraints) = (&content["optimizers"], &content["constraints"]);
    all("activation", &activations["y"], &|name, want| activation(name, &activations["x"], want));
    all("schedule", &content["schedules"], &|_, case| schedule(case));
    all("optimizer", &optimizers["runs"], &|name, case| optimizer(name, optimizers, case));
    all("loss", &losses["values"], &|name, case| loss(name, losses, case));
    all("metric", &content["metrics"], &|name, case| metric(name, losses, case));
    let mut projected = constraints.clone();
    if let Some(projected) = projected.as_object_mut() {
        projected.remove("w");
    }
    all("constraint", &projected, &|name, want| constraint(name, &constraints["w"], want));
    let mut layers = content["layers"].clone();
    if let Some(layers) = layers.as_object_mut() {
        layers.remove("X");
    }
    all("layer", &layers, &|name, want| layer(name, &content["layers"]["X"], want));
    outcomes
}

fn activation(name: &str, x: &Value, want: &Value) -> Compared {
    let mut y = flat(x);
    let activation: Activation =
        name.replace("gelu_exact(f64)", "gelu").parse().map_err(|error: Error| error.to_string())?;
    activation.apply(y.len(), &mut y);
    let mut difference = Difference::default();
    difference.numbers(name, &y, &flat(want));
    Ok(difference)
}

fn schedule(case: &Value) -> Compared {
    let schedule = keras_config::schedule(&case["config"])?;
    let mut difference = Difference::default();
    for (step, want) in case["lr_at"].as_object().into_iter().flatten() {
        difference.number(
            &format!("step {step}"),
            schedule.at(step.parse().unwrap()),
            want.as_f64().unwrap(),
        );
    }
    Ok(difference)
}

fn optimizer(name: &str, given: &Value, case: &Value) -> Compared {
    let classes = [
        ("adamax", "Adamax"),
        ("adamw", "AdamW"),
        ("adam", "Adam"),
        ("sgd", "SGD"),
        ("nadam", "Nadam"),
        ("rmsprop", "RMSprop"),
        ("adagrad", "Adagrad"),
        ("adadelta", "Adadelta"),
        ("lion", "Lion"),
        ("ftrl", "Ftrl"),
        ("lamb", "Lamb"),
        ("adafactor", "Adafactor"),
    ];
    let (_, class) =
        classes.iter().find(|(prefix, _)| name.starts_with(prefix)).ok_or(format!("optimizer {name}"))?;
    let mut config: Map<String, Value> = case["config"].as_object().cloned().unwrap_or_default();
    config.insert("class".into(), json!(class));
    let optimizer = keras_config::optimizer(&Value::Object(config), None)?;
    let start = flat(&given["x0"]);
    let grads = given["grads"].as_array().into_iter().flatten().map(flat).collect();
    let mut walk =
        Walk::along(optimizer, &[start.len()], &start, grads).map_err(|error| error.to_string())?;
    let mut difference = Difference::default();
    for (step, want) in case["after_each_step"].as_array().into_iter().flatten().enumerate() {
        difference.numbers(&format!("step {}", step + 1), &walk.step(), &flat(want));
    }
    Ok(difference)
}

fn matrix(value: &Value) -> Array2<f64> {
    let shape = shape(value);
    let columns = shape.get(1).copied().unwrap_or(1);
    Array2::from_shape_vec((shape[0], columns), flat(value)).expect("a matrix")
}

/// The classes of one-hot rows.
fn labels(one_hot: &ArrayView2<'_, f64>, ignored: Option<usize>) -> Vec<usize> {
    let class = |row: &[f64]| row.iter().position(|&t| t == 1.0).unwrap_or_default();
    let classes = one_hot.rows().into_iter().map(|row| class(&row.to_vec()));
    classes.map(|class| if ignored == Some(class) { usize::MAX } else { class }).collect()
}

fn loss(name: &str, data: &Value, case: &Value) -> Compared {
    let (class, arguments) = match name {
        "mse" | "mse_1d_vs_2d" => ("MeanSquaredError", json!({})),
        "mae" => ("MeanAbsoluteError", json!({})),
        "mape" => ("MeanAbsolutePercentageError", json!({})),
        "msle" => ("MeanSquaredLogarithmicError", json!({})),
        "huber" => ("Huber", json!({})),
        "huber_.5" => ("Huber", json!({"delta": 0.5})),
        "log_cosh" => ("LogCosh", json!({})),
        "cosine" => ("CosineSimilarity", json!({})),
        "cce" => ("CategoricalCrossentropy", json!({})),
        "cce_ls.1" => ("CategoricalCrossentropy", json!({"label_smoothing": 0.1})),
        "cce_logits" => ("CategoricalCrossentropy", json!({"from_logits": true})),
        "cce_logits_ls.1" => {
            ("CategoricalCrossentropy", json!({"from_logits": true, "label_smoothing": 0.1}))
        }
        "cfocal" => ("CategoricalFocalCrossentropy", json!({})),
        "kld" => ("KLDivergence", json!({})),
        "poisson" => ("Poisson", json!({})),
        "cat_hinge" => ("CategoricalHinge", json!({})),
        "hinge" => ("Hinge", json!({})),
        "sq_hinge" => ("SquaredHinge", json!({})),
        "dice" => ("Dice", json!({})),
        "tversky" => ("Tversky", json!({})),
        "scce" => ("SparseCategoricalCrossentropy", json!({})),
        "scce_logits" => ("SparseCategoricalCrossentropy", json!({"from_logits": true})),
        "scce_logits_ignore1" => {
            ("SparseCategoricalCrossentropy", json!({"from_logits": true, "ignore_class": 1}))
        }
        "bce" | "bce_saturated" => ("BinaryCrossentropy", json!({})),
        "bce_ls.2" => ("BinaryCrossentropy", json!({"label_smoothing": 0.2})),
        "bce_logits" => ("BinaryCrossentropy", json!({"from_logits": true})),
        "bfocal" => ("BinaryFocalCrossentropy", json!({})),
        "bfocal_bal" => ("BinaryFocalCrossentropy", json!({"apply_class_balancing": true})),
        _ => return Err(format!("loss case {name}")),
    };
    let build = |reduction: &str| {
        let mut config = arguments.as_object().cloned().unwrap_or_default();
        config.insert("class".into(), json!(class));
        config.insert("reduction".into(), json!(reduction));
        keras_config::loss(&Value::Object(config))
    };
    let of = |key: &str| matrix(&data[key]);
    let (mut target, mut prediction) = match name {
        "bce" | "bce_ls.2" | "bfocal" | "bfocal_bal" | "mse_1d_vs_2d" => (of("bin_true"), of("bin_prob")),
        "bce_logits" => (of("bin_true"), of("bin_logits")),
        "bce_saturated" => (of("bin_true"), of("bin_prob")),
        _ if name.contains("logits") => (of("cls_true"), of("cls_logits")),
        "mse" | "mae" | "mape" | "msle" | "huber" | "huber_.5" | "log_cosh" | "cosine" => {
            (of("reg_true"), of("reg_pred"))
        }
        _ => (of("cls_true"), of("cls_prob")),
    };
    if name == "bce_saturated" {
        // Right, wrong, wrong, right; in `f32`, 1 - 1e-7 is the number just below 1.
        target = Array2::from_shape_vec((4, 1), vec![1.0, 0.0, 1.0, 0.0]).unwrap();
        prediction = Array2::from_shape_vec((4, 1), vec![1.0, 1.0, 0.0, 0.0]).unwrap();
        return saturated(&target, &prediction, data, case);
    }
    let weights = flat(&data["sample_weight"]);
    let ignored = name.ends_with("ignore1").then_some(1);
    let classes = labels(&target.view(), ignored);
    let value = |loss: &AnyLoss<f64>, rows: std::ops::Range<usize>, weights: Option<&[f64]>| {
        let targets = match loss.target_form() {
            TargetForm::Labels => TargetView::Labels(&classes[rows.clone()]),
            _ => TargetView::Values(target.slice(axonal::ndarray::s![rows.clone(), ..])),
        };
        let prediction = prediction.slice(axonal::ndarray::s![rows, ..]);
        loss.compute(LossPass::new(prediction, targets).weights(weights))
    };
    let mean = build("sum_over_batch_size")?;
    let n = prediction.nrows();
    let mut difference = Difference::default();
    let want = |key: &str| case[key].as_f64().unwrap();
    difference.number("unweighted", value(&mean, 0..n, None), want("unweighted"));
    difference.number("weighted", value(&mean, 0..n, Some(&weights)), want("weighted"));
    let (sum, each) = (build("sum")?, flat(&case["none"]));
    // The samples' own values beside Huber's δ of ½ are those of δ = 1.
    if each.len() == n && name != "huber_.5" {
        for (row, want) in each.iter().enumerate() {
            difference.number(&format!("sample {row}"), value(&sum, row..row + 1, None), *want);
        }
        difference.number("sum", value(&sum, 0..n, None), each.iter().sum());
    }
    Ok(difference)
}

/// The saturated costs depend on the number type: they are compared in `f32`.
fn saturated(target: &Array2<f64>, prediction: &Array2<f64>, data: &Value, case: &Value) -> Compared {
    let (target, prediction) = (target.mapv(|t| t as f32), prediction.mapv(|p| p as f32));
    let weights: Vec<f32> = flat(&data["sample_weight"]).into_iter().map(|w| w as f32).collect();
    let value = |weights| {
        let pass = LossPass::new(prediction.view(), TargetView::Values(target.view())).weights(weights);
        BinaryCrossentropy::default().compute(pass)
    };
    let mut difference = Difference::default();
    difference.number("unweighted", value(None), case["unweighted"].as_f64().unwrap());
    difference.number("weighted", value(Some(&weights)), case["weighted"].as_f64().unwrap());
    Ok(difference)
}

fn metric(name: &str, data: &Value, case: &Value) -> Compared {
    let config = match name {
        "accuracy_categorical" | "accuracy_sparse" | "accuracy_binary" => json!("accuracy"),
        "top2" => json!({"class": "TopKCategoricalAccuracy", "k": 2}),
        "sparse_top2" => json!({"class": "SparseTopKCategoricalAccuracy", "k": 2}),
        "precision" => json!("precision"),
        "recall" => json!("recall"),
        "auc_roc" => json!({"class": "AUC"}),
        "auc_pr" => json!({"class": "AUC", "curve": "PR"}),
        "tp" => json!({"class": "TruePositives"}),
        "fp" => json!({"class": "FalsePositives"}),
        "tn" => json!({"class": "TrueNegatives"}),
        "fn" => json!({"class": "FalseNegatives"}),
        "f1_macro" => json!({"class": "F1Score", "average": "macro"}),
        "f1_micro" => json!({"class": "F1Score", "average": "micro"}),
        "f1_weighted" => json!({"class": "F1Score", "average": "weighted"}),
        "mse" => json!("mse"),
        "mae" => json!("mae"),
        "rmse" => json!({"class": "RootMeanSquaredError"}),
        "r2" => json!({"class": "R2Score"}),
        "cosine" => json!({"class": "CosineSimilarity"}),
        "logcosh" => json!({"class": "LogCoshError"}),
        "mean_iou" => json!({"class": "OneHotMeanIoU"}),
        "sens_at_spec.5" => json!({"class": "SensitivityAtSpecificity", "specificity": 0.5}),
        "bce" => json!({"class": "BinaryCrossentropy"}),
        "cce" => json!({"class": "CategoricalCrossentropy"}),
        _ => return Err(format!("metric {name}")),
    };
    let metric = keras_config::metric(&config)?;
    let of = |key: &str| matrix(&data[key]);
    let (target, prediction) = match name {
        "mse" | "mae" | "rmse" | "r2" | "cosine" | "logcosh" => (of("reg_true"), of("reg_pred")),
        "accuracy_binary" | "precision" | "recall" | "auc_roc" | "auc_pr" | "tp" | "fp" | "tn" | "fn"
        | "bce" | "sens_at_spec.5" => (of("bin_true"), of("bin_prob")),
        _ => (of("cls_true"), of("cls_prob")),
    };
    let classes = labels(&target.view(), None);
    let weights = flat(&data["sample_weight"]);
    let value = |weights: Option<&[f64]>| {
        let targets = match name {
            "accuracy_sparse" | "sparse_top2" => TargetView::Labels(&classes),
            _ => TargetView::Values(target.view()),
        };
        let mut totals = vec![0.0; metric.totals(&Shape::from([prediction.ncols()].as_slice()))];
        metric.update(MetricBatch::new(prediction.view(), targets).weights(weights), &mut totals);
        metric.value(&totals)
    };
    let mut difference = Difference::default();
    difference.number("unweighted", value(None), case["unweighted"].as_f64().unwrap());
    difference.number("weighted", value(Some(&weights)), case["weighted"].as_f64().unwrap());
    Ok(difference)
}

fn constraint(name: &str, w: &Value, want: &Value) -> Compared {
    let constraint = match name {
        "max_norm2" => Constraint::max_norm(2.0),
        "non_neg" => Constraint::NonNeg,
        "unit_norm" => Constraint::unit_norm(),
        "min_max" => Constraint::min_max_norm(0.5, 1.0, 0.5),
        _ => return Err(format!("constraint {name}")),
    };
    let mut values = flat(w);
    constraint.apply(&shape(w), &mut values);
    let mut difference = Difference::default();
    difference.numbers(name, &values, &flat(want));
    Ok(difference)
}

/// A network of one layer, on the table's samples.
fn layer(name: &str, x: &Value, want: &Value) -> Compared {
    let mut difference = Difference::default();
    let x = Array2::from_shape_vec((shape(x)[0], shape(x)[1]), flat(x)).unwrap();
    let network = Sequential::new(x.ncols());
    let network = match name {
        "bn_default" => return batch_normalization(&x, want),
        "layer_norm" => network.add(LayerNormalization::default()),
        "rms_norm" => network.add(RmsNormalization::default()),
        "unit_norm" => network.add(UnitNormalization::default()),
        "normalization_adapt" => network.add(Normalization::default().adapt(&x).unwrap()),
        _ => return Err(format!("layer {name}")),
    };
    let model = network.compile(Sgd::new(0.01), MeanSquaredError::default()).unwrap();
    difference.numbers(name, model.predict(&x).unwrap().as_slice().unwrap(), &flat(want));
    Ok(difference)
}

/// Batch normalization by itself: a call of training, then one of inference with the statistics it has left.
fn batch_normalization(x: &Array2<f64>, want: &Value) -> Compared {
    let mut difference = Difference::default();
    let layer = BatchNormalization::default();
    let plan = Layer::<f64>::plan(&layer, &Shape::from(x.ncols())).unwrap();
    let params = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
    let mut state = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let mut cache = vec![0.0; plan.cache_len(x.nrows())];
    let mut y = Array2::zeros(x.dim());
    let mode = Mode::Train { rng: RowRng::new(0, 0, 0), state: &mut state };
    layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
    difference.numbers("train_out", y.as_slice().unwrap(), &flat(&want["train_out"]));
    difference.numbers("moving_mean", &state[..3], &flat(&want["moving_mean"]));
    difference.numbers("moving_variance", &state[3..], &flat(&want["moving_variance"]));
    let mode = Mode::Infer { state: &state };
    layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
    difference.numbers("infer_out", y.as_slice().unwrap(), &flat(&want["infer_out"]));
    Ok(difference)
}
