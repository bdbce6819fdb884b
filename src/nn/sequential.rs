//! [`Sequential`]: builder of networks.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::compile::Built;
use crate::nn::layer::{Layer, Shape};
use crate::nn::layout::{ChainLayer, Layout, PlannedLayer};
use crate::nn::loss::Loss;
use crate::nn::model::Model;
use crate::nn::model::outputs::NetworkOutput;
use crate::nn::node::AttachedWeights;
use crate::nn::optimizer::{Optimizer, RuleOptimizer, UpdateRule};
use crate::nn::optimizer_state::OptimizerState;
use std::sync::Arc;

/// Builder of a network that is a chain of layers.
///
/// Takes the input shape once; each layer infers its input shape from the previous layer. [`compile`](Self::compile)
/// performs all checks.
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
    /// `None`: the first `fit` infers it.
    input: Option<Shape>,
    layers: Vec<Entry<F>>,
    seed: u64,
}

/// A layer of the builder, with its weights if it comes from a model.
#[derive(Debug, Clone)]
struct Entry<F> {
    layer: Arc<dyn Layer<F>>,
    trainable: bool,
    name: Option<String>,
    weights: Option<AttachedWeights<F>>,
}

precompiled! {
    fn compile<'a, 'b, F>(
        network: Sequential<F>,
        optimizer: RuleOptimizer<Arc<dyn UpdateRule<F>>>,
        output: NetworkOutput<F>,
    ) -> Result<Model<F>> {
        network.compile_output(optimizer, output)
    }
}

impl<F: Float> Sequential<F> {
    /// Creates a network without layers, for samples of this shape (without the batch axis).
    pub fn new(input_shape: impl Into<Shape>) -> Self {
        Self { input: Some(input_shape.into()), layers: Vec::new(), seed: 0 }
    }

    /// Creates a network without layers whose input shape the first `fit` infers from its data, as Keras does without an
    /// `Input`.
    ///
    /// Until then the model is *unbuilt*: it has no weights, its summary says so, and `predict`, `evaluate` and `save` are
    /// errors. [`unfitted`](crate::estimator::Estimator::unfitted) returns to that state, so that the folds of a
    /// cross-validation may have different widths. Errors of shapes come from `fit` instead of [`compile`](Self::compile).
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut model = Sequential::deferred()
    ///     .add(Dense::new(8).activation(Activation::Relu))
    ///     .add(Dense::new(1))
    ///     .compile(Adam::default(), MeanSquaredError::default())?;
    /// let x = array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]];
    /// assert!(model.predict(&x).unwrap_err().to_string().contains("unbuilt"));
    /// model.fit(&x, &array![1.0, 2.0])?;
    /// assert_eq!(model.input_shape().dims(), [3]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn deferred() -> Self {
        Self { input: None, layers: Vec::new(), seed: 0 }
    }

    /// Adds a layer at the end.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "Keras's name; not an arithmetic operator")]
    pub fn add(mut self, layer: impl Layer<F> + 'static) -> Self {
        self.layers.push(Entry { layer: layer.into_arc(), trainable: true, name: None, weights: None });
        self
    }

    /// Removes the last layer.
    #[must_use]
    pub fn pop(mut self) -> Self {
        self.layers.pop();
        self
    }

    /// Makes all layers added so far non-trainable; layers added later are trainable.
    #[must_use]
    pub fn freeze(mut self) -> Self {
        self.layers.iter_mut().for_each(|entry| entry.trainable = false);
        self
    }

    /// Makes all layers added so far trainable.
    #[must_use]
    pub fn unfreeze(mut self) -> Self {
        self.layers.iter_mut().for_each(|entry| entry.trainable = true);
        self
    }

    /// Sets whether the last layer is trainable.
    #[must_use]
    pub fn trainable(mut self, trainable: bool) -> Self {
        if let Some(entry) = self.layers.last_mut() {
            entry.trainable = trainable;
        }
        self
    }

    /// Names the last layer: in weights (`"name/kernel"`), files, summaries and messages. By default the name is the position
    /// and the kind of the layer, as in `"0.dense"`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Some(entry) = self.layers.last_mut() {
            entry.name = Some(name.into());
        }
        self
    }

    /// Appends the layers of another network, with their weights if they come from a model. The input shape of the other network
    /// is not used.
    ///
    /// # Examples
    /// A trained body behind a new layer and before a new head:
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let trained: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).named("body").compile(Sgd::new(0.1), MeanSquaredError::new())?;
    /// let model = Sequential::new([2, 2])
    ///     .add(Flatten::new())
    ///     .append(trained.clone().into_sequential())
    ///     .freeze()
    ///     .add(Dense::new(1))
    ///     .compile(Sgd::new(0.1), MeanSquaredError::new())?;
    /// assert_eq!(model.weights()[0].value, trained.weights()[0].value);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn append(mut self, other: Self) -> Self {
        self.layers.extend(other.layers);
        self
    }

    /// Sets the seed of all randomness: initial weights, shuffling, dropout. 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The number of layers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Validates all shapes and hyperparameters, initializes the weights and returns the model.
    ///
    /// # Errors
    /// No layer; hyperparameters out of range; incompatible shapes; outputs that the loss cannot handle, such as logits where
    /// it expects probabilities; a network that does not fit into memory. Errors name the layer.
    pub fn compile(self, optimizer: impl Optimizer<F>, loss: impl Loss<F> + 'static) -> Result<Model<F>> {
        let output = NetworkOutput::new(String::new(), loss.into_arc(), 1.0);
        compile(self, optimizer.into_rule_optimizer().map_rule(UpdateRule::into_arc), output)
    }

    fn compile_output(
        self,
        optimizer: RuleOptimizer<Arc<dyn UpdateRule<F>>>,
        output: NetworkOutput<F>,
    ) -> Result<Model<F>> {
        let Some(input) = self.input.clone() else {
            self.check_layers()?;
            let optimizer_state = OptimizerState::new(optimizer, &Layout::without_layers())?;
            let seed = self.seed;
            return Model::unbuilt(self, optimizer_state, output, seed);
        };
        let outputs = vec![output];
        let built = self.build(input, &outputs)?;
        built.compile(outputs, optimizer, self.seed)
    }

    /// Errors if there is no layer.
    fn check_layers(&self) -> Result<()> {
        if self.layers.is_empty() {
            return Err(Error::invalid_parameter("Sequential", "layers", 0, "at least 1 layer; add one"));
        }
        Ok(())
    }

    /// Plans the layers for samples of this shape, and initializes the weights.
    pub(crate) fn build(&self, input: Shape, outputs: &[NetworkOutput<F>]) -> Result<Built<F>> {
        let layers = self.layers.iter().map(|entry| ChainLayer {
            layer: entry.layer.clone(),
            trainable: entry.trainable,
            name: entry.name.clone(),
        });
        let layout = Layout::chain(input, layers.collect())?;
        let weights: Vec<_> = self.layers.iter().map(|entry| entry.weights.as_ref()).collect();
        Built::new(layout, outputs, &weights, self.seed)
    }

    /// Index and kind of each layer, as in weight names.
    pub(crate) fn layer_names(&self) -> impl Iterator<Item = String> {
        self.layers.iter().enumerate().map(|(index, entry)| {
            entry.name.clone().unwrap_or_else(|| format!("{index}.{}", entry.layer.kind()))
        })
    }

    /// The builder of a loaded model whose input shape was inferred; `origin` are its initial weights, if they were not all
    /// drawn from the seed.
    pub(crate) fn deferred_from(layout: &Layout<F>, origin: Option<(&[F], &[F])>, seed: u64) -> Self {
        let mut builder = match origin {
            Some((params, state)) => Self::from_layout(layout, params, state, seed),
            None => Self::from_layout(layout, &[], &[], seed),
        };
        builder.input = None;
        builder
    }

    /// Creates the builder of a model, with its weights.
    pub(crate) fn from_layout(layout: &Layout<F>, params: &[F], state: &[F], seed: u64) -> Self {
        let weights = |node: &PlannedLayer<F>| {
            let (params, state) = (params.get(node.params.clone())?, state.get(node.state.clone())?);
            Some(AttachedWeights { params: params.to_vec(), state: state.to_vec() })
        };
        let layers = layout.nodes.iter().map(|node| Entry {
            layer: node.layer.clone(),
            trainable: node.trainable,
            name: node.is_named.then(|| node.name.clone()),
            weights: weights(node),
        });
        Self { input: Some(layout.input().clone()), layers: layers.collect(), seed }
    }
}
