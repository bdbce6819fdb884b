//! Models into Keras files.

use super::archive;
use super::entries::{Entry, entries_of, is_chain};
use super::hdf5::{Data, Group};
use super::losses::write_loss;
use super::metrics::write_metric;
use super::optimizer_vars::write_vars;
use super::optimizers::write_optimizer;
use super::recipes::{Place, SUM, put, write_layer};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
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
const ONLY_AXONAL: &str = "use save";

/// The weights as groups of datasets.
fn weights_of<F: Float>(model: &Model<F>) -> Result<Group<'_, F>> {
    model.check_built("save_keras")?;
    if !model.layout.is_chain {
        return Err(unsaveable("the connections", "a graph has no form in Keras files yet", ONLY_AXONAL));
    }
    let mut root = Group::default();
    root.group("vars");
    for entry in entries_of(&model.layout) {
        let group = format!("layers/{}", entry.name);
        root.group(&format!("{group}/vars"));
        // Keras keeps no carried state in its files.
        for slot in entry.slots.into_iter().filter(|slot| !slot.is_carried) {
            let buffer = if slot.in_state { &model.state } else { &model.params };
            let values = buffer.get(slot.range.clone()).unwrap_or_default();
            if values.iter().any(|value| !value.is_finite()) {
                return Err(unsaveable(entry.owner, "its weights are not all finite", "train it again"));
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

/// What all layers of a model have in common.
struct Common {
    batch: Option<usize>,
    dtype: &'static str,
}

impl Common {
    /// A shape with its batch axis.
    fn shape(&self, sample: &Shape) -> Value {
        let batch = self.batch.map_or(Value::Null, |batch| json!(batch));
        std::iter::once(batch).chain(sample.dims().iter().map(|dim| json!(dim))).collect()
    }

    /// The output of a layer, as a call of another one receives it.
    fn tensor(&self, entries: &[Entry], source: Option<usize>, input: &Shape) -> Value {
        let source = source.and_then(|source| entries.get(source));
        let (name, shape) = source.map_or((INPUT, input), |entry| (entry.name.as_str(), &entry.output));
        let history = json!([name, 0, 0]);
        json!({
            "class_name": "__keras_tensor__",
            "config": {"shape": self.shape(shape), "dtype": self.dtype, "keras_history": history},
        })
    }
}

/// The name of the input.
const INPUT: &str = "input_layer";

/// The configuration of a model: its layers, and how it is trained.
fn model_config<F: Float>(model: &Model<F>) -> Result<Value> {
    model.check_built("save_keras")?;
    if !model.layout.is_chain {
        return Err(unsaveable("the connections", "a graph has no form in Keras files yet", ONLY_AXONAL));
    }
    let dtype = if size_of::<F>() == 4 { "float32" } else { "float64" };
    let common = Common { batch: model.layout.batch.as_ref().map(|(batch, _)| *batch), dtype };
    let input = common.shape(model.layout.input());
    let entries = entries_of(&model.layout);
    let mut layers = vec![json!({
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": input, "dtype": dtype, "name": INPUT},
        "registered_name": null,
    })];
    for entry in &entries {
        layers.push(layer_config(entry, &common)?);
    }
    let (class, mut config) = if is_chain(&entries) {
        ("Sequential", json!({"name": "sequential", "build_input_shape": input}))
    } else {
        add_calls(&mut layers, &entries, &common, model.layout.input());
        let last = entries.last().map_or(INPUT, |entry| entry.name.as_str());
        let ends = |name: &str| json!([[name, 0, 0]]);
        (
            "Functional",
            json!({"name": "functional", "input_layers": ends(INPUT), "output_layers": ends(last)}),
        )
    };
    put(&mut config, "layers", Value::Array(layers));
    put(&mut config, "trainable", json!(true));
    put(&mut config, "dtype", json!(dtype));
    Ok(json!({
        "module": "keras",
        "class_name": class,
        "config": config,
        "registered_name": null,
        "build_config": {"input_shape": input},
        "compile_config": compile_config(model)?,
    }))
}

fn layer_config(entry: &Entry, common: &Common) -> Result<Value> {
    let what = || entry.owner.clone();
    let Some(recipe) = &entry.recipe else {
        return Err(unsaveable(what(), "it has no configuration", ONLY_WEIGHTS));
    };
    let place = Place { name: &entry.name, trainable: entry.trainable, dtype: common.dtype };
    let mut layer = write_layer(recipe, &place).map_err(|reason| unsaveable(what(), reason, ONLY_WEIGHTS))?;
    let input = common.shape(&entry.input);
    let input = if recipe.kind == SUM { json!([input, input]) } else { input };
    put(&mut layer, "build_config", json!({"input_shape": input}));
    Ok(layer)
}

/// Adds to the layers of a functional model by which layers each of them is called.
fn add_calls(layers: &mut [Value], entries: &[Entry], common: &Common, input: &Shape) {
    let Some((first, rest)) = layers.split_first_mut() else { return };
    put(first, "name", json!(INPUT));
    put(first, "inbound_nodes", json!([]));
    for (layer, entry) in rest.iter_mut().zip(entries) {
        let sources = entry.sources.iter().map(|source| common.tensor(entries, *source, input));
        let mut arguments: Vec<Value> = sources.collect();
        if arguments.len() > 1 {
            arguments = vec![Value::Array(arguments)];
        }
        put(layer, "name", json!(entry.name));
        put(layer, "inbound_nodes", json!([{"args": arguments, "kwargs": {}}]));
    }
}

fn compile_config<F: Float>(model: &Model<F>) -> Result<Value> {
    let [output] = &model.outputs[..] else {
        return Err(unsaveable("the outputs", "a graph has no form in Keras files yet", ONLY_AXONAL));
    };
    let loss = write_loss(&*output.loss).map_err(|reason| unsaveable("the loss", reason, ONLY_WEIGHTS))?;
    let optimizer = write_optimizer(&model.optimizer_state)
        .map_err(|reason| unsaveable("the optimizer", reason, ONLY_WEIGHTS))?;
    let (mut metrics, mut weighted) = (Vec::new(), Vec::new());
    for metric in &output.metrics {
        let written = write_metric(metric, &*output.loss, model.layout.output());
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
