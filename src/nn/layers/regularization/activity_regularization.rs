//! A penalty on what passes through.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Adds `(l1 Σ|x| + l2 Σx²) / batch` to the loss and lets `x` pass as it is.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained.
///
/// # Errors
/// In `compile`: a factor that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let layer = ActivityRegularization::new(0.0, 0.01);
/// # let _ = layer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivityRegularization {
    l1: f64,
    l2: f64,
}

impl ActivityRegularization {
    /// The penalty's two factors.
    #[must_use]
    pub fn new(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }
}

impl<F: Float> Layer<F> for ActivityRegularization {
    fn kind(&self) -> &'static str {
        "activity_regularization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let regularizer = Regularizer::l1_l2(self.l1, self.l2);
        Ok(Plan::output(input.clone()).passes_mask().activity_regularizer(Some(regularizer)))
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
