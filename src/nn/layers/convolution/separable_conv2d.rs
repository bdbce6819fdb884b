//! The convolution in two cheap parts.

use super::super::window::{Padding, Size2D, Sliding, image, output_shape};
use super::super::{rows, rows_mut};
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

/// A convolution in two parts: each channel by itself over a window, then all channels at each place.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows, columns, filters), with rows and columns as
/// [`Conv2D`](crate::nn::Conv2D) has them.
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `depthwise_kernel` | (kernel rows, kernel columns, channels, depth_multiplier) | `depthwise_initializer` | Glorot uniform |
/// | `pointwise_kernel` | (1, 1, channels · depth_multiplier, filters) | `pointwise_initializer` | Glorot uniform |
/// | `bias` | (filters) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// Initializer, regularizer and constraint of the kernel hold for both kernels, unless a kernel is given its own.
///
/// # Errors
/// In `compile`: samples of another rank; no filters; sizes, strides, dilations or a multiplier of 0; an input
/// smaller than the window.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = SeparableConv2D::new(32, 3).padding(Padding::Same);
/// # let _ = layer;
/// ```
///
/// # References
/// Chollet 2017, arXiv:1610.02357.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeparableConv2D {
    filters: usize,
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
    #[serde(default, skip_serializing_if = "Own::is_default")]
    depthwise: Own,
    #[serde(default, skip_serializing_if = "Own::is_default")]
    pointwise: Own,
}

/// What one of the kernels has of its own; for what it has not, that of both kernels holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    initializer: Option<Initializer>,
    regularizer: Option<Regularizer>,
    constraint: Option<Constraint>,
}

impl Own {
    fn is_default(&self) -> bool {
        self == &Self::default()
    }

    /// The weights with this kernel's own in place of those of both.
    fn over(&self, both: &KernelAndBias) -> KernelAndBias {
        let mut weights = both.clone();
        if let Some(initializer) = &self.initializer {
            weights.kernel_initializer = initializer.clone();
        }
        weights.kernel_regularizer = self.regularizer.or(both.kernel_regularizer);
        weights.kernel_constraint = self.constraint.or(both.kernel_constraint);
        weights
    }
}

fn one() -> Size2D {
    1.into()
}

fn single() -> usize {
    1
}

impl SeparableConv2D {
    /// So many filters behind a window of this size over each channel.
    pub fn new(filters: usize, kernel_size: impl Into<Size2D>) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            dilation_rate: one(),
            depth_multiplier: 1,
            weights: KernelAndBias::default(),
            depthwise: Own::default(),
            pointwise: Own::default(),
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

    /// How many channels the first part makes of each; 1 by default.
    #[must_use]
    pub fn depth_multiplier(mut self, multiplier: usize) -> Self {
        self.depth_multiplier = multiplier;
        self
    }

    /// How the kernel of the first part starts, in place of `kernel_initializer`.
    #[must_use]
    pub fn depthwise_initializer(mut self, initializer: Initializer) -> Self {
        self.depthwise.initializer = Some(initializer);
        self
    }

    /// A penalty on the kernel of the first part, in place of `kernel_regularizer`.
    #[must_use]
    pub fn depthwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.depthwise.regularizer = Some(regularizer);
        self
    }

    /// What the kernel of the first part is projected to after each update, in place of `kernel_constraint`.
    #[must_use]
    pub fn depthwise_constraint(mut self, constraint: Constraint) -> Self {
        self.depthwise.constraint = Some(constraint);
        self
    }

    /// How the kernel of the second part starts, in place of `kernel_initializer`.
    #[must_use]
    pub fn pointwise_initializer(mut self, initializer: Initializer) -> Self {
        self.pointwise.initializer = Some(initializer);
        self
    }

    /// A penalty on the kernel of the second part, in place of `kernel_regularizer`.
    #[must_use]
    pub fn pointwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.pointwise.regularizer = Some(regularizer);
        self
    }

    /// What the kernel of the second part is projected to after each update, in place of `kernel_constraint`.
    #[must_use]
    pub fn pointwise_constraint(mut self, constraint: Constraint) -> Self {
        self.pointwise.constraint = Some(constraint);
        self
    }

    kernel_and_bias_setters!();

    fn planned_for(&self, input: &Shape) -> Result<Depthwise> {
        let (dims, channels) = image("separable_conv2d", false, input)?;
        for (name, value) in [("filters", self.filters), ("depth_multiplier", self.depth_multiplier)] {
            if value == 0 {
                return Err(Error::invalid_parameter("separable_conv2d", name, 0, "at least 1"));
            }
        }
        let sliding = Sliding {
            size: self.kernel_size.dims(),
            strides: self.strides.dims(),
            dilation: self.dilation_rate.dims(),
            padding: self.padding,
            sequence: false,
        };
        let window = sliding.over("separable_conv2d", dims)?;
        Ok(Depthwise { window, channels, multiplier: self.depth_multiplier })
    }

    fn planned(&self, plan: Option<&Plan>) -> Option<Depthwise> {
        plan.and_then(|plan| self.planned_for(plan.input_shape()).ok())
    }
}

impl<F: Float> Layer<F> for SeparableConv2D {
    fn kind(&self) -> &'static str {
        "separable_conv2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let depthwise = self.planned_for(input)?;
        let window = depthwise.window;
        let plan = Plan::output(output_shape(false, window.output, self.filters)).input(input);
        let shape = [window.size[0], window.size[1], depthwise.channels, self.depth_multiplier];
        let plan = self.depthwise.over(&self.weights).kernel(plan, "depthwise_kernel", shape);
        let shape = [1, 1, depthwise.outputs(), self.filters];
        let plan = self.pointwise.over(&self.weights).kernel(plan, "pointwise_kernel", shape);
        // What stands between the two parts, and its gradient for one sample.
        Ok(self
            .weights
            .rest(plan, self.filters)
            .cache(depthwise.output_len())
            .batch_cache(depthwise.output_len()))
    }

    fn forward(&self, Forward { x, mut y, params, cache, plan, .. }: Forward<'_, F>) {
        let Some(depthwise) = self.planned(plan) else { return y.fill(F::nan()) };
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(depthwise.kernel_len());
        let (pointwise, bias) = rest.split_at(depthwise.outputs() * self.filters);
        let between = &mut cache[..x.len() / depthwise.input_len() * depthwise.output_len()];
        between.fill(F::zero());
        let samples = x.chunks_exact(depthwise.input_len());
        for (x, between) in samples.zip(between.chunks_exact_mut(depthwise.output_len())) {
            depthwise.forward(x, kernel, between);
        }
        let between = rows(between, depthwise.outputs());
        let bias = self.weights.use_bias.then_some(bias);
        linalg::affine(between, rows(pointwise, self.filters), bias, rows_mut(y, self.filters));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, plan, .. } = pass;
        let Some(depthwise) = self.planned(plan) else { return dx.fill(F::nan()) };
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (kernel, pointwise) = params.split_at(depthwise.kernel_len());
        let pointwise = rows(&pointwise[..depthwise.outputs() * self.filters], self.filters);
        let (dkernel, rest) = grads.split_at_mut(depthwise.kernel_len());
        let (dpointwise, dbias) = rest.split_at_mut(pointwise.len());
        let (between, dbetween) = cache.split_at_mut(cache.len() - depthwise.output_len());
        linalg::add_rows(rows(dy, self.filters), dbias);
        let seen = rows(between, depthwise.outputs());
        linalg::gemm(
            F::one(),
            seen.t(),
            rows(dy, self.filters),
            F::one(),
            rows_mut(dpointwise, self.filters),
        );
        dx.fill(F::zero());
        let samples = x.chunks_exact(depthwise.input_len()).zip(dx.chunks_exact_mut(depthwise.input_len()));
        for ((x, dx), dy) in samples.zip(dy.chunks_exact(depthwise.window.positions() * self.filters)) {
            let product = rows_mut(dbetween, depthwise.outputs());
            linalg::gemm(F::one(), rows(dy, self.filters), pointwise.t(), F::zero(), product);
            depthwise.backward(x, dbetween, kernel, dkernel, dx_needed.then_some(dx));
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
