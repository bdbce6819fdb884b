//! Attention of one sequence to another without projections, by dot products or sums.

use super::single_head::{Form, SingleHead, by_single_head};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, MaskPass, MergeInputs, Plan, Shape};
use crate::nn::node::Merge;
use serde::{Deserialize, Serialize};

/// How [`Attention`] computes the score of a query and a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScoreMode {
    /// Their dot product.
    #[default]
    Dot,
    /// The sum of the hyperbolic tangents of their sum, times a learned weight.
    Concat,
}

/// Dot-product attention (Luong): each position of the query reads from all positions of the value, weighted by the similarity
/// of query and key.
///
/// In a graph, [`of`](crate::custom::Merge::of)`([&query, &value])` uses the values as keys, `of([&query, &value, &key])` separate
/// keys. The layer has no projections; [`MultiHeadAttention`](crate::layers::MultiHeadAttention) has.
///
/// `softmax(S) V`, with the scores `S = scale · Q Kᵀ`, or for [`ScoreMode::Concat`] `Sᵢⱼ = weight · Σ tanh(scale · (qᵢ + kⱼ))`.
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
/// `scale`: () with `use_scale`, 1 at first; `concat_score_weight`: () for [`ScoreMode::Concat`], 1 at first.
///
/// | option | default |
/// |---|---|
/// | `use_scale` | false |
/// | `score_mode` | [`ScoreMode::Dot`] |
/// | `dropout` | 0: of the attention weights, in training |
/// | `causal` | false: a position reads from later ones, too |
///
/// # Masks
/// Uses padding masks: padded values get no weight, and the output of a padded query is 0; a mask of the key is not used. The
/// output has the mask of the query. A query without a valid value to read from receives the mean of all values, as in
/// [`MultiHeadAttention`](crate::layers::MultiHeadAttention).
///
/// # Errors
/// In `compile`: a number of inputs other than 2 or 3; inputs other than (steps, features); queries and keys of different numbers
/// of features; keys and values of different numbers of steps; a dropout rate outside [0, 1).
///
/// # Examples
/// ```
/// use axonal::layers::Attention;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (query, value) = (Input::new("query", [4, 8]), Input::new("value", [6, 8]));
/// let y = Attention::new().use_scale(true).of([&query, &value]);
/// let graph = Graph::new([&query, &value]).output("y", &y, MeanSquaredError::new());
/// let model: Model<f32> = graph.compile(Adam::new(0.01))?;
/// assert_eq!((model.output_shape().dims(), model.count_params()), (&[4, 8][..], 1));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Luong, Pham and Manning 2015, arXiv:1508.04025.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    #[serde(default)]
    use_scale: bool,
    #[serde(default)]
    score_mode: ScoreMode,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    causal: bool,
}

impl Attention {
    /// Creates a layer with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether a learned scalar multiplies the scores, or the sums in their hyperbolic tangents.
    #[must_use]
    pub fn use_scale(mut self, use_scale: bool) -> Self {
        self.use_scale = use_scale;
        self
    }

    /// Sets how scores are computed.
    #[must_use]
    pub fn score_mode(mut self, score_mode: ScoreMode) -> Self {
        self.score_mode = score_mode;
        self
    }

    fn head(&self) -> SingleHead {
        let form = match self.score_mode {
            ScoreMode::Dot => Form::Dot,
            ScoreMode::Concat => Form::Concat,
        };
        let Self { use_scale, dropout, causal, .. } = *self;
        SingleHead { kind: "attention", form, use_scale, dropout, causal }
    }
}

by_single_head!(Attention);
