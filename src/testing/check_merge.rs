//! The contract of merge layers.

use super::{CheckFailure, check_layer};
use crate::error::Result;
use crate::nn::layer::{Backward, Forward, Layer, MergeInputs, Plan, Shape};
use crate::nn::node::Merge;

/// Tries the whole contract of a merge layer on inputs of these shapes, as [`check_layer`] does for a layer; without masks.
///
/// # Errors
/// What is wrong, with the likely cause. An index of the input counts through all inputs, side by side.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// use axonal::testing::check_merge;
///
/// check_merge(&Concatenate::new(), [2, 3]).unwrap();
/// check_merge(&Add::new(), [[2, 3], [2, 3]]).unwrap();
/// ```
pub fn check_merge<M: Merge<f64> + ?Sized>(
    merge: &M,
    shapes: impl IntoIterator<Item: Into<Shape>>,
) -> Result<(), CheckFailure> {
    let inputs: Vec<Shape> = shapes.into_iter().map(Into::into).collect();
    let total = MergeInputs::new(&inputs).total_len();
    check_layer(&Joined { merge, inputs }, total)
}

/// A merge layer as a layer over its inputs side by side.
#[derive(Debug)]
struct Joined<'a, M: ?Sized> {
    merge: &'a M,
    inputs: Vec<Shape>,
}

impl<M: Merge<f64> + ?Sized> Layer<f64> for Joined<'_, M> {
    fn kind(&self) -> &'static str {
        self.merge.kind()
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(self.merge.plan(MergeInputs::new(&self.inputs))?.input(input.clone()).without_masks())
    }

    fn forward(&self, pass: Forward<'_, f64>) {
        self.merge.forward(MergeInputs::new(&self.inputs), pass);
    }

    fn backward(&self, pass: Backward<'_, f64>) {
        self.merge.backward(MergeInputs::new(&self.inputs), pass);
    }
}
