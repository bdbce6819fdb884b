//! Answers for new samples.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::fit_options::PredictOptions;
use crate::nn::layout::zeros;
use crate::nn::metric::largest;
use crate::nn::model::Model;
use crate::nn::model::data::{rows, rows_of};
use crate::nn::workspace::Workspace;
use crate::parallel;
use ndarray::{
    Array1, Array2, ArrayBase, ArrayD, ArrayView2, ArrayViewMut2, Axis, Data, DataMut, Dimension, Ix2,
};

/// Multiply-adds from which another thread pays in answering.
const WORTH_A_THREAD: usize = 1 << 23;

impl<F: Float> Model<F> {
    /// [`Predict::predict`](crate::estimator::Predict::predict) with a batch size.
    ///
    /// # Errors
    /// Samples of another shape, NaN in them, a batch size of 0.
    pub fn predict_with<S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
        options: PredictOptions,
    ) -> Result<Array2<F>> {
        let batch_size = options.validate("predict")?;
        let x = rows("x", x.view().into_dyn(), self.input_shape(), true)?;
        self.check_indices("x", &x)?;
        let columns = self.output_shape().size();
        let answers = zeros("the answers", x.nrows().saturating_mul(columns))?;
        let mut out = Array2::from_shape_vec((x.nrows(), columns), answers)
            .map_err(|_| Error::shape("predict", "answers as a matrix", "another length"))?;
        if x.nrows() > 0 {
            let batch_size = self.layout.batch_size("predict", x.nrows(), batch_size)?.min(x.nrows());
            self.answer_in_parts(x.view(), batch_size, out.view_mut())?;
        }
        Ok(out)
    }

    /// The answers in the shape of the network's output, for networks whose output has several axes.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with).
    pub fn predict_nd<S: Data<Elem = F>, D: Dimension>(&self, x: &ArrayBase<S, D>) -> Result<ArrayD<F>> {
        let answers = self.predict_with(x, PredictOptions::new())?;
        let mut shape = vec![answers.nrows()];
        shape.extend_from_slice(self.output_shape().dims());
        let expected = self.output_shape().to_string();
        answers.into_shape_with_order(shape).map_err(|_| Error::shape("predict", expected, "another shape"))
    }

    /// The answers, written into `out` without allocating: for services that answer row by row.
    ///
    /// # Shapes
    /// `x`: (batch, …) in any layout, of any length; `out`: (batch, outputs).
    ///
    /// # Errors
    /// Samples of another shape, NaN in them, an `out` of another shape, a workspace of another network.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array2, array};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model = Sequential::new(2).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
    /// let mut workspace = model.workspace(1)?;
    /// let mut answer = Array2::zeros((1, 3));
    /// let x = array![[0.5, 2.0]];
    /// model.predict_into(&x, &mut workspace, &mut answer)?;
    /// assert_eq!(answer, model.predict(&x)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn predict_into<S: Data<Elem = F>, T: DataMut<Elem = F>>(
        &self,
        x: &ArrayBase<S, Ix2>,
        workspace: &mut Workspace<F>,
        out: &mut ArrayBase<T, Ix2>,
    ) -> Result<()> {
        if x.ncols() != self.input_shape().size() {
            let got = format!("samples of {} numbers", x.ncols());
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
        crate::validate::finite("x", x)?;
        self.check_indices("x", x)?;
        let x = x.view();
        if x.is_standard_layout() {
            return self.answer(x, workspace, out);
        }
        for start in (0..x.nrows()).step_by(workspace.capacity()) {
            let end = (start + workspace.capacity()).min(x.nrows());
            let chunk = rows_of(&x, start, end);
            workspace.input.iter_mut().zip(chunk.iter()).for_each(|(slot, &value)| *slot = value);
            workspace.infer(&self.layout, &self.params, &self.state, None, end - start, false);
            workspace.check_indices(&self.layout, end - start)?;
            write(workspace.output(end - start), start, out);
        }
        Ok(())
    }

    /// The class of each sample: the largest of several outputs, or whether a single one exceeds ½.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with).
    pub fn predict_classes<S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
    ) -> Result<Array1<usize>> {
        let answers = self.predict_with(x, PredictOptions::new())?;
        let class = |row: ndarray::ArrayView1<'_, F>| match row.as_slice() {
            Some([single]) => usize::from(*single > F::of(0.5)),
            Some(row) => largest(row),
            None => 0,
        };
        Ok(answers.rows().into_iter().map(class).collect())
    }

    /// Answers rows in standard layout, in batches that threads share where there are enough of them.
    fn answer_in_parts(
        &self,
        x: ArrayView2<'_, F>,
        batch_size: usize,
        out: ArrayViewMut2<'_, F>,
    ) -> Result<()> {
        let batches = x.nrows().div_ceil(batch_size);
        let operations = self.layout.operations().saturating_mul(x.nrows());
        // Each part has two batches at least, so that none consists of a single row.
        let parts = parallel::threads().min(batches / 2).min(operations / WORTH_A_THREAD);
        if parts < 2 || self.layout.carried().next().is_some() {
            let (mut workspace, mut out) = (Workspace::new(&self.layout, batch_size)?, out);
            workspace.start_from(&self.state);
            return self.answer(x, &mut workspace, &mut out);
        }
        let (mut x, mut out) = (x, out);
        let mut shares = Vec::with_capacity(parts);
        for part in 0..parts {
            let own_batches = batches * (part + 1) / parts - batches * part / parts;
            let rows = (own_batches * batch_size).min(x.nrows());
            let (own_x, other_x) = x.split_at(Axis(0), rows);
            let (own_out, other_out) = out.split_at(Axis(0), rows);
            shares.push((own_x, own_out, Workspace::new(&self.layout, batch_size)?, Ok(())));
            (x, out) = (other_x, other_out);
        }
        parallel::inside(operations, || {
            parallel::share(operations, &mut shares, &|(x, out, workspace, outcome)| {
                *outcome = self.answer(x.view(), workspace, out);
            });
        });
        shares.into_iter().try_for_each(|(_, _, _, outcome)| outcome)
    }

    /// Answers rows in standard layout, in batches as large as the workspace.
    fn answer<T: DataMut<Elem = F>>(
        &self,
        x: ArrayView2<'_, F>,
        workspace: &mut Workspace<F>,
        out: &mut ArrayBase<T, Ix2>,
    ) -> Result<()> {
        let (n, step) = (x.nrows(), workspace.capacity());
        let mut start = 0;
        while start < n {
            let end = (start + step).min(n);
            // A last batch of one row would take another path through wide layers, with other last bits.
            if end - start == 1 && start > 0 && step > 1 {
                start -= 1;
            }
            workspace.infer(
                &self.layout,
                &self.params,
                &self.state,
                Some(rows_of(&x, start, end)),
                end - start,
                false,
            );
            workspace.check_indices(&self.layout, end - start)?;
            write(workspace.output(end - start), start, out);
            start = end;
        }
        Ok(())
    }
}

/// Copies answers to the rows of `out` from `start` on.
fn write<F: Float, T: DataMut<Elem = F>>(answers: &[F], start: usize, out: &mut ArrayBase<T, Ix2>) {
    let columns = out.ncols();
    if columns == 0 {
        return;
    }
    for (row, answer) in answers.chunks_exact(columns).enumerate() {
        out.row_mut(start + row).iter_mut().zip(answer).for_each(|(slot, &value)| *slot = value);
    }
}
