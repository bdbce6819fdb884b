//! The layers of a model of Keras and their connections: a `Sequential`, or a functional model; models inside models are dissolved.

use super::json::{Class, Fields, object, text};
use super::names::{Numbered, group_of};
use super::problem::{Read, shown, unsupported};
use crate::error::{LoadErrorKind, excerpt};
use crate::nn::layout::Source;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A layer, as the file has it.
#[derive(Debug)]
pub(super) struct Link<'a> {
    /// The layer in messages: its name and class.
    pub(super) part: String,
    pub(super) class: &'a str,
    pub(super) config: &'a Fields,
    pub(super) name: &'a str,
    /// The group of its weights in a file of weights: `layers/dense_1`.
    pub(super) group: String,
    pub(super) trainable: bool,
}

/// A layer applied to outputs of earlier ones.
#[derive(Debug)]
pub(super) struct Call {
    /// The index of the layer.
    pub(super) link: usize,
    pub(super) sources: Vec<Source>,
    /// Whether it is called with `use_causal_mask`.
    pub(super) causal: bool,
}

/// An input of the model; its shape includes the batch axis, and an open length is `None`.
#[derive(Debug)]
pub(super) struct ModelInput {
    pub(super) name: String,
    pub(super) shape: Option<Vec<Option<u64>>>,
}

/// The layers of a model in an order of computation.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    pub(super) inputs: Vec<ModelInput>,
    pub(super) links: Vec<Link<'a>>,
    pub(super) calls: Vec<Call>,
    /// The outputs with their names.
    pub(super) outputs: Vec<(String, Source)>,
}

/// What a model inside another one has from outside.
struct Outer<'o> {
    group: &'o str,
    trainable: bool,
    depth: usize,
    /// What it is applied to; `None` for the outermost model.
    sources: Option<&'o [Source]>,
}

/// A layer of a model that is being read.
struct Candidate<'a> {
    part: String,
    name: &'a str,
    group: String,
    value: &'a Value,
}

impl<'a> Outline<'a> {
    /// The outline of a serialized model; models inside it are dissolved, at most `max_depth` deep.
    pub(super) fn of(model: &'a Value, max_depth: usize, max_layers: usize) -> Read<Self> {
        let mut reading =
            Reading { outline: Self::default(), by_group: BTreeMap::new(), max_layers, n_models: 0 };
        let outer = Outer { group: "", trainable: true, depth: max_depth, sources: None };
        let outputs = reading.model("the model", Class::of("the model", model)?, &outer)?;
        let mut outline = reading.outline;
        outline.outputs = outputs;
        if let Some(input) = outline.inputs.first_mut()
            && input.shape.is_none()
        {
            // A model that was built by its first data.
            let built = model.get("build_config").and_then(|config| config.get("input_shape"));
            input.shape = built.and_then(batch_shape);
        }
        Ok(outline)
    }

    /// Whether each layer is called once, with the output of the one before.
    pub(super) fn is_chain(&self) -> bool {
        let follows = |(index, call): (usize, &Call)| {
            let before = index.checked_sub(1).map_or(Source::Input(0), Source::Node);
            call.sources == [before] && call.link == index
        };
        let ends = self.calls.len().checked_sub(1).map(Source::Node);
        self.inputs.len() == 1
            && self.outputs.len() == 1
            && self.outputs.first().map(|(_, output)| *output) == ends
            && self.calls.iter().enumerate().all(follows)
    }
}

struct Reading<'a> {
    outline: Outline<'a>,
    /// The indices of the layers by their groups of weights.
    by_group: BTreeMap<String, usize>,
    max_layers: usize,
    /// Models so far, each time that one is applied.
    n_models: usize,
}

impl<'a> Reading<'a> {
    /// Appends the layers of a model; returns its outputs.
    fn model(&mut self, part: &str, class: Class<'a>, outer: &Outer<'_>) -> Read<Vec<(String, Source)>> {
        if outer.depth == 0 {
            let expected = "fewer models inside models; raise max_depth of Limits";
            return Err(unsupported(part, expected, "more", ""));
        }
        check_room(self.n_models, self.max_layers)?;
        self.n_models += 1;
        let is_functional = matches!(class.name, "Functional" | "Model");
        if !is_functional && class.name != "Sequential" {
            let hint = "rebuild a subclassed model as a functional one and use load_keras_weights";
            return Err(unsupported(part, "a Sequential or functional model", excerpt(class.name), hint));
        }
        let layers = class.config.get("layers").unwrap_or(&Value::Null);
        let Some(layers) = layers.as_array() else {
            return Err(unsupported(part, "a list of layers", shown(layers), ""));
        };
        // A model that is applied several times is read as often; half of its layers may be inputs.
        check_count("layers of one model", layers.len(), self.max_layers.saturating_mul(2))?;
        let trainable = outer.trainable && is_trainable(class.config);
        let mut names = Numbered::default();
        let mut candidates = Vec::new();
        for layer in layers {
            let fields = object(part, layer)?;
            let class_name = text(part, fields, "class_name")?;
            let name = fields.get("config").and_then(|config| config.get("name")).and_then(Value::as_str);
            let name = name.or_else(|| fields.get("name").and_then(Value::as_str)).unwrap_or("");
            candidates.push(Candidate {
                part: format!("layer {:?} ({})", excerpt(name), excerpt(class_name)),
                name,
                group: format!("{}layers/{}", outer.group, names.next(group_of(class_name))),
                value: layer,
            });
        }
        let outer = Outer { trainable, ..*outer };
        if is_functional {
            Functional::new(part, class.config, &candidates)?.read(self, &outer)
        } else {
            self.sequential(class.config, &candidates, &outer)
        }
    }

    fn sequential(
        &mut self,
        config: &'a Fields,
        candidates: &[Candidate<'a>],
        outer: &Outer<'_>,
    ) -> Read<Vec<(String, Source)>> {
        let mut at = match outer.sources {
            Some(&[source]) => source,
            Some(sources) => {
                let got = format!("{} inputs", sources.len());
                return Err(unsupported("a Sequential inside a model", "one input", got, ""));
            }
            None => {
                self.outline.inputs.push(ModelInput { name: "input".into(), shape: None });
                Source::Input(0)
            }
        };
        let mut name = "output";
        for candidate in candidates {
            let outputs = self.call(candidate, &[at], false, outer)?;
            match outputs[..] {
                [output] => at = output,
                _ => return Err(unsupported(&candidate.part, "one output", outputs.len().to_string(), "")),
            }
            name = candidate.name;
        }
        let built = || config.get("build_input_shape").and_then(batch_shape);
        if let (Some(input), None) = (self.outline.inputs.first_mut(), outer.sources)
            && input.shape.is_none()
        {
            input.shape = built();
        }
        Ok(vec![(name.to_owned(), at)])
    }

    /// Appends the call of a layer, or of a model; returns its outputs.
    fn call(
        &mut self,
        candidate: &Candidate<'a>,
        sources: &[Source],
        causal: bool,
        outer: &Outer<'_>,
    ) -> Read<Vec<Source>> {
        let Candidate { part, name, group, value } = candidate;
        let class = Class::of(part, value)?;
        if matches!(class.name, "Sequential" | "Functional" | "Model") {
            let group = format!("{group}/");
            let inner = Outer { group: &group, depth: outer.depth - 1, sources: Some(sources), ..*outer };
            let outputs = self.model(part, class, &inner)?;
            return Ok(outputs.into_iter().map(|(_, output)| output).collect());
        }
        // The only input, while nothing was computed from it: a `Sequential` says its shape in several ways.
        let input = self.outline.inputs.first_mut().filter(|_| self.outline.calls.is_empty());
        if class.name == "InputLayer" {
            let shape = class.config.get("batch_shape").or_else(|| class.config.get("batch_input_shape"));
            if let Some(input) = input {
                input.shape = shape.and_then(batch_shape).or(input.shape.take());
            }
            return Ok(sources.to_vec());
        }
        if let Some(input) = input.filter(|input| input.shape.is_none()) {
            let build = value.get("build_config").and_then(|config| config.get("input_shape"));
            input.shape = class.config.get("batch_input_shape").or(build).and_then(batch_shape);
        }
        check_room(self.outline.calls.len(), self.max_layers)?;
        let n_links = self.outline.links.len();
        let link = *self.by_group.entry(group.clone()).or_insert(n_links);
        if link == n_links {
            let trainable = outer.trainable && is_trainable(class.config);
            let (part, group, Class { name: class, config }) = (part.clone(), group.clone(), class);
            self.outline.links.push(Link { part, class, config, name, group, trainable });
        }
        self.outline.calls.push(Call { link, sources: sources.to_vec(), causal });
        Ok(vec![Source::Node(self.outline.calls.len() - 1)])
    }
}

/// A call of a layer in a functional model, by the index of the layer and the number of the call.
type CallKey = (usize, usize);

/// The output of a call: the name of the layer, the number of the call, the number of the output.
type TensorName<'a> = (&'a str, usize, usize);

/// A functional model that is being read.
struct Functional<'c, 'a> {
    part: &'c str,
    config: &'a Fields,
    candidates: &'c [Candidate<'a>],
    by_name: BTreeMap<&'a str, usize>,
    /// The outputs of the calls so far.
    results: BTreeMap<CallKey, Vec<Source>>,
}

impl<'c, 'a> Functional<'c, 'a> {
    fn new(part: &'c str, config: &'a Fields, candidates: &'c [Candidate<'a>]) -> Read<Self> {
        let mut by_name = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if by_name.insert(candidate.name, index).is_some() {
                let got = format!("{:?} twice", excerpt(candidate.name));
                return Err(unsupported(part, "layers of different names", got, "the file is damaged"));
            }
        }
        Ok(Self { part, config, candidates, by_name, results: BTreeMap::new() })
    }

    fn read(mut self, reading: &mut Reading<'a>, outer: &Outer<'_>) -> Read<Vec<(String, Source)>> {
        let inputs = ends(self.config.get("input_layers").unwrap_or(&Value::Null));
        check_count("inputs of one model", inputs.len(), reading.max_layers)?;
        if let Some(sources) = outer.sources.filter(|sources| sources.len() != inputs.len()) {
            let (expected, got) = (format!("{} inputs", inputs.len()), sources.len().to_string());
            return Err(unsupported(self.part, expected, got, "the file is damaged"));
        }
        for (number, (_, (name, ..))) in inputs.into_iter().enumerate() {
            let index = self.index_of(name)?;
            let source = match outer.sources {
                Some(sources) => sources.get(number).copied().unwrap_or(Source::Input(0)),
                None => {
                    let config = self.candidates.get(index).and_then(|layer| layer.value.get("config"));
                    let field = |name: &str| config.and_then(|config| config.get(name));
                    let shape = field("batch_shape").or_else(|| field("batch_input_shape"));
                    let shape = shape.and_then(batch_shape);
                    reading.outline.inputs.push(ModelInput { name: name.to_owned(), shape });
                    Source::Input(number)
                }
            };
            if self.results.insert((index, 0), vec![source]).is_some() {
                let got = format!("{:?} twice", excerpt(name));
                return Err(unsupported(self.part, "each input once", got, "the file is damaged"));
            }
        }
        for index in 0..self.candidates.len() {
            for number in 0..self.nodes(index).len() {
                self.compute((index, number), reading, outer)?;
            }
        }
        let ends = ends(self.config.get("output_layers").unwrap_or(&Value::Null));
        check_count("outputs of one model", ends.len(), reading.max_layers)?;
        let (mut outputs, mut names) = (Vec::with_capacity(ends.len()), BTreeMap::new());
        for (key, tensor) in ends {
            let output = self.tensor(tensor)?;
            let name = key.unwrap_or(tensor.0);
            outputs.push((distinct(name, &mut names), output));
        }
        if outputs.is_empty() || reading.outline.inputs.is_empty() {
            return Err(unsupported(self.part, "inputs and outputs", "none", "the file is damaged"));
        }
        Ok(outputs)
    }

    /// Makes a call, after those that it needs.
    fn compute(&mut self, key: CallKey, reading: &mut Reading<'a>, outer: &Outer<'_>) -> Read<()> {
        let mut open = vec![key];
        let mut waiting = BTreeSet::new();
        while let Some(&key) = open.last() {
            if self.results.contains_key(&key) {
                open.pop();
                continue;
            }
            let arguments = self.arguments(key)?;
            let mut missing = Vec::new();
            for (name, number, _) in &arguments.tensors {
                let source = self.call_of(name, *number)?;
                if !self.results.contains_key(&source) {
                    missing.push(source);
                }
            }
            if missing.is_empty() {
                let sources: Read<Vec<Source>> =
                    arguments.tensors.iter().map(|tensor| self.tensor(*tensor)).collect();
                let Some(candidate) = self.candidates.get(key.0) else { continue };
                let outputs = reading.call(candidate, &sources?, arguments.causal, outer)?;
                self.results.insert(key, outputs);
            } else if waiting.insert(key) {
                open.extend(missing);
            } else {
                let name = self.candidates.get(key.0).map_or("", |candidate| candidate.name);
                let got = format!("a circle with {:?}", excerpt(name));
                return Err(unsupported(self.part, "layers without circles", got, "the file is damaged"));
            }
        }
        Ok(())
    }

    /// The calls of a layer.
    fn nodes(&self, index: usize) -> &'a [Value] {
        let nodes = self.candidates.get(index).and_then(|candidate| candidate.value.get("inbound_nodes"));
        nodes.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn arguments(&self, (index, number): CallKey) -> Read<Arguments<'a>> {
        let mut arguments = Arguments { tensors: Vec::new(), causal: false };
        let part = self.candidates.get(index).map_or("", |candidate| candidate.part.as_str());
        let Some(node) = self.nodes(index).get(number) else {
            let got = format!("no call {number}");
            return Err(unsupported(part, "a layer that is called", got, "the file is damaged"));
        };
        arguments.read(part, node)?;
        Ok(arguments)
    }

    fn index_of(&self, name: &str) -> Read<usize> {
        self.by_name.get(name).copied().ok_or_else(|| {
            let got = format!("no layer of the name {:?}", excerpt(name));
            unsupported(self.part, "layers that exist", got, "the file is damaged")
        })
    }

    /// A call by the name of the layer and the number that a file has for it.
    fn call_of(&self, name: &str, number: usize) -> Read<CallKey> {
        let index = self.index_of(name)?;
        // Keras 2 counts the input of a model inside the model as its first call.
        let is_keras_2 = self.nodes(index).first().is_some_and(Value::is_array);
        let layers =
            self.candidates.get(index).and_then(|candidate| candidate.value.get("config")?.get("layers"));
        let first = layers.and_then(|layers| layers.get(0)?.get("class_name")?.as_str());
        let skipped = usize::from(is_keras_2 && first == Some("InputLayer"));
        Ok((index, number.saturating_sub(skipped)))
    }

    fn tensor(&self, (name, call, output): TensorName<'_>) -> Read<Source> {
        let outputs = self.results.get(&self.call_of(name, call)?);
        outputs.and_then(|outputs| outputs.get(output)).copied().ok_or_else(|| {
            let got = format!("output {output} of call {call} of {:?}", excerpt(name));
            unsupported(self.part, "an output that exists", got, "the file is damaged")
        })
    }
}

/// What a call receives.
struct Arguments<'a> {
    tensors: Vec<TensorName<'a>>,
    causal: bool,
}

/// How deep the arguments of a call may be nested.
const MAX_NESTING: usize = 8;

impl<'a> Arguments<'a> {
    /// Reads a call: Keras 3 has `args` and `kwargs`, Keras 2 a list of `["dense", 0, 0, {}]`.
    fn read(&mut self, part: &str, node: &'a Value) -> Read<()> {
        let Some(fields) = node.as_object().filter(|fields| fields.contains_key("args")) else {
            self.collect(node, MAX_NESTING);
            return Ok(());
        };
        self.collect(fields.get("args").unwrap_or(&Value::Null), MAX_NESTING);
        let Some(named) = fields.get("kwargs").and_then(Value::as_object) else { return Ok(()) };
        // Attention takes its inputs in this order.
        let known = ["inputs", "query", "value", "key"];
        for name in known {
            self.collect(named.get(name).unwrap_or(&Value::Null), MAX_NESTING);
        }
        for (name, value) in named.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            match (name.as_str(), value) {
                ("use_causal_mask", Value::Bool(causal)) => self.causal = *causal,
                (_, Value::Null | Value::Bool(false)) => {}
                ("training" | "mask", Value::Bool(_)) => {}
                _ => {
                    let (expected, hint) = (format!("no argument {:?}", excerpt(name)), "");
                    return Err(unsupported(part, expected, shown(value), hint));
                }
            }
        }
        Ok(())
    }

    fn collect(&mut self, value: &'a Value, depth: usize) {
        if depth == 0 {
            return;
        }
        match value {
            Value::Object(fields) => {
                match fields.get("config").and_then(|config| config.get("keras_history")) {
                    Some(history) => self.tensors.extend(tensor_name(history)),
                    None => fields.values().for_each(|value| self.collect(value, depth - 1)),
                }
            }
            Value::Array(list) => match tensor_name(value) {
                Some(tensor) => self.tensors.push(tensor),
                None => list.iter().for_each(|value| self.collect(value, depth - 1)),
            },
            _ => {}
        }
    }
}

/// A tensor as `["dense", 0, 0]`.
fn tensor_name(value: &Value) -> Option<TensorName<'_>> {
    let number = |index: usize| usize::try_from(value.get(index)?.as_u64()?).ok();
    Some((value.get(0)?.as_str()?, number(1)?, number(2)?))
}

/// The inputs or outputs of a model: one tensor, a list of them, or a table by name.
fn ends(value: &Value) -> Vec<(Option<&str>, TensorName<'_>)> {
    match (tensor_name(value), value) {
        (Some(tensor), _) => vec![(None, tensor)],
        (None, Value::Array(list)) => list.iter().filter_map(|end| Some((None, tensor_name(end)?))).collect(),
        (None, Value::Object(fields)) => {
            fields.iter().filter_map(|(name, end)| Some((Some(name.as_str()), tensor_name(end)?))).collect()
        }
        _ => Vec::new(),
    }
}

/// A name that no output has yet: this one, followed by as many underscores as it takes. `taken` has the names so far,
/// each with the number of underscores that were tried behind it.
fn distinct(name: &str, taken: &mut BTreeMap<String, usize>) -> String {
    let mut distinct = name.to_owned();
    let tried = taken.get(name).copied();
    if let Some(tried) = tried {
        distinct.extend(std::iter::repeat_n('_', tried));
    }
    while taken.contains_key(&distinct) {
        distinct.push('_');
    }
    if tried.is_some() {
        taken.insert(name.to_owned(), distinct.len() - name.len());
    }
    taken.entry(distinct.clone()).or_default();
    distinct
}

/// Errors if there are more than `limit`.
fn check_count(what: &str, count: usize, limit: usize) -> Read<()> {
    if count <= limit {
        return Ok(());
    }
    Err(LoadErrorKind::Limit { what: what.into(), value: count as u64, limit: limit as u64 })
}

/// Errors if there are as many layers as allowed already.
fn check_room(n_layers: usize, max_layers: usize) -> Read<()> {
    if n_layers < max_layers {
        return Ok(());
    }
    let (value, limit) = (max_layers as u64 + 1, max_layers as u64);
    Err(LoadErrorKind::Limit { what: "layers".into(), value, limit })
}

fn is_trainable(config: &Fields) -> bool {
    config.get("trainable").and_then(Value::as_bool).unwrap_or(true)
}

/// The most axes of an input: more than any layer takes. Each reference to an input copies its shape.
const MAX_AXES: usize = 16;

/// A shape with its batch axis.
fn batch_shape(value: &Value) -> Option<Vec<Option<u64>>> {
    let lengths = value.as_array().filter(|lengths| lengths.len() <= MAX_AXES)?;
    let length = |length: &Value| match length {
        Value::Null => Some(None),
        length => Some(Some(length.as_u64()?)),
    };
    lengths.iter().map(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tensor(name: &str, call: usize) -> Value {
        json!({"class_name": "__keras_tensor__", "config": {"shape": [null, 4], "keras_history": [name, call, 0]}})
    }

    /// A class, a name and the calls, each a list of tensors.
    type Layer<'l> = (&'l str, &'l str, &'l [&'l [(&'l str, usize)]]);

    fn functional(layers: &[Layer<'_>], inputs: &[&str], outputs: &[&str]) -> Value {
        let layers: Vec<_> = layers
            .iter()
            .map(|(class, name, calls)| {
                let nodes: Vec<_> = calls
                    .iter()
                    .map(|call| {
                        let tensors: Vec<_> = call.iter().map(|(name, call)| tensor(name, *call)).collect();
                        json!({"args": [tensors], "kwargs": {"training": null}})
                    })
                    .collect();
                json!({"class_name": class, "name": name, "inbound_nodes": nodes,
                       "config": {"name": name, "batch_shape": [null, 4]}})
            })
            .collect();
        let ends = |names: &[&str]| names.iter().map(|name| json!([name, 0, 0])).collect::<Vec<_>>();
        json!({"class_name": "Functional", "config": {"name": "f", "layers": layers,
               "input_layers": ends(inputs), "output_layers": ends(outputs)}})
    }

    #[test]
    fn a_functional_model_without_branches_is_a_chain() {
        let model = functional(
            &[
                ("InputLayer", "in", &[]),
                ("Dense", "last", &[&[("first", 0)]]),
                ("Dense", "first", &[&[("in", 0)]]),
            ],
            &["in"],
            &["last"],
        );
        let outline = Outline::of(&model, 16, 100).unwrap();
        assert!(outline.is_chain());
        let found: Vec<_> = outline.links.iter().map(|link| (link.name, link.group.as_str())).collect();
        // Groups are numbered in the order of the file, not of the computation.
        assert_eq!(found, [("first", "layers/dense_1"), ("last", "layers/dense")]);
        assert_eq!(outline.inputs[0].shape, Some(vec![None, Some(4)]));
    }

    #[test]
    fn branches_and_shared_layers_are_calls() {
        let model = functional(
            &[
                ("InputLayer", "a", &[]),
                ("InputLayer", "b", &[]),
                ("Dense", "d", &[&[("a", 0)], &[("b", 0)]]),
                ("Add", "sum", &[&[("d", 0), ("d", 1)]]),
            ],
            &["a", "b"],
            &["sum", "sum"],
        );
        let outline = Outline::of(&model, 16, 100).unwrap();
        assert!(!outline.is_chain());
        let calls: Vec<_> = outline.calls.iter().map(|call| (call.link, call.sources.clone())).collect();
        let expected = [
            (0, vec![Source::Input(0)]),
            (0, vec![Source::Input(1)]),
            (1, vec![Source::Node(0), Source::Node(1)]),
        ];
        assert_eq!(calls, expected);
        let outputs = [("sum".to_owned(), Source::Node(2)), ("sum_".to_owned(), Source::Node(2))];
        assert_eq!(outline.outputs, outputs);
    }

    #[test]
    fn circles_and_names_that_do_not_exist_are_errors() {
        let circle =
            functional(&[("Dense", "a", &[&[("b", 0)]]), ("Dense", "b", &[&[("a", 0)]])], &[], &["a"]);
        assert!(Outline::of(&circle, 16, 100).unwrap_err().to_string().contains("circle"));
        let layers: &[Layer<'_>] = &[("InputLayer", "in", &[]), ("Dense", "d", &[&[("missing", 0)]])];
        let model = functional(layers, &["in"], &["d"]);
        assert!(Outline::of(&model, 16, 100).unwrap_err().to_string().contains("missing"));
        let no_output = functional(&[("InputLayer", "in", &[])], &["in"], &[]);
        assert!(Outline::of(&no_output, 16, 100).is_err());
    }

    #[test]
    fn many_ends_of_a_model_are_an_error_and_few_have_distinct_names() {
        let layers: &[Layer<'_>] = &[("InputLayer", "in", &[]), ("Dense", "d", &[&[("in", 0)]])];
        let outline_of = |inputs: usize, outputs: usize| {
            let model = functional(layers, &vec!["in"; inputs], &vec!["d"; outputs]);
            Outline::of(&model, 16, 100)
                .map(|outline| outline.outputs.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        assert_eq!(outline_of(1, 3).unwrap(), ["d", "d_", "d__"]);
        let names = outline_of(1, 100).unwrap();
        assert_eq!((names.len(), names[99].len()), (100, 100));
        assert!(outline_of(2, 1).unwrap_err().to_string().contains("\"in\" twice"));
        assert!(outline_of(1, 101).unwrap_err().to_string().contains("outputs"));
        assert!(outline_of(101, 1).unwrap_err().to_string().contains("inputs"));
        let model = json!({"class_name": "Sequential", "config": {"layers": vec![json!({"class_name": "InputLayer"}); 201]}});
        assert!(Outline::of(&model, 16, 100).unwrap_err().to_string().contains("layers of one model"));
    }

    #[test]
    fn names_that_exist_already_get_underscores() {
        let mut taken = BTreeMap::new();
        let names = ["a", "a", "a_", "a", "b"].map(|name| distinct(name, &mut taken));
        assert_eq!(names, ["a", "a_", "a__", "a___", "b"]);
    }

    #[test]
    fn an_input_of_many_axes_has_no_shape() {
        assert!(batch_shape(&json!(vec![2; 16])).is_some());
        assert_eq!(batch_shape(&json!(vec![2; 17])), None);
    }

    #[test]
    fn models_inside_models_are_dissolved_to_a_limit() {
        let mut model = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}},
            {"class_name": "Dense", "config": {"name": "inner", "trainable": false}}]}});
        for _ in 0..3 {
            model = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [model]}});
        }
        let outline = Outline::of(&model, 16, 100).unwrap();
        let link = &outline.links[0];
        let group = "layers/sequential/layers/sequential/layers/sequential/layers/dense";
        assert_eq!((link.group.as_str(), link.trainable), (group, false));
        assert_eq!(outline.inputs[0].shape, Some(vec![None, Some(4)]));
        assert!(outline.is_chain());
        assert!(Outline::of(&model, 3, 100).unwrap_err().to_string().contains("max_depth"));
    }
}
