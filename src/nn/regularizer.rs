//! Penalties on weights and outputs.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};

/// A penalty `l1 Σ|w| + l2 Σw²` that is added to the loss (Keras: no factor ½).
///
/// # Examples
/// ```
/// use axonal::prelude::Regularizer;
///
/// assert_eq!(Regularizer::l2(0.1).penalty(&[1.0, -2.0]), 0.5);
/// assert_eq!(Regularizer::l1_l2(1.0, 0.5).penalty(&[1.0, -2.0]), 5.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Regularizer {
    /// The factor of the sum of absolute values.
    pub l1: f64,
    /// The factor of the sum of squares.
    pub l2: f64,
}

impl Regularizer {
    /// `factor · Σ|w|`.
    #[must_use]
    pub fn l1(factor: f64) -> Self {
        Self { l1: factor, l2: 0.0 }
    }

    /// `factor · Σw²`.
    #[must_use]
    pub fn l2(factor: f64) -> Self {
        Self { l1: 0.0, l2: factor }
    }

    /// `l1 · Σ|w| + l2 · Σw²`.
    #[must_use]
    pub fn l1_l2(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }

    /// Refuses factors that are negative or not finite; `owner` names the layer.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`].
    pub fn validate(&self, owner: &str) -> Result<()> {
        for (name, factor) in [("l1", self.l1), ("l2", self.l2)] {
            if !(factor >= 0.0 && factor.is_finite()) {
                let owner = format!("{owner}, regularizer");
                return Err(Error::invalid_parameter(owner, name, factor, "a finite number of at least 0"));
            }
        }
        Ok(())
    }

    /// The penalty on `values`.
    pub fn penalty<F: Float>(&self, values: &[F]) -> f64 {
        let (absolute, squares) = values.iter().fold((0.0, 0.0), |(absolute, squares), v| {
            let v = v.as_f64();
            (absolute + v.abs(), squares + v * v)
        });
        self.l1 * absolute + self.l2 * squares
    }

    /// Adds `scale` times the penalty's gradient at `values` to `gradient`; the gradient of |w| at 0 is 0.
    pub fn add_gradient<F: Float>(&self, scale: f64, values: &[F], gradient: &mut [F]) {
        let (l1, l2) = (F::of(scale * self.l1), F::of(scale * 2.0 * self.l2));
        vectorize(
            #[inline(always)]
            || {
                for (gradient, &value) in gradient.iter_mut().zip(values) {
                    let sign = if value > F::zero() {
                        F::one()
                    } else if value < F::zero() {
                        -F::one()
                    } else {
                        F::zero()
                    };
                    *gradient += l1 * sign + l2 * value;
                }
            },
        );
    }
}
