//! Event files for TensorBoard.

mod event_file;
mod histogram;
mod protobuf;

use super::{Callback, Run, create_folder};
use crate::error::{Error, Result};
use crate::float::Float;
use event_file::EventFile;
use protobuf::{DataClass, Message, summary_value};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// When [`TensorBoard`] writes the values of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UpdateFreq {
    /// Never: only the values of epochs.
    #[default]
    Epoch,
    /// After each batch.
    Batch,
    /// After each n-th batch.
    Batches(u64),
}

/// Writes event files that [TensorBoard](https://www.tensorflow.org/tensorboard) shows: `tensorboard --logdir logs`.
///
/// The values of each epoch go to the folders `train` and `validation` under names of Keras: `epoch_loss`, `epoch_accuracy`,
/// `epoch_learning_rate`; those of batches as `batch_loss` …; histograms of weights as `0.dense/kernel/histogram`; the model's summary as
/// the text `model`, with any [`text`](Self::text) that is added. A resumed run writes further files into the same folders.
///
/// # Parameters
/// | setter | default |
/// |---|---|
/// | `histogram_freq` | 0: no histograms; n: after each n-th epoch |
/// | `update_freq` | [`UpdateFreq::Epoch`] |
/// | `write_steps_per_second` | false |
/// | `text` | none |
///
/// # Errors
/// A folder or file that cannot be written, [`UpdateFreq::Batches`] of 0, before the first batch; a full disk later.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::callbacks::TensorBoard;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let folder = std::env::temp_dir().join(format!("axonal-doc-tensorboard-{}", std::process::id()));
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let board = TensorBoard::new(&folder).histogram_freq(1).text("notes", "A **line** through two points.");
/// model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], FitOptions::new().epochs(5).callback(board))?;
/// assert_eq!(std::fs::read_dir(folder.join("train")).unwrap().count(), 1);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorBoard {
    log_dir: PathBuf,
    histogram_freq: usize,
    update_freq: UpdateFreq,
    write_steps_per_second: bool,
    texts: Vec<(String, String)>,
    #[serde(skip)]
    train: Option<EventFile>,
    #[serde(skip)]
    validation: Option<EventFile>,
    /// When the epoch began, and the step of the optimizer then.
    #[serde(skip)]
    epoch_began: (f64, u64),
}

impl TensorBoard {
    /// Writes to folders in `log_dir`, which are created where they are missing.
    #[must_use]
    pub fn new(log_dir: impl Into<PathBuf>) -> Self {
        Self {
            log_dir: log_dir.into(),
            histogram_freq: 0,
            update_freq: UpdateFreq::Epoch,
            write_steps_per_second: false,
            texts: Vec::new(),
            train: None,
            validation: None,
            epoch_began: (0.0, 0),
        }
    }

    /// Writes histograms of all weights after each n-th epoch; 0 for none.
    #[must_use]
    pub fn histogram_freq(mut self, epochs: usize) -> Self {
        self.histogram_freq = epochs;
        self
    }

    /// Sets when the values of batches are written.
    #[must_use]
    pub fn update_freq(mut self, freq: UpdateFreq) -> Self {
        self.update_freq = freq;
        self
    }

    /// Writes the training steps per second of each epoch.
    #[must_use]
    pub fn write_steps_per_second(mut self, write: bool) -> Self {
        self.write_steps_per_second = write;
        self
    }

    /// Adds a text in Markdown: hyperparameters, a description of the run.
    #[must_use]
    pub fn text(mut self, tag: impl Into<String>, markdown: impl Into<String>) -> Self {
        self.texts.push((tag.into(), markdown.into()));
        self
    }

    fn write_begin<F: Float>(&mut self, run: &Run<'_, F>) -> Result<()> {
        let folder = self.log_dir.join("train");
        create_folder(&folder)?;
        let mut train = EventFile::create(&folder)?;
        // Four blanks make a block of code of it.
        let summary = run.model().summary().to_string();
        let summary: String = summary.lines().map(|line| format!("    {line}\n")).collect();
        let texts = [("model", summary.as_str())].into_iter();
        let texts = texts.chain(self.texts.iter().map(|(tag, text)| (tag.as_str(), text.as_str())));
        let values: Vec<Message> = texts
            .map(|(tag, text)| summary_value(tag, "text", DataClass::Tensor, &protobuf::text(text)))
            .collect();
        train.add(0, &values)?;
        train.flush()?;
        self.train = Some(train);
        if run.names().iter().any(|name| name.starts_with("val_")) {
            let folder = self.log_dir.join("validation");
            create_folder(&folder)?;
            self.validation = Some(EventFile::create(&folder)?);
        }
        Ok(())
    }
}

/// A scalar under a tag.
fn scalar(tag: &str, value: f64) -> Message {
    summary_value(tag, "scalars", DataClass::Scalar, &protobuf::scalar(value))
}

impl<F: Float> Callback<F> for TensorBoard {
    fn on_train_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        if self.update_freq == UpdateFreq::Batches(0) {
            let expected = "at least 1 batch";
            return Err(Error::invalid_parameter("TensorBoard", "update_freq", 0, expected));
        }
        (self.train, self.validation) = (None, None);
        self.epoch_began = (event_file::wall_time(), run.model().steps_trained);
        self.write_begin(run)
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.epoch_began = (event_file::wall_time(), run.model().steps_trained);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let step = run.model().steps_trained;
        let due = match self.update_freq {
            UpdateFreq::Epoch => false,
            UpdateFreq::Batch => true,
            UpdateFreq::Batches(batches) => step.is_multiple_of(batches),
        };
        let Some(train) = self.train.as_mut().filter(|_| due) else { return Ok(()) };
        let values: Vec<Message> =
            run.logs().iter().map(|(name, value)| scalar(&format!("batch_{name}"), value)).collect();
        train.add(step, &values)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        let epoch = run.epoch() as u64;
        let mut of_training = Vec::new();
        let mut of_validation = Vec::new();
        for (name, value) in run.logs().iter() {
            match name.strip_prefix("val_") {
                Some(name) => of_validation.push(scalar(&format!("epoch_{name}"), value)),
                None => of_training.push(scalar(&format!("epoch_{name}"), value)),
            }
        }
        if self.write_steps_per_second {
            let (began, first) = self.epoch_began;
            let seconds = (event_file::wall_time() - began).max(1e-9);
            #[allow(clippy::cast_precision_loss, reason = "steps of an epoch")]
            let steps = run.model().steps_trained.saturating_sub(first) as f64;
            of_training.push(scalar("epoch_steps_per_second", steps / seconds));
        }
        if self.histogram_freq > 0 && run.epoch().is_multiple_of(self.histogram_freq) {
            for weight in run.model().weights() {
                let buckets = histogram::buckets(weight.value.as_slice().unwrap_or_default());
                let (tag, tensor) = (format!("{}/histogram", weight.name), protobuf::triples(&buckets));
                of_training.push(summary_value(&tag, "histograms", DataClass::Tensor, &tensor));
            }
        }
        for (file, values) in [(&mut self.train, of_training), (&mut self.validation, of_validation)] {
            if let Some(file) = file {
                file.add(epoch, &values)?;
                file.flush()?;
            }
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &mut Run<'_, F>) -> Result<()> {
        let mut outcome = Ok(());
        for mut file in [self.train.take(), self.validation.take()].into_iter().flatten() {
            outcome = outcome.and(file.flush());
        }
        outcome
    }

    fn first_rank_only(&self) -> bool {
        true
    }
}
