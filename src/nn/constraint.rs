//! Constraints on weights, applied after each update.

use crate::error::{Error, Result};
use crate::float::Float;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A constraint on a weight: a projection after each update.
///
/// Norms are Euclidean and reduce the first axis, so each unit of a dense layer has a norm. [`axes`](Self::axes) sets
/// the number of leading axes that are reduced: 3 for the kernel (height, width, in, out) of a convolution.
///
/// # Examples
/// ```
/// use axonal::layers::Constraint;
/// use axonal::prelude::*;
///
/// // Two units with the norms 5 and 1.
/// let mut kernel: [f64; 4] = [3.0, 1.0, 4.0, 0.0];
/// Constraint::max_norm(2.0).apply(&[2, 2], &mut kernel);
/// assert!((kernel[0] - 1.2).abs() < 1e-6 && (kernel[2] - 1.6).abs() < 1e-6 && kernel[1] > 0.999999);
/// // By name, with Keras's bounds.
/// assert_eq!("max_norm".parse::<Constraint>()?, Constraint::max_norm(2.0));
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Srivastava et al. 2014, JMLR 15 (max-norm).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Constraint {
    /// Sets negative weights to 0.
    NonNeg,
    /// Scales weights to a largest norm; see [`Constraint::max_norm`].
    MaxNorm {
        /// The largest norm.
        max_value: f64,
        /// The number of leading axes that norms reduce.
        axes: usize,
    },
    /// Scales weights to norm 1; see [`Constraint::unit_norm`].
    UnitNorm {
        /// The number of leading axes that norms reduce.
        axes: usize,
    },
    /// Scales weights to norms within a range; see [`Constraint::min_max_norm`].
    MinMaxNorm {
        /// The smallest norm.
        min_value: f64,
        /// The largest norm.
        max_value: f64,
        /// The fraction of the distance to the range that each update covers.
        rate: f64,
        /// The number of leading axes that norms reduce.
        axes: usize,
    },
}

/// Keras's ε, which is added to a norm before the division.
const EPSILON: f64 = 1e-7;

impl Constraint {
    /// Constrains norms to at most `max_value`; Keras's default is 2.
    #[must_use]
    pub fn max_norm(max_value: f64) -> Self {
        Self::MaxNorm { max_value, axes: 1 }
    }

    /// Constrains norms to 1.
    #[must_use]
    pub fn unit_norm() -> Self {
        Self::UnitNorm { axes: 1 }
    }

    /// Constrains norms to `min_value..=max_value`. Each update covers the fraction `rate` of the distance; Keras's
    /// defaults are 0, 1 and 1.
    #[must_use]
    pub fn min_max_norm(min_value: f64, max_value: f64, rate: f64) -> Self {
        Self::MinMaxNorm { min_value, max_value, rate, axes: 1 }
    }

    /// Sets the number of leading axes that norms reduce; by default 1.
    #[must_use]
    pub fn axes(mut self, axes: usize) -> Self {
        match &mut self {
            Self::NonNeg => {}
            Self::MaxNorm { axes: field, .. }
            | Self::UnitNorm { axes: field }
            | Self::MinMaxNorm { axes: field, .. } => *field = axes,
        }
        self
    }

    /// Checks that the bounds are finite, not negative and in order. `owner` names the weight in the error.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`].
    pub fn validate(&self, owner: &str) -> Result<()> {
        let owner = format!("{owner}, constraint");
        let check = |name, value: f64, in_range: bool, expected: &str| {
            if in_range { Ok(()) } else { Err(Error::invalid_parameter(&*owner, name, value, expected)) }
        };
        let bound = |name, value: f64| {
            check(name, value, value >= 0.0 && value.is_finite(), "a finite number of at least 0")
        };
        match *self {
            Self::NonNeg | Self::UnitNorm { .. } => Ok(()),
            Self::MaxNorm { max_value, .. } => bound("max_value", max_value),
            Self::MinMaxNorm { min_value, max_value, rate, .. } => {
                bound("min_value", min_value)?;
                bound("max_value", max_value)?;
                check("max_value", max_value, max_value >= min_value, "a number of at least min_value")?;
                check("rate", rate, (0.0..=1.0).contains(&rate), "0 <= rate <= 1")
            }
        }
    }

    /// Projects a weight of the given shape.
    ///
    /// # Shapes
    /// `values`: row-major, with the elements of `shape`.
    pub fn apply<F: Float>(&self, shape: &[usize], values: &mut [F]) {
        let (axes, target): (usize, &dyn Fn(f64) -> f64) = match *self {
            Self::NonNeg => {
                return values.iter_mut().for_each(|w| *w = if *w < F::zero() { F::zero() } else { *w });
            }
            Self::MaxNorm { max_value, axes } => (axes, &move |norm: f64| norm.min(max_value)),
            Self::UnitNorm { axes } => (axes, &|_| 1.0),
            Self::MinMaxNorm { min_value, max_value, rate, axes } => {
                (axes, &move |norm: f64| rate * norm.clamp(min_value, max_value) + (1.0 - rate) * norm)
            }
        };
        let columns: usize = shape.iter().skip(axes).product::<usize>().max(1);
        for column in 0..columns {
            let elements = || (column..values.len()).step_by(columns);
            let norm = elements().map(|index| values[index].as_f64().powi(2)).sum::<f64>().sqrt();
            let factor = F::of(target(norm) / (EPSILON + norm));
            elements().for_each(|index| values[index] *= factor);
        }
    }
}

impl FromStr for Constraint {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().replace('_', "").as_str() {
            "nonneg" => Self::NonNeg,
            "maxnorm" => Self::max_norm(2.0),
            "unitnorm" => Self::unit_norm(),
            "minmaxnorm" => Self::min_max_norm(0.0, 1.0, 1.0),
            _ => {
                let known = ["non_neg", "max_norm", "unit_norm", "min_max_norm"];
                return Err(Error::unknown_name("constraint", name, known));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Constraint;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "positive".parse::<Constraint>().unwrap_err().to_string();
        assert!(error.contains("positive") && error.contains("non_neg"), "{error}");
        assert_eq!("NonNeg".parse::<Constraint>().unwrap(), Constraint::NonNeg);
        assert_eq!("unit_norm".parse::<Constraint>().unwrap(), Constraint::unit_norm());
        assert_eq!("MinMaxNorm".parse::<Constraint>().unwrap(), Constraint::min_max_norm(0.0, 1.0, 1.0));
    }
}
