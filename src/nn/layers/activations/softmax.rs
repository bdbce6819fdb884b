//! Softmax as a layer, over any axis.

use super::super::{Runs, axis_of};
use crate::activation::Activation;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Keras's `Softmax` layer: `e^xᵢ / Σ e^xⱼ` over one axis.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. `axis`: counted as Keras does, the batch axis being 0; the last by default.
///
/// # Errors
/// In `compile`: an axis that the sample does not have.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(2).add(Softmax::default()).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[3.0, 3.0]])?, array![[0.5, 0.5]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softmax {
    axis: isize,
}

impl Default for Softmax {
    fn default() -> Self {
        Self { axis: -1 }
    }
}

impl Softmax {
    /// Sets the axis.
    #[must_use]
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The runs along the axis; without a plan the sample counts as a vector.
    fn runs(&self, plan: Option<&Plan>, columns: usize) -> Runs {
        let input = plan.map_or_else(|| Shape::from(columns), |plan| plan.input_shape().clone());
        Runs::along(axis_of("softmax", self.axis, &input).unwrap_or(0), &input)
    }
}

impl<F: Float> Layer<F> for Softmax {
    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let last = axis_of("softmax", self.axis, input)? + 1 == input.rank();
        let plan = Plan::output(input.clone()).input(input);
        // Along the last axis it is left to the container, which hands the logits to a cross-entropy.
        Ok(if last { plan.activation(Activation::Softmax) } else { plan })
    }

    fn forward(&self, Forward { x, mut y, plan, .. }: Forward<'_, F>) {
        y.assign(&x);
        let runs = self.runs(plan, x.ncols());
        let Some(y) = y.as_slice_mut().filter(|_| runs.inner > 1) else { return };
        for y in y.chunks_exact_mut(runs.length * runs.inner) {
            for at in 0..runs.inner {
                let largest =
                    (0..runs.length).map(|i| y[i * runs.inner + at]).fold(F::neg_infinity(), F::max);
                let mut sum = F::zero();
                for i in 0..runs.length {
                    let e = (y[i * runs.inner + at] - largest).exp();
                    y[i * runs.inner + at] = e;
                    sum += e;
                }
                (0..runs.length).for_each(|i| y[i * runs.inner + at] /= sum);
            }
        }
    }

    fn backward(&self, Backward { y, dy, mut dx, plan, .. }: Backward<'_, F>) {
        dx.assign(&dy);
        let runs = self.runs(plan, y.ncols());
        let (Some(y), Some(dx)) = (y.as_slice(), dx.as_slice_mut()) else { return };
        if runs.inner == 1 {
            return;
        }
        let block = runs.length * runs.inner;
        for (y, dx) in y.chunks_exact(block).zip(dx.chunks_exact_mut(block)) {
            for at in 0..runs.inner {
                // dxᵢ = yᵢ (dyᵢ - Σ dyⱼ yⱼ)
                let dot: F = (0..runs.length).map(|i| dx[i * runs.inner + at] * y[i * runs.inner + at]).sum();
                for i in 0..runs.length {
                    let place = i * runs.inner + at;
                    dx[place] = y[place] * (dx[place] - dot);
                }
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
