//! A functional model of Keras: the same graph on the same data from the same weights, without shuffling.

use crate::keras_config::{self, Arguments, Built};
use crate::keras_layers;
use crate::{Difference, Outcome, flat, shape};
use axonal::layers::{Average, Dot, GroupQueryAttention, Maximum, Minimum, Multiply};
use axonal::losses::AnyLoss;
use axonal::models::Node;
use axonal::ndarray::{ArrayD, IxDyn};
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

fn array(value: &Value) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(&shape(value)), flat(value)).expect("a regular list")
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
        "Dot" => Dot::new(size("axes") as isize, size("axes") as isize).of(inputs()),
        "MultiHeadAttention" => {
            let layer = MultiHeadAttention::new(size("num_heads"), size("key_dim")).causal(causal);
            match inputs().count() {
                1 => inputs().next().map(|input| input.then(layer)).ok_or("an input")?,
                _ => layer.of(inputs()),
            }
        }
        "GroupQueryAttention" => {
            let heads = (size("num_query_heads"), size("num_key_value_heads"));
            GroupQueryAttention::new(size("head_dim"), heads.0, heads.1).causal(causal).of(inputs())
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
    Ok(made.named(text(&spec["name"])))
}

fn model(graph: &Value) -> Built<Model<f64>> {
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
    built.compile(Sgd::new(0.05).momentum(0.5)).map_err(|error| error.to_string())
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

fn train(content: &Value) -> Built<(Difference, f64)> {
    let mut model = model(&content["graph"])?;
    let mut initial = Vec::new();
    for_each_weight(&model, &content["initial_weights"], |name, _, value| {
        initial.push((name.to_string(), array(value)))
    })?;
    for (name, value) in initial {
        model.set_weight(&name, &value).map_err(|error| error.to_string())?;
    }
    let xs: Vec<ArrayD<f64>> = list(&content["x"]).iter().map(array).collect();
    let ys: Vec<ArrayD<f64>> = list(&content["y"]).iter().map(array).collect();
    let options = FitOptions::new().epochs(3).batch_size(5).shuffle(false);
    let history = model.fit_with(&xs, ys.as_slice(), options).map_err(|error| error.to_string())?;
    let mut difference = Difference::default();
    difference.numbers("loss", history.loss(), &flat(&content["loss"]));
    let evaluated = model.evaluate_with(&xs, ys.as_slice(), EvaluateOptions::new().batch_size(5));
    let evaluated = evaluated.map_err(|error| error.to_string())?;
    difference.number("evaluate", evaluated.loss(), content["evaluate"].as_f64().unwrap_or(f64::NAN));
    for_each_weight(&model, &content["final_weights"], |name, value, want| {
        let got: Vec<f64> = value.iter().copied().collect();
        difference.numbers(&format!("final {name}"), &got, &flat(want));
    })?;
    let predictions = model.predict_all(&xs).map_err(|error| error.to_string())?;
    for ((name, got), want) in predictions.iter().zip(list(&content["predictions"])) {
        let got: Vec<f64> = got.iter().copied().collect();
        difference.numbers(&format!("prediction {name}"), &got, &flat(want));
    }
    // Keras keeps sums of losses in f32.
    Ok((difference, 1e-6))
}
