//! Models into Keras files.

use super::archive;
use super::hdf5::{Data, Group};
use super::losses::write_loss;
use super::metrics::write_metric;
use super::names::Numbered;
use super::optimizer_vars::write_vars;
use super::optimizers::write_optimizer;
use super::read::keys_of;
use super::recipes::{Place, put, write_layer};
use super::slots::{recipe_of, slots_of};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::nn::layout::Node;
use crate::nn::model::Model;
use crate::persistence::replace;
use serde_json::{Value, json};
use std::path::Path;

/// The version of Keras whose format is written; later ones read it.
const KERAS_VERSION: &str = "3.0.0";

/// Saves a whole model.
pub(super) fn save_model<F: Float>(model: &Model<F>, path: &Path) -> Result<()> {
    let config = model_config(model)?.to_string();
    let metadata = json!({
        "keras_version": KERAS_VERSION,
        "writer": concat!("axonal ", env!("CARGO_PKG_VERSION")),
    });
    let weights = weights_of(model)?;
    replace(path, |out| archive::write(out, &metadata.to_string(), &config, |out| weights.write(out)))
}

/// Saves the weights and the state of the optimizer.
pub(super) fn save_weights<F: Float>(model: &Model<F>, path: &Path) -> Result<()> {
    let weights = weights_of(model)?;
    replace(path, |out| weights.write(out))
}

fn unsaveable(what: impl Into<String>, reason: impl Into<String>, hint: &str) -> Error {
    Error::Unsaveable { what: what.into(), reason: reason.into(), hint: hint.into() }
}

const ONLY_WEIGHTS: &str = "use save_keras_weights, or save";

/// The weights as groups of datasets.
fn weights_of<F: Float>(model: &Model<F>) -> Result<Group<'_, F>> {
    let mut root = Group::default();
    root.group("vars");
    for (node, (group, _)) in model.layout.nodes.iter().zip(keys_of(&model.layout)) {
        root.group(&format!("{group}/vars"));
        let recipe = recipe_of(node);
        for slot in slots_of(node, recipe.as_ref()) {
            let buffer = if slot.in_state { &model.state } else { &model.params };
            let values = buffer.get(slot.range.clone()).unwrap_or_default();
            if values.iter().any(|value| !value.is_finite()) {
                let reason = "its weights are not all finite";
                return Err(unsaveable(format!("layer {}", node.name), reason, "train it again"));
            }
            let path = if slot.part.is_empty() { group.clone() } else { format!("{group}/{}", slot.part) };
            let data = Data::Floats { shape: slot.shape.dims().to_vec(), pieces: vec![values] };
            root.group(&format!("{path}/vars")).insert(slot.index.to_string(), data);
        }
    }
    let optimizer = root.group("optimizer/vars");
    for (index, data) in write_vars(&model.layout, &model.optimizer_state).into_iter().enumerate() {
        optimizer.insert(index.to_string(), data);
    }
    Ok(root)
}

/// The configuration of a model: its layers, and how it is trained.
fn model_config<F: Float>(model: &Model<F>) -> Result<Value> {
    let dtype = if size_of::<F>() == 4 { "float32" } else { "float64" };
    let batch = model.layout.batch.as_ref().map(|(batch, _)| *batch);
    let input = batch_shape(batch, &model.layout.input);
    let mut layers = vec![json!({
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": input, "dtype": dtype, "name": "input_layer"},
        "registered_name": null,
    })];
    let mut names = Numbered::default();
    for node in &model.layout.nodes {
        layers.push(layer_config(node, batch, dtype, &mut names)?);
    }
    Ok(json!({
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "sequential", "trainable": true, "dtype": dtype, "layers": layers, "build_input_shape": input},
        "registered_name": null,
        "build_config": {"input_shape": input},
        "compile_config": compile_config(model)?,
    }))
}

fn layer_config<F: Float>(
    node: &Node<F>,
    batch: Option<usize>,
    dtype: &'static str,
    names: &mut Numbered,
) -> Result<Value> {
    let what = || format!("layer {}", node.name);
    let recipe =
        recipe_of(node).ok_or_else(|| unsaveable(what(), "it has no configuration", ONLY_WEIGHTS))?;
    let name = names.next(recipe.kind.clone());
    let place = Place { name: &name, trainable: node.trainable, dtype };
    let mut layer =
        write_layer(&recipe, &place).map_err(|reason| unsaveable(what(), reason, ONLY_WEIGHTS))?;
    let input = batch_shape(batch, node.plan.input_shape());
    put(&mut layer, "build_config", json!({"input_shape": input}));
    Ok(layer)
}

/// A shape with its batch axis.
fn batch_shape(batch: Option<usize>, sample: &Shape) -> Value {
    let batch = batch.map_or(Value::Null, |batch| json!(batch));
    std::iter::once(batch).chain(sample.dims().iter().map(|dim| json!(dim))).collect()
}

fn compile_config<F: Float>(model: &Model<F>) -> Result<Value> {
    let loss = write_loss(&*model.loss).map_err(|reason| unsaveable("the loss", reason, ONLY_WEIGHTS))?;
    let optimizer = write_optimizer(&model.optimizer_state)
        .map_err(|reason| unsaveable("the optimizer", reason, ONLY_WEIGHTS))?;
    let (mut metrics, mut weighted) = (Vec::new(), Vec::new());
    for metric in &model.metrics {
        let written = write_metric(metric, &*model.loss, model.layout.output());
        let what = || format!("metric {}", metric.name());
        let written = written.map_err(|reason| unsaveable(what(), reason, "leave it out, or use save"))?;
        if metric.weighted() { weighted.push(written) } else { metrics.push(written) }
    }
    let list = |metrics: Vec<Value>| if metrics.is_empty() { Value::Null } else { Value::Array(metrics) };
    Ok(json!({
        "optimizer": optimizer,
        "loss": loss,
        "loss_weights": null,
        "metrics": list(metrics),
        "weighted_metrics": list(weighted),
        "run_eagerly": false,
        "steps_per_execution": 1,
        "jit_compile": false,
    }))
}
