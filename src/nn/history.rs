//! Results of training and evaluation: [`History`], [`Evaluation`], [`Logs`].

mod record;

pub(crate) use record::{HistoryNumbers, HistoryRecord};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The values of a training run by epoch: `loss`, the metrics, the same with the prefix `val_` if there is validation data,
/// and `learning_rate`.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], FitOptions::new().epochs(50))?;
/// assert_eq!(history.epochs(), 50);
/// assert!(history.loss()[49] < history.loss()[0]);
/// assert!(history.get("val_loss").is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HistoryRecord", into = "HistoryRecord")]
pub struct History {
    series: Vec<Series>,
    epochs: Vec<usize>,
    stopped: Option<String>,
    recoveries: Vec<Recovery>,
}

/// The values of one key.
#[derive(Debug, Clone, PartialEq)]
struct Series {
    key: String,
    values: Vec<f64>,
    /// The epoch of each value; `None` if every epoch has one.
    epochs: Option<Arc<Vec<usize>>>,
}

/// A divergence after which training continued from the last good epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recovery {
    /// The epoch that diverged, counted from 0.
    pub epoch: usize,
    /// The learning rate of the step that diverged.
    pub diverged_at: f64,
    /// The learning rate with which the epoch was restarted.
    pub learning_rate: f64,
}

impl History {
    /// The number of epochs trained.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// The index of each epoch, starting at `initial_epoch`.
    #[must_use]
    pub fn epoch_indices(&self) -> &[usize] {
        &self.epochs
    }

    /// The training loss of each epoch: the mean over its batches, weighted by their sizes, measured before
    /// each update.
    #[must_use]
    pub fn loss(&self) -> &[f64] {
        self.get("loss").unwrap_or_default()
    }

    /// The values of a key. With [`validation_freq`](crate::models::FitOptions::validation_freq), validation keys have fewer values
    /// than epochs; [`epochs_of`](Self::epochs_of) returns the epochs of the values.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[f64]> {
        self.series(key).map(|series| series.values.as_slice())
    }

    /// The epoch of each value of a key, counted from 0 as in [`epoch_indices`](Self::epoch_indices).
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (x, y) = (array![[0.0], [1.0]], array![1.0, 3.0]);
    /// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
    /// let options = FitOptions::new().epochs(10).validation_data(&x, &y).validation_freq(4);
    /// let history = model.fit_with(&x, &y, options)?;
    /// assert_eq!(history.epochs_of("val_loss"), Some(&[3, 7][..]));
    /// assert_eq!(history.get("val_loss").unwrap().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn epochs_of(&self, key: &str) -> Option<&[usize]> {
        self.series(key).map(|series| self.epochs_in(series))
    }

    fn epochs_in<'a>(&'a self, series: &'a Series) -> &'a [usize] {
        series.epochs.as_ref().map_or(&self.epochs, |epochs| epochs)
    }

    fn series(&self, key: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.key == key)
    }

    /// The keys, in the order in which progress lines show them.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.series.iter().map(|series| series.key.as_str())
    }

    /// The reason why training ended before the last epoch, if it did.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// The divergences from which the run recovered by
    /// [`OnDivergence::RestoreAndReduce`](crate::models::OnDivergence::RestoreAndReduce).
    #[must_use]
    pub fn recoveries(&self) -> &[Recovery] {
        &self.recoveries
    }

    pub(crate) fn recover(&mut self, epoch: usize, diverged_at: f64, learning_rate: f64) {
        self.recoveries.push(Recovery { epoch, diverged_at, learning_rate });
    }

    pub(crate) fn push(&mut self, epoch: usize, logs: &Logs) {
        // A key that first appears later, as validation keys may, is inserted in the order of the logs.
        let mut place = 0;
        for (key, value) in logs.iter() {
            let known = self.series.iter().position(|series| series.key == key);
            let index = known.unwrap_or_else(|| {
                let epochs = (!self.epochs.is_empty()).then(Arc::default);
                self.series.insert(place, Series { key: key.into(), values: Vec::new(), epochs });
                place
            });
            let series = &mut self.series[index];
            series.values.push(value);
            if let Some(epochs) = &mut series.epochs {
                Arc::make_mut(epochs).push(epoch);
            }
            place = index + 1;
        }
        for series in &mut self.series {
            if series.epochs.is_none() && series.values.len() == self.epochs.len() {
                series.epochs = Some(Arc::new(self.epochs.clone()));
            }
        }
        self.epochs.push(epoch);
    }

    pub(crate) fn stop(&mut self, reason: String) {
        self.stopped = Some(reason);
    }
}

impl std::fmt::Display for History {
    /// Formats one line per epoch, counted from 1 as in progress lines, with the values of that epoch.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Each series is sorted by epoch.
        let mut next = vec![0; self.series.len()];
        for (index, &epoch) in self.epochs.iter().enumerate() {
            let mut logs = Logs::default();
            for (series, next) in self.series.iter().zip(&mut next) {
                if self.epochs_in(series).get(*next) == Some(&epoch) {
                    series.values.get(*next).inspect(|value| logs.insert(&series.key, **value));
                    *next += 1;
                }
            }
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}epoch {}: {logs}", epoch + 1)?;
        }
        Ok(())
    }
}

/// The loss and the metrics over a data set.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
/// let scores = model.evaluate(&array![[0.0], [0.0]], &array![1.0, 3.0])?;
/// assert_eq!(scores.loss(), 5.0);
/// assert_eq!(scores.to_string(), "loss: 5.0000");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation(pub(crate) Logs);

impl Evaluation {
    /// The loss, penalties included.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.get("loss").unwrap_or(f64::NAN)
    }

    /// The value of a loss or metric name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key)
    }

    /// Iterates over names and values: the loss, then the metrics in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter()
    }
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Named values of a batch or an epoch: loss, metrics, learning rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logs {
    keys: Vec<String>,
    values: Vec<f64>,
}

impl Logs {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        let index = self.keys.iter().position(|known| known == key)?;
        self.values.get(index).copied()
    }

    /// Iterates over names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.keys.iter().map(String::as_str).zip(self.values.iter().copied())
    }

    pub(crate) fn with_keys(keys: Vec<String>) -> Self {
        Self { values: vec![0.0; keys.len()], keys }
    }

    pub(crate) fn set(&mut self, index: usize, value: f64) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = value;
        }
    }

    pub(crate) fn insert(&mut self, key: &str, value: f64) {
        match self.keys.iter().position(|known| known == key) {
            Some(index) => self.values[index] = value,
            None => {
                self.keys.push(key.into());
                self.values.push(value);
            }
        }
    }

    /// Keeps the first `len` names.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.keys.truncate(len);
        self.values.truncate(len);
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
    }

    /// Formats a value: `loss: 0.5100`.
    pub(crate) fn score(key: &str, value: f64) -> String {
        if value == 0.0 || value.abs() > 1e-3 || !value.is_finite() {
            format!("{key}: {value:.4}")
        } else {
            format!("{key}: {value:.4e}")
        }
    }

    /// Copies names and values of `other`, reusing the allocations.
    pub(crate) fn assign(&mut self, other: &Self) {
        self.keys.clone_from(&other.keys);
        self.values.clone_from(&other.values);
    }
}

impl std::fmt::Display for Logs {
    /// Formats as Keras's progress lines do: four decimals, in scientific notation for values up to 1e-3.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " - " };
            write!(f, "{separator}{}", Self::score(key, value))?;
        }
        Ok(())
    }
}
