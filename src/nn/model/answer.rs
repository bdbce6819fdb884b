//! Answers for new samples.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::fit_options::PredictOptions;
use crate::nn::layout::zeros;
use crate::nn::metric::largest;
use crate::nn::model::Model;
use crate::nn::model::data::{rows, rows_of};
use crate::nn::workspace::Workspace;
use crate::parallel::{self, thresholds::MIN_OPS_PER_PREDICT_THREAD};
use ndarray::{
    Array1, Array2, ArrayBase, ArrayD, ArrayView2, ArrayViewMut2, Axis, Data, DataMut, Dimension, Ix2, s,
};
use std::sync::{Mutex, PoisonError};

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
        let numbers = x.view();
        let x = rows("x", x.view().into_dyn(), self.input_shape(), true)?;
        let columns = self.output_shape().size();
        let answers = zeros("the answers", x.nrows().saturating_mul(columns))?;
        let mut out = Array2::from_shape_vec((x.nrows(), columns), answers)
            .map_err(|_| Error::shape("predict", "answers as a matrix", "another length"))?;
        if x.nrows() > 0 {
            let batch_size = self.layout.batch_size("predict", x.nrows(), batch_size)?.min(x.nrows());
            let answered = self.answer_in_parts(x.view(), batch_size, out.view_mut());
            self.with_index(answered, &numbers)?;
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

    /// The answers, written into `out` without allocating: for services that answer row by row. After an error, `out`
    /// holds the answers of the batches before, and the state of stateful layers is that after them.
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
        let x = x.view();
        if x.is_standard_layout() {
            let batches = Batches { x, out: Some(out.view_mut()), step: workspace.capacity() };
            let answered = self.answer(batches, workspace);
            return self.with_index(answered, &x);
        }
        self.check_numbers("x", &x)?;
        for start in (0..x.nrows()).step_by(workspace.capacity()) {
            let end = (start + workspace.capacity()).min(x.nrows());
            let chunk = rows_of(&x, start, end);
            workspace.input.iter_mut().zip(chunk.iter()).for_each(|(slot, &value)| *slot = value);
            workspace.infer(&self.layout, &self.params, &self.state, None, end - start, false);
            workspace.check_indices(&self.layout, end - start)?;
            write(workspace.output(end - start), out.slice_mut(s![start..end, ..]));
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
        let operations = self.layout.operations().saturating_mul(x.nrows());
        // Some thirty batches for each thread, so that none waits long for the last one of another.
        let few = (x.nrows() / parallel::threads() / 32).max(1).next_multiple_of(32).min(batch_size);
        let busy = operations / MIN_OPS_PER_PREDICT_THREAD;
        let threads = parallel::threads().min(x.nrows().div_ceil(few) / 2).min(busy);
        if threads < 2 || self.layout.carried().next().is_some() {
            let mut workspace = Workspace::new(&self.layout, batch_size)?;
            workspace.start_from(&self.state);
            return self.answer(Batches { x, out: Some(out), step: batch_size }, &mut workspace);
        }
        let batches = Batches { x, out: Some(out), step: few };
        let desk = || Ok((Workspace::new(&self.layout, few)?, Ok(())));
        let mut desks = (0..threads).map(|_| desk()).collect::<Result<Vec<_>>>()?;
        let batches = Mutex::new(batches);
        let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
        parallel::on_each_worker(&mut desks, &|(workspace, outcome)| {
            *outcome = self.answer(std::iter::from_fn(next), workspace);
        });
        desks.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    /// What a batch was refused for, told by the index in all samples as the caller has them.
    fn with_index<S: Data<Elem = F>, D: Dimension>(
        &self,
        answered: Result<()>,
        x: &ArrayBase<S, D>,
    ) -> Result<()> {
        answered.or_else(|refused| self.check_numbers("x", x).and(Err(refused)))
    }

    /// Answers batches of rows. Their numbers are checked when they come, so that they come from memory once.
    fn answer<'a>(
        &self,
        batches: impl Iterator<Item = (ArrayView2<'a, F>, ArrayViewMut2<'a, F>)>,
        workspace: &mut Workspace<F>,
    ) -> Result<()> {
        for (x, out) in batches {
            self.check_numbers("x", &x)?;
            workspace.infer(&self.layout, &self.params, &self.state, Some(x), x.nrows(), false);
            workspace.check_indices(&self.layout, x.nrows())?;
            write(workspace.output(x.nrows()), out);
        }
        Ok(())
    }
}

/// Rows in standard layout and where their answers go, batch by batch.
struct Batches<'a, F> {
    x: ArrayView2<'a, F>,
    /// The answers that are still to be given.
    out: Option<ArrayViewMut2<'a, F>>,
    /// The rows of a batch.
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
        // A last batch of one row would take another path through wide layers, with other last bits: the row before it is
        // answered once more.
        let again = usize::from(rows == 1 && start > 0 && self.step > 1);
        let (_, from) = self.x.split_at(Axis(0), start - again);
        let (x, _) = from.split_at(Axis(0), rows + again);
        Some((x, out))
    }
}

/// Copies the last answers to `out`, as many as it has rows.
fn write<F: Float>(answers: &[F], mut out: ArrayViewMut2<'_, F>) {
    let (rows, columns) = out.dim();
    if columns == 0 {
        return;
    }
    let answers = &answers[answers.len() - rows * columns..];
    for (mut row, answer) in out.rows_mut().into_iter().zip(answers.chunks_exact(columns)) {
        row.iter_mut().zip(answer).for_each(|(slot, &value)| *slot = value);
    }
}
