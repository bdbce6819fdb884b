//! The layers of a model as Keras has them, in Keras's order: a residual block is its layers and their sum.

use super::names::Numbered;
use super::order::{EntrySource, keras_order};
use super::recipes::{Recipe, SUM, group_name};
use super::slots::{Slot, Start, recipe_of, slots_of_plan};
use crate::float::Float;
use crate::nn::layer::{Nested, Plan, Shape};
use crate::nn::layout::{Layout, PlannedLayer, Source};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A layer of Keras.
#[derive(Debug)]
pub(super) struct Entry {
    /// The layer of the model that it is, or belongs to, in messages.
    pub(super) owner: String,
    /// `None` for a layer without a configuration.
    pub(super) recipe: Option<Recipe>,
    /// The layer's name in Keras.
    pub(super) name: String,
    /// The name of its group of weights.
    pub(super) group: String,
    pub(super) slots: Vec<Slot>,
    pub(super) trainable: bool,
    /// The shapes of the inputs and of the output of its first call.
    pub(super) inputs: Vec<Shape>,
    pub(super) output: Shape,
    /// What it is applied to, call by call.
    pub(super) calls: Vec<Vec<EntrySource>>,
}

/// The layers of a model.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) entries: Vec<Entry>,
    /// What the outputs of the model are.
    pub(super) outputs: Vec<EntrySource>,
}

/// The layers of a model in Keras's order.
pub(super) fn entries_of<F: Float>(layout: &Layout<F>) -> Entries {
    let mut growing = Growing { entries: Vec::new(), kinds: Vec::new() };
    let mut results: Vec<EntrySource> = Vec::with_capacity(layout.nodes.len());
    // The entries of each node.
    let mut own: Vec<Vec<usize>> = Vec::with_capacity(layout.nodes.len());
    for node in &layout.nodes {
        let sources: Vec<EntrySource> =
            node.inputs.iter().map(|source| result_of(*source, &results)).collect();
        let shapes = node.inputs.iter().map(|source| layout.source_shape(*source).clone()).collect();
        let (result, entries) = match node.shares.and_then(|first| own.get(first)) {
            Some(first) => (growing.call_again(first, node, sources), first.clone()),
            None => {
                let first = growing.entries.len();
                let at = Start { params: node.params.start, state: node.state.start };
                let owner = Owner { name: &node.name, kind: node.layer.kind(), trainable: node.trainable };
                let result = growing.push(recipe_of(node), &node.plan, at, &owner, (sources, shapes));
                (result, (first..growing.entries.len()).collect())
            }
        };
        results.push(result);
        own.push(entries);
    }
    let outputs: Vec<EntrySource> =
        layout.outputs.iter().map(|output| result_of(Source::Node(*output), &results)).collect();
    let Growing { entries, kinds } = growing;
    let calls: Vec<_> = entries.iter().map(|entry| entry.calls.as_slice()).collect();
    let order = keras_order(&calls, &outputs);
    let entries = Entries { entries, outputs }.sorted(&order);
    let kinds: Vec<String> = order.iter().filter_map(|index| kinds.get(*index).cloned()).collect();
    entries.with_names(layout, &kinds, &own, &order)
}

fn result_of(source: Source, results: &[EntrySource]) -> EntrySource {
    match source {
        Source::Input(index) => EntrySource::Input(index),
        Source::Node(index) => results.get(index).copied().unwrap_or(EntrySource::Input(0)),
    }
}

impl Entries {
    /// Whether each layer is called once, with the output of the one before.
    pub(super) fn is_chain(&self) -> bool {
        self.outputs.len() == 1
            && self.entries.iter().enumerate().all(|(index, entry)| {
                let before = index
                    .checked_sub(1)
                    .map_or(EntrySource::Input(0), |before| EntrySource::Entry(before, 0));
                entry.calls.len() == 1 && entry.calls.first().is_some_and(|call| *call == [before])
            })
    }

    /// The entries in another order.
    fn sorted(self, order: &[usize]) -> Self {
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, index)| places[*index] = place);
        let moved = |source: EntrySource| match source {
            EntrySource::Entry(index, call) => EntrySource::Entry(places[index], call),
            input => input,
        };
        let mut entries: Vec<Option<Entry>> = self.entries.into_iter().map(Some).collect();
        let sorted = order.iter().filter_map(|index| entries.get_mut(*index)?.take());
        let entries = sorted.map(|entry| Entry {
            calls: entry.calls.into_iter().map(|call| call.into_iter().map(moved).collect()).collect(),
            ..entry
        });
        Self { entries: entries.collect(), outputs: self.outputs.into_iter().map(moved).collect() }
    }

    /// Names the entries: those of outputs after these, others as the model does, else by their kinds.
    fn with_names<F>(
        mut self,
        layout: &Layout<F>,
        kinds: &[String],
        own: &[Vec<usize>],
        order: &[usize],
    ) -> Self {
        let mut groups = Numbered::default();
        let mut taken: BTreeSet<String> = layout.inputs.iter().map(|input| input.name.clone()).collect();
        let given = |node: &PlannedLayer<F>| node.is_named.then(|| node.name.clone());
        for (node, entries) in layout.nodes.iter().zip(own).filter(|(node, _)| node.shares.is_none()) {
            let last = entries.last().and_then(|last| order.iter().position(|index| index == last));
            if let (Some(name), Some(entry)) = (given(node), last.and_then(|last| self.entries.get_mut(last)))
                && taken.insert(name.clone())
            {
                entry.name = name;
            }
        }
        for (entry, kind) in self.entries.iter_mut().zip(kinds) {
            entry.group = groups.next(kind.clone());
        }
        for entry in &mut self.entries {
            if entry.name.is_empty() {
                entry.name = entry.group.clone();
                while !taken.insert(entry.name.clone()) {
                    entry.name.push('_');
                }
            }
        }
        self
    }
}

struct Owner<'a> {
    name: &'a str,
    kind: &'a str,
    trainable: bool,
}

struct Growing {
    entries: Vec<Entry>,
    /// The names of their groups without numbers.
    kinds: Vec<String>,
}

impl Growing {
    /// Appends the entries of a layer, and returns its output.
    fn push(
        &mut self,
        recipe: Option<Recipe>,
        plan: &Plan,
        at: Start,
        owner: &Owner<'_>,
        (sources, shapes): (Vec<EntrySource>, Vec<Shape>),
    ) -> EntrySource {
        let mut entry = Entry {
            owner: format!("layer {}", owner.name),
            recipe: None,
            name: String::new(),
            group: String::new(),
            slots: Vec::new(),
            trainable: owner.trainable,
            inputs: shapes,
            output: plan.output_shape().clone(),
            calls: Vec::new(),
        };
        if let Some(Block { layers, projection }) = recipe.as_ref().and_then(block) {
            let first = sources.first().copied().unwrap_or(EntrySource::Input(0));
            let mut push = |layer: &Value, nested: &Nested, source: EntrySource| {
                let at =
                    Start { params: at.params + nested.params.start, state: at.state + nested.state.start };
                let input = (vec![source], vec![nested.plan.input_shape().clone()]);
                self.push(Recipe::from_json(layer), &nested.plan, at, owner, input)
            };
            let mut nested = plan.nested_layers().iter();
            let chain = layers.iter().zip(nested.by_ref().take(layers.len()));
            let last = chain.fold(first, |source, (layer, nested)| push(layer, nested, source));
            let shortcut = match (projection, nested.next()) {
                (Some(layer), Some(nested)) => push(layer, nested, first),
                _ => first,
            };
            entry.recipe = Some(Recipe { kind: SUM.into(), config: json!({}) });
            entry.inputs = vec![entry.output.clone(); 2];
            entry.calls.push(vec![shortcut, last]);
        } else {
            entry.slots = slots_of_plan(recipe.as_ref(), plan, at);
            entry.recipe = recipe;
            entry.calls.push(sources);
        }
        let kind = entry.recipe.as_ref().map_or(owner.kind, |recipe| recipe.kind.as_str());
        self.kinds.push(group_name(kind));
        self.entries.push(entry);
        EntrySource::Entry(self.entries.len() - 1, 0)
    }

    /// Calls the entries of a layer once more, and returns the output.
    fn call_again<F: Float>(
        &mut self,
        entries: &[usize],
        node: &PlannedLayer<F>,
        sources: Vec<EntrySource>,
    ) -> EntrySource {
        let call =
            self.entries.get(entries.first().copied().unwrap_or(0)).map_or(0, |entry| entry.calls.len());
        let is_block = recipe_of(node).as_ref().and_then(block).is_some();
        // The calls are those of the first time, with another input.
        let from = |source: &EntrySource| match *source {
            EntrySource::Entry(index, 0) if is_block && entries.contains(&index) => {
                EntrySource::Entry(index, call)
            }
            _ => sources.first().copied().unwrap_or(EntrySource::Input(0)),
        };
        for &index in entries {
            let Some(entry) = self.entries.get_mut(index) else { continue };
            let again = match entry.calls.first() {
                Some(first) if is_block => first.iter().map(from).collect(),
                _ => sources.clone(),
            };
            entry.calls.push(again);
        }
        EntrySource::Entry(entries.last().copied().unwrap_or(0), call)
    }
}

/// The layers of a residual block.
struct Block<'a> {
    layers: &'a [Value],
    /// The layer of the shortcut, if it is not the identity.
    projection: Option<&'a Value>,
}

fn block(recipe: &Recipe) -> Option<Block<'_>> {
    let layers = recipe.config.get("layers").filter(|_| recipe.kind == "residual")?.as_array()?;
    let projection = recipe.config.get("projection").filter(|layer| !layer.is_null());
    Some(Block { layers, projection })
}
