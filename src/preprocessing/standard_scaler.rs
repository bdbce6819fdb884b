use super::overflow::{by_column, restored, standardized};
use super::{Statistics, check_fit, check_learned, check_transform, fold_columns, taken};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::float::scaled::mean_and_deviation;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Gives every feature mean 0 and variance 1.
///
/// z = (x − μ) / σ, with μ and σ the feature's mean and population standard deviation (divided by n) in the data
/// that `fit` saw. A feature that is constant, up to the rounding of its mean, is only centered: its σ counts
/// as 1.
///
/// The statistics are f64 whatever the data are, so one scaler serves f32 and f64. Values as small as 1e-300 are scaled like
/// others, though their variance underflows; values whose variance exceeds `f64` (1e154 and more) are refused.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Parameters
/// * `with_mean`: subtract the mean. Default: true.
/// * `with_std`: divide by the standard deviation. Default: true.
///
/// # Errors
/// Data without rows or columns, NaN or infinities in it, values whose variance or result is not representable, another number of
/// features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 10.0], [3.0, 10.0]];
/// let mut scaler = StandardScaler::new();
/// scaler.fit(&x)?;
/// let z = scaler.transform(&x)?;
/// assert_eq!(z, array![[-1.0, 0.0], [1.0, 0.0]]);
/// assert_eq!(scaler.inverse_transform(&z)?, x);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// T. F. Chan, G. H. Golub, R. J. LeVeque, *Algorithms for computing the sample variance*, 1983 (the corrected
/// two-pass algorithm).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandardScaler {
    with_mean: bool,
    with_std: bool,
    moments: Option<Moments>,
}

/// What was learned, one number for each feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moments {
    /// Absent in files from before rows could be added; more rows then count alone.
    #[serde(default)]
    n_samples: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
    scale: Vec<f64>,
}

impl Default for StandardScaler {
    fn default() -> Self {
        Self { with_mean: true, with_std: true, moments: None }
    }
}

impl StandardScaler {
    /// Centers and scales.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to subtract the mean.
    #[must_use]
    pub fn with_mean(mut self, with_mean: bool) -> Self {
        self.with_mean = with_mean;
        self
    }

    /// Whether to divide by the standard deviation.
    #[must_use]
    pub fn with_std(mut self, with_std: bool) -> Self {
        self.with_std = with_std;
        self
    }

    /// The features' means.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn mean(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.moments("mean")?.mean.as_slice().into())
    }

    /// The features' population variances.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn variance(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.moments("variance")?.variance.as_slice().into())
    }

    /// What the features are divided by: the standard deviations, 1 for a constant feature.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn scale(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.moments("scale")?.scale.as_slice().into())
    }

    /// Learns from one more batch; the first one counts as `fit`.
    ///
    /// # Errors
    /// As `fit`, and a batch of another number of features than the ones before.
    pub fn partial_fit<F: Float, S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<()> {
        check_fit(x)?;
        let mut moments = Moments::of(x);
        if let Some(before) = &self.moments {
            check_transform(x, before.mean.len())?;
            moments = before.and(&moments);
        }
        check_learned("StandardScaler", x, &moments.mean)?;
        check_learned("StandardScaler", x, &moments.variance)?;
        self.moments = Some(moments);
        Ok(())
    }

    /// Back from what `transform` gave to the original units.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let (offset, divisor) = self.offset_and_divisor("inverse_transform")?;
        check_transform(z, offset.len())?;
        by_column(("StandardScaler", "z"), z, &offset, &divisor, |z, offset, divisor| {
            restored(z, divisor, offset)
        })
    }

    fn moments(&self, method: &'static str) -> Result<&Moments> {
        self.moments.as_ref().ok_or(Error::NotFitted { estimator: "StandardScaler", method })
    }

    /// What to subtract and what to divide by, under the present settings.
    pub(crate) fn offset_and_divisor(&self, method: &'static str) -> Result<(Vec<f64>, Vec<f64>)> {
        let moments = self.moments(method)?;
        let n_features = moments.mean.len();
        let offset = if self.with_mean { moments.mean.clone() } else { vec![0.0; n_features] };
        let divisor = if self.with_std { moments.scale.clone() } else { vec![1.0; n_features] };
        Ok((offset, divisor))
    }
}

impl Moments {
    #[allow(clippy::cast_precision_loss, reason = "2^53 samples fit no memory")]
    fn of<F: Float, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>) -> Self {
        let n = x.nrows() as f64;
        let mut mean = vec![0.0; x.ncols()];
        for row in x.rows() {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value.as_f64());
        }
        mean.iter_mut().for_each(|mean| *mean /= n);

        // The sum of the deviations would be 0 but for the rounding of the mean; what it is corrects mean and squares.
        let (mut squares, mut drift) = (vec![0.0; x.ncols()], vec![0.0; x.ncols()]);
        for row in x.rows() {
            for (((value, mean), square), drift) in row.iter().zip(&mean).zip(&mut squares).zip(&mut drift) {
                let deviation = value.as_f64() - mean;
                *square += deviation * deviation;
                *drift += deviation;
            }
        }
        let variance: Vec<f64> = (squares.iter().zip(&drift))
            .map(|(square, drift)| (square - drift * drift / n) / n)
            // Rounding may leave less than nothing; NaN, from an overflow, must stay.
            .map(|variance| if variance < 0.0 { 0.0 } else { variance })
            .collect();
        mean.iter_mut().zip(&drift).for_each(|(mean, drift)| *mean += drift / n);

        let (min, max) =
            (fold_columns(x, f64::INFINITY, f64::min), fold_columns(x, f64::NEG_INFINITY, f64::max));
        let mut moments = Self::of_no_samples(n);
        for feature in 0..x.ncols() {
            let (mean, variance) = (mean[feature], variance[feature]);
            if min[feature] == max[feature] {
                moments.push(min[feature], 0.0, 0.0);
            } else if variance < TINY {
                let (mean, deviation) =
                    mean_and_deviation(x.column(feature).iter().map(|v| v.as_f64()).collect());
                moments.push(mean, deviation * deviation, deviation);
            } else {
                moments.push(mean, variance, variance.sqrt());
            }
        }
        moments
    }

    fn of_no_samples(n_samples: f64) -> Self {
        Self { n_samples, mean: Vec::new(), variance: Vec::new(), scale: Vec::new() }
    }

    /// Adds a feature.
    fn push(&mut self, mean: f64, variance: f64, deviation: f64) {
        self.mean.push(mean);
        self.variance.push(variance);
        self.scale.push(scale_of(mean, variance, deviation, self.n_samples));
    }

    /// The standard deviation of a feature, also where its square is not representable.
    fn deviation(&self, feature: usize) -> f64 {
        let (variance, scale) = (self.variance[feature], self.scale[feature]);
        if variance < TINY && scale < 1.0 { scale } else { variance.sqrt() }
    }

    /// The moments of these samples and the `other` ones together.
    fn and(&self, other: &Self) -> Self {
        let n = self.n_samples + other.n_samples;
        let share = other.n_samples / n;
        let mut moments = Self::of_no_samples(n);
        for feature in 0..self.mean.len() {
            let apart = other.mean[feature] - self.mean[feature];
            let spread = other.variance[feature] - self.variance[feature];
            let mean = self.mean[feature] + apart * share;
            let variance = self.variance[feature] + spread * share + apart * apart * share * (1.0 - share);
            if variance < TINY {
                let within = f64::hypot(
                    self.deviation(feature) * (1.0 - share).sqrt(),
                    other.deviation(feature) * share.sqrt(),
                );
                let deviation = within.hypot(apart * (share * (1.0 - share)).sqrt());
                moments.push(mean, deviation * deviation, deviation);
            } else {
                moments.push(mean, variance, variance.sqrt());
            }
        }
        moments
    }
}

/// Variances below 2^-600 are computed from scaled values: the squares of the deviations underflow.
const TINY: f64 = f64::from_bits((1023 - 600) << 52);

/// The standard deviation, or 1 where it is no more than the rounding of `n` sums of the mean explains.
fn scale_of(mean: f64, variance: f64, deviation: f64, n: f64) -> f64 {
    let is_constant = if variance < TINY {
        // The bound below, without squares.
        deviation * (1.0 - n * f64::EPSILON).max(0.0).sqrt() <= n * mean.abs() * f64::EPSILON
    } else {
        variance <= n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2)
    };
    if is_constant { 1.0 } else { deviation }
}

crate::estimator::inherent_fit!(StandardScaler, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for StandardScaler {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        let mut fresh = self.unfitted();
        fresh.partial_fit(x)?;
        *self = fresh;
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for StandardScaler {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let (offset, divisor) = self.offset_and_divisor("transform")?;
        check_transform(x, offset.len())?;
        by_column(("StandardScaler", "x"), x, &offset, &divisor, standardized)
    }
}

impl Estimator for StandardScaler {
    fn unfitted(&self) -> Self {
        Self { moments: None, ..self.clone() }
    }
}

impl Statistics for StandardScaler {
    const NAMES: &'static [&'static str] = &["n_samples", "mean", "variance", "scale"];

    fn statistics(&self) -> Option<Vec<&[f64]>> {
        let Moments { n_samples, mean, variance, scale } = self.moments.as_ref()?;
        Some(vec![std::slice::from_ref(n_samples), mean, variance, scale])
    }

    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self {
        let mut lists = statistics.into_iter();
        let n_samples = taken(&mut lists).first().copied().unwrap_or_default();
        let (mean, variance, scale) = (taken(&mut lists), taken(&mut lists), taken(&mut lists));
        Self { moments: Some(Moments { n_samples, mean, variance, scale }), ..self }
    }
}
