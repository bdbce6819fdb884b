//! Which steps of a sequence are padding.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, MaskPass, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Tells the layers behind which steps of a sequence are padding: those all of whose features are `mask_value`. They
/// come out as zeros.
///
/// Sequences of one batch have one length; shorter ones are padded, and a *mask* of what is real goes with them from
/// here, or from [`Embedding::mask_zero`](crate::nn::Embedding::mask_zero), through the network:
///
/// | layers | what they make of a mask |
/// |---|---|
/// | [`SimpleRnn`](crate::nn::SimpleRnn), [`Lstm`](crate::nn::Lstm), [`Gru`](crate::nn::Gru), [`Bidirectional`](crate::nn::Bidirectional) | pass over padded steps: state and output stay as they were; with `return_sequences(true)` the mask goes on |
/// | [`GlobalAveragePooling1D`](crate::nn::GlobalAveragePooling1D) | the mean over real steps; the mask ends |
/// | [`BatchNormalization`](crate::nn::BatchNormalization) | statistics over real steps; the mask goes on |
/// | [`Softmax`](crate::nn::Softmax) over steps | padded steps have no share; the mask goes on |
/// | [`TimeDistributed`](crate::nn::TimeDistributed), [`Residual`](crate::nn::Residual) | what the layers inside make of it |
/// | [`Dense`](crate::nn::Dense), activations, dropout and noise, the other normalizations | work on each step by itself; the mask goes on |
/// | all others: convolution, other pooling, reshaping | the mask ends |
///
/// A mask that reaches the output counts in the loss: positions that are padding have no loss and no gradient, and a mean
/// is taken over the real ones. Metrics pass over padding as well.
///
/// A layer of one's own lets the mask on by [`Plan::passes_mask`], is handed it by [`Plan::uses_mask`], and makes one by
/// [`Plan::makes_mask`]; by default the mask ends there.
///
/// # Shapes
/// (…, features) comes out as it went in. The mask covers all axes but the last: the steps of (steps, features), whole
/// samples of (features).
///
/// # Parameters
/// None to be trained. `mask_value`: what padding is filled with; 0 by default.
///
/// # Errors
/// In `compile`: samples without an axis, a mask value that is not finite; at a layer behind, a mask that does not cover
/// its steps.
///
/// # Agreement with Keras
/// The rules are those of Keras 3 on TensorFlow, with three differences. Keras's precision, recall, AUC, F, R² and mean
/// IoU count padding, and on JAX no metric is told of it while training; here none counts it. `RmsNormalization` lets a
/// mask on, which Keras 3.15 drops with a warning. `Softmax` over steps refuses masks in Keras unless their shape is that
/// of its input. As in Keras, a mask that passes a recurrent layer with `go_backwards(true)` keeps its order, although
/// the states come out in the opposite one.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
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
    /// Takes steps for padding all of whose features are this value.
    #[must_use]
    pub fn new(mask_value: f64) -> Self {
        Self { mask_value }
    }

    /// Whether a step is real.
    fn is_real<F: Float>(&self, step: &[F]) -> bool {
        let padding = F::of(self.mask_value);
        step.iter().any(|&feature| feature != padding)
    }
}

impl<F: Float> Layer<F> for Masking {
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

    fn mask(&self, MaskPass { x, real, .. }: MaskPass<'_, F>) {
        let (features, Some(x)) = (x.len() / real.len().max(1), x.as_slice()) else { return real.fill(true) };
        real.iter_mut()
            .zip(x.chunks_exact(features.max(1)))
            .for_each(|(real, step)| *real = self.is_real(step));
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        let features = plan.map_or(x.ncols(), |plan| plan.input_shape().last()).max(1);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        for (x, y) in x.chunks_exact(features).zip(y.chunks_exact_mut(features)) {
            if self.is_real(x) {
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
            // y = x where x is real, else 0
            if self.is_real(&x[step.clone()]) {
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
