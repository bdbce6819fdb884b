//! Broadcasting of samples: axes of length 1, and missing leading axes, are repeated.

use crate::error::{Error, Result};
use crate::nn::layer::{MergeInputs, Shape};

/// The shape to which all inputs are broadcast, aligned at their last axes.
pub(super) fn broadcast_shape(owner: &str, inputs: MergeInputs<'_>) -> Result<Shape> {
    let rank = inputs.shapes().iter().map(Shape::rank).max().unwrap_or(0);
    let mut dims = vec![1; rank];
    for shape in inputs.shapes() {
        for (dim, &own) in dims.iter_mut().rev().zip(shape.dims().iter().rev()) {
            if *dim != own && *dim != 1 && own != 1 {
                let expected = "inputs of one shape, or with axes of length 1 where they differ";
                return Err(Error::shape(owner, expected, inputs.to_string()));
            }
            *dim = (*dim).max(own);
        }
    }
    Ok(Shape::from(dims))
}

/// How an input lies in the broadcast shape: runs of the output, each with its first element of the input and the step
/// between elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'a> {
    input: &'a [usize],
    output: &'a [usize],
    /// Elements of a run.
    pub(super) len: usize,
    /// 1, or 0 if one element of the input is repeated along the run.
    pub(super) step: usize,
    is_whole: bool,
}

impl<'a> Runs<'a> {
    pub(super) fn new(input: &'a Shape, output: &'a Shape) -> Self {
        let is_whole = input == output;
        let last = output.last().max(1);
        Self {
            input: input.dims(),
            output: output.dims(),
            len: if is_whole { output.size() } else { last },
            step: usize::from(is_whole || input.last() == last),
            is_whole,
        }
    }

    /// The first element of the input for the run that begins at `start` in the output.
    pub(super) fn offset(&self, start: usize) -> usize {
        if self.is_whole {
            return start;
        }
        let mut rest = start / self.len;
        let (mut offset, mut stride) = (0, if self.step == 1 { self.len } else { 1 });
        let missing = self.output.len() - self.input.len();
        for axis in (0..self.output.len().saturating_sub(1)).rev() {
            let dim = self.output[axis];
            let index = rest % dim;
            rest /= dim;
            if axis < missing {
                continue;
            }
            let own = self.input[axis - missing];
            if own != 1 {
                offset += index * stride;
            }
            stride *= own;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_broadcast_as_ndarray_does() {
        let output = Shape::from([2, 3, 4]);
        for dims in
            [vec![2, 3, 4], vec![1, 3, 4], vec![2, 1, 4], vec![2, 3, 1], vec![1, 1, 1], vec![4], vec![3, 1]]
        {
            let input = Shape::from(dims.clone());
            let values: Vec<usize> = (0..input.size()).collect();
            let array = ndarray::ArrayD::from_shape_vec(dims, values).unwrap();
            let expected: Vec<usize> = array.broadcast(vec![2, 3, 4]).unwrap().iter().copied().collect();
            let runs = Runs::new(&input, &output);
            let found: Vec<usize> = (0..24)
                .step_by(runs.len)
                .flat_map(|start| (0..runs.len).map(move |i| runs.offset(start) + i * runs.step))
                .collect();
            assert_eq!(found, expected, "{input}");
        }
    }
}
