//! One axis from several.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Makes one axis of all: (28, 28) becomes (784), in row-major order.
///
/// # Shapes
/// (a, b, …) comes out as (a · b · …).
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new([28, 28])
///     .add(Flatten::default())
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.output_shape(), &Shape::from(784));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flatten {}

impl<F: Float> Layer<F> for Flatten {
    fn kind(&self) -> &'static str {
        "flatten"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan::output(input.size()).rearranges())
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        dx.assign(&dy);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
