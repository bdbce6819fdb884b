//! Checkpoints of a training run into bytes, and back.

use super::Checked;
use super::file::{Encoder, WRITER};
use super::header::{Content, HEADER_LEN};
use super::limits::{Limits, MemoryBudget, lists_of};
use super::model_load::Tensors;
use super::reader::{Input, OpenFile, Source};
use super::records::{CheckpointRecord, Records, TensorRecord};
use super::registry::rejected;
use super::tensor_data::{NumberType, Tensor};
use crate::error::{Error, LoadErrorKind, Result};
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::callback::{CallbackState, Checkpoint, Numbers, Position, Rate};
use crate::nn::history::{HistoryNumbers, HistoryRecord};
use crate::nn::layout::zeros;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;

/// All of a checkpoint but its numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    identity: String,
    epoch: usize,
    batch: usize,
    taken: u64,
    stop: Option<String>,
    /// The history but for its epochs and values.
    history: HistoryRecord,
    /// How many values each key of the history has.
    #[serde(default)]
    history_lengths: Option<Vec<usize>>,
    /// Where earlier versions put the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history_values: Vec<Bits>,
    /// As bits: the sums of an epoch may be infinite or NaN, and must come back as they were.
    totals: Bits,
    rate: TextOfRate,
    counters: Counters,
    last_good_epoch: Option<usize>,
    last_good: Option<Counters>,
    callbacks: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TextOfRate {
    Constant(f64),
    Factor(f64),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counters {
    iterations: u64,
    epochs_trained: u64,
    steps_trained: u64,
}

/// Numbers as sixteen hexadecimal digits each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[derive(Clone)]
struct Bits(Vec<f64>);

impl From<Bits> for String {
    fn from(bits: Bits) -> Self {
        bits.0.iter().map(|value| format!("{:016x}", value.to_bits())).collect()
    }
}

impl TryFrom<String> for Bits {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let (words, []) = text.as_bytes().as_chunks::<16>() else {
            return Err(format!("{} hexadecimal digits, which 16 does not divide", text.len()));
        };
        let value = |word: &[u8; 16]| {
            let digits = std::str::from_utf8(word).ok()?;
            // A sign would be another spelling of the same number.
            if digits.starts_with('+') {
                return None;
            }
            u64::from_str_radix(digits, 16).ok().map(f64::from_bits)
        };
        let values: Option<Vec<f64>> = words.iter().map(value).collect();
        values.map(Self).ok_or_else(|| "something else than hexadecimal digits".into())
    }
}

impl<F: Float> Checkpoint<F> {
    /// The checkpoint as a file of this crate.
    ///
    /// # Errors
    /// NaN among the numbers.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::callbacks::Checkpoint;
    /// use axonal::custom::Run;
    /// use axonal::prelude::*;
    ///
    /// /// Keeps the last checkpoint in memory: it could send it to somewhere.
    /// #[derive(Default)]
    /// struct Keep(Vec<u8>);
    ///
    /// impl Callback<f64> for Keep {
    ///     fn on_epoch_end(&mut self, run: &mut Run<'_, f64>) -> Result<()> {
    ///         run.request_checkpoint();
    ///         Ok(())
    ///     }
    ///     fn on_checkpoint(&mut self, checkpoint: &Checkpoint<f64>) -> Result<()> {
    ///         self.0 = checkpoint.to_bytes()?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let mut keep = Keep::default();
    /// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
    /// model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], FitOptions::new().epochs(3).callback(&mut keep))?;
    /// let checkpoint = Checkpoint::<f64>::from_bytes(&keep.0)?;
    /// assert_eq!((checkpoint.epoch(), checkpoint.batch(), checkpoint.history().epochs()), (3, 0, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        encode(self)?.to_bytes()
    }

    /// The checkpoint of a file of this crate. It is checked as a model's file is; whether it is one of the run at
    /// hand is checked where that is resumed.
    ///
    /// # Errors
    /// [`Error::Load`] for what is damaged or something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        from_bytes(bytes)
    }

    pub(super) fn save(&self, path: &Path) -> Result<()> {
        encode(self)?.save(path)
    }

    pub(super) fn load(path: &Path) -> Result<Self> {
        from_file(path)
    }
}

precompiled! {
    fn encode<'a, 'b, F>(checkpoint: &'a Checkpoint<F>) -> Result<Encoder<'a>> {
        let (last_good_epoch, last_good) = (checkpoint.last_good.0, checkpoint.last_good.1.as_ref());
        let (history, numbers) = HistoryRecord::split(checkpoint.history.clone());
        let HistoryNumbers { epochs, values, value_epochs } = numbers;
        let text = Text {
            identity: checkpoint.identity.clone(),
            epoch: checkpoint.position.epoch,
            batch: checkpoint.position.batch,
            taken: checkpoint.position.taken,
            stop: checkpoint.stop.clone(),
            history,
            history_lengths: Some(values.iter().map(Vec::len).collect()),
            history_values: Vec::new(),
            totals: Bits(checkpoint.totals.clone()),
            rate: match checkpoint.rate {
                Rate::Constant(rate) => TextOfRate::Constant(rate),
                Rate::Factor(factor) => TextOfRate::Factor(factor),
            },
            counters: Counters::of(&checkpoint.numbers),
            last_good_epoch,
            last_good: last_good.map(Counters::of),
            callbacks: checkpoint.callbacks.iter().map(|state| state.text.clone()).collect(),
        };
        let run = serde_json::to_string(&text).map_err(|problem| Error::Unsaveable {
            what: "the checkpoint".into(),
            reason: problem.to_string(),
            hint: "look for a number in its history that JSON cannot hold".into(),
        })?;
        let mut tensors = tensors_of("model", &checkpoint.numbers);
        tensors.extend(last_good.into_iter().flat_map(|numbers| tensors_of("last good epoch", numbers)));
        let states = checkpoint.callbacks.iter().enumerate();
        tensors
            .extend(states.map(|(index, state)| Tensor::flat(format!("callback {index}"), &state.numbers)));
        let values: Vec<u64> = values.into_iter().flatten().map(f64::to_bits).collect();
        tensors.push(Tensor::counts(EPOCHS, &[epochs.len()], epochs));
        tensors.push(Tensor::words(VALUES, &[values.len()], values));
        // Without gaps, the file is one that earlier versions read.
        let value_epochs = value_epochs.unwrap_or_default().concat();
        if !value_epochs.is_empty() {
            tensors.push(Tensor::counts(VALUE_EPOCHS, &[value_epochs.len()], value_epochs));
        }
        let mut encoder = Encoder::new(Content::Checkpoint);
        let n_tensors = u32::try_from(tensors.len()).unwrap_or(u32::MAX);
        encoder.record(&CheckpointRecord { writer: WRITER, run: &run, n_tensors })?;
        encoder.tensors(tensors)?;
        Ok(encoder)
    }

    fn from_bytes<'a, 'b, F>(bytes: &'a [u8]) -> Result<Checkpoint<F>> {
        read(Source::bytes(bytes, &Limits::default())?)
    }

    fn from_file<'a, 'b, F>(path: &'a Path) -> Result<Checkpoint<F>> {
        read(Source::open(path, &Limits::default())?)
    }
}

/// The index of each epoch of the history.
const EPOCHS: &str = "history/epochs";
/// The history's values, key by key, as bits: they may be infinite or NaN, and must come back as they were.
const VALUES: &str = "history/values";
/// The epochs of the values of each key that lacks some: validation that does not come after every epoch.
const VALUE_EPOCHS: &str = "history/value epochs";

impl Counters {
    fn of<F>(numbers: &Numbers<F>) -> Self {
        Self {
            iterations: numbers.iterations,
            epochs_trained: numbers.epochs_trained,
            steps_trained: numbers.steps_trained,
        }
    }

    fn with<F>(&self, [params, state, moments]: [Vec<F>; 3]) -> Numbers<F> {
        let Self { iterations, epochs_trained, steps_trained } = *self;
        Numbers { params, state, moments, iterations, epochs_trained, steps_trained }
    }
}

fn tensors_of<'a, F: Float>(whose: &str, numbers: &'a Numbers<F>) -> Vec<Tensor<'a>> {
    let parts = [("params", &numbers.params), ("state", &numbers.state), ("moments", &numbers.moments)];
    parts.map(|(part, values)| Tensor::flat(format!("{whose}/{part}"), values)).into()
}

fn read<'a, F: Float, R: Input<'a>>(source: Source<R>) -> Result<Checkpoint<F>> {
    let limits = Limits::default();
    let mut opened = source.structure(&[Content::Checkpoint], &limits)?;
    let budget = MemoryBudget::new(&limits).of_file(opened.header.structure_len, opened.header.numbers_len);
    let (text, lengths) =
        read_text::<F, R>(&opened, &budget).map_err(|problem| problem.in_file(&opened.name))?;
    opened.structure = Cow::default();
    let mut buffers = Vec::with_capacity(lengths.len());
    let (n_floats, history) = lengths.split_at(floats_of(&text));
    for &(_, len) in n_floats {
        buffers.push(zeros::<F>("a checkpoint", len)?);
    }
    let mut epochs = vec![0; history.first().map_or(0, |&(_, len)| len)];
    let mut values: Vec<Vec<f64>> =
        text.history_lengths.iter().flatten().map(|&len| vec![0.0; len]).collect();
    let partial = text.history_lengths.iter().flatten().filter(|&&len| len < epochs.len());
    let mut value_epochs: Option<Vec<Vec<usize>>> =
        (history.len() > 2).then(|| partial.map(|&len| vec![0; len]).collect());
    opened.numbers(|numbers| {
        for ((name, _), buffer) in lengths.iter().zip(&mut buffers) {
            if let Err(problem) = numbers.floats(name, NumberType::of::<F>(), buffer)? {
                return Ok(Err(problem));
            }
        }
        numbers.counts(&mut epochs)?;
        for list in &mut values {
            numbers.any_floats(list)?;
        }
        for list in value_epochs.iter_mut().flatten() {
            numbers.counts(list)?;
        }
        Ok(Ok(()))
    })?;
    let mut buffers = buffers.into_iter();
    let mut next = || [0; 3].map(|_| buffers.next().unwrap_or_default());
    let numbers = text.counters.with(next());
    let last_good = text.last_good.as_ref().map(|counters| counters.with(next()));
    let callbacks = text.callbacks.into_iter().zip(buffers);
    let epochs_known = value_epochs.is_some();
    if text.history_lengths.is_none() {
        values = text.history_values.into_iter().map(|bits| bits.0).collect();
    }
    let history = text.history.join(HistoryNumbers { epochs, values, value_epochs });
    let history = history.ok_or_else(|| uneven().in_file(&opened.name))?;
    Ok(Checkpoint {
        identity: text.identity,
        position: Position { epoch: text.epoch, batch: text.batch, taken: text.taken },
        stop: text.stop,
        history,
        epochs_known,
        totals: text.totals.0,
        rate: match text.rate {
            TextOfRate::Constant(rate) => Rate::Constant(rate),
            TextOfRate::Factor(factor) => Rate::Factor(factor),
        },
        numbers,
        last_good: (text.last_good_epoch, last_good),
        callbacks: callbacks.map(|(text, numbers)| CallbackState { text, numbers }).collect(),
    })
}

/// The text of a checkpoint, and the names and lengths of its tensors, all of them of one axis: those of type `F`, and
/// then, unless the file is of an earlier version, the history's epochs and values.
fn read_text<F: Float, R>(
    opened: &OpenFile<'_, R>,
    budget: &MemoryBudget,
) -> Checked<(Text, Vec<(String, usize)>)> {
    let mut records = Records::new(&opened.structure, HEADER_LEN as u64);
    let head: CheckpointRecord<'_> = records.next("a checkpoint")?;
    budget.take((head.run.len() as u64).saturating_add(lists_of(head.run)))?;
    let text: Text =
        serde_json::from_str(head.run).map_err(|problem| rejected("checkpoint", unreadable(&problem)))?;
    let floats = floats_of(&text);
    let allowed = if text.history_lengths.is_some() { floats + 2..=floats + 3 } else { floats..=floats };
    let expected = head.n_tensors as usize;
    if !allowed.contains(&expected) {
        let (tensor, expected) = (String::from("all"), format!("{} tensors", allowed.start()));
        return Err(LoadErrorKind::Tensor { tensor, expected, got: head.n_tensors.to_string() });
    }
    let mut tensors = Tensors { records, left: head.n_tensors, bytes: 0, convert: false };
    let mut lengths = Vec::new();
    for index in 0..expected {
        let wanted = if index < floats { NumberType::of::<F>() } else { NumberType::U64 };
        let (TensorRecord { name, shape, .. }, number) = tensors.next("a tensor of the checkpoint")?;
        let len = match shape.0.as_slice() {
            [len] if number == wanted => usize::try_from(*len).ok(),
            _ => None,
        };
        let Some(len) = len.filter(|_| tensors.bytes <= opened.header.numbers_len) else {
            let (tensor, got) =
                (name.to_string(), format!("{} numbers of {:?}", shape.0.len(), number.name()));
            let expected = format!("one axis of {} numbers that are in the file", wanted.name());
            return Err(LoadErrorKind::Tensor { tensor, expected, got });
        };
        lengths.push((name.to_string(), len));
    }
    tensors.finish(opened.header.numbers_len)?;
    check_history(&text, &lengths[floats..], budget)?;
    Ok((text, lengths))
}

/// How many tensors of a checkpoint hold numbers of the model's type.
fn floats_of(text: &Text) -> usize {
    let sets = 1 + usize::from(text.last_good.is_some());
    3 * sets + text.callbacks.len()
}

/// The bytes that a key of a history takes beside its values, while the history is put together.
const PER_KEY: u64 = 100;

/// Checks that the lists of the history are as long as its tensors, and charges the epochs that files of earlier versions
/// lack.
fn check_history(text: &Text, tensors: &[(String, usize)], budget: &MemoryBudget) -> Checked<()> {
    // Files have one of the two.
    let hexadecimal = text.history_values.iter().map(|bits| bits.0.len());
    let lens = text.history_lengths.iter().flatten().copied().chain(hexadecimal);
    let total = |shorter_than: usize| {
        let lens = lens.clone().filter(|&len| len < shorter_than);
        lens.fold(0, |sum: usize, len| sum.saturating_add(len))
    };
    let (epochs, even) = match tensors {
        [] => (text.history.epochs(), true),
        [(_, epochs), (_, values), partial @ ..] => {
            let partial_len = partial.first().map_or_else(|| total(*epochs), |&(_, len)| len);
            let even = total(usize::MAX) == *values && total(*epochs) == partial_len;
            (*epochs, even && text.history_values.is_empty())
        }
        _ => (0, false),
    };
    if !even {
        return Err(uneven());
    }
    budget.take(PER_KEY * lens.clone().count() as u64)?;
    if tensors.len() < 3 { budget.take(8 * HistoryRecord::guesses(lens, epochs) as u64) } else { Ok(()) }
}

fn uneven() -> LoadErrorKind {
    let expected = "values for each key, and the epoch of each value";
    rejected("checkpoint", Error::invalid_parameter("checkpoint", "history", "uneven", expected))
}

fn unreadable(problem: &serde_json::Error) -> Error {
    Error::invalid_parameter("checkpoint", "text", problem, "what this crate writes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_to_the_bit() {
        let values = vec![0.0, -0.0, 1.0 / 3.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 8.0];
        let text = String::from(Bits(values.clone()));
        let back = Bits::try_from(text).unwrap().0;
        assert!(values.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
        for wrong in ["0", "zzzzzzzzzzzzzzzz", "+000000000000000", "ä0000000000000000"] {
            assert!(Bits::try_from(wrong.to_string()).is_err(), "{wrong}");
        }
    }
}
