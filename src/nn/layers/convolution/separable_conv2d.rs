//! 2D depthwise separable convolution over images.

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
use crate::nn::layers::rows::{rows, rows_mut};
use crate::nn::layers::window::{Padding, Size2D, WindowSpec, window_setters};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// 2D depthwise separable convolution over images: a depthwise convolution, then a pointwise (1 × 1) convolution that
/// mixes the channels.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows, columns, filters); the output's rows and columns are those of
/// [`Conv2D`](crate::layers::Conv2D).
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `depthwise_kernel` | (kernel rows, kernel columns, channels, depth_multiplier) | `depthwise_initializer` | Glorot uniform |
/// | `pointwise_kernel` | (1, 1, channels · depth_multiplier, filters) | `pointwise_initializer` | Glorot uniform |
/// | `bias` | (filters) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// `kernel_initializer`, `kernel_regularizer` and `kernel_constraint` apply to both kernels; the setters with
/// `depthwise_` and `pointwise_` in their names override them for one.
///
/// # Errors
/// In `compile`: samples of another rank; filters, sizes, strides, dilation rates or a depth multiplier of 0; an input
/// smaller than the window; causal padding.
///
/// # Examples
/// ```
/// use axonal::layers::SeparableConv2D;
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
    #[serde(default = "one")]
    depth_multiplier: usize,
    #[serde(default)]
    weights: KernelAndBias,
    #[serde(default, skip_serializing_if = "KernelOverrides::is_default")]
    depthwise: KernelOverrides,
    #[serde(default, skip_serializing_if = "KernelOverrides::is_default")]
    pointwise: KernelOverrides,
}

/// Initializer, regularizer and constraint of one of the two kernels, where they differ from those of both.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct KernelOverrides {
    initializer: Option<Initializer>,
    regularizer: Option<Regularizer>,
    constraint: Option<Constraint>,
}

impl KernelOverrides {
    fn is_default(&self) -> bool {
        self == &Self::default()
    }

    /// Returns the hyperparameters of this kernel: those of both kernels with the overrides.
    fn apply_to(&self, both: &KernelAndBias) -> KernelAndBias {
        let mut weights = both.clone();
        if let Some(initializer) = &self.initializer {
            weights.kernel_initializer = initializer.clone();
        }
        weights.kernel_regularizer = self.regularizer.or(both.kernel_regularizer);
        weights.kernel_constraint = self.constraint.or(both.kernel_constraint);
        weights
    }
}

impl SeparableConv2D {
    /// Creates a separable convolution with this number of filters and this window size.
    pub fn new(filters: usize, kernel_size: impl Into<Size2D>) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            dilation_rate: one(),
            depth_multiplier: one(),
            weights: KernelAndBias::default(),
            depthwise: KernelOverrides::default(),
            pointwise: KernelOverrides::default(),
        }
    }

    window_setters!(impl Into<Size2D>);

    /// Sets the number of depthwise filters per channel; 1 by default.
    #[must_use]
    pub fn depth_multiplier(mut self, multiplier: usize) -> Self {
        self.depth_multiplier = multiplier;
        self
    }

    /// Sets the initializer of the depthwise kernel; `kernel_initializer` by default.
    #[must_use]
    pub fn depthwise_initializer(mut self, initializer: Initializer) -> Self {
        self.depthwise.initializer = Some(initializer);
        self
    }

    /// Sets the regularizer of the depthwise kernel; `kernel_regularizer` by default.
    #[must_use]
    pub fn depthwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.depthwise.regularizer = Some(regularizer);
        self
    }

    /// Sets the constraint of the depthwise kernel; `kernel_constraint` by default.
    #[must_use]
    pub fn depthwise_constraint(mut self, constraint: Constraint) -> Self {
        self.depthwise.constraint = Some(constraint);
        self
    }

    /// Sets the initializer of the pointwise kernel; `kernel_initializer` by default.
    #[must_use]
    pub fn pointwise_initializer(mut self, initializer: Initializer) -> Self {
        self.pointwise.initializer = Some(initializer);
        self
    }

    /// Sets the regularizer of the pointwise kernel; `kernel_regularizer` by default.
    #[must_use]
    pub fn pointwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.pointwise.regularizer = Some(regularizer);
        self
    }

    /// Sets the constraint of the pointwise kernel; `kernel_constraint` by default.
    #[must_use]
    pub fn pointwise_constraint(mut self, constraint: Constraint) -> Self {
        self.pointwise.constraint = Some(constraint);
        self
    }

    kernel_and_bias_setters!(weights);

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<Separable<'_>> {
        let spec = WindowSpec::new(self.kernel_size, self.strides, self.dilation_rate, self.padding);
        let counts = [("filters", self.filters)];
        let depthwise = Depthwise::new(kind, spec, self.depth_multiplier, &counts, input)?;
        Ok(Separable { depthwise, layer: self })
    }
}

geometry_layer!(SeparableConv2D: "separable_conv2d");

/// Geometry of a separable convolution. `hidden` is the output of the depthwise convolution.
#[derive(Debug)]
struct Separable<'a> {
    depthwise: Depthwise,
    layer: &'a SeparableConv2D,
}

impl Separable<'_> {
    /// Declares the output shape, the parameters, and caches for `hidden`, its gradient and the depthwise convolution.
    fn plan(&self, input: &Shape) -> Plan {
        let Self { depthwise, layer: SeparableConv2D { filters, weights, depthwise: own, pointwise, .. } } =
            self;
        let plan = Plan::output(depthwise.output_shape(*filters)).input(input);
        let plan = own.apply_to(weights).kernel(plan, "depthwise_kernel", depthwise.kernel_shape());
        let shape = [1, 1, depthwise.output_channels(), *filters];
        let plan = pointwise.apply_to(weights).kernel(plan, "pointwise_kernel", shape);
        let plan = weights.bias_and_activation(plan, *filters);
        plan.cache(depthwise.output_len().saturating_mul(2)).batch_cache(depthwise.batch_cache())
    }

    fn forward<F: Float>(&self, Forward { x, mut y, params, cache, .. }: Forward<'_, F>) {
        let (depthwise, filters) = (self.depthwise, self.layer.filters);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) else { return };
        let (kernel, rest) = params.split_at(depthwise.kernel_len());
        let (pointwise, bias) = rest.split_at(depthwise.output_channels() * filters);
        let (hidden, rest) = cache.split_at_mut(x.len() / depthwise.input_len() * depthwise.output_len());
        let (_, depthwise_cache) = rest.split_at_mut(hidden.len());
        depthwise.forward(x, kernel, None, hidden, depthwise_cache);
        let hidden = rows(hidden, depthwise.output_channels());
        let bias = self.layer.weights.use_bias.then_some(bias);
        linalg::affine(hidden, rows(pointwise, filters), bias, rows_mut(y, filters));
    }

    fn backward<F: Float>(&self, pass: Backward<'_, F>) {
        let Backward { x, dy, mut dx, dx_needed, params, grads, cache, .. } = pass;
        let (depthwise, filters) = (self.depthwise, self.layer.filters);
        let (Some(x), Some(dy), Some(dx)) = (x.as_slice(), dy.as_slice(), dx.as_slice_mut()) else { return };
        let (kernel, pointwise) = params.split_at(depthwise.kernel_len());
        let pointwise = rows(&pointwise[..depthwise.output_channels() * filters], filters);
        let (dkernel, rest) = grads.split_at_mut(depthwise.kernel_len());
        let (dpointwise, dbias) = rest.split_at_mut(pointwise.len());
        let (hidden, rest) = cache.split_at_mut(x.len() / depthwise.input_len() * depthwise.output_len());
        let (dhidden, cache) = rest.split_at_mut(hidden.len());
        let (hidden, dy_rows) = (rows(hidden, depthwise.output_channels()), rows(dy, filters));
        // y = hidden · pointwise + bias  =>  dpointwise += hiddenᵀ · dy, dbias += Σ dy, dhidden = dy · pointwiseᵀ
        linalg::add_rows(dy_rows, dbias);
        linalg::gemm(F::one(), hidden.t(), dy_rows, F::one(), rows_mut(dpointwise, filters));
        let product = rows_mut(dhidden, depthwise.output_channels());
        linalg::gemm(F::one(), dy_rows, pointwise.t(), F::zero(), product);
        depthwise.backward(DepthwiseBackward { x, dy: dhidden, kernel, dkernel, dx, dx_needed, cache });
    }
}
