//! A fixed factor and shift.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// `y = scale · x + offset`, with fixed numbers: pixels of 0 to 255 become numbers of 0 to 1 with a scale of
/// 1/255.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained.
///
/// # Errors
/// In `compile`: a number that is not finite.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let layer = Rescaling::new(0.5).offset(-1.0);
/// let model = Sequential::new(2).add(layer).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[0.0, 4.0]])?, array![[-1.0, 1.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescaling {
    scale: f64,
    #[serde(default)]
    offset: f64,
}

impl Rescaling {
    /// Multiplies with `scale`.
    #[must_use]
    pub fn new(scale: f64) -> Self {
        Self { scale, offset: 0.0 }
    }

    /// What is added then; 0 by default.
    #[must_use]
    pub fn offset(mut self, offset: f64) -> Self {
        self.offset = offset;
        self
    }
}

impl<F: Float> Layer<F> for Rescaling {
    crate::float::precompiled::into_arc!(Rescaling: Layer<F>);

    fn kind(&self) -> &'static str {
        "rescaling"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        for (name, value) in [("scale", self.scale), ("offset", self.offset)] {
            if !value.is_finite() {
                return Err(Error::invalid_parameter("rescaling", name, value, "a finite number"));
            }
        }
        Ok(Plan::output(input.clone()).passes_mask())
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        let (scale, offset) = (F::of(self.scale), F::of(self.offset));
        y.zip_mut_with(&x, |y, &x| *y = x * scale + offset);
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        let scale = F::of(self.scale);
        dx.zip_mut_with(&dy, |dx, &dy| *dx = dy * scale);
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
