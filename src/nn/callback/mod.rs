//! What may happen between the steps of a training run.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::history::Logs;
use crate::nn::model::Model;
use crate::nn::optimizer::LearningRate;
use std::fmt;

/// The view of a training run that a callback is handed.
pub struct Run<'a, F> {
    pub(crate) model: &'a mut Model<F>,
    pub(crate) progress: &'a mut Progress,
}

/// Where a training run stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) batches: usize,
    pub(crate) logs: Logs,
    /// The names that the logs of an epoch's end will have.
    pub(crate) names: Vec<String>,
    pub(crate) stop: Option<String>,
}

impl<F: Float> Run<'_, F> {
    /// The epoch, counted from 0 (from `initial_epoch` where one is set).
    #[must_use]
    pub fn epoch(&self) -> usize {
        self.progress.epoch
    }

    /// The epoch to stop before, as asked for.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.progress.epochs
    }

    /// The batch within the epoch, counted from 0.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.progress.batch
    }

    /// How many batches an epoch has.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.progress.batches
    }

    /// The numbers so far: at a batch's end the running means of the epoch, at an epoch's end those of the
    /// epoch with the validation's.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.progress.logs
    }

    /// The names that the logs have at an epoch's end.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.progress.names
    }

    /// The model as it stands.
    #[must_use]
    pub fn model(&self) -> &Model<F> {
        self.model
    }

    /// The model, to be changed: its weights, say.
    pub fn model_mut(&mut self) -> &mut Model<F> {
        self.model
    }

    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.model.learning_rate()
    }

    /// Sets the learning rate from the next step on.
    ///
    /// # Errors
    /// A rate that is negative or not finite, or a model whose rate follows a schedule.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        self.model.set_learning_rate(rate)
    }

    /// Ends the run after this batch or epoch; the history tells the reason.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.progress.stop.get_or_insert(reason.into());
    }
}

impl<F> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// Something that is told what happens during a training run, and may act on it.
///
/// Every hook does nothing by default. An error from a hook ends the run with that error; the model keeps the
/// weights of the last whole batch.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// #[derive(Debug, Default)]
/// struct LowestLoss(Option<f64>);
///
/// impl<F: Float> Callback<F> for LowestLoss {
///     fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
///         let loss = run.logs().get("loss").unwrap();
///         self.0 = Some(self.0.map_or(loss, |lowest| lowest.min(loss)));
///         if loss < 1e-3 {
///             run.stop("good enough");
///         }
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let mut lowest = LowestLoss::default();
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.3), MeanSquaredError::default())?;
/// let options = FitOptions::new().epochs(1000).callback(&mut lowest);
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], options)?;
/// assert!(history.epochs() < 1000 && history.stopped() == Some("good enough"));
/// assert_eq!(lowest.0, history.loss().last().copied());
/// # Ok(())
/// # }
/// ```
pub trait Callback<F: Float> {
    /// Before the first batch.
    ///
    /// # Errors
    /// Whatever keeps the callback from doing its work; the run does not begin.
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// Before each epoch.
    ///
    /// # Errors
    /// Whatever keeps the callback from doing its work; the run ends with it.
    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After each batch.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After each epoch and its validation.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }

    /// After the last epoch, and also where the run ended early or with an error.
    ///
    /// # Errors
    /// As [`on_epoch_begin`](Self::on_epoch_begin).
    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let _ = run;
        Ok(())
    }
}

impl<F: Float, C: Callback<F> + ?Sized> Callback<F> for &mut C {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_train_begin(run)
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_epoch_begin(run)
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_batch_end(run)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_epoch_end(run)
    }

    fn on_train_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        (**self).on_train_end(run)
    }
}

impl<F> fmt::Debug for dyn Callback<F> + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

impl<F: Float> Model<F> {
    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.updater.current_rate()
    }

    /// Sets the learning rate from the next step on.
    ///
    /// # Errors
    /// A rate that is negative or not finite, or a model whose rate follows a schedule.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        if !self.updater.learning_rate.is_constant() {
            return Err(Error::Misplaced {
                context: "set_learning_rate",
                option: "a fixed rate for an optimizer whose learning rate follows a schedule",
                hint: "compile with a number as the learning rate, or change the schedule",
            });
        }
        let rate = LearningRate::from(rate);
        rate.validate(self.updater.rule.kind())?;
        self.updater.learning_rate = rate;
        Ok(())
    }
}
