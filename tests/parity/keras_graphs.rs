//! A functional model of Keras: the same graph on the same data from the same weights, without shuffling.

use crate::parity::keras_config::{self, Arguments, Built};
use crate::parity::keras_fit::{self, array};
use crate::parity::keras_layers;
use crate::parity::{Difference, Outcome, flat};
use axonal::custom::Merge;
use axonal::layers::{Average, Dot, GroupQueryAttention, Maximum, Minimum, Multiply};
use axonal::losses::AnyLoss;
use axonal::metrics::AnyMetric;
use axonal::models::Node;
use axonal::ndarray::ArrayD;
use axonal::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

pub fn run(content: &Value) -> Outcome {
    (text(&content["graph"]["name"]), train(content))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn arrays(value: &Value) -> Vec<ArrayD<f64>> {
    list(value).iter().map(array).collect()
}

/// The node of a layer that reads one or several others.
fn node(
    spec: &Value,
    inputs: &[&Node<f64>],
    shared: &mut BTreeMap<String, Shared<std::sync::Arc<dyn Layer<f64>>>>,
) -> Built<Node<f64>> {
    let a = Arguments::of(&spec["layer"]).ok_or_else(|| format!("layer {spec}"))?;
    let inputs = || inputs.iter().copied();
    let (size, causal) = (|key| a.whole(key).unwrap_or_default(), a.flag("causal_hint") == Some(true));
    let made = match a.class {
        "Add" => Add::new().of(inputs()),
        "Subtract" => Subtract::new().of(inputs()),
        "Multiply" => Multiply::new().of(inputs()),
        "Average" => Average::new().of(inputs()),
        "Maximum" => Maximum::new().of(inputs()),
        "Minimum" => Minimum::new().of(inputs()),
        "Concatenate" => Concatenate::new().axis(a.number("axis").unwrap_or(-1.0) as isize).of(inputs()),
        "Dot" => {
            let axis = size("axes") as isize;
            Dot::new(axis, axis).normalize(a.flag("normalize") == Some(true)).of(inputs())
        }
        "MultiHeadAttention" => {
            let layer = MultiHeadAttention::new(size("num_heads"), size("key_dim")).causal(causal);
            attention(layer.use_bias(a.flag("use_bias") != Some(false)), inputs())?
        }
        "GroupQueryAttention" => {
            let heads = (size("num_query_heads"), size("num_key_value_heads"));
            let layer = GroupQueryAttention::new(size("head_dim"), heads.0, heads.1).causal(causal);
            attention(layer.use_bias(a.flag("use_bias") != Some(false)), inputs())?
        }
        _ => {
            let input = inputs().next().ok_or("an input")?;
            let layer = a.all_read(keras_layers::layer(&a)?)?;
            match spec["key"].as_str() {
                Some(key) => {
                    let is_first = !shared.contains_key(key);
                    let made = input.then(&*shared.entry(key.into()).or_insert_with(|| Shared::new(layer)));
                    return Ok(if is_first { made.named(key) } else { made });
                }
                None => input.then(layer),
            }
        }
    };
    Ok(made.named(text(&spec["name"])).trainable(spec["trainable"] != false))
}

/// Attention of a sequence over itself, or over others.
fn attention<'n>(
    layer: impl Layer<f64> + Merge<f64> + 'static,
    inputs: impl Iterator<Item = &'n Node<f64>>,
) -> Built<Node<f64>> {
    match inputs.collect::<Vec<_>>()[..] {
        [] => Err("attention without an input".into()),
        [input] => Ok(input.then(layer)),
        ref several => Ok(layer.of(several.iter().copied())),
    }
}

fn model(graph: &Value, optimizer: &Value) -> Built<Model<f64>> {
    let mut nodes: BTreeMap<String, Node<f64>> = BTreeMap::new();
    let mut inputs = Vec::new();
    for input in list(&graph["inputs"]) {
        let dims: Vec<usize> = flat(&input["shape"]).iter().map(|&dim| dim as usize).collect();
        let made = Input::new(text(&input["name"]), dims);
        nodes.insert(text(&input["name"]), made.clone());
        inputs.push(made);
    }
    let mut shared = BTreeMap::new();
    for spec in list(&graph["nodes"]) {
        let sources: Vec<&Node<f64>> = list(&spec["inputs"]).iter().map(|name| &nodes[&text(name)]).collect();
        let made = node(spec, &sources, &mut shared)?;
        nodes.insert(text(&spec["name"]), made);
    }
    let mut built = Graph::new(&inputs);
    for output in list(&graph["outputs"]) {
        let weight = output["weight"].as_f64().unwrap_or(1.0);
        let loss: AnyLoss<f64> = keras_config::loss(&output["loss"])?;
        built = built.weighted_output(text(&output["name"]), &nodes[&text(&output["node"])], loss, weight);
    }
    let optimizer = keras_config::optimizer(optimizer, None)?;
    let mut model = built.compile(optimizer).map_err(|error| error.to_string())?;
    for output in list(&graph["outputs"]) {
        let name = text(&output["name"]);
        for metric in list(&output["metrics"]) {
            let made = keras_config::metrics(metric)?;
            model = made.into_iter().fold(model, |model, metric| model.metric_of(&name, metric));
        }
        for metric in list(&output["weighted_metrics"]) {
            let made = keras_config::metrics(metric)?.into_iter().map(AnyMetric::weighted);
            model = made.fold(model, |model, metric| model.metric_of(&name, metric));
        }
    }
    Ok(model)
}

/// The weights in Keras's order for each of its layers.
fn for_each_weight(
    model: &Model<f64>,
    want: &Value,
    mut visit: impl FnMut(&str, &ArrayD<f64>, &Value),
) -> Built<()> {
    for (name, arrays) in want.as_object().into_iter().flatten() {
        let layer = model.layer(name).map_err(|error| error.to_string())?;
        assert_eq!(layer.weights.len(), list(arrays).len(), "the weights of {name}");
        for (weight, array) in layer.weights.iter().zip(list(arrays)) {
            visit(&weight.name, &weight.value, array);
        }
    }
    Ok(())
}

fn set_weights(model: &mut Model<f64>, initial: &Value) -> Built<()> {
    let mut weights = Vec::new();
    for_each_weight(model, initial, |name, _, value| weights.push((name.to_string(), array(value))))?;
    weights
        .iter()
        .try_for_each(|(name, value)| model.set_weight(name, value))
        .map_err(|error| error.to_string())
}

/// Adds the weights of classes and samples, which depend on the outputs.
fn weighted<'v>(mut options: FitOptions<'v, f64>, content: &Value) -> FitOptions<'v, f64> {
    if !content["sample_weight"].is_null() {
        options = options.sample_weight(&array(&content["sample_weight"]));
    }
    for (output, weights) in content["sample_weight_of"].as_object().into_iter().flatten() {
        options = options.sample_weight_of(output, &array(weights));
    }
    for (output, classes) in content["class_weight_of"].as_object().into_iter().flatten() {
        options = options.class_weight_of(output, keras_fit::class_weight(classes));
    }
    options
}

fn evaluate_options(content: &Value) -> EvaluateOptions<f64> {
    let batch_size = content["fit"]["batch_size"].as_u64().unwrap_or(32);
    let mut options = EvaluateOptions::new().batch_size(batch_size as usize);
    if !content["sample_weight"].is_null() {
        options = options.sample_weight(&array(&content["sample_weight"]));
    }
    for (output, weights) in content["sample_weight_of"].as_object().into_iter().flatten() {
        options = options.sample_weight_of(output, &array(weights));
    }
    options
}

fn train(content: &Value) -> Built<(Difference, f64)> {
    let mut model = model(&content["graph"], &content["optimizer"])?;
    set_weights(&mut model, &content["initial_weights"])?;
    let (xs, ys) = (arrays(&content["x"]), arrays(&content["y"]));
    let (x_val, y_val) = (arrays(&content["x_val"]), arrays(&content["y_val"]));
    let mut options = weighted(keras_fit::fit_options(&content["fit"], content)?, content);
    if !x_val.is_empty() {
        options = options.validation_data(&x_val, y_val.as_slice());
    }
    if !content["validation_sample_weight"].is_null() {
        options = options.validation_sample_weight(&array(&content["validation_sample_weight"]));
    }
    let history = model.fit_with(&xs, ys.as_slice(), options).map_err(|error| error.to_string())?;
    let evaluation = model.evaluate_with(&xs, ys.as_slice(), evaluate_options(content));
    let evaluation = evaluation.map_err(|error| error.to_string())?;

    let mut difference = Difference::default();
    keras_fit::compare_history(&mut difference, &history, &content["history"]);
    keras_fit::compare_evaluation(&mut difference, &evaluation, &content["evaluate"]);
    for_each_weight(&model, &content["final_weights"], |name, value, want| {
        let got: Vec<f64> = value.iter().copied().collect();
        difference.numbers(&format!("final {name}"), &got, &flat(want));
    })?;
    let predictions = model.predict_all(&xs).map_err(|error| error.to_string())?;
    for ((name, got), want) in predictions.iter().zip(list(&content["predictions"])) {
        let got: Vec<f64> = got.iter().copied().collect();
        difference.numbers(&format!("prediction {name}"), &got, &flat(want));
    }
    let layers = list(&content["graph"]["nodes"]).iter().map(|node| &node["layer"]);
    Ok((difference, keras_fit::tolerance(&content["optimizer"], layers)))
}
