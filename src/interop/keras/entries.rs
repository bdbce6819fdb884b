//! The layers of a model as Keras has them: a residual block is its layers and their sum.

use super::names::Numbered;
use super::recipes::{Recipe, SUM, group_name};
use super::slots::{Slot, Start, recipe_of, slots_of_plan};
use crate::float::Float;
use crate::nn::layer::{Plan, Shape};
use crate::nn::layout::Layout;
use serde_json::{Value, json};

/// A layer of Keras.
#[derive(Debug)]
pub(super) struct Entry {
    /// The layer of the model that it is, or belongs to, in messages.
    pub(super) owner: String,
    /// `None` for a layer without a configuration.
    pub(super) recipe: Option<Recipe>,
    /// The layer's name in Keras, which is also that of its group of weights.
    pub(super) name: String,
    pub(super) slots: Vec<Slot>,
    pub(super) trainable: bool,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// The entries whose outputs it receives; `None` for the input of the model.
    pub(super) sources: Vec<Option<usize>>,
}

/// The layers of a model in Keras's order.
pub(super) fn entries_of<F: Float>(layout: &Layout<F>) -> Vec<Entry> {
    let (mut entries, mut names, mut source) = (Vec::new(), Numbered::default(), None);
    for node in &layout.nodes {
        let at = Start { params: node.params.start, state: node.state.start };
        let owner = Owner { name: &node.name, kind: node.layer.kind(), trainable: node.trainable };
        source = push(recipe_of(node), &node.plan, at, &owner, source, &mut entries, &mut names);
    }
    entries
}

/// Whether the layers are a chain.
pub(super) fn is_chain(entries: &[Entry]) -> bool {
    entries.iter().all(|entry| entry.sources.len() == 1)
}

struct Owner<'a> {
    name: &'a str,
    kind: &'a str,
    trainable: bool,
}

/// Appends the entries of a layer, and returns the one whose output is the layer's.
fn push(
    recipe: Option<Recipe>,
    plan: &Plan,
    at: Start,
    owner: &Owner<'_>,
    source: Option<usize>,
    entries: &mut Vec<Entry>,
    names: &mut Numbered,
) -> Option<usize> {
    let inner = recipe.as_ref().filter(|recipe| recipe.kind == "residual");
    let inner = inner.and_then(|recipe| recipe.config.get("layers")).and_then(Value::as_array);
    let mut entry = Entry {
        owner: format!("layer {}", owner.name),
        recipe: None,
        name: String::new(),
        slots: Vec::new(),
        trainable: owner.trainable,
        input: plan.input_shape().clone(),
        output: plan.output_shape().clone(),
        sources: vec![source],
    };
    if let Some(layers) = inner {
        let mut last = source;
        for (layer, nested) in layers.iter().zip(plan.nested_layers()) {
            let at = Start { params: at.params + nested.params.start, state: at.state + nested.state.start };
            last = push(Recipe::from_json(layer), &nested.plan, at, owner, last, entries, names);
        }
        entry.recipe = Some(Recipe { kind: SUM.into(), config: json!({}) });
        entry.sources.push(last);
    } else {
        entry.slots = slots_of_plan(recipe.as_ref(), plan, at);
        entry.recipe = recipe;
    }
    let kind = entry.recipe.as_ref().map_or(owner.kind, |recipe| recipe.kind.as_str());
    entry.name = names.next(group_name(kind));
    entries.push(entry);
    Some(entries.len() - 1)
}
