use super::check_fit;
use crate::error::Result;
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::float::scaled::Scaled;
use crate::validate;
use ndarray::{Array2, ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};

/// How long a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Norm {
    /// The sum of the magnitudes.
    L1,
    /// The root of the sum of the squares.
    #[default]
    L2,
    /// The largest magnitude.
    Max,
}

impl Norm {
    fn of(self, row: &[f64]) -> f64 {
        let magnitudes = row.iter().map(|value| value.abs());
        match self {
            Self::L1 => magnitudes.sum(),
            Self::L2 => magnitudes.map(|value| value * value).sum::<f64>().sqrt(),
            Self::Max => magnitudes.fold(0.0, f64::max),
        }
    }

    /// Divides a row by its norm, which need not be representable itself; zeros stay zeros.
    fn normalize(self, row: &mut [f64]) {
        /// Between these norms no square over- or underflows.
        const ORDINARY: std::ops::Range<f64> = 1e-90..1e90;
        let mut norm = self.of(row);
        if !ORDINARY.contains(&norm) {
            let scaled = Scaled::of(row.to_vec());
            row.copy_from_slice(scaled.values());
            norm = self.of(row);
        }
        if norm > 0.0 {
            row.iter_mut().for_each(|value| *value /= norm);
        }
    }
}

/// Gives every sample length 1; zeros stay zeros.
///
/// z = x / ‖x‖, sample by sample. Squares neither overflow nor underflow: samples of 1e200 and of 1e-200 have length 1 as well
/// (scikit-learn gives 0 and leaves them alone). There is nothing to learn: `transform` works without `fit`.
///
/// # Shapes
/// `x`: (n_samples, n_features); the same out.
///
/// # Parameters
/// * `norm`: how length is measured. Default: [`Norm::L2`].
///
/// # Errors
/// NaN or infinities in the data.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::preprocessing::Normalizer;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let z = Normalizer::new().transform(&array![[3.0, 4.0], [0.0, 0.0]])?;
/// assert_eq!(z, array![[0.6, 0.8], [0.0, 0.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalizer {
    pub(crate) norm: Norm,
}

impl Normalizer {
    /// Euclidean length.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How length is measured.
    #[must_use]
    pub fn norm(mut self, norm: Norm) -> Self {
        self.norm = norm;
        self
    }
}

crate::estimator::inherent_fit!(Normalizer, Float, ());

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for Normalizer {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for Normalizer {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        validate::copyable("x", x)?;
        validate::finite("x", x)?;
        let mut z = x.as_standard_layout().into_owned();
        let mut row = vec![0.0; x.ncols()];
        for mut values in z.rows_mut() {
            row.iter_mut().zip(&values).for_each(|(row, value)| *row = value.as_f64());
            self.norm.normalize(&mut row);
            values.iter_mut().zip(&row).for_each(|(value, row)| *value = F::of(*row));
        }
        Ok(z)
    }
}

impl Estimator for Normalizer {
    fn unfitted(&self) -> Self {
        self.clone()
    }
}
