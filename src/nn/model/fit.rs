//! Training: forward, compare, backward, update, again and again.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::fit_options::{FitOptions, PlainOptions, Validation};
use crate::nn::history::{Evaluation, History, Logs};
use crate::nn::model::Model;
use crate::nn::model::data::Samples;
use crate::nn::model::feed::{Batch, InMemory, Stream};
use crate::nn::model::last_good::LastGood;
use crate::nn::model::session::Session;
use crate::nn::model::trainer::Trainer;
use crate::nn::targets::{Prepared, TargetView, Targets};
use ndarray::{ArrayBase, Axis, Data, Dimension, Slice};

impl<F: Float> Model<F> {
    /// Trains for some epochs, as Keras's `fit`; a second call goes on where the first ended, so two fits of one
    /// epoch equal one fit of two, to the bit.
    ///
    /// # Shapes
    /// `x`: (samples, …) with the network's input shape behind; `y`: class labels (samples,), or values of the
    /// output's shape; both in any layout.
    ///
    /// # Errors
    /// Options outside of their ranges; data that does not fit the model (shapes, NaN, labels out of range, no
    /// sample); [`Error::Diverged`] where the loss or a gradient is no longer a number, with the model back at
    /// its last good epoch; the error of a callback.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array1, Array2};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let x = Array2::from_shape_fn((100, 2), |(i, j)| ((i * (j + 2)) % 10) as f32 / 10.0);
    /// let y: Array1<u8> = x.rows().into_iter().map(|row| u8::from(row[0] > row[1])).collect();
    /// let mut model = Sequential::new(2)
    ///     .add(Dense::new(1).activation(Activation::Sigmoid))
    ///     .compile(Sgd::new(1.0), BinaryCrossentropy::default())?
    ///     .metric(Accuracy::default());
    /// let options = FitOptions::new().epochs(40).batch_size(10).validation_split(0.2);
    /// let history = model.fit_with(&x, &y, options)?;
    /// assert!(history.loss()[39] < history.loss()[0]);
    /// assert!(history.get("val_accuracy").unwrap()[39] > 0.9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_with<'y, S: Data<Elem = F>, D: Dimension>(
        &mut self,
        x: &ArrayBase<S, D>,
        y: impl Into<Targets<'y, F>>,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        let FitOptions { plain, validation, sample_weight, mut callbacks, stop_token, steps_per_epoch } =
            options;
        plain.validate()?;
        if steps_per_epoch.is_some() {
            let hint = "hand it to fit_batches; an epoch over arrays is all of their rows";
            return Err(Error::Misplaced { context: "fit_with", option: "steps_per_epoch", hint });
        }
        let mut all =
            self.samples(x.view().into_dyn(), y.into(), sample_weight, ["x", "y", "sample_weight"])?;
        let n =
            if validation.is_some() { all.len() } else { training_rows(all.len(), plain.validation_split)? };
        let held_out_weights = all.weights.as_ref().map(|weights| weights[n..].to_vec());
        if let Some(classes) = plain.class_weight.as_deref() {
            self.weigh_by_class(&mut all, n, classes)?;
        }
        check_parts(&plain, all.weights.as_ref().map(|weights| &weights[..n]), held_out_weights.as_deref())?;
        let held_out = match validation {
            Some(Validation { x, y }) => {
                let names = ["validation x", "validation y", "validation sample_weight"];
                Some(self.samples(x, y, None, names)?)
            }
            None if n < all.len() => Some(split_off(&all, n, held_out_weights)),
            None => None,
        };
        self.layout.check_batch_size("fit", n, plain.batch_size)?;
        let feed = InMemory::new(self, &all, n, &plain)?;
        Session::new(self, feed, held_out.as_ref(), &plain, stop_token)?.run(self, &mut callbacks)
    }

    /// Trains on the batches of an iterator, for data that do not fit into memory: each batch is forgotten before
    /// the next is taken, and memory stays flat.
    ///
    /// An epoch is the next [`steps_per_epoch`](FitOptions::steps_per_epoch) batches, so the iterator yields those of
    /// all epochs, one after the other; where it ends early, the run ends with what there was, and the history's
    /// `stopped` says so. Without `steps_per_epoch`, one pass is the one epoch. The batches come in the iterator's
    /// order and sizes: `batch_size` and `shuffle` have no say. Items may be `Result`s; an error ends the run and
    /// leaves the model as it was after the batch before.
    ///
    /// # Shapes
    /// Of each batch, as in [`fit_with`](Self::fit_with).
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with); an iterator without a batch; several epochs without `steps_per_epoch`;
    /// `validation_split` and `sample_weight`, which need all rows at once.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::{Array1, Array2};
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// // Whatever makes batches: files, a data base, a generator.
    /// let batches = (0..).map(|batch| {
    ///     let x = Array2::from_shape_fn((16, 2), |(i, j)| ((batch * 16 + i) * (j + 3) % 10) as f32 / 10.0);
    ///     let y: Array1<f32> = x.rows().into_iter().map(|row| row[0] - row[1]).collect();
    ///     (x, y)
    /// });
    /// let mut model = Sequential::new(2).add(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError::default())?;
    /// let history = model.fit_batches(batches, FitOptions::new().epochs(20).steps_per_epoch(10))?;
    /// assert!(history.loss()[19] < 1e-3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_batches<B: Batch<F>>(
        &mut self,
        batches: impl IntoIterator<Item = B>,
        options: FitOptions<'_, F>,
    ) -> Result<History> {
        let FitOptions { plain, validation, sample_weight, mut callbacks, stop_token, steps_per_epoch } =
            options;
        plain.validate()?;
        let misplaced = |option, hint| Err(Error::Misplaced { context: "fit_batches", option, hint });
        if plain.validation_split != 0.0 {
            return misplaced(
                "validation_split",
                "rows of an iterator cannot be split off; use validation_data",
            );
        }
        if sample_weight.is_some() {
            return misplaced(
                "sample_weight",
                "it belongs to all rows at once; use class_weight or fit_with",
            );
        }
        if steps_per_epoch == Some(0) {
            return Err(Error::invalid_parameter("fit_batches", "steps_per_epoch", 0, "at least 1"));
        }
        if steps_per_epoch.is_none() && plain.epochs > plain.initial_epoch + 1 {
            let expected = "1, or steps_per_epoch batches for each of them";
            return Err(Error::invalid_parameter("fit_batches", "epochs", plain.epochs, expected));
        }
        let names = ["validation x", "validation y", "validation sample_weight"];
        let held_out = validation.map(|Validation { x, y }| self.samples(x, y, None, names)).transpose()?;
        let feed = Stream::new(self, batches.into_iter(), steps_per_epoch, plain.class_weight.as_deref())?;
        Session::new(self, feed, held_out.as_ref(), &plain, stop_token)?.run(self, &mut callbacks)
    }

    /// One step on one batch; the scores are those before the update, with its loss.
    ///
    /// # Errors
    /// As [`fit_with`](Self::fit_with); where the step diverges, the model keeps its weights from before it.
    pub fn train_on_batch<'y, S: Data<Elem = F>, D: Dimension>(
        &mut self,
        x: &ArrayBase<S, D>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<Evaluation> {
        let x = x.view().into_dyn();
        let samples = self.samples(x, y.into(), None, ["x", "y", "sample_weight"])?;
        self.layout.check_batch_size("train_on_batch", samples.len(), samples.len())?;
        let mut trainer = Trainer::new(self, samples.len(), &samples)?;
        let before = LastGood::of(self, None);
        let batch = samples.x.view();
        trainer.gather_targets(&samples, 0..samples.len(), None);
        if let Err(divergence) = trainer.step(self, Some(batch), samples.len()) {
            before.restore(self);
            return Err(divergence.at(0, 0, self.learning_rate(), None));
        }
        let mut logs = Logs::with_keys(self.score_names());
        trainer.scores.write(&mut logs, 0);
        Ok(Evaluation(logs))
    }

    /// The scores on one batch, without learning from it; the same as [`evaluate`](Self::evaluate).
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn test_on_batch<'y, S: Data<Elem = F>, D: Dimension>(
        &self,
        x: &ArrayBase<S, D>,
        y: impl Into<Targets<'y, F>>,
    ) -> Result<Evaluation> {
        let n = x.shape().first().copied().unwrap_or(1).max(1);
        self.evaluate_with(x, y, crate::nn::fit_options::EvaluateOptions::new().batch_size(n))
    }
}

/// How many of `n` rows are trained on, by Keras's rule: floor(n (1 - split)).
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of n"
)]
fn training_rows(n: usize, split: f64) -> Result<usize> {
    if split == 0.0 {
        return Ok(n);
    }
    let rows = (n as f64 * (1.0 - split)).floor() as usize;
    if rows == 0 || rows >= n {
        let expected =
            format!("a part that leaves rows on both sides; of {n} rows it leaves {rows} to train on");
        return Err(Error::invalid_parameter("fit", "validation_split", split, expected));
    }
    Ok(rows)
}

/// Refuses weights by which no row that a run trains on, or none that is held out, would count.
fn check_parts<F: Float>(plain: &PlainOptions, trained: Option<&[F]>, held_out: Option<&[F]>) -> Result<()> {
    let what = if plain.class_weight.is_some() { "class_weight" } else { "sample_weight" };
    let parts = [(what, "to train on", trained), ("sample_weight", "held out by validation_split", held_out)];
    for (what, rows, weights) in parts {
        let Some(weights) = weights else { continue };
        if !weights.is_empty() && weights.iter().all(|weight| *weight == F::zero()) {
            let problem = format!(
                "the weights of all {} rows {rows} are zero; give one a weight above 0",
                weights.len()
            );
            return Err(Error::Weight { what: what.into(), problem });
        }
    }
    Ok(())
}

/// The rows from `first` on, held out for validation, with weights of their own: class weights are for training only.
fn split_off<'a, F: Float>(all: &'a Samples<'_, F>, first: usize, weights: Option<Vec<F>>) -> Samples<'a, F> {
    let targets = match all.targets.rows(first, all.len()) {
        TargetView::Values(values) => {
            Prepared::Values { width: values.ncols(), values: values.iter().copied().collect() }
        }
        TargetView::Labels(labels) => {
            Prepared::Labels { width: labels.len() / (all.len() - first), labels: labels.to_vec() }
        }
    };
    let x = all.x.slice_axis(Axis(0), Slice::from(first..)).into();
    Samples { x, targets, weights }
}
