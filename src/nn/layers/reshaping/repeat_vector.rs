//! Repetition of a vector as a sequence.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::positive::require_positive;
use crate::nn::layers::rows::rows;
use serde::{Deserialize, Serialize};

/// Repeats a vector `n` times, as the steps of a sequence.
///
/// # Shapes
/// (features) becomes (n, features).
///
/// # Parameters
/// No trainable parameters. `n`: the number of repetitions.
///
/// # Errors
/// In `compile`: an `n` of 0; samples of another rank than 1.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::RepeatVector;
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
    /// Creates a layer that repeats vectors `n` times.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { n }
    }
}

impl<F: Float> Layer<F> for RepeatVector {
    crate::float::precompiled::into_arc!(RepeatVector: Layer<F>);

    fn kind(&self) -> &'static str {
        "repeat_vector"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        require_positive("repeat_vector", &[("n", self.n)])?;
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
