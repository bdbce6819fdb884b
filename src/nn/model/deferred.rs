//! Models whose input shape the first `fit` infers, as in Keras without an `Input`.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::Inputs;
use crate::nn::layer::Shape;
use crate::nn::layout::Layout;
use crate::nn::model::Model;
use crate::nn::model::outputs::{NetworkOutput, logit_layers};
use crate::nn::optimizer_state::OptimizerState;
use crate::nn::sequential::Sequential;
use std::sync::Arc;

/// What a model is built from, and its buffers before that.
#[derive(Debug)]
pub(crate) struct Deferred<F> {
    builder: Sequential<F>,
    layout: Arc<Layout<F>>,
    params: Buffer<F>,
    state: Buffer<F>,
    /// Without moments.
    optimizer_state: OptimizerState<F>,
}

impl<F: Float> Model<F> {
    /// A model that is built by its first `fit`; `optimizer_state` is that of a layout without layers.
    pub(crate) fn unbuilt(
        builder: Sequential<F>,
        optimizer_state: OptimizerState<F>,
        output: NetworkOutput<F>,
        seed: u64,
    ) -> Result<Self> {
        let layout = Layout::without_layers();
        let (params, state) = (Buffer::zeros("the parameters", 0)?, Buffer::zeros("the state", 0)?);
        let mut model =
            Self::new(layout, params.clone(), state.clone(), optimizer_state.clone(), vec![output], seed);
        let layout = model.layout.clone();
        model.deferred = Some(Arc::new(Deferred { builder, layout, params, state, optimizer_state }));
        Ok(model)
    }

    /// Makes a loaded model one that `unfitted` returns to the unbuilt state.
    pub(crate) fn defer(&mut self, builder: Sequential<F>) -> Result<()> {
        let OptimizerState { rule, compiled_rate, modifiers, .. } = &self.optimizer_state;
        let (rule, rate, modifiers) = (rule.clone(), compiled_rate.clone(), modifiers.clone());
        let optimizer_state = OptimizerState::from_parts(rule, rate, modifiers, &Layout::without_layers())?;
        if let [output] = &self.outputs[..] {
            let unbuilt = Self::unbuilt(builder, optimizer_state, output.clone(), self.seed)?;
            self.deferred = unbuilt.deferred;
        }
        Ok(())
    }

    /// Whether the input shape is known and the weights exist: always, except for a model of
    /// [`Sequential::deferred`] before its first `fit`.
    #[must_use]
    pub fn is_built(&self) -> bool {
        self.deferred.is_none() || !self.layout.nodes.is_empty()
    }

    /// Whether the input shape was inferred or is to be inferred.
    pub(crate) fn is_deferred(&self) -> bool {
        self.deferred.is_some()
    }

    /// Builds a model of [`Sequential::deferred`] for samples of this shape, without the batch axis, instead of waiting for
    /// the first `fit`. Keras's `build`.
    ///
    /// # Errors
    /// As [`Sequential::compile`]; a model that is built for another shape.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let layers = Sequential::<f32>::deferred().add(Dense::new(3));
    /// let mut model = layers.compile(Adam::default(), MeanSquaredError::default())?;
    /// assert!(!model.is_built());
    /// model.build(4)?;
    /// assert_eq!(model.count_params(), 15);
    /// # Ok(())
    /// # }
    /// ```
    pub fn build(&mut self, input_shape: impl Into<Shape>) -> Result<()> {
        let shape = input_shape.into();
        if !self.is_built() {
            return self.build_from(shape);
        }
        if shape == *self.input_shape() {
            return Ok(());
        }
        Err(Error::shape("build", format!("{}, for which the model is built", self.input_shape()), shape))
    }

    /// Builds a model that is not built yet for an array of this shape. Returns whether it did.
    pub(super) fn build_for(&mut self, x: &Inputs<'_, F>) -> Result<bool> {
        if self.is_built() {
            return Ok(false);
        }
        let shape = match x.arrays().first().map_or(&[][..], |array| array.shape()) {
            [] => {
                return Err(Error::shape("x", "an array with the samples along its first axis", "a scalar"));
            }
            // A vector is a column of scalar samples.
            [_] => Shape::from(1),
            [_, sample @ ..] => Shape::from(sample),
        };
        self.build_from(shape)?;
        Ok(true)
    }

    fn build_from(&mut self, shape: Shape) -> Result<()> {
        let Some(deferred) = self.deferred.clone() else { return Ok(()) };
        let built = deferred.builder.build(shape, &self.outputs)?;
        let OptimizerState { rule, compiled_rate, modifiers, learning_rate, .. } = &self.optimizer_state;
        let (rule, rate, modifiers) = (rule.clone(), compiled_rate.clone(), modifiers.clone());
        let mut optimizer_state = OptimizerState::from_parts(rule, rate, modifiers, &built.layout)?;
        optimizer_state.learning_rate = learning_rate.clone();
        self.optimizer_state = optimizer_state;
        self.logits = logit_layers(&built.layout, &self.outputs);
        self.layout = Arc::new(built.layout);
        (self.params, self.state) = (built.params, built.state);
        if built.attached {
            self.keep_origin();
        }
        Ok(())
    }

    /// Passes on the outcome of the training that built the model; if no step was made, the model is unbuilt again, so
    /// that the next data may have another shape.
    pub(super) fn after_building<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() && self.steps_trained == 0 {
            self.unbuild();
        }
        outcome
    }

    /// Returns to the state before the first `fit`; whether the model can.
    pub(super) fn unbuild(&mut self) -> bool {
        let Some(deferred) = &self.deferred else { return false };
        self.layout = deferred.layout.clone();
        self.logits = Arc::from([]);
        (self.params, self.state) = (deferred.params.clone(), deferred.state.clone());
        self.optimizer_state = deferred.optimizer_state.clone();
        self.origin = None;
        true
    }

    /// Errors if the model is not built.
    pub(crate) fn check_built(&self, method: &'static str) -> Result<()> {
        if self.is_built() {
            return Ok(());
        }
        Err(Error::NotFitted { estimator: "unbuilt model (Sequential::deferred)", method })
    }

    /// The layers of a model that is not built.
    pub(crate) fn unbuilt_layers(&self) -> Option<&Sequential<F>> {
        let deferred = self.deferred.as_ref()?;
        (!self.is_built()).then_some(&deferred.builder)
    }
}
