//! Vectors of length 1.

use super::super::whole_rows;
use super::sum_of;
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// Divides by the Euclidean norm over the last axis: `y = x / max(‖x‖, 1e-12)`.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model =
///     Sequential::new(2).add(UnitNormalization::default()).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[3.0, 4.0]])?, array![[0.6000000000000001, 0.8]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnitNormalization {}

/// The least squared norm that is divided by: that of Keras.
const LEAST: f64 = 1e-24;

impl<F: Float> Layer<F> for UnitNormalization {
    fn kind(&self) -> &'static str {
        "unit_normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        // Recorded, because the length of the last axis is needed; 1/‖x‖ of each run.
        Ok(Plan::output(input.clone()).input(input).cache(input.size() / input.last().max(1)))
    }

    fn forward(&self, Forward { x, mut y, cache, plan, .. }: Forward<'_, F>) {
        let width = plan.map_or(x.ncols(), |plan| plan.input_shape().last());
        let rows = whole_rows(x.as_slice(), y.as_slice_mut(), width);
        vectorize(
            #[inline(always)]
            || {
                for ((x, y), inverse) in rows.zip(cache) {
                    *inverse = F::one() / sum_of(x, x, |x, _| x * x).max(F::of(LEAST)).sqrt();
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * *inverse);
                }
            },
        );
    }

    fn backward(&self, Backward { x, dy, mut dx, cache, plan, .. }: Backward<'_, F>) {
        let width = plan.map_or(x.ncols(), |plan| plan.input_shape().last());
        let Some(dy) = dy.as_slice() else { return };
        let rows = whole_rows(x.as_slice(), dx.as_slice_mut(), width);
        vectorize(
            #[inline(always)]
            || {
                for (((x, dx), dy), &mut inverse) in rows.zip(dy.chunks_exact(width.max(1))).zip(cache) {
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

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
