//! The serialized form of a history.

use super::{History, Recovery, Series};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The form of a [`History`] in JSON and in checkpoint files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct HistoryRecord {
    keys: Vec<String>,
    /// The values of each key; `null` is NaN. Empty in a checkpoint file, which stores values as tensors.
    values: Vec<Vec<Option<f64>>>,
    epochs: Vec<usize>,
    stopped: Option<String>,
    #[serde(default)]
    recoveries: Vec<Recovery>,
    /// The epochs of each key that has fewer values than epochs. Absent in files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    value_epochs: Vec<Vec<usize>>,
}

/// The values of a history, which a checkpoint file stores as exact tensors.
#[derive(Debug, Default)]
pub(crate) struct HistoryNumbers {
    pub(crate) epochs: Vec<usize>,
    /// The values of each key.
    pub(crate) values: Vec<Vec<f64>>,
    /// The epochs of each key that has fewer values than epochs; `None` in files of earlier versions.
    pub(crate) value_epochs: Option<Vec<Vec<usize>>>,
}

impl HistoryRecord {
    /// Splits a history into the record and the exact values.
    pub(crate) fn split(history: History) -> (Self, HistoryNumbers) {
        let History { series, epochs, stopped, recoveries } = history;
        let (mut keys, mut values, mut value_epochs) = (Vec::new(), Vec::new(), Vec::new());
        for Series { key, values: own, epochs } in series {
            value_epochs.extend(epochs.map(Arc::unwrap_or_clone));
            keys.push(key);
            values.push(own);
        }
        let record = Self { keys, stopped, recoveries, ..Self::default() };
        (record, HistoryNumbers { epochs, values, value_epochs: Some(value_epochs) })
    }

    /// Joins record and values; `None` if they are inconsistent.
    pub(crate) fn join(self, numbers: HistoryNumbers) -> Option<History> {
        let Self { keys, values: own, epochs: own_epochs, stopped, recoveries, value_epochs: none } = self;
        let HistoryNumbers { epochs, values, value_epochs } = numbers;
        let alone = own.is_empty() && none.is_empty() && (own_epochs.is_empty() || epochs.is_empty());
        let epochs = if epochs.is_empty() { own_epochs } else { epochs };
        if !alone || keys.len() != values.len() || !increases(&epochs) {
            return None;
        }
        let mut partial = value_epochs.map(Vec::into_iter);
        let mut guesses = BTreeMap::new();
        let mut series = Vec::with_capacity(keys.len());
        for (key, values) in keys.into_iter().zip(values) {
            let own = match &mut partial {
                _ if values.len() == epochs.len() => None,
                Some(partial) => Some(Arc::new(partial.next()?)),
                None if values.len() > epochs.len() => return None,
                None => {
                    let guess = || Arc::new(guessed(&epochs, values.len()));
                    Some(guesses.entry(values.len()).or_insert_with(guess).clone())
                }
            };
            if own.as_ref().is_some_and(|own| own.len() != values.len() || !is_subset(own, &epochs)) {
                return None;
            }
            series.push(Series { key, values, epochs: own });
        }
        let complete = partial.is_none_or(|mut partial| partial.next().is_none());
        complete.then_some(History { series, epochs, stopped, recoveries })
    }

    /// The number of epochs that [`join`](Self::join) must guess for lists of values of these lengths.
    pub(crate) fn guesses(lens: impl Iterator<Item = usize>, epochs: usize) -> usize {
        lens.filter(|&len| len < epochs).collect::<BTreeSet<_>>().into_iter().fold(0, usize::saturating_add)
    }

    /// The number of epochs stored in the record, as earlier versions did.
    pub(crate) fn epochs(&self) -> usize {
        self.epochs.len()
    }
}

impl History {
    /// Sets the epochs of validation values, which files of earlier versions lack, to every `validation_freq`-th epoch, if
    /// their number agrees.
    pub(crate) fn assume_validation_freq(&mut self, validation_freq: usize) {
        for series in &mut self.series {
            let validated = validated(&self.epochs, validation_freq);
            if series.epochs.is_some() && validated.len() == series.values.len() {
                series.epochs = Some(Arc::new(validated));
            }
        }
    }
}

/// The epochs after which validation runs: every `validation_freq`-th.
fn validated(epochs: &[usize], validation_freq: usize) -> Vec<usize> {
    let after = |epoch: &usize| epoch.wrapping_add(1).is_multiple_of(validation_freq);
    epochs.iter().copied().filter(after).collect()
}

/// Guesses the epochs of `len` validations: those of the smallest validation frequency that gives `len` validations, or the
/// last `len` epochs if no frequency does.
fn guessed(epochs: &[usize], len: usize) -> Vec<usize> {
    let last = epochs.get(epochs.len().saturating_sub(len)..).unwrap_or_default();
    let (Some(&first), Some(&end)) = (epochs.first(), epochs.last()) else { return last.to_vec() };
    if len == 0 || end - first + 1 != epochs.len() {
        return last.to_vec();
    }
    // Multiples of the frequency among first + 1 ..= end + 1.
    let count = |freq: usize| end.saturating_add(1) / freq - first / freq;
    match (1..=end.saturating_add(1)).take(epochs.len() + 1).find(|&freq| count(freq) == len) {
        Some(freq) => validated(epochs, freq),
        None => last.to_vec(),
    }
}

fn increases(epochs: &[usize]) -> bool {
    epochs.is_sorted_by(|before, after| before < after)
}

/// Whether `epochs` increases and is a subset of `all`.
fn is_subset(epochs: &[usize], all: &[usize]) -> bool {
    increases(epochs) && epochs.iter().all(|epoch| all.binary_search(epoch).is_ok())
}

impl From<History> for HistoryRecord {
    fn from(history: History) -> Self {
        let (record, HistoryNumbers { epochs, values, value_epochs }) = Self::split(history);
        // JSON cannot represent infinities: serde_json writes null, which is read as NaN.
        let values = values.into_iter().map(|list| list.into_iter().map(Some).collect()).collect();
        Self { epochs, values, value_epochs: value_epochs.unwrap_or_default(), ..record }
    }
}

impl TryFrom<HistoryRecord> for History {
    type Error = &'static str;

    fn try_from(mut record: HistoryRecord) -> Result<Self, &'static str> {
        let list = |list: Vec<Option<f64>>| list.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let values: Vec<Vec<f64>> = std::mem::take(&mut record.values).into_iter().map(list).collect();
        let value_epochs = std::mem::take(&mut record.value_epochs);
        // Earlier versions wrote no epochs of values.
        let value_epochs = Some(value_epochs).filter(|epochs| !epochs.is_empty());
        let numbers = HistoryNumbers { epochs: std::mem::take(&mut record.epochs), values, value_epochs };
        record.join(numbers).ok_or("expected a value for each key and epoch, and the epoch of each value")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Logs;
    use super::*;

    fn history(epochs: std::ops::Range<usize>, freq: usize) -> History {
        let mut history = History::default();
        for epoch in epochs {
            let mut logs = Logs::default();
            logs.insert("loss", 1.0 / (epoch + 1) as f64);
            if (epoch + 1).is_multiple_of(freq) {
                logs.insert("val_loss", epoch as f64);
            }
            logs.insert("learning_rate", 0.1);
            history.push(epoch, &logs);
        }
        history
    }

    #[test]
    fn value_epochs_survive_a_json_round_trip() {
        for (epochs, freq) in [(0..10, 4), (0..10, 1), (0..3, 5), (5..13, 3), (0..0, 1), (0..1, 1)] {
            let history = history(epochs.clone(), freq);
            let validated: Vec<usize> = epochs.filter(|epoch| (epoch + 1).is_multiple_of(freq)).collect();
            assert_eq!(history.epochs_of("val_loss").unwrap_or_default(), validated);
            let json = serde_json::to_string(&history).unwrap();
            assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history, "{json}");
            if !validated.is_empty() {
                assert_eq!(history.keys().collect::<Vec<_>>(), ["loss", "val_loss", "learning_rate"]);
            }
        }
    }

    #[test]
    fn display_writes_one_line_per_epoch() {
        let text = history(0..4, 2).to_string();
        assert_eq!(
            text,
            "epoch 1: loss: 1.0000 - learning_rate: 0.1000\n\
             epoch 2: loss: 0.5000 - val_loss: 1.0000 - learning_rate: 0.1000\n\
             epoch 3: loss: 0.3333 - learning_rate: 0.1000\n\
             epoch 4: loss: 0.2500 - val_loss: 3.0000 - learning_rate: 0.1000"
        );
        assert_eq!(History::default().to_string(), "");
    }

    #[test]
    fn non_finite_values_become_nan_in_json() {
        let mut history = history(0..1, 1);
        history.series[0].values[0] = f64::NAN;
        let back: History = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
        assert!(back.loss()[0].is_nan());
    }

    /// JSON of earlier versions lacks the epochs of values.
    #[test]
    fn epochs_of_earlier_histories_are_guessed_from_counts() {
        let earlier = |epochs: std::ops::Range<usize>, n: usize| {
            let text = serde_json::json!({
                "keys": ["loss", "val_loss"], "values": [vec![0.5; epochs.len()], vec![0.5; n]],
                "epochs": epochs.collect::<Vec<_>>(), "stopped": null
            });
            serde_json::from_value::<History>(text).unwrap()
        };
        assert_eq!(earlier(0..10, 10).epochs_of("val_loss").unwrap().len(), 10);
        assert_eq!(earlier(0..9, 2).epochs_of("val_loss").unwrap(), [3, 7]);
        assert_eq!(earlier(4..9, 1).epochs_of("val_loss").unwrap(), [7]);
        // An interrupted epoch has no validation, whatever the frequency.
        assert_eq!(earlier(0..3, 0).epochs_of("val_loss").unwrap(), [0_usize; 0]);
        let mut history = earlier(0..13, 2);
        assert_eq!(history.epochs_of("val_loss").unwrap(), [4, 9]);
        history.assume_validation_freq(6);
        assert_eq!(history.epochs_of("val_loss").unwrap(), [5, 11]);
        history.assume_validation_freq(1);
        assert_eq!(history.epochs_of("val_loss").unwrap(), [5, 11], "13 validations are not 2");
    }

    #[test]
    fn inconsistent_records_are_errors() {
        for text in [
            r#"{"keys":["a"],"values":[],"epochs":[],"stopped":null}"#,
            r#"{"keys":["a"],"values":[[1.0,2.0]],"epochs":[0],"stopped":null}"#,
            r#"{"keys":["a"],"values":[[1.0,2.0]],"epochs":[1,0],"stopped":null}"#,
            r#"{"keys":["a"],"values":[[1.0]],"epochs":[0,1],"stopped":null,"value_epochs":[[2]]}"#,
            r#"{"keys":["a"],"values":[[1.0]],"epochs":[0,1],"stopped":null,"value_epochs":[[0,1]]}"#,
            r#"{"keys":["a"],"values":[[1.0]],"epochs":[0,1],"stopped":null,"value_epochs":[[0],[1]]}"#,
            r#"{"keys":["a"],"values":[[1.0,1.0]],"epochs":[0,1],"stopped":null,"value_epochs":[[0]]}"#,
        ] {
            assert!(serde_json::from_str::<History>(text).is_err(), "{text}");
        }
    }
}
