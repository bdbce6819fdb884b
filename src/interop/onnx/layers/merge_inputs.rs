//! The inputs of layers with several inputs: their common shape and their masks.

use super::super::graph::{Attribute, ElementType, Graph};
use super::Tensor;
use crate::nn::layer::Shape;

/// The inputs of a merge layer, with their sample shapes.
pub(super) struct Inputs<'a> {
    pub(super) tensors: &'a [Tensor],
    pub(super) shapes: &'a [Shape],
}

impl Inputs<'_> {
    /// The names of the inputs, reshaped to one number of axes, so that they can be broadcast.
    pub(super) fn aligned(&self, graph: &mut Graph) -> Vec<String> {
        let rank = self.shapes.iter().map(Shape::rank).max().unwrap_or(0);
        let align = |(tensor, shape): (&Tensor, &Shape)| {
            if shape.rank() == rank {
                return tensor.name.clone();
            }
            let mut dims = vec![1; rank - shape.rank()];
            dims.extend_from_slice(shape.dims());
            graph.reshape(&tensor.name, &dims)
        };
        self.tensors.iter().zip(self.shapes).map(align).collect()
    }

    /// The masks of the inputs; those of inputs without a mask are all true. `None` if no input has a mask.
    pub(super) fn masks(&self, graph: &mut Graph) -> Option<Vec<String>> {
        self.tensors.iter().find(|tensor| tensor.mask.is_some())?;
        let mask = |tensor: &Tensor| match &tensor.mask {
            Some(mask) => mask.clone(),
            None => all_valid(graph, &tensor.name),
        };
        Some(self.tensors.iter().map(mask).collect())
    }
}

/// True for all positions of a value, that is, for all axes but the last.
fn all_valid(graph: &mut Graph, x: &str) -> String {
    let shape = graph.op_with("Shape", &[x], [("start", Attribute::Int(0)), ("end", Attribute::Int(-1))]);
    let zeros = graph.op("ConstantOfShape", &[&shape]);
    let none = graph.cast(&zeros, ElementType::Bool);
    graph.op("Not", &[&none])
}
