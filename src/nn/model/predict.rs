//! Prediction: `predict`, `predict_all`, `predict_with`, `predict_nd`, `predict_into`, `predict_classes`.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::float::inputs::{InputArray, Inputs};
use crate::float::precompiled::precompiled;
use crate::linalg::matrix;
use crate::nn::fit_options::PredictOptions;
use crate::nn::layer::Shape;
use crate::nn::layout::zeros;
use crate::nn::metric::largest;
use crate::nn::model::Model;
use crate::nn::workspace::{PassState, StepNoise, Workspace};
use crate::parallel::{self, thresholds::MIN_OPS_PER_PREDICT_THREAD};
use ndarray::{Array1, Array2, ArrayBase, ArrayD, ArrayView2, ArrayViewMut2, Axis, DataMut, Ix2, s};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The outputs of a network for a batch of samples, by name: what [`Model::predict_all`] returns.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let x = Input::new("x", 2);
/// let (sum, ratio) = (x.then(Dense::new(1)), x.then(Dense::new(3).activation(Activation::Softmax)));
/// let model: Model<f32> = Graph::new([&x])
///     .output("sum", &sum, MeanSquaredError::new())
///     .output("ratio", &ratio, CategoricalCrossentropy::new())
///     .compile(Adam::new(0.01))?;
/// let outputs = model.predict_all(&array![[1.0, 2.0]])?;
/// assert_eq!(outputs.names().collect::<Vec<_>>(), ["sum", "ratio"]);
/// assert_eq!(outputs.get("ratio").unwrap().shape(), [1, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs<F>(Vec<(String, ArrayD<F>)>);

impl<F> Outputs<F> {
    /// The output of this name, (batch, …) in its own shape.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ArrayD<F>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, values)| values)
    }

    /// The names in the order in which the outputs were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ArrayD<F>)> {
        self.0.iter().map(|(name, values)| (name.as_str(), values))
    }
}

impl<F: Float> Model<F> {
    /// Predicts the outputs of a network with one output, (batch, outputs), in batches of at most 256. Works before `fit`, too, with
    /// the initial weights.
    ///
    /// # Errors
    /// Samples of another shape, NaN values, a model with several outputs.
    pub fn predict<'x>(&self, x: impl Into<Inputs<'x, F>>) -> Result<Array2<F>> {
        self.predict_with(x, PredictOptions::new())
    }

    /// Predicts as [`predict`](Self::predict) does, with options.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); a batch size of 0.
    pub fn predict_with<'x>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        options: PredictOptions,
    ) -> Result<Array2<F>> {
        if self.outputs.len() > 1 {
            let hint = "use predict_all";
            return Err(Error::Misplaced {
                context: "predict",
                option: "a model with several outputs",
                hint,
            });
        }
        let mut outputs = predict_outputs(self, x.into(), options)?;
        outputs.pop().ok_or_else(|| Error::shape("predict", "one output", 0))
    }

    /// Predicts all outputs of a network, each in its own shape.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), but any number of outputs.
    pub fn predict_all<'x>(&self, x: impl Into<Inputs<'x, F>>) -> Result<Outputs<F>> {
        self.predict_all_with(x, PredictOptions::new())
    }

    /// Predicts as [`predict_all`](Self::predict_all) does, with options.
    ///
    /// # Errors
    /// As [`predict_all`](Self::predict_all); a batch size of 0.
    pub fn predict_all_with<'x>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        options: PredictOptions,
    ) -> Result<Outputs<F>> {
        let outputs = predict_outputs(self, x.into(), options)?.into_iter().enumerate();
        let named = outputs.map(|(index, values)| {
            Ok((self.outputs[index].name.clone(), in_shape(values, self.layout.output_shape(index))?))
        });
        named.collect::<Result<_>>().map(Outputs)
    }

    /// Predicts in the shape of the network's output, (batch, …), for networks whose output has several axes.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn predict_nd<'x>(&self, x: impl Into<Inputs<'x, F>>) -> Result<ArrayD<F>> {
        in_shape(self.predict(x)?, self.output_shape())
    }

    /// The outputs as matrices, (batch, outputs).
    fn predict_outputs(&self, x: Inputs<'_, F>, options: PredictOptions) -> Result<Vec<Array2<F>>> {
        let batch_size = options.validate("predict")?;
        self.check_built("predict")?;
        let original = x.clone();
        let xs = self.input_rows("x", x, true)?;
        let n = xs.first().map_or(0, |x| x.nrows());
        let outs = (0..self.outputs.len()).map(|output| {
            let columns = self.layout.output_shape(output).size();
            let values = zeros("the predictions", n.saturating_mul(columns))?;
            Array2::from_shape_vec((n, columns), values)
                .map_err(|_| Error::shape("predict", "predictions as a matrix", "another length"))
        });
        let mut outs = outs.collect::<Result<Vec<_>>>()?;
        if n > 0 {
            let batch_size = self.layout.batch_size("predict", n, batch_size)?.min(n);
            let views = outs.iter_mut().map(|out| out.view_mut()).collect();
            let xs: Vec<_> = xs.iter().map(|x| x.view()).collect();
            let predicted = self.predict_parallel(&xs, batch_size, views, options.training);
            predicted.map_err(|error| self.with_caller_index(error, "x", original.arrays()))?;
        }
        Ok(outs)
    }

    /// Predicts into `out` without allocating, for low-latency services; for networks with one output. After an error, `out` holds the predictions of the
    /// batches before it, and stateful layers have the state after them.
    ///
    /// # Shapes
    /// `x`: (batch, …) in any layout, of any length, integers or floats, for several inputs a tuple; `out`: (batch, outputs).
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
    pub fn predict_into<'x, T: DataMut<Elem = F>>(
        &self,
        x: impl Into<Inputs<'x, F>>,
        workspace: &mut Workspace<F>,
        out: &mut ArrayBase<T, Ix2>,
    ) -> Result<()> {
        predict_into(self, x.into(), workspace, out.view_mut())
    }

    fn predict_into_view(
        &self,
        x: &Inputs<'_, F>,
        workspace: &mut Workspace<F>,
        mut out: ArrayViewMut2<'_, F>,
    ) -> Result<()> {
        self.check_built("predict_into")?;
        let n = self.check_arrays("x", x.arrays())?;
        if self.outputs.len() > 1 {
            let option = "a model with several outputs";
            return Err(Error::Misplaced { context: "predict_into", option, hint: "use predict_all" });
        }
        if out.dim() != (n, self.output_shape().size()) {
            let expected = crate::validate::shape_text(&[n, self.output_shape().size()]);
            return Err(Error::shape("out", expected, crate::validate::shape_text(out.shape())));
        }
        if !workspace.fits(&self.layout) {
            return Err(Error::shape(
                "workspace",
                "the workspace of this model (model.workspace)",
                "another",
            ));
        }
        if n > 0 {
            self.layout.batch_size("predict_into", n, workspace.capacity())?;
        }
        let in_place = match x.arrays() {
            [array] => array.as_rows(self.input_shape().size()),
            _ => None,
        };
        for start in (0..n).step_by(workspace.capacity()) {
            let rows = start..(start + workspace.capacity()).min(n);
            let batch = match &in_place {
                Some(x) => {
                    let state = PassState::infer(&self.state);
                    self.predict_rows(std::slice::from_ref(x), rows.clone(), workspace, state)
                }
                None => self.predict_copied(x.arrays(), rows.clone(), workspace),
            };
            batch.map_err(|error| self.with_caller_index(error, "x", x.arrays()))?;
            let predictions = workspace.layer_output(self.layout.outputs[0], rows.len());
            write_output(predictions, out.slice_mut(s![rows, ..]));
        }
        Ok(())
    }

    /// Predicts rows that are copied into the workspace, converted if they are integers.
    fn predict_copied(
        &self,
        arrays: &[InputArray<'_, F>],
        rows: Range<usize>,
        workspace: &mut Workspace<F>,
    ) -> Result<()> {
        for (input, array) in arrays.iter().enumerate() {
            let columns = self.layout.inputs[input].shape.size();
            let buffer = &mut workspace.inputs[input][..rows.len() * columns];
            array.copy_rows(rows.start, rows.end, buffer);
            self.check_values("x", input, &matrix(buffer, rows.len(), columns))?;
        }
        workspace.forward(&self.layout, &self.params, PassState::infer(&self.state), None, rows.len(), &[]);
        workspace.check_indices(&self.layout, rows.len())
    }

    /// The number of rows of the arrays, one for each input. Errors if their number, sizes or rows differ from the network's.
    fn check_arrays(&self, what: &str, arrays: &[InputArray<'_, F>]) -> Result<usize> {
        let mut n = None;
        self.check_input_count(what, arrays.len())?;
        for (index, (array, input)) in arrays.iter().zip(&self.layout.inputs).enumerate() {
            let (rows, dims) = array.shape().split_first().map_or((1, &[][..]), |(&rows, dims)| (rows, dims));
            let values = dims.iter().product::<usize>();
            if array.shape().is_empty() || values != input.shape.size() {
                let got = format!("samples of {values} values");
                let expected = format!("samples of shape {}", input.shape);
                return Err(Error::shape(self.input_name(what, index), expected, got));
            }
            let first = *n.get_or_insert(rows);
            if rows != first {
                let expected = format!("{first} rows, as input {:?}", self.layout.inputs[0].name);
                return Err(Error::shape(self.input_name(what, index), expected, rows));
            }
        }
        Ok(n.unwrap_or(0))
    }

    /// The error of a batch, with the index in the caller's array instead of that in the batch.
    pub(super) fn with_caller_index(&self, error: Error, what: &str, arrays: &[InputArray<'_, F>]) -> Error {
        let checked = arrays.iter().enumerate().try_for_each(|(input, array)| {
            let name = self.input_name(what, input);
            self.check_values(&name, input, &array.clone().into_values(&name)?)
        });
        checked.err().unwrap_or(error)
    }

    /// Predicts the class of each sample: the index of the largest output, or, for a single output, whether it exceeds ½.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with).
    pub fn predict_classes<'x>(&self, x: impl Into<Inputs<'x, F>>) -> Result<Array1<usize>> {
        let predictions = self.predict(x)?;
        let class = |row: ndarray::ArrayView1<'_, F>| match row.as_slice() {
            Some([single]) => usize::from(*single > F::of(0.5)),
            Some(row) => largest(row),
            None => 0,
        };
        Ok(predictions.rows().into_iter().map(class).collect())
    }

    /// Predicts rows in standard layout: with `training`, as that step of the training, else in inference, where the batches are
    /// split among threads if there is enough work.
    fn predict_parallel(
        &self,
        xs: &[ArrayView2<'_, F>],
        batch_size: usize,
        outs: Vec<ArrayViewMut2<'_, F>>,
        training: Option<u64>,
    ) -> Result<()> {
        let n = xs.first().map_or(0, |x| x.nrows());
        let operations = self.layout.operations().saturating_mul(n);
        // In inference rows do not depend on one another, so that batches are of the size that is fastest.
        let carries = self.layout.carried().next().is_some();
        let keeps_batches = training.is_some() || carries;
        let batch_size = if keeps_batches { batch_size } else { batch_size.min(self.layout.cached_rows()) };
        // About 32 batches per thread balance the load.
        let small_batch = (n / parallel::threads() / 32).max(1).next_multiple_of(32).min(batch_size);
        let useful = operations / MIN_OPS_PER_PREDICT_THREAD;
        let threads = parallel::threads().min(n.div_ceil(small_batch) / 2).min(useful);
        if threads < 2 || keeps_batches {
            let mut workspace = Workspace::new(&self.layout, batch_size)?;
            workspace.start_from(&self.state);
            let mut changed = zeros("the state", training.map_or(0, |_| self.state.len()))?;
            let state = match training {
                None => PassState::infer(&self.state),
                Some(step) => {
                    changed.copy_from_slice(&self.state);
                    let noise = StepNoise { seed: self.seed, step, first_row: 0, group: None };
                    PassState::Train(&mut changed, noise)
                }
            };
            return self.predict_batches(xs, Batches { n, outs, step: batch_size }, &mut workspace, state);
        }
        let batches = Batches { n, outs, step: small_batch };
        let worker = || Ok((Workspace::new(&self.layout, small_batch)?, Ok(())));
        let mut workers = (0..threads).map(|_| worker()).collect::<Result<Vec<_>>>()?;
        let batches = Mutex::new(batches);
        let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
        parallel::on_each_worker(&mut workers, &|(workspace, outcome)| {
            *outcome =
                self.predict_batches(xs, std::iter::from_fn(next), workspace, PassState::infer(&self.state));
        });
        workers.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    /// Predicts batches of rows.
    fn predict_batches<'a>(
        &self,
        xs: &[ArrayView2<'_, F>],
        batches: impl Iterator<Item = (Range<usize>, Vec<ArrayViewMut2<'a, F>>)>,
        workspace: &mut Workspace<F>,
        mut state: PassState<'_, F>,
    ) -> Result<()> {
        for (rows, outs) in batches {
            self.predict_rows(xs, rows.clone(), workspace, state.at(rows.start))?;
            for (&layer, out) in self.layout.outputs.iter().zip(outs) {
                write_output(workspace.layer_output(layer, rows.len()), out);
            }
        }
        Ok(())
    }

    /// Predicts rows into the workspace. Checks their values just before the forward pass, so that they are read from memory
    /// only once.
    fn predict_rows(
        &self,
        xs: &[ArrayView2<'_, F>],
        rows: Range<usize>,
        workspace: &mut Workspace<F>,
        state: PassState<'_, F>,
    ) -> Result<()> {
        for (input, x) in xs.iter().enumerate() {
            self.check_values("x", input, &x.slice(s![rows.clone(), ..]))?;
        }
        let in_place = match xs {
            [x] => Some(x.slice(s![rows.clone(), ..])),
            _ => {
                workspace.copy_inputs(xs, rows.clone());
                None
            }
        };
        workspace.forward(&self.layout, &self.params, state, in_place, rows.len(), &[]);
        workspace.check_indices(&self.layout, rows.len())
    }
}

precompiled! {
    fn predict_outputs<'a, 'b, F>(
        model: &'a Model<F>,
        x: Inputs<'b, F>,
        options: PredictOptions,
    ) -> Result<Vec<Array2<F>>> {
        model.predict_outputs(x, options)
    }

    fn predict_into<'a, 'b, F>(
        model: &'a Model<F>,
        x: Inputs<'b, F>,
        workspace: &'a mut Workspace<F>,
        out: ArrayViewMut2<'a, F>,
    ) -> Result<()> {
        model.predict_into_view(&x, workspace, out)
    }
}

/// Reshapes predictions to the shape of an output.
fn in_shape<F: Float>(predictions: Array2<F>, output: &Shape) -> Result<ArrayD<F>> {
    let mut shape = vec![predictions.nrows()];
    shape.extend_from_slice(output.dims());
    predictions
        .into_shape_with_order(shape)
        .map_err(|_| Error::shape("predict", output.to_string(), "another shape"))
}

/// Iterator over batches of rows and their slices of the outputs.
struct Batches<'a, F> {
    /// The number of rows.
    n: usize,
    /// The parts of the outputs not yet written.
    outs: Vec<ArrayViewMut2<'a, F>>,
    /// Number of rows of a batch.
    step: usize,
}

impl<'a, F> Iterator for Batches<'a, F> {
    type Item = (Range<usize>, Vec<ArrayViewMut2<'a, F>>);

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.outs.first()?.nrows();
        let rows = left.min(self.step);
        if rows == 0 {
            return None;
        }
        let start = self.n - left;
        let split = std::mem::take(&mut self.outs).into_iter().map(|out| out.split_at(Axis(0), rows));
        let (outs, rest) = split.unzip();
        self.outs = rest;
        // The matrix product of a single row uses another kernel in wide layers and may round differently: include the
        // previous row again in a last batch of one row.
        let again = usize::from(rows == 1 && start > 0 && self.step > 1);
        Some((start - again..start + rows, outs))
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
