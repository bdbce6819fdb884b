use super::overflow::{by_column, restored, standardized};
use super::{Statistics, check_fit, check_learned, check_transform, quantile, taken};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Centers every feature at its median and scales it by the range between two quantiles: outliers have no say.
///
/// z = (x − median) / (q_hi − q_lo). A range that is 0, up to the rounding of the quantiles, counts as 1; small values have a
/// small range and are scaled as well.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Parameters
/// * `with_centering`: subtract the median. Default: true.
/// * `with_scaling`: divide by the range. Default: true.
/// * `quantile_range`: the two quantiles in percent. Default: 25 and 75.
///
/// # Errors
/// Quantiles outside 0 to 100 or not ascending, values whose range or result is not representable, data without rows or columns, NaN or infinities in it, another
/// number of features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::RobustScaler;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let z = RobustScaler::new().fit_transform(&array![[1.0], [2.0], [3.0], [4.0], [1e9]])?;
/// assert_eq!(z.column(0).to_vec()[..4], [-1.0, -0.5, 0.0, 0.5]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustScaler {
    with_centering: bool,
    with_scaling: bool,
    quantile_range: (f64, f64),
    learned: Option<Learned>,
}

/// What was learned, one number for each feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    center: Vec<f64>,
    scale: Vec<f64>,
}

impl Default for RobustScaler {
    fn default() -> Self {
        Self { with_centering: true, with_scaling: true, quantile_range: (25.0, 75.0), learned: None }
    }
}

impl RobustScaler {
    /// Median and interquartile range.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to subtract the median.
    #[must_use]
    pub fn with_centering(mut self, with_centering: bool) -> Self {
        self.with_centering = with_centering;
        self
    }

    /// Whether to divide by the range.
    #[must_use]
    pub fn with_scaling(mut self, with_scaling: bool) -> Self {
        self.with_scaling = with_scaling;
        self
    }

    /// The two quantiles in percent.
    #[must_use]
    pub fn quantile_range(mut self, lo: f64, hi: f64) -> Self {
        self.quantile_range = (lo, hi);
        self
    }

    /// The features' medians.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn center(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.learned("center")?.center.as_slice().into())
    }

    /// What the features are divided by.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn scale(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.learned("scale")?.scale.as_slice().into())
    }

    /// Back from what `transform` gave to the original units.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let (center, scale) = self.center_and_scale("inverse_transform")?;
        check_transform(z, scale.len())?;
        by_column(("RobustScaler", "z"), z, &center, &scale, |z, center, scale| restored(z, scale, center))
    }

    fn learned(&self, method: &'static str) -> Result<&Learned> {
        self.learned.as_ref().ok_or(Error::NotFitted { estimator: "RobustScaler", method })
    }

    /// What to subtract and what to divide by, under the present settings.
    pub(crate) fn center_and_scale(&self, method: &'static str) -> Result<(Vec<f64>, Vec<f64>)> {
        let Learned { center, scale } = self.learned(method)?;
        let center = if self.with_centering { center.clone() } else { vec![0.0; center.len()] };
        let scale = if self.with_scaling { scale.clone() } else { vec![1.0; scale.len()] };
        Ok((center, scale))
    }
}

/// The range between two quantiles, or 1 where it is no more than the rounding of the quantiles explains.
fn spread(lo: f64, hi: f64) -> f64 {
    let rounding = 10.0 * f64::EPSILON * lo.abs().max(hi.abs());
    if hi - lo <= rounding { 1.0 } else { hi - lo }
}

crate::estimator::inherent_fit!(RobustScaler, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for RobustScaler {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        let (lo, hi) = self.quantile_range;
        if !(0.0 <= lo && lo <= hi && hi <= 100.0) {
            let got = format!("({lo}, {hi})");
            return Err(Error::invalid_parameter(
                "RobustScaler",
                "quantile_range",
                got,
                "0 <= lo <= hi <= 100",
            ));
        }
        check_fit(x)?;
        let (mut center, mut scale) = (Vec::with_capacity(x.ncols()), Vec::with_capacity(x.ncols()));
        for column in x.columns() {
            let mut sorted: Vec<f64> = column.iter().map(|value| value.as_f64()).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            center.push(quantile(&sorted, 0.5));
            scale.push(spread(quantile(&sorted, lo / 100.0), quantile(&sorted, hi / 100.0)));
        }
        check_learned("RobustScaler", x, &scale)?;
        self.learned = Some(Learned { center, scale });
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for RobustScaler {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let (center, scale) = self.center_and_scale("transform")?;
        check_transform(x, scale.len())?;
        by_column(("RobustScaler", "x"), x, &center, &scale, standardized)
    }
}

impl Estimator for RobustScaler {
    fn unfitted(&self) -> Self {
        Self { learned: None, ..self.clone() }
    }
}

impl Statistics for RobustScaler {
    const NAMES: &'static [&'static str] = &["center", "scale"];

    fn statistics(&self) -> Option<Vec<&[f64]>> {
        let Learned { center, scale } = self.learned.as_ref()?;
        Some(vec![center, scale])
    }

    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self {
        let mut lists = statistics.into_iter();
        let (center, scale) = (taken(&mut lists), taken(&mut lists));
        Self { learned: Some(Learned { center, scale }), ..self }
    }
}
