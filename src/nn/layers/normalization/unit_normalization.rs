//! Vectors of length 1.

use super::super::{axis_permutation, whole_rows};
use super::{extremes, sum_of};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Divides by the Euclidean norm over some axes, the last by default: `y = x / max(‖x‖, 1e-12)`.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. `axis` [-1] by default.
///
/// # Errors
/// In `compile`: axes that the sample does not have.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::UnitNormalization;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model =
///     Sequential::new(2).add(UnitNormalization::default()).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[3.0, 4.0]])?, array![[0.6000000000000001, 0.8]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitNormalization {
    axis: Vec<isize>,
}

impl Default for UnitNormalization {
    fn default() -> Self {
        Self { axis: vec![-1] }
    }
}

/// The least squared norm that is divided by: that of Keras.
const LEAST: f64 = 1e-24;

impl UnitNormalization {
    /// Creates the layer with Keras's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The axes whose norm is taken together, as in `[-2, -1]`; those that stand last are the fastest.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<Vec<isize>>) -> Self {
        self.axis = axis.into();
        self
    }

    /// How many numbers have a norm together; without a plan, the sample.
    fn width(&self, plan: Option<&Plan>, columns: usize) -> usize {
        plan.map_or(columns, |plan| axis_permutation::lengths(&self.axis, plan.input_shape()).size())
    }

    /// Normalizes the last axes.
    fn forward_last<F: Float>(&self, Forward { x, mut y, cache, plan, .. }: Forward<'_, F>) {
        let width = self.width(plan, x.ncols());
        let rows = whole_rows(x.as_slice(), y.as_slice_mut(), width);
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), inverse) in rows.zip(cache) {
                    let square = sum_of(x, x, |x, _| x * x);
                    *inverse = if square.is_finite() {
                        F::one() / square.max(F::of(LEAST)).sqrt()
                    } else {
                        extremes::inverse_norm(x)
                    };
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * *inverse);
                }
            },
        );
    }

    fn backward_last<F: Float>(&self, Backward { x, dy, mut dx, cache, plan, .. }: Backward<'_, F>) {
        let width = self.width(plan, x.ncols());
        let Some(dy) = dy.as_slice() else { return };
        let rows = whole_rows(x.as_slice(), dx.as_slice_mut(), width);
        vectorize(
            #[inline(always)]
            || {
                for (((x, dx), dy), &mut inverse) in rows.zip(dy.chunks_exact(width.max(1))).zip(cache) {
                    if extremes::is_extreme(inverse) {
                        // As below, through y = x / ‖x‖: products with x overflow.
                        dx.iter_mut().zip(x).for_each(|(dx, &x)| *dx = x * inverse);
                        let dot = sum_of(dy, dx, |dy, y| dy * y);
                        dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = inverse * (dy - *dx * dot));
                        continue;
                    }
                    // dx = (dy - y Σ dy y) / ‖x‖; where the norm is at its least, it is a constant
                    let constant = inverse * inverse >= F::one() / F::of(LEAST);
                    let dot =
                        if constant { F::zero() } else { sum_of(dy, x, |dy, x| dy * x) * inverse * inverse };
                    dx.iter_mut()
                        .zip(x.iter().zip(dy))
                        .for_each(|(dx, (&x, &dy))| *dx = inverse * (dy - x * dot));
                }
            },
        );
    }
}

impl<F: Float> Layer<F> for UnitNormalization {
    crate::float::precompiled::into_arc!(UnitNormalization: Layer<F>);

    fn kind(&self) -> &'static str {
        "unit_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        axis_permutation::axes_of("unit_normalization", &self.axis, input)?;
        let runs = input.size() / axis_permutation::lengths(&self.axis, input).size().max(1);
        // Recorded, because the lengths of the axes are needed; 1/‖x‖ of each run.
        let plan = Plan::output(input.clone()).passes_mask().input(input);
        Ok(plan.cache(axis_permutation::cache_per_sample(&self.axis, input)).cache(runs))
    }

    fn forward(&self, pass: Forward<'_, F>) {
        axis_permutation::forward(&self.axis, pass, |pass| self.forward_last(pass));
    }

    fn backward(&self, pass: Backward<'_, F>) {
        axis_permutation::backward(&self.axis, pass, |pass| self.backward_last(pass));
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
