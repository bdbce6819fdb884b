//! A merge layer as a layer with one input: the inputs side by side.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, MaskPass, MergeInputs, Plan, Shape};
use crate::nn::node::Merge;
use std::sync::Arc;

/// A merge layer as a [`Layer`] over its joined inputs, which is how a network runs it.
#[derive(Debug)]
pub(crate) struct Joined<F> {
    pub(crate) merge: Arc<dyn Merge<F>>,
    pub(crate) inputs: Vec<Shape>,
    /// The shape of the mask of the output, for the masks that the inputs have.
    pub(crate) mask_shape: Option<Shape>,
}

impl<F: Float> Joined<F> {
    fn shapes(&self) -> MergeInputs<'_> {
        MergeInputs::new(&self.inputs)
    }
}

impl<F: Float> Layer<F> for Joined<F> {
    crate::float::precompiled::into_arc!(Joined<F>: Layer<F>);

    fn kind(&self) -> &'static str {
        self.merge.kind()
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(self.merge.plan(self.shapes())?.input(input.clone()).joined(self.mask_shape.clone()))
    }

    fn forward(&self, pass: Forward<'_, F>) {
        self.merge.forward(self.shapes(), pass);
    }

    fn backward(&self, pass: Backward<'_, F>) {
        self.merge.backward(self.shapes(), pass);
    }

    fn mask(&self, pass: MaskPass<'_, F>) {
        self.merge.mask(self.shapes(), pass);
    }

    fn config(&self) -> Option<Config> {
        self.merge.config()
    }
}
