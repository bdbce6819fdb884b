//! What a training run and an evaluation have to tell.

use serde::{Deserialize, Serialize};

/// The numbers of a training run, one for each epoch: `loss`, the metrics, the same with `val_` in front where
/// there is validation data, and `learning_rate`.
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
pub struct History {
    keys: Vec<String>,
    values: Vec<Vec<f64>>,
    epochs: Vec<usize>,
    stopped: Option<String>,
    #[serde(default)]
    recoveries: Vec<Recovery>,
}

/// A divergence after which the run went on from its last good epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recovery {
    /// The epoch that diverged, counted from 0.
    pub epoch: usize,
    /// The learning rate of the step that diverged.
    pub diverged_at: f64,
    /// The learning rate with which the epoch began again.
    pub learning_rate: f64,
}

impl History {
    /// How many epochs were trained.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// The index of each epoch, from `initial_epoch` on.
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

    /// The values of a key, one for each epoch (for validation: for each epoch that had one).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[f64]> {
        let index = self.keys.iter().position(|known| known == key)?;
        self.values.get(index).map(Vec::as_slice)
    }

    /// The keys, in the order in which progress lines show them.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Why training ended before the last epoch, if it did.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// The divergences after which the run went on by
    /// [`OnDivergence::RestoreAndReduce`](crate::nn::OnDivergence::RestoreAndReduce).
    #[must_use]
    pub fn recoveries(&self) -> &[Recovery] {
        &self.recoveries
    }

    pub(crate) fn recover(&mut self, epoch: usize, diverged_at: f64, learning_rate: f64) {
        self.recoveries.push(Recovery { epoch, diverged_at, learning_rate });
    }

    /// The epochs, and the values key by key, for a file that must keep them to the bit.
    pub(crate) fn take_numbers(&mut self) -> (Vec<usize>, Vec<Vec<f64>>) {
        (std::mem::take(&mut self.epochs), std::mem::take(&mut self.values))
    }

    /// Whether values of these lengths belong to the keys: none has more than there are epochs, of which the history has
    /// this many to come or its own.
    pub(crate) fn takes(
        &self,
        mut lengths: impl ExactSizeIterator<Item = usize>,
        to_come: Option<usize>,
    ) -> bool {
        let alone = to_come.is_none() || self.epochs.is_empty();
        let epochs = to_come.unwrap_or(self.epochs.len());
        alone
            && self.values.is_empty()
            && lengths.len() == self.keys.len()
            && lengths.all(|len| len <= epochs)
    }

    /// Puts back what was taken; the epochs may be there.
    pub(crate) fn put_numbers(&mut self, epochs: Option<Vec<usize>>, values: Vec<Vec<f64>>) {
        self.epochs = epochs.unwrap_or(std::mem::take(&mut self.epochs));
        self.values = values;
    }

    pub(crate) fn push(&mut self, epoch: usize, logs: &Logs) {
        self.epochs.push(epoch);
        for (key, value) in logs.iter() {
            match self.keys.iter().position(|known| known == key) {
                Some(index) => self.values[index].push(value),
                None => {
                    self.keys.push(key.into());
                    self.values.push(vec![value]);
                }
            }
        }
    }

    pub(crate) fn stop(&mut self, reason: String) {
        self.stopped = Some(reason);
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

    /// The loss or a metric by its name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key)
    }

    /// Every name with its value: the loss first, then the metrics in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter()
    }
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Named numbers: the running values of a training run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logs {
    keys: Vec<String>,
    values: Vec<f64>,
}

impl Logs {
    /// A value by its name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        let index = self.keys.iter().position(|known| known == key)?;
        self.values.get(index).copied()
    }

    /// Every name with its value.
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

    /// Takes over what another has.
    pub(crate) fn assign(&mut self, other: &Self) {
        self.keys.clone_from(&other.keys);
        self.values.clone_from(&other.values);
    }
}

impl std::fmt::Display for Logs {
    /// As Keras's progress lines: four decimals, or four digits for numbers below 1e-3.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " - " };
            if value == 0.0 || value.abs() > 1e-3 || !value.is_finite() {
                write!(f, "{separator}{key}: {value:.4}")?;
            } else {
                write!(f, "{separator}{key}: {value:.4e}")?;
            }
        }
        Ok(())
    }
}
