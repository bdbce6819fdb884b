//! The builder of networks.

mod output_check;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Layer, Plan, Shape};
use crate::nn::layout::Layout;
use crate::nn::loss::Loss;
use crate::nn::model::Model;
use crate::nn::optimizer::Optimizer;
use crate::nn::optimizer_state::OptimizerState;
use std::sync::Arc;

/// A chain of layers in the making.
///
/// The shape of a sample is given once; every layer finds its own input shape in turn. Nothing is checked
/// before [`compile`](Self::compile).
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([28, 28])
///     .add(Flatten::default())
///     .add(Dense::new(128).activation(Activation::Relu))
///     .add(Dropout::new(0.2))
///     .add(Dense::new(10).activation(Activation::Softmax))
///     .seed(42)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default())?;
/// assert_eq!(model.count_params(), 784 * 128 + 128 + 128 * 10 + 10);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Sequential<F> {
    input: Shape,
    layers: Vec<Entry<F>>,
    seed: u64,
}

/// A layer of the builder, with the weights that it brings along from a trained model.
#[derive(Debug, Clone)]
struct Entry<F> {
    layer: Arc<dyn Layer<F>>,
    trainable: bool,
    weights: Option<Attached<F>>,
}

/// The parameters and the state of a trained layer.
#[derive(Debug, Clone)]
struct Attached<F> {
    params: Vec<F>,
    state: Vec<F>,
}

impl<F: Float> Sequential<F> {
    /// A network for samples of this shape (without the batch axis).
    pub fn new(input_shape: impl Into<Shape>) -> Self {
        Self { input: input_shape.into(), layers: Vec::new(), seed: 0 }
    }

    /// Adds a layer at the end.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "Keras's word for it; nothing is added up")]
    pub fn add(mut self, layer: impl Layer<F> + 'static) -> Self {
        self.layers.push(Entry { layer: Arc::new(layer), trainable: true, weights: None });
        self
    }

    /// Takes the last layer away.
    #[must_use]
    pub fn pop(mut self) -> Self {
        self.layers.pop();
        self
    }

    /// Keeps training from moving the layers added so far; layers added later are trained.
    #[must_use]
    pub fn freeze(mut self) -> Self {
        self.layers.iter_mut().for_each(|entry| entry.trainable = false);
        self
    }

    /// Lets training move every layer added so far.
    #[must_use]
    pub fn unfreeze(mut self) -> Self {
        self.layers.iter_mut().for_each(|entry| entry.trainable = true);
        self
    }

    /// Says whether training moves the layer added last.
    #[must_use]
    pub fn trainable(mut self, trainable: bool) -> Self {
        if let Some(entry) = self.layers.last_mut() {
            entry.trainable = trainable;
        }
        self
    }

    /// Where all randomness comes from: initial weights, the order of samples, dropout. 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many layers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Checks every shape and hyperparameter, makes the weights and returns the model.
    ///
    /// # Errors
    /// No layer; hyperparameters outside of their ranges; shapes that do not fit, named by layer; a last layer whose outputs
    /// the loss cannot take, as logits where it takes probabilities; a network that does not fit into memory.
    pub fn compile(self, optimizer: impl Optimizer<F>, loss: impl Loss<F> + 'static) -> Result<Model<F>> {
        let layers: Vec<_> = self.layers.iter().map(|entry| (entry.layer.clone(), entry.trainable)).collect();
        let layout = Layout::new(self.input, &layers)?;
        loss.validate(layout.output())?;
        for node in &layout.nodes {
            check_inside(&node.name, &node.plan)?;
        }
        output_check::check(&layout, &loss)?;
        let (mut params, mut state) = layout.initialize(self.seed)?;
        let mut attached = false;
        for (node, entry) in layout.nodes.iter().zip(self.layers) {
            let Some(weights) = entry.weights else { continue };
            // Weights from another input shape do not fit; the layer then starts anew.
            if weights.params.len() == node.params.len() && weights.state.len() == node.state.len() {
                params[node.params.clone()].copy_from_slice(&weights.params);
                state[node.state.clone()].copy_from_slice(&weights.state);
                attached = true;
            }
        }
        let optimizer_state = OptimizerState::new(optimizer.into_rule_optimizer(), &layout)?;
        let mut model = Model::new(layout, params, state, optimizer_state, Arc::new(loss), self.seed);
        if attached {
            model.keep_origin();
        }
        Ok(model)
    }

    /// The builder of a model, with its weights attached.
    pub(crate) fn from_layout(layout: &Layout<F>, params: &[F], state: &[F], seed: u64) -> Self {
        let layers = layout.nodes.iter().map(|node| Entry {
            layer: node.layer.clone(),
            trainable: node.trainable,
            weights: Some(Attached {
                params: params[node.params.clone()].to_vec(),
                state: state[node.state.clone()].to_vec(),
            }),
        });
        Self { input: layout.input.clone(), layers: layers.collect(), seed }
    }
}

/// Refuses what a saved model may have, but a new one may not: layers inside another that it is not made for, and
/// penalties that it would drop.
fn check_inside(name: &str, plan: &Plan) -> Result<()> {
    if let Some((expected, got)) = plan.refusal() {
        return Err(Error::shape(format!("layer {name}"), expected, got));
    }
    for nested in plan.nested_layers() {
        let owner = format!("{name}/{}", nested.name);
        if let Some(regularizer) = nested.plan.declared_activity_regularizer() {
            regularizer.validate(&format!("layer {owner}"))?;
        }
        check_inside(&owner, &nested.plan)?;
    }
    Ok(())
}
