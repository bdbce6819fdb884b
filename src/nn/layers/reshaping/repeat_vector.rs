//! One vector at every step.

use super::super::rows;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use serde::{Deserialize, Serialize};

/// Repeats a vector `n` times, so that a sequence comes out of it.
///
/// # Shapes
/// (features) comes out as (n, features).
///
/// # Errors
/// In `compile`: an `n` of 0; samples with other than 1 axis.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let model = Sequential::new(2).add(RepeatVector::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&array![[1.0, 2.0]])?, array![[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatVector {
    n: usize,
}

impl RepeatVector {
    /// Repeats `n` times.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { n }
    }
}

impl<F: Float> Layer<F> for RepeatVector {
    fn kind(&self) -> &'static str {
        "repeat_vector"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.n == 0 {
            return Err(Error::invalid_parameter("repeat_vector", "n", 0, "at least 1"));
        }
        if input.rank() != 1 {
            return Err(Error::shape("repeat_vector", "samples (features)", input));
        }
        Ok(Plan::output([self.n, input.last()]).rearranges())
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, F>) {
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            y.exact_chunks_mut(x.len().max(1)).into_iter().for_each(|mut y| y.assign(&x));
        }
    }

    fn backward(&self, Backward { dy, mut dx, .. }: Backward<'_, F>) {
        // y = (x, x, …)  =>  dx = Σ dy over the repetitions
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            dx.fill(F::zero());
            if let Some(dy) = dy.as_slice() {
                rows(dy, dx.len()).rows().into_iter().for_each(|dy| dx += &dy);
            }
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
