//! Activity regularization: a penalty on the values that pass through.

use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::passes::identity_passes;
use crate::nn::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// Adds the penalty `(l1 Σ|x| + l2 Σx²) / batch size` to the loss; the output is the input.
///
/// # Shapes
/// Any, unchanged.
///
/// # Parameters
/// No trainable parameters. `l1` and `l2`: the factors of the penalty; 0 by default.
///
/// # Errors
/// In `compile`: a factor that is negative or not finite.
///
/// # Examples
/// ```
/// use axonal::layers::ActivityRegularization;
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
    /// Creates the layer with these factors of the L1 and the L2 penalty.
    #[must_use]
    pub fn new(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }
}

impl<F: Float> Layer<F> for ActivityRegularization {
    crate::float::precompiled::into_arc!(ActivityRegularization: Layer<F>);

    fn kind(&self) -> &'static str {
        "activity_regularization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let regularizer = Regularizer::l1_l2(self.l1, self.l2);
        Ok(Plan::output(input.clone()).passes_mask().activity_regularizer(Some(regularizer)))
    }

    identity_passes!();

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
