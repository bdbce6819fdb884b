//! Validation of the caller's arrays: shape, finiteness, indices, sample weights. It runs before any computation.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::simd::vectorize;
use ndarray::{ArrayBase, ArrayView2, ArrayViewD, Data, Dimension, Ix2};

/// Formats a shape for messages: `(4)`, `(28, 28)`.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({})", sizes.join(", "))
}

/// Checks that all elements are finite. The error names the index of the first that is not.
pub(crate) fn finite<F: Float, S: Data<Elem = F>, D: Dimension>(
    what: &str,
    array: &ArrayBase<S, D>,
) -> Result<()> {
    let all_finite = match array.as_slice_memory_order() {
        Some(slice) => all_finite(slice),
        None => array.iter().all(|v| v.is_finite()),
    };
    if all_finite { Ok(()) } else { first_non_finite(what, &array.view().into_dyn()) }
}

/// Whether all elements are finite. No early exit within a chunk, so that the compiler vectorizes it.
pub(crate) fn all_finite<F: Float>(slice: &[F]) -> bool {
    vectorize(
        #[inline(always)]
        || slice.chunks(1024).all(|chunk| chunk.iter().fold(true, |finite, v| finite & v.is_finite())),
    )
}

/// The error of the first element that is not finite.
#[cold]
fn first_non_finite<F: Float>(what: &str, array: &ArrayViewD<'_, F>) -> Result<()> {
    match array.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some((index, v)) => Err(Error::non_finite(what, v.as_f64(), index.slice().to_vec())),
        None => Ok(()),
    }
}

/// Checks that all elements are integers in `0..len`. The error names the index of the first that is not.
pub(crate) fn indices<F: Float, S: Data<Elem = F>, D: Dimension>(
    what: &str,
    array: &ArrayBase<S, D>,
    len: usize,
) -> Result<()> {
    if array.iter().any(|&v| !is_index(v, len)) {
        return first_invalid_index(what, &array.view().into_dyn(), len);
    }
    Ok(())
}

fn is_index<F: Float>(v: F, len: usize) -> bool {
    v >= F::zero() && v.as_f64() < len as f64 && v == v.trunc()
}

/// The error of the first element that is not an index.
#[cold]
fn first_invalid_index<F: Float>(what: &str, array: &ArrayViewD<'_, F>, len: usize) -> Result<()> {
    match array.indexed_iter().find(|&(_, &v)| !is_index(v, len)) {
        Some((index, v)) => Err(Error::Index {
            what: what.into(),
            value: v.as_f64().to_string(),
            index: index.slice().to_vec(),
            len,
        }),
        None => Ok(()),
    }
}

/// Errors if memory for `len` elements of `T` is insufficient.
pub(crate) fn memory_for<T>(what: &str, len: usize) -> Result<()> {
    let bytes = || len.saturating_mul(size_of::<T>());
    Vec::<T>::new()
        .try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory { what: what.into(), bytes: bytes() })
}

/// Errors if a copy of an array that must be copied, because it is not in standard layout, does not fit into memory: a broadcast
/// view may have an axis of any length. Call it before anything that reads every element.
pub(crate) fn copyable<T, S: Data<Elem = T>, D: Dimension>(
    what: &str,
    array: &ArrayBase<S, D>,
) -> Result<()> {
    if array.is_standard_layout() {
        Ok(())
    } else {
        memory_for::<T>(&format!("a copy of {what}"), array.len())
    }
}

/// Checks that a matrix has at least one row and one column.
pub(crate) fn not_empty<F, S: Data<Elem = F>>(what: &str, array: &ArrayBase<S, Ix2>) -> Result<()> {
    let needed = match array.dim() {
        (0, _) => "sample",
        (_, 0) => "feature",
        _ => return Ok(()),
    };
    Err(Error::Empty { what: what.into(), shape: shape_text(array.shape()), needed })
}

/// Checks that an array has an element for each of `expected` samples.
pub(crate) fn length(what: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::Length { what: what.into(), expected, got }) }
}

/// Checks that a matrix has the number of features of the training data.
pub(crate) fn features<F>(what: &str, array: &ArrayView2<'_, F>, expected: usize) -> Result<()> {
    if array.ncols() == expected {
        return Ok(());
    }
    Err(Error::shape(what, format!("{expected} features a row"), format!("{} features", array.ncols())))
}

/// Checks sample weights: one finite, non-negative weight for each sample, not all zero.
pub(crate) fn sample_weights<F: Float>(what: &str, weights: &[F], n_samples: usize) -> Result<()> {
    weights_or_zeros(what, weights, n_samples)?;
    if weights.iter().all(|w| *w == F::zero()) {
        return Err(Error::Weight { what: what.into(), problem: "all weights are zero".into() });
    }
    Ok(())
}

/// Checks sample weights that may all be zero: one finite, non-negative weight for each sample.
pub(crate) fn weights_or_zeros<F: Float>(what: &str, weights: &[F], n_samples: usize) -> Result<()> {
    length(what, weights.len(), n_samples)?;
    finite(what, &ndarray::aview1(weights))?;
    if let Some(index) = weights.iter().position(|w| *w < F::zero()) {
        let problem = format!("weight {} at [{index}] is negative", weights[index]);
        return Err(Error::Weight { what: what.into(), problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array, s};

    #[test]
    fn the_first_non_finite_element_is_reported_in_any_layout() {
        let mut x = Array2::<f32>::zeros((3000, 4));
        assert!(finite("x", &x).is_ok());
        x[[2500, 1]] = f32::INFINITY;
        x[[2700, 1]] = f32::NAN;
        let message = |result: Result<()>| result.unwrap_err().to_string();
        assert!(message(finite("x", &x)).starts_with("x contains inf at [2500, 1]"));
        assert!(message(finite("x", &x.slice(s![..;-1, ..]))).starts_with("x contains NaN at [299, 1]"));
        assert!(finite("x", &x.slice(s![.., ..;2])).is_ok());
        assert!(message(finite("x", &x.t())).starts_with("x contains inf at [1, 2500]"));
    }

    #[test]
    fn invalid_weights_are_reported_with_their_index() {
        let message = |w: &[f64]| sample_weights("sample_weight", w, 2).unwrap_err().to_string();
        assert!(message(&[1.0]).contains("expected 2"));
        assert!(message(&[1.0, -0.5]).contains("weight -0.5 at [1] is negative"));
        assert!(message(&[0.0, 0.0]).contains("all weights are zero"));
        assert!(message(&[0.0, f64::NAN]).contains("NaN at [1]"));
        assert!(sample_weights("sample_weight", &[0.0, 1.0], 2).is_ok());
        assert!(not_empty("x", &Array2::<f32>::zeros((2, 0))).unwrap_err().to_string().contains("feature"));
        assert!(features("x", &array![[1.0f32, 2.0]].view(), 3).is_err());
    }
}
