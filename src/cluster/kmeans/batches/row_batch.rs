//! A batch of rows, and the source that returns the batches of each pass.

use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{ArrayBase, ArrayView1, ArrayView2, Data, Ix1, Ix2};

/// An item of the iterators passed to [`KMeans::fit_batches`](crate::cluster::KMeans::fit_batches): rows, or rows and their
/// weights, or a `Result` of these, whose error ends the fit.
///
/// # Examples
/// ```
/// use axonal::cluster::RowBatch;
/// use axonal::ndarray::{Array1, Array2};
///
/// fn takes(_: impl RowBatch<f32>) {}
/// takes(Array2::<f32>::zeros((32, 4)));
/// takes((Array2::<f32>::zeros((32, 4)), Array1::<f32>::ones(32)));
/// takes(axonal::Result::Ok(Array2::<f32>::zeros((32, 4)).view()));
/// ```
pub trait RowBatch<F> {
    /// Calls `visit` with views of the rows and, if there are any, of their weights.
    ///
    /// # Errors
    /// The error of `visit`, or of the batch itself.
    fn with_rows<T>(
        self,
        visit: impl FnOnce(ArrayView2<'_, F>, Option<ArrayView1<'_, F>>) -> Result<T>,
    ) -> Result<T>;
}

impl<F, S: Data<Elem = F>> RowBatch<F> for ArrayBase<S, Ix2> {
    fn with_rows<T>(
        self,
        visit: impl FnOnce(ArrayView2<'_, F>, Option<ArrayView1<'_, F>>) -> Result<T>,
    ) -> Result<T> {
        visit(self.view(), None)
    }
}

impl<F, S: Data<Elem = F>, W: Data<Elem = F>> RowBatch<F> for (ArrayBase<S, Ix2>, ArrayBase<W, Ix1>) {
    fn with_rows<T>(
        self,
        visit: impl FnOnce(ArrayView2<'_, F>, Option<ArrayView1<'_, F>>) -> Result<T>,
    ) -> Result<T> {
        visit(self.0.view(), Some(self.1.view()))
    }
}

impl<F, B: RowBatch<F>> RowBatch<F> for Result<B> {
    fn with_rows<T>(
        self,
        visit: impl FnOnce(ArrayView2<'_, F>, Option<ArrayView1<'_, F>>) -> Result<T>,
    ) -> Result<T> {
        self?.with_rows(visit)
    }
}

/// What is called with the rows and the weights of a batch.
pub(crate) type VisitBatch<'v, F> =
    dyn FnMut(ArrayView2<'_, F>, Option<ArrayView1<'_, F>>) -> Result<()> + 'v;

/// Batches that can be read again and again.
pub(crate) trait BatchPasses<F> {
    /// Begins a pass, counted from 0.
    ///
    /// # Errors
    /// What keeps the source from returning batches.
    fn begin(&mut self, pass: usize) -> Result<()>;

    /// Calls `visit` with the next batch; returns `false` at the end of the pass.
    ///
    /// # Errors
    /// The error of `visit`, or of the batch.
    fn next(&mut self, visit: &mut VisitBatch<'_, F>) -> Result<bool>;
}

/// The batches of a function that returns an iterator for each pass.
pub(crate) struct Reopened<C, I> {
    open: C,
    current: Option<I>,
}

impl<C, I> Reopened<C, I> {
    pub(crate) fn new(open: C) -> Self {
        Self { open, current: None }
    }
}

impl<F: Float, I: IntoIterator<Item: RowBatch<F>>, C: FnMut(usize) -> Result<I>> BatchPasses<F>
    for Reopened<C, I::IntoIter>
{
    fn begin(&mut self, pass: usize) -> Result<()> {
        // Closes the files of the pass before.
        self.current = None;
        self.current = Some((self.open)(pass)?.into_iter());
        Ok(())
    }

    fn next(&mut self, visit: &mut VisitBatch<'_, F>) -> Result<bool> {
        match self.current.as_mut().and_then(Iterator::next) {
            Some(batch) => batch.with_rows(visit).map(|()| true),
            None => Ok(false),
        }
    }
}

/// The error of a pass that differs from the first one.
pub(super) fn changed(pass: usize, expected: String, got: String) -> Error {
    let got = format!("{got}; return the same rows in every pass");
    Error::shape(format!("fit_batches: pass {}", pass + 1), expected, got)
}
