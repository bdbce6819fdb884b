//! The average over sequences.

use super::super::window::{Padding, Sliding, image, output_shape};
use super::average_pool::AveragePool;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keeps the mean of what a window sees in each channel; zeros beyond the edges do not count.
///
/// # Shapes
/// (steps, channels); the channels stay, and `n` along an axis becomes `(n - size) / stride + 1`, or `⌈n / stride⌉` with
/// `Padding::Same`.
///
/// # Parameters
/// None. The strides are the window's size by default.
///
/// # Errors
/// In `compile`: samples of another rank; a size or strides of 0; an input smaller than the window; causal
/// padding.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([10, 4])
///     .add(AveragePooling1D::new(2))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([5, 4]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AveragePooling1D {
    pool_size: usize,
    strides: Option<usize>,
    padding: Padding,
}

impl Default for AveragePooling1D {
    fn default() -> Self {
        Self::new(2)
    }
}

impl AveragePooling1D {
    /// Windows of this size; Keras's default is 2.
    #[must_use]
    pub fn new(pool_size: usize) -> Self {
        Self { pool_size, strides: None, padding: Padding::Valid }
    }

    /// How far the window moves; as far as it is large by default.
    #[must_use]
    pub fn strides(mut self, strides: usize) -> Self {
        self.strides = Some(strides);
        self
    }

    /// What lies beyond the edges; nothing by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    fn pool(&self, input: &Shape) -> Result<AveragePool> {
        let (dims, channels) = image("average_pooling1d", true, input)?;
        let strides = self.strides.unwrap_or(self.pool_size);
        let sliding = Sliding {
            size: [1, self.pool_size],
            strides: [1, strides],
            dilation: [1, 1],
            padding: super::no_causal("average_pooling1d", self.padding)?,
            sequence: true,
        };
        Ok(AveragePool { window: sliding.over("average_pooling1d", dims)?, channels })
    }
}

impl<F: Float> Layer<F> for AveragePooling1D {
    fn kind(&self) -> &'static str {
        "average_pooling1d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let pool = self.pool(input)?;
        let plan = Plan::output(output_shape(true, pool.window.output, pool.channels)).input(input);
        Ok(plan)
    }

    fn forward(&self, mut pass: Forward<'_, F>) {
        match pass.plan.and_then(|plan| self.pool(plan.input_shape()).ok()) {
            Some(pool) => pool.forward(pass),
            None => pass.y.fill(F::nan()),
        }
    }

    fn backward(&self, mut pass: Backward<'_, F>) {
        match pass.plan.and_then(|plan| self.pool(plan.input_shape()).ok()) {
            Some(pool) => pool.backward(pass),
            None => pass.dx.fill(F::nan()),
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
