//! Vectors for whole numbers.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, MaskPass, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Looks up a learned vector for each whole number of the input (a word, a category).
///
/// # Shapes
/// (…), whole numbers from 0 to input_dim - 1, comes out as (…, output_dim).
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `embeddings` | (input_dim, output_dim) | `embeddings_initializer` | uniform between ±0.05 |
///
/// # Errors
/// In `compile`: dimensions of 0. A number that is no index of a vector is [`Error::Index`] in every method that takes
/// samples. Where the layer comes first in a network, or behind layers that only rearrange (as [`Reshape`] does), it is
/// found before anything is computed, with its place in the samples; else in the pass that meets it, with its place in
/// the layer's input. No wrong vector is ever looked up.
///
/// [`Reshape`]: crate::nn::Reshape
///
/// # Agreement with Keras
/// The gradient of a vector is the sum over all occurrences of its index in the batch, and an optimizer's rule works on
/// that sum, as in Keras on JAX and PyTorch. On TensorFlow, Keras hands the rule one gradient for each occurrence: the
/// rules that square gradients (Adam, RMSprop, Adagrad and their kin) then take up `Σ g²` in place of `(Σ g)²`, and the
/// weights after a step differ wherever an index occurs twice in a batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(3).add(Embedding::new(100, 8)).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([3, 8]));
/// let y: axonal::ndarray::Array2<f32> = model.predict(&array![[7.0, 99.0, 7.0]])?;
/// assert_eq!(y[[0, 0]], y[[0, 16]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    input_dim: usize,
    output_dim: usize,
    #[serde(default = "uniform")]
    embeddings_initializer: Initializer,
    #[serde(default)]
    embeddings_regularizer: Option<Regularizer>,
    #[serde(default)]
    embeddings_constraint: Option<Constraint>,
    #[serde(default)]
    mask_zero: bool,
}

fn uniform() -> Initializer {
    Initializer::RandomUniform { minval: -0.05, maxval: 0.05 }
}

impl Embedding {
    /// Vectors of `output_dim` numbers for the indices below `input_dim`.
    #[must_use]
    pub fn new(input_dim: usize, output_dim: usize) -> Self {
        Self {
            input_dim,
            output_dim,
            embeddings_initializer: uniform(),
            embeddings_regularizer: None,
            embeddings_constraint: None,
            mask_zero: false,
        }
    }

    /// How the vectors start.
    #[must_use]
    pub fn embeddings_initializer(mut self, initializer: Initializer) -> Self {
        self.embeddings_initializer = initializer;
        self
    }

    /// A penalty on the vectors.
    #[must_use]
    pub fn embeddings_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.embeddings_regularizer = Some(regularizer);
        self
    }

    /// What the vectors are projected to after each update.
    #[must_use]
    pub fn embeddings_constraint(mut self, constraint: Constraint) -> Self {
        self.embeddings_constraint = Some(constraint);
        self
    }

    /// Whether 0 stands for padding, so that the layers behind pass over it (see [`Masking`](crate::nn::Masking)); no by
    /// default. The vector of 0 is looked up all the same, so `input_dim` counts it.
    #[must_use]
    pub fn mask_zero(mut self, mask_zero: bool) -> Self {
        self.mask_zero = mask_zero;
        self
    }

    /// The row of a number's vector, if it is a whole number that has one.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number"
    )]
    fn row<F: Float>(&self, x: F) -> Option<usize> {
        let x = x.as_f64();
        (x >= 0.0 && x.fract() == 0.0 && x < self.input_dim as f64).then_some(x as usize)
    }
}

impl<F: Float> Layer<F> for Embedding {
    fn kind(&self) -> &'static str {
        "embedding"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        for (name, value) in [("input_dim", self.input_dim), ("output_dim", self.output_dim)] {
            if value == 0 {
                return Err(Error::invalid_parameter("embedding", name, 0, "at least 1"));
            }
        }
        let output: Vec<usize> = input.dims().iter().copied().chain([self.output_dim]).collect();
        let plan = Plan::output(output)
            .param("embeddings", [self.input_dim, self.output_dim], self.embeddings_initializer.clone())
            .regularizer(self.embeddings_regularizer)
            .constraint(self.embeddings_constraint)
            .indices(self.input_dim);
        Ok(if self.mask_zero { plan.makes_mask(input) } else { plan })
    }

    fn mask(&self, MaskPass { x, real, .. }: MaskPass<'_, F>) {
        real.iter_mut().zip(&x).for_each(|(real, &x)| *real = x != F::zero());
    }

    fn forward(&self, Forward { x, mut y, params, .. }: Forward<'_, F>) {
        let Some(y) = y.as_slice_mut() else { return };
        for (&x, y) in x.iter().zip(y.chunks_exact_mut(self.output_dim)) {
            match self.row(x) {
                Some(row) => y.copy_from_slice(&params[row * self.output_dim..][..self.output_dim]),
                None => y.fill(F::nan()),
            }
        }
    }

    fn backward(&self, Backward { x, dy, mut dx, grads, .. }: Backward<'_, F>) {
        // An index has no gradient.
        dx.fill(F::zero());
        let Some(dy) = dy.as_slice() else { return };
        for (&x, dy) in x.iter().zip(dy.chunks_exact(self.output_dim)) {
            if let Some(row) = self.row(x) {
                let grads = &mut grads[row * self.output_dim..][..self.output_dim];
                grads.iter_mut().zip(dy).for_each(|(grad, &dy)| *grad += dy);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
