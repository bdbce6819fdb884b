//! The nodes of a model with several inputs, outputs or branches: [`Input`], [`Node`], [`Shared`], and the trait
//! [`Merge`] of layers with several inputs.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, MaskPass, MergeInputs, Plan, Shape};
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A layer with several inputs: [`Add`](crate::layers::Add), [`Concatenate`](crate::layers::Concatenate).
///
/// It has the methods of a [`Layer`], with the shapes of the inputs beside them. In each pass, `x` (and `dx`) holds the
/// inputs side by side: a row is the flattened sample of input 0, then that of input 1, and so on;
/// [`MergeInputs::columns`] returns the columns of an input. `mask`, if any input has a padding mask, holds the positions of
/// all inputs in the same way, with those of an input without a mask valid.
///
/// # Examples
/// A merge layer that multiplies its first input by a trainable factor and adds the second one:
/// ```
/// use axonal::custom::{Backward, Forward, Merge, MergeInputs, Plan};
/// use axonal::ndarray::{array, s};
/// use axonal::prelude::*;
///
/// #[derive(Debug)]
/// struct ScaleAndAdd;
///
/// impl<F: Float> Merge<F> for ScaleAndAdd {
///     fn kind(&self) -> &'static str {
///         "example.scale_and_add"
///     }
///     fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
///         let shape = inputs.same_shape("example.scale_and_add")?;
///         Ok(Plan::output(shape.clone()).param("factor", [], Initializer::Constant(2.0)))
///     }
///     fn forward(&self, inputs: MergeInputs<'_>, Forward { x, mut y, params, .. }: Forward<'_, F>) {
///         let (a, b) = (inputs.columns(0), inputs.columns(1));
///         y.assign(&x.slice(s![.., a]));
///         y *= params[0];
///         y += &x.slice(s![.., b]);
///     }
///     fn backward(&self, inputs: MergeInputs<'_>, pass: Backward<'_, F>) {
///         let Backward { x, dy, mut dx, params, grads, .. } = pass;
///         let (a, b) = (inputs.columns(0), inputs.columns(1));
///         grads[0] += (&x.slice(s![.., a.clone()]) * &dy).sum();
///         dx.slice_mut(s![.., b]).assign(&dy);
///         dx.slice_mut(s![.., a]).assign(&dy);
///         dx.slice_mut(s![.., inputs.columns(0)]).mapv_inplace(|v| v * params[0]);
///     }
/// }
///
/// # fn main() -> Result<()> {
/// # #[cfg(feature = "testing")]
/// axonal::testing::check_merge(&ScaleAndAdd, [3, 3]).unwrap();
/// let (a, b) = (Input::new("a", 1), Input::new("b", 1));
/// let sum = ScaleAndAdd.of([&a, &b]);
/// let model = Graph::new([&a, &b]).output("sum", &sum, MeanSquaredError::new()).compile(Sgd::new(0.1))?;
/// assert_eq!(model.predict((&array![[1.0], [2.0]], &array![[5.0], [6.0]]))?, array![[7.0], [10.0]]);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a merge layer for numbers of type `{F}`",
    note = "a layer with one input is applied by `node.then(layer)`; implement `axonal::custom::Merge` for one with several"
)]
pub trait Merge<F: Float>: Debug + Send + Sync {
    /// The layer's name in summaries, messages and files, as [`Layer::kind`].
    fn kind(&self) -> &'static str;

    /// Declares output shape, parameters, state and cache for inputs of these shapes, as [`Layer::plan`].
    ///
    /// # Errors
    /// Hyperparameters out of range; shapes that the layer does not accept.
    fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan>;

    /// Computes `y` from the inputs in `x`; every element of `y` is overwritten.
    fn forward(&self, inputs: MergeInputs<'_>, pass: Forward<'_, F>);

    /// Computes the gradients from `dy`: overwrites every element of `dx`, and *adds* the parameter gradients to `grads`.
    fn backward(&self, inputs: MergeInputs<'_>, pass: Backward<'_, F>);

    /// The shape of the padding mask of the output, where `masked` says which inputs have a mask; consists of leading axes of the
    /// output. By default the output has no mask.
    fn mask_shape(&self, inputs: MergeInputs<'_>, masked: &[bool]) -> Option<Shape> {
        let _ = (inputs, masked);
        None
    }

    /// Computes the padding mask of the output. Called before [`forward`](Self::forward) if
    /// [`mask_shape`](Self::mask_shape) returns a shape. By default all positions are valid.
    fn mask(&self, inputs: MergeInputs<'_>, pass: MaskPass<'_, F>) {
        let _ = inputs;
        pass.valid.fill(true);
    }

    /// The hyperparameters for files, as [`Layer::config`].
    fn config(&self) -> Option<Config> {
        None
    }

    /// Applies the layer to nodes of a graph.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// let (a, b) = (Input::<f32>::new("a", 3), Input::new("b", 5));
    /// let joined = Concatenate::new().of([&a, &b]);
    /// ```
    fn of<'n>(self, nodes: impl IntoIterator<Item = &'n Node<F>>) -> Node<F>
    where
        Self: Sized + 'static,
        F: 'n,
    {
        Node::merged(Merge::into_arc(self), nodes)
    }

    /// The layer as networks hold it. The types of this crate override it to be compiled here.
    #[doc(hidden)]
    fn into_arc(self) -> Arc<dyn Merge<F>>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
    }
}

/// Creates the inputs of a graph.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// let image = Input::<f32>::new("image", [28, 28, 1]);
/// assert_eq!(image.name(), Some("image"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Input<F>(std::marker::PhantomData<F>);

impl<F: Float> Input<F> {
    /// Creates an input of this name, for samples of this shape (without the batch axis).
    #[allow(clippy::new_ret_no_self, reason = "Keras's name of the function that makes the first node")]
    pub fn new(name: impl Into<String>, shape: impl Into<Shape>) -> Node<F> {
        Node::create(Origin::Input(shape.into()), Vec::new()).named(name)
    }
}

/// The output of a layer in a graph, or an input: what the next layers are applied to.
///
/// Nodes are cheap to clone. A network is made of them by [`Graph`](crate::models::Graph).
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = Input::new("x", 8);
/// let hidden = x.then(Dense::new(16).activation(Activation::Relu));
/// let y = Add::new().of([&hidden, &hidden.then(Dense::new(16))]).then(Dense::new(1)).named("head");
/// let model: Model<f32> = Graph::new([&x]).output("y", &y, MeanSquaredError::new()).compile(Adam::new(0.01))?;
/// assert_eq!(model.weights()[0].name, "0.dense/kernel");
/// assert!(model.weights().iter().any(|weight| weight.name == "head/kernel"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node<F>(Arc<NodeData<F>>);

/// What a node holds.
pub(crate) struct NodeData<F> {
    /// In the order of creation, which is an order of computation.
    pub(crate) id: u64,
    pub(crate) origin: Origin<F>,
    pub(crate) inputs: Vec<Node<F>>,
    pub(crate) name: Option<String>,
    pub(crate) trainable: bool,
    pub(crate) weights: Option<Arc<AttachedWeights<F>>>,
}

/// Where the value of a node comes from.
pub(crate) enum Origin<F> {
    Input(Shape),
    Layer(Arc<dyn Layer<F>>),
    /// A layer whose weights all nodes with the same key share.
    Shared {
        layer: Arc<dyn Layer<F>>,
        key: u64,
    },
    Merge(Arc<dyn Merge<F>>),
}

/// The parameters and the state that a layer brings from a trained model.
#[derive(Debug, Clone)]
pub(crate) struct AttachedWeights<F> {
    pub(crate) params: Vec<F>,
    pub(crate) state: Vec<F>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A key for a set of shared weights that no other set has.
pub(crate) fn new_key() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl<F: Float> Node<F> {
    pub(crate) fn create(origin: Origin<F>, inputs: Vec<Self>) -> Self {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(NodeData { id, origin, inputs, name: None, trainable: true, weights: None }))
    }

    /// Applies a merge layer, as [`Merge::of`] does.
    pub(crate) fn merged<'n>(merge: Arc<dyn Merge<F>>, nodes: impl IntoIterator<Item = &'n Self>) -> Self
    where
        F: 'n,
    {
        Self::create(Origin::Merge(merge), nodes.into_iter().cloned().collect())
    }

    /// Applies a layer, or a [`Shared`] layer, to the node.
    #[must_use]
    pub fn then<By>(&self, layer: impl IntoLayer<F, By>) -> Self {
        Self::create(layer.origin().0, vec![self.clone()])
    }

    /// Names the layer: in weights (`"name/kernel"`), files, summaries and messages. By default the name is the position and
    /// the kind of the layer, as in `"0.dense"`. Name a node before other layers are applied to it.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = Some(name.into());
        self.changed(|data| data.name = name)
    }

    /// Sets whether the optimizer updates the weights of the node's layer. Call it before other layers are applied to the node.
    #[must_use]
    pub fn trainable(self, trainable: bool) -> Self {
        self.changed(|data| data.trainable = trainable)
    }

    /// The name given by [`named`](Self::named).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The node with the inputs replaced by those of the same ids. It keeps its identity.
    pub(crate) fn with_inputs(self, replaced: &std::collections::BTreeMap<u64, Self>) -> Self {
        self.changed(|data| {
            for input in &mut data.inputs {
                if let Some(other) = replaced.get(&input.0.id) {
                    *input = other.clone();
                }
            }
        })
    }

    /// Gives the layer the weights of a trained model.
    pub(crate) fn with_weights(self, weights: AttachedWeights<F>) -> Self {
        let weights = Some(Arc::new(weights));
        self.changed(|data| data.weights = weights)
    }

    /// The node with a change. It keeps its identity, unless it has been used already.
    fn changed(mut self, change: impl FnOnce(&mut NodeData<F>)) -> Self {
        if Arc::get_mut(&mut self.0).is_none() {
            let NodeData { id, origin, inputs, name, trainable, weights } = &*self.0;
            self.0 = Arc::new(NodeData {
                id: *id,
                origin: origin.clone(),
                inputs: inputs.clone(),
                name: name.clone(),
                trainable: *trainable,
                weights: weights.clone(),
            });
        }
        if let Some(data) = Arc::get_mut(&mut self.0) {
            change(data);
        }
        self
    }

    pub(crate) fn data(&self) -> &NodeData<F> {
        &self.0
    }
}

impl<F> Clone for Origin<F> {
    fn clone(&self) -> Self {
        match self {
            Self::Input(shape) => Self::Input(shape.clone()),
            Self::Layer(layer) => Self::Layer(layer.clone()),
            Self::Shared { layer, key } => Self::Shared { layer: layer.clone(), key: *key },
            Self::Merge(merge) => Self::Merge(merge.clone()),
        }
    }
}

impl<F: Float> Debug for Node<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeData { id, origin, inputs, name, .. } = &*self.0;
        let what: &dyn Debug = match origin {
            Origin::Input(shape) => shape,
            Origin::Layer(layer) | Origin::Shared { layer, .. } => layer,
            Origin::Merge(merge) => merge,
        };
        let inputs: Vec<u64> = inputs.iter().map(|input| input.0.id).collect();
        f.debug_struct("Node")
            .field("id", id)
            .field("name", name)
            .field("of", what)
            .field("inputs", &inputs)
            .finish()
    }
}

impl<F> Drop for NodeData<F> {
    /// Drops the inputs one by one: a graph of many layers must not overflow the stack.
    fn drop(&mut self) {
        let mut rest = std::mem::take(&mut self.inputs);
        while let Some(Node(data)) = rest.pop() {
            if let Some(mut data) = Arc::into_inner(data) {
                rest.append(&mut data.inputs);
            }
        }
    }
}

/// A layer whose weights are shared by all nodes to which it is applied.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (a, b) = (Input::new("a", 4), Input::new("b", 4));
/// let encoder = Shared::new(Dense::new(2));
/// let distance = Subtract::new().of([&a.then(&encoder), &b.then(&encoder)]);
/// let model: Model<f32> =
///     Graph::new([&a, &b]).output("distance", &distance, MeanSquaredError::new()).compile(Sgd::new(0.1))?;
/// assert_eq!(model.count_params(), 4 * 2 + 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Shared<L> {
    layer: Arc<L>,
    key: u64,
}

impl<L> Shared<L> {
    /// Makes a layer that can be applied several times with one set of weights.
    pub fn new(layer: L) -> Self {
        Self { layer: Arc::new(layer), key: new_key() }
    }
}

impl<L> Clone for Shared<L> {
    /// A second handle of the same layer and weights.
    fn clone(&self) -> Self {
        Self { layer: self.layer.clone(), key: self.key }
    }
}

/// What [`Node::then`] accepts: a layer, or a reference to a [`Shared`] layer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer that can be applied to a node",
    note = "pass a layer, or `&shared` for a `Shared` layer; a layer with several inputs is applied by `merge.of([&a, &b])`"
)]
pub trait IntoLayer<F: Float, By> {
    /// The layer as the origin of a node.
    #[doc(hidden)]
    fn origin(self) -> LayerOrigin<F>;
}

/// The origin of the values of a node; opaque.
#[doc(hidden)]
pub struct LayerOrigin<F>(Origin<F>);

impl<F> Debug for LayerOrigin<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LayerOrigin")
    }
}

/// Markers that keep the implementations of [`IntoLayer`] apart.
#[doc(hidden)]
pub mod by {
    /// A layer with weights of its own.
    #[derive(Debug)]
    pub struct Value;
    /// A shared layer.
    #[derive(Debug)]
    pub struct Sharing;
}

impl<F: Float, L: Layer<F> + 'static> IntoLayer<F, by::Value> for L {
    fn origin(self) -> LayerOrigin<F> {
        LayerOrigin(Origin::Layer(Layer::into_arc(self)))
    }
}

impl<F: Float, L: Layer<F> + 'static> IntoLayer<F, by::Sharing> for &Shared<L> {
    fn origin(self) -> LayerOrigin<F> {
        LayerOrigin(Origin::Shared { layer: self.layer.clone(), key: self.key })
    }
}
