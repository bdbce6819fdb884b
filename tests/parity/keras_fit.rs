//! A training run of Keras: the same model on the same data from the same weights, without shuffling.

use crate::parity::keras_config::Built;
use crate::parity::sparse_embedding_grads::Occurrences;
use crate::parity::{Difference, Outcome, flat, keras_config, shape};
use axonal::custom::TargetForm;
use axonal::metrics::AnyMetric;
use axonal::models::Weight;
use axonal::ndarray::{Array1, ArrayD, IxDyn};
use axonal::prelude::*;
use serde_json::Value;

pub fn run(content: &Value) -> Outcome {
    let name = content["case"]["name"].as_str().unwrap_or("fit").to_string();
    (name, train(content))
}

/// Keras rounds the decay rates inside these optimizers' bias corrections to `f32`, and normalizes in `f32` by these
/// layers on JAX, whatever the network's type.
pub fn tolerance<'v>(optimizer: &Value, mut layers: impl Iterator<Item = &'v Value>) -> f64 {
    let normalizations = ["GroupNormalization", "LayerNormalization", "RMSNormalization"];
    if layers.any(|layer| normalizations.iter().any(|class| layer["class"] == *class)) {
        return 1e-5;
    }
    let class = optimizer.get("class").unwrap_or(optimizer).as_str().unwrap_or_default().to_lowercase();
    let rounded = ["adam", "adamw", "nadam", "adamax", "lamb"];
    if rounded.contains(&class.rsplit('.').next().unwrap_or_default()) { 1e-5 } else { 1e-6 }
}

pub fn array(value: &Value) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(&shape(value)), flat(value)).expect("a regular list")
}

/// The targets, as labels where the loss takes labels.
enum Target {
    Labels(Array1<i64>),
    Values(ArrayD<f64>),
}

/// Calls a method of the model with either kind of targets.
macro_rules! with_targets {
    ($target:expr, |$y:ident| $call:expr) => {
        match $target {
            Target::Labels($y) => $call,
            Target::Values($y) => $call,
        }
    };
}

/// What TensorFlow makes of an embedding's gradients, where that differs from the gradients themselves.
fn occurrences(optimizer: &Value, layers: &[Value]) -> Built<Option<Occurrences>> {
    let embeds = layers.first().is_some_and(|layer| {
        // A penalty's gradient, and gradients that are accumulated, sum the occurrences up.
        layer["class"] == "Embedding"
            && layer["trainable"] != false
            && layer["embeddings_regularizer"].is_null()
    });
    if !embeds || !optimizer["gradient_accumulation_steps"].is_null() {
        return Ok(None);
    }
    if !optimizer["global_clipnorm"].is_null() && layers.iter().any(|layer| layer["trainable"] == false) {
        return Err("a norm of all gradients beside an embedding's unsummed ones and frozen layers".into());
    }
    let class = optimizer.as_str().or_else(|| optimizer["class"].as_str()).unwrap_or_default();
    let class = class.rsplit('.').next().unwrap_or_default();
    let known = [
        "SGD",
        "Lion",
        "Adam",
        "AdamW",
        "Nadam",
        "Lamb",
        "RMSprop",
        "Adagrad",
        "Adamax",
        "Adadelta",
        "Adafactor",
        "Ftrl",
    ];
    let class = known.iter().find(|known| known.eq_ignore_ascii_case(class)).map_or(class, |known| *known);
    Occurrences::of(class, optimizer).map(Some)
}

/// Says over which batches layers are stateful; in Keras the input says so.
fn stateful_over(value: &mut Value, batch: &Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| stateful_over(value, batch)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "stateful" => *value = if value == true { batch.clone() } else { Value::Null },
                    _ => stateful_over(value, batch),
                }
            }
        }
        _ => {}
    }
}

fn target(y: &Value, takes_labels: bool) -> Target {
    if takes_labels && shape(y).len() == 1 {
        return Target::Labels(flat(y).iter().map(|&label| label as i64).collect());
    }
    Target::Values(array(y))
}

/// The validation data: beside the training data, or as the argument itself.
fn validation(content: &Value, takes_labels: bool) -> Option<(ArrayD<f64>, Target)> {
    let given = &content["case"]["fit"]["validation_data"];
    let [x, y] = match given.as_array().map(Vec::as_slice) {
        Some([x, y]) => [x, y],
        _ if given == true => [&content["x_val"], &content["y_val"]],
        _ => return None,
    };
    Some((array(x), target(y, takes_labels)))
}

fn train(content: &Value) -> Built<(Difference, f64)> {
    let case = &content["case"];
    let input: Vec<usize> = flat(&case["input"]).iter().map(|&n| n as usize).collect();
    let mut layers = case["layers"].clone();
    stateful_over(&mut layers, &case["batch"]);
    let layers = layers.as_array().ok_or("a list of layers")?;
    let occurrences = match content["backend"].as_str() {
        Some("tensorflow") => occurrences(&case["optimizer"], layers)?,
        _ => None,
    };
    let network = keras_config::network(&input, layers, occurrences.as_ref())?;
    let optimizer = keras_config::optimizer(&case["optimizer"], occurrences)?;
    let loss = keras_config::loss(&case["loss"])?;
    let takes_labels = loss.target_form() == TargetForm::Labels;
    let target = target(&content["y"], takes_labels);
    let validation = validation(content, takes_labels);
    let mut model = network.compile(optimizer, loss).map_err(|error| error.to_string())?;
    for metric in case["metrics"].as_array().into_iter().flatten() {
        model = keras_config::metrics(metric)?.into_iter().fold(model, Model::metric);
    }
    for metric in case["weighted_metrics"].as_array().into_iter().flatten() {
        model =
            keras_config::metrics(metric)?.into_iter().map(AnyMetric::weighted).fold(model, Model::metric);
    }
    set_weights(&mut model, &content["initial_weights"]);

    let x = array(&content["x"]);
    let options = fit_options(&case["fit"], content)?;
    let options = match &validation {
        Some((x, y)) => with_targets!(y, |y| options.validation_data(x, y)),
        None => options,
    };
    let history =
        with_targets!(&target, |y| model.fit_with(&x, y, options)).map_err(|error| error.to_string())?;
    model.reset_state();
    let batch_size = case["fit"]["batch_size"].as_u64().unwrap_or(32) as usize;
    let evaluation =
        with_targets!(&target, |y| model.evaluate_with(&x, y, EvaluateOptions::new().batch_size(batch_size)))
            .map_err(|error| error.to_string())?;

    let mut difference = Difference::default();
    compare_history(&mut difference, &history, &content["history"]);
    compare_evaluation(&mut difference, &evaluation, &content["evaluate"]);
    for (weight, want) in
        learned(&model).iter().zip(content["final_weights"].as_array().into_iter().flatten())
    {
        let got: Vec<f64> = weight.value.iter().copied().collect();
        difference.numbers(&format!("final {}", weight.name), &got, &flat(want));
    }
    let predictions: Vec<f64> =
        model.predict(&x).map_err(|error| error.to_string())?.iter().copied().collect();
    difference.numbers("predictions", &predictions, &flat(&content["predictions"]));
    Ok((difference, tolerance(&case["optimizer"], layers.iter())))
}

/// Whether Keras does not count it among the weights: what stateful layers remember.
fn remembered(weight: &Weight<f64>) -> bool {
    weight.name.ends_with("/h") || weight.name.ends_with("/c")
}

fn learned(model: &Model<f64>) -> Vec<Weight<f64>> {
    model.weights().into_iter().filter(|weight| !remembered(weight)).collect()
}

fn set_weights(model: &mut Model<f64>, initial: &Value) {
    let initial = initial.as_array().expect("initial weights");
    assert_eq!(learned(model).len(), initial.len(), "the number of weight arrays");
    let mut weights = model.weights();
    for (weight, value) in weights.iter_mut().filter(|weight| !remembered(weight)).zip(initial) {
        weight.value = array(value);
    }
    model.set_weights(&weights).expect("weights of Keras's shapes");
}

/// The classes of a dictionary with their weights.
pub fn class_weight(value: &Value) -> Vec<(usize, f64)> {
    let weights = value.as_object().into_iter().flatten();
    weights.map(|(class, weight)| (class.parse().unwrap(), weight.as_f64().unwrap())).collect()
}

/// The options that the arguments of `fit` give; data are beside them, in `content`.
pub fn fit_options<'v>(arguments: &Value, content: &Value) -> Built<FitOptions<'v, f64>> {
    let mut options = FitOptions::new().shuffle(false);
    for (key, value) in arguments.as_object().into_iter().flatten() {
        let whole = || value.as_u64().unwrap_or_default() as usize;
        options = match key.as_str() {
            "epochs" => options.epochs(whole()),
            "batch_size" => options.batch_size(whole()),
            "initial_epoch" => options.initial_epoch(whole()),
            "validation_freq" => options.validation_freq(whole()),
            "validation_split" => options.validation_split(value.as_f64().unwrap_or_default()),
            "class_weight" => options.class_weight(class_weight(value)),
            // Made from two arrays, which live longer.
            "validation_data" => options,
            "sample_weight" => options.sample_weight(&array(&content["sample_weight"])),
            other => return Err(format!("argument {other} of fit")),
        };
    }
    Ok(options)
}

pub fn compare_history(difference: &mut Difference, history: &History, want: &Value) {
    for (key, want) in want.as_object().into_iter().flatten() {
        let epochs = want.as_array().map(Vec::as_slice).unwrap_or_default();
        // An epoch's value is a list where the metric has several thresholds.
        let thresholds = epochs.first().and_then(Value::as_array).map(Vec::len);
        for index in 0..thresholds.unwrap_or(1) {
            let key = thresholds.map_or(key.clone(), |_| keras_config::one_of_several(key, index));
            let want: Vec<f64> = epochs.iter().map(|epoch| flat(epoch)[index]).collect();
            difference.numbers(&format!("history {key}"), history.get(&key).unwrap_or_default(), &want);
        }
    }
}

pub fn compare_evaluation(difference: &mut Difference, got: &Evaluation, want: &Value) {
    for (key, want) in want.as_object().into_iter().flatten() {
        for (index, &number) in flat(want).iter().enumerate() {
            let key = if want.is_array() { keras_config::one_of_several(key, index) } else { key.clone() };
            difference.number(&format!("evaluate {key}"), got.get(&key).unwrap_or(f64::NAN), number);
        }
    }
}
