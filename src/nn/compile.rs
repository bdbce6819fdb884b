//! Compiling a planned network: checks of the outputs, initial weights, optimizer state.

mod output_check;

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Plan;
use crate::nn::layout::Layout;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::node::AttachedWeights;
use crate::nn::optimizer::{RuleOptimizer, UpdateRule};
use crate::nn::optimizer_state::OptimizerState;
use std::sync::Arc;

/// A planned network with its initial weights.
pub(crate) struct Built<F> {
    pub(crate) layout: Layout<F>,
    pub(crate) params: Buffer<F>,
    pub(crate) state: Buffer<F>,
    /// Whether some weights come from another model.
    pub(crate) attached: bool,
}

impl<F: Float> Built<F> {
    /// Checks a network and its losses and initializes the weights. `weights` holds for each layer those that it brings from a
    /// trained model.
    pub(super) fn new(
        layout: Layout<F>,
        outputs: &[NetworkOutput<F>],
        weights: &[Option<&AttachedWeights<F>>],
        seed: u64,
    ) -> Result<Self> {
        for (index, output) in outputs.iter().enumerate() {
            output.loss.validate(layout.output_shape(index))?;
        }
        for node in &layout.nodes {
            check_nested(&node.name, &node.plan)?;
        }
        for (index, output) in outputs.iter().enumerate() {
            output_check::check(&layout, index, &*output.loss)?;
        }
        let (mut params, mut state) = layout.initialize(seed)?;
        let mut attached = false;
        for (node, weights) in layout.nodes.iter().zip(weights) {
            let Some(weights) = weights else { continue };
            // Weights for another input shape are dropped: the layer keeps its new initial weights.
            if weights.params.len() == node.params.len() && weights.state.len() == node.state.len() {
                params[node.params.clone()].copy_from_slice(&weights.params);
                state[node.state.clone()].copy_from_slice(&weights.state);
                attached = true;
            }
        }
        Ok(Self { layout, params, state, attached })
    }

    /// Adds the optimizer.
    pub(super) fn compile(
        self,
        outputs: Vec<NetworkOutput<F>>,
        optimizer: RuleOptimizer<Arc<dyn UpdateRule<F>>>,
        seed: u64,
    ) -> Result<Model<F>> {
        let Self { layout, params, state, attached } = self;
        let optimizer_state = OptimizerState::new(optimizer, &layout)?;
        let mut model = Model::new(layout, params, state, optimizer_state, outputs, seed);
        if attached {
            model.keep_origin();
        }
        Ok(model)
    }
}

/// Errors for nested layers that saved models may contain but new ones may not: layers that the outer layer does not support,
/// and activity regularizers that it would ignore.
fn check_nested(name: &str, plan: &Plan) -> Result<()> {
    if let Some((expected, got)) = plan.refusal() {
        return Err(Error::shape(format!("layer {name}"), expected, got));
    }
    for nested in plan.nested_layers() {
        let owner = format!("{name}/{}", nested.name);
        if let Some(regularizer) = nested.plan.declared_activity_regularizer() {
            regularizer.validate(&format!("layer {owner}"))?;
        }
        check_nested(&owner, &nested.plan)?;
    }
    Ok(())
}
