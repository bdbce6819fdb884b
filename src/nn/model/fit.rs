//! Training: forward, compare, backward, update, again and again.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::callback::{Callback, Progress, Run};
use crate::nn::fit_options::{FitOptions, PlainOptions, Validation, Verbose};
use crate::nn::history::{Evaluation, History, Logs};
use crate::nn::model::Model;
use crate::nn::model::data::{Samples, rows_of};
use crate::nn::model::last_good::LastGood;
use crate::nn::model::scores::Scores;
use crate::nn::model::trainer::{Divergence, Trainer};
use crate::nn::targets::{Prepared, TargetView, Targets};
use crate::nn::workspace::Workspace;
use crate::rng::{Purpose, Rng};
use ndarray::{ArrayBase, Axis, Data, Dimension, Slice};
use std::io::Write as _;
use std::time::Instant;

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
        let FitOptions { plain, validation, sample_weight, mut callbacks } = options;
        plain.validate()?;
        let classes = plain.class_weight.as_deref();
        let x = x.view().into_dyn();
        let all = self.samples(x, y.into(), sample_weight, classes, ["x", "y", "sample_weight"])?;
        let n =
            if validation.is_some() { all.len() } else { training_rows(all.len(), plain.validation_split)? };
        let held_out = match validation {
            Some(Validation { x, y }) => {
                let names = ["validation x", "validation y", "validation sample_weight"];
                Some(self.samples(x, y, None, None, names)?)
            }
            None if n < all.len() => Some(split_off(&all, n)),
            None => None,
        };
        Session::new(self, &all, n, held_out.as_ref(), &plain)?.run(self, &mut callbacks)
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
        let samples = self.samples(x, y.into(), None, None, ["x", "y", "sample_weight"])?;
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

/// The rows from `first` on, to be judged by. They are judged without weights, as in Keras.
fn split_off<'a, F: Float>(all: &'a Samples<'_, F>, first: usize) -> Samples<'a, F> {
    let targets = match all.targets.rows(first, all.len()) {
        TargetView::Values(values) => {
            Prepared::Values { width: values.ncols(), values: values.iter().copied().collect() }
        }
        TargetView::Labels(labels) => {
            Prepared::Labels { width: labels.len() / (all.len() - first), labels: labels.to_vec() }
        }
    };
    let x = all.x.slice_axis(Axis(0), Slice::from(first..)).into();
    Samples { x, targets, weights: all.weights.as_ref().map(|weights| weights[first..].to_vec()) }
}

/// One call of `fit`: what is learned from, what is judged by, and where the run stands.
struct Session<'a, F> {
    samples: &'a Samples<'a, F>,
    /// The rows that are trained on come first.
    n: usize,
    held_out: Option<(&'a Samples<'a, F>, Workspace<F>, Scores<F>)>,
    options: &'a PlainOptions,
    trainer: Trainer<F>,
    order: Vec<usize>,
    /// The loss and the metrics, then the same of the validation, then the learning rate.
    epoch_logs: Logs,
    progress: Progress,
    last_good: LastGood<F>,
    history: History,
}

impl<'a, F: Float> Session<'a, F> {
    fn new(
        model: &Model<F>,
        samples: &'a Samples<'a, F>,
        n: usize,
        held_out: Option<&'a Samples<'a, F>>,
        options: &'a PlainOptions,
    ) -> Result<Self> {
        let batch_size = options.batch_size.min(n);
        let held_out = match held_out {
            Some(held_out) => {
                let batch = batch_size.max(256).min(held_out.len());
                Some((held_out, Workspace::new(&model.layout, batch)?, Scores::new(model)))
            }
            None => None,
        };
        let mut names = model.score_names();
        if held_out.is_some() {
            names.extend(model.score_names().iter().map(|name| format!("val_{name}")));
        }
        names.push("learning_rate".into());
        let progress = Progress {
            epochs: options.epochs,
            batches: n.div_ceil(batch_size),
            names: names.clone(),
            logs: Logs::with_keys(model.score_names()),
            ..Progress::default()
        };
        Ok(Self {
            samples,
            n,
            held_out,
            options,
            trainer: Trainer::new(model, batch_size, samples)?,
            order: Vec::with_capacity(n),
            epoch_logs: Logs::with_keys(names),
            progress,
            last_good: LastGood::of(model, None),
            history: History::default(),
        })
    }

    fn run(mut self, model: &mut Model<F>, callbacks: &mut [Box<dyn Callback<F> + '_>]) -> Result<History> {
        let outcome = self.epochs(model, callbacks);
        if outcome.is_ok() {
            model.updater.finish(&mut model.params);
        }
        // Callbacks close their files and restore their weights also where the run failed.
        let closed = self.call(model, callbacks, |callback, run| callback.on_train_end(run));
        outcome?;
        closed?;
        if let Some(reason) = self.progress.stop {
            self.history.stop(reason);
        }
        Ok(self.history)
    }

    fn epochs(&mut self, model: &mut Model<F>, callbacks: &mut [Box<dyn Callback<F> + '_>]) -> Result<()> {
        self.call(model, callbacks, |callback, run| callback.on_train_begin(run))?;
        for epoch in self.options.initial_epoch..self.options.epochs {
            if self.progress.stop.is_some() {
                break;
            }
            self.progress.epoch = epoch;
            let begun = Instant::now();
            self.call(model, callbacks, |callback, run| callback.on_epoch_begin(run))?;
            if let Err(divergence) = self.epoch(model, callbacks)? {
                let batch = self.progress.batch;
                let error = divergence.at(epoch, batch, model.learning_rate(), self.last_good.epoch);
                self.last_good.restore(model);
                return Err(error);
            }
            model.epochs_trained += 1;
            self.last_good.update(model, epoch + 1);
            self.judge(model, epoch);
            self.progress.logs.assign(&self.epoch_logs);
            self.call(model, callbacks, |callback, run| callback.on_epoch_end(run))?;
            self.history.push(epoch, &self.progress.logs);
            self.print(begun);
        }
        Ok(())
    }

    /// The steps of one epoch.
    fn epoch(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut [Box<dyn Callback<F> + '_>],
    ) -> Result<std::result::Result<(), Divergence>> {
        self.order.clear();
        self.order.extend(0..self.n);
        if self.options.shuffle {
            Rng::new(model.seed, Purpose::Shuffle, model.epochs_trained).shuffle(&mut self.order);
        }
        self.trainer.scores.reset();
        let batch_size = self.trainer.workspace.capacity();
        let x = self.samples.x.view();
        for (batch, start) in (0..self.n).step_by(batch_size).enumerate() {
            let end = (start + batch_size).min(self.n);
            self.progress.batch = batch;
            let in_place = if self.options.shuffle {
                self.trainer.gather(self.samples, &self.order[start..end]);
                None
            } else {
                self.trainer.gather_targets(self.samples, start..end, None);
                Some(rows_of(&x, start, end))
            };
            if let Err(divergence) = self.trainer.step(model, in_place, end - start) {
                return Ok(Err(divergence));
            }
            if !callbacks.is_empty() {
                self.trainer.scores.write(&mut self.progress.logs, 0);
                self.call(model, callbacks, |callback, run| callback.on_batch_end(run))?;
                if self.progress.stop.is_some() {
                    break;
                }
            }
        }
        // A gradient too large for its type shows in the weights at the latest.
        let finite = model.params.iter().chain(&model.state).fold(true, |finite, w| finite & w.is_finite());
        Ok(if finite { Ok(()) } else { Err(Divergence { quantity: "weights", loss: f64::NAN }) })
    }

    /// The numbers of the epoch: training, validation, learning rate.
    fn judge(&mut self, model: &Model<F>, epoch: usize) {
        let names = std::mem::take(&mut self.progress.names);
        self.epoch_logs.clear();
        names.iter().for_each(|name| self.epoch_logs.insert(name, 0.0));
        self.trainer.scores.write(&mut self.epoch_logs, 0);
        let n_scores = 1 + model.metrics.len();
        if let Some((samples, workspace, scores)) = &mut self.held_out {
            if (epoch + 1).is_multiple_of(self.options.validation_freq) {
                scores.reset();
                model.score_samples(samples, workspace, scores);
                scores.write(&mut self.epoch_logs, n_scores);
            } else {
                self.epoch_logs.clear();
                names
                    .iter()
                    .filter(|name| !name.starts_with("val_"))
                    .for_each(|name| self.epoch_logs.insert(name, 0.0));
                self.trainer.scores.write(&mut self.epoch_logs, 0);
            }
        }
        self.epoch_logs.insert("learning_rate", model.learning_rate());
        self.progress.names = names;
    }

    /// Tells every callback, in the order in which they were added; the first error wins, the others are told
    /// nevertheless.
    fn call(
        &mut self,
        model: &mut Model<F>,
        callbacks: &mut [Box<dyn Callback<F> + '_>],
        hook: impl Fn(&mut dyn Callback<F>, &mut Run<'_, F>) -> Result<()>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        for callback in callbacks {
            let mut run = Run { model: &mut *model, progress: &mut self.progress };
            outcome = outcome.and(hook(&mut **callback, &mut run));
        }
        outcome
    }

    fn print(&self, begun: Instant) {
        if self.options.verbose == Verbose::Silent {
            return;
        }
        let (epoch, epochs) = (self.progress.epoch + 1, self.progress.epochs);
        let seconds = begun.elapsed().as_secs_f64();
        // A closed pipe is no reason to stop training.
        let _ =
            writeln!(std::io::stdout(), "epoch {epoch}/{epochs} - {seconds:.2}s - {}", self.progress.logs);
    }
}
