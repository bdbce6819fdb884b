//! Embedding: a learned vector for each integer index.

use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, MaskPass, Plan, Shape};
use crate::nn::layers::blocks;
use crate::nn::layers::positive::require_positive;
use crate::nn::regularizer::Regularizer;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Looks up a learned vector for each integer index of the input, such as a word or a category.
///
/// # Shapes
/// (…), integers in 0..`input_dim`, becomes (…, output_dim).
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `embeddings` | (input_dim, output_dim) | `embeddings_initializer` | uniform in ±0.05 |
///
/// # Errors
/// In `compile`: dimensions of 0. In every method that takes samples: [`Error::Index`](crate::Error::Index) for a
/// value that is not a valid index. If the layer is the first of a network, or follows layers that only rearrange
/// values (such as [`Reshape`]), the indices are checked before anything is computed, and the error has their
/// position in the samples. Otherwise the forward pass checks them, and the error has their position in the layer's
/// input.
///
/// [`Reshape`]: crate::layers::Reshape
///
/// # Agreement with Keras
/// The gradient of a vector is the sum over all occurrences of its index in the batch, and the optimizer's rule is
/// applied to that sum, as in Keras on JAX and PyTorch. Keras on TensorFlow applies the rule to each occurrence:
/// rules that square gradients (Adam, RMSprop, Adagrad and their variants) then accumulate `Σ g²` instead of
/// `(Σ g)²`, so the weights after a step differ if an index occurs twice in a batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::custom::Shape;
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
    #[serde(default = "default_initializer")]
    embeddings_initializer: Initializer,
    #[serde(default)]
    embeddings_regularizer: Option<Regularizer>,
    #[serde(default)]
    embeddings_constraint: Option<Constraint>,
    #[serde(default)]
    mask_zero: bool,
}

fn default_initializer() -> Initializer {
    Initializer::RandomUniform { minval: -0.05, maxval: 0.05 }
}

impl Embedding {
    /// Creates a layer with a vector of `output_dim` elements for each index below `input_dim`.
    #[must_use]
    pub fn new(input_dim: usize, output_dim: usize) -> Self {
        Self {
            input_dim,
            output_dim,
            embeddings_initializer: default_initializer(),
            embeddings_regularizer: None,
            embeddings_constraint: None,
            mask_zero: false,
        }
    }

    /// Sets the initializer of the vectors; uniform in ±0.05 by default.
    #[must_use]
    pub fn embeddings_initializer(mut self, initializer: Initializer) -> Self {
        self.embeddings_initializer = initializer;
        self
    }

    /// Sets the regularizer of the vectors; none by default.
    #[must_use]
    pub fn embeddings_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.embeddings_regularizer = Some(regularizer);
        self
    }

    /// Sets the constraint that the vectors are projected onto after each update; none by default.
    #[must_use]
    pub fn embeddings_constraint(mut self, constraint: Constraint) -> Self {
        self.embeddings_constraint = Some(constraint);
        self
    }

    /// Sets whether index 0 is padding, which later layers ignore (see [`Masking`](crate::layers::Masking)); false by
    /// default. Index 0 still has a vector, so `input_dim` includes it.
    #[must_use]
    pub fn mask_zero(mut self, mask_zero: bool) -> Self {
        self.mask_zero = mask_zero;
        self
    }

    /// Converts an input value to an index; `None` if it is not a valid one.
    #[inline(always)]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the value is compared with what it was converted from"
    )]
    fn index<F: Float>(&self, x: F) -> Option<usize> {
        let x = x.as_f64();
        let index = x as i64;
        // A fraction, NaN and what has no i64 differ from the index.
        let is_integer = index as f64 == x;
        usize::try_from(index).ok().filter(|&index| is_integer && index < self.input_dim)
    }
}

impl<F: Float> Layer<F> for Embedding {
    crate::float::precompiled::into_arc!(Embedding: Layer<F>);

    fn kind(&self) -> &'static str {
        "embedding"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        require_positive("embedding", &[("input_dim", self.input_dim), ("output_dim", self.output_dim)])?;
        let output: Vec<usize> = input.dims().iter().copied().chain([self.output_dim]).collect();
        let plan = Plan::output(output)
            .param("embeddings", [self.input_dim, self.output_dim], self.embeddings_initializer.clone())
            .regularizer(self.embeddings_regularizer)
            .constraint(self.embeddings_constraint)
            .indices(self.input_dim);
        Ok(if self.mask_zero { plan.makes_mask(input) } else { plan })
    }

    fn mask(&self, MaskPass { x, valid, .. }: MaskPass<'_, F>) {
        valid.iter_mut().zip(&x).for_each(|(valid, &x)| *valid = x != F::zero());
    }

    fn forward(&self, Forward { x, mut y, params, .. }: Forward<'_, F>) {
        let Some(y) = y.as_slice_mut() else { return };
        vectorize(
            #[inline(always)]
            || {
                for (&x, y) in x.iter().zip(y.chunks_exact_mut(self.output_dim)) {
                    match self.index(x) {
                        Some(index) => blocks::copy(&params[index * self.output_dim..][..self.output_dim], y),
                        None => y.fill(F::nan()),
                    }
                }
            },
        );
    }

    fn backward(&self, Backward { x, dy, mut dx, grads, .. }: Backward<'_, F>) {
        // An index has no gradient.
        dx.fill(F::zero());
        let Some(dy) = dy.as_slice() else { return };
        for (&x, dy) in x.iter().zip(dy.chunks_exact(self.output_dim)) {
            if let Some(index) = self.index(x) {
                let grads = &mut grads[index * self.output_dim..][..self.output_dim];
                grads.iter_mut().zip(dy).for_each(|(grad, &dy)| *grad += dy);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
