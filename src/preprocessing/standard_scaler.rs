use super::{Statistics, by_column, check_fit, check_learned, check_transform, taken};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Gives every feature mean 0 and variance 1.
///
/// z = (x − μ) / σ, with μ and σ the feature's mean and population standard deviation (divided by n) in the data
/// that `fit` saw. A feature that is constant, up to the rounding of its mean, is only centered: its σ counts
/// as 1.
///
/// The statistics are f64 whatever the data are, so one scaler serves f32 and f64.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Parameters
/// * `with_mean`: subtract the mean. Default: true.
/// * `with_std`: divide by the standard deviation. Default: true.
///
/// # Errors
/// Data without rows or columns, NaN or infinities in it, another number of features than `fit` saw,
/// [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 10.0], [3.0, 10.0]];
/// let mut scaler = StandardScaler::new();
/// scaler.fit(&x, ())?;
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
        check_learned("StandardScaler", &moments.mean)?;
        check_learned("StandardScaler", &moments.variance)?;
        self.moments = Some(moments);
        Ok(())
    }

    /// Back from what `transform` gave to the original units.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let moments = self.moments("inverse_transform")?;
        check_transform(z, moments.mean.len())?;
        let (offset, divisor) = self.offset_and_divisor(moments);
        Ok(by_column(z, &offset, &divisor, |z, offset, divisor| z * divisor + offset))
    }

    fn moments(&self, method: &'static str) -> Result<&Moments> {
        self.moments.as_ref().ok_or(Error::NotFitted { estimator: "StandardScaler", method })
    }

    /// What to subtract and what to divide by, under the present settings.
    fn offset_and_divisor(&self, moments: &Moments) -> (Vec<f64>, Vec<f64>) {
        let n_features = moments.mean.len();
        let offset = if self.with_mean { moments.mean.clone() } else { vec![0.0; n_features] };
        let divisor = if self.with_std { moments.scale.clone() } else { vec![1.0; n_features] };
        (offset, divisor)
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
        Self::new(n, mean, variance)
    }

    fn new(n_samples: f64, mean: Vec<f64>, variance: Vec<f64>) -> Self {
        let scale = mean
            .iter()
            .zip(&variance)
            .map(|(&mean, &variance)| scale_of(mean, variance, n_samples))
            .collect();
        Self { n_samples, mean, variance, scale }
    }

    /// The moments of these samples and the `other` ones together.
    fn and(&self, other: &Self) -> Self {
        let n = self.n_samples + other.n_samples;
        let share = other.n_samples / n;
        let (mut mean, mut variance) = (Vec::new(), Vec::new());
        for feature in 0..self.mean.len() {
            let apart = other.mean[feature] - self.mean[feature];
            let spread = other.variance[feature] - self.variance[feature];
            mean.push(self.mean[feature] + apart * share);
            variance.push(self.variance[feature] + spread * share + apart * apart * share * (1.0 - share));
        }
        Self::new(n, mean, variance)
    }
}

/// The standard deviation, or 1 where the variance is no more than the rounding of `n` sums of the mean explains.
fn scale_of(mean: f64, variance: f64, n: f64) -> f64 {
    let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    if variance <= rounding { 1.0 } else { variance.sqrt() }
}

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
        let moments = self.moments("transform")?;
        check_transform(x, moments.mean.len())?;
        let (offset, divisor) = self.offset_and_divisor(moments);
        Ok(by_column(x, &offset, &divisor, |x, offset, divisor| (x - offset) / divisor))
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
