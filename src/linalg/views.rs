//! Matrix views: over slices, and their sizes and strides.

use ndarray::{ArrayView2, ArrayViewMut2};

/// The sizes (m, k, n) of a product.
///
/// # Panics
/// Panics if the shapes do not agree.
pub(super) fn sizes<F>(
    a: &ArrayView2<'_, F>,
    b: &ArrayView2<'_, F>,
    c: &ArrayViewMut2<'_, F>,
) -> (usize, usize, usize) {
    let ((m, k), n) = (a.dim(), b.ncols());
    assert!(
        b.nrows() == k && c.dim() == (m, n),
        "a product of shapes {:?} and {:?} does not have the shape {:?}",
        a.dim(),
        b.dim(),
        c.dim()
    );
    (m, k, n)
}

/// The strides of rows and columns.
pub(super) fn strides(strides: &[isize]) -> (isize, isize) {
    match *strides {
        [rows, columns] => (rows, columns),
        _ => (0, 0),
    }
}

/// Views a slice as a row-major matrix.
#[allow(clippy::expect_used, reason = "every caller cuts the slice to rows × columns first")]
pub(crate) fn matrix<F>(values: &[F], rows: usize, columns: usize) -> ArrayView2<'_, F> {
    ArrayView2::from_shape((rows, columns), values).expect("a slice of rows × columns")
}

/// Views a mutable slice as a row-major matrix.
#[allow(clippy::expect_used, reason = "every caller cuts the slice to rows × columns first")]
pub(crate) fn matrix_mut<F>(values: &mut [F], rows: usize, columns: usize) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("a slice of rows × columns")
}
