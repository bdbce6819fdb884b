//! Views of flat slices as rows.

use ndarray::{ArrayView2, ArrayViewMut2};

/// Views a slice as rows of `columns` elements; an incomplete last row is left out.
#[allow(clippy::expect_used, reason = "the slice is cut to whole rows")]
pub(crate) fn rows<F>(values: &[F], columns: usize) -> ArrayView2<'_, F> {
    let rows = values.len() / columns.max(1);
    ArrayView2::from_shape((rows, columns), &values[..rows * columns]).expect("whole rows")
}

/// Views a mutable slice as rows of `columns` elements, as [`rows`] does.
#[allow(clippy::expect_used, reason = "the slice is cut to whole rows")]
pub(crate) fn rows_mut<F>(values: &mut [F], columns: usize) -> ArrayViewMut2<'_, F> {
    let rows = values.len() / columns.max(1);
    ArrayViewMut2::from_shape((rows, columns), &mut values[..rows * columns]).expect("whole rows")
}

/// Iterates over the corresponding rows of an input and an output of equal width.
pub(crate) fn whole_rows<'a, F>(
    x: Option<&'a [F]>,
    y: Option<&'a mut [F]>,
    width: usize,
) -> impl Iterator<Item = (&'a [F], &'a mut [F])> {
    let (x, y) = (x.unwrap_or_default(), y.unwrap_or_default());
    x.chunks_exact(width.max(1)).zip(y.chunks_exact_mut(width.max(1)))
}
