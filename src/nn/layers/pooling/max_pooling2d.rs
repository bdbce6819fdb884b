//! The maximum over images.

use super::super::window::{Padding, Size2D, Sliding, image, output_shape};
use super::max_pool::MaxPool;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keeps the largest number that a window sees in each channel. The gradient goes to the first of several.
///
/// # Shapes
/// (rows, columns, channels); the channels stay, and `n` along an axis becomes `(n - size) / stride + 1`, or `⌈n / stride⌉` with
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
/// let model: Model<f32> = Sequential::new([28, 28, 3])
///     .add(MaxPooling2D::new(2))
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from([14, 14, 3]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxPooling2D {
    pool_size: Size2D,
    strides: Option<Size2D>,
    padding: Padding,
}

impl Default for MaxPooling2D {
    fn default() -> Self {
        Self::new(2)
    }
}

impl MaxPooling2D {
    /// Windows of this size; Keras's default is 2.
    #[must_use]
    pub fn new(pool_size: impl Into<Size2D>) -> Self {
        Self { pool_size: pool_size.into(), strides: None, padding: Padding::Valid }
    }

    /// How far the window moves; as far as it is large by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Size2D>) -> Self {
        self.strides = Some(strides.into());
        self
    }

    /// What lies beyond the edges; nothing by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    fn pool(&self, input: &Shape) -> Result<MaxPool> {
        let (dims, channels) = image("max_pooling2d", false, input)?;
        let strides = self.strides.unwrap_or(self.pool_size);
        let sliding = Sliding {
            size: self.pool_size.dims(),
            strides: strides.dims(),
            dilation: [1, 1],
            padding: super::no_causal("max_pooling2d", self.padding)?,
            sequence: false,
        };
        Ok(MaxPool { window: sliding.over("max_pooling2d", dims)?, channels })
    }
}

impl<F: Float> Layer<F> for MaxPooling2D {
    fn kind(&self) -> &'static str {
        "max_pooling2d"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let pool = self.pool(input)?;
        let plan = Plan::output(output_shape(false, pool.window.output, pool.channels)).input(input);
        Ok(plan.cache(pool.window.positions() * pool.channels))
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
