//! The convolution of each channel by itself.

use super::super::rows;
use super::super::window::{Padding, Size2D, Sliding, image, output_shape};
use super::depthwise::Depthwise;
use super::kernel_and_bias::{KernelAndBias, kernel_and_bias_setters};
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::linalg;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// A convolution of each channel by itself, which makes `depth_multiplier` channels of it.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows, columns, channels · depth_multiplier), with rows and columns
/// as [`Conv2D`](crate::nn::Conv2D) has them.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (kernel rows, kernel columns, channels, depth_multiplier) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (channels · depth_multiplier) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: samples of another rank; sizes, strides, dilations or a multiplier of 0; an input smaller than
/// the window.
///
/// # Examples
/// ```
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
    #[serde(default = "single")]
    depth_multiplier: usize,
    #[serde(default)]
    weights: KernelAndBias,
}

fn one() -> Size2D {
    1.into()
}

fn single() -> usize {
    1
}

impl DepthwiseConv2D {
    /// A window of this size over each channel.
    pub fn new(kernel_size: impl Into<Size2D>) -> Self {
        Self {
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            dilation_rate: one(),
            depth_multiplier: 1,
            weights: KernelAndBias::default(),
        }
    }

    /// How far the window moves; 1 by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Size2D>) -> Self {
        self.strides = strides.into();
        self
    }

    /// What lies beyond the edges; nothing by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// How far apart the window's places are; 1 by default.
    #[must_use]
    pub fn dilation_rate(mut self, dilation_rate: impl Into<Size2D>) -> Self {
        self.dilation_rate = dilation_rate.into();
        self
    }

    /// How many channels are made of each; 1 by default.
    #[must_use]
    pub fn depth_multiplier(mut self, multiplier: usize) -> Self {
        self.depth_multiplier = multiplier;
        self
    }

    kernel_and_bias_setters!();

    fn depthwise(&self, input: &Shape) -> Result<Depthwise> {
        let (dims, channels) = image("depthwise_conv2d", false, input)?;
        if self.depth_multiplier == 0 {
            return Err(Error::invalid_parameter("depthwise_conv2d", "depth_multiplier", 0, "at least 1"));
        }
        let sliding = Sliding {
            size: self.kernel_size.dims(),
            strides: self.strides.dims(),
            dilation: self.dilation_rate.dims(),
            padding: self.padding,
            sequence: false,
        };
        let window = sliding.over("depthwise_conv2d", dims)?;
        Ok(Depthwise { window, channels, multiplier: self.depth_multiplier })
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<Depthwise> {
        plan.and_then(|plan| self.depthwise(plan.input_shape()).ok())
    }
}

impl<F: Float> Layer<F> for DepthwiseConv2D {
    fn kind(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let depthwise = self.depthwise(input)?;
        let window = depthwise.window;
        let plan = Plan::output(output_shape(false, window.output, depthwise.outputs())).input(input);
        let shape = [window.size[0], window.size[1], depthwise.channels, self.depth_multiplier];
        Ok(self.weights.rest(self.weights.kernel(plan, "kernel", shape), depthwise.outputs()))
    }

    fn forward(&self, Forward { x, mut y, params, plan, .. }: Forward<'_, F>) {
        let Some(depthwise) = self.planned(plan) else { return y.fill(F::nan()) };
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, bias) = params.split_at(depthwise.kernel_len());
        y.fill(F::zero());
        if self.weights.use_bias {
            y.chunks_exact_mut(depthwise.outputs()).for_each(|y| y.copy_from_slice(bias));
        }
        let samples = x.chunks_exact(depthwise.input_len()).zip(y.chunks_exact_mut(depthwise.output_len()));
        samples.for_each(|(x, y)| depthwise.forward(x, kernel, y));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, plan, .. } = pass;
        let Some(depthwise) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (dkernel, dbias) = grads.split_at_mut(depthwise.kernel_len());
        linalg::add_rows(rows(dy, depthwise.outputs()), dbias);
        dx.fill(F::zero());
        let samples = x.chunks_exact(depthwise.input_len()).zip(dx.chunks_exact_mut(depthwise.input_len()));
        for ((x, dx), dy) in samples.zip(dy.chunks_exact(depthwise.output_len())) {
            depthwise.backward(x, dy, &params[..depthwise.kernel_len()], dkernel, dx_needed.then_some(dx));
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
