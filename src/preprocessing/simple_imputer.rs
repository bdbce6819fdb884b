use super::{Statistics, quantile, taken};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::float::scaled::mean;
use crate::validate;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
use serde::{Deserialize, Serialize};

/// What a missing value is replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Impute {
    /// The feature's mean: of equal values exactly their value, and finite whatever their sum is.
    #[default]
    Mean,
    /// The feature's median.
    Median,
    /// The feature's most frequent value, the lowest of equals.
    MostFrequent,
    /// A given value.
    Constant(f64),
}

/// Replaces missing values, which are NaN, by one value for each feature.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out, without NaN.
///
/// # Parameters
/// * `strategy`: what to replace them by. Default: [`Impute::Mean`].
///
/// # Errors
/// Data without rows or columns, infinities in it, a feature that is missing everywhere, a constant that is not
/// finite, another number of features than `fit` saw, [`Error::NotFitted`] before `fit`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 5.0], [f64::NAN, 5.0], [3.0, f64::NAN]];
/// assert_eq!(SimpleImputer::new().fit_transform(&x)?, array![[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleImputer {
    strategy: Impute,
    statistics: Option<Vec<f64>>,
}

impl SimpleImputer {
    /// By the mean.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces missing values by the feature's mean.
    #[must_use]
    pub fn mean() -> Self {
        Self::new().strategy(Impute::Mean)
    }

    /// Replaces missing values by the feature's median.
    #[must_use]
    pub fn median() -> Self {
        Self::new().strategy(Impute::Median)
    }

    /// Replaces missing values by the feature's most frequent value.
    #[must_use]
    pub fn most_frequent() -> Self {
        Self::new().strategy(Impute::MostFrequent)
    }

    /// Replaces missing values by this value.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self::new().strategy(Impute::Constant(value))
    }

    /// What to replace missing values by.
    #[must_use]
    pub fn strategy(mut self, strategy: Impute) -> Self {
        self.strategy = strategy;
        self
    }

    /// What each feature's missing values are replaced by.
    ///
    /// # Errors
    /// [`Error::NotFitted`] before `fit`.
    pub fn statistics(&self) -> Result<ArrayView1<'_, f64>> {
        Ok(self.fitted("statistics")?.into())
    }

    pub(crate) fn fitted(&self, method: &'static str) -> Result<&[f64]> {
        self.statistics.as_deref().ok_or(Error::NotFitted { estimator: "SimpleImputer", method })
    }
}

impl Impute {
    /// The replacement for a feature with these values, none of them missing, at least one.
    fn of(self, mut values: Vec<f64>) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Mean => mean(values),
            Self::Median => {
                values.sort_unstable_by(f64::total_cmp);
                quantile(&values, 0.5)
            }
            Self::MostFrequent => {
                values.sort_unstable_by(f64::total_cmp);
                let runs = values.chunk_by(|a, b| a == b);
                let longest = runs.fold(&[][..], |best, run| if run.len() > best.len() { run } else { best });
                longest[0]
            }
        }
    }
}

/// Refuses infinities; NaN is what this transformer is for.
fn check_not_infinite<F: Float>(x: &ArrayBase<impl Data<Elem = F>, Ix2>) -> Result<()> {
    validate::copyable("x", x)?;
    match x.indexed_iter().find(|(_, value)| value.is_infinite()) {
        Some(((row, column), value)) => Err(Error::non_finite("x", value.as_f64(), [row, column])),
        None => Ok(()),
    }
}

crate::estimator::inherent_fit!(SimpleImputer, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for SimpleImputer {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        if let Impute::Constant(value) = self.strategy
            && !value.is_finite()
        {
            return Err(Error::invalid_parameter("SimpleImputer", "constant", value, "a finite number"));
        }
        validate::not_empty("x", x)?;
        check_not_infinite(x)?;
        let mut statistics = Vec::with_capacity(x.ncols());
        for (column, values) in x.columns().into_iter().enumerate() {
            let values: Vec<f64> = values.iter().map(|v| v.as_f64()).filter(|v| !v.is_nan()).collect();
            if values.is_empty() && !matches!(self.strategy, Impute::Constant(_)) {
                let expected = format!("at least 1 value in column {column}, or Impute::Constant");
                return Err(Error::invalid_parameter("SimpleImputer", "x", "NaN in every row", expected));
            }
            statistics.push(self.strategy.of(values));
        }
        self.statistics = Some(statistics);
        Ok(())
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for SimpleImputer {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        let statistics = self.fitted("transform")?;
        validate::features("x", &x.view(), statistics.len())?;
        check_not_infinite(x)?;
        let mut y = x.as_standard_layout().into_owned();
        for ((row, column), value) in y.indexed_iter_mut().filter(|(_, value)| value.is_nan()) {
            *value = F::of(statistics[column]);
            if !value.is_finite() {
                let got = format!("{:?} for the missing value at [{row}, {column}]", statistics[column]);
                let expected = format!("a replacement that fits {}; convert x to f64", F::NAME);
                return Err(Error::invalid_parameter("SimpleImputer", "statistics", got, expected));
            }
        }
        Ok(y)
    }
}

impl Estimator for SimpleImputer {
    fn unfitted(&self) -> Self {
        Self { statistics: None, ..self.clone() }
    }
}

impl Statistics for SimpleImputer {
    const NAMES: &'static [&'static str] = &["statistics"];

    fn statistics(&self) -> Option<Vec<&[f64]>> {
        Some(vec![self.statistics.as_deref()?])
    }

    fn with_statistics(self, statistics: Vec<Vec<f64>>) -> Self {
        let mut lists = statistics.into_iter();
        Self { statistics: Some(taken(&mut lists)), ..self }
    }
}
