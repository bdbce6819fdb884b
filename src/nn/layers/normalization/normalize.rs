//! Standardization by numbers that were found in data.

use super::super::{Runs, axis_of};
use super::extremes;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::validate;
use ndarray::{ArrayBase, Data, Dimension};
use serde::{Deserialize, Serialize};

/// Standardizes features: `y = (x - mean) / max(√variance, 1e-7)`, with means and variances found in data once
/// and for all ([`adapt`](Self::adapt)), so that the scaler ships inside the model.
///
/// # Shapes
/// Any; it comes out as it went in.
///
/// # Parameters
/// None to be trained. The means and variances belong to the layer's configuration, one for each place of
/// `axis` (the last by default, counted as Keras does, the batch axis being 0).
///
/// # Errors
/// In `compile`: a layer without means and variances, or of another length than the sample's axis.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::layers::Normalization;
/// use axonal::prelude::*;
/// # fn main() -> Result<()> {
/// let x = array![[1.0, 100.0], [3.0, 300.0]];
/// let model = Sequential::new(2)
///     .add(Normalization::default().adapt(&x)?)
///     .compile(Adam::default(), MeanSquaredError::default())?;
/// assert_eq!(model.predict(&x)?, array![[-1.0, -1.0], [1.0, 1.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Normalization {
    axis: Option<isize>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    invert: bool,
}

impl Default for Normalization {
    fn default() -> Self {
        Self { axis: Some(-1), mean: Vec::new(), variance: Vec::new(), invert: false }
    }
}

/// The least standard deviation that is divided by: Keras's.
const LEAST: f64 = 1e-7;

impl Normalization {
    /// The layer of given means and variances.
    #[must_use]
    pub fn new(mean: impl Into<Vec<f64>>, variance: impl Into<Vec<f64>>) -> Self {
        Self { mean: mean.into(), variance: variance.into(), ..Self::default() }
    }

    /// The axis whose places have a mean and a variance each; `None`: one of both for all numbers.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<Option<isize>>) -> Self {
        self.axis = axis.into();
        self
    }

    /// Takes standardization back: `y = x · max(√variance, 1e-7) + mean`.
    #[must_use]
    pub fn invert(mut self, invert: bool) -> Self {
        self.invert = invert;
        self
    }

    /// Finds means and (population) variances in data.
    ///
    /// # Shapes
    /// `x`: (samples, …), in any layout.
    ///
    /// # Errors
    /// No samples; NaN or infinity in them, or a variance beyond `f64`; an axis that the samples do not have.
    pub fn adapt<F: Float, S: Data<Elem = F>, D: Dimension>(mut self, x: &ArrayBase<S, D>) -> Result<Self> {
        validate::finite("x", x)?;
        let sample = Shape::from(x.shape().get(1..).unwrap_or_default());
        if x.is_empty() || x.ndim() == 0 {
            let shape = validate::shape_text(x.shape());
            return Err(Error::Empty { what: "x".into(), shape, needed: "sample" });
        }
        let runs = self.runs(&sample)?;
        let count = (x.len() / runs.length) as f64;
        let place = |index: usize| index / runs.inner % runs.length;
        let mut mean = vec![0.0; runs.length];
        let mut range = vec![(f64::INFINITY, f64::NEG_INFINITY); runs.length];
        for (index, x) in x.iter().enumerate() {
            let (x, (min, max)) = (x.as_f64(), &mut range[place(index)]);
            mean[place(index)] += x / count;
            (*min, *max) = (min.min(x), max.max(x));
        }
        // The mean of equal values is their value; rounding would leave a spurious variance.
        for (mean, (min, max)) in mean.iter_mut().zip(range) {
            *mean = mean.clamp(min, max);
        }
        let mut variance = vec![0.0; runs.length];
        for (index, x) in x.iter().enumerate() {
            let error = x.as_f64() - mean[place(index)];
            variance[place(index)] += error * error / count;
        }
        if let Some(place) = variance.iter().position(|variance| !variance.is_finite()) {
            let got = format!("too large at place {place} of the axis");
            let expected = "values whose variance fits f64; divide x by a constant first";
            return Err(Error::invalid_parameter("normalization", "x", got, expected));
        }
        (self.mean, self.variance) = (mean, variance);
        Ok(self)
    }

    /// How the features lie in a sample.
    fn runs(&self, sample: &Shape) -> Result<Runs> {
        match self.axis {
            Some(axis) => Ok(Runs::along(axis_of("normalization", axis, sample)?, sample)),
            None => Ok(Runs { length: 1, inner: sample.size().max(1) }),
        }
    }

    /// Puts the factor and the shift of each number of a sample into the cache.
    fn factors<F: Float>(&self, cache: &mut [F], runs: Runs) {
        let half = cache.len() / 2;
        let (factors, shifts) = cache.split_at_mut(half);
        for (index, (factor, shift)) in factors.iter_mut().zip(shifts).enumerate() {
            let place = index / runs.inner % runs.length;
            let deviation = self.variance[place].sqrt().max(LEAST);
            let mean = self.mean[place];
            *factor = F::of(if self.invert { deviation } else { 1.0 / deviation });
            *shift = F::of(mean);
        }
    }
}

impl<F: Float> Layer<F> for Normalization {
    crate::float::precompiled::into_arc!(Normalization: Layer<F>);

    fn kind(&self) -> &'static str {
        "normalization"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let runs = self.runs(input)?;
        if self.mean.is_empty() {
            let expected = "the means of the data; call adapt(&x) first, or give them to new";
            return Err(Error::invalid_parameter("normalization", "mean", "empty", expected));
        }
        if self.mean.len() != runs.length || self.variance.len() != runs.length {
            let got = format!("{} means and {} variances", self.mean.len(), self.variance.len());
            let expected = format!("{} of each, for samples {input}", runs.length);
            return Err(Error::shape("normalization", expected, got));
        }
        let wrong = |v: &&f64| !(F::of(v.sqrt()).is_finite() && **v >= 0.0);
        if let Some(variance) = self.variance.iter().find(wrong) {
            return Err(Error::invalid_parameter(
                "normalization",
                "variance",
                format!("{variance:?}"),
                "at least 0, with a finite root",
            ));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !F::of(**mean).is_finite()) {
            let expected = format!("finite numbers in {}", F::NAME);
            return Err(Error::invalid_parameter("normalization", "mean", format!("{mean:?}"), expected));
        }
        Ok(Plan::output(input.clone()).passes_mask().input(input).batch_cache(input.size().saturating_mul(2)))
    }

    fn forward(&self, Forward { x, mut y, cache, plan, .. }: Forward<'_, F>) {
        let sample = plan.map_or_else(|| Shape::from(x.ncols()), |plan| plan.input_shape().clone());
        let Ok(runs) = self.runs(&sample) else { return y.fill(F::nan()) };
        self.factors(cache, runs);
        let (factors, shifts) = cache.split_at(cache.len() / 2);
        for (x, mut y) in x.rows().into_iter().zip(y.rows_mut()) {
            let numbers = x.iter().zip(factors.iter().zip(shifts));
            for (y, (&x, (&factor, &shift))) in y.iter_mut().zip(numbers) {
                *y = if self.invert { x * factor + shift } else { extremes::normalized(x, shift, factor) };
            }
        }
    }

    fn backward(&self, Backward { dy, mut dx, cache, .. }: Backward<'_, F>) {
        let (factors, _) = cache.split_at(cache.len() / 2);
        for (dy, mut dx) in dy.rows().into_iter().zip(dx.rows_mut()) {
            dx.iter_mut().zip(dy.iter().zip(factors)).for_each(|(dx, (&dy, &factor))| *dx = dy * factor);
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}
