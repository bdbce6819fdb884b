//! Concatenation of several inputs along an axis.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, MaskPass, MergeInputs, Plan, Shape};
use crate::nn::layers::axes::{Runs, axis_of};
use crate::nn::node::Merge;
use serde::{Deserialize, Serialize};

/// Joins its inputs along an axis.
///
/// # Shapes
/// Inputs that agree in all axes but one, which becomes the sum of theirs.
///
/// # Parameters
/// No trainable parameters. `axis`: as in Keras, 0 is the batch, 1 the first axis of a sample and −1, the default, the last.
///
/// # Masks
/// If any input has a padding mask, the output has one: the masks side by side along the axis; along the last axis, a position is
/// valid where it is valid in any input. An input without a mask counts as valid.
///
/// # Errors
/// In `compile`: an axis that the inputs do not have; inputs that differ in other axes.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (a, b) = (Input::new("a", 2), Input::new("b", 1));
/// let y = Concatenate::new().of([&a, &b]);
/// let model = Graph::new([&a, &b]).output("y", &y, MeanSquaredError::new()).compile(Sgd::new(0.1))?;
/// assert_eq!(model.predict((&array![[1.0, 2.0]], &array![[3.0]]))?, array![[1.0, 2.0, 3.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concatenate {
    axis: isize,
}

impl Default for Concatenate {
    fn default() -> Self {
        Self { axis: -1 }
    }
}

impl Concatenate {
    /// Creates a layer that concatenates along the last axis.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the axis.
    #[must_use]
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The axis as an index among a sample's axes, and the output shape.
    fn output(&self, inputs: MergeInputs<'_>) -> Result<(usize, Shape)> {
        let Some((first, rest)) = inputs.shapes().split_first() else {
            return Err(Error::shape("concatenate", "at least one input", 0));
        };
        let axis = axis_of("concatenate", self.axis, first)?;
        let mut dims = first.dims().to_vec();
        for shape in rest {
            let others = |shape: &Shape| {
                let dims = shape.dims().iter().enumerate().filter(|(index, _)| *index != axis);
                dims.map(|(_, &dim)| dim).collect::<Vec<_>>()
            };
            if shape.rank() != first.rank() || others(shape) != others(first) {
                let expected = format!("inputs that agree in all axes but axis {}", axis + 1);
                return Err(Error::shape("concatenate", expected, inputs.to_string()));
            }
            dims[axis] = dims[axis].saturating_add(shape.dims()[axis]);
        }
        Ok((axis, Shape::from(dims)))
    }

    /// Calls `copy` with corresponding ranges of a row of the joined inputs and of the output.
    fn for_each_run(
        &self,
        inputs: MergeInputs<'_>,
        mut copy: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>),
    ) {
        let Ok((axis, output)) = self.output(inputs) else { return };
        let Runs { length, inner } = Runs::along(axis, &output);
        let stride = length * inner;
        let mut first = 0;
        for (index, shape) in inputs.shapes().iter().enumerate() {
            let own = Runs::along(axis, shape);
            let len = own.length * own.inner;
            let columns = inputs.columns(index);
            for outer in 0..shape.size() / len.max(1) {
                let from = columns.start + outer * len;
                let to = outer * stride + first;
                copy(from..from + len, to..to + len);
            }
            first += len;
        }
    }
}

impl<F: Float> Merge<F> for Concatenate {
    crate::float::precompiled::into_arc!(Concatenate: Merge<F>);

    fn kind(&self) -> &'static str {
        "concatenate"
    }

    fn plan(&self, inputs: MergeInputs<'_>) -> Result<Plan> {
        Ok(Plan::output(self.output(inputs)?.1))
    }

    fn forward(&self, inputs: MergeInputs<'_>, Forward { x, mut y, .. }: Forward<'_, F>) {
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            if let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) {
                self.for_each_run(inputs, |from, to| y[to].copy_from_slice(&x[from]));
            }
        }
    }

    fn backward(&self, inputs: MergeInputs<'_>, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            if let (Some(dy), Some(dx)) = (dy.as_slice(), dx.as_slice_mut()) {
                self.for_each_run(inputs, |from, to| dx[from].copy_from_slice(&dy[to]));
            }
        }
    }

    fn mask_shape(&self, inputs: MergeInputs<'_>, masked: &[bool]) -> Option<Shape> {
        let (_, output) = self.output(inputs).ok()?;
        let dims = output.dims();
        masked.contains(&true).then(|| Shape::from(&dims[..dims.len().saturating_sub(1)]))
    }

    fn mask(&self, inputs: MergeInputs<'_>, pass: MaskPass<'_, F>) {
        let (MaskPass { mask: Some(mask), valid, .. }, Ok((axis, output))) = (pass, self.output(inputs))
        else {
            return;
        };
        let positions = output.size() / output.last().max(1);
        if positions == 0 {
            return;
        }
        let joins_features = axis + 1 == output.rank();
        for (sample, valid) in valid.chunks_exact_mut(positions).enumerate() {
            if joins_features {
                for (position, valid) in valid.iter_mut().enumerate() {
                    *valid = (0..inputs.len())
                        .any(|input| mask.is_valid(sample, inputs.positions(input).start + position));
                }
                continue;
            }
            // The runs of whole positions: those of values without the last axis.
            let features = output.last().max(1);
            self.for_each_run(inputs, |from, to| {
                for (from, to) in (from.start / features..from.end / features).zip(to.start / features..) {
                    valid[to] = mask.is_valid(sample, from);
                }
            });
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
