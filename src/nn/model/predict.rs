//! Prediction: `predict_with`, `predict_nd`, `predict_into`, `predict_classes`.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::fit_options::PredictOptions;
use crate::nn::layout::zeros;
use crate::nn::metric::largest;
use crate::nn::model::Model;
use crate::nn::model::inputs::{rows, rows_of};
use crate::nn::workspace::Workspace;
use crate::parallel::{self, thresholds::MIN_OPS_PER_PREDICT_THREAD};
use ndarray::{
    Array1, Array2, ArrayBase, ArrayD, ArrayView2, ArrayViewMut2, Axis, Data, DataMut, Dimension, Ix2, s,
};
use std::sync::{Mutex, PoisonError};

impl<F: Float> Model<F> {
    /// Predicts as [`Predict::predict`](crate::estimator::Predict::predict) does, with a batch size.
    ///
    /// # Errors
    /// Samples of another shape, NaN values, a batch size of 0.
    pub fn predict_with<S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
        options: PredictOptions,
    ) -> Result<Array2<F>> {
        let batch_size = options.validate("predict")?;
        self.check_built("predict")?;
        let original = x.view();
        let x = rows("x", x.view().into_dyn(), self.input_shape(), true)?;
        let columns = self.output_shape().size();
        let values = zeros("the predictions", x.nrows().saturating_mul(columns))?;
        let mut out = Array2::from_shape_vec((x.nrows(), columns), values)
            .map_err(|_| Error::shape("predict", "predictions as a matrix", "another length"))?;
        if x.nrows() > 0 {
            let batch_size = self.layout.batch_size("predict", x.nrows(), batch_size)?.min(x.nrows());
            let predicted = self.predict_parallel(x.view(), batch_size, out.view_mut());
            self.with_caller_index(predicted, &original)?;
        }
        Ok(out)
    }

    /// Predicts in the shape of the network's output, (batch, …), for networks whose output has several axes.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with).
    pub fn predict_nd<S: Data<Elem = F>, D: Dimension>(&self, x: &ArrayBase<S, D>) -> Result<ArrayD<F>> {
        let predictions = self.predict_with(x, PredictOptions::new())?;
        let mut shape = vec![predictions.nrows()];
        shape.extend_from_slice(self.output_shape().dims());
        let expected = self.output_shape().to_string();
        predictions
            .into_shape_with_order(shape)
            .map_err(|_| Error::shape("predict", expected, "another shape"))
    }

    /// Predicts into `out` without allocating, for low-latency services. After an error, `out` holds the predictions of the
    /// batches before it, and stateful layers have the state after them.
    ///
    /// # Shapes
    /// `x`: (batch, …) in any layout, of any length; `out`: (batch, outputs).
    ///
    /// # Errors
    /// Samples of another shape, NaN values, an `out` of another shape, a workspace of another network.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array2, array};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model = Sequential::new(2).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
    /// let mut workspace = model.workspace(1)?;
    /// let mut out = Array2::zeros((1, 3));
    /// let x = array![[0.5, 2.0]];
    /// model.predict_into(&x, &mut workspace, &mut out)?;
    /// assert_eq!(out, model.predict(&x)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn predict_into<S: Data<Elem = F>, T: DataMut<Elem = F>>(
        &self,
        x: &ArrayBase<S, Ix2>,
        workspace: &mut Workspace<F>,
        out: &mut ArrayBase<T, Ix2>,
    ) -> Result<()> {
        self.check_built("predict_into")?;
        if x.ncols() != self.input_shape().size() {
            let got = format!("samples of {} values", x.ncols());
            return Err(Error::shape("x", format!("samples of shape {}", self.input_shape()), got));
        }
        if out.dim() != (x.nrows(), self.output_shape().size()) {
            let expected = crate::validate::shape_text(&[x.nrows(), self.output_shape().size()]);
            return Err(Error::shape("out", expected, crate::validate::shape_text(out.shape())));
        }
        if !workspace.fits(&self.layout) {
            return Err(Error::shape(
                "workspace",
                "the workspace of this model (model.workspace)",
                "another",
            ));
        }
        if x.nrows() > 0 {
            self.layout.batch_size("predict_into", x.nrows(), workspace.capacity())?;
        }
        let x = x.view();
        if x.is_standard_layout() {
            let batches = Batches { x, out: Some(out.view_mut()), step: workspace.capacity() };
            let predicted = self.predict_batches(batches, workspace);
            return self.with_caller_index(predicted, &x);
        }
        self.check_values("x", &x)?;
        for start in (0..x.nrows()).step_by(workspace.capacity()) {
            let end = (start + workspace.capacity()).min(x.nrows());
            let chunk = rows_of(&x, start, end);
            workspace.input.iter_mut().zip(chunk.iter()).for_each(|(slot, &value)| *slot = value);
            workspace.infer(&self.layout, &self.params, &self.state, None, end - start, false);
            workspace.check_indices(&self.layout, end - start)?;
            write_output(workspace.output(end - start), out.slice_mut(s![start..end, ..]));
        }
        Ok(())
    }

    /// Predicts the class of each sample: the index of the largest output, or, for a single output, whether it exceeds ½.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with).
    pub fn predict_classes<S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
    ) -> Result<Array1<usize>> {
        let predictions = self.predict_with(x, PredictOptions::new())?;
        let class = |row: ndarray::ArrayView1<'_, F>| match row.as_slice() {
            Some([single]) => usize::from(*single > F::of(0.5)),
            Some(row) => largest(row),
            None => 0,
        };
        Ok(predictions.rows().into_iter().map(class).collect())
    }

    /// Predicts rows in standard layout. Splits the batches among threads if there is enough work.
    fn predict_parallel(
        &self,
        x: ArrayView2<'_, F>,
        batch_size: usize,
        out: ArrayViewMut2<'_, F>,
    ) -> Result<()> {
        let operations = self.layout.operations().saturating_mul(x.nrows());
        // About 32 batches per thread balance the load.
        let small_batch = (x.nrows() / parallel::threads() / 32).max(1).next_multiple_of(32).min(batch_size);
        let useful = operations / MIN_OPS_PER_PREDICT_THREAD;
        let threads = parallel::threads().min(x.nrows().div_ceil(small_batch) / 2).min(useful);
        if threads < 2 || self.layout.carried().next().is_some() {
            let mut workspace = Workspace::new(&self.layout, batch_size)?;
            workspace.start_from(&self.state);
            return self.predict_batches(Batches { x, out: Some(out), step: batch_size }, &mut workspace);
        }
        let batches = Batches { x, out: Some(out), step: small_batch };
        let worker = || Ok((Workspace::new(&self.layout, small_batch)?, Ok(())));
        let mut workers = (0..threads).map(|_| worker()).collect::<Result<Vec<_>>>()?;
        let batches = Mutex::new(batches);
        let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
        parallel::on_each_worker(&mut workers, &|(workspace, outcome)| {
            *outcome = self.predict_batches(std::iter::from_fn(next), workspace);
        });
        workers.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    /// Replaces the error of a batch, whose index counts from the batch, by the error with the index in the caller's array.
    fn with_caller_index<S: Data<Elem = F>, D: Dimension>(
        &self,
        predicted: Result<()>,
        x: &ArrayBase<S, D>,
    ) -> Result<()> {
        predicted.or_else(|error| self.check_values("x", x).and(Err(error)))
    }

    /// Predicts batches of rows. Checks the values of each batch just before its forward pass, so that they are read from memory
    /// only once.
    fn predict_batches<'a>(
        &self,
        batches: impl Iterator<Item = (ArrayView2<'a, F>, ArrayViewMut2<'a, F>)>,
        workspace: &mut Workspace<F>,
    ) -> Result<()> {
        for (x, out) in batches {
            self.check_values("x", &x)?;
            workspace.infer(&self.layout, &self.params, &self.state, Some(x), x.nrows(), false);
            workspace.check_indices(&self.layout, x.nrows())?;
            write_output(workspace.output(x.nrows()), out);
        }
        Ok(())
    }
}

/// Iterator over batches of rows in standard layout and their slices of the output.
struct Batches<'a, F> {
    x: ArrayView2<'a, F>,
    /// The part of the output not yet written.
    out: Option<ArrayViewMut2<'a, F>>,
    /// Number of rows of a batch.
    step: usize,
}

impl<'a, F> Iterator for Batches<'a, F> {
    type Item = (ArrayView2<'a, F>, ArrayViewMut2<'a, F>);

    fn next(&mut self) -> Option<Self::Item> {
        let (left, n) = (self.out.take()?, self.x.nrows());
        let rows = left.nrows().min(self.step);
        if rows == 0 {
            return None;
        }
        let start = n - left.nrows();
        let (out, rest) = left.split_at(Axis(0), rows);
        self.out = Some(rest);
        // The matrix product of a single row uses another kernel in wide layers and may round differently: include the
        // previous row again in a last batch of one row.
        let again = usize::from(rows == 1 && start > 0 && self.step > 1);
        let (_, from) = self.x.split_at(Axis(0), start - again);
        let (x, _) = from.split_at(Axis(0), rows + again);
        Some((x, out))
    }
}

/// Copies the last `out.nrows()` rows of `predictions` to `out`.
fn write_output<F: Float>(predictions: &[F], mut out: ArrayViewMut2<'_, F>) {
    let (rows, columns) = out.dim();
    if columns == 0 {
        return;
    }
    let predictions = &predictions[predictions.len() - rows * columns..];
    for (mut row, prediction) in out.rows_mut().into_iter().zip(predictions.chunks_exact(columns)) {
        row.iter_mut().zip(prediction).for_each(|(slot, &value)| *slot = value);
    }
}
