//! Sample weights of a call, with their shape: one for each sample, or one for each position of its output.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::Shape;
use crate::validate::{self, shape_text};
use ndarray::{ArrayBase, Data, Dimension};
use serde::{Deserialize, Serialize};

/// Sample weights that are not checked yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleWeights<F> {
    values: Vec<F>,
    shape: Vec<usize>,
}

impl<F: Float> SampleWeights<F> {
    pub(crate) fn of<S: Data<Elem = F>, D: Dimension>(weights: &ArrayBase<S, D>) -> Self {
        // Broadcast weights that fit no memory are refused when they are checked.
        let fits = validate::memory_for::<F>("sample weights", weights.len()).is_ok();
        let values = if fits { weights.iter().copied().collect() } else { Vec::new() };
        Self { values, shape: weights.shape().to_vec() }
    }

    /// The weights, one for each of `n` samples or, for an output of several positions such as (steps, classes), one for
    /// each step of each sample.
    ///
    /// # Errors
    /// Another shape, weights that are negative or not finite, or all zero.
    pub(crate) fn checked(self, what: &str, n: usize, output: &Shape) -> Result<Vec<F>> {
        let len = self.shape.iter().fold(1, |len: usize, &dim| len.saturating_mul(dim));
        if self.values.len() != len {
            let bytes = len.saturating_mul(size_of::<F>());
            return Err(Error::OutOfMemory { what: what.into(), bytes });
        }
        let positions = output.dims().split_last().map_or(&[][..], |(_, positions)| positions);
        let bare = |dims: &[usize]| -> Vec<usize> { dims.iter().copied().filter(|&dim| dim != 1).collect() };
        let (first, rest) = self.shape.split_first().map_or((1, &[][..]), |(first, rest)| (*first, rest));
        let is_per_position = first == n && !bare(positions).is_empty() && bare(rest) == bare(positions);
        if !is_per_position {
            if bare(rest).is_empty() || positions.is_empty() {
                validate::length(what, self.values.len(), n)?;
            } else {
                let mut shape = vec![n];
                shape.extend_from_slice(positions);
                let expected = format!("weights of shape {} or {}", shape_text(&[n]), shape_text(&shape));
                return Err(Error::shape(what, expected, shape_text(&self.shape)));
            }
        }
        validate::sample_weights(what, &self.values, self.values.len())?;
        Ok(self.values)
    }
}
