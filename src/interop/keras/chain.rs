//! The chain of layers that a model of Keras is: a `Sequential`, or a functional model without branches.

use super::json::{Class, Fields, object, text};
use super::names::{Numbered, snake_case};
use super::problem::{Read, shown, unsupported};
use crate::error::{LoadErrorKind, excerpt};
use serde_json::Value;
use std::collections::BTreeMap;

/// A layer of the chain, as the file has it.
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

/// The layers of a model with the shape of its input, batch axis included; an open length is `None`.
#[derive(Debug, Default)]
pub(super) struct Chain<'a> {
    pub(super) input: Option<Vec<Option<u64>>>,
    pub(super) links: Vec<Link<'a>>,
}

/// Models inside models.
struct Outer<'a> {
    group: &'a str,
    trainable: bool,
    depth: usize,
}

impl<'a> Chain<'a> {
    /// The chain of a serialized model; models inside it are dissolved, at most `max_depth` deep.
    pub(super) fn of(model: &'a Value, max_depth: usize, max_layers: usize) -> Read<Self> {
        let mut chain = Self::default();
        let outer = Outer { group: "", trainable: true, depth: max_depth };
        chain.push_model("the model", Class::of("the model", model)?, &outer, max_layers)?;
        if chain.input.is_none() {
            // A model that was built by its first data.
            let built = model.get("build_config").and_then(|config| config.get("input_shape"));
            chain.input = built.and_then(batch_shape);
        }
        Ok(chain)
    }

    fn push_model(&mut self, part: &str, class: Class<'a>, outer: &Outer<'_>, max_layers: usize) -> Read<()> {
        if outer.depth == 0 {
            let expected = "fewer models inside models; raise max_depth of Limits";
            return Err(unsupported(part, expected, "more", ""));
        }
        let is_functional = matches!(class.name, "Functional" | "Model");
        if !is_functional && class.name != "Sequential" {
            let hint = "rebuild a subclassed model as a chain of layers and use load_keras_weights";
            return Err(unsupported(part, "a Sequential or functional model", excerpt(class.name), hint));
        }
        let layers = class.config.get("layers").unwrap_or(&Value::Null);
        let Some(layers) = layers.as_array() else {
            return Err(unsupported(part, "a list of layers", shown(layers), ""));
        };
        let trainable = outer.trainable && is_trainable(class.config);
        let mut names = Numbered::default();
        let mut links = Vec::new();
        for layer in layers {
            let fields = object(part, layer)?;
            let class_name = text(part, fields, "class_name")?;
            let name = fields.get("config").and_then(|config| config.get("name")).and_then(Value::as_str);
            let name = name.or_else(|| fields.get("name").and_then(Value::as_str)).unwrap_or("");
            let link_part = format!("layer {:?} ({})", excerpt(name), excerpt(class_name));
            let group = format!("{}layers/{}", outer.group, names.next(snake_case(class_name)));
            links.push((link_part, name, group, layer));
        }
        if is_functional {
            let order = order_of_chain(part, class.config, layers, &links)?;
            links = order.into_iter().filter_map(|index| links.get(index).cloned()).collect();
        }
        for (part, name, group, layer) in links {
            let class = Class::of(&part, layer)?;
            if matches!(class.name, "Sequential" | "Functional" | "Model") {
                let outer = Outer { group: &format!("{group}/"), trainable, depth: outer.depth - 1 };
                self.push_model(&part, class, &outer, max_layers)?;
                continue;
            }
            if class.name == "InputLayer" {
                let shape = class.config.get("batch_shape").or_else(|| class.config.get("batch_input_shape"));
                if self.links.is_empty() {
                    self.input = shape.and_then(batch_shape).or(self.input.take());
                }
                continue;
            }
            check_room(self.links.len(), max_layers)?;
            if self.links.is_empty() && self.input.is_none() {
                // Keras 2 has the input's shape on the first layer.
                let build = layer.get("build_config").and_then(|config| config.get("input_shape"));
                let shape = class.config.get("batch_input_shape").or(build);
                self.input = shape.and_then(batch_shape);
            }
            let trainable = trainable && is_trainable(class.config);
            let Class { name: class, config } = class;
            self.links.push(Link { part, class, config, name, group, trainable });
        }
        if self.input.is_none() {
            self.input = class.config.get("build_input_shape").and_then(batch_shape);
        }
        Ok(())
    }
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

/// A shape with its batch axis.
fn batch_shape(value: &Value) -> Option<Vec<Option<u64>>> {
    let lengths = value.as_array()?;
    let length = |length: &Value| match length {
        Value::Null => Some(None),
        length => Some(Some(length.as_u64()?)),
    };
    lengths.iter().map(length).collect()
}

/// The error of a functional model that is not a chain. Graphs of layers are not part of this crate yet; this is the
/// place where a model that branches enters.
fn not_a_chain(part: &str, got: String) -> LoadErrorKind {
    let hint = "express a skip connection by Residual, or use load_keras_weights with a model of your own";
    unsupported(part, "a functional model in which each layer has one input and one output", got, hint)
}

type Candidate<'a> = (String, &'a str, String, &'a Value);

/// The order of the layers of a functional model from its input to its output.
fn order_of_chain(
    part: &str,
    config: &Fields,
    layers: &[Value],
    links: &[Candidate<'_>],
) -> Read<Vec<usize>> {
    let ends = |name: &str| {
        let ends = config.get(name).map(end_names).unwrap_or_default();
        match ends[..] {
            [end] => Ok(end),
            _ => Err(not_a_chain(part, format!("{} {}", ends.len(), name.replace('_', " ")))),
        }
    };
    let (input, output) = (ends("input_layers")?, ends("output_layers")?);
    let by_name: BTreeMap<&str, usize> =
        links.iter().enumerate().map(|(index, (_, name, ..))| (*name, index)).collect();
    let (mut order, mut at) = (Vec::new(), output);
    loop {
        let Some((index, layer)) = by_name.get(at).and_then(|&index| Some((index, layers.get(index)?)))
        else {
            let got = format!("no layer of the name {:?}", excerpt(at));
            return Err(unsupported(part, "layers that exist", got, "the file is damaged"));
        };
        if order.len() == layers.len() {
            return Err(not_a_chain(part, "layers in a circle".into()));
        }
        order.push(index);
        if at == input {
            break;
        }
        let nodes = layer.get("inbound_nodes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut sources = Vec::new();
        nodes.iter().for_each(|node| sources_of(node, &mut sources, 8));
        at = match (nodes, &sources[..]) {
            ([_], &[source]) => source,
            _ => {
                let name = links.get(index).map_or("", |(name, ..)| name);
                let got = format!("{name} called {} times with {} inputs", nodes.len(), sources.len());
                return Err(not_a_chain(part, got));
            }
        };
    }
    if order.len() != layers.len() {
        return Err(not_a_chain(part, format!("{} layers of {} on the way", order.len(), layers.len())));
    }
    order.reverse();
    Ok(order)
}

/// The names of the layers at the ends of a model: `["dense", 0, 0]`, or a list of such.
fn end_names(ends: &Value) -> Vec<&str> {
    let name = |end: &'_ Value| end.get(0).and_then(Value::as_str).is_some();
    match ends.as_array() {
        Some(_) if name(ends) => ends.get(0).and_then(Value::as_str).into_iter().collect(),
        Some(list) => list.iter().filter_map(|end| end.get(0)?.as_str()).collect(),
        None => Vec::new(),
    }
}

/// The layers whose outputs a call receives: Keras 3 names them in `keras_history`, Keras 2 as `["dense", 0, 0, {}]`.
fn sources_of<'a>(value: &'a Value, sources: &mut Vec<&'a str>, depth: usize) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(fields) => {
            match fields.get("config").and_then(|config| config.get("keras_history")) {
                Some(history) => sources.extend(history.get(0).and_then(Value::as_str)),
                None => fields.values().for_each(|value| sources_of(value, sources, depth - 1)),
            };
        }
        Value::Array(list) => match list.as_slice() {
            [Value::String(name), Value::Number(_), Value::Number(_), ..] => sources.push(name),
            list => list.iter().for_each(|value| sources_of(value, sources, depth - 1)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tensor(name: &str) -> Value {
        json!({"class_name": "__keras_tensor__", "config": {"shape": [null, 4], "keras_history": [name, 0, 0]}})
    }

    fn functional(layers: &[(&str, &str, &[&str])], input: &str, output: &str) -> Value {
        let layers: Vec<_> = layers
            .iter()
            .map(|(class, name, sources)| {
                let sources: Vec<_> = sources.iter().map(|name| tensor(name)).collect();
                let nodes =
                    if sources.is_empty() { json!([]) } else { json!([{"args": sources, "kwargs": {}}]) };
                json!({"class_name": class, "name": name, "inbound_nodes": nodes,
                       "config": {"name": name, "batch_shape": [null, 4]}})
            })
            .collect();
        json!({"class_name": "Functional", "config": {"name": "f", "layers": layers,
               "input_layers": [[input, 0, 0]], "output_layers": [output, 0, 0]}})
    }

    #[test]
    fn a_functional_model_without_branches_is_a_chain() {
        let layers: &[(&str, &str, &[&str])] =
            &[("InputLayer", "in", &[]), ("Dense", "last", &["first"]), ("Dense", "first", &["in"])];
        let model = functional(layers, "in", "last");
        let chain = Chain::of(&model, 16, 100).unwrap();
        let found: Vec<_> = chain.links.iter().map(|link| (link.name, link.group.as_str())).collect();
        // Groups are numbered in the order of the file, not of the chain.
        assert_eq!(found, [("first", "layers/dense_1"), ("last", "layers/dense")]);
        assert_eq!(chain.input, Some(vec![None, Some(4)]));
    }

    #[test]
    fn a_branch_is_an_error_that_names_the_layer() {
        let layers: &[(&str, &str, &[&str])] =
            &[("InputLayer", "in", &[]), ("Dense", "a", &["in"]), ("Add", "sum", &["in", "a"])];
        let model = functional(layers, "in", "sum");
        let problem = Chain::of(&model, 16, 100).unwrap_err().to_string();
        assert!(problem.contains("\"sum\" (Add)") && problem.contains("2 inputs"), "{problem}");
        let circle = functional(&[("Dense", "a", &["b"]), ("Dense", "b", &["a"])], "in", "a");
        assert!(Chain::of(&circle, 16, 100).unwrap_err().to_string().contains("circle"));
    }

    #[test]
    fn models_inside_models_are_dissolved_to_a_limit() {
        let mut model = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}},
            {"class_name": "Dense", "config": {"name": "inner", "trainable": false}}]}});
        for _ in 0..3 {
            model = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [model]}});
        }
        let chain = Chain::of(&model, 16, 100).unwrap();
        let link = &chain.links[0];
        let group = "layers/sequential/layers/sequential/layers/sequential/layers/dense";
        assert_eq!((link.group.as_str(), link.trainable), (group, false));
        assert!(Chain::of(&model, 3, 100).unwrap_err().to_string().contains("max_depth"));
    }
}
