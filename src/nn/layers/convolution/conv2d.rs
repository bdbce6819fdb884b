//! The convolution over images.

use super::super::window::{Padding, Size2D, Sliding, image, output_shape};
use super::correlation::Correlation;
use super::kernel_and_bias::{KernelAndBias, kernel_and_bias_setters};
use crate::activation::Activation;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::constraint::Constraint;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// A convolution over images: each filter is multiplied with what a window sees at each of its positions.
///
/// # Shapes
/// (rows, columns, channels) comes out as (rows, columns, filters), with `n` steps along an axis becoming
/// `(n - size) / stride + 1` without padding and `⌈n / stride⌉` with zeros around (`Padding::Same`).
///
/// # Parameters
/// | name | shape | initializer | default |
/// |---|---|---|---|
/// | `kernel` | (kernel rows, kernel columns, channels / groups, filters) | `kernel_initializer` | Glorot uniform |
/// | `bias` | (filters) | `bias_initializer` | zeros; absent with `use_bias(false)` |
///
/// # Errors
/// In `compile`: samples of another rank; no filters; sizes, strides or dilations of 0; an input smaller than
/// the window; groups that do not divide the channels and the filters.
///
/// # Examples
/// ```
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
    #[serde(default = "one_group")]
    groups: usize,
    #[serde(default)]
    weights: KernelAndBias,
}

fn one() -> Size2D {
    1.into()
}

fn one_group() -> usize {
    1
}

impl Conv2D {
    /// So many filters over windows of this size.
    pub fn new(filters: usize, kernel_size: impl Into<Size2D>) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: one(),
            padding: Padding::Valid,
            dilation_rate: one(),
            groups: 1,
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

    /// Divides channels and filters into so many groups that do not see each other; 1 by default.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    kernel_and_bias_setters!();

    fn correlation(&self, input: &Shape) -> Result<Correlation> {
        let (dims, channels) = image("conv2d", false, input)?;
        for (name, value) in [("filters", self.filters), ("groups", self.groups)] {
            if value == 0 {
                return Err(Error::invalid_parameter("conv2d", name, 0, "at least 1"));
            }
        }
        if !channels.is_multiple_of(self.groups) || !self.filters.is_multiple_of(self.groups) {
            let expected =
                format!("a divisor of the {channels} channels and of the {} filters", self.filters);
            return Err(Error::invalid_parameter("conv2d", "groups", self.groups, expected));
        }
        let sliding = Sliding {
            size: self.kernel_size.dims(),
            strides: self.strides.dims(),
            dilation: self.dilation_rate.dims(),
            padding: self.padding,
            sequence: false,
        };
        let window = sliding.over("conv2d", dims)?;
        let (filters, groups, use_bias) = (self.filters, self.groups, self.weights.use_bias);
        Ok(Correlation { window, channels, filters, groups, use_bias })
    }
}

impl<F: Float> Layer<F> for Conv2D {
    fn kind(&self) -> &'static str {
        "conv2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let correlation = self.correlation(input)?;
        let shape = [
            correlation.window.size[0],
            correlation.window.size[1],
            correlation.channels / self.groups,
            self.filters,
        ];
        let plan = Plan::output(output_shape(false, correlation.window.output, self.filters)).input(input);
        let plan = self.weights.kernel(plan, "kernel", shape);
        Ok(self.weights.rest(plan, self.filters).batch_cache(correlation.batch_cache()))
    }

    fn forward(&self, mut pass: Forward<'_, F>) {
        match pass.plan.and_then(|plan| self.correlation(plan.input_shape()).ok()) {
            Some(correlation) => correlation.forward(pass),
            None => pass.y.fill(F::nan()),
        }
    }

    fn backward(&self, mut pass: Backward<'_, F>) {
        match pass.plan.and_then(|plan| self.correlation(plan.input_shape()).ok()) {
            Some(correlation) => correlation.backward(pass),
            None => pass.dx.fill(F::nan()),
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
