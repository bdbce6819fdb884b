//! Models into Keras files.

use super::archive;
use super::entries::{Entries, Entry, entries_of};
use super::hdf5::{Data, Group};
use super::losses::write_loss;
use super::metrics::write_metric;
use super::optimizer_vars::write_vars;
use super::optimizers::write_optimizer;
use super::order::EntrySource;
use super::recipes::{Place, put, write_layer};
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

/// The weights as groups of datasets.
fn weights_of<F: Float>(model: &Model<F>) -> Result<Group<'_, F>> {
    model.check_built("save_keras")?;
    let mut root = Group::default();
    root.group("vars");
    for entry in entries_of(&model.layout).entries {
        let group = format!("layers/{}", entry.group);
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
        if !data.is_finite() {
            let reason = "its learning rate or its state is not finite in the precision of the weights";
            return Err(unsaveable(
                "the optimizer",
                reason,
                "compile the model with a smaller rate, and train it again",
            ));
        }
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
    fn tensor<F: Float>(&self, network: &Network<'_, F>, source: EntrySource) -> Value {
        let Some((name, call, shape)) = network.source(source) else { return Value::Null };
        let history = json!([name, call, 0]);
        json!({
            "class_name": "__keras_tensor__",
            "config": {"shape": self.shape(shape), "dtype": self.dtype, "keras_history": history},
        })
    }
}

/// The layers of a model, with the names of its inputs.
struct Network<'a, F: Float> {
    model: &'a Model<F>,
    entries: Entries,
    inputs: Vec<&'a str>,
}

impl<F: Float> Network<'_, F> {
    /// The name of what computes a source, the number of the call, and the shape.
    fn source(&self, source: EntrySource) -> Option<(&str, usize, &Shape)> {
        match source {
            EntrySource::Input(index) => {
                Some((self.inputs.get(index)?, 0, &self.model.layout.inputs.get(index)?.shape))
            }
            EntrySource::Entry(index, call) => {
                let entry = self.entries.entries.get(index)?;
                Some((&entry.name, call, &entry.output))
            }
        }
    }

    /// `["dense", 0, 0]` for each source.
    fn ends(&self, sources: impl Iterator<Item = EntrySource>) -> Value {
        sources
            .filter_map(|source| self.source(source))
            .map(|(name, call, _)| json!([name, call, 0]))
            .collect()
    }
}

/// The name of the input of a chain.
const INPUT: &str = "input_layer";

/// The configuration of a model: its layers, and how it is trained.
fn model_config<F: Float>(model: &Model<F>) -> Result<Value> {
    model.check_built("save_keras")?;
    let dtype = if size_of::<F>() == 4 { "float32" } else { "float64" };
    let common = Common { batch: model.layout.batch.as_ref().map(|(batch, _)| *batch), dtype };
    let mut entries = entries_of(&model.layout);
    let is_chain = entries.is_chain() && model.layout.is_chain;
    if !is_chain {
        name_outputs(model, &mut entries);
    }
    let inputs = model.layout.inputs.iter();
    let inputs =
        inputs.map(|input| if input.name.is_empty() { INPUT } else { input.name.as_str() }).collect();
    let network = Network { model, entries, inputs };
    let input = common.shape(model.layout.input());
    let mut layers = Vec::new();
    for (name, input) in network.inputs.iter().zip(&model.layout.inputs) {
        layers.push(json!({
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_shape": common.shape(&input.shape), "dtype": dtype, "name": name},
            "registered_name": null,
        }));
    }
    for entry in &network.entries.entries {
        layers.push(layer_config(entry, &common)?);
    }
    let (class, mut config) = if is_chain {
        ("Sequential", json!({"name": "sequential", "build_input_shape": input}))
    } else {
        add_calls(&mut layers, &network, &common);
        let inputs = network.ends((0..network.inputs.len()).map(EntrySource::Input));
        let outputs = network.ends(network.entries.outputs.iter().copied());
        ("Functional", json!({"name": "functional", "input_layers": inputs, "output_layers": outputs}))
    };
    put(&mut config, "layers", Value::Array(layers));
    put(&mut config, "trainable", json!(true));
    put(&mut config, "dtype", json!(dtype));
    let built = model.layout.inputs.iter().map(|input| common.shape(&input.shape)).collect();
    let built = if network.inputs.len() == 1 { input } else { Value::Array(built) };
    // The public name of the class of functional models is that of a function.
    let module = if is_chain { "keras" } else { "keras.src.models.functional" };
    Ok(json!({
        "module": module,
        "class_name": class,
        "config": config,
        "registered_name": null,
        "build_config": {"input_shape": built},
        "compile_config": compile_config(model)?,
    }))
}

/// Gives the layers of the outputs the names of the outputs, which are those of layers in Keras.
fn name_outputs<F: Float>(model: &Model<F>, entries: &mut Entries) {
    for (output, source) in model.outputs.iter().zip(&entries.outputs) {
        let EntrySource::Entry(index, _) = *source else { continue };
        let is_taken = entries.entries.iter().any(|entry| entry.name == output.name)
            || model.layout.inputs.iter().any(|input| input.name == output.name);
        if let Some(entry) = entries.entries.get_mut(index)
            && !is_taken
            && !output.name.is_empty()
        {
            entry.name.clone_from(&output.name);
        }
    }
}

fn layer_config(entry: &Entry, common: &Common) -> Result<Value> {
    let what = || entry.owner.clone();
    let Some(recipe) = &entry.recipe else {
        return Err(unsaveable(what(), "it has no configuration", ONLY_WEIGHTS));
    };
    let place = Place { name: &entry.name, trainable: entry.trainable, dtype: common.dtype };
    let mut layer = write_layer(recipe, &place).map_err(|reason| unsaveable(what(), reason, ONLY_WEIGHTS))?;
    let shapes: Vec<Value> = entry.inputs.iter().map(|input| common.shape(input)).collect();
    let built = match (recipe.kind.as_str(), &shapes[..]) {
        ("multi_head_attention" | "group_query_attention", [query]) => {
            json!({"shapes_dict": {"query_shape": query, "value_shape": query}})
        }
        ("multi_head_attention" | "group_query_attention", [query, value]) => {
            json!({"shapes_dict": {"query_shape": query, "value_shape": value}})
        }
        ("multi_head_attention" | "group_query_attention", [query, value, key, ..]) => {
            json!({"shapes_dict": {"query_shape": query, "value_shape": value, "key_shape": key}})
        }
        (_, [input]) => json!({"input_shape": input}),
        _ => json!({"input_shape": shapes}),
    };
    put(&mut layer, "build_config", built);
    Ok(layer)
}

/// Adds to the layers of a functional model by which layers each of them is called.
fn add_calls<F: Float>(layers: &mut [Value], network: &Network<'_, F>, common: &Common) {
    let (inputs, others) = layers.split_at_mut(network.inputs.len());
    for (layer, name) in inputs.iter_mut().zip(&network.inputs) {
        put(layer, "name", json!(name));
        put(layer, "inbound_nodes", json!([]));
    }
    for (layer, entry) in others.iter_mut().zip(&network.entries.entries) {
        let nodes: Vec<Value> =
            entry.calls.iter().map(|call| call_of(entry, call, network, common)).collect();
        put(layer, "name", json!(entry.name));
        put(layer, "inbound_nodes", Value::Array(nodes));
    }
}

/// A call of a layer with its arguments.
fn call_of<F: Float>(
    entry: &Entry,
    sources: &[EntrySource],
    network: &Network<'_, F>,
    common: &Common,
) -> Value {
    let mut arguments: Vec<Value> = sources.iter().map(|source| common.tensor(network, *source)).collect();
    let mut named = json!({});
    let kind = entry.recipe.as_ref().map_or("", |recipe| recipe.kind.as_str());
    match kind {
        "multi_head_attention" | "group_query_attention" => {
            // Self-attention is said by the same input for the query and the value.
            if let [query] = &arguments[..] {
                arguments.push(query.clone());
            }
        }
        _ if arguments.len() > 1 => arguments = vec![Value::Array(arguments)],
        _ => {}
    }
    let causal = entry.recipe.as_ref().and_then(|recipe| recipe.config.get("causal"));
    if kind.ends_with("attention") && causal.and_then(Value::as_bool).unwrap_or(false) {
        put(&mut named, "use_causal_mask", json!(true));
    }
    json!({"args": arguments, "kwargs": named})
}

fn compile_config<F: Float>(model: &Model<F>) -> Result<Value> {
    let optimizer = write_optimizer(&model.optimizer_state)
        .map_err(|reason| unsaveable("the optimizer", reason, ONLY_WEIGHTS))?;
    let (mut losses, mut weights) = (Vec::new(), Vec::new());
    let (mut metrics, mut weighted) = (Vec::new(), Vec::new());
    for (index, output) in model.outputs.iter().enumerate() {
        let loss =
            write_loss(&*output.loss).map_err(|reason| unsaveable("the loss", reason, ONLY_WEIGHTS))?;
        losses.push(loss);
        weights.push(json!(output.loss_weight));
        let (mut own, mut own_weighted) = (Vec::new(), Vec::new());
        for metric in &output.metrics {
            let written = write_metric(metric, &*output.loss, model.layout.output_shape(index));
            let what = || format!("metric {}", metric.name());
            let written =
                written.map_err(|reason| unsaveable(what(), reason, "leave it out, or use save"))?;
            if metric.weighted() { own_weighted.push(written) } else { own.push(written) }
        }
        metrics.push(own);
        weighted.push(own_weighted);
    }
    let lists = |lists: Vec<Vec<Value>>| match &lists[..] {
        lists if lists.iter().all(Vec::is_empty) => Value::Null,
        [only] => json!(only),
        lists => json!(lists),
    };
    let is_plain = losses.len() == 1 && weights.first() == Some(&json!(1.0));
    let weights = if is_plain { Value::Null } else { Value::Array(weights) };
    let loss = if losses.len() == 1 { losses.remove(0) } else { Value::Array(losses) };
    Ok(json!({
        "optimizer": optimizer,
        "loss": loss,
        "loss_weights": weights,
        "metrics": lists(metrics),
        "weighted_metrics": lists(weighted),
        "run_eagerly": false,
        "steps_per_execution": 1,
        "jit_compile": false,
    }))
}
