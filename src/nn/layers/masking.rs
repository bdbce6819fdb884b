//! Masking: marks the padded steps of sequences.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, MaskPass, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Marks the steps of a sequence whose features all equal `mask_value` as padding, and sets them to zero.
///
/// All sequences of a batch have the same length; shorter ones are padded. The *padding mask*, which says which steps
/// are valid, starts here or at an [`Embedding`](crate::layers::Embedding::mask_zero) and follows the sequence through
/// the network:
///
/// | layers | effect of the mask |
/// |---|---|
/// | [`SimpleRnn`](crate::layers::SimpleRnn), [`Lstm`](crate::layers::Lstm), [`Gru`](crate::layers::Gru), [`Bidirectional`](crate::layers::Bidirectional) | skip padded steps: state and output keep their values; with `return_sequences(true)` the mask passes |
/// | [`GlobalAveragePooling1D`](crate::layers::GlobalAveragePooling1D) | averages the valid steps; the mask ends |
/// | [`BatchNormalization`](crate::layers::BatchNormalization) | statistics of the valid steps; the mask passes |
/// | [`Softmax`](crate::layers::Softmax) over steps | padded steps have probability 0; the mask passes |
/// | [`MultiHeadAttention`](crate::layers::MultiHeadAttention), [`GroupQueryAttention`](crate::layers::GroupQueryAttention) | padded keys get no weight; the mask passes |
/// | [`Attention`](crate::layers::Attention), [`AdditiveAttention`](crate::layers::AdditiveAttention) | padded values get no weight, padded queries are 0; the mask of the query passes |
/// | [`TimeDistributed`](crate::layers::TimeDistributed), [`Residual`](crate::layers::Residual) | as their inner layers |
/// | [`Dense`](crate::layers::Dense), activations, dropout and noise, the other normalizations | computed step by step; the mask passes |
/// | all others: convolution, other pooling, reshaping | the mask ends |
///
/// A mask that reaches the output applies to the loss: padded positions have no loss and no gradient, and means are
/// taken over the valid positions. Metrics ignore padding too.
///
/// A custom layer passes the mask on with [`Plan::passes_mask`], receives it with [`Plan::uses_mask`], and makes one
/// with [`Plan::makes_mask`]; by default the mask ends there.
///
/// # Shapes
/// (…, features), unchanged. The mask covers all axes but the last: the steps of (steps, features), whole samples of
/// (features).
///
/// # Parameters
/// No trainable parameters. `mask_value`: the value of padding; 0 by default.
///
/// # Errors
/// In `compile`: samples without axes; a mask value that is not finite; a mask that does not cover the steps of a later
/// layer.
///
/// # Agreement with Keras
/// The rules are those of Keras 3 on TensorFlow, with three differences. In Keras, precision, recall, AUC, F, R² and
/// mean IoU include padding, and on JAX no metric receives the mask during training; here every metric ignores
/// padding. `RmsNormalization` passes the mask on; Keras 3.15 drops it with a warning. `Softmax` over steps accepts
/// any mask; Keras rejects masks whose shape is not that of the input. As in Keras, the mask keeps its order after a
/// recurrent layer with `go_backwards(true)`, although the states are returned in reverse order.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::Masking;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f64> = Sequential::new([3, 1])
///     .add(Masking::new(-1.0))
///     .add(GlobalAveragePooling1D::default())
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// let sequences = array![[[2.0], [4.0], [6.0]], [[5.0], [-1.0], [-1.0]]];
/// assert_eq!(model.predict(&sequences)?, array![[4.0], [5.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    mask_value: f64,
}

impl Masking {
    /// Creates a layer that treats steps whose features all equal `mask_value` as padding.
    #[must_use]
    pub fn new(mask_value: f64) -> Self {
        Self { mask_value }
    }

    /// Returns whether a step is not padding.
    fn is_valid<F: Float>(&self, step: &[F]) -> bool {
        let padding = F::of(self.mask_value);
        step.iter().any(|&feature| feature != padding)
    }
}

impl<F: Float> Layer<F> for Masking {
    crate::float::precompiled::into_arc!(Masking: Layer<F>);

    fn kind(&self) -> &'static str {
        "masking"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if !self.mask_value.is_finite() {
            return Err(Error::invalid_parameter(
                "masking",
                "mask_value",
                self.mask_value,
                "a finite number",
            ));
        }
        let Some((_, steps)) = input.dims().split_last() else {
            return Err(Error::shape("masking", "samples (…, features)", input));
        };
        Ok(Plan::output(input.clone()).input(input).makes_mask(steps))
    }

    fn mask(&self, MaskPass { x, valid, .. }: MaskPass<'_, F>) {
        let (features, Some(x)) = (x.len() / valid.len().max(1), x.as_slice()) else {
            return valid.fill(true);
        };
        valid
            .iter_mut()
            .zip(x.chunks_exact(features.max(1)))
            .for_each(|(valid, step)| *valid = self.is_valid(step));
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        let features = plan.map_or(x.ncols(), |plan| plan.input_shape().last()).max(1);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        for (x, y) in x.chunks_exact(features).zip(y.chunks_exact_mut(features)) {
            if self.is_valid(x) {
                y.copy_from_slice(x);
            } else {
                y.fill(F::zero());
            }
        }
    }

    fn backward(&self, Backward { x, dy, mut dx, plan, .. }: Backward<'_, F>) {
        let features = plan.map_or(x.ncols(), |plan| plan.input_shape().last()).max(1);
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        for (row, dx) in dx.chunks_exact_mut(features).enumerate() {
            let step = row * features..(row + 1) * features;
            // y = x if x is valid, else 0  =>  dx = dy if x is valid, else 0
            if self.is_valid(&x[step.clone()]) {
                dx.copy_from_slice(&dy[step]);
            } else {
                dx.fill(F::zero());
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
