use super::overflow::{by_column, standardized};
use super::{Statistics, check_fit, check_learned, check_transform, divisor, fold_columns, taken};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Stretches every feature to a given range.
///
/// z = lo + (x − min) / (max − min) · (hi − lo), with min and max the feature's in the data that `fit` saw. They become exactly lo
/// and hi, and none of these data leaves the range by rounding. The range of a constant feature counts as 1. A feature is
/// constant if its values are equal: values of 1e-20 are stretched as well (scikit-learn leaves a range below 2.2e-15 alone).
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Parameters
/// * `feature_range`: lo and hi. Default: 0 and 1.
/// * `clip`: whether values outside what `fit` saw are held to the range. Default: false.
///
/// # Errors
/// A range that is not ascending or not of finite width, values whose range or result is not representable, data without rows or columns, NaN or infinities in it, another
/// number of features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut scaler = MinMaxScaler::new();
/// scaler.fit(&array![[1.0, -5.0], [3.0, 5.0]])?;
/// assert_eq!(scaler.transform(&array![[2.0, 10.0]])?, array![[0.5, 1.5]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinMaxScaler {
    pub(crate) feature_range: (f64, f64),
    pub(crate) clip: bool,
    seen: Option<Seen>,
}

/// What was learned, one number for each feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) min: Vec<f64>,
    pub(crate) max: Vec<f64>,
}

impl Default for MinMaxScaler {
    fn default() -> Self {
        Self { feature_range: (0.0, 1.0), clip: false, seen: None }
    }
}

impl MinMaxScaler {
    /// To the range from 0 to 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The range to stretch to.
    #[must_use]
    pub fn feature_range(mut self, lo: f64, hi: f64) -> Self {
        self.feature_range = (lo, hi);
        self
    }

    /// Whether values outside what `fit` saw are held to the range.
    #[must_use]
    pub fn clip(mut self, clip: bool) -> Self {
        self.clip = clip;
        self
    }

    /// The features' lowest values.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn data_min(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.seen("data_min")?.min.as_slice().into())
    }

    /// The features' highest values.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn data_max(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.seen("data_max")?.max.as_slice().into())
    }

    /// Learns from one more batch; the first one counts as `fit`.
    ///
    /// # Errors
    /// As `fit`, and a batch of another number of features than the ones before.
    pub fn partial_fit<F: Float, S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<()> {
        let (lo, hi) = self.feature_range;
        if !(lo < hi && (hi - lo).is_finite()) {
            let got = format!("({lo}, {hi})");
            return Err(Error::invalid_parameter(
                "MinMaxScaler",
                "feature_range",
                got,
                "lo < hi with finite hi - lo",
            ));
        }
        check_fit(x)?;
        let mut min = fold_columns(x, f64::INFINITY, f64::min);
        let mut max = fold_columns(x, f64::NEG_INFINITY, f64::max);
        if let Some(seen) = &self.seen {
            check_transform(x, seen.min.len())?;
            min.iter_mut().zip(&seen.min).for_each(|(min, seen)| *min = min.min(*seen));
            max.iter_mut().zip(&seen.max).for_each(|(max, seen)| *max = max.max(*seen));
        }
        let ranges: Vec<f64> = max.iter().zip(&min).map(|(max, min)| max - min).collect();
        check_learned("MinMaxScaler", x, &ranges)?;
        self.seen = Some(Seen { min, max });
        Ok(())
    }

    /// Back from what `transform` gave to the original units; what was clipped stays clipped.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let Seen { min, max } = self.seen("inverse_transform")?;
        check_transform(z, min.len())?;
        let (lo, hi) = self.feature_range;
        by_column(("MinMaxScaler", "z"), z, min, max, |z, min, max| {
            between(occupied(min, max), standardized(z, lo, hi - lo))
        })
    }

    pub(crate) fn seen(&self, method: &'static str) -> Result<&Seen> {
        self.seen.as_ref().ok_or(Error::NotFitted { estimator: "MinMaxScaler", method })
    }
}

/// The interval that becomes the range: of length 1 where a feature is constant.
fn occupied(min: f64, max: f64) -> (f64, f64) {
    (min, if min == max { min + 1.0 } else { max })
}

/// The point at `t` between the ends of an interval, which 0 and 1 give exactly. Computed from the nearer end, so that no `t`
/// from 0 to 1 leaves the interval.
fn between((lo, hi): (f64, f64), t: f64) -> f64 {
    if t < 0.5 { lo + t * (hi - lo) } else { hi + (t - 1.0) * (hi - lo) }
}

crate::estimator::inherent_fit!(MinMaxScaler, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for MinMaxScaler {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        let mut fresh = self.unfitted();
        fresh.partial_fit(x)?;
        *self = fresh;
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for MinMaxScaler {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let Seen { min, max } = self.seen("transform")?;
        check_transform(x, min.len())?;
        let range = self.feature_range;
        let (least, most) = if self.clip { range } else { (f64::NEG_INFINITY, f64::INFINITY) };
        by_column(("MinMaxScaler", "x"), x, min, max, |x, min, max| {
            between(range, standardized(x, min, divisor(max - min))).clamp(least, most)
        })
    }
}

impl Estimator for MinMaxScaler {
    fn unfitted(&self) -> Self {
        Self { seen: None, ..self.clone() }
    }
}

impl Statistics for MinMaxScaler {
    const NAMES: &'static [&'static str] = &["data_min", "data_max"];

    fn statistics(&self) -> Option<Vec<&[f64]>> {
        let Seen { min, max } = self.seen.as_ref()?;
        Some(vec![min, max])
    }

    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self {
        let mut lists = statistics.into_iter();
        let (min, max) = (taken(&mut lists), taken(&mut lists));
        Self { seen: Some(Seen { min, max }), ..self }
    }
}
