//! Models from Keras files.

use super::archive::Opened;
use super::chain::{Chain, Link};
use super::codec::Samples;
use super::entries::entries_of;
use super::json;
use super::losses::read_loss;
use super::metrics::read_metrics;
use super::optimizer_vars::read_vars;
use super::optimizers::{Compiled, read_optimizer};
use super::problem::{Read, unsupported};
use super::recipes::{Recipe, check_keras_2, put, read_layer};
use super::slots::{Slot, recipe_of, slots_of};
use super::weights::{LayerKey, Weights, read_slots};
use crate::buffer::Buffer;
use crate::error::{Error, LoadErrorKind, Result};
use crate::float::Float;
use crate::nn::layer::{Config, Layer, Shape};
use crate::nn::layout::{ChainLayer, Layout};
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::optimizer_state::OptimizerState;
use crate::nn::sequential::Sequential;
use crate::persistence::{Limits, LoadOptions, MemoryBudget, Registry, check_memory, rejected};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The layers of a file, with the group and the name of each.
struct Layers<F> {
    layout: Layout<F>,
    keys: Vec<(String, String)>,
}

/// The weights of the layers, and their state.
type Buffers<F> = (Buffer<F>, Buffer<F>);

/// Loads a compiled model.
pub(super) fn load_model<F: Float>(path: &Path, options: &LoadOptions<'_, F>) -> Result<Model<F>> {
    let mut opened = Opened::open(path, &options.limits)?;
    read_model(&mut opened, &options.limits).map_err(|problem| opened.error(problem))
}

/// Loads the layers of a model, whether it is compiled or not.
pub(super) fn load_sequential<F: Float>(path: &Path, options: &LoadOptions<'_, F>) -> Result<Sequential<F>> {
    let mut opened = Opened::open(path, &options.limits)?;
    let read = |opened: &mut Opened| -> Read<Sequential<F>> {
        let config = config_of(opened, &options.limits)?;
        let layers = read_layers(opened, &config, &options.limits)?;
        drop(config);
        let (params, state) = read_weights(opened, &layers)?;
        Ok(Sequential::from_layout(&layers.layout, &params, &state, 0))
    };
    read(&mut opened).map_err(|problem| opened.error(problem))
}

/// Replaces the weights of a model by those of a file.
pub(super) fn load_weights<F: Float>(
    model: &mut Model<F>,
    path: &Path,
    options: &LoadOptions<'_, F>,
) -> Result<()> {
    model.check_built("load_keras_weights")?;
    if !model.layout.is_chain {
        let hint = "use load_weights with a file of save_weights";
        return Err(Error::Misplaced { context: "load_keras_weights", option: "a graph", hint });
    }
    let mut opened = Opened::open(path, &options.limits)?;
    let read = |opened: &mut Opened| -> Read<(Vec<F>, Vec<F>)> {
        let (mut params, mut state) = (model.params.to_vec(), model.state.to_vec());
        for (index, entry) in entries_of(&model.layout).iter().enumerate() {
            let group = format!("layers/{}", entry.name);
            let key = LayerKey { group: &group, index, name: &entry.name };
            read_layer_weights(&mut opened.weights, key, &entry.slots, &mut params, &mut state)?;
        }
        Ok((params, state))
    };
    let (params, state) = read(&mut opened).map_err(|problem| opened.error(problem))?;
    model.params.copy_from_slice(&params);
    model.state.copy_from_slice(&state);
    Ok(())
}

fn config_of(opened: &mut Opened, limits: &Limits) -> Read<Value> {
    let Some(text) = opened.config.take() else {
        let hint = "it holds weights only; build the model and use load_keras_weights";
        return Err(unsupported("the file", "the configuration of a model", "none", hint));
    };
    json::parse("the configuration of the model", &text, opened.len, limits)
}

fn read_model<F: Float>(opened: &mut Opened, limits: &Limits) -> Read<Model<F>> {
    let mut config = config_of(opened, limits)?;
    let training: Value = match opened.training.take() {
        Some(text) => json::parse("the configuration of the training", &text, opened.len, limits)?,
        None => config.get_mut("compile_config").map(Value::take).unwrap_or_default(),
    };
    let layers = read_layers::<F>(opened, &config, limits)?;
    drop(config);
    let layout = &layers.layout;
    if !training.is_object() {
        let hint = "load the layers by Sequential::load_keras and compile them";
        return Err(unsupported("the model", "a compiled model", "none", hint));
    }
    let field = |name: &str| training.get(name).unwrap_or(&Value::Null);
    let loss = read_loss::<F>(field("loss"))?;
    loss.validate(layout.output()).map_err(|source| rejected("loss", source))?;
    check_loss_weights(field("loss_weights"))?;
    let mut metrics = Vec::new();
    for (name, weighted) in [("metrics", false), ("weighted_metrics", true)] {
        read_metrics(field(name), layout.output(), weighted, &mut metrics, 3)?;
    }
    check_memory(layout, &metrics, limits)?;
    let optimizer = match field("optimizer") {
        Value::Null => field("optimizer_config"),
        optimizer => optimizer,
    };
    let Compiled { rule, rate, modifiers } = read_optimizer::<F>(optimizer)?;
    // What was read of the configuration is not needed while the weights are.
    drop(training);
    let (params, state) = read_weights(opened, &layers)?;
    let made = OptimizerState::from_parts(rule, rate, modifiers, &layers.layout);
    let mut optimizer_state = made.map_err(|source| rejected("optimizer", source))?;
    read_vars(&mut opened.weights, &layers.layout, &mut optimizer_state)?;
    let steps = optimizer_state.iterations;
    let output = NetworkOutput { metrics, ..NetworkOutput::new(String::new(), loss, 1.0) };
    let mut model = Model::new(layers.layout, params, state, optimizer_state, vec![output], 0);
    model.steps_trained = steps;
    Ok(model)
}

/// The weight of the only loss must be one.
fn check_loss_weights(value: &Value) -> Read<()> {
    let weight = match value {
        Value::Array(weights) if weights.len() == 1 => weights.first().unwrap_or(value),
        Value::Object(weights) if weights.len() == 1 => weights.values().next().unwrap_or(value),
        value => value,
    };
    if weight.is_null() || weight.as_f64() == Some(1.0) {
        return Ok(());
    }
    Err(super::problem::setting("the loss", "loss_weights", "null", value))
}

/// Reads the layers.
fn read_layers<F: Float>(opened: &mut Opened, config: &Value, limits: &Limits) -> Read<Layers<F>> {
    let chain = Chain::of(config, limits.max_depth, limits.max_layers)?;
    let mut builder = Builder {
        weights: &mut opened.weights,
        limits,
        budget: MemoryBudget::new(limits).of_file(opened.len, opened.len),
        registry: Registry::new(),
        is_keras_2: opened.is_keras_2,
        needed: 0,
        len: opened.len,
        keys: Vec::new(),
    };
    let layout = builder.layout(&chain)?;
    Ok(Layers { layout, keys: builder.keys })
}

/// Reads the weights of the layers.
fn read_weights<F: Float>(opened: &mut Opened, layers: &Layers<F>) -> Read<Buffers<F>> {
    let Layers { layout, keys } = layers;
    let buffer = |what, len| Buffer::zeros(what, len).map_err(|source| rejected("layers", source));
    let mut params = buffer("the parameters", layout.params_len)?;
    let mut state = buffer("the state", layout.state_len)?;
    for (index, (node, (group, name))) in layout.nodes.iter().zip(keys).enumerate() {
        let slots = slots_of(node, recipe_of(node).as_ref());
        let key = LayerKey { group, index, name };
        read_layer_weights(&mut opened.weights, key, &slots, &mut params, &mut state)?;
    }
    Ok((params, state))
}

/// Reads the weights of a layer into the buffers of the model.
fn read_layer_weights<F: Float>(
    weights: &mut Weights<'_>,
    key: LayerKey<'_>,
    slots: &[Slot],
    params: &mut [F],
    state: &mut [F],
) -> Read<()> {
    if slots.is_empty() {
        return Ok(());
    }
    let found = weights.tensors(key, slots)?;
    read_slots(weights, &found, params, state)
}

/// Makes the layers of a chain one after the other, each for the shape that the one before gives.
struct Builder<'a, F> {
    weights: &'a mut Weights<'static>,
    limits: &'a Limits,
    budget: MemoryBudget,
    registry: Registry<F>,
    is_keras_2: bool,
    /// The bytes of weights so far, in the narrowest type, and the length of the file, which holds them.
    needed: u64,
    len: u64,
    keys: Vec<(String, String)>,
}

impl<F: Float> Builder<'_, F> {
    fn layout(&mut self, chain: &Chain<'_>) -> Read<Layout<F>> {
        let input = input_of(chain)?;
        let mut samples = input.clone();
        let mut layers: Vec<ChainLayer<F>> = Vec::new();
        for (index, link) in chain.links.iter().enumerate() {
            let layer = self.layer(link, index, &samples)?;
            let owner = |source: Error| rejected(link.part.clone(), source);
            if samples.shape.size() == 0 {
                return Err(owner(Error::shape("input", "axes of at least 1", &samples.shape)));
            }
            let plan = layer.plan(&samples.shape).map_err(owner)?;
            if let Some((expected, got)) = plan.refusal() {
                return Err(owner(Error::shape("layer", expected, got)));
            }
            self.budget.take(Layout::<F>::bytes_of(index, layer.kind(), &plan, true))?;
            let weights = (plan.params_len() as u64).saturating_add(plan.state_len() as u64);
            self.needed = self.needed.saturating_add(weights.saturating_mul(2));
            if self.needed > self.len.saturating_add(self.limits.max_extra_bytes) {
                let got = format!("weights of {} bytes or more up to {}", self.needed, link.part);
                let hint = "the file is damaged";
                return Err(unsupported(
                    "the layers",
                    format!("a file longer than {} bytes", self.len),
                    got,
                    hint,
                ));
            }
            samples.shape = plan.output_shape().clone();
            self.keys.push((link.group.clone(), link.name.to_owned()));
            layers.push(ChainLayer { layer, trainable: link.trainable, name: None });
        }
        let layout = Layout::chain(input.shape, layers).map_err(|source| rejected("layers", source))?;
        check_memory(&layout, &[], self.limits)?;
        Ok(layout)
    }

    fn layer(&mut self, link: &Link<'_>, index: usize, samples: &Samples) -> Read<Arc<dyn Layer<F>>> {
        let depth = self.limits.max_depth;
        let mut recipe = read_layer(&link.part, link.class, link.config, samples, depth)?;
        if self.is_keras_2 {
            check_keras_2(&link.part, &recipe.config)?;
        }
        if recipe.kind == "normalization" {
            self.add_statistics(&mut recipe, LayerKey { group: &link.group, index, name: link.name })?;
        }
        let config = Config::from_json(recipe.config.to_string());
        let made = self.registry.make_layer(&recipe.kind, &config, self.limits, &self.budget);
        made.map_err(|problem| in_layer(&link.part, problem))
    }

    /// Moves the statistics of a normalization layer from the weights to the settings.
    fn add_statistics(&mut self, recipe: &mut Recipe, key: LayerKey<'_>) -> Read<()> {
        if recipe.config.get("mean").is_some() {
            return Ok(());
        }
        if let Some([mean, variance]) = self.weights.statistics(key)? {
            put(&mut recipe.config, "mean", json!(mean));
            put(&mut recipe.config, "variance", json!(variance));
        }
        Ok(())
    }
}

/// Says which layer a problem belongs to.
fn in_layer(part: &str, problem: LoadErrorKind) -> LoadErrorKind {
    match problem {
        LoadErrorKind::Rejected { source, .. } => LoadErrorKind::Rejected { part: part.into(), source },
        problem => problem,
    }
}

/// The shape of a sample, and the batch size where it is fixed.
fn input_of(chain: &Chain<'_>) -> Read<Samples> {
    let Some((batch, sample)) = chain.input.as_deref().and_then(|shape| shape.split_first()) else {
        let hint = "begin the model with keras.Input, or call it on data before saving it";
        return Err(unsupported("the input", "a shape", "none", hint));
    };
    let lengths: Option<Vec<usize>> = sample.iter().map(|length| usize::try_from((*length)?).ok()).collect();
    let Some(lengths) = lengths else {
        let shown: Vec<_> =
            sample.iter().map(|length| length.map_or("None".into(), |n| n.to_string())).collect();
        let hint = "this crate needs the length of sequences; save a copy of the model with a fixed shape";
        return Err(unsupported("the input", "fixed lengths", format!("({})", shown.join(", ")), hint));
    };
    let batch = batch.and_then(|batch| usize::try_from(batch).ok());
    Ok(Samples { shape: Shape::from(lengths), batch })
}
