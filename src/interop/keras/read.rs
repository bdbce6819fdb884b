//! Models from Keras files.

use super::archive::Opened;
use super::codec::Samples;
use super::entries::entries_of;
use super::json;
use super::layers::of_class;
use super::losses::read_loss;
use super::metrics::read_metrics;
use super::names::group_of;
use super::optimizer_vars::read_vars;
use super::optimizers::{Compiled, read_optimizer};
use super::outline::{Call, Link, ModelInput, Outline};
use super::problem::{Read, setting, unsupported};
use super::recipes::{Recipe, check_keras_2, put, read_layer};
use super::slots::{Slot, recipe_of, slots_of};
use super::weights::{LayerKey, Weights, read_slots};
use crate::buffer::Buffer;
use crate::error::{Error, LoadErrorKind, Result};
use crate::float::Float;
use crate::nn::layer::{Config, MergeInputs, Plan, Shape};
use crate::nn::layout::{ChainLayer, LayerSpec, Layout, NetworkInput, Operation, Source};
use crate::nn::model::Body;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::optimizer_state::OptimizerState;
use crate::nn::sequential::Sequential;
use crate::persistence::{Limits, LoadOptions, MemoryBudget, Registry, check_memory, rejected};
use serde_json::{Value, json};
use std::path::Path;

/// The layers of a file, with the group and the name of each, and the names of the outputs.
struct Layers<F> {
    layout: Layout<F>,
    keys: Vec<(String, String)>,
    outputs: Vec<String>,
}

/// The weights of the layers, and their state.
type Buffers<F> = (Buffer<F>, Buffer<F>);

/// Loads a compiled model.
pub(super) fn load_model<F: Float>(path: &Path, options: &LoadOptions<'_, F>) -> Result<Model<F>> {
    let mut opened = Opened::open(path, &options.limits)?;
    read_model(&mut opened, &options.limits).map_err(|problem| opened.error(problem))
}

/// Loads the layers of a model that is a chain, whether it is compiled or not.
pub(super) fn load_sequential<F: Float>(path: &Path, options: &LoadOptions<'_, F>) -> Result<Sequential<F>> {
    load_layers(path, options, |layout, params, state| {
        if layout.is_chain {
            return Ok(Sequential::from_layout(layout, params, state, 0));
        }
        let hint = "load a model with branches by Body::load_keras";
        Err(unsupported("the model", "a chain of layers", "a graph", hint))
    })
}

/// Loads the layers of any model, whether it is compiled or not.
pub(super) fn load_body<F: Float>(path: &Path, options: &LoadOptions<'_, F>) -> Result<Body<F>> {
    load_layers(path, options, |layout, params, state| Ok(Body::of(layout, params, state)))
}

fn load_layers<F: Float, T>(
    path: &Path,
    options: &LoadOptions<'_, F>,
    made: impl FnOnce(&Layout<F>, &[F], &[F]) -> Read<T>,
) -> Result<T> {
    let mut opened = Opened::open(path, &options.limits)?;
    let read = |opened: &mut Opened| -> Read<T> {
        let config = config_of(opened, &options.limits)?;
        let layers = read_layers(opened, &config, &options.limits)?;
        drop(config);
        let (params, state) = read_weights(opened, &layers)?;
        made(&layers.layout, &params, &state)
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
    let mut opened = Opened::open(path, &options.limits)?;
    let read = |opened: &mut Opened| -> Read<(Vec<F>, Vec<F>)> {
        let (mut params, mut state) = (model.params.to_vec(), model.state.to_vec());
        for (index, entry) in entries_of(&model.layout).entries.iter().enumerate() {
            let group = format!("layers/{}", entry.group);
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
        let hint = if layout.is_chain {
            "load the layers by Sequential::load_keras and compile them"
        } else {
            "load the layers by Body::load_keras and build a Graph of them"
        };
        return Err(unsupported("the model", "a compiled model", "none", hint));
    }
    let field = |name: &str| training.get(name).unwrap_or(&Value::Null);
    let outputs = read_outputs::<F>(&training, &layers)?;
    let metrics: Vec<_> = outputs.iter().flat_map(|output| output.metrics.iter().cloned()).collect();
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
    let mut model = Model::new(layers.layout, params, state, optimizer_state, outputs, 0);
    model.steps_trained = steps;
    Ok(model)
}

/// The outputs with their losses and metrics.
fn read_outputs<F: Float>(training: &Value, layers: &Layers<F>) -> Read<Vec<NetworkOutput<F>>> {
    let Layers { layout, outputs: names, .. } = layers;
    let of = |field: &str, index: usize| of_output(training.get(field).unwrap_or(&Value::Null), names, index);
    let mut outputs = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let shape = layout.output_shape(index);
        let loss = read_loss::<F>(of("loss", index))?;
        loss.validate(shape).map_err(|source| rejected("loss", source))?;
        let weight = match of("loss_weights", index) {
            Value::Null => 1.0,
            weight => match weight.as_f64().filter(|weight| *weight >= 0.0 && weight.is_finite()) {
                Some(weight) => weight,
                None => return Err(setting("the loss", "loss_weights", "numbers of at least 0", weight)),
            },
        };
        if layout.is_chain && weight != 1.0 {
            return Err(setting("the loss", "loss_weights", "null", of("loss_weights", index)));
        }
        let name = if layout.is_chain { String::new() } else { name.clone() };
        let mut output = NetworkOutput::new(name, loss, weight);
        for (field, weighted) in [("metrics", false), ("weighted_metrics", true)] {
            read_metrics(of(field, index), shape, weighted, &mut output.metrics, 3)?;
        }
        outputs.push(output);
    }
    Ok(outputs)
}

/// What a setting of the training says of an output: one value for all, a list, or a table by name.
fn of_output<'v>(value: &'v Value, names: &[String], index: usize) -> &'v Value {
    match value {
        Value::Object(fields) if !fields.contains_key("class_name") => {
            match names.get(index).and_then(|name| fields.get(name)) {
                Some(own) => own,
                // The only output may have had another name.
                None if names.len() == 1 && fields.len() == 1 => value,
                None => &Value::Null,
            }
        }
        Value::Array(list) if names.len() > 1 => list.get(index).unwrap_or(&Value::Null),
        Value::Array(list) if list.len() == 1 => list.first().unwrap_or(&Value::Null),
        value => value,
    }
}

/// Reads the layers.
fn read_layers<F: Float>(opened: &mut Opened, config: &Value, limits: &Limits) -> Read<Layers<F>> {
    let outline = Outline::of(config, limits.max_depth, limits.max_layers)?;
    let mut builder = Builder {
        weights: &mut opened.weights,
        limits,
        budget: MemoryBudget::new(limits).of_file(opened.len, opened.len),
        registry: Registry::new(),
        is_keras_2: opened.is_keras_2,
        needed: 0,
        len: opened.len,
        made: Vec::new(),
        keys: Vec::new(),
    };
    let layout = builder.layout(&outline)?;
    let outputs = outline.outputs.into_iter().map(|(name, _)| name).collect();
    Ok(Layers { layout, keys: builder.keys, outputs })
}

/// Reads the weights of the layers.
fn read_weights<F: Float>(opened: &mut Opened, layers: &Layers<F>) -> Read<Buffers<F>> {
    let Layers { layout, keys, .. } = layers;
    let buffer = |what, len| Buffer::zeros(what, len).map_err(|source| rejected("layers", source));
    let mut params = buffer("the parameters", layout.params_len)?;
    let mut state = buffer("the state", layout.state_len)?;
    for (index, (node, (group, name))) in layout.nodes.iter().zip(keys).enumerate() {
        if node.shares.is_some() {
            continue;
        }
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

/// Makes the layers one after the other, each for the shapes that the ones before give.
struct Builder<'a, F> {
    weights: &'a mut Weights<'static>,
    limits: &'a Limits,
    budget: MemoryBudget,
    registry: Registry<F>,
    is_keras_2: bool,
    /// The bytes of weights so far, in the narrowest type, and the length of the file, which holds them.
    needed: u64,
    len: u64,
    /// For each layer of the outline that was made, its first call, and whether it is called with a causal mask.
    made: Vec<Option<(usize, bool)>>,
    keys: Vec<(String, String)>,
}

impl<F: Float> Builder<'_, F> {
    fn layout(&mut self, outline: &Outline<'_>) -> Read<Layout<F>> {
        let inputs: Read<Vec<Samples>> = outline.inputs.iter().map(input_of).collect();
        let inputs = inputs?;
        if let Some(empty) = inputs.iter().find(|input| input.shape.size() == 0) {
            return Err(rejected("the input", Error::shape("input", "axes of at least 1", &empty.shape)));
        }
        let batch = inputs.iter().find_map(|input| input.batch);
        self.made.resize(outline.links.len(), None);
        let mut specs: Vec<LayerSpec<F>> = Vec::new();
        let mut shapes: Vec<Shape> = Vec::new();
        for (index, call) in outline.calls.iter().enumerate() {
            let Some(link) = outline.links.get(call.link) else { continue };
            let own = call.sources.iter().map(|source| match *source {
                Source::Input(input) => inputs.get(input).map(|input| input.shape.clone()),
                Source::Node(node) => shapes.get(node).cloned(),
            });
            let own: Vec<Shape> = own.flatten().collect();
            let (spec, plan) = self.spec((call, link), index, (&own, batch), &specs)?;
            self.charge(link, index, &spec, &plan)?;
            shapes.push(plan.output_shape().clone());
            self.keys.push((link.group.clone(), link.name.to_owned()));
            specs.push(spec);
        }
        let layout = if outline.is_chain() {
            let layers = specs.into_iter().filter_map(|spec| match spec.operation {
                Operation::Layer(layer) => Some(ChainLayer { layer, trainable: spec.trainable, name: None }),
                Operation::Merge(_) => None,
            });
            let input = inputs.into_iter().next().map_or(Shape::from([0]), |input| input.shape);
            Layout::chain(input, layers.collect())
        } else {
            let outputs = outline.outputs.iter().map(|(_, output)| match *output {
                Source::Node(index) => Ok(index),
                Source::Input(_) => {
                    Err(unsupported("the outputs", "outputs of layers", "an input", "give it a layer"))
                }
            });
            let outputs: Vec<usize> = outputs.collect::<Read<_>>()?;
            let inputs = outline.inputs.iter().zip(inputs).map(|(input, samples)| NetworkInput {
                name: input.name.clone(),
                shape: samples.shape,
                indices: None,
            });
            keep_names(outline, &mut specs);
            Layout::graph(inputs.collect(), specs, outputs)
        };
        let layout = layout.map_err(|source| rejected("layers", source))?;
        check_memory(&layout, &[], self.limits)?;
        Ok(layout)
    }

    /// The layer of a call, and its plan.
    fn spec(
        &mut self,
        (call, link): (&Call, &Link<'_>),
        index: usize,
        (shapes, batch): (&[Shape], Option<usize>),
        specs: &[LayerSpec<F>],
    ) -> Read<(LayerSpec<F>, Plan)> {
        let owner = |source: Error| rejected(link.part.clone(), source);
        let Some(first) = shapes.first().cloned() else {
            return Err(unsupported(&link.part, "an input", "none", "the file is damaged"));
        };
        let samples = Samples { shape: first, batch };
        let is_attention = matches!(link.class, "MultiHeadAttention" | "GroupQueryAttention");
        let sources = if is_attention { attention_sources(&call.sources) } else { call.sources.clone() };
        let shapes = shapes.get(..sources.len()).unwrap_or(shapes);
        let is_merge =
            is_attention && sources.len() > 1 || of_class(&link.part, link.class).is_ok_and(|l| l.merges);
        if !is_merge && sources.len() != 1 {
            let (expected, got) = ("one input", format!("{} inputs", sources.len()));
            return Err(unsupported(&link.part, expected, got, "the crate has no such merge layer"));
        }
        let known = self.made.get(call.link).copied().flatten();
        let shares = match known {
            Some((_, causal)) if causal != call.causal => {
                let hint = "use two layers";
                return Err(unsupported(&link.part, "the same use_causal_mask in all calls", "both", hint));
            }
            Some((first, _)) => Some(first),
            None => None,
        };
        let (operation, plan) = match shares.and_then(|first| specs.get(first)) {
            Some(LayerSpec { operation: Operation::Layer(layer), .. }) if !is_merge => {
                (Operation::Layer(layer.clone()), layer.plan(&samples.shape).map_err(owner)?)
            }
            Some(LayerSpec { operation: Operation::Merge(merge), .. })
                if is_merge && !link.class.ends_with("Attention") =>
            {
                let plan = merge.plan(MergeInputs::new(shapes)).map_err(owner)?;
                (Operation::Merge(merge.clone()), plan)
            }
            Some(_) => {
                let hint =
                    "this crate shares attention only as self-attention with projections; use two layers";
                return Err(unsupported(&link.part, "one call", "several", hint));
            }
            None => self.operation((call, link), index, &samples, (is_merge, shapes))?,
        };
        if let Some(made) = self.made.get_mut(call.link)
            && made.is_none()
        {
            *made = Some((index, call.causal));
        }
        let is_layer = matches!(operation, Operation::Layer(_));
        let shares = shares.filter(|_| is_layer);
        let spec = LayerSpec { operation, inputs: sources, trainable: link.trainable, name: None, shares };
        Ok((spec, plan))
    }

    /// Makes a layer of its first call.
    fn operation(
        &mut self,
        (call, link): (&Call, &Link<'_>),
        index: usize,
        samples: &Samples,
        (is_merge, shapes): (bool, &[Shape]),
    ) -> Read<(Operation<F>, Plan)> {
        let owner = |source: Error| rejected(link.part.clone(), source);
        let depth = self.limits.max_depth;
        let mut recipe = read_layer(&link.part, link.class, link.config, samples, depth)?;
        if self.is_keras_2 {
            check_keras_2(&link.part, &recipe.config)?;
        }
        if recipe.kind == "normalization" {
            self.add_statistics(&mut recipe, LayerKey { group: &link.group, index, name: link.name })?;
        }
        if call.causal {
            put(&mut recipe.config, "causal", json!(true));
        }
        let config = Config::from_json(recipe.config.to_string());
        let in_link = |problem| in_layer(&link.part, problem);
        if is_merge {
            let merge = self.registry.make_merge(&recipe.kind, &config, self.limits, &self.budget);
            let merge = merge.map_err(in_link)?;
            let plan = merge.plan(MergeInputs::new(shapes)).map_err(owner)?;
            return Ok((Operation::Merge(merge), plan));
        }
        let layer = self.registry.make_layer(&recipe.kind, &config, self.limits, &self.budget);
        let layer = layer.map_err(in_link)?;
        let plan = layer.plan(&samples.shape).map_err(owner)?;
        if let Some((expected, got)) = plan.refusal() {
            return Err(owner(Error::shape("layer", expected, got)));
        }
        Ok((Operation::Layer(layer), plan))
    }

    /// Charges what a layer takes, and refuses weights that are longer than the file.
    fn charge(&mut self, link: &Link<'_>, index: usize, spec: &LayerSpec<F>, plan: &Plan) -> Read<()> {
        let kind = match &spec.operation {
            Operation::Layer(layer) => layer.kind(),
            Operation::Merge(merge) => merge.kind(),
        };
        let connections = (spec.inputs.len() as u64).saturating_mul(CONNECTION);
        self.budget.take(Layout::<F>::bytes_of(index, kind, plan, true).saturating_add(connections))?;
        if spec.shares.is_some() {
            return Ok(());
        }
        let weights = (plan.params_len() as u64).saturating_add(plan.state_len() as u64);
        self.needed = self.needed.saturating_add(weights.saturating_mul(2));
        if self.needed > self.len.saturating_add(self.limits.max_extra_bytes) {
            let got = format!("weights of {} bytes or more up to {}", self.needed, link.part);
            let expected = format!("a file longer than {} bytes", self.len);
            return Err(unsupported("the layers", expected, got, "the file is damaged"));
        }
        Ok(())
    }

    /// Moves the statistics of a normalization layer from the weights to the settings.
    fn add_statistics(&mut self, recipe: &mut Recipe, key: LayerKey<'_>) -> Read<()> {
        if recipe.config.get("mean").is_some() {
            return Ok(());
        }
        if let Some([mean, variance]) = self.weights.statistics(key, &self.budget)? {
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

/// What attention of this crate receives: keys are values, and self-attention has one input, unless said otherwise.
fn attention_sources(sources: &[Source]) -> Vec<Source> {
    match *sources {
        [query, value] | [query, value, _] if sources.iter().all(|source| *source == query) => vec![value],
        [query, value, key] if value == key => vec![query, value],
        _ => sources.to_vec(),
    }
}

/// What a connection of a graph takes in memory.
const CONNECTION: u64 = 192;

/// Keeps the names of layers that are not made of their class and a number.
fn keep_names<F>(outline: &Outline<'_>, specs: &mut [LayerSpec<F>]) {
    let mut taken = std::collections::BTreeSet::new();
    for (call, spec) in outline.calls.iter().zip(specs) {
        let Some(link) = outline.links.get(call.link) else { continue };
        let number =
            link.name.strip_prefix(&group_of(link.class)).map(|rest| rest.strip_prefix('_').unwrap_or(rest));
        let is_automatic = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let is_name = !link.name.is_empty() && !link.name.contains('/') && !is_automatic;
        if is_name && spec.shares.is_none() && taken.insert(link.name) {
            spec.name = Some(link.name.to_owned());
        }
    }
}

/// The shape of a sample, and the batch size where it is fixed.
fn input_of(input: &ModelInput) -> Read<Samples> {
    let Some((batch, sample)) = input.shape.as_deref().and_then(|shape| shape.split_first()) else {
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
