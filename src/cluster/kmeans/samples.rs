//! The data of a clustering: rows in standard layout and their weights.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::simd::vectorize;
use crate::validate;
use ndarray::{ArrayBase, ArrayView2, CowArray, Data, Ix2};

/// Rows that were checked: finite, not empty, in standard layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Samples<'a, F> {
    pub(crate) values: &'a [F],
    pub(crate) n_features: usize,
    /// One weight per row; `None` if all are 1.
    pub(crate) weights: Option<&'a [F]>,
}

impl<'a, F: Float> Samples<'a, F> {
    pub(crate) fn n_samples(&self) -> usize {
        self.values.len() / self.n_features
    }

    pub(crate) fn row(&self, row: usize) -> &'a [F] {
        &self.values[row * self.n_features..][..self.n_features]
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row].as_f64())
    }

    /// The `n_rows` rows from `first` on, with their weights.
    pub(crate) fn slice(&self, first: usize, n_rows: usize) -> Self {
        Self {
            values: &self.values[first * self.n_features..][..n_rows * self.n_features],
            weights: self.weights.map(|weights| &weights[first..][..n_rows]),
            ..*self
        }
    }
}

/// Copies of rows, and their weights.
#[derive(Debug)]
pub(crate) struct RowCopies<F> {
    pub(super) values: Vec<F>,
    pub(super) weights: Option<Vec<F>>,
    pub(super) n_features: usize,
}

impl<F: Float> RowCopies<F> {
    /// No rows.
    pub(crate) fn empty(n_features: usize) -> Self {
        Self { values: Vec::new(), weights: None, n_features }
    }

    /// Copies these rows, in this order.
    pub(crate) fn of(samples: &Samples<'_, F>, rows: &[usize]) -> Self {
        Self {
            values: rows.iter().map(|&row| samples.row(row)).collect::<Vec<_>>().concat(),
            weights: samples.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect()),
            n_features: samples.n_features,
        }
    }

    /// The rows.
    pub(crate) fn samples(&self) -> Samples<'_, F> {
        Samples { values: &self.values, n_features: self.n_features, weights: self.weights.as_deref() }
    }
}

/// The rows of `x` in standard layout: borrowed, or copied where the layout is another.
///
/// # Errors
/// A copy that does not fit into memory.
pub(crate) fn in_rows<'a, F: Float>(x: ArrayView2<'a, F>) -> Result<CowArray<'a, F, Ix2>> {
    validate::copyable("x", &x)?;
    Ok(if x.is_standard_layout() { x.into() } else { x.as_standard_layout().into_owned().into() })
}

/// The elements of an array in standard layout.
pub(crate) fn elements<F, S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>) -> &[F] {
    x.as_slice().unwrap_or(&[])
}

/// Whether all values are finite and smaller in magnitude than `bound`.
pub(crate) fn all_below<F: Float>(x: ArrayView2<'_, F>, bound: F) -> bool {
    match x.as_slice_memory_order() {
        Some(slice) => vectorize(
            #[inline(always)]
            || slice.chunks(1024).all(|chunk| chunk.iter().fold(true, |fits, x| fits & (x.abs() < bound))),
        ),
        None => x.iter().all(|x| x.abs() < bound),
    }
}

/// Refuses values that are not finite or whose squares leave the range of their type.
pub(crate) fn in_range<F: Float>(owner: &'static str, x: ArrayView2<'_, F>) -> Result<()> {
    let bound = F::of(0.25 * (F::max_value().as_f64() / x.ncols().max(1) as f64).sqrt());
    let fits = all_below(x, bound);
    if fits {
        return Ok(());
    }
    validate::finite("x", &x)?;
    match x.indexed_iter().find(|(_, x)| x.abs() >= bound) {
        Some(((row, feature), value)) => Err(too_large(owner, *value, row, feature)),
        None => Ok(()),
    }
}

/// The error of a value whose squared distances leave the range of `F`.
pub(super) fn too_large<F: Float>(owner: &'static str, value: F, row: usize, feature: usize) -> Error {
    let expected =
        format!("values whose squared distances stay within the range of {}; scale x down", F::NAME);
    Error::invalid_parameter(owner, "x", format!("{value:e} at [{row}, {feature}]"), expected)
}
