//! L1 and L2 regularization of weights and outputs.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::simd::vectorize;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// L1 and L2 regularization: the penalty `l1 Σ|w| + l2 Σw²` is added to the loss, without a factor ½, as in Keras.
///
/// # Examples
/// ```
/// use axonal::prelude::Regularizer;
///
/// assert_eq!(Regularizer::l2(0.1).penalty(&[1.0, -2.0]), 0.5);
/// assert_eq!(Regularizer::l1_l2(1.0, 0.5).penalty(&[1.0, -2.0]), 5.5);
/// // By name, with Keras's default factors: 0.01, and 0 for "l1_l2".
/// assert_eq!("l2".parse::<Regularizer>()?, Regularizer::l2(0.01));
/// # Ok::<(), axonal::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Regularizer {
    /// The L1 factor.
    pub l1: f64,
    /// The L2 factor.
    pub l2: f64,
}

impl Regularizer {
    /// Creates the penalty `factor · Σ|w|`.
    #[must_use]
    pub fn l1(factor: f64) -> Self {
        Self { l1: factor, l2: 0.0 }
    }

    /// Creates the penalty `factor · Σw²`.
    #[must_use]
    pub fn l2(factor: f64) -> Self {
        Self { l1: 0.0, l2: factor }
    }

    /// Creates the penalty `l1 · Σ|w| + l2 · Σw²`.
    #[must_use]
    pub fn l1_l2(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }

    /// Checks that the factors are finite and not negative. `owner` names the layer in the error.
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

    /// Computes the penalty on `values`.
    pub fn penalty<F: Float>(&self, values: &[F]) -> f64 {
        let (absolute, squares) = values.iter().fold((0.0, 0.0), |(absolute, squares), v| {
            let v = v.as_f64();
            (absolute + v.abs(), squares + v * v)
        });
        self.l1 * absolute + self.l2 * squares
    }

    /// Adds `scale` times the gradient of the penalty at `values` to `gradient`. The gradient of |w| at 0 is 0.
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

impl FromStr for Regularizer {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "l1" => Self::l1(0.01),
            "l2" => Self::l2(0.01),
            "l1_l2" | "l1l2" => Self::l1_l2(0.0, 0.0),
            _ => return Err(Error::unknown_name("regularizer", name, ["l1", "l2", "l1_l2"])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Regularizer;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "l3".parse::<Regularizer>().unwrap_err().to_string();
        assert!(error.contains("l3") && error.contains("l1_l2"), "{error}");
        assert_eq!("L1L2".parse::<Regularizer>().unwrap(), Regularizer::l1_l2(0.0, 0.0));
        assert_eq!("L1".parse::<Regularizer>().unwrap(), Regularizer::l1(0.01));
    }
}
