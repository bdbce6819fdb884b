//! 2D depthwise convolution over images.

use super::depthwise::{Depthwise, DepthwiseBackward};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::defaults::one;
use crate::nn::layers::kernel_and_bias::{KernelAndBias, kernel_and_bias_setters};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::rows::rows;
use crate::nn::layers::window::{Padding, Size2D, WindowSpec, window_setters};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// 2D depthwise convolution over images: each channel is convolved with `depth_multiplier` separate filters.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows, columns, channels · depth_multiplier); the output's rows and columns are
/// those of [`Conv2D`](crate::layers::Conv2D).
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (kernel rows, kernel columns, channels, depth_multiplier) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (channels · depth_multiplier) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: samples of another rank; sizes, strides, dilation rates or a depth multiplier of 0; an input smaller
/// than the window; causal padding.
///
/// # Examples
/// ```
/// use axonal::layers::DepthwiseConv2D;
/// use axonal::prelude::*;
/// let layer = DepthwiseConv2D::new(3).padding(Padding::Same);
/// # let _ = layer;
/// ```
///
/// # References
/// Howard et al. 2017, arXiv:1704.04861.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseConv2D {
    kernel_size: Size2D,
    #[serde(default = "one")]
    strides: Size2D,
    #[serde(default)]
    padding: Padding,
    #[serde(default = "one")]
    dilation_rate: Size2D,
    #[serde(default = "one")]
    depth_multiplier: usize,
    #[serde(default)]
    weights: KernelAndBias,
}

impl DepthwiseConv2D {
    /// Creates a depthwise convolution with this window size.
    pub fn new(kernel_size: impl Into<Size2D>) -> Self {
        Self {
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            dilation_rate: one(),
            depth_multiplier: one(),
            weights: KernelAndBias::default(),
        }
    }

    window_setters!(impl Into<Size2D>);

    /// Sets the number of filters per channel; 1 by default.
    #[must_use]
    pub fn depth_multiplier(mut self, multiplier: usize) -> Self {
        self.depth_multiplier = multiplier;
        self
    }

    kernel_and_bias_setters!(weights);

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<DepthwiseWithBias<'_>> {
        let spec = WindowSpec::new(self.kernel_size, self.strides, self.dilation_rate, self.padding);
        let depthwise = Depthwise::new(kind, spec, self.depth_multiplier, &[], input)?;
        Ok(DepthwiseWithBias { depthwise, weights: &self.weights })
    }
}

geometry_layer!(DepthwiseConv2D: "depthwise_conv2d");

/// Geometry of a depthwise convolution with a bias.
#[derive(Debug)]
struct DepthwiseWithBias<'a> {
    depthwise: Depthwise,
    weights: &'a KernelAndBias,
}

impl DepthwiseWithBias<'_> {
    /// Declares the output shape and the parameters.
    fn plan(&self, input: &Shape) -> Plan {
        let channels = self.depthwise.output_channels();
        let plan = Plan::output(self.depthwise.output_shape(channels)).input(input);
        let plan = self.weights.kernel(plan, "kernel", self.depthwise.kernel_shape());
        self.weights.bias_and_activation(plan, channels).batch_cache(self.depthwise.batch_cache())
    }

    fn forward<F: Float>(&self, Forward { x, mut y, params, cache, .. }: Forward<'_, F>) {
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, bias) = params.split_at(self.depthwise.kernel_len());
        let bias = self.weights.use_bias.then_some(bias);
        self.depthwise.forward(x, kernel, bias, y, cache);
    }

    fn backward<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, .. } = pass;
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (dkernel, dbias) = grads.split_at_mut(self.depthwise.kernel_len());
        linalg::add_rows(rows(dy, self.depthwise.output_channels()), dbias);
        let kernel = &params[..self.depthwise.kernel_len()];
        self.depthwise.backward(DepthwiseBackward { x, dy, kernel, dkernel, dx, dx_needed, cache });
    }
}
