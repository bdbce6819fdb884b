use super::overflow::by_column;
use super::{Statistics, check_fit, check_transform, divisor, fold_columns, taken};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// Divides every feature by its largest magnitude: into −1 to 1, with zeros left zero.
///
/// z = x / max |x|. A feature of zeros stays as it is; every other one is scaled, however small its values are.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Errors
/// Data without rows or columns, NaN or infinities in it, a value whose result is not representable, another number of features
/// than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::MaxAbsScaler;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let z = MaxAbsScaler::new().fit_transform(&array![[1.0, -5.0], [-4.0, 0.0]])?;
/// assert_eq!(z, array![[0.25, -1.0], [-1.0, 0.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxAbsScaler {
    max_abs: Option<Vec<f64>>,
}

impl MaxAbsScaler {
    /// Has no settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The features' largest magnitudes.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn max_abs(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.fitted("max_abs")?.into())
    }

    /// Learns from one more batch; the first one counts as `fit`.
    ///
    /// # Errors
    /// As `fit`, and a batch of another number of features than the ones before.
    pub fn partial_fit<F: Float, S: Data<Elem = F>>(&mut self, x: &ArrayBase<S, Ix2>) -> Result<()> {
        check_fit(x)?;
        let mut max_abs = fold_columns(x, 0.0, |max, value| max.max(value.abs()));
        if let Some(seen) = &self.max_abs {
            check_transform(x, seen.len())?;
            max_abs.iter_mut().zip(seen).for_each(|(max, seen)| *max = max.max(*seen));
        }
        self.max_abs = Some(max_abs);
        Ok(())
    }

    /// Back from what `transform` gave to the original units.
    ///
    /// # Errors
    /// As `transform`.
    pub fn inverse_transform<F: Float, S: Data<Elem = F>>(&self, z: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let max_abs = self.fitted("inverse_transform")?;
        check_transform(z, max_abs.len())?;
        by_column(("MaxAbsScaler", "z"), z, max_abs, max_abs, |z, max_abs, _| z * divisor(max_abs))
    }

    pub(crate) fn fitted(&self, method: &'static str) -> Result<&[f64]> {
        self.max_abs.as_deref().ok_or(Error::NotFitted { estimator: "MaxAbsScaler", method })
    }
}

crate::estimator::inherent_fit!(MaxAbsScaler, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for MaxAbsScaler {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        let mut fresh = self.unfitted();
        fresh.partial_fit(x)?;
        *self = fresh;
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for MaxAbsScaler {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let max_abs = self.fitted("transform")?;
        check_transform(x, max_abs.len())?;
        by_column(("MaxAbsScaler", "x"), x, max_abs, max_abs, |x, max_abs, _| x / divisor(max_abs))
    }
}

impl Estimator for MaxAbsScaler {
    fn unfitted(&self) -> Self {
        Self::new()
    }
}

impl Statistics for MaxAbsScaler {
    const NAMES: &'static [&'static str] = &["max_abs"];

    fn statistics(&self) -> Option<Vec<&[f64]>> {
        Some(vec![self.max_abs.as_deref()?])
    }

    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self {
        let mut lists = statistics.into_iter();
        Self { max_abs: Some(taken(&mut lists)) }
    }
}
