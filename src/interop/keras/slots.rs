//! Where the weights of a layer lie in a Keras file, and where in the buffers of a model.

use super::recipes::Recipe;
use crate::float::Float;
use crate::nn::layer::{Plan, Shape};
use crate::nn::layout::PlannedLayer;
use serde_json::Value;
use std::ops::Range;

/// One array of weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    /// The group below that of the layer: `""`, `"cell"`, `"forward_layer/cell"`.
    pub(super) part: String,
    /// Its number within the part: parameters first, then state.
    pub(super) index: usize,
    pub(super) shape: Shape,
    /// Its place in the parameters of the model, or in the state.
    pub(super) range: Range<usize>,
    pub(super) in_state: bool,
    /// Whether it is state that a recurrent layer carries from batch to batch.
    pub(super) is_carried: bool,
}

/// The recipe of a node; `None` if the layer has no configuration.
pub(super) fn recipe_of<F: Float>(node: &PlannedLayer<F>) -> Option<Recipe> {
    let config = serde_json::from_str(node.layer.config()?.as_json()).ok()?;
    Some(Recipe { kind: node.layer.kind().into(), config })
}

/// The arrays of weights of a layer of a model.
pub(super) fn slots_of<F: Float>(node: &PlannedLayer<F>, recipe: Option<&Recipe>) -> Vec<Slot> {
    slots_of_plan(recipe, &node.plan, Start { params: node.params.start, state: node.state.start })
}

/// The arrays of weights of a layer whose weights begin at a place.
pub(super) fn slots_of_plan(recipe: Option<&Recipe>, plan: &Plan, at: Start) -> Vec<Slot> {
    let mut slots = Vec::new();
    let nothing = Recipe { kind: String::new(), config: Value::Null };
    push(recipe.unwrap_or(&nothing), plan, at, "", &mut slots);
    slots
}

/// Where the weights of a layer begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) params: usize,
    pub(super) state: usize,
}

fn push(recipe: &Recipe, plan: &Plan, at: Start, path: &str, slots: &mut Vec<Slot>) {
    let inner = |name: &str| recipe.config.get(name).and_then(Recipe::from_json);
    let layers = match recipe.kind.as_str() {
        "bidirectional" => vec![
            ("forward_layer", inner("layer")),
            ("backward_layer", inner("backward_layer").or_else(|| inner("layer"))),
        ],
        "time_distributed" => vec![("layer", inner("layer"))],
        _ => Vec::new(),
    };
    if !layers.is_empty() {
        for ((name, layer), nested) in layers.into_iter().zip(plan.nested_layers()) {
            let Some(layer) = layer else { continue };
            let at = Start { params: at.params + nested.params.start, state: at.state + nested.state.start };
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            push(&layer, &nested.plan, at, &path, slots);
        }
        return;
    }
    let is_recurrent = matches!(recipe.kind.as_str(), "simple_rnn" | "lstm" | "gru");
    let cell = match (is_recurrent, path.is_empty()) {
        (false, _) => path.to_owned(),
        (true, true) => "cell".to_owned(),
        (true, false) => format!("{path}/cell"),
    };
    let (mut params, mut state, mut index) = (at.params, at.state, 0);
    for spec in plan.params() {
        let range = params..params + spec.shape.size();
        params = range.end;
        let shape = spec.shape.clone();
        let part = match projection(&recipe.kind, &spec.name) {
            Some(projection) if path.is_empty() => projection,
            Some(projection) => format!("{path}/{projection}"),
            None => cell.clone(),
        };
        // The numbers begin anew in each part.
        if slots.last().is_some_and(|slot| slot.part != part) {
            index = 0;
        }
        slots.push(Slot { part, index, shape, range, in_state: false, is_carried: false });
        index += 1;
    }
    let mut n_carried = 0;
    for spec in plan.state_specs() {
        let range = state..state + spec.shape.size();
        state = range.end;
        let (part, own_index) = if spec.carried {
            n_carried += 1;
            (path.to_owned(), n_carried - 1)
        } else {
            index += 1;
            (cell.clone(), index - 1)
        };
        let (shape, is_carried) = (spec.shape.clone(), spec.carried);
        slots.push(Slot { part, index: own_index, shape, range, in_state: true, is_carried });
    }
}

/// The group of a kernel or bias of attention: `query/kernel` lies in that of the layer that projects the query.
fn projection(kind: &str, param: &str) -> Option<String> {
    let prefix = match kind {
        "multi_head_attention" => "",
        // Keras stores its layers under the names of private fields.
        "group_query_attention" => "_",
        _ => return None,
    };
    let (owner, _) = param.split_once('/')?;
    let owner = if owner == "attention_output" { "output" } else { owner };
    Some(format!("{prefix}{owner}_dense"))
}
