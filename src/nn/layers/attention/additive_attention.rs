//! Attention of one sequence to another with additive scores.

use super::single_head::{Form, SingleHead, by_single_head};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, MaskPass, MergeInputs, Plan, Shape};
use crate::nn::layers::defaults::yes;
use crate::nn::node::Merge;
use serde::{Deserialize, Serialize};

/// Additive attention (Bahdanau): each position of the query reads from all positions of the value, weighted by a nonlinear sum of
/// query and key.
///
/// In a graph, [`of`](crate::custom::Merge::of)`([&query, &value])` uses the values as keys, `of([&query, &value, &key])` separate
/// keys.
///
/// `softmax(S) V`, with the scores `Sᵢⱼ = Σ scale ⊙ tanh(qᵢ + kⱼ)`.
///
/// # Shapes
/// | input | shape |
/// |---|---|
/// | query | (query steps, features) |
/// | value | (value steps, value features) |
/// | key | (value steps, features) |
/// | output | (query steps, value features) |
///
/// # Parameters
/// `scale`: (features), Glorot uniform at first; none without `use_scale`.
///
/// | option | default |
/// |---|---|
/// | `use_scale` | true |
/// | `dropout` | 0: of the attention weights, in training |
/// | `causal` | false: a position reads from later ones, too |
///
/// # Masks
/// As [`Attention`](crate::layers::Attention).
///
/// # Errors
/// In `compile`: as [`Attention`](crate::layers::Attention).
///
/// # Examples
/// ```
/// use axonal::layers::AdditiveAttention;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (query, value) = (Input::new("query", [4, 8]), Input::new("value", [6, 8]));
/// let y = AdditiveAttention::new().of([&query, &value]);
/// let graph = Graph::new([&query, &value]).output("y", &y, MeanSquaredError::new());
/// let model: Model<f32> = graph.compile(Adam::new(0.01))?;
/// assert_eq!((model.output_shape().dims(), model.count_params()), (&[4, 8][..], 8));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Bahdanau, Cho and Bengio 2015, arXiv:1409.0473.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdditiveAttention {
    #[serde(default = "yes")]
    use_scale: bool,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    causal: bool,
}

impl Default for AdditiveAttention {
    fn default() -> Self {
        Self { use_scale: true, dropout: 0.0, causal: false }
    }
}

impl AdditiveAttention {
    /// Creates a layer with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the features of the scores have learned weights.
    #[must_use]
    pub fn use_scale(mut self, use_scale: bool) -> Self {
        self.use_scale = use_scale;
        self
    }

    fn head(&self) -> SingleHead {
        let Self { use_scale, dropout, causal } = *self;
        SingleHead { kind: "additive_attention", form: Form::Additive, use_scale, dropout, causal }
    }
}

by_single_head!(AdditiveAttention);
