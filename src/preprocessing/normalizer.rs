use super::check_fit;
use crate::error::Result;
use crate::estimator::{Estimator, Fit, Transform};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix2};
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
    fn of<F: Float>(self, row: ArrayView1<'_, F>) -> f64 {
        let magnitudes = row.iter().map(|value| value.as_f64().abs());
        match self {
            Self::L1 => magnitudes.sum(),
            Self::L2 => magnitudes.map(|value| value * value).sum::<f64>().sqrt(),
            Self::Max => magnitudes.fold(0.0, f64::max),
        }
    }
}

/// Gives every sample length 1; zeros stay zeros.
///
/// z = x / ‖x‖, sample by sample. There is nothing to learn: `transform` works without `fit`.
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
    norm: Norm,
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

impl<F: Float, S: Data<Elem = F>> Fit<ArrayBase<S, Ix2>> for Normalizer {
    type Report = ();

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, (): ()) -> Result<()> {
        check_fit(x)
    }
}

impl<F: Float, S: Data<Elem = F>> Transform<ArrayBase<S, Ix2>> for Normalizer {
    type Output = Array2<F>;

    fn transform(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        validate::finite("x", x)?;
        let mut z = x.as_standard_layout().into_owned();
        for mut row in z.rows_mut() {
            let length = self.norm.of(row.view());
            if length > 0.0 {
                row.mapv_inplace(|value| F::of(value.as_f64() / length));
            }
        }
        Ok(z)
    }
}

impl Estimator for Normalizer {
    fn unfitted(&self) -> Self {
        self.clone()
    }
}
