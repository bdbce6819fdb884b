//! The boxes of a picture, what is written in them, and their connections.

use super::Shows;
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Config;
use crate::nn::layout::{PlannedLayer, Source};
use crate::nn::model::{Model, batch_shape};
use std::collections::BTreeSet;

/// A layer, an input or an output of a model.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    name: String,
    kind: String,
    family: Family,
    activation: Option<String>,
    /// The kinds of the layers inside it.
    inner: Vec<String>,
    inputs: Vec<String>,
    output: String,
    /// The first layer with the same weights.
    shares: Option<usize>,
}

/// What a color stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// An input or an output.
    End,
    Weights,
    Merge,
    Plain,
}

/// A box: its lines and its size.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) family: Family,
    pub(super) title: String,
    /// Behind the title, in another color.
    pub(super) kind: String,
    /// What each line is, and what it says.
    pub(super) rows: Vec<(&'static str, String)>,
    /// Width and height.
    pub(super) size: (f64, f64),
}

/// The boxes and the pairs of boxes that are connected.
#[derive(Debug)]
pub(super) struct Diagram {
    pub(super) boxes: Vec<Drawn>,
    pub(super) edges: Vec<(usize, usize)>,
}

/// The size of titles.
pub(super) const TITLE: f64 = 13.0;
/// The size of the other lines.
pub(super) const LETTERS: f64 = 11.0;
/// The height of a title with its margins.
pub(super) const HEAD: f64 = 26.0;
/// The height of a line below the title.
pub(super) const LINE: f64 = 16.0;
/// The distance from the side of a box to its text.
pub(super) const INSET: f64 = 11.0;
/// The width of the words that say what a line is.
pub(super) const LABELS: f64 = 27.0;
/// Longer names end in an ellipsis.
const MAX_CHARS: usize = 44;

/// The inputs, layers and outputs of a model, and the ones that each of them reads.
pub(super) fn layers_of<F: Float>(model: &Model<F>) -> (Vec<Layer>, Vec<Vec<usize>>) {
    if let Some(layers) = model.unbuilt_layers() {
        let layers: Vec<Layer> = layers.layer_names().map(unbuilt).collect();
        let sources = (0..layers.len()).map(|index| index.checked_sub(1).into_iter().collect());
        return (layers, sources.collect());
    }
    let layout = &model.layout;
    let n_inputs = layout.inputs.len();
    let place = |source: &Source| match *source {
        Source::Input(index) => index,
        Source::Node(index) => n_inputs + index,
    };
    let mut layers: Vec<Layer> =
        layout.inputs.iter().map(|input| end("input", &input.name, batch_shape(&input.shape))).collect();
    let mut sources = vec![Vec::new(); n_inputs];
    for node in &layout.nodes {
        let inputs = node.inputs.iter().map(|source| batch_shape(layout.source_shape(*source)));
        layers.push(layer(node, inputs.collect(), n_inputs));
        sources.push(node.inputs.iter().map(place).collect());
    }
    for (output, &node) in
        model.outputs.iter().zip(&layout.outputs).filter(|(output, _)| !output.name.is_empty())
    {
        layers.push(end("output", &output.name, batch_shape(layout.nodes[node].plan.output_shape())));
        sources.push(vec![n_inputs + node]);
    }
    (layers, sources)
}

/// A layer whose shapes are not known yet.
fn unbuilt(name: String) -> Layer {
    let kind = name.split_once('.').map_or(String::new(), |(_, kind)| kind.into());
    let (inputs, output) = (vec!["?".into()], "?".into());
    Layer {
        name,
        kind,
        family: Family::Plain,
        activation: None,
        inner: Vec::new(),
        inputs,
        output,
        shares: None,
    }
}

fn end(kind: &str, name: &str, shape: String) -> Layer {
    let name = if name.is_empty() { kind } else { name };
    Layer {
        name: name.into(),
        kind: kind.into(),
        family: Family::End,
        activation: None,
        inner: Vec::new(),
        inputs: Vec::new(),
        output: shape,
        shares: None,
    }
}

fn layer<F: Float>(node: &PlannedLayer<F>, inputs: Vec<String>, n_inputs: usize) -> Layer {
    let config = node.layer.config();
    let family = match node.merge() {
        Some(_) => Family::Merge,
        None if node.plan.params().is_empty() && node.plan.state_specs().is_empty() => Family::Plain,
        None => Family::Weights,
    };
    let declared = Some(node.activation()).filter(|activation| *activation != Activation::Linear);
    Layer {
        name: node.name.clone(),
        kind: node.layer.kind().into(),
        family,
        activation: declared
            .map(|activation| activation.to_string())
            .or_else(|| activation_in(config.as_ref()?)),
        inner: config.as_ref().map(inner_kinds).unwrap_or_default(),
        inputs,
        output: batch_shape(node.plan.output_shape()),
        shares: node.shares.map(|first| n_inputs + first),
    }
}

/// The activation of a layer that does not end in it, as that of a recurrent layer.
fn activation_in(config: &Config) -> Option<String> {
    let config: serde_json::Value = serde_json::from_str(config.as_json()).ok()?;
    let name = config.get("activation").or_else(|| config.get("weights")?.get("activation"))?.as_str()?;
    (name != Activation::Linear.name()).then(|| name.into())
}

/// The kinds of the layers inside a wrapper.
fn inner_kinds(config: &Config) -> Vec<String> {
    let config: serde_json::Value = serde_json::from_str(config.as_json()).unwrap_or_default();
    let several = config.get("layers").and_then(serde_json::Value::as_array).into_iter().flatten();
    let layers = config.get("layer").into_iter().chain(config.get("backward_layer")).chain(several);
    layers.filter_map(|layer| Some(layer.get("kind")?.as_str()?.to_owned())).collect()
}

impl Diagram {
    /// Boxes for layers that read `sources`; errors as [`ModelPlot::save`](super::ModelPlot::save).
    pub(super) fn new(
        layers: &[Layer],
        sources: &[Vec<usize>],
        nested: &[(String, Vec<String>)],
        shows: Shows,
    ) -> Result<Self> {
        let mut contraction = Contraction { sources, place: (0..layers.len()).collect() };
        let mut models = Vec::new();
        for (name, members) in nested {
            models.push((contraction.nest(name, members, layers)?, name));
        }
        // A shared layer that reads its own output stays apart.
        for (index, layer) in layers.iter().enumerate() {
            if let Some(first) = layer.shares {
                contraction.share(first, index);
            }
        }
        let kept: Vec<usize> = (0..layers.len()).filter(|&index| contraction.place[index] == index).collect();
        let number = |place: usize| kept.binary_search(&place).unwrap_or_default();
        let edges: BTreeSet<(usize, usize)> =
            contraction.edges().map(|(from, to)| (number(from), number(to))).collect();
        let boxes = kept.iter().map(|&index| match models.iter().find(|(place, _)| *place == index) {
            Some((place, name)) => contraction.nested_box(*place, name, layers, shows),
            None => drawn(&layers[index], shows, layers),
        });
        Ok(Self { boxes: boxes.collect(), edges: edges.into_iter().collect() })
    }
}

/// Which layers are drawn as one box.
struct Contraction<'a> {
    sources: &'a [Vec<usize>],
    /// The layer in whose box each layer is drawn.
    place: Vec<usize>,
}

impl Contraction<'_> {
    /// The connections between boxes.
    fn edges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let all = self
            .sources
            .iter()
            .enumerate()
            .flat_map(|(to, sources)| sources.iter().map(move |&from| (from, to)));
        all.map(|(from, to)| (self.place[from], self.place[to])).filter(|(from, to)| from != to)
    }

    /// Draws a shared layer in the box of its first use, unless one reads the other.
    fn share(&mut self, first: usize, index: usize) {
        let pair = (self.place[first], self.place[index]);
        if !self.edges().any(|edge| edge == pair) {
            self.merge(&[first, index]);
        }
    }

    /// Draws boxes as one, unless the connections would then be circular; whether it does.
    fn merge(&mut self, members: &[usize]) -> bool {
        let before = self.place.clone();
        let members: BTreeSet<usize> = members.iter().map(|&member| before[member]).collect();
        let Some(&first) = members.first() else { return true };
        for place in &mut self.place {
            if members.contains(place) {
                *place = first;
            }
        }
        let mut open: Vec<usize> = self.edges().filter(|edge| edge.0 == first).map(|edge| edge.1).collect();
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.place.len()];
        self.edges().for_each(|(from, to)| below[from].push(to));
        let mut seen = vec![false; self.place.len()];
        while let Some(vertex) = open.pop() {
            if vertex == first {
                self.place = before;
                return false;
            }
            if !std::mem::replace(&mut seen[vertex], true) {
                open.extend(&below[vertex]);
            }
        }
        true
    }

    /// Draws the layers of these names as one box; the layer in whose place it is.
    fn nest(&mut self, name: &str, members: &[String], layers: &[Layer]) -> Result<usize> {
        let owner = || format!("nested {name:?} of ModelPlot");
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let is_layer = |layer: &&Layer| layer.family != Family::End;
            let known = || layers.iter().filter(is_layer).map(|layer| layer.name.clone());
            let place = layers.iter().position(|layer| is_layer(&layer) && layer.name == *member);
            let place = place.ok_or_else(|| Error::unknown_name("layer", member, known()))?;
            if self.place.iter().filter(|&&other| other == self.place[place]).count() > 1
                || places.contains(&place)
            {
                let expected = "layers that are drawn in no other box";
                return Err(Error::invalid_parameter(
                    owner(),
                    "layers",
                    format!("{member:?} twice"),
                    expected,
                ));
            }
            places.push(place);
        }
        let Some(&first) = places.iter().min() else {
            return Err(Error::invalid_parameter(owner(), "layers", 0, "at least 1 layer"));
        };
        if !self.merge(&places) {
            let expected = "layers between which lies no other one; add the layers between them";
            return Err(Error::invalid_parameter(owner(), "layers", format!("{members:?}"), expected));
        }
        Ok(first)
    }

    /// The box of a nested model, with the shapes that enter and leave it.
    fn nested_box(&self, place: usize, name: &str, layers: &[Layer], shows: Shows) -> Drawn {
        let inside = |layer: usize| self.place[layer] == place;
        let (mut inputs, mut outputs, mut n) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (to, sources) in self.sources.iter().enumerate() {
            n += usize::from(inside(to));
            for &from in sources {
                match (inside(from), inside(to)) {
                    (false, true) => inputs.insert(from),
                    (true, false) => outputs.insert(from),
                    _ => false,
                };
            }
        }
        if outputs.is_empty() {
            outputs.extend((0..layers.len()).rev().find(|&layer| inside(layer)));
        }
        let shapes = |of: &BTreeSet<usize>| of.iter().map(|&layer| layers[layer].output.clone()).collect();
        let nested = Layer {
            name: name.into(),
            kind: format!("{n} layers"),
            family: Family::Weights,
            activation: None,
            inner: Vec::new(),
            inputs: shapes(&inputs),
            output: counted(shapes(&outputs)),
            shares: None,
        };
        drawn(&nested, Shows { names: true, ..shows }, layers)
    }
}

/// The box of a layer.
fn drawn(layer: &Layer, shows: Shows, layers: &[Layer]) -> Drawn {
    let is_end = layer.family == Family::End;
    let title = if shows.names || is_end { printable(&layer.name) } else { printable(&layer.kind) };
    // A name such as "3.dense" has the kind already.
    let repeats = layer.name.split('.').next_back() == Some(&layer.kind) || layer.name == layer.kind;
    let kind = if shows.names && !repeats && !is_end { printable(&layer.kind) } else { String::new() };
    let mut rows = Vec::new();
    if !layer.inner.is_empty() {
        rows.push(("of", printable(&layer.inner.join(", "))));
    }
    if let Some(activation) = layer.activation.as_ref().filter(|_| shows.activations) {
        rows.push(("act", printable(activation)));
    }
    if let Some(first) = layer.shares {
        rows.push(("", printable(&format!("weights of {}", layers[first].name))));
    }
    if shows.shapes {
        if is_end {
            rows.push(("", layer.output.clone()));
        } else {
            rows.push(("in", printable(&counted(layer.inputs.clone()))));
            rows.push(("out", printable(&layer.output)));
        }
    }
    let head = bold_width(&title) + if kind.is_empty() { 0.0 } else { 7.0 + width(&kind, LETTERS) };
    let lines =
        rows.iter().map(|(label, row)| width(row, LETTERS) + if label.is_empty() { 0.0 } else { LABELS });
    let widest = lines.fold(head, f64::max).max(52.0) + 2.0 * INSET;
    let height = HEAD + if rows.is_empty() { 0.0 } else { LINE * rows.len() as f64 + 7.0 };
    Drawn { family: layer.family, title, kind, rows, size: (widest.ceil(), height) }
}

/// The shapes of several inputs; equal ones that follow each other are counted.
fn counted(shapes: Vec<String>) -> String {
    let groups = shapes.chunk_by(|a, b| a == b).map(|group| match group {
        [shape] => shape.clone(),
        [shape, ..] => format!("{} × {shape}", group.len()),
        [] => String::new(),
    });
    groups.collect::<Vec<_>>().join(", ")
}

/// Text without characters that XML does not allow, with an ellipsis where it is too long.
fn printable(text: &str) -> String {
    let clean = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c });
    if text.chars().count() <= MAX_CHARS {
        return clean.collect();
    }
    clean.take(MAX_CHARS - 1).chain(['…']).collect()
}

/// An upper bound of the width of a text in the fonts of the picture, of which DejaVu Sans is the widest.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let letter = |c: char| match c {
        'i' | 'j' | 'l' | ' ' | '.' | ',' | '\'' | ':' | ';' | '|' => 0.34,
        '(' | ')' | '[' | ']' | 'f' | 't' | 'r' | '-' | 'I' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' | '\u{fffd}' => 1.0,
        'A'..='Z' | '×' | '+' | '=' | '<' | '>' | '#' => 0.8,
        '\0'..='\u{10ff}' => 0.64,
        _ => 1.1,
    };
    size * text.chars().map(letter).sum::<f64>()
}

/// As [`width`], for titles.
pub(super) fn bold_width(text: &str) -> f64 {
    1.12 * width(text, TITLE)
}
