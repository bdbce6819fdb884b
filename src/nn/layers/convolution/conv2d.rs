//! 2D convolution over images.

use super::correlation::Correlation;
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::defaults::one;
use crate::nn::layers::kernel_and_bias::{KernelAndBias, kernel_and_bias_setters};
use crate::nn::layers::passes::geometry_layer;
use crate::nn::layers::window::{Padding, Size2D, WindowSpec, window_setters};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// 2D convolution over images: each output element is the sum of a filter multiplied by the window at its position.
///
/// # Shapes
/// (rows, columns, channels) becomes (rows, columns, filters). An axis of length `n` becomes `(n - size) / stride +
/// 1` with [`Padding::Valid`] and `⌈n / stride⌉` with [`Padding::Same`].
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (kernel rows, kernel columns, channels / groups, filters) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (filters) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: samples of another rank; filters, sizes, strides, dilation rates or groups of 0; an input smaller
/// than the window; groups that do not divide the channels and the filters; causal padding.
///
/// # Examples
/// ```
/// use axonal::custom::Shape;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(16, 3).activation(Activation::Relu))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([26, 26, 16]));
/// # Ok(())
/// # }
/// ```
///
/// # References
/// LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2D {
    filters: usize,
    kernel_size: Size2D,
    #[serde(default = "one")]
    strides: Size2D,
    #[serde(default)]
    padding: Padding,
    #[serde(default = "one")]
    dilation_rate: Size2D,
    #[serde(default = "one")]
    groups: usize,
    #[serde(default)]
    weights: KernelAndBias,
}

impl Conv2D {
    /// Creates a convolution with this number of filters and this window size.
    pub fn new(filters: usize, kernel_size: impl Into<Size2D>) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            dilation_rate: one(),
            groups: one(),
            weights: KernelAndBias::default(),
        }
    }

    window_setters!(impl Into<Size2D>);

    /// Sets the number of groups, into which channels and filters are divided; a filter sees the channels of its
    /// group only. 1 by default.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    kernel_and_bias_setters!(weights);

    fn geometry(&self, kind: &'static str, input: &Shape) -> Result<Correlation<'_>> {
        let spec = WindowSpec::new(self.kernel_size, self.strides, self.dilation_rate, self.padding);
        Correlation::new(kind, spec, self.filters, self.groups, &self.weights, input)
    }
}

geometry_layer!(Conv2D: "conv2d");
